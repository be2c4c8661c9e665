/* tests/unit/base/test_suggest.c - what is near enough to be suggested. */
#include "tests/unit/unit.h"

#include "common/base/suggest.h"

static const char *const names[] = { "listen", "log_level", "workers", "budget", "log" };

static const struct {
    const char *wanted, *want; /* NULL: nothing is near */
} cases[] = {
    { "lisetn", "listen" }, /* neighbours swapped */
    { "budgt", "budget" },
    { "budgett", "budget" },
    { "bugdett", "budget" },
    { "LOG_LEVEL", "log_level" },
    { "loglevel", "log_level" },
    { "lgo", "log" },
    { "worker", "workers" },
    { "greylist_delay", NULL },
    { "lst", NULL }, /* three of six letters */
    { "", NULL },
    { "xy", NULL },
};

static void suggests_the_nearest_name(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct suggest best = suggest_for(slice_of(cases[i].wanted));
        for (size_t n = 0; n < COUNT(names); n++)
            suggest_offer(&best, slice_of(names[n]));
        if (!slice_equal(best.name, slice_of(cases[i].want)))
            fail_msg("%s: got %.*s", cases[i].wanted, SLICE_ARG(best.name));
    }
}

static void keeps_the_first_of_equally_near_names(UNUSED void **state)
{
    struct suggest best = suggest_for(SLICE("lost"));

    suggest_offer(&best, SLICE("list"));
    suggest_offer(&best, SLICE("last"));
    assert_slice("list", best.name);
    assert_int_equal(1, best.distance);
}

static void finds_nothing_near_to_long_names(UNUSED void **state)
{
    char text[65];

    memset(text, 'a', sizeof(text));
    struct suggest best = suggest_for((struct slice){ text, 65 });
    suggest_offer(&best, (struct slice){ text, 64 });
    assert_null(best.name.ptr);
    best = suggest_for((struct slice){ text, 64 });
    suggest_offer(&best, (struct slice){ text, 65 });
    assert_null(best.name.ptr);
    suggest_offer(&best, (struct slice){ text, 64 });
    assert_int_equal(0, best.distance);
    assert_non_null(best.name.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suggests_the_nearest_name),
        cmocka_unit_test(keeps_the_first_of_equally_near_names),
        cmocka_unit_test(finds_nothing_near_to_long_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
