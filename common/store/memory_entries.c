/* common/store/memory_entries.c - see memory_entries.h. */
#include "common/store/memory_entries.h"

#include "common/base/hash.h"

#include <assert.h>

enum {
    SWEEP_VISITS = 8, /* every so many visits of a shard .. */
    SWEEP_SLOTS = 4, /* .. so many slots are looked at for what expired: a cache miss each */
    SWEEP_SLOTS_NEW = 8, /* and for each new entry, so expired ones cannot pile up */
    SWEEP_SLOTS_FULL = 32, /* at the bound */
    ENTRY_OVERHEAD = 24, /* of malloc, and the table's slots */
};

/* ---- keys and layout ---- */

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

static char *entry_text(const struct entry *entry)
{
    return (char *)(uintptr_t)(entry + 1);
}

static size_t key_bytes(size_t limit_len, size_t subject_len)
{
    return round_up(limit_len + subject_len, sizeof(uint64_t));
}

void *entry_data(const struct entry *entry)
{
    return entry_text(entry) + key_bytes(entry->limit_len, entry->subject_len);
}

struct slice entry_limit(const struct entry *entry)
{
    return (struct slice){ entry_text(entry), entry->limit_len };
}

struct slice entry_subject(const struct entry *entry)
{
    return (struct slice){ entry_text(entry) + entry->limit_len, entry->subject_len };
}

static bool is_entry(const struct hashtable_entry *link, const void *arg)
{
    const struct entry *entry = (const struct entry *)(const void *)link;
    const struct entry_key *key = arg;

    return entry->kind == key->kind &&
           (key->window_ms == 0 || entry->window_ms == key->window_ms) &&
           slice_equal(entry_limit(entry), key->limit) &&
           slice_equal(entry_subject(entry), key->subject);
}

uint64_t entry_key_hash(const struct entry_key *key)
{
    char text[2 * ENTRY_KEY_PART_MAX + 1];

    memcpy(text, key->limit.ptr, key->limit.len);
    text[key->limit.len] = '\0';
    memcpy(text + key->limit.len + 1, key->subject.ptr, key->subject.len);
    return hash_keyed((struct slice){ text, key->limit.len + 1 + key->subject.len });
}

bool entry_key_fits(const struct entry_key *key)
{
    return key->limit.len <= ENTRY_KEY_PART_MAX && key->subject.len <= ENTRY_KEY_PART_MAX;
}

static size_t entry_block(const struct entry *entry)
{
    return sizeof *entry + key_bytes(entry->limit_len, entry->subject_len) + entry->data_bytes;
}

static uint64_t taken_by(size_t block)
{
    return round_up(block, 16) + ENTRY_OVERHEAD;
}

bool entry_has_expired(const struct entry *entry, uint64_t now_ms)
{
    const struct window_cell *cells = entry_data(entry);
    uint64_t bucket;

    if (entry->kind != ENTRY_COUNTER)
        return entry->expires_ms <= now_ms;
    bucket = window_bucket(entry->window_ms, now_ms);
    return bucket > cells[entry->cell_count - 1].bucket &&
           bucket - cells[entry->cell_count - 1].bucket > WINDOW_BUCKETS;
}

/* ---- memory ---- */

/* Who goes first at the bound: 0. */
static unsigned rank_of(enum entry_kind kind, bool is_unproven)
{
    return is_unproven ? 0 : (unsigned)kind + 1;
}

static void drop_at(struct entries *entries, struct shard *shard, struct hashtable_entry **link)
{
    struct entry *entry = entry_of(hashtable_remove(&shard->table, link));

    atomic_fetch_sub(&entries->used, taken_by(entry_block(entry)));
    atomic_fetch_sub_explicit(&entries->count[entry->kind], 1, memory_order_relaxed);
    free(entry);
}

static bool may_evict(const struct entry *entry, unsigned rank)
{
    return entry->kind != ENTRY_COUNTER &&
           rank_of((enum entry_kind)entry->kind, entry->is_unproven) <= rank;
}

/* Frees what has expired in the next slots after *hand; with `rank` what may be dropped for an entry of this rank. */
static void sweep_from(struct entries *entries, struct shard *shard, size_t *hand, size_t slots,
                       const unsigned *rank, uint64_t now_ms)
{
    for (size_t n = 0; n < slots && n < shard->table.slot_count; n++) {
        *hand = (*hand + 1) % shard->table.slot_count;
        struct hashtable_entry **link = hashtable_slot(&shard->table, *hand);
        while (*link != NULL) {
            const struct entry *entry = entry_of(*link);
            bool expired = entry_has_expired(entry, now_ms);
            if (!expired && (rank == NULL || !may_evict(entry, *rank))) {
                link = &(*link)->next;
                continue;
            }
            entries_bump(expired ? &entries->expired : &entries->evicted[entry->kind]);
            drop_at(entries, shard, link);
        }
    }
}

static void sweep(struct entries *entries, struct shard *shard, size_t slots, uint64_t now_ms)
{
    sweep_from(entries, shard, &shard->hand, slots, NULL, now_ms);
}

static bool take(struct entries *entries, uint64_t bytes)
{
    uint64_t used = atomic_fetch_add(&entries->used, bytes);

    if (bytes <= entries->max && used <= entries->max - bytes)
        return true;
    atomic_fetch_sub(&entries->used, bytes);
    return false;
}

