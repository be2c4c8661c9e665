/* common/net/redis_link.h - one connection to one Redis server (or Sentinel), commands pipelined, without blocking.
 *
 * Of hiredis its connection, buffers, formatter and reader are used, not its asynchronous layer: that one ends the
 * process by an assertion when a server sends a reply nobody asked for, frees itself inside of calls and knows no
 * deadlines. Used on one loop's thread alone. */
#ifndef GATEHOUSE_NET_REDIS_LINK_H
#define GATEHOUSE_NET_REDIS_LINK_H

#include "common/net/redis_reply.h"
#include "common/net/resolver.h"

struct event_base;
struct redis_link; /* opaque */

struct redis_target {
    char address[108]; /* numeric, or the path of a unix socket */
    uint16_t port; /* 0: a unix socket */
};

enum { REDIS_LINK_PENDING_MOST = 8192 }; /* commands under way */

/* The answer to one command, from the loop; NULL: the connection was lost before it came, and the command may or may
 * not have run. The reply is borrowed for the call. */
typedef void redis_reply_fn(void *arg, const struct redisReply *reply);

struct redis_link_owner {
    void *arg;
    void (*connected)(void *arg);
    /* It is of no use any more (error, end, garbage, silence); `why` is borrowed. The owner closes it now or later;
     * nothing else happens to it until then. */
    void (*lost)(void *arg, const char *why);
};

struct redis_link_times {
    unsigned connect_ms;
    /* With commands under way, no reply for this long (at most twice) is a loss. */
    unsigned silence_ms;
};

/* NULL: could not even begin (*why says it, in at most `size` bytes). `owner` is copied; it is not called from inside. */
struct redis_link *redis_link_open(struct event_base *base, const struct redis_target *target,
                                   struct redis_link_times times,
                                   const struct redis_link_owner *owner, char *why, size_t size);

/* The addresses of one server, tried one after the other. */
struct redis_targets {
    struct resolver_answer known;
    size_t next; /* the first that has not been tried */
    uint16_t port;
};
bool redis_targets_left(const struct redis_targets *targets); /* is there one to try? */
/* Connects to the next address, past those where not even a beginning can be made. NULL: none is left, the last said `why`
 * (which stays as it is where there was none to try). */
struct redis_link *redis_link_open_next(struct event_base *base, struct redis_targets *targets,
                                        struct redis_link_times times,
                                        const struct redis_link_owner *owner, char *why,
                                        size_t size);

/* Commands under way end with reply NULL, from inside. May be called from any callback of the link. */
void redis_link_close(struct redis_link **link);

/* False: not connected, too much is under way, or memory is out; `fn` is not called then. */
bool redis_link_send(struct redis_link *link, size_t count, const char **texts,
                     const size_t *lengths, redis_reply_fn *fn, void *arg);

#endif
