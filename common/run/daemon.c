/* common/run/daemon.c - the life of a daemon: see daemon.h for its order. */
#include "common/run/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/base/version.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/run/daemon_private.h"
#include "common/run/systemd.h"

enum { TICK_MS = 1000, DRAIN_CHECK_MS = 20, REASON_MAX = 256 };

enum { STARTED, GENERATION, OPEN, BUILD };
static struct metric metrics[] = {
    [STARTED] = METRIC("gatehouse_start_time_seconds", METRIC_GAUGE,
                       "When this process started, in seconds since 1970."),
    [GENERATION] = METRIC("gatehouse_configuration_generation", METRIC_GAUGE,
                          "Configurations put in force since the start, live changes too."),
    [OPEN] = METRIC("gatehouse_connections", METRIC_GAUGE, "Connections open now."),
    [BUILD] = METRIC_BY("gatehouse_build_info", METRIC_GAUGE, "Always 1.", "program", "version"),
};

/* ---- what the daemon's own code asks ---- */

void *daemon_state(const struct daemon *daemon)
{
    return daemon->state;
}

void daemon_set_state(struct daemon *daemon, void *state)
{
    daemon->state = state;
}

const struct clock *daemon_clock(const struct daemon *daemon)
{
    return daemon->clock;
}

struct worker *daemon_main_worker(const struct daemon *daemon)
{
    return daemon->main_worker;
}

size_t daemon_connections(const struct daemon *daemon)
{
    size_t all = 0;

    for (size_t i = 0; i < daemon->worker_count; i++)
        all += worker_connections(daemon->workers[i]);
    return all;
}

bool daemon_is_draining(const struct daemon *daemon)
{
    return atomic_load_explicit(&daemon->is_draining, memory_order_relaxed);
}

uint64_t daemon_started_ms(const struct daemon *daemon)
{
    return daemon->started_ms;
}

/* ---- is it well? ---- */

enum readiness daemon_readiness(struct daemon *daemon, struct buf *reason)
{
    if (daemon_is_draining(daemon)) {
        buf_put(reason, "ending");
        return READY_DOWN;
    }
    return daemon->spec->ready == NULL ? READY_OK : daemon->spec->ready(daemon, reason);
}

static void answer_ping(struct worker *worker, void *arg)
{
    struct worker_health *health = arg;
    const struct clock *clock = worker_clock(worker);

    atomic_store(&health->answered_ms, clock->now_ms(clock));
    atomic_store(&health->is_waiting, false);
}

static void ping_workers(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->worker_count; i++) {
        struct worker_health *health = &daemon->health[i];
        if (!atomic_exchange(&health->is_waiting, true) &&
            worker_post(daemon->workers[i], answer_ping, health))
            atomic_store(&health->is_waiting, false);
    }
}

bool daemon_is_alive(const struct daemon *daemon, uint64_t within_ms)
{
    uint64_t now = daemon->clock->now_ms(daemon->clock);

    for (size_t i = 0; i < daemon->worker_count; i++) {
        uint64_t answered = atomic_load(&daemon->health[i].answered_ms);
        if (now > answered && now - answered > within_ms)
            return false;
    }
    return true;
}

/* systemctl status shows it. */
static void say_readiness(struct daemon *daemon)
{
    static const char *const words[] = { "ready", "degraded", "down" };
    AUTO_BUF reason = BUF_INIT(REASON_MAX);
    enum readiness readiness = daemon_readiness(daemon, &reason);

    if (daemon->has_said_readiness && readiness == daemon->said_readiness)
        return;
    daemon->has_said_readiness = true;
    daemon->said_readiness = readiness;
    systemd_notify("STATUS=%s%s%s", words[readiness], reason.len > 0 ? ": " : "",
                   buf_text(&reason));
}

static void on_tick(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct daemon *daemon = arg;

    ping_workers(daemon);
    if (daemon->spec->tick != NULL)
        daemon->spec->tick(daemon);
    say_readiness(daemon);
}

/* A worker that hangs keeps us from saying so, and the service manager restarts us. */
static void on_watchdog(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct daemon *daemon = arg;

    if (daemon_is_alive(daemon, systemd_watchdog_ms() + TICK_MS))
        systemd_notify("WATCHDOG=1");
}

/* ---- signals ---- */

static void check_drained(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct daemon *daemon = arg;
    bool is_late = daemon->clock->now_ms(daemon->clock) >= daemon->drain_end_ms;

    if (!atomic_load(&daemon->accepts_no_more) && !is_late)
        return;
    size_t left = daemon_connections(daemon);
    if (left > 0 && !is_late)
        return;
    if (left > 0)
        log_warning("ending with %zu connections still busy", left);
    daemon->is_abandoned = left > 0 && daemon->spec->has_threads;
    event_del(daemon->drain_check);
    worker_stop(daemon->main_worker);
}

static void drain_worker(struct worker *worker, UNUSED void *arg)
{
    worker_daemon(worker)->spec->drain(worker);
}

