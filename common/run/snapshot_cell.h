/* common/run/snapshot_cell.h - the snapshot in force, for threads that are no workers (a milter's): set by one, taken by any. */
#ifndef GATEHOUSE_RUN_SNAPSHOT_CELL_H
#define GATEHOUSE_RUN_SNAPSHOT_CELL_H

#include <pthread.h>

#include "common/run/snapshot.h"

struct snapshot_cell {
    pthread_mutex_t mutex;
    struct snapshot *snapshot; /* with the mutex */
};

void snapshot_cell_init(struct snapshot_cell *cell, struct snapshot *snapshot); /* borrowed */
void snapshot_cell_end(struct snapshot_cell *cell); /* nobody uses it any more */
void snapshot_cell_set(struct snapshot_cell *cell, struct snapshot *snapshot); /* borrowed */
struct snapshot *snapshot_cell_get(struct snapshot_cell *cell); /* with a reference */

#endif
