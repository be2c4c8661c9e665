/* policyd/facts/spf.c - see spf.h. A check asks for DNS answers one after the other; each that comes lets it go on, and
 * when its outcome is known all facts that wait for it are. */
#include "policyd/facts/spf.h"

#include "common/mail/address.h"
#include "common/net/dns.h"
#include "policyd/spf/received_spf.h"

enum {
    HEADER_MAX = ACTION_TEXT_MAX
}; /* what a rule may put into a header: pairs beyond it are left out */

const char *const spf_words[] = { "none",     "neutral",   "pass",      "fail",
                                  "softfail", "temperror", "permerror", NULL };

/* One question of a check and its answer. */
struct spf_ask {
    struct dns_ask dns; /* first member */
    struct spf_lookup *lookup;
    struct slice name;
    enum spf_rr type;
    bool is_answered;
    struct spf_answer answer;
    struct spf_ask *next;
};

/* A fact that waits for the outcome. */
struct spf_waiter {
    struct evaluation *evaluation;
    size_t slot;
    int fact;
    struct spf_waiter *next;
};

/* The check of one identity; lives in the request's arena. */
struct spf_lookup {
    struct lookup_cancel cancel; /* first member */
    struct fact_request *request;
    struct spf_query query;
    struct spf_dns dns;
    struct spf_check *check;
    bool is_known;
    struct spf_ask *asks;
    struct spf_waiter *waiters;
};

/* ---- answers, as the check wants them ---- */

static enum dns_type dns_type_of(enum spf_rr type)
{
    static const enum dns_type types[] = {
        [SPF_RR_A] = RR_A,     [SPF_RR_AAAA] = RR_AAAA, [SPF_RR_MX] = RR_MX,
        [SPF_RR_PTR] = RR_PTR, [SPF_RR_TXT] = RR_TXT,
    };

    return types[type];
}

static bool answer_addresses(struct spf_ask *ask, struct arena *arena)
{
    const struct dns_answer *from = &ask->dns.answer;
    struct ip_address *addresses = arena_alloc_array(arena, from->count, sizeof *addresses);

    for (size_t i = 0; addresses != NULL && i < from->count; i++)
        addresses[i] = from->records[i].address;
    ask->answer = (struct spf_answer){ .count = from->count, .addresses = addresses };
    return addresses != NULL;
}

static bool answer_texts(struct spf_ask *ask, struct arena *arena)
{
    const struct dns_answer *from = &ask->dns.answer;
    struct slice *texts = arena_alloc_array(arena, from->count, sizeof *texts);

    for (size_t i = 0; texts != NULL && i < from->count; i++)
        texts[i] = from->records[i].text;
    ask->answer = (struct spf_answer){ .count = from->count, .texts = texts };
    return texts != NULL;
}

static void ask_answered(struct spf_ask *ask)
{
    struct dns_answer *answer = &ask->dns.answer;
    struct arena *arena = ask->lookup->request->arena;

    ask->is_answered = true;
    if (answer->status != DNS_DATA)
        return;
    bool is_address = ask->type == SPF_RR_A || ask->type == SPF_RR_AAAA;
    if (!(is_address ? answer_addresses(ask, arena) : answer_texts(ask, arena)))
        answer->status = DNS_FAILED; /* the request has no memory left */
}

static enum spf_dns_status ask_status(const struct spf_ask *ask, struct spf_answer *out)
{
    if (!ask->is_answered)
        return SPF_DNS_WAIT;
    switch (ask->dns.answer.status) {
    case DNS_DATA:
        *out = ask->answer;
        return SPF_DNS_FOUND;
    case DNS_NO_DATA:
    case DNS_NO_DOMAIN:
        return SPF_DNS_NOTHING;
    case DNS_FAILED:
        break;
    }
    return SPF_DNS_FAILED;
}

/* ---- asking ---- */

static void answer_came(struct dns_ask *dns);

