/* tests/unit/policyd/test_seen.c - what has been counted is remembered for ten minutes. */
#include "policyd/seen.h"

#include <pthread.h>

#include "common/base/clock.h"
#include "tests/unit/unit.h"

static void remembers_ten_minutes(UNUSED void **state)
{
    struct seen *seen = seen_new(16);

    assert_false(seen_before(seen, 1, 0));
    assert_false(seen_before(seen, 1, 0)); /* asking is not remembering */
    seen_remember(seen, 1, 0);
    seen_remember(seen, 1, MINUTE); /* does not begin anew */
    assert_true(seen_before(seen, 1, 10 * MINUTE - 1));
    assert_false(seen_before(seen, 2, 0));
    assert_false(seen_before(seen, 1, 10 * MINUTE));
    seen_free(&seen);
    assert_null(seen);
    seen_free(&seen);
}

static void forgets_the_oldest(UNUSED void **state)
{
    struct seen *seen = seen_new(16); /* 2 in each of 16 parts */

    for (uint64_t key = 1; key <= 4; key++)
        seen_remember(seen, key, key);
    assert_false(seen_before(seen, 1, 4));
    assert_false(seen_before(seen, 2, 4));
    assert_true(seen_before(seen, 3, 4));
    assert_true(seen_before(seen, 4, 4));
    seen_free(&seen);
}

/* Keys of all parts. */
static uint64_t spread(uint64_t n)
{
    return (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static void *use(void *arg)
{
    for (uint64_t i = 0; i < 5000; i++) {
        uint64_t key = spread(i % 100);
        seen_before(arg, key, i);
        seen_remember(arg, key, i);
    }
    return NULL;
}

static void any_thread_may_ask(UNUSED void **state)
{
    struct seen *seen = seen_new(64);
    pthread_t threads[3];

    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, use, seen));
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_true(seen_before(seen, spread(99), 5000));
    seen_free(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remembers_ten_minutes),
        cmocka_unit_test(forgets_the_oldest),
        cmocka_unit_test(any_thread_may_ask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
