/* tests/unit/run/test_pool.c - all work is done, each piece at once: none waits for another that waits itself. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "common/run/pool.h"

enum { MANY = 50 };

struct piece {
    struct pool_task task; /* first member */
    struct pool *pool;
    atomic_uint *done;
    pthread_barrier_t *barrier; /* NULL: none */
    unsigned again; /* hands itself over so often */
};

static void run(struct pool_task *task)
{
    struct piece *piece = (struct piece *)task;
    atomic_uint *done = piece->done;

    if (piece->barrier != NULL)
        pthread_barrier_wait(piece->barrier);
    if (piece->again > 0) {
        piece->again--;
        pool_run(piece->pool, task);
        return;
    }
    free(piece);
    atomic_fetch_add(done, 1);
}

static void hand_over(struct pool *pool, atomic_uint *done, pthread_barrier_t *barrier,
                      unsigned again)
{
    struct piece *piece = calloc(1, sizeof *piece);

    *piece = (struct piece){ { run, NULL }, pool, done, barrier, again };
    pool_run(pool, &piece->task);
}

/* Each waits for all others: with a thread less it would never end. */
static void as_many_threads_as_there_is_work(UNUSED void **state)
{
    struct pool *pool = pool_new("pool", 1000);
    pthread_barrier_t barrier;
    atomic_uint done = 0;

    pthread_barrier_init(&barrier, NULL, MANY);
    for (unsigned round = 0; round < 20; round++)
        for (unsigned i = 0; i < MANY; i++)
            hand_over(pool, &done, &barrier, 0);
    pool_free(&pool);
    assert_null(pool);
    assert_int_equal(20 * MANY, atomic_load(&done));
    pthread_barrier_destroy(&barrier);
}

static void no_more_threads_than_allowed(UNUSED void **state)
{
    struct pool *pool = pool_new("pool", 2);
    atomic_uint done = 0;

    for (unsigned i = 0; i < 1000; i++) {
        hand_over(pool, &done, NULL, i % 3);
        assert_in_range(pool_threads(pool), 1, 2);
    }
    while (atomic_load(&done) < 1000) /* tasks hand themselves over: not after pool_free() */
        sched_yield();
    pool_free(&pool);
    assert_int_equal(1000, atomic_load(&done));
}

static void ends_without_work(UNUSED void **state)
{
    struct pool *pool = pool_new("pool", 10);

    assert_non_null(pool);
    assert_int_equal(1, pool_threads(pool));
    pool_free(&pool);
    pool_free(&pool);
}

struct feeder {
    struct pool *pool;
    atomic_uint done;
};

static void *feed(void *arg)
{
    struct feeder *feeder = arg;

    for (unsigned i = 0; i < 500; i++)
        hand_over(feeder->pool, &feeder->done, NULL, 0);
    return NULL;
}

static void any_thread_hands_over(UNUSED void **state)
{
    struct feeder feeder = { .pool = pool_new("pool", 100) };
    pthread_t threads[4];

    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_create(&threads[i], NULL, feed, &feeder);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    pool_free(&feeder.pool);
    assert_int_equal(COUNT(threads) * 500, atomic_load(&feeder.done));
}

/* No thread can be made, its stack being too large: work waits for the one there is, and none is lost. */
static void without_more_threads_work_waits(UNUSED void **state)
{
    struct pool *pool = pool_new("pool", 100);
    pthread_barrier_t barrier;
    pthread_attr_t before, huge;
    atomic_uint done = 0;

    pthread_barrier_init(&barrier, NULL, 2);
    assert_int_equal(0, pthread_getattr_default_np(&before));
    assert_int_equal(0, pthread_getattr_default_np(&huge));
    assert_int_equal(0, pthread_attr_setstacksize(&huge, (size_t)1 << 46));
    assert_int_equal(0, pthread_setattr_default_np(&huge));
    hand_over(pool, &done, &barrier, 0);
    for (unsigned i = 0; i < 5; i++)
        hand_over(pool, &done, NULL, 0);
    assert_int_equal(0, pthread_setattr_default_np(&before));
    assert_int_equal(1, pool_threads(pool));
    assert_int_equal(0, atomic_load(&done));
    pthread_barrier_wait(&barrier);
    pool_free(&pool);
    assert_int_equal(6, atomic_load(&done));
    pthread_barrier_destroy(&barrier);
    pthread_attr_destroy(&before);
    pthread_attr_destroy(&huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_threads_as_there_is_work),
        cmocka_unit_test(no_more_threads_than_allowed),
        cmocka_unit_test(ends_without_work),
        cmocka_unit_test(any_thread_hands_over),
        cmocka_unit_test(without_more_threads_work_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
