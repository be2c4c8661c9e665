/* common/store/stores.h - the store of a process, as its configuration names it: one back end for each worker, and what
 * they share behind it. */
#ifndef GATEHOUSE_STORE_STORES_H
#define GATEHOUSE_STORE_STORES_H

#include "common/base/buf.h"
#include "common/store/store_memory.h"

struct event_base;
struct stores; /* opaque */

struct stores_options {
    struct slice url; /* `memory`, or as redis_url.h has it */
    struct slice password_file; /* absent or empty: none */
    uint64_t memory_limit; /* bytes */
    uint64_t answer_ms; /* what Redis may take to answer a request; 0: STORE_REDIS_ANSWER_MS */
    uint64_t log_age_ms; /* decisions in Redis' log; 0: only their number counts */
    const struct clock *clock; /* must outlive it */
};

/* NULL, with one line in *error: a bad URL, an unreadable or bad password file, out of memory. Connects to nothing. */
struct stores *stores_new(const struct stores_options *options, struct buf *error);
void stores_free(struct stores **stores); /* after all its stores; NULL-safe; clears *stores */

/* One worker's, ended by store_free(). NULL: out of memory. */
struct store *stores_open(struct stores *stores, struct event_base *base);

#endif
