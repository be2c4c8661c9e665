/* common/policy/resources.c - see resources.h. */
#include "common/policy/resources.h"

#include "common/observe/log.h"

struct stores *resources_stores(const struct common_config *common, const struct clock *clock)
{
    const struct stores_options options = {
        .url = common->store,
        .password_file = common->store_password_file,
        .memory_limit = common->memory_limit,
        .answer_ms = common->store_timeout,
        .log_age_ms = common->log_age,
        .clock = clock,
    };
    AUTO_BUF error = BUF_INIT(1024);
    struct stores *stores = stores_new(&options, &error);

    if (stores == NULL)
        log_error("%s", error.len > 0 ? buf_text(&error) : "out of memory: there is no store");
    else if (slice_equal(common->store, SLICE("memory")))
        log_info(
            "the store is this process's memory: counters and live changes are lost at a restart, and no other "
            "host sees them");
    return stores;
}

struct dns *resources_dns(struct worker *worker, const struct common_config *common,
                          const struct dns_config *config)
{
    const struct dns_options options = {
        .resolvers = common->resolver.items,
        .resolver_count = common->resolver.count,
        .no_cache = config->cache_size == 0,
        .cache_size = config->cache_size,
        .timeout_ms = config->timeout,
        .in_flight_max = (size_t)config->in_flight,
    };
    AUTO_BUF error = BUF_INIT(1024);
    struct dns *dns = dns_new(worker, &options, &error);

    if (dns == NULL)
        log_error("resolver: %s", buf_text(&error));
    return dns;
}

enum readiness resources_ready(const struct store *store, struct buf *reason)
{
    struct store_status status;

    store_status(store, &status);
    if (status.state == STORE_UP)
        return READY_OK;
    buf_printf(reason, "store %s: %s", status.kind, status.detail);
    return READY_DEGRADED;
}
