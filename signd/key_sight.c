/* signd/key_sight.c - see key_sight.h. */
#include "signd/key_sight.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/dns.h"
#include "common/net/dns_servers.h"

enum {
    RESOLVER_TEXT_MAX = 80,
    NAME_MAX_BYTES = 400, /* of SELECTOR._domainkey.DOMAIN */
};

/* One key of which records are wanted. */
struct waiting {
    struct slice domain, selector;
    const struct dkim_key *key;
    struct record_ask *asks; /* by resolver */
};

struct record_ask {
    struct dns_ask ask; /* first member */
    struct key_sight *sight;
};

struct key_sight {
    struct worker *worker;
    struct slice resolvers[DNS_SERVERS_MAX];
    char resolver_texts[DNS_SERVERS_MAX][RESOLVER_TEXT_MAX];
    size_t resolver_count;
    /* of the look under way */
    struct arena *arena;
    struct dns *dns[DNS_SERVERS_MAX];
    struct waiting *waiting;
    size_t waiting_count, pending;
    bool is_starting;
    void (*done)(void *arg);
    void *arg;
};

/* ---- life ---- */

static void add_resolver(struct key_sight *sight, struct slice text)
{
    if (sight->resolver_count == DNS_SERVERS_MAX || text.len >= RESOLVER_TEXT_MAX)
        return;
    char *space = sight->resolver_texts[sight->resolver_count];
    memcpy(space, text.ptr, text.len);
    space[text.len] = '\0';
    sight->resolvers[sight->resolver_count++] = (struct slice){ space, text.len };
}

static void find_resolvers(struct key_sight *sight, const struct conf_list *resolvers,
                           const char *resolv_conf)
{
    struct dns_servers servers = { .count = 0 };

    for (size_t i = 0; i < resolvers->count; i++)
        add_resolver(sight, resolvers->items[i]);
    if (sight->resolver_count > 0)
        return;
    dns_servers_read(&servers, resolv_conf == NULL ? "/etc/resolv.conf" : resolv_conf);
    for (size_t i = 0; i < servers.count; i++) {
        AUTO_BUF text = BUF_INIT(RESOLVER_TEXT_MAX);
        if (dns_servers_print(&servers, i, &text) == 0)
            add_resolver(sight, buf_slice(&text));
    }
}

struct key_sight *key_sight_new(struct worker *worker, const struct conf_list *resolvers,
                                const char *resolv_conf)
{
    struct key_sight *sight = calloc(1, sizeof *sight);

    if (sight == NULL)
        return NULL;
    sight->worker = worker;
    find_resolvers(sight, resolvers, resolv_conf);
    return sight;
}

void key_sight_end(struct key_sight *sight)
{
    for (size_t i = 0; i < sight->waiting_count; i++)
        for (size_t n = 0; n < sight->resolver_count; n++)
            dns_abandon(&sight->waiting[i].asks[n].ask);
    for (size_t n = 0; n < sight->resolver_count; n++)
        dns_free(&sight->dns[n]);
    sight->waiting_count = sight->pending = 0;
    sight->waiting = NULL;
}

void key_sight_free(struct key_sight **sight)
{
    struct key_sight *gone = *sight;

    *sight = NULL;
    if (gone == NULL)
        return;
    key_sight_end(gone);
    free(gone);
}

/* ---- which keys ---- */

bool key_sight_begin(struct key_sight *sight, struct arena *arena)
{
    sight->arena = arena;
    sight->waiting = arena_alloc_array(arena, KEY_SIGHT_MAX, sizeof *sight->waiting);
    return sight->waiting != NULL;
}

bool key_sight_add(struct key_sight *sight, struct slice domain, struct slice selector,
                   const struct dkim_key *key)
{
    if (sight->waiting_count == KEY_SIGHT_MAX)
        return true;
    struct waiting *waiting = &sight->waiting[sight->waiting_count];
    *waiting = (struct waiting){ .domain = domain, .selector = selector, .key = key };
    waiting->asks =
        arena_alloc_array(sight->arena, sight->resolver_count + 1, sizeof *waiting->asks);
    if (waiting->asks == NULL)
        return false;
    sight->waiting_count++;
    return true;
}

