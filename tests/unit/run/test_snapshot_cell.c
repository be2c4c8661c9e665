/* tests/unit/run/test_snapshot_cell.c - who takes a snapshot keeps it, whatever is set meanwhile and in another thread. */
#include "common/run/snapshot_cell.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

static atomic_int released;

static void release(UNUSED void *arg)
{
    atomic_fetch_add(&released, 1);
}

static struct snapshot *make(uint64_t generation)
{
    return snapshot_new(&released, release, NULL, generation);
}

static void the_last_one_set_is_taken(UNUSED void **state)
{
    struct snapshot_cell cell;
    struct snapshot *first = make(1), *second = make(2);

    released = 0;
    snapshot_cell_init(&cell, first);
    struct snapshot *taken = snapshot_cell_get(&cell);
    snapshot_unref(&first);
    snapshot_cell_set(&cell, second);
    snapshot_unref(&second);
    assert_int_equal(0, released);
    assert_int_equal(1, snapshot_generation(taken));
    snapshot_unref(&taken);
    assert_int_equal(1, released);
    taken = snapshot_cell_get(&cell);
    assert_int_equal(2, snapshot_generation(taken));
    snapshot_cell_end(&cell);
    assert_int_equal(1, released);
    snapshot_unref(&taken);
    assert_int_equal(2, released);
}

enum { ROUNDS = 2000 };

static void *take_many(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct snapshot *taken = snapshot_cell_get(arg);
        if (snapshot_generation(taken) == 0)
            abort();
        snapshot_unref(&taken);
    }
    return NULL;
}

static void threads_take_while_others_set(UNUSED void **state)
{
    struct snapshot_cell cell;
    struct snapshot *one = make(1);
    pthread_t threads[2];

    released = 0;
    snapshot_cell_init(&cell, one);
    snapshot_unref(&one);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, take_many, &cell));
    for (uint64_t n = 2; n <= ROUNDS; n++) {
        one = make(n);
        snapshot_cell_set(&cell, one);
        snapshot_unref(&one);
    }
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    snapshot_cell_end(&cell);
    assert_int_equal(ROUNDS, released);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_one_set_is_taken),
        cmocka_unit_test(threads_take_while_others_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
