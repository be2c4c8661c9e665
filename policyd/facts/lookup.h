/* policyd/facts/lookup.h - a request as the fact providers see it, and what they look up in the store for it. All on the
 * worker's thread. */
#ifndef GATEHOUSE_POLICYD_LOOKUP_H
#define GATEHOUSE_POLICYD_LOOKUP_H

#include "common/engine/evaluation.h"
#include "common/store/store.h"
#include "policyd/policy.h"

struct dns;
struct dns_facts;
struct dnsbl_check;
struct lookup;
struct spf_lookup;

/* Something other than a look-up in the store that may be under way when the request ends; in the request's arena. */
struct fact_cancel {
    void (*cancel)(struct fact_cancel *self);
    struct fact_cancel *next;
};

/* One request, as the providers see it: `request` of its evaluations. */
struct fact_request {
    const struct policy_request *req;
    const struct policy *policy;
    struct store *store;
    struct dns *dns; /* NULL: DNS facts are unknown */
    struct arena *arena;
    uint64_t now_ms, wall_ms; /* when it began */
    /* Limits charged or exceeded by this very request; NULL: none yet. */
    const struct store_charge *charged;
    struct lookup *lookups; /* all of the request, ended ones too */
    enum { GEO_UNASKED, GEO_KNOWN, GEO_UNKNOWN } geo_state;
    struct geoip_record geo;
    struct spf_lookup *spf[2]; /* by enum spf_identity; NULL: not asked for yet */
    struct dns_facts *dns_facts; /* see dns_facts.h; NULL: nothing asked for yet */
    struct dnsbl_check *dnsbl_checks; /* by list; NULL: none yet */
    struct fact_cancel *cancels; /* what else is to be ended */
};

/* Ends all look-ups under way; their facts stay missing. */
void fact_request_abandon(struct fact_request *request);
/* `self->cancel` is called by fact_request_abandon(). */
void fact_request_on_abandon(struct fact_request *request, struct fact_cancel *self);

/* A look-up that fills `slot` when it ends; in the request's arena. `finish` turns the call's result into a value, or
 * says false: unknown. NULL: out of memory. */
typedef bool lookup_finish(struct lookup *lookup, struct value *out);
struct lookup {
    union {
        struct store_call call; /* first member of all of them */
        struct store_fetch fetch;
        struct store_charge charge;
    } store;
    struct evaluation *evaluation;
    size_t slot;
    lookup_finish *finish;
    const void *arg; /* finish's */
    struct lookup *next;
};
struct lookup *lookup_new(struct evaluation *evaluation, size_t slot, lookup_finish *finish,
                          const void *arg);
/* After the store call has been started with `is_done` as its result: what to return from the provider. */
enum fetch_result lookup_started(struct lookup *lookup, bool is_done, struct value *out);

#endif
