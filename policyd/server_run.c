/* policyd/server_run.c - see server_run.h. */
#include "policyd/server_run.h"

#include "common/net/dns.h"
#include "common/observe/log.h"
#include "policyd/control.h"
#include "policyd/inquiry.h"
#include "policyd/live.h"
#include "policyd/manual.h"
#include "policyd/session.h"

/* Answers remembered for 60 s, connections and messages for 10 minutes: about 100 bytes each when in use. */
enum { ANSWERS_MAX = 1 << 17, SEEN_MAX = 1 << 18 };

static struct server *server_of(const struct worker *worker)
{
    return worker_state(worker);
}

static struct policyd *policyd_of(const struct daemon *daemon)
{
    return daemon_state(daemon);
}

/* ---- what is shared ---- */

static void policyd_stop(struct daemon *daemon)
{
    struct policyd *policyd = policyd_of(daemon);

    if (policyd == NULL)
        return;
    answers_free(&policyd->answers);
    seen_free(&policyd->seen);
    service_stop(&policyd->service);
    free(policyd);
    daemon_set_state(daemon, NULL);
}

static const struct service_spec service_spec = { &policyd_kind, &policyd_control };

static int policyd_start(struct daemon *daemon)
{
    struct policyd *policyd = calloc(1, sizeof *policyd);

    if (policyd == NULL)
        return -1;
    daemon_set_state(daemon, policyd);
    policy_metrics_register(&policyd->metrics);
    policyd->answers = answers_new(ANSWERS_MAX);
    policyd->seen = seen_new(SEEN_MAX);
    if (policyd->answers == NULL || policyd->seen == NULL)
        log_error("out of memory: answers cannot be remembered");
    else if (service_start(&policyd->service, &service_spec, daemon) == 0)
        return 0;
    policyd_stop(daemon);
    return -1;
}

/* ---- what each worker has ---- */

static void server_stop(struct worker *worker)
{
    struct server *server = server_of(worker);

    if (server == NULL)
        return;
    sessions_close(server);
    inquiries_free(server);
    dns_free(&server->dns);
    service_worker_stop(worker, &server->store);
    worker_set_state(worker, NULL);
    free(server);
}

static int server_start(struct worker *worker)
{
    struct server *server = calloc(1, sizeof *server);
    const struct policy *policy = snapshot_data(worker_snapshot(worker));
    const struct policyd_config *config = policy->parts.config;

    if (server == NULL)
        return -1;
    server->worker = worker;
    server->policyd = policyd_of(worker_daemon(worker));
    worker_set_state(worker, server);
    worker_common_timeout(worker, config->idle_timeout);
    worker_common_timeout(worker, config->request_timeout);
    worker_common_timeout(worker, config->common.budget);
    server->store = service_worker_start(worker, server);
    server->dns = resources_dns(worker, &config->common, &config->dns);
    if (server->store != NULL && server->dns != NULL && sessions_open(server))
        return 0;
    log_error("worker %u cannot be started", worker_id(worker));
    server_stop(worker);
    return -1;
}

static void server_accept(struct worker *worker, int fd, UNUSED unsigned listener)
{
    session_start(server_of(worker), fd);
}

static void server_drain(struct worker *worker)
{
    sessions_drain(server_of(worker));
}

/* ---- the daemon ---- */

static void policyd_tick(struct daemon *daemon)
{
    policyd_check_geoip(snapshot_data(daemon_snapshot(daemon)));
    service_tick(daemon);
}

const struct daemon_spec policyd_spec = {
    .program = &policyd_program,
    .config_path = "/etc/gatehouse/policyd.conf",
    .common_offset = offsetof(struct policyd_config, common),
    .load = policy_load,
    .unload = policy_free,
    .start = policyd_start,
    .stop = policyd_stop,
    .worker_start = server_start,
    .worker_stop = server_stop,
    .apply = service_apply,
    .accept = server_accept,
    .drain = server_drain,
    .tick = policyd_tick,
    .ready = service_ready,
    .routes = service_routes,
    .route_count = SERVICE_ROUTES,
};
