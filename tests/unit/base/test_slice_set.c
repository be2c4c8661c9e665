/* tests/unit/base/test_slice_set.c - sets of texts. */
#include "tests/unit/unit.h"

#include "common/base/slice_set.h"

static struct arena *arena;
static struct slice_set set;

static bool added(const char *text)
{
    bool is_new = false;

    assert_true(slice_set_add(&set, slice_of(text), &is_new));
    return is_new;
}

static void has_each_text_once_in_any_case(UNUSED void **state)
{
    assert_false(slice_set_has(&set, SLICE("a@example.org")));
    assert_true(added("a@example.org"));
    assert_false(added("A@Example.ORG"));
    assert_true(slice_set_has(&set, SLICE("a@EXAMPLE.org")));
    assert_false(slice_set_has(&set, SLICE("a@example.or")));
    assert_false(slice_set_has(&set, SLICE("")));
    assert_true(added(""));
    assert_true(slice_set_has(&set, SLICE("")));
    assert_true(slice_set_add(&set, SLICE("b"), NULL));
    assert_int_equal(3, set.count);
}

static void long_texts_differ_at_their_end(UNUSED void **state)
{
    static char text[2000];

    memset(text, 'x', sizeof text - 1);
    assert_true(added(text));
    text[sizeof text - 2] = 'y';
    assert_false(slice_set_has(&set, slice_of(text)));
    assert_true(added(text));
    text[0] = 'Y';
    assert_true(added(text));
}

static void holds_many(UNUSED void **state)
{
    enum { MANY = 50000 };
    char text[32];

    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MANY; i++) {
            snprintf(text, sizeof text, "user%d@example.org", i);
            if (added(text) != (round == 0))
                fail_msg("%s", text);
        }
    assert_int_equal(MANY, set.count);
    assert_false(slice_set_has(&set, SLICE("user50000@example.org")));
}

static void says_when_memory_is_out(UNUSED void **state)
{
    struct arena *small = arena_new(64);
    struct slice_set tight;

    slice_set_init(&tight, small);
    assert_false(slice_set_add(&tight, SLICE("a"), NULL));
    assert_false(slice_set_has(&tight, SLICE("a")));
    arena_free(&small);
}

static int start(UNUSED void **state)
{
    arena = arena_new(64 << 20);
    slice_set_init(&set, arena);
    return 0;
}

static int stop(UNUSED void **state)
{
    arena_free(&arena);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(has_each_text_once_in_any_case),
        TEST(long_texts_differ_at_their_end),
        TEST(holds_many),
        TEST(says_when_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
