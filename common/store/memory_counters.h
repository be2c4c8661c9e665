/* common/store/memory_counters.h - the counters of the memory store and the charges it remembers by name. Any thread. For
 * common/store/ alone. */
#ifndef GATEHOUSE_STORE_MEMORY_COUNTERS_H
#define GATEHOUSE_STORE_MEMORY_COUNTERS_H

#include "common/store/memory_entries.h"
#include "common/store/store_memory.h"

struct counters {
    struct entries *entries; /* borrowed; shared with greylisting */
    _Atomic uint64_t uncounted, squeezed, forgotten;
};

/* Decides and charges; `rate` of each use is set already. `now_ms` is called when all shards are locked. */
void counters_charge(struct counters *counters, struct store_charge *charge,
                     uint64_t (*now_ms)(const void *arg), const void *arg);
/* Adds the uses' amounts to their buckets without a check; see store_memory_apply(). */
void counters_apply(struct counters *counters, const struct store_charge *charge, uint64_t now_ms);

uint64_t counters_reset(struct counters *counters, struct slice limit, struct slice subject);
/* False: memory is out. */
bool counters_top(struct counters *counters, struct store_top *top, uint64_t now_ms);

#endif
