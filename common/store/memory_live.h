/* common/store/memory_live.h - the live hashes of the memory store: limit:NAME, class, list:NAME, map:NAME, rule ... Any
 * thread; readers do not wait for each other. For common/store/ alone. */
#ifndef GATEHOUSE_STORE_MEMORY_LIVE_H
#define GATEHOUSE_STORE_MEMORY_LIVE_H

#include "common/base/arena.h"
#include "common/store/hashtable.h"
#include "common/store/store.h"

#include <pthread.h>

struct live {
    pthread_rwlock_t lock;
    struct hashtable hashes;
    uint64_t version; /* of the last change of any hash */
    uint64_t used, max; /* bytes */
};

bool live_init(struct live *live, uint64_t max);
void live_free(struct live *live);

/* Between live_lock() and live_unlock(), for reading: a hash (NULL when there is none) and the text of a field (absent
 * when it is not there), borrowed until live_unlock(). */
struct live_hash;
void live_lock(struct live *live);
void live_unlock(struct live *live);
struct live_hash *live_hash_find(struct live *live, struct slice key);
struct slice live_text(struct live_hash *hash, struct slice field);

/* The field has this text; absent: it is not there. `hash` may be NULL. */
bool live_has(struct live_hash *hash, struct slice field, struct slice text);

/* False: the arena is full. */
bool live_fetch(struct live *live, struct slice key, const struct slice *fields, size_t count,
                struct slice *texts, struct arena *arena);
bool live_read(struct live *live, struct slice key, struct arena *arena,
               struct store_field **fields, size_t *count);
void live_version(struct live *live, struct slice key, char out[48]);

/* As store_write(); an unchanged text is no change. Fields whose `until` has passed are removed on the way, a few at
 * each call. False: the bound or memory is reached. */
bool live_write(struct live *live, struct slice key, struct slice field, struct slice text,
                uint64_t wall_ms, bool *existed);

/* As store_swap(); sets `is_written`. False: the bound or memory is reached. */
bool live_swap(struct live *live, struct store_swap *swap, uint64_t wall_ms);

uint64_t live_used(struct live *live);

#endif
