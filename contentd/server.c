/* contentd/server.c - see server.h. */
#include "contentd/server.h"

#include "common/control/service.h"
#include "common/mime/mime.h"
#include "common/observe/log.h"
#include "common/policy/resources.h"
#include "contentd/control.h"
#include "contentd/intake.h"
#include "contentd/manual.h"
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

static void configure_milter(const struct contentd_config *config)
{
    const struct milter_settings settings = milter_settings_of(&config->milter);

    milter_configure(&settings);
}

static struct quarantine_settings quarantine_of(const struct contentd_config *config)
{
    return (struct quarantine_settings){ .directory = config->quarantine_directory.ptr,
                                         .size_max = config->quarantine_size,
                                         .age_max_ms = config->quarantine_age };
}

/* ---- what is shared ---- */

static void contentd_stop(struct daemon *daemon)
{
    struct contentd *contentd = contentd_of(daemon);

    milter_end();
    if (contentd == NULL)
        return;
    outbox_stop(&contentd->places.outbox);
    quarantine_close(&contentd->places.quarantine);
    release_free(&contentd->release);
    stores_free(&contentd->stores);
    snapshot_cell_end(&contentd->in_force);
    free(contentd);
    daemon_set_state(daemon, NULL);
}

/* A directory that cannot be used is no reason not to look at mail: what must be kept there is deferred. */
static void open_places(struct contentd *contentd, const struct contentd_config *config,
                        const struct clock *clock)
{
    const struct quarantine_settings quarantine = quarantine_of(config);
    const struct outbox_settings outbox = { .directory = config->outbox_directory.ptr,
                                            .size_max = config->outbox_size,
                                            .age_max_ms = config->outbox_age,
                                            .retry_min_ms = config->outbox_retry_min,
                                            .retry_max_ms = config->outbox_retry_max };
    AUTO_BUF error = BUF_INIT(OPEN_ERROR_MAX);

    contentd->places.quarantine = quarantine_open(&quarantine, clock, &error);
    if (contentd->places.quarantine == NULL)
        log_warning("quarantine_directory: %s; messages that are to be kept are deferred",
                    buf_text(&error));
    buf_clear(&error);
    if (contentd->release == NULL || contentd->places.quarantine == NULL)
        return;
    contentd->places.outbox =
        outbox_start(&outbox, contentd->release, contentd->places.quarantine, clock, &error);
    if (contentd->places.outbox == NULL)
        log_warning("outbox_directory: %s; messages of which edited copies are to be sent are "
                    "deferred",
                    buf_text(&error));
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

static int contentd_start(struct daemon *daemon)
{
    struct snapshot *snapshot = daemon_snapshot(daemon);
    const struct setup *setup = snapshot_data(snapshot);
    const struct contentd_config *config = setup->parts.config;
    struct contentd *contentd = calloc(1, sizeof *contentd);

    if (contentd == NULL)
        return -1;
    daemon_set_state(daemon, contentd);
    snapshot_cell_init(&contentd->in_force, snapshot);
    contentd_metrics_register(&contentd->metrics);
    mime_init();
    contentd->stores = resources_stores(&config->common, daemon_clock(daemon));
    if (contentd->stores == NULL || open_release(contentd, config) ||
        milter_setup(daemon, &intake_hooks, config->milter.idle_timeout)) {
        contentd_stop(daemon);
        return -1;
    }
    open_places(contentd, config, daemon_clock(daemon));
    configure_milter(config);
    return 0;
}

/* ---- what each worker has ---- */

static void server_stop(struct worker *worker)
{
    struct server *server = server_of(worker);

    if (server == NULL)
        return;
    record_teller_stop(&server->teller);
    if (worker_id(worker) == 0) {
        keeper_free(&server->contentd->keeper);
        live_stop(&server->contentd->live);
        control_service_free(&server->contentd->control);
    }
    store_free(&server->store);
    free(server);
    worker_set_state(worker, NULL);
}

static int server_start(struct worker *worker)
{
    struct daemon *daemon = worker_daemon(worker);
    struct contentd *contentd = contentd_of(daemon);
    struct server *server = calloc(1, sizeof *server);

    if (server == NULL)
        return -1;
    server->worker = worker;
    server->contentd = contentd;
    worker_set_state(worker, server);
    server->store = stores_open(contentd->stores, worker_base(worker));
    server->teller = (struct record_teller){ .store = server->store,
                                             .refunds = contentd->metrics.refunds,
                                             .refunds_failed = contentd->metrics.refunds_failed };
    bool ok = server->store != NULL;
    if (ok && worker_id(worker) == 0) {
        contentd->live = live_start(&contentd_live, daemon, server->store);
        contentd->control = control_service_new(&contentd_control, daemon, server->store, server);
        if (contentd->places.quarantine != NULL)
            contentd->keeper = keeper_new(worker, contentd->places.quarantine, contentd->release);
        ok = contentd->live != NULL && contentd->control != NULL &&
             (contentd->keeper != NULL || contentd->places.quarantine == NULL);
    }
    if (ok)
        return 0;
    log_error("out of memory: worker %u has no store", worker_id(worker));
    server_stop(worker);
    return -1;
}

static void server_apply(struct worker *worker)
{
    struct contentd *contentd = server_of(worker)->contentd;
    const struct setup *setup = snapshot_data(worker_snapshot(worker));

    if (worker_id(worker) != 0)
        return;
    snapshot_cell_set(&contentd->in_force, worker_snapshot(worker));
    configure_milter(setup->parts.config);
    if (contentd->places.quarantine != NULL) {
        const struct quarantine_settings settings = quarantine_of(setup->parts.config);
        quarantine_adjust(contentd->places.quarantine, &settings);
    }
    live_reloaded(contentd->live);
}

/* ---- the daemon ---- */

static void contentd_tick(struct daemon *daemon)
{
    live_check_files(contentd_of(daemon)->live);
}

static enum readiness contentd_ready(struct daemon *daemon, struct buf *reason)
{
    const struct contentd *contentd = contentd_of(daemon);

    if (contentd->places.quarantine == NULL) {
        buf_put(reason, "the quarantine could not be opened");
        return READY_DEGRADED;
    }
    return resources_ready(server_of(daemon_main_worker(daemon))->store, reason);
}

static void serve_control(struct http_call *call, void *daemon)
{
    control_service_serve(contentd_of(daemon)->control, call);
}

static const struct http_route routes[] = {
    { HTTP_GET | HTTP_POST | HTTP_PUT | HTTP_DELETE, "/v1/", serve_control },
};

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
    .tick = contentd_tick,
    .ready = contentd_ready,
    .routes = routes,
    .route_count = COUNT(routes),
};
