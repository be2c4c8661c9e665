/* signd/server.c - see server.h. */
#include "signd/server.h"

#include <unistd.h>

#include "common/observe/log.h"
#include "common/policy/resources.h"
#include "signd/control.h"
#include "signd/explain.h"
#include "signd/intake.h"
#include "signd/manual.h"

static struct server *server_of(const struct worker *worker)
{
    return worker_state(worker);
}

static struct signd *signd_of(const struct daemon *daemon)
{
    return daemon_state(daemon);
}

static const struct signd_config *config_of(const struct snapshot *snapshot)
{
    const struct setup *setup = snapshot_data(snapshot);

    return setup->parts.config;
}

/* Of one message: its body, and DNS questions for some signatures at the same time. */
enum { MESSAGE_DESCRIPTORS = 6 };

/* ---- what is shared ---- */

static void signd_stop(struct daemon *daemon)
{
    struct signd *signd = signd_of(daemon);

    milter_end();
    if (signd == NULL)
        return;
    key_shelf_free(&signd->shelf);
    key_states_free(&signd->states);
    verifier_free(&signd->verifier);
    milter_service_stop(&signd->service);
    free(signd);
    daemon_set_state(daemon, NULL);
}

static const struct service_spec service_spec = { &signd_kind, &signd_control };

static int signd_start(struct daemon *daemon)
{
    const struct signd_config *config = config_of(daemon_snapshot(daemon));
    const struct key_shelf_spec shelf = { .rules = { .uid = geteuid(), .gid = getegid() },
                                          .clock = daemon_clock(daemon) };
    struct signd *signd = calloc(1, sizeof *signd);

    if (signd == NULL)
        return -1;
    daemon_set_state(daemon, signd);
    signd_metrics_register(&signd->metrics);
    gethostname(signd->hostname, SIGND_HOSTNAME_MAX);
    signd->verifier = verifier_new();
    signd->shelf = key_shelf_new(&shelf);
    signd->states = key_states_new(config->key_state_file.ptr);
    if (milter_service_start(&signd->service, &service_spec, daemon, &intake_hooks, &config->milter,
                             MESSAGE_DESCRIPTORS) ||
        signd->verifier == NULL || signd->shelf == NULL || signd->states == NULL) {
        signd_stop(daemon);
        return -1;
    }
    key_shelf_read(signd->shelf, config->key_directory.ptr);
    return 0;
}

void signd_keys_take(struct signd *signd, struct shared **keys, struct shared **states)
{
    *states = key_states_take(signd->states); /* first: files come into force before states */
    *keys = key_shelf_take(signd->shelf);
}

/* ---- the keys; main thread ---- */

static void look_at_records(struct signd *signd, const struct signd_config *config,
                            struct shared *files)
{
    struct shared *lives = key_states_take(signd->states);
    const struct key_watch_input input = { .files = files,
                                           .lives = lives,
                                           .interval_ms = config->key_watch_interval,
                                           .dns_timeout_ms = config->dns.timeout };

    key_watch_run(signd->watch, &input);
    shared_unref(&lives);
}

/* What may have changed: the files, what the store says, records of keys in use. */
static void look_at_states(struct daemon *daemon)
{
    struct signd *signd = signd_of(daemon);
    const struct setup *setup = snapshot_data(daemon_snapshot(daemon));
    struct shared *files = key_shelf_take(signd->shelf);
    const struct key_states_input input = { .files = files,
                                            .said = setup->parts.lives,
                                            .said_number = setup->parts.lives_number,
                                            .reads = live_reads(signd->service.service.live) };

    if (key_states_look(signd->states, &input))
        live_again(signd->service.service.live, SLICE(SETUP_LIVES_KEY));
    look_at_records(signd, setup->parts.config, files);
    shared_unref(&files);
    bool are_lost = key_states_are_lost(signd->states);
    if (are_lost && !signd->states_were_lost) /* if that fails, again when its time has come */
        event_active(signd->cycle_timer, EV_TIMEOUT, 0);
    signd->states_were_lost = are_lost;
}

static void shelf_due(UNUSED evutil_socket_t fd, UNUSED short events, void *arg)
{
    struct daemon *daemon = arg;

    key_shelf_read(signd_of(daemon)->shelf, config_of(daemon_snapshot(daemon))->key_directory.ptr);
    look_at_states(daemon);
}

/* key_check_interval after the last time. */
static void cycle_later(struct signd *signd, const struct signd_config *config)
{
    const struct timeval wait = { (time_t)(config->key_check_interval / SECOND),
                                  (suseconds_t)(config->key_check_interval % SECOND * 1000) };

    event_add(signd->cycle_timer, &wait);
}

static void cycle_due(UNUSED evutil_socket_t fd, UNUSED short events, void *arg)
{
    struct daemon *daemon = arg;
    struct signd *signd = signd_of(daemon);
    const struct setup *setup = snapshot_data(daemon_snapshot(daemon));
    const struct signd_config *config = setup->parts.config;
    struct shared *files = key_shelf_take(signd->shelf), *lives = key_states_take(signd->states);
    const struct key_cycle_input input = {
        .files = files,
        .lives = lives,
        .is_lost = key_states_are_lost(signd->states),
        .rotation = { .activate_after_s = config->key_activate_after / SECOND,
                      .retire_after_s = config->key_retire_after / SECOND },
        .dns_timeout_ms = config->dns.timeout,
    };

    key_cycle_run(signd->cycle, &input);
    shared_unref(&files);
    shared_unref(&lives);
    cycle_later(signd, config);
}

