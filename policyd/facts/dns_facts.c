/* policyd/facts/dns_facts.c - see dns_facts.h. */
#include "policyd/facts/dns_facts.h"

#include "common/net/dns.h"

/* All of one request, in its arena. */
struct dns_facts {
    struct lookup_cancel cancel; /* first member */
    struct fact_request *request;
    bool is_late; /* what has no answer has failed, and nothing is asked any more */
    struct dns_lookup *lookups; /* ended ones too */
    struct dns_waiter *waiters;
};

struct dns_lookup {
    struct dns_ask ask; /* first member */
    struct dns_facts *facts;
    struct dns_lookup *next;
    struct slice name;
    enum dns_type type;
    bool is_done;
};

/* A fact that waits for answers. */
struct dns_waiter {
    struct dns_waiter *next;
    struct evaluation *evaluation;
    size_t slot;
    const struct fact_ref *ref;
    dns_fact *fact;
    bool is_known; /* when it does not wait any more */
    struct value value;
};

/* Takes those that have all they need out of the request's list. */
static struct dns_waiter *take_finished(struct dns_facts *facts)
{
    struct dns_waiter *finished = NULL, **at = &facts->waiters;

    while (*at != NULL) {
        struct dns_waiter *waiter = *at;
        enum fetch_result result = waiter->fact(facts->request, waiter->ref, &waiter->value);
        if (result == FETCH_STARTED) {
            at = &waiter->next;
            continue;
        }
        waiter->is_known = result == FETCH_KNOWN;
        *at = waiter->next;
        waiter->next = finished;
        finished = waiter;
    }
    return finished;
}

/* The last fact that is provided may end the request, and all of this with it. */
static void facts_go_on(struct dns_facts *facts)
{
    struct dns_waiter *waiter = take_finished(facts);

    while (waiter != NULL) {
        struct dns_waiter *next = waiter->next;
        evaluation_provide(waiter->evaluation, waiter->slot,
                           waiter->is_known ? &waiter->value : NULL);
        waiter = next;
    }
}

static void lookup_done(struct dns_ask *ask)
{
    struct dns_lookup *lookup = (struct dns_lookup *)ask;

    lookup->is_done = true;
    facts_go_on(lookup->facts);
}

/* No fact waits any longer: each is a function of the answers that have come, and of failures. */
static void facts_time_up(struct lookup_cancel *self)
{
    struct dns_facts *facts = (struct dns_facts *)self;

    facts->is_late = true;
    facts_go_on(facts);
}

/* Ends the look-ups under way; nothing waits any more. */
static void facts_cancel(struct lookup_cancel *self)
{
    struct dns_facts *facts = (struct dns_facts *)self;

    facts->waiters = NULL;
    for (struct dns_lookup *lookup = facts->lookups; lookup != NULL; lookup = lookup->next)
        dns_abandon(&lookup->ask);
}

/* NULL: no resolver, or out of memory. */
static struct dns_facts *facts_of(struct fact_request *request)
{
    if (request->dns_facts != NULL || request->dns == NULL)
        return request->dns_facts;
    struct dns_facts *facts = arena_alloc(request->arena, sizeof *facts);
    if (facts == NULL)
        return NULL;
    facts->request = request;
    facts->cancel = (struct lookup_cancel){ .cancel = facts_cancel, .time_up = facts_time_up };
    lookups_on_abandon(&request->lookups, &facts->cancel);
    request->dns_facts = facts;
    return facts;
}

enum fetch_result dns_fact_get(struct evaluation *evaluation, size_t slot,
                               const struct fact_ref *ref, dns_fact *fact, struct value *out)
{
    struct fact_request *request = evaluation->request;
    enum fetch_result result = fact(request, ref, out);

    if (result != FETCH_STARTED)
        return result;
    struct dns_waiter *waiter = arena_alloc(request->arena, sizeof *waiter);
    if (waiter == NULL)
        return FETCH_UNKNOWN;
    waiter->evaluation = evaluation;
    waiter->slot = slot;
    waiter->ref = ref;
    waiter->fact = fact;
    waiter->next = request->dns_facts->waiters; /* it has asked: they are there */
    request->dns_facts->waiters = waiter;
    return FETCH_STARTED;
}

static const struct dns_answer failed = { .status = DNS_FAILED, .failure = DNS_FAILURE_TIMEOUT };

static struct dns_lookup *lookup_find(const struct dns_facts *facts, struct slice name,
                                      enum dns_type type)
{
    struct dns_lookup *lookup = facts->lookups;

    while (lookup != NULL && (lookup->type != type || !slice_equal_nocase(lookup->name, name)))
        lookup = lookup->next;
    return lookup;
}

static struct dns_lookup *lookup_start(struct dns_facts *facts, struct slice name,
                                       enum dns_type type)
{
    struct fact_request *request = facts->request;
    struct dns_lookup *lookup = arena_alloc(request->arena, sizeof *lookup);

    if (lookup == NULL)
        return NULL;
    lookup->name = arena_copy(request->arena, name);
    if (lookup->name.ptr == NULL)
        return NULL;
    lookup->type = type;
    lookup->facts = facts;
    lookup->next = facts->lookups;
    facts->lookups = lookup;
    lookup->ask = (struct dns_ask){ .arena = request->arena, .done = lookup_done };
    lookup->is_done = dns_ask(request->dns, &lookup->ask, name, type);
    return lookup;
}

const struct dns_answer *dns_fact_ask(struct fact_request *request, struct slice name,
                                      enum dns_type type)
{
    struct dns_facts *facts = facts_of(request);
    struct dns_lookup *lookup = facts == NULL ? NULL : lookup_find(facts, name, type);

    if (facts != NULL && lookup == NULL && !facts->is_late)
        lookup = lookup_start(facts, name, type);
    if (lookup == NULL || (facts->is_late && !lookup->is_done))
        return &failed;
    return lookup->is_done ? &lookup->ask.answer : NULL;
}
