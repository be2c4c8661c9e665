/* common/store/store_redis.c - see store_redis.h and store_redis_impl.h: the scripts, the breaker, what is said about the state. */
#include "common/store/store_redis_impl.h"

#include <inttypes.h>

#include "common/base/hash.h"

enum {
    TICK_MS = 100,
    TICKS_UNTIL_DOWN = 5, /* at the start: this long until the missing connection is worth a line */
    OVERRIDES_MOST = 16384,
    SCRATCH_MOST = 64 * 1024,
};

#pragma GCC diagnostic ignored "-Woverlength-strings" /* C promises 4095 bytes, compilers do more */
static const char charge_lua[] =
#include "record.lua.h"

#include "charge.lua.h"
    ;
static const char writeback_lua[] =
#include "writeback.lua.h"
    ;
static const char poll_lua[] =
#include "poll.lua.h"
    ;
static const char usage_lua[] =
#include "usage.lua.h"
    ;
static const char greylist_lua[] =
#include "greylist.lua.h"
    ;
static const char transaction_lua[] =
#include "record.lua.h"

#include "transaction.lua.h"
    ;
static const char lease_lua[] =
#include "lease.lua.h"
    ;
static const char swap_lua[] =
#include "swap.lua.h"
    ;
static const char probe_lua[] =
#include "probe.lua.h"
    ;
static const char *const scripts[] = {
    [SCRIPT_CHARGE] = charge_lua,     [SCRIPT_WRITEBACK] = writeback_lua,
    [SCRIPT_POLL] = poll_lua,         [SCRIPT_USAGE] = usage_lua,
    [SCRIPT_GREYLIST] = greylist_lua, [SCRIPT_TRANSACTION] = transaction_lua,
    [SCRIPT_LEASE] = lease_lua,       [SCRIPT_SWAP] = swap_lua,
    [SCRIPT_PROBE] = probe_lua,
};

static struct metric metrics[STORE_METRICS] = {
    [STORE_CALLS] = { .name = "gatehouse_store_calls_total",
                      .type = METRIC_COUNTER,
                      .help = "Calls of the store in Redis." },
    [STORE_DEGRADED_CALLS] = { .name = "gatehouse_store_degraded_total",
                               .type = METRIC_COUNTER,
                               .help =
                                   "Charges decided by the local copy, greylisting that passed, connections counted alone." },
    [STORE_FAILED_CALLS] = { .name = "gatehouse_store_failed_total",
                             .type = METRIC_COUNTER,
                             .help = "Calls that failed: no answer and no local copy." },
    [STORE_TIMEOUTS] = { .name = "gatehouse_store_timeouts_total",
                         .type = METRIC_COUNTER,
                         .help = "Calls that Redis did not answer in time." },
    [STORE_RETRIES] = { .name = "gatehouse_store_retries_total",
                        .type = METRIC_COUNTER,
                        .help = "Charges asked again because a live value had changed." },
    [STORE_WRITTEN_BACK] = { .name = "gatehouse_store_written_back_total",
                             .type = METRIC_COUNTER,
                             .help = "Charges of the local copy written to Redis afterwards." },
    [STORE_CONNECTS] = { .name = "gatehouse_store_connects_total",
                         .type = METRIC_COUNTER,
                         .help = "Connections to Redis that became ready." },
    [STORE_MISTAKES] = { .name = "gatehouse_store_errors_total",
                         .type = METRIC_COUNTER,
                         .help = "Error replies and replies of an unexpected form." },
    [STORE_LOG_DROPPED] = { .name = "gatehouse_store_log_dropped_total",
                            .type = METRIC_COUNTER,
                            .help = "Decision lines not written to gh:log." },
    [STORE_RECORDS_CUT] = { .name = "gatehouse_store_records_cut_total",
                            .type = METRIC_COUNTER,
                            .help = "Transaction records that had no room for all charges: those "
                                    "cannot be given back." },
};

void store_count(enum store_metric metric)
{
    metric_add(metric_of(&metrics[metric]), 1);
}

/* ---- state ---- */

static struct worker_store *of(struct store *store)
{
    return (struct worker_store *)(void *)store;
}

bool is_serving(const struct worker_store *store)
{
    return store->breaker == BREAKER_CLOSED && redis_is_ready(store->redis);
}

/* One line for each change of the process's state: it is up when all its workers are. */
static void say_state(struct store_redis *shared)
{
    char problem[sizeof(shared->problem)];

    if (atomic_load(&shared->workers_down) == 0) {
        log_once_per_change(&shared->state, 0, LOG_LEVEL_INFO, "store: redis is in use again");
        return;
    }
    pthread_mutex_lock(&shared->lock);
    memcpy(problem, shared->problem, sizeof(problem));
    pthread_mutex_unlock(&shared->lock);
    log_once_per_change(&shared->state, 1, LOG_LEVEL_WARNING,
                        "store: redis is not in use, deciding locally: %s", problem);
}

