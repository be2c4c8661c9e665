/* tests/fakes/worker_loop.h - the loop of a worker that has no thread, run on the test's own. In real time, whatever clock the
 * worker has. */
#ifndef GATEHOUSE_TESTS_WORKER_LOOP_H
#define GATEHOUSE_TESTS_WORKER_LOOP_H

#include <stdbool.h>

#include "common/run/worker.h"

/* For so long, less when nothing is left that could happen. */
void worker_loop_for(struct worker *worker, uint64_t ms);
/* While `goes_on(arg)`. Ends the process after 20 s. */
void worker_loop_while(struct worker *worker, bool (*goes_on)(void *arg), void *arg);

#endif
