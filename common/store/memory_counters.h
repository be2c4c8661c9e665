/* common/store/memory_counters.h - the counters of the memory store and the charges it remembers by name, in 64 shards.
 * Any thread. For common/store/ alone. */
#ifndef GATEHOUSE_STORE_MEMORY_COUNTERS_H
#define GATEHOUSE_STORE_MEMORY_COUNTERS_H

#include "common/store/hashtable.h"
#include "common/store/store_memory.h"

#include <pthread.h>
#include <stdatomic.h>

#define SHARD_COUNT 64u /* one bit each in a set of shards */

struct shard {
    pthread_mutex_t lock;
    struct hashtable table;
    size_t hand,
        evict_hand; /* slots last looked at for what has expired, for what may be dropped */
    unsigned visits;
    char pad[64]; /* of two shards no locks share a cache line */
};

struct counters {
    struct shard shards[SHARD_COUNT];
    uint64_t max; /* bytes */
    _Atomic uint64_t used, entries, remembered, expired, evicted, uncounted, squeezed, forgotten;
};

bool counters_init(struct counters *counters, uint64_t max);
void counters_free(struct counters *counters);

/* Decides and charges; `rate` of each use is set already. `now_ms` is called when all shards are locked. */
void counters_charge(struct counters *counters, struct store_charge *charge,
                     uint64_t (*now_ms)(const void *arg), const void *arg);
/* Adds the uses' amounts to their buckets without a check; see store_memory_apply(). */
void counters_apply(struct counters *counters, const struct store_charge *charge, uint64_t now_ms);

uint64_t counters_reset(struct counters *counters, struct slice limit, struct slice subject);
/* False: memory is out. */
bool counters_top(struct counters *counters, struct store_top *top, uint64_t now_ms);

#endif
