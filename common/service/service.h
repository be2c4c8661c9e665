/* common/service/service.h - what every daemon with rules has while it runs: the stores, what is live, the control API; begun,
 * looked after and ended as struct daemon_spec wants it. The daemon's state begins with a struct service. */
#ifndef GATEHOUSE_SERVICE_SERVICE_H
#define GATEHOUSE_SERVICE_SERVICE_H

#include "common/control/service.h"
#include "common/policy/live.h"
#include "common/store/stores.h"

struct service_spec {
    const struct policy_kind *kind;
    const struct control_service_spec *control;
};

struct service {
    const struct service_spec *spec;
    struct stores *stores;
    /* the main worker's: */
    struct store *store;
    struct live *live;
    struct control_service *control;
};

/* In the daemon's `start` and `stop`. -1, logged: it has no stores; it is to be ended all the same. */
int service_start(struct service *service, const struct service_spec *spec, struct daemon *daemon);
void service_stop(struct service *service); /* what is zeroed, too */

/* In `worker_start` and `worker_stop`: the worker's store; on the main worker what is live and the control API, whose context
 * is `context`. NULL, logged. */
struct store *service_worker_start(struct worker *worker, void *context);
void service_worker_stop(struct worker *worker, struct store **store); /* also after a failure */

/* Rows of a daemon_spec, or called by them. */
void service_apply(struct worker *worker);
void service_tick(struct daemon *daemon);
enum readiness service_ready(struct daemon *daemon, struct buf *reason);
enum { SERVICE_ROUTES = 1 };
extern const struct http_route service_routes[SERVICE_ROUTES];

#endif
