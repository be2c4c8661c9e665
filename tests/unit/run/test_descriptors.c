/* tests/unit/run/test_descriptors.c - who may use the process's file descriptors. */
#include "tests/unit/unit.h"

#include <sys/resource.h>

#include "common/run/descriptors.h"

static struct rlimit before;

static void set_limit(size_t limit)
{
    struct rlimit files = { .rlim_cur = limit, .rlim_max = before.rlim_max };

    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &files));
}

static const struct {
    size_t limit, max_connections;
    size_t connections, work;
} cases[] = {
    { 1024, 20000, 768, 192 },  { 1024, 768, 768, 192 },
    { 1024, 500, 768, 460 }, /* what connections may not use is for work */
    { 4096, 20000, 3072, 768 }, { 16, 20000, 12, 3 },
    { 3, 20000, 3, 1 }, /* none are left: one message at a time all the same */
};

static void a_quarter_is_for_work(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        set_limit(cases[i].limit);
        if (descriptors_limit() != cases[i].limit ||
            descriptors_for_connections() != cases[i].connections ||
            descriptors_for_work(cases[i].max_connections) != cases[i].work)
            fail_msg("%zu, %zu", cases[i].limit, cases[i].max_connections);
    }
}

static void the_number_says_how_many_are_in_use(UNUSED void **state)
{
    set_limit(1024);
    assert_true(descriptors_leave_reserve(0));
    assert_true(descriptors_leave_reserve(767));
    assert_false(descriptors_leave_reserve(768));
    assert_false(descriptors_leave_reserve(-1));
    set_limit(2048); /* prlimit(1) while it runs */
    assert_true(descriptors_leave_reserve(768));
}

static int remember(UNUSED void **state)
{
    return getrlimit(RLIMIT_NOFILE, &before);
}

static int restore(UNUSED void **state)
{
    return setrlimit(RLIMIT_NOFILE, &before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_quarter_is_for_work, restore),
        cmocka_unit_test_teardown(the_number_says_how_many_are_in_use, restore),
    };

    return cmocka_run_group_tests(tests, remember, restore);
}
