/* common/policy/resources.h - what every daemon has from outside: the store and the resolver, as its configuration names
 * them. A daemon's struct has a member `struct dns_config dns`, and its table embeds the rows DNS_PARAMS. */
#ifndef GATEHOUSE_POLICY_RESOURCES_H
#define GATEHOUSE_POLICY_RESOURCES_H

#include "common/net/dns.h"
#include "common/run/daemon.h"
#include "common/store/stores.h"

struct dns_config {
    uint64_t timeout; /* ms */
    uint64_t cache_size; /* bytes; 0: no cache */
    uint64_t in_flight;
};

/* clang-format off */
#define DNS_PARAMS                                                                                 \
    { PARAM_AS("dns_timeout", dns.timeout), CONF_TIME, "3s", 10, MINUTE,                           \
      .doc = "How long one DNS lookup may take; what is not known by then is unknown to rules." }, \
    { PARAM_AS("dns_cache_size", dns.cache_size), CONF_SIZE, "16M", 0, UINT64_C(4) << 30,          \
      .doc = "Memory of each worker for DNS answers, kept as long as their TTLs say; 0: every question goes out." }, \
    { PARAM_AS("dns_in_flight", dns.in_flight), CONF_INTEGER, "1000", 1, 30000,                    \
      .doc = "DNS questions on their way at the same time, in each worker; further ones fail at once." }
/* clang-format on */

/* The stores of the process; `clock` must outlive them. NULL, logged: it cannot be had. */
struct stores *resources_stores(const struct common_config *common, const struct clock *clock);
/* A worker's resolver. NULL, logged: it cannot be had. */
struct dns *resources_dns(struct worker *worker, const struct common_config *common,
                          const struct dns_config *config);

/* For daemon_spec's `ready`: degraded while the store does not answer, with the reason. */
enum readiness resources_ready(const struct store *store, struct buf *reason);

#endif
