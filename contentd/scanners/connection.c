/* contentd/scanners/connection.c - addresses, attempts and the end of a connection: see connection.h. */
#include "contentd/scanners/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "common/base/units.h"
#include "contentd/scanners/connection_impl.h"

enum {
    RESOLVE_MS = 2000, /* most; what was known before serves then */
    BACKLOG_MS = 5, /* a unix socket whose queue is full says so at once: asked again after that */
    ERRORS_MAX = 900, /* bytes */
};

static uint64_t now_ms(const struct connection *connection)
{
    return worker_clock(connection->request->worker)
        ->now_ms(worker_clock(connection->request->worker));
}

static const struct backend *backend_of(const struct connection *connection)
{
    return connection->request->scanner->backend;
}

static void set_timer(struct connection *connection, uint64_t ms)
{
    struct timeval space;

    event_add(&connection->timer, worker_timeout(connection->request->worker, ms, &space));
}

static void close_socket(struct connection *connection)
{
    event_del(&connection->timer);
    resolver_free(&connection->resolver);
    if (connection->fd < 0)
        return;
    event_del(&connection->readable);
    event_del(&connection->writable);
    close(connection->fd);
    connection->fd = -1;
}

static void give_back(struct connection *connection, enum backend_outcome outcome)
{
    if (connection->address >= 0)
        backend_give_back(backend_of(connection), (unsigned)connection->address, outcome,
                          now_ms(connection));
    connection->address = -1;
}

static void add_error(struct connection *connection, const char *why)
{
    size_t len = connection->error.len;
    const char *address = connection->address < 0
                              ? ""
                              : backend_text(backend_of(connection), (unsigned)connection->address);

    if (buf_printf(&connection->error, "%s%s%s%s", len > 0 ? "; " : "", address,
                   *address == '\0' ? "" : ": ", why))
        connection->error.len = len; /* enough has been said */
}

static void end(struct connection *connection, enum op_result result)
{
    close_socket(connection);
    connection->state = CONNECTION_ENDED;
    op_finish(&connection->op, result);
}

/* ---- attempts ---- */

static void connect_next(struct connection *connection);
static void on_resolved(void *arg, const struct resolver_answer *answer);
static void begin_again(struct connection *connection);

static void use_address(struct connection *connection)
{
    uint64_t timeout = connection->request->scanner->connect_timeout_ms;
    const char *name;

    connection->socket_next = 0;
    connection->connect_error = 0;
    if (backend_sockets(backend_of(connection), (unsigned)connection->address, now_ms(connection),
                        &connection->sockets, &name)) {
        connection->connect_until_ms = now_ms(connection) + timeout;
        connect_next(connection);
        return;
    }
    connection->state = CONNECTION_RESOLVING;
    connection->resolver = resolver_new(worker_base(connection->request->worker));
    if (connection->resolver == NULL)
        connection_failed(connection, BACKEND_UNUSED, "memory is out");
    else
        resolver_ask(connection->resolver, name,
                     (unsigned)(timeout < RESOLVE_MS ? timeout : RESOLVE_MS), on_resolved,
                     connection);
}

static void on_resolved(void *arg, const struct resolver_answer *answer)
{
    struct connection *connection = arg;

    backend_resolved(backend_of(connection), (unsigned)connection->address, answer,
                     now_ms(connection));
    resolver_free(&connection->resolver);
    use_address(connection); /* not twice: the name was asked for just now */
}

static void next_attempt(struct connection *connection)
{
    connection->address =
        backend_take(backend_of(connection), &connection->tried, now_ms(connection));
    if (connection->address >= 0) {
        connection_io_clear(connection);
        use_address(connection);
    } else if (connection->deadline_ms == 0) {
        connection->state = CONNECTION_WAITING;
    } else if (connection->is_early) {
        begin_again(connection);
    } else {
        if (connection->error.len == 0)
            add_error(connection, "all addresses have failed lately and are being tried again");
        end(connection, OP_FAILED);
    }
}

