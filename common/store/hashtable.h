/* common/store/hashtable.h - a hash table that grows by one slot for each entry (linear hashing; Litwin, 1980), so no single
 * insertion pays for a rehash of millions. Entries are chained, intrusive and owned by the caller. Not thread-safe. */
#ifndef GATEHOUSE_STORE_HASHTABLE_H
#define GATEHOUSE_STORE_HASHTABLE_H

#include "common/base/slice.h"

struct hashtable_entry { /* first member of what is kept */
    struct hashtable_entry *next;
    uint64_t hash; /* keyed (hash.h); set before the insertion */
};

struct hashtable {
    struct hashtable_entry **slots;
    size_t slot_count, room; /* slots in use, allocated */
    /* A power of two, low <= slot_count < 2 * low: slots from slot_count - low on are still to be split. */
    size_t low;
    size_t count; /* entries */
};

bool hashtable_init(struct hashtable *table); /* false: out of memory */
void hashtable_free(struct hashtable *table); /* the slots; the entries are the caller's */

/* The link that points to the entry, for hashtable_remove() and for replacing the entry; it points to NULL when there is
 * none. Valid until the next insertion or removal. */
struct hashtable_entry **hashtable_find(struct hashtable *table, uint64_t hash,
                                        bool (*is_it)(const struct hashtable_entry *entry,
                                                      const void *key),
                                        const void *key);
void hashtable_insert(struct hashtable *table, struct hashtable_entry *entry);
struct hashtable_entry *hashtable_remove(struct hashtable *table, struct hashtable_entry **link);

/* The first link of a slot, for going through all entries: slots 0 to slot_count - 1. An entry moves to a higher slot
 * only, and only by an insertion. */
struct hashtable_entry **hashtable_slot(struct hashtable *table, size_t slot);

#endif
