/* common/net/http.c - see http.h. evhttp has no hook for the end of a connection, and its time-outs start anew with every
 * byte. So each connection's bufferevent is wrapped in a filter, whose release tells us that it is gone, and has a
 * deadline of our own for each phase; at a deadline the socket is shut down, which evhttp notices and cleans up after.
 * The filter passes what is read; what is written it hands to the socket itself, because evhttp closes the connection
 * as soon as the filter's output is empty. */
#include "common/net/http.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event_struct.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/net/http_host.h"
#include "common/observe/log.h"

enum {
    ROUTE_TABLES_MAX = 8,
    SOCKETS_MAX = 16,
    HEADERS_MAX = 16 << 10,
    BODY_MAX = 1 << 20,
    CONNECTIONS_MAX = 64,
    CALL_MEMORY_MAX = 256 << 10, /* decoded paths and queries */
    JSON_TEXT_MAX = 64 << 20,
    DEADLINE_MS = 10 * 1000,
    PAUSE_MS = 100,
};

enum phase { READING, HANDLING, WRITING };

struct connection {
    LIST_ENTRY(connection) link;
    struct http_server *server; /* NULL: it was freed; libevent frees bufferevents a little later */
    struct bufferevent *outer; /* evhttp's; the filter around `socket` */
    struct bufferevent *socket;
    struct event deadline;
    struct event writable; /* the socket takes more of the answer; assigned when there is one */
    struct http_call *call; /* under way, or NULL */
    enum phase phase;
    bool is_ending;
};

struct http_call {
    LIST_ENTRY(http_call) link;
    struct http_server *server; /* NULL: it was freed */
    struct connection *connection; /* NULL: the client has gone */
    struct evhttp_request *request; /* NULL: no reply is possible any more */
    struct worker *worker;
    struct arena *arena;
    struct slice raw_path, raw_rest;
    struct buf body; /* a copy: the request may be gone before the call is over */
    enum http_method method;
    bool is_head, has_query;
    struct evkeyvalq query;
};

struct route_table {
    const struct http_route *routes;
    size_t count;
    void *arg;
};

struct http_server {
    LIST_ENTRY(http_server) link; /* in `servers` */
    struct worker *worker;
    struct evhttp *http;
    struct http_options options;
    struct route_table tables[ROUTE_TABLES_MAX];
    size_t table_count;
    struct evhttp_bound_socket *sockets[SOCKETS_MAX];
    size_t socket_count;
    struct event *resume; /* listening, after descriptors ran out */
    LIST_HEAD(, connection) connections; /* newest first */
    size_t connection_count;
    LIST_HEAD(, http_call) calls;
};

/* A listener's error callback is given the evhttp that the listener was bound to, never an argument of ours. */
static pthread_mutex_t servers_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, http_server) servers = LIST_HEAD_INITIALIZER(servers);

/* ---- connections ---- */

static void set_deadline(struct connection *connection, enum phase phase, uint64_t ms)
{
    struct timeval space;

    connection->phase = phase;
    event_add(&connection->deadline, worker_timeout(connection->server->worker, ms, &space));
}

static void end_connection(struct connection *connection)
{
    connection->is_ending = true;
    shutdown(bufferevent_getfd(connection->socket), SHUT_RDWR);
}

static void deadline_passed(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct connection *connection = arg;
    struct http_call *call = connection->call;

    if (connection->phase != HANDLING || call == NULL) {
        end_connection(connection);
        return;
    }
    /* The handler still holds the call: it is told that the client has gone when it replies. */
    struct evhttp_request *request = call->request;
    call->request = NULL;
    call->connection = NULL;
    connection->call = NULL;
    set_deadline(connection, WRITING, connection->server->options.reply_ms);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
    evhttp_send_reply(request, 504, "Gateway Timeout", NULL);
}

static void forget_connection(struct connection *connection)
{
    LIST_REMOVE(connection, link);
    connection->server->connection_count--;
    connection->server = NULL;
    if (connection->call != NULL)
        connection->call->connection = NULL;
    event_del(&connection->deadline);
    if (event_initialized(&connection->writable))
        event_del(&connection->writable);
}

/* The filter has been released. */
static void connection_gone(void *arg)
{
    struct connection *connection = arg;

    if (connection->server != NULL)
        forget_connection(connection);
    free(connection);
}