/* On the accepting thread, so that each worker hears of it after its last connection. */
static void stop_accepting(UNUSED struct worker *worker, void *arg)
{
    struct daemon *daemon = arg;

    if (daemon->acceptor != NULL)
        acceptor_stop(daemon->acceptor);
    for (size_t i = 0; daemon->spec->drain != NULL && i < daemon->worker_count; i++)
        if (worker_post(daemon->workers[i], drain_worker, NULL))
            log_error("out of memory: a worker is ended without draining");
    atomic_store(&daemon->accepts_no_more, true);
}

static void on_end(int signal, UNUSED short what, void *arg)
{
    static const struct timeval interval = { 0, DRAIN_CHECK_MS * 1000 };
    struct daemon *daemon = arg;
    uint64_t most = daemon->spec->drain_ms > 0 ? daemon->spec->drain_ms : DRAIN_MS;

    if (daemon_is_draining(daemon))
        return;
    log_info("%s: finishing what is under way", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    systemd_notify("STOPPING=1\nSTATUS=finishing what is under way");
    atomic_store(&daemon->is_draining, true);
    daemon->drain_end_ms = daemon->clock->now_ms(daemon->clock) + most;
    if (daemon->accept_worker == NULL || worker_post(daemon->accept_worker, stop_accepting, daemon))
        atomic_store(&daemon->accepts_no_more, true);
    event_add(daemon->drain_check, &interval);
}

static void on_reload(UNUSED int signal, UNUSED short what, void *arg)
{
    struct daemon *daemon = arg;

    if (daemon_is_draining(daemon))
        return;
    systemd_notify_reloading(daemon->clock->now_ms(daemon->clock));
    log_reopen();
    daemon_reload(daemon, NULL);
    systemd_notify("READY=1");
}

static int add_timer(struct daemon *daemon, struct event **event, uint64_t ms, event_callback_fn fn)
{
    struct timeval space;

    *event = event_new(worker_base(daemon->main_worker), -1, EV_PERSIST, fn, daemon);
    if (*event == NULL)
        return -1;
    return ms == 0 ? 0 : event_add(*event, worker_timeout(daemon->main_worker, ms, &space));
}

static int add_events(struct daemon *daemon)
{
    static const struct {
        int signal;
        event_callback_fn fn;
    } signals[] = {
        { SIGTERM, on_end }, { SIGINT, on_end }, { SIGHUP, on_reload }, { SIGUSR1, on_reload }
    };
    static_assert(COUNT(signals) <= COUNT(((struct daemon *)0)->signals), "room for all");

    for (size_t i = 0; i < COUNT(signals); i++) {
        daemon->signals[i] = evsignal_new(worker_base(daemon->main_worker), signals[i].signal,
                                          signals[i].fn, daemon);
        if (daemon->signals[i] == NULL || evsignal_add(daemon->signals[i], NULL))
            return -1;
    }
    return add_timer(daemon, &daemon->tick, TICK_MS, on_tick) ||
                   add_timer(daemon, &daemon->drain_check, 0, check_drained) ||
                   add_timer(daemon, &daemon->watchdog, systemd_watchdog_ms() / 2, on_watchdog)
               ? -1
               : 0;
}

static void free_event(struct event **event)
{
    if (*event != NULL)
        event_free(*event);
    *event = NULL;
}

/* A signal that nobody handles kills the process. Blocked, one that asks for a reload waits for its handler: `how` is SIG_BLOCK
 * or SIG_UNBLOCK. */
static void mask_reload(int how)
{
    sigset_t ours;

    sigemptyset(&ours);
    sigaddset(&ours, SIGHUP);
    sigaddset(&ours, SIGUSR1);
    pthread_sigmask(how, &ours, NULL);
}

/* From here on there are no handlers any more, and the process is ending well: no signal is to kill it. */
static void block_signals(void)
{
    sigset_t ours;

    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ours, NULL);
    mask_reload(SIG_BLOCK);
}

static void free_events(struct daemon *daemon)
{
    block_signals();
    for (size_t i = 0; i < COUNT(daemon->signals); i++)
        free_event(&daemon->signals[i]);
    free_event(&daemon->tick);
    free_event(&daemon->drain_check);
    free_event(&daemon->watchdog);
}

/* ---- the main worker ---- */

/* Threads are busy with what needs the workers: they go with the process. */
static _Noreturn void abandon(struct daemon *daemon)
{
    daemon_sockets_close(daemon);
    log_info("ended");
    log_close();
    _exit(0);
}

static void stop_main(struct worker *worker)
{
    struct daemon *daemon = worker_daemon(worker);

    http_server_free(&daemon->http);
    if (daemon->is_abandoned)
        abandon(daemon);
    daemon_accepting_end(daemon);
    daemon_workers_stop(daemon);
    daemon_worker_stop(worker);
    free_events(daemon);
}

