/* common/run/op.c - see op.h. One libevent event serves as deadline and, activated by hand, as the way to the loop: so
 * a step costs one O(1) timer and no system call. */
#include "common/run/op.h"

#include <assert.h>

static void run_done(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct op *op = arg;
    /* A deadline may strike between op_finish() and here: what came first counts. */
    enum op_result result = op->state == OP_FINISHED ? op->result : OP_TIMEOUT;

    op->state = OP_IDLE;
    op->done(op, result);
}

void op_start(struct op *op, struct worker *worker, uint64_t timeout_ms, op_done *done)
{
    struct timeval space;

    assert(op->state == OP_IDLE);
    op->done = done;
    op->state = OP_RUNNING;
    event_assign(&op->event, worker_base(worker), -1, 0, run_done, op);
    if (timeout_ms > 0)
        event_add(&op->event, worker_timeout(worker, timeout_ms, &space));
}

void op_finish(struct op *op, enum op_result result)
{
    if (op->state != OP_RUNNING)
        return;
    op->state = OP_FINISHED;
    op->result = result;
    event_active(&op->event, EV_READ, 1); /* takes the deadline off when it runs */
}

void op_abandon(struct op *op)
{
    if (op->state == OP_IDLE)
        return;
    event_del(&op->event);
    op->state = OP_IDLE;
}

bool op_is_pending(const struct op *op)
{
    return op->state != OP_IDLE;
}
