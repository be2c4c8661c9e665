/* common/run/snapshot.h - a loaded configuration: immutable, shared by all threads, freed with its last reference. A
 * reload makes a new one; requests under way keep the one they began with. All functions may be called on any thread. */
#ifndef GATEHOUSE_RUN_SNAPSHOT_H
#define GATEHOUSE_RUN_SNAPSHOT_H

#include <stdint.h>

struct snapshot; /* opaque */

/* The caller holds one reference; with the last one `release(arg)` runs, on whichever thread that is. `generation` tells
 * the snapshots of one process apart. NULL: out of memory, and `release` has run. */
struct snapshot *snapshot_new(const void *data, void (*release)(void *arg), void *arg,
                              uint64_t generation);
struct snapshot *snapshot_ref(struct snapshot *snapshot); /* one more; returns its argument */
void snapshot_unref(struct snapshot **snapshot); /* NULL-safe; clears *snapshot */

const void *snapshot_data(const struct snapshot *snapshot);
uint64_t snapshot_generation(const struct snapshot *snapshot);

#endif
