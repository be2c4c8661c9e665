/* tests/unit/milter/test_job.c - work on a loop that a thread waits for: whoever is last lets go of it, whatever comes
 * first, the end, the deadline or nobody's interest. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "common/milter/job.h"
#include "common/run/op.h"

enum { SOON_MS = 20, LONG_MS = 60000 };

static atomic_uint released, abandoned;

struct work {
    struct op op; /* first member */
    struct worker *worker;
    struct job *job;
    uint64_t ms; /* until it is done; 0: at once */
    unsigned posted;
    bool is_done;
};

static void done(struct op *op, UNUSED enum op_result result)
{
    struct work *work = (struct work *)op;

    work->is_done = true;
    job_done(work->job);
}

static void start(struct job *job, void *arg)
{
    struct work *work = arg;

    assert_ptr_equal(work->worker, worker_current());
    work->job = job;
    if (work->ms == 0) {
        work->is_done = true;
        job_done(job);
    } else {
        op_start(&work->op, work->worker, work->ms, done);
    }
}

static void abandon(void *arg)
{
    struct work *work = arg;

    assert_ptr_equal(work->worker, worker_current());
    op_abandon(&work->op);
    atomic_fetch_add(&abandoned, 1);
}

static void release(void *arg)
{
    atomic_fetch_add(&released, 1);
    free(arg);
}

static const struct job_kind kind = { start, abandon, release };

static int setup(void **state)
{
    struct worker *worker = worker_new(1, "worker-1", &clock_system, NULL);

    atomic_store(&released, 0);
    atomic_store(&abandoned, 0);
    *state = worker;
    return worker == NULL || worker_start(worker) ? -1 : 0;
}

static void end(void **state)
{
    struct worker *worker = *state;

    worker_stop(worker);
    worker_join(worker);
    worker_free(&worker);
    *state = NULL;
}

static int teardown(void **state)
{
    if (*state != NULL)
        end(state);
    return 0;
}

static struct work *new_work(struct worker *worker, uint64_t ms)
{
    struct work *work = calloc(1, sizeof *work);

    work->worker = worker;
    work->ms = ms;
    return work;
}

static void is_waited_for(void **state)
{
    for (uint64_t ms = 0; ms <= SOON_MS; ms += SOON_MS) {
        struct work *work = new_work(*state, ms);
        struct job *job = job_start(*state, &kind, work);
        assert_int_equal(JOB_DONE, job_wait(job, LONG_MS, LONG_MS, NULL, NULL));
        assert_int_equal(JOB_DONE, job_wait(job, 0, 0, NULL, NULL)); /* again */
        assert_true(work->is_done); /* it is ours now */
        job_drop(&job);
        assert_null(job);
    }
    end(state);
    assert_int_equal(2, atomic_load(&released));
    assert_int_equal(0, atomic_load(&abandoned));
}

static void one_too_late_is_abandoned(void **state)
{
    struct job *job = job_start(*state, &kind, new_work(*state, LONG_MS));

    assert_int_equal(JOB_LATE, job_wait(job, SOON_MS, LONG_MS, NULL, NULL));
    assert_int_equal(JOB_LATE, job_wait(job, 0, LONG_MS, NULL, NULL));
    job_drop(&job);
    end(state);
    assert_int_equal(1, atomic_load(&abandoned));
    assert_int_equal(1, atomic_load(&released));
}

static void one_that_nobody_waits_for_is_abandoned(void **state)
{
    struct job *job = job_start(*state, &kind, new_work(*state, LONG_MS));

    job_drop(&job);
    job_drop(&job); /* nothing */
    end(state);
    assert_int_equal(1, atomic_load(&abandoned));
    assert_int_equal(1, atomic_load(&released));
}

static void one_that_is_done_already_is_only_let_go_of(void **state)
{
    struct work *work = new_work(*state, 0);
    struct job *job = job_start(*state, &kind, work);

    job_wait(job, LONG_MS, LONG_MS, NULL, NULL);
    assert_int_equal(0, job_post(job, abandon)); /* does not run any more */
    job_drop(&job);
    end(state);
    assert_int_equal(0, atomic_load(&abandoned));
    assert_int_equal(1, atomic_load(&released));
}

static void more(void *arg)
{
    struct work *work = arg;

    if (++work->posted == 3)
        op_finish(&work->op, OP_OK);
}

