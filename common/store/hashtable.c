/* common/store/hashtable.c - see hashtable.h. */
#include "common/store/hashtable.h"

enum { HASHTABLE_SLOTS_MIN = 16 };

bool hashtable_init(struct hashtable *table)
{
    *table = (struct hashtable){ .slot_count = HASHTABLE_SLOTS_MIN, .low = HASHTABLE_SLOTS_MIN };
    table->slots = calloc(HASHTABLE_SLOTS_MIN, sizeof(struct hashtable_entry *));
    table->room = HASHTABLE_SLOTS_MIN;
    return table->slots != NULL;
}

void hashtable_free(struct hashtable *table)
{
    free(table->slots);
    *table = (struct hashtable){ 0 };
}

static size_t slot_of(const struct hashtable *table, uint64_t hash)
{
    size_t slot = (size_t)hash & (2 * table->low - 1);

    return slot < table->slot_count ? slot : slot - table->low;
}

struct hashtable_entry **
hashtable_find(struct hashtable *table, uint64_t hash,
               bool (*is_it)(const struct hashtable_entry *entry, const void *key), const void *key)
{
    struct hashtable_entry **link = &table->slots[slot_of(table, hash)];

    while (*link != NULL && ((*link)->hash != hash || !is_it(*link, key)))
        link = &(*link)->next;
    return link;
}

/* One more slot: the entries of the oldest slot that was not split yet are shared out. Without memory the table stays
 * as it is and its chains get longer. */
static void split_one(struct hashtable *table)
{
    if (table->slot_count == table->room) {
        struct hashtable_entry **more =
            realloc(table->slots, 2 * table->room * sizeof(struct hashtable_entry *));
        if (more == NULL)
            return;
        table->slots = more;
        table->room *= 2;
    }
    struct hashtable_entry **from = &table->slots[table->slot_count - table->low];
    struct hashtable_entry **to = &table->slots[table->slot_count];
    while (*from != NULL) {
        struct hashtable_entry *entry = *from;
        if ((entry->hash & table->low) != 0) {
            *from = entry->next;
            *to = entry;
            to = &entry->next;
        } else {
            from = &entry->next;
        }
    }
    *to = NULL;
    table->slot_count++;
    if (table->slot_count == 2 * table->low)
        table->low *= 2;
}

void hashtable_insert(struct hashtable *table, struct hashtable_entry *entry)
{
    if (table->count >= table->slot_count)
        split_one(table);
    struct hashtable_entry **slot = &table->slots[slot_of(table, entry->hash)];
    entry->next = *slot;
    *slot = entry;
    table->count++;
}

struct hashtable_entry *hashtable_remove(struct hashtable *table, struct hashtable_entry **link)
{
    struct hashtable_entry *entry = *link;

    *link = entry->next;
    table->count--;
    return entry;
}

struct hashtable_entry **hashtable_slot(struct hashtable *table, size_t slot)
{
    return &table->slots[slot];
}
