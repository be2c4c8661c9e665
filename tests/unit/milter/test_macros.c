/* tests/unit/milter/test_macros.c - macros hold for their command, not for the one after; odd packets harm nobody. */
#include "tests/unit/unit.h"

#include "common/milter/macros.h"

static int setup(void **state)
{
    struct macros *macros = calloc(1, sizeof *macros);

    macros_init(macros);
    *state = macros;
    return 0;
}

static int teardown(void **state)
{
    macros_free(*state);
    free(*state);
    return 0;
}

static void take(struct macros *macros, struct slice data)
{
    assert_int_equal(0, macros_take(macros, data));
}

static struct slice find(const struct macros *macros, const char *name)
{
    return macros_find(macros, slice_of(name));
}

static void finds_with_or_without_braces(void **state)
{
    take(*state, SLICE("Cj\0mx\0{daemon_name}\0smtpd\0{i}\0one\0_\0\0"));
    assert_slice("mx", find(*state, "j"));
    assert_slice("mx", find(*state, "{j}"));
    assert_slice("smtpd", find(*state, "daemon_name"));
    assert_slice("smtpd", find(*state, "{daemon_name}"));
    assert_slice("one", find(*state, "i"));
    assert_non_null(find(*state, "_").ptr); /* told, and empty */
    assert_int_equal(0, find(*state, "_").len);
    assert_null(find(*state, "daemon").ptr);
    assert_null(find(*state, "mx").ptr); /* a value is no name */
    assert_null(find(*state, "").ptr);
}

static void the_latest_stage_counts(void **state)
{
    take(*state, SLICE("Mi\0first\0"));
    take(*state, SLICE("Ci\0connect\0"));
    assert_slice("first", find(*state, "i"));
    take(*state, SLICE("Ei\0end\0"));
    assert_slice("end", find(*state, "i"));
    take(*state, SLICE("Nx\0y\0"));
    assert_slice("end", find(*state, "i"));
}

static void a_command_ends_what_came_before_it(void **state)
{
    take(*state, SLICE("Cj\0mx\0"));
    macros_begin(*state, MILTER_CONNECT);
    take(*state, SLICE("Mauth\0al\0"));
    macros_begin(*state, MILTER_MAIL);
    assert_slice("al", find(*state, "auth")); /* told for this one */
    take(*state, SLICE("Ei\0one\0"));
    macros_begin(*state, MILTER_HEADER); /* has no macros */
    assert_slice("one", find(*state, "i"));
    macros_begin(*state, MILTER_MAIL); /* the next, of which nothing was told */
    assert_null(find(*state, "auth").ptr);
    assert_null(find(*state, "i").ptr);
    assert_slice("mx", find(*state, "j"));
}

static void told_again_they_are_replaced(void **state)
{
    take(*state, SLICE("Ma\0one\0b\0two\0"));
    take(*state, SLICE("Mb\0three\0"));
    assert_null(find(*state, "a").ptr);
    assert_slice("three", find(*state, "b"));
}

static void odd_packets_are_taken_as_far_as_they_go(void **state)
{
    take(*state, SLICE("Ma\0one\0b\0"));
    assert_slice("one", find(*state, "a"));
    assert_null(find(*state, "b").ptr);
    take(*state, SLICE("Ma\0one\0b\0no end"));
    assert_null(find(*state, "b").ptr);
    take(*state, SLICE("M"));
    assert_null(find(*state, "a").ptr);
    take(*state, SLICE(""));
    take(*state, SLICE("?a\0one\0"));
    assert_null(find(*state, "a").ptr);
}

static void there_is_a_bound(void **state)
{
    char *large = calloc(1, MACROS_MAX + 10);

    memset(large, 'x', MACROS_MAX + 8);
    large[0] = 'M';
    large[2] = '\0';
    assert_int_equal(-1, macros_take(*state, (struct slice){ large, MACROS_MAX + 10 }));
    assert_null(find(*state, "x").ptr);
    free(large);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(finds_with_or_without_braces),
        TEST(the_latest_stage_counts),
        TEST(a_command_ends_what_came_before_it),
        TEST(told_again_they_are_replaced),
        TEST(odd_packets_are_taken_as_far_as_they_go),
        TEST(there_is_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
