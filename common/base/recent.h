/* common/base/recent.h - a bounded memory of recent things by 64-bit key (hash_keyed() of what they are): each is
 * forgotten a fixed time after it was added, or earlier, oldest first, when there are too many. Intrusive: an entry is
 * the first member of the caller's own structure. Not thread-safe. */
#ifndef GATEHOUSE_BASE_RECENT_H
#define GATEHOUSE_BASE_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct recent_entry {
    uint64_t key, expires_ms;
    struct recent_entry *chain, *older, *newer;
};

struct recent {
    struct recent_entry **buckets;
    size_t bucket_count, count, max;
    struct recent_entry *oldest, *newest;
    uint64_t ttl_ms;
    void (*drop)(struct recent_entry *entry); /* frees an entry that is forgotten */
};

/* `max` entries at most. False: out of memory. */
bool recent_init(struct recent *recent, size_t max, uint64_t ttl_ms,
                 void (*drop)(struct recent_entry *entry));
/* Drops all; the memory must be initialised again to be used. */
void recent_clear(struct recent *recent);

/* NULL: not there, or no longer. Expired entries are dropped on the way. */
struct recent_entry *recent_find(struct recent *recent, uint64_t key, uint64_t now_ms);

/* Takes ownership. An entry of the same key must not be there. */
void recent_add(struct recent *recent, struct recent_entry *entry, uint64_t key, uint64_t now_ms);
void recent_drop(struct recent *recent, struct recent_entry *entry);

#endif
