/* common/store/table.h - a hash table that grows by one slot for each entry (linear hashing; Litwin, 1980), so no single
 * insertion pays for a rehash of millions. Entries are chained, intrusive and owned by the caller. Not thread-safe. */
#ifndef GATEHOUSE_STORE_TABLE_H
#define GATEHOUSE_STORE_TABLE_H

#include "common/base/slice.h"

struct table_entry { /* first member of what is kept */
    struct table_entry *next;
    uint64_t hash; /* keyed (hash.h); set before the insertion */
};

struct table {
    struct table_entry **slots;
    size_t slot_count, room; /* slots in use, allocated */
    size_t
        low; /* power of two, low <= slot_count < 2 * low: slots from slot_count - low on are still to be split */
    size_t count; /* entries */
};

bool table_init(struct table *table); /* false: out of memory */
void table_free(struct table *table); /* the slots; the entries are the caller's */

/* The link that points to the entry, for table_remove() and for replacing the entry; it points to NULL when there is
 * none. Valid until the next insertion or removal. */
struct table_entry **table_find(struct table *table, uint64_t hash,
                                bool (*is_it)(const struct table_entry *entry, const void *key),
                                const void *key);
void table_insert(struct table *table, struct table_entry *entry);
struct table_entry *table_remove(struct table *table, struct table_entry **link);

/* The first link of a slot, for going through all entries: slots 0 to slot_count - 1. An entry moves to a higher slot
 * only, and only by an insertion. */
struct table_entry **table_slot(struct table *table, size_t slot);

#endif
