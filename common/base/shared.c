/* common/base/shared.c - see shared.h. */
#include "common/base/shared.h"

#include <stdatomic.h>

struct shared {
    atomic_size_t references;
    void *object;
    void (*free_object)(void *object);
};

struct shared *shared_new(void *object, void (*free_object)(void *object))
{
    if (object == NULL)
        return NULL;
    struct shared *shared = calloc(1, sizeof *shared);
    if (shared == NULL) {
        free_object(object);
        return NULL;
    }
    atomic_init(&shared->references, 1);
    shared->object = object;
    shared->free_object = free_object;
    return shared;
}

struct shared *shared_ref(struct shared *shared)
{
    if (shared != NULL)
        atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
    return shared;
}

void shared_unref(struct shared **shared)
{
    struct shared *mine = *shared;

    *shared = NULL;
    if (mine == NULL || atomic_fetch_sub_explicit(&mine->references, 1, memory_order_acq_rel) > 1)
        return;
    mine->free_object(mine->object);
    free(mine);
}

void *shared_get(const struct shared *shared)
{
    return shared == NULL ? NULL : shared->object;
}
