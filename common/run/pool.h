/* common/run/pool.h - threads for work that may wait: as many as there is work at the same time, up to a bound. Any thread
 * may hand over work. */
#ifndef GATEHOUSE_RUN_POOL_H
#define GATEHOUSE_RUN_POOL_H

#include <stddef.h>

struct pool; /* opaque */

/* `name` (borrowed) is that of its threads, cut to 15 bytes. NULL: out of memory. */
struct pool *pool_new(const char *name, size_t threads_max);
/* Nothing is handed over any more: waits until all work is done and all threads have ended. NULL-safe; clears. */
void pool_free(struct pool **pool);

/* A piece of work; lives in what it is about, and is not handed over again before run() is called. */
struct pool_task {
    void (*run)(struct pool_task *task); /* on a thread of the pool; may free the task */
    struct pool_task *next; /* private */
};

/* Work begins in the order in which it is handed over, each on a thread of its own, at once unless `threads_max` are busy
 * or the system has no more threads. */
void pool_run(struct pool *pool, struct pool_task *task);

size_t pool_threads(struct pool *pool); /* how many there are now */

#endif
