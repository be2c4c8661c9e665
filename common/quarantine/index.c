/* common/quarantine/index.c - see index.h. */
#include "common/quarantine/index.h"

void index_free(struct kept_index *index)
{
    free(index->entries);
    *index = (struct kept_index){ .count = 0 };
}

/* The first entry that is not before `id`. */
static size_t place_of(const struct kept_index *index, struct slice id)
{
    size_t low = 0, high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(index->entries[middle].id, id.ptr, KEPT_ID_LEN) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct index_entry *index_find(const struct kept_index *index, struct slice id)
{
    size_t at = kept_id_is_valid(id) ? place_of(index, id) : index->count;

    if (at == index->count || memcmp(index->entries[at].id, id.ptr, KEPT_ID_LEN) != 0)
        return NULL;
    return &index->entries[at];
}

static bool insert_at(struct kept_index *index, size_t at, struct slice id, uint64_t bytes)
{
    if (index->count == index->room) {
        size_t more = index->room == 0 ? 64 : index->room * 2;
        struct index_entry *larger = reallocarray(index->entries, more, sizeof *larger);
        if (larger == NULL)
            return false;
        index->entries = larger;
        index->room = more;
    }
    struct index_entry *entry = &index->entries[at];
    memmove(entry + 1, entry, (index->count - at) * sizeof *entry);
    *entry = (struct index_entry){ .bytes = bytes };
    memcpy(entry->id, id.ptr, KEPT_ID_LEN);
    index->count++;
    index->bytes += bytes;
    return true;
}

bool index_insert(struct kept_index *index, struct slice id, uint64_t bytes)
{
    return insert_at(index, place_of(index, id), id, bytes);
}

bool index_append(struct kept_index *index, struct slice id, uint64_t bytes, bool is_damaged)
{
    if (!insert_at(index, index->count, id, bytes))
        return false;
    index_mark(index, &index->entries[index->count - 1], is_damaged);
    return true;
}

void index_mark(struct kept_index *index, struct index_entry *entry, bool is_damaged)
{
    index->damaged_count += is_damaged;
    index->damaged_count -= entry->is_damaged;
    entry->is_damaged = is_damaged;
}

static int compare(const void *a, const void *b)
{
    return memcmp(((const struct index_entry *)a)->id, ((const struct index_entry *)b)->id,
                  KEPT_ID_LEN);
}

void index_sort(struct kept_index *index)
{
    if (index->count > 0)
        qsort(index->entries, index->count, sizeof *index->entries, compare);
}

void index_delete(struct kept_index *index, struct index_entry *entry)
{
    size_t at = (size_t)(entry - index->entries);

    index_mark(index, entry, false);
    index->bytes -= entry->bytes;
    index->count--;
    memmove(entry, entry + 1, (index->count - at) * sizeof *entry);
}

size_t index_list(const struct kept_index *index, struct slice after, bool newest_first,
                  size_t count, char (*ids)[KEPT_ID_LEN + 1])
{
    size_t done = 0, at = newest_first ? index->count : 0;

    if (kept_id_is_valid(after)) {
        at = place_of(index, after);
        if (!newest_first && index_find(index, after) != NULL)
            at++;
    }
    for (; done < count && (newest_first ? at > 0 : at < index->count); done++)
        memcpy(ids[done], index->entries[newest_first ? --at : at++].id, KEPT_ID_LEN + 1);
    return done;
}
