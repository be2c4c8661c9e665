/* contentd/server.c - see server.h. */
#include "contentd/server.h"

#include "common/observe/log.h"
#include "contentd/control.h"
#include "contentd/explain.h"
#include "contentd/intake.h"
#include "contentd/manual.h"
#include "contentd/places.h"
#include "contentd/quarantine/control.h"

enum { OPEN_ERROR_MAX = 400 };

static struct server *server_of(const struct worker *worker)
{
    return worker_state(worker);
}

static struct contentd *contentd_of(const struct daemon *daemon)
{
    return daemon_state(daemon);
}

/* ---- the configuration ---- */

/* Of one message: scanners, its body, a copy that is kept, and the next address of a scanner that did not answer. */
static size_t descriptors_each(const struct contentd_config *config)
{
    return config->scan.scanner_count + 3;
}

/* ---- what is shared ---- */

static void contentd_stop(struct daemon *daemon)
{
    struct contentd *contentd = contentd_of(daemon);

    milter_end();
    if (contentd == NULL)
        return;
    places_close(&contentd->opener);
    release_free(&contentd->release);
    milter_service_stop(&contentd->service);
    free(contentd);
    daemon_set_state(daemon, NULL);
}

static int open_release(struct contentd *contentd, const struct contentd_config *config)
{
    AUTO_BUF error = BUF_INIT(OPEN_ERROR_MAX);

    if (config->release.len == 0)
        return 0;
    contentd->release = release_new(config->release, config->myhostname, &error);
    if (contentd->release == NULL)
        log_error("release: %s", buf_text(&error));
    return contentd->release == NULL ? -1 : 0;
}

static bool start_keeper(struct contentd *contentd, struct worker *worker)
{
    contentd->keeper = keeper_new(worker, contentd->places.quarantine, contentd->release);
    if (contentd->keeper == NULL)
        log_error("out of memory: nobody looks after the quarantine");
    return contentd->keeper != NULL;
}

static void adjust_quarantine(struct contentd *contentd, const struct worker *worker)
{
    const struct setup *setup = snapshot_data(worker_snapshot(worker));
    const struct quarantine_settings settings = places_quarantine_settings(setup->parts.config);

    quarantine_adjust(contentd->places.quarantine, &settings);
}

/* Later than at the start, so there may have been a reload meanwhile: what it has changed is not known there yet. */
static void quarantine_opened(struct worker *worker, void *arg)
{
    struct contentd *contentd = arg;

    adjust_quarantine(contentd, worker);
    if (contentd->keeper == NULL)
        start_keeper(contentd, worker);
}

/* A directory that cannot be used is no reason not to look at mail. */
static int open_places(struct contentd *contentd, struct daemon *daemon)
{
    const struct setup *setup = snapshot_data(daemon_snapshot(daemon));
    const struct places_spec spec = { .snapshot = daemon_snapshot(daemon),
                                      .config = setup->parts.config,
                                      .clock = daemon_clock(daemon),
                                      .release = contentd->release,
                                      .places = &contentd->places,
                                      .main = daemon_main_worker(daemon),
                                      .opened = quarantine_opened,
                                      .arg = contentd };

    contentd->opener = places_open(&spec);
    return contentd->opener == NULL ? -1 : 0;
}

static const struct service_spec service_spec = { &contentd_kind, &contentd_control };

static int contentd_start(struct daemon *daemon)
{
    const struct setup *setup = snapshot_data(daemon_snapshot(daemon));
    const struct contentd_config *config = setup->parts.config;
    struct contentd *contentd = calloc(1, sizeof *contentd);

    if (contentd == NULL)
        return -1;
    daemon_set_state(daemon, contentd);
    contentd_metrics_register(&contentd->metrics);
    if (milter_service_start(&contentd->service, &service_spec, daemon, &intake_hooks,
                             &config->milter, descriptors_each(config)) ||
        open_release(contentd, config) || open_places(contentd, daemon)) {
        contentd_stop(daemon);
        return -1;
    }
    return 0;
}

/* ---- what each worker has ---- */

static void server_stop(struct worker *worker)
{
    struct server *server = server_of(worker);

    if (server == NULL)
        return;
    if (worker_id(worker) == 0)
        explainer_free(&server->contentd->explainer); /* what is under way ends first */
    record_teller_stop(&server->teller);
    if (worker_id(worker) == 0)
        keeper_free(&server->contentd->keeper);
    service_worker_stop(worker, &server->store);
    free(server);
    worker_set_state(worker, NULL);
}

static bool main_start(struct contentd *contentd, struct worker *worker)
{
    contentd->explainer = explainer_new(worker, contentd_explain, contentd);
    if (contentd->explainer == NULL)
        log_error("out of memory: nothing can be explained");
    return contentd->explainer != NULL &&
           (contentd->places.quarantine == NULL || start_keeper(contentd, worker));
}

static int server_start(struct worker *worker)
{
    struct contentd *contentd = contentd_of(worker_daemon(worker));
    struct server *server = calloc(1, sizeof *server);

    if (server == NULL)
        return -1;
    server->worker = worker;
    server->contentd = contentd;
    worker_set_state(worker, server);
    server->store = service_worker_start(worker, server);
    server->teller = (struct record_teller){ .store = server->store,
                                             .refunds = contentd->metrics.refunds,
                                             .refunds_failed = contentd->metrics.refunds_failed };
    if (server->store != NULL && (worker_id(worker) != 0 || main_start(contentd, worker)))
        return 0;
    server_stop(worker);
    return -1;
}

static void server_apply(struct worker *worker)
{
    struct contentd *contentd = server_of(worker)->contentd;
    const struct setup *setup = snapshot_data(worker_snapshot(worker));

    if (worker_id(worker) != 0)
        return;
    milter_service_apply(worker, &setup->parts.config->milter,
                         descriptors_each(setup->parts.config));
    if (contentd->places.quarantine != NULL)
        adjust_quarantine(contentd, worker);
}

/* ---- the daemon ---- */

static enum readiness contentd_ready(struct daemon *daemon, struct buf *reason)
{
    const struct contentd *contentd = contentd_of(daemon);
    bool has_quarantine = contentd->places.quarantine != NULL;

    if (has_quarantine && (contentd->release == NULL || contentd->places.outbox != NULL))
        return service_ready(daemon, reason);
    buf_printf(reason, "the %s could not be opened, it is tried again",
               has_quarantine ? "outbox" : "quarantine");
    return READY_DEGRADED;
}

const struct daemon_spec contentd_spec = {
    .program = &contentd_program,
    .config_path = "/etc/gatehouse/contentd.conf",
    .common_offset = offsetof(struct contentd_config, common),
    .load = setup_load,
    .unload = setup_free,
    .start = contentd_start,
    .stop = contentd_stop,
    .worker_start = server_start,
    .worker_stop = server_stop,
    .apply = server_apply,
    .accept = milter_accept,
    .drain = milter_drain,
    .drain_ms = MILTER_DRAIN_MS,
    .has_threads = true,
    .tick = service_tick,
    .ready = contentd_ready,
    .routes = service_routes,
    .route_count = SERVICE_ROUTES,
    .http_body_max = EXPLAIN_BODY_MAX,
};
