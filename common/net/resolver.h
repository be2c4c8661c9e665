/* common/net/resolver.h - names of servers to addresses, off the loop: getaddrinfo() runs in a thread of its own and
 * posts back, so a dead name server delays nobody. One question at a time; what was last known is remembered and
 * serves when no answer comes in time. Used on one loop's thread alone. */
#ifndef GATEHOUSE_NET_RESOLVER_H
#define GATEHOUSE_NET_RESOLVER_H

#include "common/base/slice.h"

struct event_base;
struct resolver; /* opaque */

enum { RESOLVER_ADDRESSES_MOST = 8, RESOLVER_ADDRESS_SIZE = 64 };

struct resolver_answer {
    char addresses[RESOLVER_ADDRESSES_MOST][RESOLVER_ADDRESS_SIZE]; /* numeric, IPv4 or IPv6 */
    size_t count; /* 0: not known */
};
/* Exactly once per question, from the loop. The answer is borrowed for the call. */
typedef void resolver_fn(void *arg, const struct resolver_answer *answer);

struct resolver *resolver_new(struct event_base *base); /* NULL: out of memory */
void resolver_free(struct resolver **resolver); /* a question under way ends without `fn` */

/* A question under way is dropped, without its `fn`. */
void resolver_ask(struct resolver *resolver, const char *name, unsigned timeout_ms, resolver_fn *fn,
                  void *arg);
void resolver_stop(struct resolver *resolver);

#endif
