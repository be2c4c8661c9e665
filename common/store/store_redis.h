/* common/store/store_redis.h - the store in Redis (version 6 or later), shared by all hosts, with the memory store beside
 * it as a local copy (its *shadow*) for the time that Redis does not answer.
 *
 * Each worker has a connection of its own. A charge is one round trip of one script; live overrides are compared there
 * with the texts that the worker assumed, so a change made by anybody is in force with the next charge.
 *
 * A charge that has no answer after 100 ms (answer_ms) is decided by the shadow, and the breaker opens: until a probe is
 * answered in time all charges are decided by the shadow at once. The same while there is no connection, and while Redis
 * refuses writes; but in its first half second (or answer_ms) a process, which knows nothing yet, waits as long for a connection.
 *
 * Charges that the shadow admitted stay in its journal until they are written back under their name, so they count once;
 * a late answer settles them. A charge without a name that was lost on its way may count twice, never not at all; one
 * that the shadow refused and Redis admitted late stays charged there.
 *
 * Greylisting has no local copy: without an answer in time everything passes, degraded. Other calls fail then. Those off a
 * request's path (read, write, poll, reset, top, log_read) first wait for a connection, as long as their deadline lets
 * them. */
#ifndef GATEHOUSE_STORE_STORE_REDIS_H
#define GATEHOUSE_STORE_STORE_REDIS_H

#include "common/net/redis_url.h"
#include "common/store/store.h"
#include "common/store/store_memory.h"

struct event_base;
struct store_redis; /* opaque: what the workers share */

#define STORE_REDIS_SCHEMA "1" /* of the keys; gh:schema must hold it */
#define STORE_REDIS_ANSWER_MS 100 /* what an answer may take, unless options say otherwise */
#define STORE_REDIS_LOG_LINES 100000 /* kept in gh:log, roughly */

struct store_redis_options {
    struct redis_url url;
    struct redis_secrets secrets;
    const struct clock *clock; /* must outlive it */
    struct store_memory *shadow; /* must outlive it; NULL: charges fail without Redis */
    bool own_time; /* scripts are given the clock's time instead of asking Redis: for tests */
    uint64_t answer_ms; /* what an answer to a request may take; 0: STORE_REDIS_ANSWER_MS */
    /* Older decision lines are removed (Redis 6.2 and later); 0: only their number counts. */
    uint64_t log_age_ms;
};

/* NULL: out of memory. */
struct store_redis *store_redis_new(const struct store_redis_options *options);
void store_redis_free(struct store_redis **redis); /* after all its stores; NULL-safe */

/* The back end of one worker, begins to connect. Ended by store_free(). NULL: out of memory. */
struct store *store_redis_open(struct store_redis *redis, struct event_base *base);

#endif
