/* policyd/facts/provider.h - where policyd's facts come from, one function for each kind of fact. All on the worker's
 * thread; each answers at once or starts a look-up that ends in evaluation_provide(). */
#ifndef GATEHOUSE_POLICYD_PROVIDER_H
#define GATEHOUSE_POLICYD_PROVIDER_H

#include "common/engine/evaluation.h"
#include "common/store/store.h"
#include "policyd/policy.h"

struct lookup; /* opaque: a look-up under way */

/* One request, as the providers see it: `request` of its evaluations. */
struct fact_request {
    const struct policy_request *req;
    const struct policy *policy;
    struct store *store;
    struct arena *arena;
    uint64_t wall_ms;
    const struct store_charge
        *charged; /* limits charged or exceeded by this very request; NULL: none yet */
    struct lookup *lookups; /* all of the request, ended ones too */
    enum { GEO_UNASKED, GEO_KNOWN, GEO_UNKNOWN } geo_state;
    struct geoip_record geo;
};

/* The fact_fetch of policyd. */
enum fetch_result fact_provide(struct evaluation *evaluation, size_t slot,
                               const struct fact_ref *ref, struct value *out);

/* Ends all look-ups under way; their facts stay missing. */
void fact_request_abandon(struct fact_request *request);

/* ---- the kinds ---- */
enum fetch_result list_fact(struct evaluation *evaluation, size_t slot, const struct fact_ref *ref,
                            struct value *out);
enum fetch_result map_fact(struct evaluation *evaluation, const struct fact_ref *ref,
                           struct value *out);
enum fetch_result limit_fact(struct evaluation *evaluation, size_t slot, const struct fact_ref *ref,
                             struct value *out);
enum fetch_result country_fact(struct fact_request *request, int id, struct value *out);

/* ---- look-ups in the store ---- */

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

/* ---- a limit for this request ---- */
enum limit_use_result {
    LIMIT_USE_READY,
    LIMIT_USE_NONE, /* its key is empty: it does not apply */
    LIMIT_USE_UNKNOWN, /* a fact of its key is unknown */
    LIMIT_USE_WAITS, /* a fact of its key is on its way */
    LIMIT_USE_NO_MEMORY,
};
/* Fills in limit, subject, fields and amount (which the caller may change). */
enum limit_use_result limit_use_make(struct evaluation *evaluation,
                                     const struct policy_limit *limit, struct limit_use *use);

#endif
