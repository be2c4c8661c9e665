/* common/run/snapshot.c - see snapshot.h. */
#include "common/run/snapshot.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct snapshot {
    atomic_size_t references;
    const void *data;
    void (*release)(void *arg);
    void *arg;
    uint64_t generation;
};

struct snapshot *snapshot_new(const void *data, void (*release)(void *arg), void *arg,
                              uint64_t generation)
{
    struct snapshot *snapshot = malloc(sizeof *snapshot);

    if (snapshot == NULL) {
        release(arg);
        return NULL;
    }
    atomic_init(&snapshot->references, 1);
    snapshot->data = data;
    snapshot->release = release;
    snapshot->arg = arg;
    snapshot->generation = generation;
    return snapshot;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void snapshot_unref(struct snapshot **snapshot)
{
    struct snapshot *gone = *snapshot;

    *snapshot = NULL;
    if (gone == NULL)
        return;
    /* Whoever drops the last reference must see all that others did with theirs. */
    size_t before = atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    gone->release(gone->arg);
    free(gone);
}

const void *snapshot_data(const struct snapshot *snapshot)
{
    return snapshot->data;
}

uint64_t snapshot_generation(const struct snapshot *snapshot)
{
    return snapshot->generation;
}
