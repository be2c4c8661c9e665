/* tests/fakes/fake_scanner.c - see fake_scanner.h. */
#include "tests/fakes/fake_scanner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/fakes/free_port.h"

enum { RECEIVED_MAX = 64 << 20 };

struct fake_connection {
    struct fake_scanner *server;
    int fd;
    struct event *readable, *writable, *timer;
    const struct fake_step *step;
    size_t sent; /* bytes of the step, or repetitions */
    size_t part; /* of the repetition */
    bool ended; /* the client has */
};

static void die(const char *what)
{
    perror(what);
    abort();
}

static void close_connection(struct fake_connection *connection)
{
    for (size_t i = 0; i < FAKE_CONNECTIONS_MOST; i++)
        if (connection->server->open[i] == connection)
            connection->server->open[i] = NULL;
    event_free(connection->readable);
    event_free(connection->writable);
    event_free(connection->timer);
    close(connection->fd);
    free(connection);
}

static bool has_come(const struct fake_connection *connection, struct slice text)
{
    const struct buf *received = &connection->server->received;

    if (text.len == 0)
        return connection->ended;
    return received->len > 0 && memmem(received->data, received->len, text.ptr, text.len) != NULL;
}

/* True: all of it has gone. False: later, or the client has gone. */
static bool send_step(struct fake_connection *connection, size_t repetitions)
{
    const struct fake_step *step = connection->step;

    while (connection->sent < repetitions) {
        ssize_t sent = send(connection->fd, step->text.ptr + connection->part,
                            step->text.len - connection->part, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            event_add(connection->writable, NULL);
            return false;
        }
        if (sent < 0)
            return true;
        connection->part += (size_t)sent;
        if (connection->part == step->text.len) {
            connection->part = 0;
            connection->sent++;
        }
    }
    return true;
}

static bool drip(struct fake_connection *connection)
{
    const struct timeval tick = { 0, 1000 };

    if (connection->sent == connection->step->text.len)
        return true;
    ssize_t sent = send(connection->fd, connection->step->text.ptr + connection->sent, 1,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        return true;
    connection->sent += sent == 1; /* else this byte again: the client is behind */
    evtimer_add(connection->timer, &tick);
    return false;
}

static bool step_is_done(struct fake_connection *connection)
{
    static const struct linger now = { 1, 0 };
    const struct fake_step *step = connection->step;

    switch (step->kind) {
    case STEP_READ:
        if (has_come(connection, step->text))
            return true;
        if (!connection->ended)
            return false;
        break; /* it will never come */
    case STEP_READ_BYTES:
        return connection->server->received.len >= step->count;
    case STEP_SEND:
        return send_step(connection, step->text.len > 0);
    case STEP_FLOOD:
        return send_step(connection, step->count);
    case STEP_DRIP:
        return drip(connection);
    case STEP_HALF_CLOSE:
        shutdown(connection->fd, SHUT_WR);
        return true;
    case STEP_RESET:
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        break;
    case STEP_HANG:
        event_del(connection->readable);
        return false;
    case STEP_CLOSE:
        break;
    }
    close_connection(connection);
    return false;
}

static void run(struct fake_connection *connection)
{
    while (step_is_done(connection)) {
        connection->step++;
        connection->sent = connection->part = 0;
    }
}

static void on_readable(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct fake_connection *connection = arg;
    char space[65536];
    ssize_t got = recv(connection->fd, space, sizeof(space), MSG_DONTWAIT);

    if (got > 0) {
        if (buf_add(&connection->server->received, (struct slice){ space, (size_t)got }))
            die("received");
    } else if (got == 0 || errno != EAGAIN) {
        connection->ended = connection->server->client_ended = true;
        event_del(connection->readable);
    }
    run(connection);
}

static void on_step(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    run(arg);
}

static const struct fake_step *script_of(const struct fake_scanner *server, size_t n)
{
    size_t count = 0;

    while (count < FAKE_SCRIPTS_MOST && server->scripts[count] != NULL)
        count++;
    if (server->rotates)
        return server->scripts[n % count];
    while (n >= FAKE_SCRIPTS_MOST || (n > 0 && server->scripts[n] == NULL))
        n--;
    return server->scripts[n];
}

static void on_accept(evutil_socket_t listener, UNUSED short what, void *arg)
{
    struct fake_scanner *server = arg;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    size_t slot = 0;

    if (fd < 0)
        return;
    while (slot < FAKE_CONNECTIONS_MOST - 1 && server->open[slot] != NULL)
        slot++;
    struct fake_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL || server->open[slot] != NULL)
        die("too many connections");
    server->open[slot] = connection;
    buf_clear(&server->received);
    server->client_ended = false;
    connection->server = server;
    connection->fd = fd;
    connection->step = script_of(server, server->connections++);
    connection->readable =
        event_new(server->base, fd, EV_READ | EV_PERSIST, on_readable, connection);
    connection->writable = event_new(server->base, fd, EV_WRITE, on_step, connection);
    connection->timer = evtimer_new(server->base, on_step, connection);
    event_add(connection->readable, NULL);
    run(connection);
}