static struct spf_ask *ask_find(const struct spf_lookup *lookup, struct slice name,
                                enum spf_rr type)
{
    struct spf_ask *ask = lookup->asks;

    while (ask != NULL && !(ask->type == type && slice_equal(ask->name, name)))
        ask = ask->next;
    return ask;
}

static enum spf_dns_status check_asks(void *arg, struct slice name, enum spf_rr type,
                                      struct spf_answer *out)
{
    struct spf_lookup *lookup = arg;
    struct arena *arena = lookup->request->arena;
    struct spf_ask *ask = ask_find(lookup, name, type);

    if (ask != NULL)
        return ask_status(ask, out);
    ask = arena_alloc(arena, sizeof *ask);
    if (ask == NULL)
        return SPF_DNS_FAILED;
    *ask = (struct spf_ask){ .dns = { .arena = arena, .done = answer_came },
                             .lookup = lookup,
                             .name = arena_copy(arena, name),
                             .type = type,
                             .next = lookup->asks };
    if (ask->name.ptr == NULL)
        return SPF_DNS_FAILED;
    lookup->asks = ask;
    if (dns_ask(lookup->request->dns, &ask->dns, ask->name, dns_type_of(type)))
        ask_answered(ask);
    return ask_status(ask, out);
}

/* ---- facts ---- */

static bool header_value(struct spf_lookup *lookup, struct value *out)
{
    AUTO_BUF text = BUF_INIT(HEADER_MAX);

    *out = (struct value){ .type = VALUE_TEXT };
    if (spf_received_print(&text, &lookup->query, spf_check_outcome(lookup->check)))
        return false;
    out->text = arena_copy(lookup->request->arena, buf_slice(&text));
    return out->text.ptr != NULL;
}

/* In normal form: the check itself has it as the client wrote it, for macros. Empty: none, or out of memory. */
static struct slice domain_of(struct spf_lookup *lookup)
{
    struct slice domain = SLICE("");

    (void)address_normalise_domain(spf_check_outcome(lookup->check)->domain, lookup->request->arena,
                                   &domain);
    return domain;
}

static bool outcome_value(struct spf_lookup *lookup, int fact, struct value *out)
{
    const struct spf_outcome *outcome = spf_check_outcome(lookup->check);

    switch (fact) {
    case FACT_SPF_EXPLANATION:
        *out = (struct value){ .type = VALUE_TEXT, .text = outcome->explanation };
        break;
    case FACT_SPF_DOMAIN:
        *out = (struct value){ .type = VALUE_DOMAIN, .text = domain_of(lookup) };
        break;
    case FACT_SPF_HEADER:
        return header_value(lookup, out);
    default:
        *out = (struct value){ .type = VALUE_WORD,
                               .text = slice_of(spf_result_word(outcome->result)) };
        break;
    }
    out->is_empty = out->text.len == 0;
    return true;
}

/* The facts that waited. The last one may end the request, and with it all of this. */
static void waiters_tell(struct spf_lookup *lookup)
{
    struct spf_waiter *waiter = lookup->waiters;

    lookup->waiters = NULL;
    while (waiter != NULL) {
        struct spf_waiter *next = waiter->next;
        struct value value;
        bool is_known = outcome_value(lookup, waiter->fact, &value);
        evaluation_provide(waiter->evaluation, waiter->slot, is_known ? &value : NULL);
        waiter = next;
    }
}

static void answer_came(struct dns_ask *dns)
{
    struct spf_ask *ask = (struct spf_ask *)dns;
    struct spf_lookup *lookup = ask->lookup;

    ask_answered(ask);
    if (spf_check_run(lookup->check) == SPF_WAIT)
        return;
    lookup->is_known = true;
    waiters_tell(lookup);
}

/* Ends the DNS lookups under way. */
static void lookup_cancel(struct lookup_cancel *self)
{
    struct spf_lookup *lookup = (struct spf_lookup *)self;

    for (struct spf_ask *ask = lookup->asks; ask != NULL; ask = ask->next)
        if (!ask->is_answered)
            dns_abandon(&ask->dns);
}

