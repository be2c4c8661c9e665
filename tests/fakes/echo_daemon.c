/* tests/fakes/echo_daemon.c - see echo_daemon.h. */
#include "tests/fakes/echo_daemon.h"

#include <errno.h>
#include <signal.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/observe/log.h"
#include "common/run/op.h"

enum { LINE_MAX_LEN = 256, SLOW_MS = 300 };

/* ---- configuration ---- */

struct echo_config {
    struct common_config common;
    struct slice greeting;
};

#define CONF_STRUCT struct echo_config
static const struct conf_param params[] = {
    COMMON_PARAMS("echo", "unix:/nonexistent/echo"),
    { PARAM(greeting), CONF_TEXT, "hello", 1, 50, .live = true, .doc = "What is said first." },
};
static const struct conf_schema schema = { params, COUNT(params), NULL, 0,
                                           sizeof(struct echo_config) };
#undef CONF_STRUCT

static const struct usage_program program = { .name = "gatehouse-echo",
                                              .conf_name = "echo.conf",
                                              .summary = "answers every line",
                                              .description = "For tests.",
                                              .schema = &schema };

struct echo_data {
    char *greeting; /* owned */
};

static struct echo_data *new_data(struct slice greeting)
{
    struct echo_data *data = malloc(sizeof *data);

    if (data != NULL)
        data->greeting = strndup(greeting.ptr, greeting.len);
    return data;
}

static void *load(const struct daemon_load *in)
{
    const struct echo_config *config = in->config;

    if (slice_equal(config->greeting, SLICE("bad")))
        conf_error(in->errors, conf_where(in->conf, config->greeting.ptr),
                   "a bad greeting is not allowed");
    return new_data(config->greeting);
}

static void unload(void *data)
{
    struct echo_data *echo = data;

    free(echo->greeting);
    free(echo);
}

/* ---- connections ---- */

struct connection {
    struct op slow; /* first member */
    LIST_ENTRY(connection) link;
    struct worker *worker;
    struct event *readable;
    int fd;
    bool is_busy;
};

struct state {
    LIST_HEAD(, connection) connections;
    bool is_draining;
};

static void close_connection(struct connection *connection)
{
    op_abandon(&connection->slow);
    LIST_REMOVE(connection, link);
    event_free(connection->readable);
    close(connection->fd);
    worker_connection_closed(connection->worker);
    free(connection);
}

static void reply(struct connection *connection, struct slice line)
{
    const struct echo_data *data = snapshot_data(worker_snapshot(connection->worker));
    const struct state *state = worker_state(connection->worker);
    char text[2 * LINE_MAX_LEN];

    if (slice_equal(line, SLICE("config")))
        snprintf(text, sizeof text, "%llu\n",
                 (unsigned long long)snapshot_generation(worker_snapshot(connection->worker)));
    else
        snprintf(text, sizeof text, "%s %.*s\n", data->greeting, SLICE_ARG(line));
    connection->is_busy = false;
    send(connection->fd, text, strlen(text), MSG_NOSIGNAL);
    if (state->is_draining)
        close_connection(connection);
}

static void slow_done(struct op *op, UNUSED enum op_result result)
{
    reply((struct connection *)op, SLICE("slow"));
}

static void read_line(evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct connection *connection = arg;
    char line[LINE_MAX_LEN];
    ssize_t n = recv(fd, line, sizeof line, 0);

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            close_connection(connection);
        return;
    }
    struct slice text = slice_trim((struct slice){ line, (size_t)n });
    connection->is_busy = true;
    if (!slice_equal(text, SLICE("slow")) && !slice_equal(text, SLICE("never"))) {
        reply(connection, text);
        return;
    }
    send(connection->fd, "wait\n", strlen("wait\n"), MSG_NOSIGNAL);
    if (slice_equal(text, SLICE("slow")))
        op_start(&connection->slow, connection->worker, SLOW_MS, slow_done);
}

static void accept_one(struct worker *worker, int fd, UNUSED unsigned listener)
{
    struct state *state = worker_state(worker);
    struct connection *connection = calloc(1, sizeof *connection);

    connection->worker = worker;
    connection->fd = fd;
    connection->readable =
        event_new(worker_base(worker), fd, EV_READ | EV_PERSIST, read_line, connection);
    event_add(connection->readable, NULL);
    LIST_INSERT_HEAD(&state->connections, connection, link);
}

int echo_start_signal;

static int start(UNUSED struct daemon *daemon)
{
    return echo_start_signal == 0 ? 0 : raise(echo_start_signal);
}

static int worker_started(struct worker *worker)
{
    struct state *state = calloc(1, sizeof *state);

    worker_set_state(worker, state);
    return state == NULL ? -1 : 0;
}

static void close_connections(struct state *state, bool busy_too)
{
    struct connection *connection = LIST_FIRST(&state->connections), *next;

    for (; connection != NULL; connection = next) {
        next = LIST_NEXT(connection, link);
        if (busy_too || !connection->is_busy)
            close_connection(connection);
    }
}

static void worker_stopped(struct worker *worker)
{
    close_connections(worker_state(worker), true);
    free(worker_state(worker));
}

static void drain(struct worker *worker)
{
    struct state *state = worker_state(worker);

    state->is_draining = true;
    close_connections(state, false);
}

/* ---- control ---- */

static void publish(struct http_call *call, void *arg)
{
    daemon_publish(arg, new_data(http_call_rest(call)));
    http_reply_json(call, 200, json_object());
}

static void reload(struct http_call *call, void *arg)
{
    AUTO_BUF report = BUF_INIT(4096);

    if (daemon_reload(arg, &report))
        http_reply_json(call, 200, json_object());
    else
        http_error(call, 422, "%s", buf_text(&report));
}

static const struct http_route routes[] = {
    { HTTP_POST, "/v1/publish/", publish },
    { HTTP_POST, "/v1/reload", reload },
};

static enum readiness ready(struct daemon *daemon, struct buf *reason)
{
    const struct echo_data *data = snapshot_data(daemon_snapshot(daemon));

    if (strcmp(data->greeting, "tired") != 0)
        return READY_OK;
    buf_put(reason, "it is late");
    return READY_DEGRADED;
}

static void applied(struct worker *worker)
{
    const struct echo_data *data = snapshot_data(worker_snapshot(worker));

    if (worker_id(worker) == 0)
        log_info("in force on the main thread: %s", data->greeting);
}

const struct daemon_spec echo_spec = {
    .program = &program,
    .config_path = "/nonexistent/echo.conf",
    .common_offset = offsetof(struct echo_config, common),
    .load = load,
    .unload = unload,
    .start = start,
    .worker_start = worker_started,
    .worker_stop = worker_stopped,
    .accept = accept_one,
    .apply = applied,
    .drain = drain,
    .ready = ready,
    .routes = routes,
    .route_count = COUNT(routes),
};
