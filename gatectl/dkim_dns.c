/* gatectl/dkim_dns.c - see dkim_dns.h. */
#include "gatectl/dkim_dns.h"

#include <event2/event.h>

#include "common/config/conf.h"
#include "common/dkim/published.h"
#include "common/net/dns.h"

enum { RESOLVERS_MAX = 8, TIMEOUT_MS = 5000 };

struct dkim_dns {
    struct gatectl *ctl;
    struct worker *worker;
    struct slice names[RESOLVERS_MAX];
    struct dns *resolvers[RESOLVERS_MAX];
    size_t count;
};

static bool add_resolver(struct dkim_dns *dns, struct slice address)
{
    const struct dns_options options = { .resolvers = &address,
                                         .resolver_count = address.ptr == NULL ? 0 : 1,
                                         .no_cache = true,
                                         .timeout_ms = TIMEOUT_MS };
    AUTO_BUF error = BUF_INIT(1024);
    struct dns *resolver = dns_new(dns->worker, &options, &error);

    if (resolver == NULL) {
        gatectl_error(dns->ctl, "resolver: %s", buf_text(&error));
        return false;
    }
    dns->names[dns->count] = address.ptr == NULL ? SLICE("resolv.conf") : address;
    dns->resolvers[dns->count++] = resolver;
    return true;
}

static bool add_resolvers(struct dkim_dns *dns)
{
    const struct conf *conf = dns->ctl->settings->conf;
    const struct conf_entry *entry =
        conf == NULL ? NULL : conf_find(&conf->sections[0], SLICE("resolver"));
    struct slice rest = entry == NULL ? SLICE("") : entry->value, item;

    while (rest.len > 0 && dns->count < RESOLVERS_MAX && slice_next(&rest, ',', &item)) {
        for (struct slice words = item, word; slice_next(&words, ' ', &word);)
            if (word.len > 0 && dns->count < RESOLVERS_MAX && !add_resolver(dns, word))
                return false;
    }
    return dns->count > 0 || add_resolver(dns, (struct slice){ NULL, 0 });
}

struct dkim_dns *dkim_dns_new(struct gatectl *ctl)
{
    struct dkim_dns *dns = gatectl_settings(ctl) ? calloc(1, sizeof *dns) : NULL;

    if (dns == NULL)
        return NULL;
    dns->ctl = ctl;
    dns->worker = worker_new(0, "gatectl", ctl->clock, NULL);
    if (dns->worker != NULL && add_resolvers(dns))
        return dns;
    dkim_dns_free(&dns);
    return NULL;
}

void dkim_dns_free(struct dkim_dns **dns)
{
    if (*dns == NULL)
        return;
    for (size_t i = 0; i < (*dns)->count; i++)
        dns_free(&(*dns)->resolvers[i]);
    worker_free(&(*dns)->worker);
    free(*dns);
    *dns = NULL;
}

size_t dkim_dns_count(const struct dkim_dns *dns)
{
    return dns->count;
}

struct slice dkim_dns_name(const struct dkim_dns *dns, size_t n)
{
    return dns->names[n];
}

/* ---- asking ---- */

struct question {
    struct dns_ask ask; /* first member */
    bool is_done;
};

static void answered(struct dns_ask *ask)
{
    ((struct question *)ask)->is_done = true;
}

const char *dkim_dns_problem(struct dkim_dns *dns, size_t n, struct slice name,
                             const struct dkim_key *key)
{
    struct question question = { .ask = { .arena = dns->ctl->arena, .done = answered } };

    /* Every lookup ends within its deadline, so this does. */
    question.is_done = dns_ask(dns->resolvers[n], &question.ask, name, RR_TXT);
    while (!question.is_done && event_base_loop(worker_base(dns->worker), EVLOOP_ONCE) == 0)
        ;
    return dkim_published_judge(&question.ask.answer, key).problem;
}
