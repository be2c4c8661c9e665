/* tests/fakes/worker_loop.c - see worker_loop.h. */
#include "tests/fakes/worker_loop.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEP_MS = 5, WAIT_MS = 20000 };

void worker_loop_for(struct worker *worker, uint64_t ms)
{
    struct timeval space;

    event_base_loopexit(worker_base(worker), worker_timeout(worker, ms, &space));
    event_base_dispatch(worker_base(worker));
}

void worker_loop_while(struct worker *worker, bool (*goes_on)(void *arg), void *arg)
{
    uint64_t start = clock_system.now_ms(&clock_system);

    while (goes_on(arg)) {
        if (clock_system.now_ms(&clock_system) - start > WAIT_MS) {
            fprintf(stderr, "worker_loop: it never ends\n");
            abort();
        }
        worker_loop_for(worker, STEP_MS);
    }
}