/* The message is whole now: what failed before, perhaps because it came slowly, counts no more. */
static void begin_again(struct connection *connection)
{
    connection->is_early = false;
    connection->tried = 0;
    buf_clear(&connection->error);
    next_attempt(connection);
}

/* What we are short of ourselves says nothing about the scanner. */
static bool is_our_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

void connection_failed(struct connection *connection, enum backend_outcome outcome, const char *why)
{
    bool is_slow = connection->deadline_ms == 0 && connection->state == CONNECTION_OPEN;
    bool is_ours = outcome == BACKEND_NO_CONNECTION && is_our_shortage(connection->connect_error);

    add_error(connection, why);
    /* It may have lost patience with a message that arrives slowly: that says nothing about it either. */
    give_back(connection, is_slow || is_ours ? BACKEND_UNUSED : outcome);
    close_socket(connection);
    if (outcome == BACKEND_UNUSED) /* it was not the scanner: no other would do better */
        end(connection, OP_FAILED);
    else
        next_attempt(connection);
}

void connection_worked(struct connection *connection)
{
    struct slice farewell = connection->protocol->farewell;

    connection->is_complete = connection_is_complete(connection); /* before anything else is sent */
    if (farewell.len > 0 && connection_is_sent(connection))
        (void)send(connection->fd, farewell.ptr, farewell.len, MSG_NOSIGNAL);
    give_back(connection, BACKEND_WORKED);
    end(connection, OP_OK);
}

/* ---- connecting ---- */

