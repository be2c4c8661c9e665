/* tests/fakes/dns_server.c - see dns_server.h. */
#include "tests/fakes/dns_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fakes/free_port.h"

enum { QUERY_MAX = 1024, TCP_HEAD = 2 };

struct dns_server_timer { /* a UDP answer that is sent later */
    struct dns_server_timer *next;
    struct dns_server *server;
    struct event *event;
    struct sockaddr_storage to;
    socklen_t to_len;
    struct dns_reply *reply;
};

struct dns_server_stream { /* a TCP connection: one query at a time, whole in one read */
    struct dns_server_stream *next;
    struct dns_server *server;
    struct event *event;
    int fd;
};

static void give_up(const char *what)
{
    fprintf(stderr, "dns_server: %s: %s\n", what, strerror(errno));
    abort();
}

static int bound_socket(const struct dns_server *server, int type)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(server->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int on = 1;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)(const void *)&address, sizeof address) != 0)
        give_up("bind");
    return fd;
}

/* False: this is no query. */
static bool query_read(const unsigned char *bytes, size_t len, struct dns_query *query)
{
    size_t at = DNS_HEADER_SIZE, used = 0;

    while (at < len && bytes[at] != 0) {
        size_t label = bytes[at++];
        if (label > 63 || label > len - at || used + label + 2 > sizeof query->name)
            return false;
        if (used > 0)
            query->name[used++] = '.';
        memcpy(query->name + used, bytes + at, label);
        used += label;
        at += label;
    }
    if (at + 4 >= len)
        return false;
    query->name[used] = '\0';
    query->type = (uint16_t)(bytes[at + 1] << 8 | bytes[at + 2]);
    return true;
}

static struct dns_reply *make_reply(struct dns_server *server, const unsigned char *bytes,
                                    size_t len, bool is_tcp)
{
    struct dns_query query = { .is_tcp = is_tcp };
    struct dns_reply *reply = calloc(1, sizeof *reply);

    if (reply == NULL || !query_read(bytes, len, &query))
        give_up("a bad query");
    reply->copies = 1;
    dns_message_begin(&reply->message, query.name, query.type, RCODE_OK);
    memcpy(reply->message.bytes, bytes, 2);
    if (query.name[0] == '\0')
        server->probes++;
    else
        server->queries++;
    server->tcp_queries += is_tcp;
    server->answer(server->arg, &query, reply);
    return reply;
}

static void udp_send(const struct dns_server *server, const struct dns_reply *reply,
                     const struct sockaddr_storage *to, socklen_t to_len)
{
    for (unsigned i = 0; i < reply->copies; i++)
        (void)!sendto(server->udp, reply->message.bytes, reply->message.len, 0,
                      (const struct sockaddr *)(const void *)to, to_len);
}

static void timer_free(struct dns_server_timer *timer)
{
    event_free(timer->event);
    free(timer->reply);
    free(timer);
}

static void timer_fired(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct dns_server_timer *timer = arg, **link = &timer->server->timers;

    udp_send(timer->server, timer->reply, &timer->to, timer->to_len);
    while (*link != timer)
        link = &(*link)->next;
    *link = timer->next;
    timer_free(timer);
}

static void send_later(struct dns_server *server, struct dns_reply *reply,
                       const struct sockaddr_storage *to, socklen_t to_len)
{
    const struct timeval delay = { reply->delay_ms / 1000, (reply->delay_ms % 1000) * 1000 };
    struct dns_server_timer *timer = calloc(1, sizeof *timer);

    if (timer == NULL)
        give_up("calloc");
    *timer = (struct dns_server_timer){
        .next = server->timers, .server = server, .to = *to, .to_len = to_len, .reply = reply
    };
    server->timers = timer;
    timer->event = evtimer_new(server->base, timer_fired, timer);
    event_add(timer->event, &delay);
}

static void udp_readable(evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct dns_server *server = arg;
    unsigned char bytes[QUERY_MAX];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    ssize_t len = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)(void *)&from, &from_len);

    if (len <= 0)
        return;
    struct dns_reply *reply = make_reply(server, bytes, (size_t)len, false);
    if (reply->delay_ms > 0 && !reply->is_silent) {
        send_later(server, reply, &from, from_len);
        return;
    }
    if (!reply->is_silent)
        udp_send(server, reply, &from, from_len);
    free(reply);
}