/* At the cap: one that has not even asked yet; else the oldest that is slow to take its answer. */
static void make_room(struct http_server *server)
{
    struct connection *connection, *oldest[WRITING + 1] = { NULL };

    LIST_FOREACH(connection, &server->connections, link)
    if (!connection->is_ending)
        oldest[connection->phase] = connection;
    if (oldest[READING] != NULL)
        end_connection(oldest[READING]);
    else if (oldest[WRITING] != NULL)
        end_connection(oldest[WRITING]);
}

/* evhttp may free the bufferevent in a callback just before ours; its memory goes a little later, its callbacks at
 * once. */
static bool is_freed(struct bufferevent *bufferevent)
{
    bufferevent_event_cb event_callback = NULL;

    bufferevent_getcb(bufferevent, NULL, NULL, &event_callback, NULL);
    return event_callback == NULL;
}

static void write_more(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct connection *connection = arg;

    if (!is_freed(connection->outer))
        bufferevent_flush(connection->outer, EV_WRITE, BEV_FLUSH); /* comes to write_out() */
}

static void wait_until_writable(struct connection *connection)
{
    struct bufferevent *socket = connection->socket;

    if (!event_initialized(&connection->writable))
        event_assign(&connection->writable, bufferevent_get_base(socket), bufferevent_getfd(socket),
                     EV_WRITE, write_more, connection);
    event_add(&connection->writable, NULL);
}

/* The filter's output. */
static enum bufferevent_filter_result write_out(struct evbuffer *from, UNUSED struct evbuffer *to,
                                                UNUSED ev_ssize_t most,
                                                UNUSED enum bufferevent_flush_mode mode, void *arg)
{
    struct connection *connection = arg;

    if (connection->server == NULL || connection->is_ending)
        return BEV_ERROR;
    if (evbuffer_write(from, bufferevent_getfd(connection->socket)) < 0 &&
        EVUTIL_SOCKET_ERROR() != EAGAIN && EVUTIL_SOCKET_ERROR() != EINTR) {
        end_connection(connection);
        return BEV_ERROR;
    }
    if (evbuffer_get_length(from) == 0)
        return BEV_OK;
    wait_until_writable(connection);
    return BEV_NEED_MORE;
}

static void output_added(UNUSED struct evbuffer *out, const struct evbuffer_cb_info *info,
                         void *arg)
{
    struct connection *connection = arg;

    if (info->n_added > 0 && connection->server != NULL)
        wait_until_writable(connection);
}

static struct connection *connection_new(struct http_server *server, struct event_base *base)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL)
        return NULL;
    connection->server = server;
    event_assign(&connection->deadline, base, -1, 0, deadline_passed, connection);
    connection->socket = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (connection->socket != NULL)
        connection->outer =
            bufferevent_filter_new(connection->socket, NULL, write_out, BEV_OPT_CLOSE_ON_FREE,
                                   connection_gone, connection);
    if (connection->outer != NULL) {
        evbuffer_add_cb(bufferevent_get_output(connection->outer), output_added, connection);
        return connection;
    }
    if (connection->socket != NULL)
        bufferevent_free(connection->socket);
    free(connection);
    return NULL;
}

/* evhttp asks for the bufferevent of a connection it has accepted. */
static struct bufferevent *new_connection(struct event_base *base, void *arg)
{
    struct http_server *server = arg;

    if (server->connection_count >= server->options.max_connections)
        make_room(server);
    struct connection *connection = connection_new(server, base);
    if (connection == NULL)
        return NULL;
    LIST_INSERT_HEAD(&server->connections, connection, link);
    server->connection_count++;
    set_deadline(connection, READING, server->options.request_ms);
    return connection->outer;
}

static struct connection *find_connection(struct http_server *server,
                                          struct evhttp_request *request)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(request);
    struct bufferevent *outer = evhttp_connection_get_bufferevent(evcon);
    struct connection *connection;

    LIST_FOREACH(connection, &server->connections, link)
    if (connection->outer == outer)
        break;
    return connection;
}

/* ---- calls ---- */

static enum http_method method_of(enum evhttp_cmd_type command)
{
    if (command == EVHTTP_REQ_POST)
        return HTTP_POST;
    if (command == EVHTTP_REQ_PUT)
        return HTTP_PUT;
    if (command == EVHTTP_REQ_DELETE)
        return HTTP_DELETE;
    return HTTP_GET; /* HEAD too; no other is allowed in */
}

