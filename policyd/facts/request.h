/* policyd/facts/request.h - a request as the fact providers see it. All on the worker's thread. */
#ifndef GATEHOUSE_POLICYD_REQUEST_H
#define GATEHOUSE_POLICYD_REQUEST_H

#include "common/policy/lookup.h"
#include "policyd/policy.h"

struct dns;
struct dns_facts;
struct dnsbl_check;
struct spf_lookup;

/* One request, as the providers see it: `request` of its evaluations. */
struct fact_request {
    const struct policy_request *req;
    const struct policy *policy;
    struct lookups lookups; /* with the worker's store */
    struct dns *dns; /* NULL: DNS facts are unknown */
    struct arena *arena;
    const struct clock *clock;
    uint64_t now_ms, wall_ms; /* when it began */
    bool is_explained; /* it only looks: nothing is counted, nothing learnt */
    /* Limits charged or exceeded by this very request; NULL: none yet. */
    const struct store_charge *charged;
    enum { GEO_UNASKED, GEO_KNOWN, GEO_UNKNOWN } geo_state;
    struct geoip_record geo;
    struct spf_lookup *spf[2]; /* by enum spf_identity; NULL: not asked for yet */
    struct dns_facts *dns_facts; /* see dns_facts.h; NULL: nothing asked for yet */
    struct dnsbl_check *dnsbl_checks; /* by list; NULL: none yet */
};

#endif
