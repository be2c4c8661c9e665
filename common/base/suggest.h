/* common/base/suggest.h - "did you mean": the nearest of some names by edit distance. Pure.
 *
 *     struct suggest best = suggest_for(name);
 *     for (...) suggest_offer(&best, candidate);
 *     if (best.name.ptr != NULL) ... */
#ifndef GATEHOUSE_BASE_SUGGEST_H
#define GATEHOUSE_BASE_SUGGEST_H

#include "common/base/slice.h"

struct suggest {
    struct slice wanted; /* what was written */
    struct slice name; /* the nearest so far; absent when none is near enough to be worth naming */
    size_t distance; /* of `name`: letters inserted, removed, changed or two neighbours swapped */
};

struct suggest suggest_for(struct slice wanted);
/* Takes the candidate if it is nearer than what was offered before: the first of equally near ones stays. At most a
 * third of the letters (at least one) may differ; names over 64 bytes are never near. Case does not count. */
void suggest_offer(struct suggest *best, struct slice candidate);

#endif