/* Of what the next slots hold, what is worth least goes first. */
static bool make_room(struct entries *entries, struct shard *shard, uint64_t bytes, unsigned rank,
                      uint64_t now_ms)
{
    unsigned once = rank_of(ENTRY_ONCE, false);
    bool greylists = entries->count[ENTRY_TRIPLET] + entries->count[ENTRY_ORIGIN] > 0;
    size_t begin = shard->evict_hand;

    if (take(entries, bytes))
        return true;
    sweep(entries, shard, SWEEP_SLOTS_FULL, now_ms);
    for (unsigned lower = greylists ? 0 : once; lower <= rank && lower <= once; lower++) {
        if (take(entries, bytes))
            return true;
        shard->evict_hand = begin;
        sweep_from(entries, shard, &shard->evict_hand, SWEEP_SLOTS_FULL, &lower, now_ms);
    }
    return take(entries, bytes);
}

struct entry *entry_add(struct entries *entries, const struct entry_key *key, uint64_t hash,
                        size_t data, bool is_unproven, uint64_t now_ms)
{
    struct shard *shard = shard_of(entries, hash);
    size_t block = sizeof(struct entry) + key_bytes(key->limit.len, key->subject.len) + data;
    struct entry *entry;

    assert(data <= UINT16_MAX);
    sweep(entries, shard, SWEEP_SLOTS_NEW, now_ms);
    if (!make_room(entries, shard, taken_by(block), rank_of(key->kind, is_unproven), now_ms))
        return NULL;
    entry = calloc(1, block);
    if (entry == NULL) {
        atomic_fetch_sub(&entries->used, taken_by(block));
        return NULL;
    }
    entry->link.hash = hash;
    entry->kind = (uint8_t)key->kind;
    entry->limit_len = (uint8_t)key->limit.len;
    entry->subject_len = (uint8_t)key->subject.len;
    entry->is_unproven = is_unproven;
    entry->data_bytes = (uint16_t)data;
    memcpy(entry_text(entry), key->limit.ptr, key->limit.len);
    memcpy(entry_text(entry) + key->limit.len, key->subject.ptr, key->subject.len);
    hashtable_insert(&shard->table, &entry->link);
    atomic_fetch_add_explicit(&entries->count[key->kind], 1, memory_order_relaxed);
    return entry;
}

struct entry *entry_grow(struct entries *entries, const struct entry_key *key, struct entry *entry,
                         size_t data)
{
    size_t old = entry_block(entry), block = old - entry->data_bytes + data;
    struct hashtable *table = &shard_of(entries, entry->link.hash)->table;
    struct hashtable_entry **link = hashtable_find(table, entry->link.hash, is_entry, key);

    assert(data <= UINT16_MAX && data >= entry->data_bytes);
    if (!take(entries, taken_by(block) - taken_by(old)))
        return NULL;
    struct entry *larger = realloc(entry, block);
    if (larger == NULL) {
        atomic_fetch_sub(&entries->used, taken_by(block) - taken_by(old));
        return NULL;
    }
    larger->data_bytes = (uint16_t)data;
    *link = &larger->link;
    return larger;
}

static struct hashtable_entry **find_link(struct entries *entries, const struct entry_key *key,
                                          uint64_t hash)
{
    return hashtable_find(&shard_of(entries, hash)->table, hash, is_entry, key);
}

struct entry *entry_find(struct entries *entries, const struct entry_key *key, uint64_t hash)
{
    return entry_of(*find_link(entries, key, hash));
}

void entry_drop(struct entries *entries, const struct entry_key *key, uint64_t hash)
{
    struct hashtable_entry **link = find_link(entries, key, hash);

    if (*link != NULL)
        drop_at(entries, shard_of(entries, hash), link);
}

/* ---- shards ---- */

bool entries_init(struct entries *entries, uint64_t max)
{
    bool ok = true;

    entries->max = max;
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        pthread_mutex_init(&entries->shards[i].lock, NULL);
        ok &= hashtable_init(&entries->shards[i].table);
    }
    return ok;
}

void entries_free(struct entries *entries)
{
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct hashtable *table = &entries->shards[i].table;
        for (size_t slot = 0; slot < table->slot_count; slot++)
            while (*hashtable_slot(table, slot) != NULL)
                free(hashtable_remove(table, hashtable_slot(table, slot)));
        hashtable_free(table);
        pthread_mutex_destroy(&entries->shards[i].lock);
    }
}

static size_t shard_number(uint64_t hash)
{
    return (size_t)(hash >> 58);
}

uint64_t shard_bit(uint64_t hash)
{
    return UINT64_C(1) << shard_number(hash);
}

struct shard *shard_of(struct entries *entries, uint64_t hash)
{
    return &entries->shards[shard_number(hash)];
}

void shards_lock(struct entries *entries, uint64_t set)
{
    for (; set != 0; set &= set - 1)
        pthread_mutex_lock(&entries->shards[__builtin_ctzll(set)].lock);
}

void shards_unlock(struct entries *entries, uint64_t set, uint64_t now_ms)
{
    for (; set != 0; set &= set - 1) {
        struct shard *shard = &entries->shards[__builtin_ctzll(set)];
        if (++shard->visits % SWEEP_VISITS == 0)
            sweep(entries, shard, SWEEP_SLOTS, now_ms);
        pthread_mutex_unlock(&shard->lock);
    }
}
