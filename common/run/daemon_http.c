/* common/run/daemon_http.c - /metrics, /health, /ready: what monitoring and load balancers ask of every daemon. */
#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/run/daemon_private.h"

enum {
    METRICS_MAX = 64 << 20,
    REASON_MAX = 1024,
    ALIVE_MS = 5000,
    BODIES_MAX = 256 << 20, /* bytes of all requests together, where they may be large */
};

/* Prometheus' metrics of all threads together. */
static void get_metrics(struct http_call *call, UNUSED void *arg)
{
    AUTO_BUF text = BUF_INIT(METRICS_MAX);

    if (metrics_print(&text))
        http_error(call, 500, "out of memory");
    else
        http_reply(call, 200, METRICS_CONTENT_TYPE, buf_slice(&text));
}

/* Does the process work at all? If not, restart it. */
static void get_health(struct http_call *call, void *arg)
{
    if (daemon_is_alive(arg, ALIVE_MS))
        http_reply(call, 200, "text/plain", SLICE("ok\n"));
    else
        http_reply(call, 503, "text/plain", SLICE("a worker does not answer\n"));
}

/* Should it get work? Degraded still counts as yes. */
static void get_ready(struct http_call *call, void *arg)
{
    static const char *const words[] = { "ok", "degraded", "down" };
    AUTO_BUF reason = BUF_INIT(REASON_MAX);
    AUTO_BUF text = BUF_INIT(REASON_MAX + 32);
    enum readiness readiness = daemon_readiness(arg, &reason);

    buf_put(&text, words[readiness]);
    if (reason.len > 0)
        buf_printf(&text, ": %.*s", SLICE_ARG(buf_slice(&reason)));
    buf_put_char(&text, '\n');
    http_reply(call, readiness == READY_DOWN ? 503 : 200, "text/plain", buf_slice(&text));
}

static const struct http_route routes[] = {
    { HTTP_GET | HTTP_PUBLIC, "/metrics", get_metrics },
    { HTTP_GET | HTTP_PUBLIC, "/health", get_health },
    { HTTP_GET | HTTP_PUBLIC, "/ready", get_ready },
};

int daemon_http_start(struct daemon *daemon)
{
    size_t body = daemon->spec->http_body_max;
    struct http_options options = { .max_body = body,
                                    .max_connections = body == 0 ? 0 : BODIES_MAX / body };

    if (daemon->http_listener_count == 0)
        return 0;
    daemon->http = http_server_new(daemon->main_worker, &options);
    if (daemon->http == NULL ||
        http_server_add_routes(daemon->http, routes, COUNT(routes), daemon) ||
        http_server_add_routes(daemon->http, daemon->spec->routes, daemon->spec->route_count,
                               daemon)) {
        log_error("out of memory: nothing is served over HTTP");
        return -1;
    }
    for (size_t i = 0; i < daemon->http_listener_count; i++)
        if (http_server_listen(daemon->http, daemon->http_listeners[i].fd)) {
            log_error("out of memory: the listener in `http` is not served");
            return -1;
        }
    return 0;
}