/* Keeps the count of workers that are down, and the last reason. */
static void report(struct worker_store *store, const char *why)
{
    struct store_redis *shared = store->shared;
    bool is_up = is_serving(store);

    if (!is_up) {
        pthread_mutex_lock(&shared->lock);
        snprintf(shared->problem, sizeof(shared->problem), "%s", why);
        pthread_mutex_unlock(&shared->lock);
    }
    if (is_up && store->reported == REPORTED_DOWN)
        atomic_fetch_sub(&shared->workers_down, 1);
    else if (!is_up && store->reported != REPORTED_DOWN)
        atomic_fetch_add(&shared->workers_down, 1);
    if (store->reported == REPORTED_NOTHING)
        atomic_fetch_sub(&shared->workers_new, 1);
    store->reported = is_up ? REPORTED_UP : REPORTED_DOWN;
    say_state(shared);
}

void breaker_open(struct worker_store *store, enum breaker how, const char *why)
{
    if (store->breaker != BREAKER_SILENT)
        store->breaker = how;
    report(store, why);
}

static void breaker_close(struct worker_store *store)
{
    store->breaker = BREAKER_CLOSED;
    report(store, "");
    write_back(store);
}

static void on_probe(void *arg, const struct redisReply *reply)
{
    struct worker_store *store = arg;
    const struct clock *clock = store->shared->options.clock;
    struct slice text;

    store->is_probing = false;
    if (reply == NULL)
        return;
    enum redis_error error = redis_error(reply, &text);
    bool is_timely =
        clock->now_ms(clock) - store->probe_sent_ms <= store->shared->options.answer_ms;
    store->probe_with_text = error == REDIS_NOSCRIPT;
    if (error == REDIS_UNUSABLE)
        redis_renew(store->redis, text.ptr);
    else if (error == REDIS_NO_ERROR && is_timely)
        breaker_close(store);
    else if (error != REDIS_NO_ERROR)
        store->breaker = BREAKER_UNWILLING; /* it answers, at least */
}

static void probe(struct worker_store *store)
{
    const struct clock *clock = store->shared->options.clock;

    if (store->is_probing)
        return;
    redis_args_script(&store->args);
    redis_args_add(&store->args, SLICE("gh:schema"));
    redis_args_end_keys(&store->args);
    redis_args_add(&store->args, SLICE(STORE_REDIS_SCHEMA));
    store->probe_sent_ms = clock->now_ms(clock);
    store->is_probing = redis_send_script(store->redis, SCRIPT_PROBE, store->probe_with_text,
                                          &store->args, on_probe, store);
}

void note_error(struct worker_store *store, const struct redisReply *reply)
{
    struct slice text;
    char why[96];

    switch (redis_error(reply, &text)) {
    case REDIS_UNUSABLE:
        redis_renew(store->redis, text.ptr);
        break;
    case REDIS_UNWILLING:
        snprintf(why, sizeof(why), "%s", text.ptr);
        breaker_open(store, BREAKER_UNWILLING, why);
        break;
    case REDIS_MISTAKE:
        store_count(STORE_MISTAKES);
        log_once_per_change(&store->shared->mistake, 1, LOG_LEVEL_ERROR,
                            "store: redis answers: %.*s", SLICE_ARG(text));
        break;
    case REDIS_NO_ERROR:
        store_count(STORE_MISTAKES);
        log_once_per_change(&store->shared->mistake, 2, LOG_LEVEL_ERROR,
                            "store: redis gives an unexpected reply");
        break;
    case REDIS_NOSCRIPT:
        break;
    }
}

/* ---- the store ---- */

static void on_redis_changed(void *arg)
{
    struct worker_store *store = arg;

    store->is_probing = false;
    store->breaker = BREAKER_CLOSED;
    if (!redis_is_ready(store->redis)) {
        report(store, redis_problem(store->redis));
        return;
    }
    store_count(STORE_CONNECTS);
    report(store, "");
    pending_send_waiting(store);
    write_back(store);
}

/* Whether it has never been connected, for long enough to say so. */
static bool is_down_at_start(struct worker_store *store)
{
    uint64_t answer_ticks = store->shared->options.answer_ms / TICK_MS;

    return ++store->ticks_down >= TICKS_UNTIL_DOWN && store->ticks_down >= answer_ticks;
}

static void on_tick(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct worker_store *store = arg;

    if (store->reported != REPORTED_NOTHING)
        say_state(store->shared); /* what was held back, so as not to write too often */
    if (!redis_is_ready(store->redis)) {
        if (store->reported != REPORTED_NOTHING || is_down_at_start(store))
            report(store, redis_problem(store->redis));
        return;
    }
    if (store->breaker != BREAKER_CLOSED)
        probe(store);
    else
        write_back(store);
    redis_leases_renew(store);
    redis_log_send(store);
}

