/* common/milter/milter.c - the one milter of the process: settings, metrics, the connections of each worker. See milter.h. */
#include "common/milter/milter.h"

#include <assert.h>
#include <pthread.h>

#include "common/milter/milter_private.h"
#include "common/observe/log.h"

/* Each message may keep one waiting, and each newcomer over max_sessions. */
enum { THREADS_MAX = 20000, WORKERS_MAX = 256 };

enum {
    SESSIONS,
    MESSAGES,
    IN_FLIGHT,
    RESULTS,
    REFUSED,
    UNSCANNED,
    EDITS,
    EDITS_FAILED,
    SPOOL_ERRORS,
    THREADS,
    BAD_PACKETS,
};
static struct metric metrics[] = {
    [SESSIONS] =
        METRIC("gatehouse_milter_sessions_total", METRIC_COUNTER, "Connections of the MTA."),
    [MESSAGES] = METRIC("gatehouse_milter_messages_total", METRIC_COUNTER, "Messages begun."),
    [IN_FLIGHT] = METRIC("gatehouse_milter_messages_in_flight", METRIC_GAUGE,
                         "Messages begun and not yet ended."),
    [RESULTS] = METRIC_BY("gatehouse_milter_results_total", METRIC_COUNTER,
                          "Messages by how they ended: accept, reject, tempfail, discard; "
                          "abort: the MTA has not got an answer.",
                          "result"),
    [REFUSED] = METRIC_BY(
        "gatehouse_milter_refused_total", METRIC_COUNTER,
        "Messages refused or deferred by the milter itself: for max_sessions, "
        "for want of file descriptors, because it is ending, or because they are too large.",
        "for"),
    [UNSCANNED] = METRIC("gatehouse_milter_unscanned_total", METRIC_COUNTER,
                         "Messages accepted as they are because of max_sessions."),
    [EDITS] = METRIC("gatehouse_milter_edits_total", METRIC_COUNTER,
                     "Changes of messages that were carried out."),
    [EDITS_FAILED] = METRIC("gatehouse_milter_edits_failed_total", METRIC_COUNTER,
                            "Changes that the MTA did not take; the message was deferred."),
    [SPOOL_ERRORS] = METRIC("gatehouse_milter_spool_errors_total", METRIC_COUNTER,
                            "Messages deferred for lack of memory or disk."),
    [THREADS] = METRIC("gatehouse_milter_threads", METRIC_GAUGE,
                       "Threads for what a message has to wait for."),
    [BAD_PACKETS] = METRIC("gatehouse_milter_bad_packets_total", METRIC_COUNTER,
                           "Connections closed because what came was not the milter protocol."),
};

static metric_id series(int metric, const char *label)
{
    struct slice value = slice_of(label);

    return metric_series(&metrics[metric], &value);
}

void milter_metrics_register(struct milter_metrics *out)
{
    metrics_register(metrics, COUNT(metrics));
    *out = (struct milter_metrics){
        .sessions = metric_of(&metrics[SESSIONS]),
        .messages = metric_of(&metrics[MESSAGES]),
        .in_flight = metric_of(&metrics[IN_FLIGHT]),
        .edits = metric_of(&metrics[EDITS]),
        .edits_failed = metric_of(&metrics[EDITS_FAILED]),
        .spool_errors = metric_of(&metrics[SPOOL_ERRORS]),
        .bad_packets = metric_of(&metrics[BAD_PACKETS]),
        .unscanned = metric_of(&metrics[UNSCANNED]),
        .refused_sessions = series(REFUSED, "max_sessions"),
        .refused_descriptors = series(REFUSED, "descriptors"),
        .refused_ending = series(REFUSED, "ending"),
        .refused_bounds = series(REFUSED, "size"),
        .accepted = series(RESULTS, "accept"),
        .rejected = series(RESULTS, "reject"),
        .tempfailed = series(RESULTS, "tempfail"),
        .discarded = series(RESULTS, "discard"),
        .aborted = series(RESULTS, "abort"),
    };
}

/* ---- what all connections share ---- */

static struct milter_shared shared;
static struct connections connections[WORKERS_MAX]; /* by the worker's id; its own */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* for these */
static struct milter_settings current;
static char *directory; /* of current.spool_directory */

static int copy_settings(struct arena *arena, struct milter_settings *out)
{
    pthread_mutex_lock(&mutex);
    *out = current;
    out->spool_directory = arena_copy(arena, current.spool_directory);
    pthread_mutex_unlock(&mutex);
    return out->spool_directory.ptr == NULL ? -1 : 0;
}

void milter_configure(const struct milter_settings *settings)
{
    char *copy = strndup(settings->spool_directory.ptr, settings->spool_directory.len);

    if (copy == NULL) {
        log_error("out of memory: the milter keeps the settings it has");
        return;
    }
    pthread_mutex_lock(&mutex);
    free(directory);
    directory = copy;
    current = *settings;
    current.spool_directory = slice_of(directory);
    pthread_mutex_unlock(&mutex);
}

static void count_threads(UNUSED void *arg)
{
    metric_set(metric_of(&metrics[THREADS]), (int64_t)pool_threads(shared.pool));
}

int milter_setup(struct daemon *daemon, const struct milter_hooks *hooks, uint64_t idle_timeout_ms)
{
    shared = (struct milter_shared){
        .hooks = hooks,
        .admission = admission_new(),
        .pool = pool_new("milter", THREADS_MAX),
        .idle_timeout_ms = idle_timeout_ms,
        .max_connections = daemon == NULL ? 0 : daemon_common(daemon)->max_connections,
        .settings = copy_settings,
    };
    milter_metrics_register(&shared.metrics);
    if (shared.admission != NULL && shared.pool != NULL) {
        metrics_on_read(count_threads, NULL);
        return 0;
    }
    log_error("out of memory: there is no milter");
    milter_end();
    return -1;
}

void milter_end(void)
{
    metrics_forget_on_read(count_threads, NULL);
    pool_free(&shared.pool);
    admission_free(&shared.admission);
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        free(connections[i].space);
        connections[i].space = NULL;
    }
    free(directory);
    directory = NULL;
}

/* ---- the connections of a worker ---- */

static struct connections *connections_of(struct worker *worker)
{
    assert(worker_id(worker) < WORKERS_MAX);
    return &connections[worker_id(worker)];
}

void milter_accept(struct worker *worker, int fd, UNUSED unsigned listener)
{
    struct connections *own = connections_of(worker);

    if (own->worker != worker) {
        *own = (struct connections){ .shared = &shared, .worker = worker };
        worker_common_timeout(worker, shared.idle_timeout_ms);
    }
    connection_open(own, fd);
}

void milter_drain(struct worker *worker)
{
    struct connections *own = connections_of(worker);
    struct connection *next;

    admission_close(shared.admission);
    own->is_draining = true;
    for (struct connection *one = own->first; one != NULL; one = next) {
        next = connection_next(one);
        connection_drain(one);
    }
}
