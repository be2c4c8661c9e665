/* tests/fakes/scripted_redis.c - see scripted_redis.h. */
#include "tests/fakes/scripted_redis.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

enum { ASKED_MOST = 1 << 16 };

void scripted_redis_drop(struct scripted_redis *server)
{
    if (server->conn != NULL)
        bufferevent_free(server->conn);
    server->conn = NULL;
}

static void on_end(UNUSED struct bufferevent *conn, UNUSED short what, void *arg)
{
    scripted_redis_drop(arg);
}

/* One command comes in one piece: the next is not sent before its answer. */
static void on_command(struct bufferevent *conn, void *arg)
{
    struct evbuffer *in = bufferevent_get_input(conn);
    struct scripted_redis *server = arg;
    size_t len = evbuffer_get_length(in);
    const char *reply =
        server->given < server->reply_count ? server->replies[server->given++] : NULL;

    buf_add(&server->asked, (struct slice){ (const char *)evbuffer_pullup(in, -1), len });
    evbuffer_drain(in, len);
    if (reply != NULL && reply[0] == '\0')
        scripted_redis_drop(server);
    else if (reply != NULL)
        bufferevent_write(conn, reply, strlen(reply));
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                      UNUSED struct sockaddr *address, UNUSED int size, void *arg)
{
    struct scripted_redis *server = arg;

    scripted_redis_drop(server);
    server->accepted++;
    server->given = 0;
    server->conn =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(server->conn, on_command, NULL, on_end, server);
    bufferevent_enable(server->conn, EV_READ | EV_WRITE);
}

bool scripted_redis_start(struct scripted_redis *server, struct event_base *base,
                          const char *address, uint16_t port)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
    socklen_t len = sizeof name;

    *server = (struct scripted_redis){ .asked = BUF_INIT(ASKED_MOST) };
    if (inet_pton(AF_INET, address, &name.sin_addr) != 1)
        return false;
    server->listener = evconnlistener_new_bind(base, on_accept, server, LEV_OPT_CLOSE_ON_FREE, 16,
                                               (struct sockaddr *)&name, sizeof name);
    if (server->listener == NULL ||
        getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&name, &len) != 0)
        return false;
    server->port = ntohs(name.sin_port);
    return true;
}

void scripted_redis_stop(struct scripted_redis *server)
{
    scripted_redis_drop(server);
    buf_free(&server->asked);
    if (server->listener != NULL)
        evconnlistener_free(server->listener);
    server->listener = NULL;
}
