/* common/base/recent.c - see recent.h. A chained table beside a list in order of age; as all live equally long, the
 * oldest expires first. */
#include "common/base/recent.h"

bool recent_init(struct recent *recent, size_t max, uint64_t ttl_ms,
                 void (*drop)(struct recent_entry *entry))
{
    size_t buckets = 16;

    while (buckets < max && buckets < SIZE_MAX / 4)
        buckets *= 2;
    *recent =
        (struct recent){ .bucket_count = buckets, .max = max, .ttl_ms = ttl_ms, .drop = drop };
    recent->buckets = calloc(buckets, sizeof(struct recent_entry *));
    return recent->buckets != NULL;
}

static struct recent_entry **bucket_of(struct recent *recent, uint64_t key)
{
    return &recent->buckets[key & (recent->bucket_count - 1)];
}

void recent_drop(struct recent *recent, struct recent_entry *entry)
{
    struct recent_entry **at = bucket_of(recent, entry->key);

    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    *(entry->older == NULL ? &recent->oldest : &entry->older->newer) = entry->newer;
    *(entry->newer == NULL ? &recent->newest : &entry->newer->older) = entry->older;
    recent->count--;
    recent->drop(entry);
}

void recent_clear(struct recent *recent)
{
    while (recent->oldest != NULL)
        recent_drop(recent, recent->oldest);
    free(recent->buckets);
    recent->buckets = NULL;
}

static void forget_expired(struct recent *recent, uint64_t now_ms)
{
    while (recent->oldest != NULL && recent->oldest->expires_ms <= now_ms)
        recent_drop(recent, recent->oldest);
}

struct recent_entry *recent_find(struct recent *recent, uint64_t key, uint64_t now_ms)
{
    forget_expired(recent, now_ms);
    struct recent_entry *entry = *bucket_of(recent, key);
    while (entry != NULL && entry->key != key)
        entry = entry->chain;
    return entry;
}

void recent_add(struct recent *recent, struct recent_entry *entry, uint64_t key, uint64_t now_ms)
{
    struct recent_entry **bucket = bucket_of(recent, key);

    forget_expired(recent, now_ms);
    if (recent->count >= recent->max) {
        recent_drop(recent, recent->oldest);
        __builtin_prefetch(recent->oldest); /* long untouched, and looked at in the next call */
    }
    *entry = (struct recent_entry){
        .key = key, .expires_ms = now_ms + recent->ttl_ms, .chain = *bucket, .older = recent->newest
    };
    *bucket = entry;
    *(recent->newest == NULL ? &recent->oldest : &recent->newest->newer) = entry;
    recent->newest = entry;
    recent->count++;
}
