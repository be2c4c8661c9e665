/* tests/unit/control/control_server.h - the control API on a real unix socket: a worker with its own thread serves it
 * over a memory store. */
#ifndef GATEHOUSE_TESTS_CONTROL_SERVER_H
#define GATEHOUSE_TESTS_CONTROL_SERVER_H

#include "tests/unit/control/control_case.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/control/control_http.h"
#include "common/run/listener.h"
#include "gatectl/backend.h"

struct control_server;

/* What else serves on its socket, before the API over the store alone; on its thread. */
struct control_server_more {
    void (*begin)(struct control_server *server);
    void (*serve)(struct control_server *server, struct http_call *call);
    void (*end)(struct control_server *server);
};

struct control_server {
    const struct control_server_more *more; /* NULL: nothing */
    char directory[64];
    char socket[96];
    struct worker *worker;
    struct store_memory *memory;
    struct limit_set *limits;
    /* of the worker's thread */
    struct store *store;
    struct control *control;
    struct http_server *http;
    struct listener listener;
};

static void control_server_hold(void *context, struct control_view *out)
{
    const struct control_server *server = context;

    *out = (struct control_view){ .limits = server->limits,
                                  .names = { .is_declared = control_case_declared } };
}

static void control_server_handle(struct http_call *call, void *arg)
{
    struct control_server *server = arg;

    if (server->more != NULL)
        server->more->serve(server, call);
    else
        control_http_serve(server->control, call);
}

static struct control_server *control_server_starting; /* for the hook: one at a time */

static int control_server_begin(struct worker *worker)
{
    static const struct http_route routes[] = {
        { HTTP_GET | HTTP_PUT | HTTP_POST | HTTP_DELETE, "/v1/", control_server_handle },
    };
    struct control_server *server = control_server_starting;
    const struct control_daemon daemon = { .hold = control_server_hold, .context = server };

    worker_set_state(worker, server);
    server->store = store_memory_open(server->memory);
    server->control = control_new(server->store, &control_case_clock, &daemon);
    server->http = http_server_new(worker, &(struct http_options){ 0 });
    if (server->more != NULL)
        server->more->begin(server);
    return http_server_add_routes(server->http, routes, COUNT(routes), server) ||
                   http_server_listen(server->http, server->listener.fd)
               ? -1
               : 0;
}

static void control_server_end(struct worker *worker)
{
    struct control_server *server = worker_state(worker);

    http_server_free(&server->http);
    if (server->more != NULL)
        server->more->end(server);
    control_free(&server->control);
    store_free(&server->store);
}

static const struct worker_hooks control_server_hooks = { control_server_begin,
                                                          control_server_end };

static void control_server_start_with(struct control_server *server,
                                      const struct control_server_more *more)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const struct listener_options options = { .mode = 0600, .group = LISTENER_NO_GROUP };
    AUTO_BUF error = BUF_INIT(400);

    *server = (struct control_server){ .more = more, .directory = "/tmp/gatehouse-control-XXXXXX" };
    assert_non_null(mkdtemp(server->directory));
    snprintf(server->socket, sizeof(server->socket), "%s/http", server->directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->socket);
    if (listener_open((const struct sockaddr *)&address, sizeof(address), &options,
                      &server->listener, &error) != 0)
        fail_msg("%s", buf_text(&error));
    server->memory = store_memory_new(&control_case_clock, 16 << 20);
    server->limits = control_case_limits();
    server->worker = worker_new(1, "control", &clock_system, &control_server_hooks);
    assert_non_null(server->worker);
    control_server_starting = server;
    assert_int_equal(0, worker_start(server->worker));
}

static inline void control_server_start(struct control_server *server)
{
    control_server_start_with(server, NULL);
}

static void control_server_stop(struct control_server *server)
{
    worker_stop(server->worker);
    worker_join(server->worker);
    worker_free(&server->worker);
    listener_close(&server->listener);
    limit_set_free(&server->limits);
    store_memory_free(&server->memory);
    assert_int_equal(0, rmdir(server->directory));
}

/* Asks through the socket, as gatectl does: the answer's status is `want_status` and `want` is in it. */
static inline void control_server_expect(const struct control_server *server, const struct ask *ask,
                                         unsigned want_status, const char *want)
{
    char error[BACKEND_ERROR_MAX] = "";
    struct backend *backend = backend_http_new(server->socket, error);
    unsigned status = 0;
    json_t *answer = NULL;

    if (backend == NULL || backend_ask(backend, ask, &status, &answer, error) != BACKEND_OK)
        fail_msg("%s", error);
    char *text = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
    if (status != want_status || strstr(text, want) == NULL)
        fail_msg("want %u %s\ngot  %u %s", want_status, want, status, text);
    free(text);
    json_decref(answer);
    backend_free(&backend);
}

#endif
