/* common/milter/milter.c - the life of the milter in its daemon: see milter.h.
 *
 * libmilter runs on a thread of its own, accepts, and calls back on threads of its pool. It cannot be stopped well: its
 * smfi_stop() lets go of messages that are under way. So it never is. To drain, its listening descriptor is replaced by
 * one that nobody can connect to, messages under way are counted by us (admission.h) and finished, new ones deferred, and
 * then the process ends with libmilter's threads idle.
 *
 * libmilter also waits for SIGHUP, SIGTERM and SIGINT, in a thread of its own (sigwait). The main thread handles these
 * signals and has them unblocked; the kernel gives a signal of the process to the main thread when that can take it, so
 * libmilter sees none. Should it ever get one, because another signal is just being delivered, smfi_main() returns and
 * that is taken as SIGTERM. */
#include "common/milter/milter.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/milter/callbacks.h"
#include "common/observe/log.h"

#define MILTER_DRAIN_MS (25 * SECOND)
/* libmilter writes the last word on a message when the callback has returned, and tells nobody that it has. Who ends before
 * that makes the MTA defer a message of which copies are kept and sent. */
#define LAST_WORD_MS 100

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
};
static struct metric metrics[] = {
    [SESSIONS] =
        METRIC("gatehouse_milter_sessions_total", METRIC_COUNTER, "Connections of the MTA."),
    [MESSAGES] = METRIC("gatehouse_milter_messages_total", METRIC_COUNTER, "Messages begun."),
    [IN_FLIGHT] = METRIC("gatehouse_milter_messages_in_flight", METRIC_GAUGE,
                         "Messages begun and not yet ended."),
    [RESULTS] = METRIC_BY("gatehouse_milter_results_total", METRIC_COUNTER,
                          "Messages by how they ended: accept, reject, tempfail, discard, abort.",
                          "result"),
    [REFUSED] = METRIC_BY("gatehouse_milter_refused_total", METRIC_COUNTER,
                          "Messages refused or deferred by the milter itself: for max_sessions, "
                          "because it is ending, or because they are too large.",
                          "for"),
    [UNSCANNED] = METRIC("gatehouse_milter_unscanned_total", METRIC_COUNTER,
                         "Messages accepted as they are because of max_sessions."),
    [EDITS] = METRIC("gatehouse_milter_edits_total", METRIC_COUNTER,
                     "Changes of messages that were carried out."),
    [EDITS_FAILED] = METRIC("gatehouse_milter_edits_failed_total", METRIC_COUNTER,
                            "Changes that the MTA did not take; the message was deferred."),
    [SPOOL_ERRORS] = METRIC("gatehouse_milter_spool_errors_total", METRIC_COUNTER,
                            "Messages deferred for lack of memory or disk."),
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
        .unscanned = metric_of(&metrics[UNSCANNED]),
        .refused_sessions = series(REFUSED, "max_sessions"),
        .refused_ending = series(REFUSED, "ending"),
        .refused_bounds = series(REFUSED, "size"),
        .accepted = series(RESULTS, "accept"),
        .rejected = series(RESULTS, "reject"),
        .tempfailed = series(RESULTS, "tempfail"),
        .discarded = series(RESULTS, "discard"),
        .aborted = series(RESULTS, "abort"),
    };
}

/* ---- the one milter of the process; lives as long as it does ---- */

static struct milter_shared shared;
static struct daemon *owner;
static int listen_fd = -1; /* libmilter's own copy */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* for these */
static struct milter_settings current;
static char *directory; /* of current.spool_directory */

static struct worker *choose_worker(void)
{
    return daemon_choose_worker(owner);
}

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

int milter_setup(struct daemon *daemon, const char *name, const struct milter_hooks *hooks,
                 uint64_t idle_timeout_ms)
{
    owner = daemon;
    shared.hooks = hooks;
    shared.choose_worker = choose_worker;
    shared.settings = copy_settings;
    shared.admission = admission_new();
    milter_metrics_register(&shared.metrics);
    if (shared.admission != NULL && callbacks_register(&shared, name, idle_timeout_ms) == 0)
        return 0;
    log_error("the milter library cannot be set up");
    return -1;
}

/* ---- serving ---- */

static void take_signal(UNUSED struct worker *worker, UNUSED void *arg)
{
    daemon_end(owner, 0);
}

static void take_failure(UNUSED struct worker *worker, UNUSED void *arg)
{
    log_error("the milter library has given up; its reason is in the system log");
    daemon_end(owner, EX_OSERR);
}

static void *serve(UNUSED void *arg)
{
    pthread_setname_np(pthread_self(), "milter");
    int rc = callbacks_serve();
    worker_post(daemon_main_worker(owner), rc == 0 ? take_signal : take_failure, NULL);
    return NULL;
}

static int start_thread(void)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, serve, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_detach(thread);
    return rc == 0 ? 0 : -1;
}

static int server_start(UNUSED struct daemon *daemon, int fd)
{
    listen_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (listen_fd >= 0 && callbacks_listen(listen_fd) == 0 && start_thread() == 0)
        return 0;
    log_error("the milter cannot listen; the reason is in the system log");
    return -1;
}

/* A listening socket without a name that anybody knows takes the place of the one that libmilter polls. */
static void server_drain(UNUSED struct daemon *daemon)
{
    struct sockaddr unnamed = { .sa_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    admission_close(shared.admission);
    if (fd < 0 || bind(fd, &unnamed, sizeof unnamed.sa_family) < 0 || listen(fd, 1) < 0 ||
        dup3(fd, listen_fd, O_CLOEXEC) < 0)
        log_error("the milter goes on accepting connections until it has ended");
    if (fd >= 0)
        close(fd);
}

static size_t server_busy(UNUSED struct daemon *daemon)
{
    size_t count = admission_count(shared.admission);

    return count > 0 || admission_is_quiet(shared.admission, LAST_WORD_MS) ? count : 1;
}

static void server_stop(UNUSED struct daemon *daemon)
{
    callbacks_stop();
}

const struct daemon_server milter_server = {
    .start = server_start,
    .drain = server_drain,
    .busy = server_busy,
    .stop = server_stop,
    .drain_ms = MILTER_DRAIN_MS,
};
