/* common/quarantine/index.h - the names of what is in a folder, sorted, in memory. Not thread-safe: the folder locks. */
#ifndef GATEHOUSE_QUARANTINE_INDEX_H
#define GATEHOUSE_QUARANTINE_INDEX_H

#include "common/quarantine/kept.h"

struct index_entry {
    char id[KEPT_ID_LEN + 1];
    uint64_t bytes;
    bool is_damaged; /* index_mark() */
};

struct kept_index { /* zeroed: empty */
    struct index_entry *entries; /* by id */
    size_t count, room;
    uint64_t bytes; /* of all */
    size_t damaged_count;
};

void index_free(struct kept_index *index);
/* False: out of memory. */
bool index_insert(struct kept_index *index, struct slice id, uint64_t bytes);
/* Puts it at the end; index_sort() must follow before anything else. */
bool index_append(struct kept_index *index, struct slice id, uint64_t bytes, bool is_damaged);
void index_sort(struct kept_index *index);
/* NULL: not there, or no id. Valid until the next change. */
struct index_entry *index_find(const struct kept_index *index, struct slice id);
void index_mark(struct kept_index *index, struct index_entry *entry, bool is_damaged);
void index_delete(struct kept_index *index, struct index_entry *entry);
size_t index_list(const struct kept_index *index, struct slice after, bool newest_first,
                  size_t count, char (*ids)[KEPT_ID_LEN + 1]); /* see folder_list() */

#endif
