/* tests/unit/milter/test_admission.c - no more than the cap are in, who waits comes in when somebody leaves. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/milter/admission.h"

enum { LONG_MS = 60000, CAP = 3 };

static struct admission *admission;

static int setup(UNUSED void **state)
{
    admission = admission_new();
    return admission == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    admission_free(&admission);
    return 0;
}

static void counts(UNUSED void **state)
{
    assert_int_equal(ADMITTED, admission_enter(admission, 2, 0));
    assert_int_equal(ADMITTED, admission_enter(admission, 2, 0));
    assert_int_equal(ADMISSION_FULL, admission_enter(admission, 2, 0));
    assert_int_equal(ADMISSION_FULL, admission_enter(admission, 2, 20));
    assert_int_equal(2, admission_count(admission));
    admission_leave(admission);
    assert_int_equal(ADMITTED, admission_enter(admission, 2, LONG_MS));
    assert_int_equal(ADMITTED,
                     admission_enter(admission, 3, LONG_MS)); /* a larger cap holds at once */
    admission_close(admission);
    assert_int_equal(ADMISSION_CLOSED, admission_enter(admission, 99, LONG_MS));
    assert_int_equal(3, admission_count(admission));
}

static void *enter(void *arg)
{
    enum admission_result *result = arg;

    *result = admission_enter(admission, 1, LONG_MS);
    return NULL;
}

/* When somebody leaves, not when its patience ends. The pause lets it begin to wait, mostly. */
static void who_waits_comes_in(UNUSED void **state)
{
    uint64_t start = clock_system.now_ms(&clock_system);

    admission_enter(admission, 1, 0);
    for (unsigned round = 0; round < 20; round++) {
        enum admission_result result = ADMISSION_FULL;
        pthread_t thread;
        pthread_create(&thread, NULL, enter, &result);
        nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
        admission_leave(admission);
        pthread_join(thread, NULL);
        assert_int_equal(ADMITTED, result);
        assert_true(clock_system.now_ms(&clock_system) - start < LONG_MS);
    }
}

static void nobody_waits_less_than_agreed(UNUSED void **state)
{
    static const uint64_t waits[] = { 20, 999, 1001 };

    admission_enter(admission, 1, 0);
    for (size_t i = 0; i < COUNT(waits); i++) {
        uint64_t start = clock_system.now_ms(&clock_system);
        assert_int_equal(ADMISSION_FULL, admission_enter(admission, 1, waits[i]));
        uint64_t took = clock_system.now_ms(&clock_system) - start;
        if (took + 1 < waits[i] || took > LONG_MS) /* the clock's milliseconds are cut */
            fail_msg("%llu ms of %llu", (unsigned long long)took, (unsigned long long)waits[i]);
    }
}

static void who_waits_is_sent_away_at_the_end(UNUSED void **state)
{
    enum admission_result results[3];
    pthread_t threads[3];

    admission_enter(admission, 1, 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_create(&threads[i], NULL, enter, &results[i]);
    admission_close(admission);
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(ADMISSION_CLOSED, results[i]);
    }
}

static atomic_int inside, most;

static void *come_and_go(UNUSED void *arg)
{
    for (size_t i = 0; i < 500; i++) {
        if (admission_enter(admission, CAP, LONG_MS) != ADMITTED)
            return NULL;
        int now = atomic_fetch_add(&inside, 1) + 1, before = atomic_load(&most);
        while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
            ;
        atomic_fetch_sub(&inside, 1);
        admission_leave(admission);
    }
    return NULL;
}

static void never_more_than_the_cap(UNUSED void **state)
{
    pthread_t threads[8];

    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_create(&threads[i], NULL, come_and_go, NULL);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(0, admission_count(admission));
    assert_in_range(atomic_load(&most), 1, CAP);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(counts),
        TEST(who_waits_comes_in),
        TEST(nobody_waits_less_than_agreed),
        TEST(who_waits_is_sent_away_at_the_end),
        TEST(never_more_than_the_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
