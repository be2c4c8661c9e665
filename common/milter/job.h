/* common/milter/job.h - work on a worker's loop that another thread (one of the milter's) waits for, or that the loop itself
 * has under way for a message: then all of it happens at once, without a way through another thread.
 *
 *     job = job_start(worker, &kind, work);          the work begins on the loop
 *     job_post(job, more);                           there is more for it to do
 *     job_wait(job, 60000, 10000, progress, ...);    until it is done, or too late
 *     job_drop(&job);                                nobody waits any more: it is abandoned unless it is done
 *
 * `work` belongs to the loop until it is done, then to the waiter. Dropping never waits: what `work` needs (a reference to
 * the message) it must hold itself until `release`. */
#ifndef GATEHOUSE_MILTER_JOB_H
#define GATEHOUSE_MILTER_JOB_H

#include <stdbool.h>

#include "common/run/worker.h"

struct job; /* opaque */

struct job_kind {
    /* On the loop: begins. job_done() is called once, on the loop, at any time from here on. */
    void (*start)(struct job *job, void *work);
    /* On the loop, instead of job_done(): nobody waits any more. All that is under way must be stopped. */
    void (*abandon)(void *work);
    /* The last call: neither side has it any more. Either thread. */
    void (*release)(void *work);
};

/* NULL: out of memory, `work` has been released. On the worker's own thread `start` has run when it returns. */
struct job *job_start(struct worker *worker, const struct job_kind *kind, void *work);
/* On the loop; `work` is the waiter's from here on, or gone. */
void job_done(struct job *job);

/* ---- the waiter's side, one thread at a time ---- */

/* Runs fn(work) on the loop, in order, unless the job is done by then; at once when called there. -1: out of memory. */
int job_post(struct job *job, void (*fn)(void *work));

enum job_result {
    JOB_DONE,
    JOB_LATE, /* not yet: it may be waited for again */
    JOB_FAILED, /* it will never be: its loop has ended */
    JOB_UNWANTED, /* not yet, and `progress` says that nobody needs it any more */
};
/* Not on the loop. `progress` (NULL: none) is called every `progress_ms` while waiting; false: that has become pointless. */
enum job_result job_wait(struct job *job, uint64_t timeout_ms, uint64_t progress_ms,
                         bool (*progress)(void *arg), void *arg);

void job_drop(struct job **job); /* NULL-safe; clears *job */

#endif