static void call_free(struct http_call *call)
{
    if (call->server != NULL)
        LIST_REMOVE(call, link);
    if (call->connection != NULL)
        call->connection->call = NULL;
    if (call->has_query)
        evhttp_clear_headers(&call->query);
    buf_free(&call->body);
    arena_free(&call->arena);
    free(call);
}

static int copy_request(struct http_call *call, const char *path)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(call->request);
    size_t len = evbuffer_get_length(in);

    call->body = (struct buf)BUF_INIT(len);
    call->arena = arena_new(CALL_MEMORY_MAX);
    if (call->arena == NULL || buf_reserve(&call->body, len))
        return -1;
    if (len > 0 && evbuffer_copyout(in, call->body.data, len) >= 0)
        call->body.len = len;
    call->raw_path = arena_copy(call->arena, slice_of(path == NULL ? "" : path));
    return call->raw_path.ptr == NULL ? -1 : 0;
}

static struct http_call *call_new(struct http_server *server, struct evhttp_request *request)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);
    const char *query = uri == NULL ? NULL : evhttp_uri_get_query(uri);
    struct http_call *call = calloc(1, sizeof *call);

    if (call == NULL)
        return NULL;
    call->server = server;
    call->worker = server->worker;
    call->request = request;
    LIST_INSERT_HEAD(&server->calls, call, link);
    call->method = method_of(evhttp_request_get_command(request));
    call->is_head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
    if (copy_request(call, path)) {
        call_free(call);
        return NULL;
    }
    call->has_query = query != NULL && evhttp_parse_query_str(query, &call->query) == 0;
    call->connection = find_connection(server, request);
    if (call->connection != NULL) {
        call->connection->call = call;
        set_deadline(call->connection, HANDLING, server->options.reply_ms);
    }
    return call;
}

static bool route_fits(const struct http_route *route, struct slice path)
{
    struct slice fixed = slice_of(route->path);

    if (slice_ends_with(fixed, SLICE("/")))
        return slice_starts_with(path, fixed);
    return slice_equal(path, fixed);
}

static const char *request_header(const struct http_call *call, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(call->request), name);
}

/* A browser says of every request that may change something which page made it; what we serve has no pages. */
static bool is_from_web_page(const struct http_call *call)
{
    return call->method != HTTP_GET && request_header(call, "Origin") != NULL;
}

/* By another's name, over TCP: no browser speaks to a unix socket, and a proxy before one may call it what it likes. */
static bool is_for_another(const struct http_call *call)
{
    struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof own;
    char name[HOST_NAME_MAX + 1] = "";

    if (call->connection == NULL ||
        getsockname(bufferevent_getfd(call->connection->socket), (struct sockaddr *)&own, &len) ||
        own.ss_family == AF_UNIX)
        return false;
    gethostname(name, sizeof name - 1); /* none: addresses alone are ours */
    return !http_host_is_ours(slice_of(request_header(call, "Host")), slice_of(name));
}

static void serve_route(struct http_call *call, const struct http_route *route, void *arg)
{
    if ((route->methods & HTTP_PUBLIC) == 0 && is_for_another(call)) {
        http_error(call, 403, "\"%.200s\" is not this host: ask for it by its address",
                   request_header(call, "Host"));
        return;
    }
    call->raw_rest = slice_skip(call->raw_path, strlen(route->path));
    route->handle(call, arg);
}

static void serve(struct evhttp_request *request, void *arg)
{
    struct http_server *server = arg;
    struct http_call *call = call_new(server, request);
    bool is_path_known = false;

    if (call == NULL) {
        evhttp_send_error(request, 503, NULL);
        return;
    }
    if (is_from_web_page(call)) {
        http_error(call, 403, "requests that web pages make are not served");
        return;
    }
    for (size_t t = 0; t < server->table_count; t++)
        for (size_t r = 0; r < server->tables[t].count; r++) {
            const struct http_route *route = &server->tables[t].routes[r];
            if (!route_fits(route, call->raw_path))
                continue;
            is_path_known = true;
            if ((route->methods & call->method) == 0)
                continue;
            serve_route(call, route, server->tables[t].arg);
            return;
        }
    if (is_path_known)
        http_error(call, 405, "this path does not take that method");
    else
        http_error(call, 404, "there is nothing at this path");
}

/* ---- the server ---- */

