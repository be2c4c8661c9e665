/* common/store/memory_log.h - the last decision lines of the memory store: a ring, bounded in lines and bytes. Any
 * thread. For common/store/ alone. */
#ifndef GATEHOUSE_STORE_MEMORY_LOG_H
#define GATEHOUSE_STORE_MEMORY_LOG_H

#include "common/store/store.h"

#include <pthread.h>

struct log_line;

struct log_ring {
    pthread_mutex_t lock;
    struct log_line *lines; /* `room` of them; line n is at n % room */
    char *texts; /* `size` bytes; the texts lie in it one after the other, round and round */
    uint64_t first, next; /* numbers of the oldest line and of the next one */
    size_t room, size, end; /* `end`: where the newest text ends */
    uint64_t last_ms, last_sequence; /* of the newest id */
};

/* Keeps at most so many lines, of so many bytes together (below 2^32). False: out of memory; free it all the same. */
bool log_ring_init(struct log_ring *ring, size_t lines, size_t bytes);
void log_ring_free(struct log_ring *ring);

/* False: it is longer than the ring. The id is `MILLISECONDS-SEQUENCE`, always growing. */
bool log_ring_add(struct log_ring *ring, struct slice line, uint64_t wall_ms);
/* False: the arena is full, or `after` is no id. */
bool log_ring_read(struct log_ring *ring, struct store_log_read *read);

#endif
