/* common/store/memory_owed.h - the journal of charges that only this process has, until they are written back; see
 * store_memory.h. Any thread. For common/store/ alone. */
#ifndef GATEHOUSE_STORE_MEMORY_OWED_H
#define GATEHOUSE_STORE_MEMORY_OWED_H

#include "common/store/store_memory.h"

#include <pthread.h>

#define OWED_MAX 65536u /* charges */

struct owed_record;

struct owed {
    pthread_mutex_t lock;
    /* OWED_MAX of them once needed; number n is at n % OWED_MAX, NULL when settled. */
    struct owed_record **records;
    uint64_t first, next; /* numbers of the oldest record and of the next one */
    uint64_t free_from; /* none before this number waits to be taken */
    uint64_t count, lost;
    size_t bytes, bytes_max;
};

void owed_init(struct owed *owed, size_t bytes_max);
void owed_free(struct owed *owed);

/* The uses of an admitted charge that add something. Its number; 0 when nothing was added or memory is out (which is
 * counted as lost). */
uint64_t owed_add(struct owed *owed, const struct store_charge *charge);
bool owed_take(struct owed *owed, uint64_t now_ms, struct arena *arena, struct store_owed *out);
void owed_return(struct owed *owed, uint64_t id);
void owed_settle(struct owed *owed, uint64_t id);

#endif
