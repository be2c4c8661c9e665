/* common/store/override_cache.c - see override_cache.h. A hash table with chains, its entries also in a list from the one
 * used last to the one used longest ago. */
#include "common/store/override_cache.h"

#include <sys/queue.h>

#include "common/base/hash.h"

struct entry {
    TAILQ_ENTRY(entry) used;
    SLIST_ENTRY(entry) chain;
    uint64_t hash;
    size_t limit_len, field_len, text_len;
    char bytes[]; /* limit, field, text */
};
TAILQ_HEAD(entry_list, entry);
SLIST_HEAD(entry_chain, entry);

struct override_cache {
    struct entry_list list; /* first: used last */
    size_t count, most, mask;
    struct entry_chain chains[]; /* mask + 1 */
};

struct override_cache *override_cache_new(size_t most)
{
    size_t chains = 16;

    while (chains < most)
        chains *= 2;
    struct override_cache *cache = calloc(1, sizeof(*cache) + chains * sizeof(cache->chains[0]));
    if (cache == NULL)
        return NULL;
    TAILQ_INIT(&cache->list);
    cache->most = most;
    cache->mask = chains - 1;
    return cache;
}

static struct entry_chain *chain_of(struct override_cache *cache, uint64_t hash)
{
    return &cache->chains[hash & cache->mask];
}

static void entry_remove(struct override_cache *cache, struct entry *entry)
{
    SLIST_REMOVE(chain_of(cache, entry->hash), entry, entry, chain);
    TAILQ_REMOVE(&cache->list, entry, used);
    cache->count--;
    free(entry);
}

void override_cache_free(struct override_cache **cache)
{
    if (*cache == NULL)
        return;
    while (!TAILQ_EMPTY(&(*cache)->list))
        entry_remove(*cache, TAILQ_FIRST(&(*cache)->list));
    free(*cache);
    *cache = NULL;
}

static uint64_t hash_of(struct slice limit, struct slice field)
{
    /* The names of limits are few and not the network's: mixing them in roughly is enough. */
    return hash_keyed(field) + limit.len * 31 +
           (limit.len > 0 ? (uint64_t)(unsigned char)limit.ptr[0] * 131 : 0);
}

static bool entry_is(const struct entry *entry, uint64_t hash, struct slice limit,
                     struct slice field)
{
    return entry->hash == hash &&
           slice_equal((struct slice){ entry->bytes, entry->limit_len }, limit) &&
           slice_equal((struct slice){ entry->bytes + entry->limit_len, entry->field_len }, field);
}

static struct entry *entry_find(struct override_cache *cache, uint64_t hash, struct slice limit,
                                struct slice field)
{
    struct entry *entry;

    SLIST_FOREACH(entry, chain_of(cache, hash), chain)
    {
        if (entry_is(entry, hash, limit, field))
            return entry;
    }
    return NULL;
}

struct slice override_cache_get(struct override_cache *cache, struct slice limit,
                                struct slice field)
{
    struct entry *entry = NULL;

    if (cache->count > 0)
        entry = entry_find(cache, hash_of(limit, field), limit, field);
    if (entry == NULL)
        return (struct slice){ NULL, 0 };
    TAILQ_REMOVE(&cache->list, entry, used);
    TAILQ_INSERT_HEAD(&cache->list, entry, used);
    return (struct slice){ entry->bytes + entry->limit_len + entry->field_len, entry->text_len };
}

void override_cache_set(struct override_cache *cache, struct slice limit, struct slice field,
                        struct slice text)
{
    uint64_t hash = hash_of(limit, field);
    struct entry *entry = entry_find(cache, hash, limit, field);

    if (entry != NULL)
        entry_remove(cache, entry);
    if (text.ptr == NULL || cache->most == 0)
        return;
    entry = malloc(sizeof(*entry) + limit.len + field.len + text.len);
    if (entry == NULL)
        return;
    entry->hash = hash;
    entry->limit_len = limit.len;
    entry->field_len = field.len;
    entry->text_len = text.len;
    memcpy(entry->bytes, limit.ptr, limit.len);
    memcpy(entry->bytes + limit.len, field.ptr, field.len);
    if (text.len > 0)
        memcpy(entry->bytes + limit.len + field.len, text.ptr, text.len);
    SLIST_INSERT_HEAD(chain_of(cache, hash), entry, chain);
    TAILQ_INSERT_HEAD(&cache->list, entry, used);
    if (++cache->count > cache->most)
        entry_remove(cache, TAILQ_LAST(&cache->list, entry_list));
}

size_t override_cache_count(const struct override_cache *cache)
{
    return cache->count;
}
