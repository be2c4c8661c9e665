/* common/lists/tails.h - `until`, `by` and `note` of those entries of a list that have any. Lookups are thread-safe once
 * nobody adds any more. */
#ifndef GATEHOUSE_LISTS_TAILS_H
#define GATEHOUSE_LISTS_TAILS_H

#include "common/base/buf.h"
#include "common/live/tail.h"

#define TAIL_NONE 0u /* number of the empty tail */
#define TAIL_WORD_MAX 255 /* bytes kept of `by` */
#define TAIL_NOTE_MAX 1023 /* bytes kept of `note` */

struct tail_record {
    uint64_t until_s;
    uint32_t at; /* in `texts`: `by`, then `note` */
    uint16_t by_len, note_len;
};

struct tails {
    struct tail_record *records; /* owned; tail n is records[n - 1] */
    size_t count, cap;
    struct buf texts; /* owned */
};

void tails_init(struct tails *tails);
void tails_free(struct tails *tails);

/* Keeps a copy (texts cut to their bounds); *number names it, TAIL_NONE for an empty one. -1: out of memory. */
int tails_add(struct tails *tails, const struct live_tail *tail, uint32_t *number);

struct live_tail tails_get(const struct tails *tails, uint32_t number); /* `head` is absent */
bool tails_is_expired(const struct tails *tails, uint32_t number, uint64_t wall_ms);
uint32_t tails_longer(const struct tails *tails, uint32_t a, uint32_t b); /* which ends later */
size_t tails_memory(const struct tails *tails); /* bytes */

#endif