static void calls_reach_it_in_order(void **state)
{
    struct work *work = new_work(*state, LONG_MS);
    struct job *job = job_start(*state, &kind, work);

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(0, job_post(job, more));
    assert_int_equal(JOB_DONE, job_wait(job, LONG_MS, LONG_MS, NULL, NULL));
    assert_int_equal(3, work->posted);
    job_drop(&job);
}

static bool count(void *arg)
{
    ++*(unsigned *)arg;
    return true;
}

static void progress_is_told_while_it_waits(void **state)
{
    struct job *job = job_start(*state, &kind, new_work(*state, 10 * SOON_MS));
    unsigned told = 0;

    assert_int_equal(JOB_DONE, job_wait(job, LONG_MS, SOON_MS, count, &told));
    assert_in_range(told, 1, 10);
    job_drop(&job);
}

static bool twice(void *arg)
{
    return ++*(unsigned *)arg < 2;
}

static void waiting_ends_when_it_is_pointless(void **state)
{
    struct job *job = job_start(*state, &kind, new_work(*state, LONG_MS));
    unsigned told = 0;

    assert_int_equal(JOB_UNWANTED, job_wait(job, 2 * LONG_MS, SOON_MS, twice, &told));
    assert_int_equal(2, told);
    job_drop(&job);
}

/* Its loop ends before it has begun. */
static void fails_with_its_loop(void **state)
{
    struct worker *dead = worker_new(2, "worker-2", &clock_system, NULL);
    struct job *job = job_start(dead, &kind, new_work(dead, 0));

    (void)state;
    assert_int_equal(JOB_LATE, job_wait(job, 0, LONG_MS, NULL, NULL));
    assert_int_equal(0, job_post(job, more));
    worker_free(&dead);
    assert_int_equal(JOB_FAILED, job_wait(job, LONG_MS, LONG_MS, NULL, NULL));
    job_drop(&job);
    assert_int_equal(1, atomic_load(&released));
}

struct at_once {
    sem_t ended;
    bool began, was_posted, was_abandoned, was_done;
};

/* On the loop. */
static void do_all(struct worker *worker, void *arg)
{
    struct at_once *seen = arg;
    struct work *work = new_work(worker, LONG_MS);
    struct job *job = job_start(worker, &kind, work);

    seen->began = work->job == job;
    job_post(job, more);
    seen->was_posted = work->posted == 1;
    job_drop(&job);
    seen->was_abandoned = atomic_load(&abandoned) == 1 && atomic_load(&released) == 1;
    job = job_start(worker, &kind, new_work(worker, 0));
    job_post(job, abandon); /* it is done */
    job_drop(&job);
    seen->was_done = atomic_load(&abandoned) == 1 && atomic_load(&released) == 2;
    sem_post(&seen->ended);
}

static void on_the_loop_all_happens_at_once(void **state)
{
    struct at_once seen = { .began = false };

    sem_init(&seen.ended, 0, 0);
    worker_post(*state, do_all, &seen);
    while (sem_wait(&seen.ended) != 0)
        ;
    assert_true(seen.began);
    assert_true(seen.was_posted);
    assert_true(seen.was_abandoned);
    assert_true(seen.was_done);
    sem_destroy(&seen.ended);
}

static void *drop_at_random(void *arg)
{
    for (unsigned i = 0; i < 300; i++) {
        struct job *job = job_start(arg, &kind, new_work(arg, i % 4));
        if (i % 3 != 0)
            job_post(job, more);
        if (i % 2 != 0)
            job_wait(job, i % 5, 1, NULL, NULL);
        job_drop(&job);
    }
    return NULL;
}

static void many_threads_many_jobs(void **state)
{
    pthread_t threads[4];

    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, drop_at_random, *state));
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    end(state);
    assert_int_equal(COUNT(threads) * 300, atomic_load(&released));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(is_waited_for),
        TEST(one_too_late_is_abandoned),
        TEST(one_that_nobody_waits_for_is_abandoned),
        TEST(one_that_is_done_already_is_only_let_go_of),
        TEST(calls_reach_it_in_order),
        TEST(progress_is_told_while_it_waits),
        TEST(waiting_ends_when_it_is_pointless),
        TEST(fails_with_its_loop),
        TEST(on_the_loop_all_happens_at_once),
        TEST(many_threads_many_jobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
