/* common/lists/names.h - a compact table from names to small records, for lists and maps of a million entries: open
 * addressing over one pool of texts, hashed under the process' key. Grows while it is built; lookups are thread-safe
 * once nobody adds any more. */
#ifndef GATEHOUSE_LISTS_NAMES_H
#define GATEHOUSE_LISTS_NAMES_H

#include "common/base/buf.h"

#define NAME_MAX_LEN 511 /* bytes */

struct name_slot {
    uint32_t hash;
    uint32_t at; /* where the record begins in the pool, plus 1; 0: no record */
};

struct names { /* zeroed: empty, once `pool.max` is set by names_init() */
    struct name_slot *slots; /* owned; a power of two of them */
    size_t slot_count, count;
    struct buf pool; /* owned: the records */
};

/* One record. Several may have the same name, and a caller tells them apart by `tag`. */
struct name_record {
    struct slice name; /* borrowed; the byte before it is `before` */
    char before; /* a sign that is not part of the name but of its spelling: '@', '.'; or 0 */
    unsigned char tag;
    uint32_t data;
    uint32_t at; /* for names_set_data() */
};

void names_init(struct names *names);
void names_free(struct names *names); /* and it is empty, usable again after names_init() */

/* Adds a record, also when there is one of this name. 0, or -1: out of memory, or the name is over NAME_MAX_LEN. */
int names_add(struct names *names, struct slice name, char before, unsigned char tag,
              uint32_t data);
void names_set_data(struct names *names, uint32_t at, uint32_t data);
void names_shrink(struct names *names); /* gives back what growing left over */

/* All records of a name, one after the other:
 *     struct names_cursor cursor = { names_hash(name), 0 };
 *     while (names_next(names, name, &cursor, &record)) */
struct names_cursor {
    uint32_t hash;
    size_t probes;
};
uint32_t names_hash(struct slice name);
void names_prefetch(const struct names *names, uint32_t hash); /* a lookup will follow soon */
bool names_next(const struct names *names, struct slice name, struct names_cursor *cursor,
                struct name_record *out);

size_t names_memory(const struct names *names); /* bytes */

#endif
