/* common/net/redis_sentinel.h - asks Redis Sentinels, one after the other, where the master is. One loop's thread. */
#ifndef GATEHOUSE_NET_REDIS_SENTINEL_H
#define GATEHOUSE_NET_REDIS_SENTINEL_H

#include "common/net/redis_url.h"

struct event_base;
struct resolver;
struct redis_sentinel; /* opaque */

/* Exactly once per question, from the loop. `host` NULL: none knew; `why` then says what the last one said. */
typedef void redis_sentinel_fn(void *arg, const struct redis_host *host, const char *why);

/* All are borrowed. NULL: out of memory. */
struct redis_sentinel *redis_sentinel_new(struct event_base *base, struct resolver *resolver,
                                          const struct redis_url *url,
                                          const struct redis_secrets *secrets);
void redis_sentinel_free(struct redis_sentinel **sentinel); /* a question ends without `fn` */

/* Each sentinel has 100 ms for its name and 100 ms for its answer; the one that knew last is asked first. Of a name with
 * several addresses each is asked until one knows, and none may take more than its share of the time. Not while a question
 * is under way. */
void redis_sentinel_ask(struct redis_sentinel *sentinel, redis_sentinel_fn *fn, void *arg);
void redis_sentinel_stop(struct redis_sentinel *sentinel);

#endif
