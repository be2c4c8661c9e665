/* tests/unit/base/test_shared.c - a shared object is freed with its last reference, whoever holds it. */
#include "common/base/shared.h"

#include <pthread.h>

#include "tests/unit/unit.h"

static unsigned freed;

static void free_object(void *object)
{
    freed++;
    free(object);
}

static void lives_until_the_last_reference(UNUSED void **state)
{
    char *object = malloc(1);
    struct shared *shared = shared_new(object, free_object), *other = shared_ref(shared);

    freed = 0;
    assert_ptr_equal(object, shared_get(shared));
    assert_ptr_equal(shared, other);
    shared_unref(&shared);
    assert_null(shared);
    assert_int_equal(0, freed);
    assert_ptr_equal(object, shared_get(other));
    shared_unref(&other);
    assert_int_equal(1, freed);
}

static void nothing_is_nothing(UNUSED void **state)
{
    struct shared *none = shared_new(NULL, free_object);

    freed = 0;
    assert_null(none);
    assert_null(shared_ref(none));
    assert_null(shared_get(none));
    shared_unref(&none);
    assert_int_equal(0, freed);
}

enum { THREADS = 4, ROUNDS = 10000 };

static void *hold_and_let_go(void *arg)
{
    struct shared *mine = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct shared *one = shared_ref(mine);
        assert_non_null(shared_get(one));
        shared_unref(&one);
    }
    shared_unref(&mine);
    return NULL;
}

static void any_thread_may_hold_it(UNUSED void **state)
{
    struct shared *shared = shared_new(malloc(1), free_object);
    pthread_t threads[THREADS];

    freed = 0;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, hold_and_let_go, shared_ref(shared)));
    shared_unref(&shared);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(1, freed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives_until_the_last_reference),
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(any_thread_may_hold_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
