/* common/base/slice_set.h - a set of texts in which the case of ASCII letters does not matter, for things that come by tens of
 * thousands: recipients, names of fields. Lives in an arena. Not thread-safe. */
#ifndef GATEHOUSE_BASE_SLICE_SET_H
#define GATEHOUSE_BASE_SLICE_SET_H

#include "common/base/arena.h"

struct slice_set {
    struct arena *arena; /* borrowed; nothing is released before it is */
    struct slice *slots; /* copies; absent: free */
    size_t room, count;
};

void slice_set_init(struct slice_set *set, struct arena *arena);
/* False: out of memory. *is_new (may be NULL): it was not there. */
bool slice_set_add(struct slice_set *set, struct slice text, bool *is_new);
bool slice_set_has(const struct slice_set *set, struct slice text);

#endif
