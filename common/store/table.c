/* common/store/table.c - see table.h. */
#include "common/store/table.h"

enum { TABLE_SLOTS_MIN = 16 };

bool table_init(struct table *table)
{
    *table = (struct table){ .slot_count = TABLE_SLOTS_MIN, .low = TABLE_SLOTS_MIN };
    table->slots = calloc(TABLE_SLOTS_MIN, sizeof(struct table_entry *));
    table->room = TABLE_SLOTS_MIN;
    return table->slots != NULL;
}

void table_free(struct table *table)
{
    free(table->slots);
    *table = (struct table){ 0 };
}

static size_t slot_of(const struct table *table, uint64_t hash)
{
    size_t slot = (size_t)hash & (2 * table->low - 1);

    return slot < table->slot_count ? slot : slot - table->low;
}

struct table_entry **table_find(struct table *table, uint64_t hash,
                                bool (*is_it)(const struct table_entry *entry, const void *key),
                                const void *key)
{
    struct table_entry **link = &table->slots[slot_of(table, hash)];

    while (*link != NULL && ((*link)->hash != hash || !is_it(*link, key)))
        link = &(*link)->next;
    return link;
}

/* One more slot: the entries of the oldest slot that was not split yet are shared out. Without memory the table stays
 * as it is and its chains get longer. */
static void split_one(struct table *table)
{
    if (table->slot_count == table->room) {
        struct table_entry **more =
            realloc(table->slots, 2 * table->room * sizeof(struct table_entry *));
        if (more == NULL)
            return;
        table->slots = more;
        table->room *= 2;
    }
    struct table_entry **from = &table->slots[table->slot_count - table->low];
    struct table_entry **to = &table->slots[table->slot_count];
    while (*from != NULL) {
        struct table_entry *entry = *from;
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

void table_insert(struct table *table, struct table_entry *entry)
{
    if (table->count >= table->slot_count)
        split_one(table);
    struct table_entry **slot = &table->slots[slot_of(table, entry->hash)];
    entry->next = *slot;
    *slot = entry;
    table->count++;
}

struct table_entry *table_remove(struct table *table, struct table_entry **link)
{
    struct table_entry *entry = *link;

    *link = entry->next;
    table->count--;
    return entry;
}

struct table_entry **table_slot(struct table *table, size_t slot)
{
    return &table->slots[slot];
}