static void set_listening(struct http_server *server, bool on)
{
    for (size_t i = 0; i < server->socket_count; i++) {
        struct evconnlistener *listener = evhttp_bound_socket_get_listener(server->sockets[i]);
        if (on)
            evconnlistener_enable(listener);
        else
            evconnlistener_disable(listener);
    }
}

static void resume_listening(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    set_listening(arg, true);
}

static struct http_server *find_server(const struct evhttp *http)
{
    struct http_server *server;

    pthread_mutex_lock(&servers_lock);
    LIST_FOREACH(server, &servers, link)
    if (server->http == http)
        break;
    pthread_mutex_unlock(&servers_lock);
    return server;
}

/* Descriptors ran out, most likely: again in a moment, instead of at once and for ever. */
static void accept_failed(UNUSED struct evconnlistener *listener, void *evhttp)
{
    const char *why = strerror(EVUTIL_SOCKET_ERROR());
    struct http_server *server = find_server(evhttp);
    struct timeval space;

    log_debug("http: accept: %s", why);
    if (server == NULL)
        return;
    set_listening(server, false);
    event_add(server->resume, worker_timeout(server->worker, PAUSE_MS, &space));
}

static void set_options(struct http_server *server, const struct http_options *options)
{
    struct http_options *set = &server->options;

    *set = *options;
    if (set->max_body == 0)
        set->max_body = BODY_MAX;
    if (set->max_connections == 0)
        set->max_connections = CONNECTIONS_MAX;
    if (set->request_ms == 0)
        set->request_ms = DEADLINE_MS;
    if (set->reply_ms == 0)
        set->reply_ms = DEADLINE_MS;
    evhttp_set_max_headers_size(server->http, HEADERS_MAX);
    evhttp_set_max_body_size(server->http, (ev_ssize_t)set->max_body);
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
                                                 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE);
    evhttp_set_bevcb(server->http, new_connection, server);
    evhttp_set_gencb(server->http, serve, server);
}

struct http_server *http_server_new(struct worker *worker, const struct http_options *options)
{
    struct http_server *server = calloc(1, sizeof *server);

    if (server == NULL)
        return NULL;
    server->worker = worker;
    LIST_INIT(&server->connections);
    LIST_INIT(&server->calls);
    pthread_mutex_lock(&servers_lock);
    LIST_INSERT_HEAD(&servers, server, link);
    pthread_mutex_unlock(&servers_lock);
    server->http = evhttp_new(worker_base(worker));
    server->resume = event_new(worker_base(worker), -1, 0, resume_listening, server);
    if (server->http == NULL || server->resume == NULL) {
        http_server_free(&server);
        return NULL;
    }
    set_options(server, options);
    return server;
}

void http_server_free(struct http_server **server)
{
    struct http_server *gone = *server;
    struct http_call *call, *next;

    *server = NULL;
    if (gone == NULL)
        return;
    for (call = LIST_FIRST(&gone->calls); call != NULL; call = next) {
        next = LIST_NEXT(call, link);
        if (call->request != NULL && evhttp_request_get_connection(call->request) == NULL)
            evhttp_request_free(call->request); /* its connection has left it to us */
        call->request = NULL;
        call->server = NULL;
    }
    while (!LIST_EMPTY(&gone->connections))
        forget_connection(LIST_FIRST(&gone->connections));
    pthread_mutex_lock(&servers_lock);
    LIST_REMOVE(gone, link);
    pthread_mutex_unlock(&servers_lock);
    if (gone->http != NULL)
        evhttp_free(gone->http);
    if (gone->resume != NULL)
        event_free(gone->resume);
    free(gone);
}

int http_server_add_routes(struct http_server *server, const struct http_route *routes,
                           size_t count, void *arg)
{
    if (server->table_count == ROUTE_TABLES_MAX)
        return -1;
    server->tables[server->table_count++] = (struct route_table){ routes, count, arg };
    return 0;
}