static int open_socket(struct connection *connection, const struct sockaddr_storage *socket_address,
                       socklen_t length)
{
    static const int on = 1;

    connection->fd =
        socket(socket_address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        return errno;
    if (socket_address->ss_family != AF_UNIX)
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection_events_assign(connection);
    if (connect(connection->fd, (const struct sockaddr *)socket_address, length) == 0) {
        event_active(&connection->writable, EV_WRITE, 1); /* soon, from the loop */
        return 0;
    }
    if (errno == EINPROGRESS) {
        event_add(&connection->writable, NULL);
        return 0;
    }
    return errno;
}

/* How long the next socket address of several may take. */
static uint64_t connect_share(const struct connection *connection)
{
    uint64_t now = now_ms(connection);
    uint64_t left = connection->connect_until_ms > now ? connection->connect_until_ms - now : 0;

    return left / (connection->sockets.count - connection->socket_next);
}

static void connect_next(struct connection *connection)
{
    connection->state = CONNECTION_CONNECTING;
    while (connection->socket_next < connection->sockets.count) {
        size_t n = connection->socket_next;
        close_socket(connection);
        uint64_t share = connect_share(connection);
        int error = open_socket(connection, &connection->sockets.sockets[n],
                                connection->sockets.lengths[n]);
        if (error == EAGAIN && share > BACKLOG_MS)
            share = BACKLOG_MS; /* and then this one again */
        else
            connection->socket_next++;
        if (error == 0 || error == EAGAIN) {
            connection->connect_error = error;
            set_timer(connection, share);
            return;
        }
        connection->connect_error = error;
    }
    connection_failed(connection, BACKEND_NO_CONNECTION,
                      connection->sockets.count == 0        ? "the name is not known"
                      : connection->connect_error == 0      ? "no connection in time"
                      : connection->connect_error == EAGAIN ? "its queue stays full"
                                                            : strerror(connection->connect_error));
}

/* An answer has to come while there is time for the other addresses. */
static void watch_silence(struct connection *connection)
{
    uint64_t now = now_ms(connection);

    if (connection->deadline_ms > now && !connection->has_answer &&
        backend_has_more(backend_of(connection), connection->tried))
        set_timer(connection, (connection->deadline_ms - now) / 2);
}

void connection_connected(struct connection *connection, int error)
{
    event_del(&connection->timer);
    if (error != 0) {
        connection->connect_error = error;
        connect_next(connection);
        return;
    }
    connection->state = CONNECTION_OPEN;
    watch_silence(connection);
    connection->protocol->begin(connection->owner, connection);
}

static void on_timer(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct connection *connection = arg;

    if (connection->state == CONNECTION_CONNECTING)
        connect_next(connection);
    else if (!connection->has_answer)
        connection_failed(connection, BACKEND_NO_ANSWER, "no answer in half of the time left");
}

/* ---- the interface ---- */

static void release(struct connection *connection)
{
    close_socket(connection);
    buf_free(&connection->put);
    buf_free(&connection->input);
    buf_free(&connection->bad);
    buf_free(&connection->error);
    free(connection);
}

static void on_end(struct op *op, enum op_result result)
{
    struct connection *connection = (struct connection *)(void *)op;
    const struct connection_protocol *protocol = connection->protocol;

    if (result == OP_TIMEOUT) {
        char why[64];
        snprintf(why, sizeof(why), "no answer within %s",
                 units_print_time(connection->request->timeout_ms).text);
        add_error(connection, why);
        give_back(connection,
                  connection->state == CONNECTION_OPEN ? BACKEND_NO_ANSWER : BACKEND_NO_CONNECTION);
        close_socket(connection);
        connection->state = CONNECTION_ENDED;
    }
    protocol->done(connection->owner, result == OP_OK, buf_slice(&connection->error));
    release(connection);
}

/* The message is whole: from now on time counts. */
static void start_deadline(struct connection *connection)
{
    uint64_t timeout = connection->request->timeout_ms;

    connection->deadline_ms = now_ms(connection) + timeout;
    op_abandon(&connection->op);
    op_start(&connection->op, connection->request->worker, timeout, on_end);
}

struct connection *connection_start(const struct scan_request *request,
                                    const struct connection_protocol *protocol, void *owner)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL)
        return NULL;
    connection->request = request;
    connection->protocol = protocol;
    connection->owner = owner;
    connection->fd = connection->address = -1;
    connection->put.max = CONNECTION_PUT_MAX;
    connection->input.max = protocol->input_max;
    connection->bad.max = connection->error.max = ERRORS_MAX;
    event_assign(&connection->timer, worker_base(request->worker), -1, 0, on_timer, connection);
    if (message_is_whole(request->message))
        start_deadline(connection);
    else
        op_start(&connection->op, request->worker, 0, on_end);
    connection->is_early = connection->deadline_ms == 0;
    next_attempt(connection);
    return connection;
}

void connection_more(struct connection *connection)
{
    if (connection->state == CONNECTION_ENDED)
        return;
    if (connection->deadline_ms == 0 && message_is_whole(connection->request->message)) {
        start_deadline(connection);
        if (connection->state == CONNECTION_OPEN)
            watch_silence(connection);
    }
    if (connection->state == CONNECTION_OPEN) {
        connection_push(connection);
    } else if (connection->state == CONNECTION_WAITING && connection->deadline_ms != 0) {
        begin_again(connection);
    }
}

void connection_abandon(struct connection **connection)
{
    struct connection *gone = *connection;

    *connection = NULL;
    if (gone == NULL)
        return;
    op_abandon(&gone->op);
    give_back(gone, BACKEND_UNUSED);
    release(gone);
}

bool connection_is_complete(const struct connection *connection)
{
    if (connection->state == CONNECTION_ENDED)
        return connection->is_complete;
    return message_is_whole(connection->request->message) && connection_is_sent(connection) &&
           !connection->is_reset && connection_is_taken(connection);
}

const char *connection_host(const struct connection *connection)
{
    return backend_host(backend_of(connection), (unsigned)connection->address);
}

void connection_saw_version(const struct connection *connection, struct slice version)
{
    (void)backend_saw_version(backend_of(connection), (unsigned)connection->address, version);
}
