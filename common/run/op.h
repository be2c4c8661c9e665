/* common/run/op.h - one asynchronous step: answer, error and deadline all end in op_finish(), the first one wins.
 * `done` runs exactly once, straight from the worker's loop: never from inside op_start() or op_finish(), so a step may
 * finish while it is being started. All functions on the worker's thread.
 *
 *     struct ask { struct op op; ... };            // first member
 *     op_start(&ask->op, worker, 100, ask_done);   // then send; the answer calls op_finish(&ask->op, OP_OK)
 */
#ifndef GATEHOUSE_RUN_OP_H
#define GATEHOUSE_RUN_OP_H

#include <stdbool.h>

#include <event2/event_struct.h>

#include "common/run/worker.h"

enum op_result {
    OP_OK,
    OP_FAILED, /* the other side said no, or is not there */
    OP_TIMEOUT, /* the deadline passed first */
};

struct op;
/* May free what holds the op, or start it again. */
typedef void op_done(struct op *op, enum op_result result);

struct op {
    op_done *done;
    struct event event; /* deadline, and the way to the loop when finished */
    enum op_result result;
    enum { OP_IDLE, OP_RUNNING, OP_FINISHED } state; /* all zero: idle */
};

/* `timeout_ms` from now; 0: no deadline. The op must be idle (zeroed, done or abandoned). Pass a length known to
 * worker_common_timeout() on hot paths. */
void op_start(struct op *op, struct worker *worker, uint64_t timeout_ms, op_done *done);
void op_finish(struct op *op, enum op_result result); /* nothing happens unless it is running */
void op_abandon(struct op *op); /* ends it without `done`; nothing happens when it is idle */
bool op_is_pending(const struct op *op); /* started, and `done` has not been called yet */

#endif
