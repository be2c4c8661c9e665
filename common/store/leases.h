/* common/store/leases.h - how many connections this process has, per subject; and what of that is to be told to others.
 * Takes any thread. Every word has a number: of two words about a subject the one with the higher number is the later. */
#ifndef GATEHOUSE_STORE_LEASES_H
#define GATEHOUSE_STORE_LEASES_H

#include "common/limits/limit.h"

enum { LEASE_SUBJECT_MAX = LIMIT_SUBJECT_MAX + 2 };

struct leases; /* opaque */

/* At most `most` subjects at the same time. NULL: out of memory. */
struct leases *leases_new(size_t most);
void leases_free(struct leases **leases); /* NULL-safe; clears *leases */

struct lease_word {
    char subject[LEASE_SUBJECT_MAX + 1];
    uint64_t count, number;
};

/* One connection more. False: not counted, there is no room or the subject is none. A subject of which nothing has been told
 * yet is due at once. */
bool leases_add(struct leases *leases, struct slice subject);
/* One less, and the word about it. False: the subject has none. */
bool leases_remove(struct leases *leases, struct slice subject, struct lease_word *word);
/* The word about it; it is told at `now_ms`. False: the subject has none. */
bool leases_tell(struct leases *leases, struct slice subject, uint64_t now_ms,
                 struct lease_word *word);
/* The word about it, for somebody who only asks: 0 when the subject has no connection. False: it is none. */
bool leases_look(struct leases *leases, struct slice subject, struct lease_word *word);
uint64_t leases_count(struct leases *leases, struct slice subject);

/* The words that were last told at `before_ms` or earlier, at most `most`, the oldest first; they are told at `now_ms`. */
size_t leases_due(struct leases *leases, uint64_t before_ms, uint64_t now_ms,
                  struct lease_word *words, size_t most);

struct leases_stats {
    uint64_t subjects;
    uint64_t refused; /* connections not counted in a subject, for want of room */
};
void leases_stats(struct leases *leases, struct leases_stats *out);

#endif