static bool watch_keys(struct signd *signd, struct server *server)
{
    const struct timeval period = { 0, KEY_SHELF_MS * 1000 };
    const struct signd_config *config = config_of(worker_snapshot(server->worker));
    const struct key_cycle_spec spec = { .worker = server->worker,
                                         .store = server->store,
                                         .resolvers = &config->common.resolver };
    const struct key_watch_spec watch = { .worker = server->worker,
                                          .clock = worker_clock(server->worker),
                                          .resolvers = &config->common.resolver };
    struct event_base *base = worker_base(server->worker);
    struct daemon *daemon = worker_daemon(server->worker);

    signd->shelf_timer = event_new(base, -1, EV_PERSIST, shelf_due, daemon);
    signd->cycle_timer = event_new(base, -1, 0, cycle_due, daemon);
    signd->cycle = key_cycle_new(&spec);
    signd->watch = key_watch_new(&watch);
    if (signd->shelf_timer == NULL || signd->cycle_timer == NULL || signd->cycle == NULL ||
        signd->watch == NULL || event_add(signd->shelf_timer, &period) != 0)
        return false;
    cycle_later(signd, config);
    look_at_states(daemon);
    return true;
}

static void free_timer(struct event **timer)
{
    if (*timer != NULL)
        event_free(*timer);
    *timer = NULL;
}

/* ---- what each worker has ---- */

static void unwatch_keys(struct signd *signd)
{
    free_timer(&signd->shelf_timer);
    free_timer(&signd->cycle_timer);
    key_cycle_free(&signd->cycle);
    key_watch_free(&signd->watch);
}

static void server_stop(struct worker *worker)
{
    struct server *server = server_of(worker);

    if (server == NULL)
        return;
    if (worker_id(worker) == 0)
        explainer_free(&server->signd->explainer); /* what is under way ends first */
    record_teller_stop(&server->teller);
    if (worker_id(worker) == 0)
        unwatch_keys(server->signd);
    dns_free(&server->dns);
    service_worker_stop(worker, &server->store);
    free(server);
    worker_set_state(worker, NULL);
}

static int server_start(struct worker *worker)
{
    struct daemon *daemon = worker_daemon(worker);
    const struct signd_config *config = config_of(worker_snapshot(worker));
    struct signd *signd = signd_of(daemon);
    struct server *server = calloc(1, sizeof *server);

    if (server == NULL)
        return -1;
    server->worker = worker;
    server->signd = signd;
    worker_set_state(worker, server);
    server->store = service_worker_start(worker, server);
    server->dns = resources_dns(worker, &config->common, &config->dns);
    server->teller = (struct record_teller){ .store = server->store,
                                             .refunds = signd->metrics.refunds,
                                             .refunds_failed = signd->metrics.refunds_failed };
    if (worker_id(worker) == 0)
        signd->explainer = explainer_new(worker, signd_explain, signd);
    if (server->store != NULL && server->dns != NULL &&
        (worker_id(worker) != 0 || (signd->explainer != NULL && watch_keys(signd, server))))
        return 0;
    log_error("worker %u cannot be started", worker_id(worker));
    server_stop(worker);
    return -1;
}

static void server_apply(struct worker *worker)
{
    if (worker_id(worker) != 0)
        return;
    milter_service_apply(worker, &config_of(worker_snapshot(worker))->milter, MESSAGE_DESCRIPTORS);
    look_at_states(worker_daemon(worker));
}

/* ---- the daemon ---- */

static enum readiness signd_ready(struct daemon *daemon, struct buf *reason)
{
    struct shared *keys = key_shelf_take(signd_of(daemon)->shelf);
    const struct key_set *set = shared_get(keys);
    bool is_readable = set != NULL && key_set_error(set)[0] == '\0';
    const char *unsaved = key_states_error(signd_of(daemon)->states);

    if (is_readable && unsaved != NULL)
        buf_printf(reason, "%s", unsaved);
    if (!is_readable)
        buf_printf(reason, "key_directory: %s", set == NULL ? "not read" : key_set_error(set));
    shared_unref(&keys);
    return is_readable && unsaved == NULL ? service_ready(daemon, reason) : READY_DEGRADED;
}

const struct daemon_spec signd_spec = {
    .program = &signd_program,
    .config_path = "/etc/gatehouse/signd.conf",
    .common_offset = offsetof(struct signd_config, common),
    .load = setup_load,
    .unload = setup_free,
    .start = signd_start,
    .stop = signd_stop,
    .worker_start = server_start,
    .worker_stop = server_stop,
    .apply = server_apply,
    .accept = milter_accept,
    .drain = milter_drain,
    .drain_ms = MILTER_DRAIN_MS,
    .has_threads = true,
    .tick = service_tick,
    .ready = signd_ready,
    .routes = service_routes,
    .route_count = SERVICE_ROUTES,
    .http_body_max = EXPLAIN_BODY_MAX,
};