int http_server_listen(struct http_server *server, int listen_fd)
{
    if (server->socket_count == SOCKETS_MAX)
        return -1;
    struct evconnlistener *listener = evconnlistener_new(worker_base(server->worker), NULL, NULL,
                                                         LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
    if (listener == NULL)
        return -1;
    struct evhttp_bound_socket *socket = evhttp_bind_listener(server->http, listener);
    if (socket == NULL) {
        evconnlistener_free(listener);
        return -1;
    }
    evconnlistener_set_error_cb(listener, accept_failed);
    server->sockets[server->socket_count++] = socket;
    return 0;
}

/* ---- the request ---- */

enum http_method http_call_method(const struct http_call *call)
{
    return call->method;
}

/* Absent when memory is out or the text is too long. */
static struct slice decode(const struct http_call *call, struct slice raw)
{
    size_t len = 0;
    struct slice decoded = arena_copy(call->arena, raw); /* terminated, as libevent wants it */
    char *text = decoded.ptr == NULL ? NULL : evhttp_uridecode(decoded.ptr, 0, &len);

    if (text == NULL)
        return (struct slice){ NULL, 0 };
    decoded = arena_copy(call->arena, (struct slice){ text, len });
    free(text);
    return decoded;
}

struct slice http_call_rest(const struct http_call *call)
{
    return decode(call, call->raw_rest);
}

struct slice http_call_segment(const struct http_call *call, size_t n)
{
    struct slice rest = call->raw_rest, segment;

    for (size_t i = 0; i <= n; i++) {
        if (rest.len == 0)
            return (struct slice){ NULL, 0 };
        if (!slice_cut(&rest, '/', &segment)) {
            segment = rest;
            rest = slice_skip(rest, rest.len);
        }
    }
    return decode(call, segment);
}

struct slice http_call_query(const struct http_call *call, const char *name)
{
    return slice_of(call->has_query ? evhttp_find_header(&call->query, name) : NULL);
}

struct slice http_call_body(const struct http_call *call)
{
    return buf_slice(&call->body);
}

/* ---- the answer ---- */

static const char *reason_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        { 200, "OK" },
        { 201, "Created" },
        { 204, "No Content" },
        { 400, "Bad Request" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 409, "Conflict" },
        { 413, "Content Too Large" },
        { 415, "Unsupported Media Type" },
        { 422, "Unprocessable Content" },
        { 500, "Internal Server Error" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
    };

    for (size_t i = 0; i < COUNT(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return status < 400 ? "OK" : "Error";
}

static void add_headers(struct evhttp_request *request, const char *content_type, size_t len)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    char length[24];

    snprintf(length, sizeof length, "%zu", len);
    evhttp_add_header(headers, "Content-Type", content_type);
    evhttp_add_header(headers, "Content-Length", length);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    evhttp_add_header(headers, "Connection", "close");
}

void http_reply(struct http_call *call, unsigned status, const char *content_type,
                struct slice body)
{
    struct evhttp_request *request = call->request;
    struct connection *connection = call->connection;
    struct evbuffer *out = request == NULL ? NULL : evbuffer_new();

    if (out != NULL && !call->is_head)
        evbuffer_add(out, body.ptr, body.len);
    if (connection != NULL)
        set_deadline(connection, WRITING, connection->server->options.reply_ms);
    if (request != NULL) {
        add_headers(request, content_type, body.len);
        evhttp_send_reply(request, (int)status, reason_of(status), out); /* frees a lost request */
    }
    if (out != NULL)
        evbuffer_free(out);
    call_free(call);
}

static int add_json_text(const char *text, size_t len, void *arg)
{
    return buf_add(arg, (struct slice){ text, len });
}

void http_reply_json(struct http_call *call, unsigned status, json_t *json)
{
    AUTO_BUF text = BUF_INIT(JSON_TEXT_MAX);

    if (json == NULL || json_dump_callback(json, add_json_text, &text, JSON_COMPACT) ||
        buf_put_char(&text, '\n')) {
        static const struct slice failed = SLICE_INIT("{\"error\": \"out of memory\"}\n");
        http_reply(call, 500, "application/json", failed);
    } else {
        http_reply(call, status, "application/json", buf_slice(&text));
    }
    json_decref(json);
}

void http_error(struct http_call *call, unsigned status, const char *format, ...)
{
    AUTO_BUF escaped = BUF_INIT(2 * LOG_LINE_MAX);
    char text[LOG_LINE_MAX / 4];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* JSON must be UTF-8, which a text that quotes the request may not be. */
    json_t *message = json_string(text);
    if (message == NULL && log_put_quoted(&escaped, slice_of(text)) == 0)
        message = json_string(buf_text(&escaped));
    http_reply_json(call, status, json_pack("{s:o*}", "error", message));
}
