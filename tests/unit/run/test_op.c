/* tests/unit/run/test_op.c - a step ends once, whatever ends it, and never from inside its start. */
#include "tests/unit/unit.h"

#include "common/run/op.h"
#include "tests/fakes/worker_loop.h"

struct step {
    struct op op;
    struct worker *worker;
    unsigned done;
    enum op_result result;
    bool is_starting;
};

static void step_done(struct op *op, enum op_result result)
{
    struct step *step = (struct step *)op;

    assert_false(step->is_starting);
    assert_false(op_is_pending(op));
    step->done++;
    step->result = result;
}

static int setup(void **state)
{
    *state = worker_new(0, "main", &clock_system, NULL);
    return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct worker *worker = *state;

    worker_free(&worker);
    return 0;
}

static void start(struct step *step, struct worker *worker, uint64_t timeout_ms)
{
    step->worker = worker;
    step->is_starting = true;
    op_start(&step->op, worker, timeout_ms, step_done);
    step->is_starting = false;
}

static void ends_at_its_deadline(void **state)
{
    struct step step = { 0 };

    start(&step, *state, 5);
    assert_true(op_is_pending(&step.op));
    assert_int_equal(0, step.done);
    worker_loop_for(*state, 40);
    assert_int_equal(1, step.done);
    assert_int_equal(OP_TIMEOUT, step.result);
}

static void without_a_deadline_waits(void **state)
{
    struct step step = { 0 };

    start(&step, *state, 0);
    worker_loop_for(*state, 30);
    assert_int_equal(0, step.done);
    op_finish(&step.op, OP_OK);
    assert_int_equal(0, step.done); /* from the loop only */
    worker_loop_for(*state, 5);
    assert_int_equal(1, step.done);
    assert_int_equal(OP_OK, step.result);
}

static void may_finish_while_it_is_started(void **state)
{
    struct step step = { .is_starting = true };

    op_start(&step.op, *state, 50, step_done);
    op_finish(&step.op, OP_FAILED);
    step.is_starting = false;
    worker_loop_for(*state, 100);
    assert_int_equal(1, step.done);
    assert_int_equal(OP_FAILED, step.result);
}

static void the_first_end_counts(void **state)
{
    struct step step = { 0 };

    start(&step, *state, 10);
    op_finish(&step.op, OP_OK);
    op_finish(&step.op, OP_FAILED);
    worker_loop_for(*state, 40);
    op_finish(&step.op, OP_FAILED);
    worker_loop_for(*state, 20);
    assert_int_equal(1, step.done);
    assert_int_equal(OP_OK, step.result);
}

static void is_silent_when_abandoned(void **state)
{
    struct step running = { 0 }, finished = { 0 };

    start(&running, *state, 5);
    op_abandon(&running.op);
    start(&finished, *state, 5);
    op_finish(&finished.op, OP_OK);
    op_abandon(&finished.op);
    op_abandon(&finished.op);
    worker_loop_for(*state, 30);
    assert_int_equal(0, running.done);
    assert_int_equal(0, finished.done);
    assert_false(op_is_pending(&finished.op));
}

/* Many answers that come at the very millisecond of their deadlines: each step still ends once. */
enum { RACERS = 2000, RACE_MS = 8 };

struct race {
    struct step steps[RACERS];
    struct event *answer;
};

static void answer_all(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct race *race = arg;

    for (size_t i = 0; i < RACERS; i++)
        op_finish(&race->steps[i].op, OP_OK);
}

static void ends_once_when_answer_and_deadline_meet(void **state)
{
    static struct race race;
    struct worker *worker = *state;
    struct timeval space;
    size_t by_answer = 0;

    worker_common_timeout(worker, RACE_MS);
    race.answer = evtimer_new(worker_base(worker), answer_all, &race);
    for (size_t i = 0; i < RACERS; i++) {
        start(&race.steps[i], worker, i % 2 == 0 ? RACE_MS : RACE_MS + i % 3);
        if (i == RACERS / 2)
            event_add(race.answer, worker_timeout(worker, RACE_MS, &space));
    }
    worker_loop_for(worker, 60);
    for (size_t i = 0; i < RACERS; i++) {
        assert_int_equal(1, race.steps[i].done);
        by_answer += race.steps[i].result == OP_OK;
    }
    assert_true(by_answer > 0);
    event_free(race.answer);
}

/* `done` may free what holds the step. */
static void free_step(struct op *op, UNUSED enum op_result result)
{
    free(op);
}

static void may_be_freed_when_done(void **state)
{
    for (size_t i = 0; i < 10; i++) {
        struct op *op = calloc(1, sizeof *op);
        op_start(op, *state, 3, free_step);
        if (i % 2 == 0)
            op_finish(op, OP_OK);
    }
    worker_loop_for(*state, 30); /* the address sanitizer watches */
}

static void start_again(struct op *op, enum op_result result)
{
    struct step *step = (struct step *)op;

    step->result = result;
    if (++step->done < 3)
        op_start(op, step->worker, 2, start_again);
}

static void may_start_again_when_done(void **state)
{
    struct step step = { .worker = *state };

    op_start(&step.op, *state, 2, start_again);
    worker_loop_for(*state, 60);
    assert_int_equal(3, step.done);
    assert_false(op_is_pending(&step.op));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ends_at_its_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_deadline_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(may_finish_while_it_is_started, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_end_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(is_silent_when_abandoned, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_once_when_answer_and_deadline_meet, setup, teardown),
        cmocka_unit_test_setup_teardown(may_be_freed_when_done, setup, teardown),
        cmocka_unit_test_setup_teardown(may_start_again_when_done, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