/* On the main worker, before its loop runs. */
static int start_main(struct worker *worker)
{
    struct daemon *daemon = worker_daemon(worker);

    if (daemon_worker_start(worker))
        return -1;
    if (daemon_workers_start(daemon) == 0 && add_events(daemon) == 0 &&
        daemon_accepting_start(daemon) == 0 && daemon_http_start(daemon) == 0) {
        mask_reload(SIG_UNBLOCK);
        systemd_notify("READY=1");
        log_echo_errors(false);
        log_info("version %s is ready, %zu workers", GATEHOUSE_VERSION, daemon->worker_count);
        return 0;
    }
    log_error("the daemon cannot start");
    stop_main(worker);
    return -1;
}

static const struct worker_hooks main_hooks = { start_main, stop_main };

/* ---- the process ---- */

static void log_from_libevent(int severity, const char *text)
{
    if (severity == EVENT_LOG_ERR)
        log_error("libevent: %s", text);
    else
        log_debug("libevent: %s", text);
}

static void prepare_process(void)
{
    struct rlimit files;

    signal(SIGPIPE, SIG_IGN);
    mask_reload(SIG_BLOCK); /* until start_main() has made handlers */
    event_set_log_callback(log_from_libevent);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int open_log(const struct daemon *daemon)
{
    const struct common_config *common = daemon_common(daemon);
    struct log_settings settings = { .identity = daemon->spec->program->name,
                                     .level = (enum log_level)common->log_level,
                                     .addresses = (enum log_addresses)common->log_addresses,
                                     .clock = daemon->clock };
    AUTO_BUF error = BUF_INIT(1024);
    const char *why = NULL;

    if (log_target_parse(common->log, &settings.target, &settings.path, &why) &&
        log_open(&settings, &error) == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", daemon->spec->program->name, why != NULL ? why : buf_text(&error));
    return -1;
}

/* The first configuration, with its mistakes on standard error. */
static int load_first(struct daemon *daemon)
{
    struct conf_errors *errors = conf_errors_new();
    AUTO_BUF report = BUF_INIT(1 << 20);

    if (errors == NULL)
        return EX_OSERR;
    struct loaded *loaded = loaded_new(daemon->spec, daemon->options, NULL, errors);
    conf_errors_print(errors, &report);
    conf_errors_free(&errors);
    fputs(buf_text(&report), stderr);
    if (loaded == NULL)
        return EX_OSERR;
    if (loaded->data == NULL) {
        loaded_free(&loaded);
        return EX_CONFIG;
    }
    return daemon_adopt(daemon, loaded) == 0 ? 0 : EX_OSERR;
}

static void set_gauges(void *arg)
{
    const struct daemon *daemon = arg;

    metric_set(metric_of(&metrics[OPEN]), (int64_t)daemon_connections(daemon));
    metric_set(metric_of(&metrics[GENERATION]), (int64_t)daemon->generation);
}

static void start_metrics(struct daemon *daemon)
{
    const struct slice build[] = { slice_of(daemon->spec->program->name),
                                   SLICE(GATEHOUSE_VERSION) };

    metrics_register(metrics, COUNT(metrics));
    metric_set(metric_of(&metrics[STARTED]), (int64_t)(daemon->started_ms / SECOND));
    metric_set(metric_series(&metrics[BUILD], build), 1);
    metrics_on_read(set_gauges, daemon);
}

/* With the configuration loaded and the log open: everything else. */
static int serve(struct daemon *daemon)
{
    int status = EX_OSERR;

    log_echo_errors(true); /* somebody may be watching it start */
    start_metrics(daemon);
    if (daemon_sockets_open(daemon) == 0 && daemon_workers_make(daemon, &main_hooks) == 0 &&
        (daemon->spec->start == NULL || daemon->spec->start(daemon) == 0)) {
        status = worker_run(daemon->main_worker) == 0 ? 0 : EX_OSERR;
        if (daemon->spec->stop != NULL)
            daemon->spec->stop(daemon);
    }
    metrics_forget_on_read(set_gauges, daemon);
    daemon_workers_free(daemon);
    daemon_sockets_close(daemon);
    return status;
}

int daemon_main(const struct daemon_spec *spec, int argc, char **argv)
{
    struct daemon_options options;
    struct daemon daemon = { .spec = spec, .options = &options, .clock = &clock_system };

    if (!daemon_options_parse(spec, argc, argv, &options))
        return EX_USAGE;
    if (options.command != COMMAND_RUN)
        return daemon_options_answer(spec, &options);
    prepare_process();
    daemon.started_ms = daemon.clock->wall_ms(daemon.clock);
    int status = load_first(&daemon);
    if (status == 0 && open_log(&daemon))
        status = EX_OSERR;
    else if (status == 0) {
        status = serve(&daemon);
        log_info("ended");
        log_close();
    }
    snapshot_unref(&daemon.snapshot);
    snapshot_unref(&daemon.file_snapshot);
    return status;
}
