/* common/store/memory_entries.h - what the memory store keeps by name: counters, remembered charges, greylisting; in 64
 * shards, within one bound of memory. Any thread, the shards concerned locked. For common/store/ alone.
 *
 * An entry is one block: a header, its key, and what it keeps, so the many subjects with one charge cost about a hundred
 * bytes. The shard is chosen by the upper bits of the key's hash, the slot in its table by the lower ones.
 *
 * At the bound a call looks for entries that have expired, then drops some before their time: those of a lower rank than
 * the new entry, or of its own. */
#ifndef GATEHOUSE_STORE_MEMORY_ENTRIES_H
#define GATEHOUSE_STORE_MEMORY_ENTRIES_H

#include "common/limits/window.h"
#include "common/store/hashtable.h"

#include <pthread.h>
#include <stdatomic.h>

#define SHARD_COUNT 64u /* one bit each in a set of shards */

struct shard {
    pthread_mutex_t lock;
    struct hashtable table;
    /* Slots last looked at for what has expired, for what may be dropped. */
    size_t hand, evict_hand;
    unsigned visits;
    char pad[64]; /* of two shards no locks share a cache line */
};

/* In the order in which entries are dropped at the bound: whoever is greylisted again loses time; a name that is
 * forgotten may charge a repeated request again, which admits nobody more. Counters are never dropped. */
enum entry_kind {
    ENTRY_TRIPLET, /* greylisting: a network, sender and recipient */
    ENTRY_ORIGIN, /* greylisting: a network */
    ENTRY_ONCE, /* a charge that has a name */
    ENTRY_COUNTER,
    ENTRY_KINDS
};

struct entries {
    struct shard shards[SHARD_COUNT];
    uint64_t max; /* bytes */
    _Atomic uint64_t used, count[ENTRY_KINDS], expired, evicted[ENTRY_KINDS];
};

struct entry {
    struct hashtable_entry link;
    union {
        uint64_t window_ms; /* of a counter */
        uint64_t expires_ms; /* of the others */
    };
    uint8_t kind;
    uint8_t limit_len, subject_len; /* the key, behind this struct */
    uint8_t cell_count, cell_room; /* of a counter: struct window_cell behind the key */
    bool is_unproven; /* greylisting: nothing speaks for it yet, it is dropped before all others */
    uint16_t data_bytes; /* behind the key */
};

struct entry_key {
    enum entry_kind kind;
    struct slice limit, subject; /* of others than counters: the name is the subject */
    uint64_t window_ms; /* of a counter; 0: any */
};

bool entries_init(struct entries *entries, uint64_t max);
void entries_free(struct entries *entries);

/* ---- keys ---- */

enum { ENTRY_KEY_PART_MAX = 255 };
bool entry_key_fits(const struct entry_key *key);
/* Of limit and subject alone: a limit's windows of any length lie together. The key must fit. */
uint64_t entry_key_hash(const struct entry_key *key);

/* ---- shards ---- */

uint64_t shard_bit(uint64_t hash); /* its shard, in a set of them */
struct shard *shard_of(struct entries *entries, uint64_t hash);
/* All shards of a set, always in the same order: two calls cannot wait for each other. */
void shards_lock(struct entries *entries, uint64_t set);
void shards_unlock(struct entries *entries, uint64_t set, uint64_t now_ms);

/* ---- entries; their shard is locked ---- */

/* NULL: not there; may have expired. */
struct entry *entry_find(struct entries *entries, const struct entry_key *key, uint64_t hash);
/* An entry that is not there yet, with `data` zeroed bytes; NULL at the bound. Its time and cells are the caller's. */
struct entry *entry_add(struct entries *entries, const struct entry_key *key, uint64_t hash,
                        size_t data, bool is_unproven, uint64_t now_ms);
/* More room behind the key; the entry may move. NULL at the bound: it stays as it is. */
struct entry *entry_grow(struct entries *entries, const struct entry_key *key, struct entry *entry,
                         size_t data);
void entry_drop(struct entries *entries, const struct entry_key *key, uint64_t hash);
bool entry_has_expired(const struct entry *entry, uint64_t now_ms);
void *entry_data(const struct entry *entry);
struct slice entry_limit(const struct entry *entry);
struct slice entry_subject(const struct entry *entry);

static inline struct entry *entry_of(struct hashtable_entry *link)
{
    return (struct entry *)(void *)link;
}

static inline void entries_bump(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

#endif