static void redis_store_status(const struct store *base, struct store_status *out)
{
    const struct worker_store *store = (const struct worker_store *)(const void *)base;
    struct store_redis *shared = store->shared;
    /* In this order: a worker that is found down is so before it is no longer new. */
    bool is_new = atomic_load(&shared->workers_new) > 0;
    bool is_down = atomic_load(&shared->workers_down) > 0;

    out->kind = "redis";
    out->state = !is_new && !is_down              ? STORE_UP
                 : shared->options.shadow == NULL ? STORE_DOWN
                                                  : STORE_DEGRADED;
    pthread_mutex_lock(&shared->lock);
    if (!is_down)
        snprintf(out->detail, sizeof(out->detail), "%s", is_new ? "connecting" : "connected");
    else
        snprintf(out->detail, sizeof(out->detail), "%s", shared->problem);
    pthread_mutex_unlock(&shared->lock);
}

static void redis_store_free(struct store *base)
{
    struct worker_store *store = of(base);

    if (store->tick != NULL)
        event_free(store->tick);
    redis_free(&store->redis); /* ends what is sent */
    pending_drop_all(store);
    if (store->reported == REPORTED_DOWN)
        atomic_fetch_sub(&store->shared->workers_down, 1);
    else if (store->reported == REPORTED_NOTHING)
        atomic_fetch_sub(&store->shared->workers_new, 1);
    redis_log_free(store);
    override_cache_free(&store->overrides);
    arena_free(&store->scratch);
    store_free(&store->local);
    free(store);
}

static const struct store_ops redis_ops = {
    .charge = redis_store_charge,
    .greylist = redis_store_greylist,
    .tx_write = redis_store_tx_write,
    .tx_read = redis_store_tx_read,
    .tx_update = redis_store_tx_update,
    .refund = redis_store_refund,
    .tx_find = redis_store_tx_find,
    .lease_open = redis_store_lease_open,
    .lease_close = redis_store_lease_close,
    .is_shared = true,
    .fetch = redis_store_fetch,
    .read = redis_store_read,
    .write = redis_store_write,
    .swap = redis_store_swap,
    .poll = redis_store_poll,
    .reset = redis_store_reset,
    .top = redis_store_top,
    .log_read = redis_store_log_read,
    .log = redis_store_log,
    .status = redis_store_status,
    .abandon = redis_store_abandon,
    .free = redis_store_free,
};

static bool prepare(struct worker_store *store)
{
    const struct store_redis_options *options = &store->shared->options;
    const struct timeval answer = { (time_t)(options->answer_ms / 1000),
                                    (suseconds_t)(options->answer_ms % 1000) * 1000 };
    const struct timeval tick = { 0, TICK_MS * 1000 };
    const struct redis_options redis_options = {
        .url = &options->url,
        .secrets = &options->secrets,
        .scripts = scripts,
        .script_count = SCRIPT_COUNT,
        .schema = STORE_REDIS_SCHEMA,
        .answer_ms = (unsigned)options->answer_ms,
        .changed = on_redis_changed,
        .arg = store,
    };

    store->answer_timeout = event_base_init_common_timeout(store->base, &answer);
    store->overrides = override_cache_new(OVERRIDES_MOST);
    store->scratch = arena_new(SCRATCH_MOST);
    store->tick = event_new(store->base, -1, EV_PERSIST, on_tick, store);
    if (options->shadow != NULL)
        store->local = store_memory_open(options->shadow);
    store->redis = redis_new(store->base, &redis_options);
    return store->answer_timeout != NULL && store->overrides != NULL && store->scratch != NULL &&
           store->tick != NULL && (options->shadow == NULL || store->local != NULL) &&
           store->redis != NULL && event_add(store->tick, &tick) == 0;
}

struct store *store_redis_open(struct store_redis *redis, struct event_base *base)
{
    struct worker_store *store = calloc(1, sizeof(*store));
    struct store *result;

    if (store == NULL)
        return NULL;
    store->store.ops = &redis_ops;
    store->shared = redis;
    atomic_fetch_add(&redis->workers_new, 1);
    store->base = base;
    TAILQ_INIT(&store->pending);
    STAILQ_INIT(&store->log);
    result = &store->store;
    if (!prepare(store))
        store_free(&result);
    return result;
}

static void process_name(char out[REDIS_PROCESS_LEN + 1])
{
    uint64_t number;

    random_bytes(&number, sizeof(number));
    snprintf(out, REDIS_PROCESS_LEN + 1, "%016" PRIx64, number);
}

struct store_redis *store_redis_new(const struct store_redis_options *options)
{
    struct store_redis *redis = calloc(1, sizeof(*redis));

    if (redis == NULL)
        return NULL;
    metrics_register(metrics, COUNT(metrics));
    redis->options = *options;
    if (redis->options.answer_ms == 0)
        redis->options.answer_ms = STORE_REDIS_ANSWER_MS;
    process_name(redis->process);
    if (pthread_mutex_init(&redis->lock, NULL) != 0) {
        free(redis);
        return NULL;
    }
    return redis;
}

void store_redis_free(struct store_redis **redis)
{
    if (*redis == NULL)
        return;
    pthread_mutex_destroy(&(*redis)->lock);
    explicit_bzero(&(*redis)->options.secrets, sizeof((*redis)->options.secrets));
    free(*redis);
    *redis = NULL;
}
