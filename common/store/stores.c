/* common/store/stores.c - see stores.h. */
#include "common/store/stores.h"

#include "common/observe/metrics.h"
#include "common/store/store_redis.h"

struct stores {
    struct store_memory *memory;
    struct store_redis *redis; /* NULL: memory is all there is */
};

/* ---- what the memory store tells ---- */

enum {
    MEMORY_USED,
    COUNTERS,
    EVICTED,
    TRIPLETS,
    ORIGINS,
    GREYLIST_EVICTED,
    UNLISTED,
    UNCOUNTED,
    SQUEEZED,
    FORGOTTEN,
    LEASES,
    LEASES_REFUSED,
    OWED,
    OWED_LOST,
    MEMORY_METRICS
};

static struct metric metrics[MEMORY_METRICS] = {
    [MEMORY_USED] = METRIC("gatehouse_store_memory_bytes", METRIC_GAUGE,
                           "Memory taken by counters and greylisting in this process."),
    [COUNTERS] = METRIC("gatehouse_store_counters", METRIC_GAUGE, "Counters kept in this process."),
    [EVICTED] = METRIC("gatehouse_store_evicted_total", METRIC_COUNTER,
                       "Remembered charges dropped before their time, at memory_limit."),
    [TRIPLETS] = METRIC("gatehouse_store_greylist_triplets", METRIC_GAUGE,
                        "Triplets of greylisting kept in this process."),
    [ORIGINS] = METRIC("gatehouse_store_greylist_origins", METRIC_GAUGE,
                       "Networks and domains of greylisting kept in this process."),
    [GREYLIST_EVICTED] =
        METRIC("gatehouse_store_greylist_evicted_total", METRIC_COUNTER,
               "Entries of greylisting dropped before their time, at memory_limit."),
    [UNLISTED] = METRIC("gatehouse_store_greylist_unlisted_total", METRIC_COUNTER,
                        "Triplets that passed for want of room, at memory_limit."),
    [UNCOUNTED] = METRIC("gatehouse_store_uncounted_total", METRIC_COUNTER,
                         "Charges of new subjects that passed uncounted at memory_limit."),
    [SQUEEZED] = METRIC("gatehouse_store_squeezed_total", METRIC_COUNTER,
                        "Counters whose slots come free later than they should, at memory_limit."),
    [FORGOTTEN] = METRIC("gatehouse_store_forgotten_total", METRIC_COUNTER,
                         "Charges that a retry could repeat, at memory_limit."),
    [LEASES] = METRIC("gatehouse_store_leases", METRIC_GAUGE,
                      "Subjects with open connections that this process counts."),
    [LEASES_REFUSED] = METRIC("gatehouse_store_leases_refused_total", METRIC_COUNTER,
                              "Connections not counted in a subject: too many subjects."),
    [OWED] = METRIC("gatehouse_store_owed", METRIC_GAUGE,
                    "Charges that are still to be written back to Redis."),
    [OWED_LOST] = METRIC("gatehouse_store_owed_lost_total", METRIC_COUNTER,
                         "Charges that never will be written back: there were too many."),
};

/* Before every reading, on its thread. */
static void memory_tell(void *arg)
{
    struct store_memory_stats stats;

    store_memory_stats(arg, &stats);
    const uint64_t values[MEMORY_METRICS] = {
        [MEMORY_USED] = stats.memory_used,
        [COUNTERS] = stats.counters,
        [EVICTED] = stats.evicted,
        [TRIPLETS] = stats.triplets,
        [ORIGINS] = stats.origins,
        [GREYLIST_EVICTED] = stats.greylist_evicted,
        [UNLISTED] = stats.unlisted,
        [UNCOUNTED] = stats.uncounted,
        [SQUEEZED] = stats.squeezed,
        [FORGOTTEN] = stats.forgotten,
        [LEASES] = stats.leases,
        [LEASES_REFUSED] = stats.leases_refused,
        [OWED] = stats.owed,
        [OWED_LOST] = stats.owed_lost,
    };
    for (size_t i = 0; i < MEMORY_METRICS; i++) {
        metric_id id = metric_of(&metrics[i]);
        if (metrics[i].type == METRIC_GAUGE)
            metric_set(id, (int64_t)values[i]);
        else if (values[i] > metric_read(id)) /* nobody else counts these */
            metric_add(id, values[i] - metric_read(id));
    }
}

/* ---- making them ---- */

static bool secrets_read(struct slice path, struct redis_secrets *out, struct buf *error)
{
    AUTO_BUF name = BUF_INIT(4096);
    const char *why = "out of memory";

    *out = (struct redis_secrets){ .password = "" };
    if (path.len == 0)
        return true;
    bool ok = buf_add(&name, path) == 0 && redis_secrets_read(buf_text(&name), out, &why);
    if (!ok)
        buf_printf(error, "store_password_file %.*s: %s", SLICE_ARG(path), why);
    return ok;
}

static bool redis_make(struct stores *stores, const struct stores_options *options,
                       struct buf *error)
{
    struct store_redis_options redis = { .clock = options->clock,
                                         .shadow = stores->memory,
                                         .answer_ms = options->answer_ms,
                                         .log_age_ms = options->log_age_ms };
    const char *why;

    if (!redis_url_parse(options->url, &redis.url, &why)) {
        buf_printf(error, "store: %s", why);
        return false;
    }
    if (!secrets_read(options->password_file, &redis.secrets, error))
        return false;
    stores->redis = store_redis_new(&redis);
    explicit_bzero(&redis.secrets, sizeof redis.secrets);
    if (stores->redis == NULL)
        buf_put(error, "out of memory");
    return stores->redis != NULL;
}

struct stores *stores_new(const struct stores_options *options, struct buf *error)
{
    struct stores *stores = calloc(1, sizeof *stores);

    if (stores != NULL)
        stores->memory = store_memory_new(options->clock, options->memory_limit);
    if (stores == NULL || stores->memory == NULL) {
        buf_put(error, "out of memory");
        stores_free(&stores);
        return NULL;
    }
    metrics_register(metrics, COUNT(metrics));
    metrics_on_read(memory_tell, stores->memory);
    if (!slice_equal(options->url, SLICE("memory")) && !redis_make(stores, options, error))
        stores_free(&stores);
    return stores;
}

void stores_free(struct stores **stores)
{
    if (*stores == NULL)
        return;
    if ((*stores)->memory != NULL)
        metrics_forget_on_read(memory_tell, (*stores)->memory);
    store_redis_free(&(*stores)->redis);
    store_memory_free(&(*stores)->memory);
    free(*stores);
    *stores = NULL;
}

struct store *stores_open(struct stores *stores, struct event_base *base)
{
    return stores->redis == NULL ? store_memory_open(stores->memory)
                                 : store_redis_open(stores->redis, base);
}
