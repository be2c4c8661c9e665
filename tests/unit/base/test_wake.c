/* tests/unit/base/test_wake.c - points of time to wait until, and which clock waiting goes by. */
#include "common/base/wake.h"

#include <errno.h>

#include "tests/unit/unit.h"

enum { TRIES = 1000 };

/* In nanoseconds. */
static int64_t between(const struct timespec *from, const struct timespec *to)
{
    return (int64_t)(to->tv_sec - from->tv_sec) * 1000000000 + (to->tv_nsec - from->tv_nsec);
}

static void is_so_many_milliseconds_from_now(UNUSED void **state)
{
    static const uint64_t rows[] = { 0, 1, 999, 1000, 1001, 86399999, UINT64_C(1) << 40 };

    for (size_t i = 0; i < COUNT(rows); i++)
        for (unsigned n = 0; n < TRIES; n++) { /* at all parts of a second, with luck */
            struct timespec before, after;
            clock_gettime(CLOCK_MONOTONIC, &before);
            struct timespec at = wake_after(rows[i]);
            clock_gettime(CLOCK_MONOTONIC, &after);
            int64_t ns = (int64_t)rows[i] * 1000000;
            assert_in_range(at.tv_nsec, 0, 999999999);
            assert_true(between(&before, &at) >= ns);
            assert_true(between(&after, &at) <= ns);
        }
}

static void waits_until_then_by_the_monotonic_clock(UNUSED void **state)
{
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct timespec now;
    int rc = 0;

    wake_init(&lock, &wake);
    struct timespec until = wake_after(20);
    pthread_mutex_lock(&lock);
    while (rc == 0) /* it may wake without a reason */
        rc = pthread_cond_timedwait(&wake, &lock, &until);
    pthread_mutex_unlock(&lock);
    clock_gettime(CLOCK_MONOTONIC, &now);
    assert_int_equal(ETIMEDOUT, rc);
    assert_true(between(&until, &now) >= 0); /* by the clock of the system it was long ago */
    pthread_cond_destroy(&wake);
    pthread_mutex_destroy(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_so_many_milliseconds_from_now),
        cmocka_unit_test(waits_until_then_by_the_monotonic_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
