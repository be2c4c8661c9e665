/* common/run/snapshot_cell.c - see snapshot_cell.h. */
#include "common/run/snapshot_cell.h"

#include <stddef.h>

void snapshot_cell_init(struct snapshot_cell *cell, struct snapshot *snapshot)
{
    pthread_mutex_init(&cell->mutex, NULL);
    cell->snapshot = snapshot_ref(snapshot);
}

static struct snapshot *swap(struct snapshot_cell *cell, struct snapshot *snapshot)
{
    pthread_mutex_lock(&cell->mutex);
    struct snapshot *before = cell->snapshot;
    cell->snapshot = snapshot;
    pthread_mutex_unlock(&cell->mutex);
    return before;
}

void snapshot_cell_set(struct snapshot_cell *cell, struct snapshot *snapshot)
{
    struct snapshot *before = swap(cell, snapshot_ref(snapshot));

    snapshot_unref(&before);
}

void snapshot_cell_end(struct snapshot_cell *cell)
{
    struct snapshot *before = swap(cell, NULL);

    snapshot_unref(&before);
    pthread_mutex_destroy(&cell->mutex);
}

struct snapshot *snapshot_cell_get(struct snapshot_cell *cell)
{
    pthread_mutex_lock(&cell->mutex);
    struct snapshot *snapshot = snapshot_ref(cell->snapshot);
    pthread_mutex_unlock(&cell->mutex);
    return snapshot;
}
