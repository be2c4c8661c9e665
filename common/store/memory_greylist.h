/* common/store/memory_greylist.h - greylisting in the memory store. Any thread. For common/store/ alone. */
#ifndef GATEHOUSE_STORE_MEMORY_GREYLIST_H
#define GATEHOUSE_STORE_MEMORY_GREYLIST_H

#include "common/store/memory_entries.h"
#include "common/store/store.h"

struct greylist {
    struct entries *entries; /* borrowed; shared with the counters */
    _Atomic uint64_t unlisted; /* triplets that passed because there was no room for them */
};

/* See store_greylist(); `now_ms` is called when all shards are locked. False: a subject is too long. */
bool greylist_see(struct greylist *greylist, struct store_greylist *call,
                  uint64_t (*now_ms)(const void *arg), const void *arg);

#endif