static int listen_unix(struct fake_scanner *server)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(server->directory, sizeof(server->directory), "/tmp/fake-scanner-XXXXXX");
    if (mkdtemp(server->directory) == NULL)
        die("mkdtemp");
    snprintf(server->path, sizeof(server->path), "%s/socket", server->directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("bind");
    snprintf(server->address, sizeof(server->address), "unix:%s", server->path);
    return fd;
}

/* A port that nobody else is given when it is closed: who connects there then is refused. */
static int listen_inet(struct fake_scanner *server)
{
    const uint16_t port = free_port();
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("bind");
    snprintf(server->address, sizeof(server->address), "inet:127.0.0.1:%u", port);
    return fd;
}

void fake_scanner_start(struct fake_scanner *server, struct event_base *base, bool is_unix,
                        const struct fake_step *script)
{
    *server = (struct fake_scanner){ .base = base, .received = BUF_INIT(RECEIVED_MAX) };
    server->scripts[0] = script;
    server->fd = is_unix ? listen_unix(server) : listen_inet(server);
    if (listen(server->fd, 16) != 0)
        die("listen");
    server->accepting = event_new(base, server->fd, EV_READ | EV_PERSIST, on_accept, server);
    event_add(server->accepting, NULL);
}

void fake_scanner_refuse(struct fake_scanner *server)
{
    if (server->accepting != NULL)
        event_free(server->accepting);
    server->accepting = NULL;
    if (server->fd >= 0)
        close(server->fd);
    server->fd = -1;
}

static int connect_to(const struct fake_scanner *server)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    int fd;

    if (getsockname(server->fd, (struct sockaddr *)&address, &size) != 0)
        die("getsockname");
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        die("socket");
    if (connect(fd, (struct sockaddr *)&address, size) == 0 || errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

void fake_scanner_hang(struct fake_scanner *server)
{
    event_del(server->accepting);
    if (listen(server->fd, 0) != 0)
        die("listen");
    while (server->filler_count < 4) { /* one fits into a queue of 0; what is over is dropped */
        int fd = connect_to(server);
        if (fd < 0)
            return;
        server->fillers[server->filler_count++] = fd;
    }
}

void fake_scanner_accept_again(struct fake_scanner *server)
{
    while (server->filler_count > 0)
        close(server->fillers[--server->filler_count]);
    if (listen(server->fd, 16) != 0)
        die("listen");
    event_add(server->accepting, NULL);
}

void fake_scanner_stop(struct fake_scanner *server)
{
    fake_scanner_refuse(server);
    while (server->filler_count > 0)
        close(server->fillers[--server->filler_count]);
    for (size_t i = 0; i < FAKE_CONNECTIONS_MOST; i++)
        if (server->open[i] != NULL)
            close_connection(server->open[i]);
    if (server->path[0] != '\0') {
        unlink(server->path);
        rmdir(server->directory);
    }
    buf_free(&server->received);
}
