/* common/run/worker.h - a thread with its own event loop. What belongs to a worker (connections, store, engine state)
 * is touched on its thread alone; other threads reach it through worker_post(). The main thread's loop is a worker
 * too (id 0, run by worker_run() instead of a thread of its own), so the same code works there. */
#ifndef GATEHOUSE_RUN_WORKER_H
#define GATEHOUSE_RUN_WORKER_H

#include <event2/event.h>

#include "common/base/clock.h"
#include "common/run/snapshot.h"

struct worker; /* opaque */
struct daemon;

/* Called on the worker's thread, just before its loop runs (0: go on, -1: it does not start) and just after. */
struct worker_hooks {
    int (*start)(struct worker *worker);
    void (*stop)(struct worker *worker);
};

/* `name` (borrowed) is the thread's name, cut to 15 bytes. `hooks` and `clock` must outlive the worker; `hooks` may be
 * NULL. NULL: out of memory or descriptors. */
struct worker *worker_new(unsigned id, const char *name, const struct clock *clock,
                          const struct worker_hooks *hooks);
/* Only when the loop is not running. Posted calls that did not run are dropped (see worker_post_or). NULL-safe. */
void worker_free(struct worker **worker);

/* On a thread of its own; returns when the start hook has. -1: that failed. */
int worker_start(struct worker *worker);
/* On the calling thread, until worker_stop(). -1: the start hook failed. */
int worker_run(struct worker *worker);
void worker_stop(struct worker *worker); /* any thread: ends after what was posted before */
void worker_join(struct worker *worker); /* waits for the thread of worker_start() to end */

/* Runs fn(worker, arg) on the worker's loop; calls posted by one thread keep their order. Any thread, its own too:
 * never runs inside worker_post(). -1: out of memory, nothing will run. */
typedef void worker_call(struct worker *worker, void *arg);
int worker_post(struct worker *worker, worker_call *fn, void *arg);
/* The same; `dropped` runs instead (thread of worker_free()) when the worker ends before `fn` ran. */
int worker_post_or(struct worker *worker, worker_call *fn, worker_call *dropped, void *arg);
/* At once on the worker's own thread, else as worker_post_or(). What its thread has posted before comes later then. */
int worker_do(struct worker *worker, worker_call *fn, worker_call *dropped, void *arg);

/* ---- what a worker has; on its own thread unless said otherwise ---- */
struct event_base *worker_base(const struct worker *worker);
const struct clock *worker_clock(const struct worker *worker); /* any thread */
unsigned worker_id(const struct worker *worker); /* any thread; 0 is the main one */
struct worker *worker_current(void); /* of the calling thread; NULL elsewhere */

void *worker_state(const struct worker *worker); /* the daemon's own, set in its start hook */
void worker_set_state(struct worker *worker, void *state);
struct daemon *worker_daemon(const struct worker *worker); /* any thread; NULL in tests */
void worker_set_daemon(struct worker *worker, struct daemon *daemon); /* before it starts */

/* The configuration in force here. Borrowed: whoever keeps it over a return to the loop takes a reference. */
struct snapshot *worker_snapshot(const struct worker *worker);
void worker_set_snapshot(struct worker *worker, struct snapshot *snapshot); /* takes a reference */

/* Connections that this worker serves: the acceptor counts them in when it hands one over (any thread), whoever closes
 * one counts it out (the worker's thread). */
size_t worker_connections(const struct worker *worker); /* any thread */
void worker_connection_opened(struct worker *worker); /* any thread */
void worker_connection_closed(struct worker *worker);

/* Timers of the same length are cheap (O(1), no heap) once the length is known here; at most 32 lengths, more are
 * simply not so cheap. worker_timeout() gives what to pass to event_add(): the known length or *space filled in. */
void worker_common_timeout(struct worker *worker, uint64_t ms);
const struct timeval *worker_timeout(const struct worker *worker, uint64_t ms,
                                     struct timeval *space);

#endif