/* ---- asking ---- */

static void one_is_there(struct key_sight *sight)
{
    sight->pending--;
    if (sight->pending == 0 && !sight->is_starting)
        sight->done(sight->arg);
}

static void record_came(struct dns_ask *ask)
{
    one_is_there(((struct record_ask *)ask)->sight);
}

static void ask_for(struct key_sight *sight, const struct waiting *waiting)
{
    char name[NAME_MAX_BYTES];

    snprintf(name, sizeof name, "%.*s._domainkey.%.*s", SLICE_ARG(waiting->selector),
             SLICE_ARG(waiting->domain));
    for (size_t n = 0; n < sight->resolver_count; n++) {
        struct record_ask *ask = &waiting->asks[n];
        ask->sight = sight;
        ask->ask = (struct dns_ask){ .arena = sight->arena, .done = record_came };
        sight->pending++;
        if (dns_ask(sight->dns[n], &ask->ask, slice_of(name), RR_TXT))
            one_is_there(sight);
    }
}

static bool open_resolvers(struct key_sight *sight, uint64_t timeout_ms)
{
    AUTO_BUF error = BUF_INIT(400);

    for (size_t n = 0; n < sight->resolver_count; n++) {
        const struct dns_options options = { .resolvers = &sight->resolvers[n],
                                             .resolver_count = 1,
                                             .no_cache = true,
                                             .timeout_ms = timeout_ms };
        sight->dns[n] = dns_new(sight->worker, &options, &error);
        if (sight->dns[n] == NULL)
            return false;
    }
    return true;
}

enum key_sight_start key_sight_ask(struct key_sight *sight, uint64_t timeout_ms,
                                   void (*done)(void *arg), void *arg)
{
    sight->done = done;
    sight->arg = arg;
    if (!open_resolvers(sight, timeout_ms))
        return KEY_SIGHT_FAILED;
    sight->is_starting = true;
    for (size_t i = 0; i < sight->waiting_count; i++)
        ask_for(sight, &sight->waiting[i]);
    sight->is_starting = false;
    return sight->pending == 0 ? KEY_SIGHT_DONE : KEY_SIGHT_ASKED;
}

/* ---- what the resolvers say ---- */

/* The worse of two, in this order. */
static bool is_worse(enum dkim_visibility a, enum dkim_visibility b)
{
    static const unsigned badness[DKIM_VISIBILITIES] = { [DKIM_VISIBLE] = 0,
                                                         [DKIM_VISIBILITY_UNKNOWN] = 1,
                                                         [DKIM_NOT_VISIBLE] = 2,
                                                         [DKIM_OTHER_VISIBLE] = 3 };

    return badness[a] > badness[b];
}

static const struct key_sighting unasked = { { DKIM_VISIBILITY_UNKNOWN, "nobody was asked" },
                                             SLICE_INIT("") };

/* All have to show it; one that does not is enough to say that it cannot be seen. */
static struct key_sighting sighting_of(const struct key_sight *sight, const struct waiting *waiting)
{
    struct key_sighting worst = { { DKIM_VISIBLE, NULL }, SLICE_INIT("") };

    for (size_t n = 0; n < sight->resolver_count; n++) {
        struct dkim_published one =
            dkim_published_judge(&waiting->asks[n].ask.answer, waiting->key);
        if (is_worse(one.visibility, worst.published.visibility))
            worst = (struct key_sighting){ one, sight->resolvers[n] };
    }
    return sight->resolver_count > 0 ? worst : unasked;
}

void key_sighting_print(const struct key_sighting *sighting, struct buf *out)
{
    if (sighting->published.problem == NULL)
        return;
    if (sighting->resolver.len > 0)
        buf_printf(out, "%.*s: ", SLICE_ARG(sighting->resolver));
    buf_put(out, sighting->published.problem);
}

struct key_sighting key_sight_of(const struct key_sight *sight, struct slice domain,
                                 struct slice selector)
{
    for (size_t i = 0; i < sight->waiting_count; i++)
        if (slice_equal(sight->waiting[i].domain, domain) &&
            slice_equal(sight->waiting[i].selector, selector))
            return sighting_of(sight, &sight->waiting[i]);
    return unasked;
}
