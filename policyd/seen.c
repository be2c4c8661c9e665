/* policyd/seen.c - see seen.h. */
#include "policyd/seen.h"

#include "common/base/clock.h"
#include "common/base/recent.h"

#include <pthread.h>

enum { SEEN_SHARDS = 16 };

struct seen {
    struct seen_shard {
        pthread_mutex_t lock;
        struct recent recent;
    } shards[SEEN_SHARDS];
};

static void entry_drop(struct recent_entry *entry)
{
    free(entry);
}

struct seen *seen_new(size_t max)
{
    struct seen *seen = calloc(1, sizeof *seen);

    for (size_t i = 0; seen != NULL && i < SEEN_SHARDS; i++) {
        pthread_mutex_init(&seen->shards[i].lock, NULL);
        if (!recent_init(&seen->shards[i].recent, max / SEEN_SHARDS + 1, 10 * MINUTE, entry_drop)) {
            for (size_t k = 0; k < i; k++)
                recent_clear(&seen->shards[k].recent);
            free(seen);
            return NULL;
        }
    }
    return seen;
}

void seen_free(struct seen **seen)
{
    if (*seen == NULL)
        return;
    for (size_t i = 0; i < SEEN_SHARDS; i++) {
        recent_clear(&(*seen)->shards[i].recent);
        pthread_mutex_destroy(&(*seen)->shards[i].lock);
    }
    free(*seen);
    *seen = NULL;
}

static struct seen_shard *shard_of(struct seen *seen, uint64_t key)
{
    return &seen->shards[key >> 60]; /* the table itself uses the low bits */
}

bool seen_before(struct seen *seen, uint64_t key, uint64_t now_ms)
{
    struct seen_shard *shard = shard_of(seen, key);

    pthread_mutex_lock(&shard->lock);
    bool found = recent_find(&shard->recent, key, now_ms) != NULL;
    pthread_mutex_unlock(&shard->lock);
    return found;
}

void seen_remember(struct seen *seen, uint64_t key, uint64_t now_ms)
{
    struct seen_shard *shard = shard_of(seen, key);

    pthread_mutex_lock(&shard->lock);
    if (recent_find(&shard->recent, key, now_ms) == NULL) {
        struct recent_entry *entry = malloc(sizeof *entry);
        if (entry != NULL)
            recent_add(&shard->recent, entry, key, now_ms);
    }
    pthread_mutex_unlock(&shard->lock);
}
