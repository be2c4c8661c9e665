/* common/service/service.c - see service.h. */
#include "common/service/service.h"

#include "common/observe/log.h"
#include "common/policy/resources.h"

static struct service *service_of(const struct worker *worker)
{
    return daemon_state(worker_daemon(worker));
}

/* ---- what is shared ---- */

int service_start(struct service *service, const struct service_spec *spec, struct daemon *daemon)
{
    *service = (struct service){
        .spec = spec,
        .stores = resources_stores(daemon_common(daemon), daemon_clock(daemon)),
    };
    return service->stores == NULL ? -1 : 0;
}

void service_stop(struct service *service)
{
    stores_free(&service->stores);
}

/* ---- what each worker has ---- */

static bool main_start(struct service *service, struct worker *worker, void *context)
{
    struct daemon *daemon = worker_daemon(worker);

    service->live = live_start(service->spec->kind, daemon, service->store);
    service->control = control_service_new(service->spec->control, daemon, service->store, context);
    return service->live != NULL && service->control != NULL;
}

struct store *service_worker_start(struct worker *worker, void *context)
{
    struct service *service = service_of(worker);
    struct store *store = stores_open(service->stores, worker_base(worker));
    bool is_main = worker_id(worker) == 0;

    if (is_main)
        service->store = store;
    if (store != NULL && (!is_main || main_start(service, worker, context)))
        return store;
    log_error("out of memory: worker %u has no store", worker_id(worker));
    service_worker_stop(worker, &store);
    return NULL;
}

void service_worker_stop(struct worker *worker, struct store **store)
{
    struct service *service = service_of(worker);

    if (worker_id(worker) == 0) {
        live_stop(&service->live);
        control_service_free(&service->control);
        service->store = NULL;
    }
    store_free(store);
}

/* ---- while it runs ---- */

void service_apply(struct worker *worker)
{
    if (worker_id(worker) == 0)
        live_reloaded(service_of(worker)->live);
}

void service_tick(struct daemon *daemon)
{
    const struct service *service = daemon_state(daemon);

    live_check_files(service->live);
}

enum readiness service_ready(struct daemon *daemon, struct buf *reason)
{
    const struct service *service = daemon_state(daemon);

    return resources_ready(service->store, reason);
}

static void serve_control(struct http_call *call, void *daemon)
{
    const struct service *service = daemon_state(daemon);

    bool is_change = http_call_method(call) != HTTP_GET;

    control_service_serve(service->control, call);
    if (is_change)
        live_look(service->live);
}

const struct http_route service_routes[SERVICE_ROUTES] = {
    { HTTP_GET | HTTP_POST | HTTP_PUT | HTTP_DELETE, "/v1/", serve_control },
};