static void stream_free(struct dns_server_stream *stream)
{
    event_free(stream->event);
    close(stream->fd);
    free(stream);
}

/* The socket's buffer holds the largest answer (tcp_readable): who reads it is on the same loop. */
static void stream_send(const struct dns_server_stream *stream, const struct dns_message *message)
{
    const unsigned char head[TCP_HEAD] = { (unsigned char)(message->len >> 8),
                                           (unsigned char)message->len };

    if (send(stream->fd, head, sizeof head, MSG_MORE | MSG_NOSIGNAL) != sizeof head ||
        send(stream->fd, message->bytes, message->len, MSG_NOSIGNAL) != (ssize_t)message->len)
        give_up("send");
}

static void stream_readable(evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct dns_server_stream *stream = arg;
    unsigned char bytes[QUERY_MAX];
    ssize_t len = recv(fd, bytes, sizeof bytes, 0);

    if (len > TCP_HEAD) {
        struct dns_reply *reply =
            make_reply(stream->server, bytes + TCP_HEAD, (size_t)len - TCP_HEAD, true);
        if (!reply->is_silent)
            stream_send(stream, &reply->message);
        free(reply);
    } else {
        event_del(stream->event);
    }
}

static void tcp_readable(evutil_socket_t fd, UNUSED short what, void *arg)
{
    enum { ROOM = 1 << 20 };
    struct dns_server *server = arg;
    struct dns_server_stream *stream = calloc(1, sizeof *stream);
    const int room = ROOM;

    if (stream == NULL)
        give_up("calloc");
    stream->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (stream->fd < 0)
        give_up("accept");
    setsockopt(stream->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    stream->server = server;
    stream->next = server->streams;
    server->streams = stream;
    stream->event =
        event_new(server->base, stream->fd, EV_READ | EV_PERSIST, stream_readable, stream);
    event_add(stream->event, NULL);
}

void dns_server_start(struct dns_server *server)
{
    server->udp = bound_socket(server, SOCK_DGRAM);
    server->tcp = bound_socket(server, SOCK_STREAM);
    if (listen(server->tcp, 16) != 0)
        give_up("listen");
    server->udp_event =
        event_new(server->base, server->udp, EV_READ | EV_PERSIST, udp_readable, server);
    server->tcp_event =
        event_new(server->base, server->tcp, EV_READ | EV_PERSIST, tcp_readable, server);
    event_add(server->udp_event, NULL);
    event_add(server->tcp_event, NULL);
}

struct dns *dns_server_dns(const struct dns_server *server, struct worker *worker,
                           uint64_t timeout_ms)
{
    struct slice resolver = slice_of(server->text);
    const struct dns_options options = { .resolvers = &resolver,
                                         .resolver_count = 1,
                                         .timeout_ms = timeout_ms };
    AUTO_BUF error = BUF_INIT(200);
    struct dns *dns = dns_new(worker, &options, &error);

    if (dns == NULL)
        give_up(buf_text(&error));
    return dns;
}

void dns_server_init(struct dns_server *server, struct event_base *base,
                     void (*answer)(void *arg, const struct dns_query *query,
                                    struct dns_reply *reply),
                     void *arg)
{
    *server = (struct dns_server){ .base = base, .answer = answer, .arg = arg };
    server->port = held_port();
    snprintf(server->text, sizeof server->text, "127.0.0.1@%u", server->port);
}

void dns_server_stop(struct dns_server *server)
{
    if (server->udp_event == NULL)
        return;
    event_free(server->udp_event);
    event_free(server->tcp_event);
    server->udp_event = server->tcp_event = NULL;
    close(server->udp);
    close(server->tcp);
    while (server->streams != NULL) {
        struct dns_server_stream *next = server->streams->next;
        stream_free(server->streams);
        server->streams = next;
    }
    while (server->timers != NULL) {
        struct dns_server_timer *next = server->timers->next;
        timer_free(server->timers);
        server->timers = next;
    }
}