/* RFC 7208 4.6.4: a check that takes too long is a temperror. */
static void lookup_time_up(struct lookup_cancel *self)
{
    struct spf_lookup *lookup = (struct spf_lookup *)self;

    if (lookup->is_known)
        return;
    spf_check_give_up(lookup->check, "the time for the check is up");
    lookup->is_known = true;
    waiters_tell(lookup);
}

/* As the client wrote it where that differs in case only: macros of explanations show it. */
static struct slice as_received(const struct policy_request *req, enum policy_attribute attr,
                                const struct value *normal)
{
    return slice_equal_nocase(req->attr[attr], normal->text) ? req->attr[attr] : normal->text;
}

static struct spf_lookup *lookup_begin(struct fact_request *request, enum spf_identity identity)
{
    const struct policyd_config *config = request->policy->parts.config;
    struct spf_lookup *lookup = arena_alloc(request->arena, sizeof *lookup);
    struct ip_address client;
    struct value sender, helo;
    struct mailbox_settings settings = policy_attributes(request->policy);

    settings.strip_extension = false;
    if (lookup == NULL || !ip_address_parse(request->req->attr[ATTR_CLIENT_ADDRESS], &client) ||
        !attribute_fact(request->req, &settings, request->wall_ms, ATTR_SENDER, request->arena,
                        &sender) ||
        !attribute_fact(request->req, &settings, request->wall_ms, ATTR_HELO_NAME, request->arena,
                        &helo))
        return NULL;
    lookup->request = request;
    lookup->dns = (struct spf_dns){ check_asks, lookup };
    lookup->query = (struct spf_query){
        .identity = identity,
        .client = client,
        .helo_name = as_received(request->req, ATTR_HELO_NAME, &helo),
        .sender = as_received(request->req, ATTR_SENDER, &sender),
        .receiver = config->myhostname,
        .default_explanation = config->spf_explanation,
        .wall_s = request->wall_ms / SECOND,
    };
    lookup->check = spf_check_new(request->arena, &lookup->query, &lookup->dns);
    if (lookup->check == NULL)
        return NULL;
    lookup->cancel = (struct lookup_cancel){ .cancel = lookup_cancel, .time_up = lookup_time_up };
    lookups_on_abandon(&request->lookups, &lookup->cancel);
    lookup->is_known = spf_check_run(lookup->check) == SPF_KNOWN;
    return lookup;
}

enum fetch_result spf_fact(struct evaluation *evaluation, size_t slot, const struct fact_ref *ref,
                           struct value *out)
{
    struct fact_request *request = evaluation->request;
    enum spf_identity identity = ref->type->id == FACT_SPF_HELO ? SPF_HELO : SPF_MAILFROM;
    struct spf_lookup **lookup = &request->spf[identity];

    if (request->dns == NULL)
        return FETCH_UNKNOWN;
    if (*lookup == NULL)
        *lookup = lookup_begin(request, identity);
    if (*lookup == NULL)
        return FETCH_UNKNOWN;
    if ((*lookup)->is_known)
        return outcome_value(*lookup, ref->type->id, out) ? FETCH_KNOWN : FETCH_UNKNOWN;
    struct spf_waiter *waiter = arena_alloc(request->arena, sizeof *waiter);
    if (waiter == NULL)
        return FETCH_UNKNOWN;
    *waiter = (struct spf_waiter){ evaluation, slot, ref->type->id, (*lookup)->waiters };
    (*lookup)->waiters = waiter;
    return FETCH_STARTED;
}

bool spf_known(struct fact_request *request, enum spf_identity identity, struct slice *result,
               struct slice *domain)
{
    struct spf_lookup *lookup = request->spf[identity];

    if (lookup == NULL || !lookup->is_known)
        return false;
    *result = slice_of(spf_result_word(spf_check_outcome(lookup->check)->result));
    *domain = domain_of(lookup);
    return true;
}
