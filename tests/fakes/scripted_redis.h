/* tests/fakes/scripted_redis.h - who speaks Redis' protocol on a port of loopback, on the test's own loop, and gives each
 * command the next of the replies that the test has written down. For one connection at a time, commands not pipelined. */
#ifndef GATEHOUSE_TESTS_SCRIPTED_REDIS_H
#define GATEHOUSE_TESTS_SCRIPTED_REDIS_H

#include "common/base/buf.h"

struct event_base;
struct evconnlistener;
struct bufferevent;

struct scripted_redis {
    /* One for each command of a connection; NULL (also beyond the last): none, "": the end of the connection. Borrowed. */
    const char *const *replies;
    size_t reply_count;
    struct buf asked; /* every byte it was sent */
    unsigned accepted; /* connections so far */
    uint16_t port;
    /* own */
    struct evconnlistener *listener;
    struct bufferevent *conn; /* the last one */
    size_t given;
};

/* On a port that is free, or on `port`. False: that one is not. */
bool scripted_redis_start(struct scripted_redis *server, struct event_base *base,
                          const char *address, uint16_t port);
void scripted_redis_drop(struct scripted_redis *server); /* ends the connection */
void scripted_redis_stop(struct scripted_redis *server); /* also one that has not been started */

#endif
