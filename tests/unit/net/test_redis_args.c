/* tests/unit/net/test_redis_args.c - commands being put together: what does not fit is not sent, and touches nothing. */
#include "tests/unit/unit.h"

#include "common/net/redis.h"

static struct guarded {
    struct redis_args args;
    char after[64];
} guarded;

static struct redis_args *const args = &guarded.args;

static int setup(UNUSED void **state)
{
    memset(&guarded, 0x5a, sizeof guarded);
    redis_args_clear(args);
    return 0;
}

static int untouched(UNUSED void **state)
{
    for (size_t i = 0; i < sizeof guarded.after; i++)
        if (guarded.after[i] != 0x5a)
            return -1;
    return 0;
}

static struct slice text_at(size_t n)
{
    return (struct slice){ args->texts[n], args->lengths[n] };
}

static void keeps_what_is_printed_and_borrows_the_rest(UNUSED void **state)
{
    static const char borrowed[] = "a\0b";

    redis_args_add(args, (struct slice){ borrowed, 3 });
    redis_args_add(args, (struct slice){ NULL, 0 });
    redis_args_u64(args, UINT64_MAX);
    redis_args_printf(args, "gh:%.*s", 4, "list");
    assert_int_equal(4, args->count);
    assert_ptr_equal(borrowed, args->texts[0]);
    assert_int_equal(3, args->lengths[0]);
    assert_string_equal("", args->texts[1]);
    assert_int_equal(0, args->lengths[1]);
    assert_slice("18446744073709551615", text_at(2));
    assert_slice("gh:list", text_at(3));
    assert_false(args->is_full);
}

static void counts_the_keys_of_a_script(UNUSED void **state)
{
    redis_args_add(args, SLICE("of another command"));
    args->is_full = true;
    redis_args_script(args);
    redis_args_add(args, SLICE("key"));
    redis_args_u64(args, 7);
    redis_args_end_keys(args);
    redis_args_add(args, SLICE("argument"));
    assert_int_equal(2, args->keys);
    assert_int_equal(6, args->count); /* the first three are filled in when it is sent */
    assert_slice("key", text_at(3));
    assert_slice("argument", text_at(5));
    assert_false(args->is_full);
}

static void is_full_with_one_too_many(UNUSED void **state)
{
    for (size_t i = 0; i < REDIS_ARGS_MAX; i++)
        redis_args_add(args, SLICE("x"));
    assert_false(args->is_full);
    redis_args_add(args, SLICE("x"));
    assert_true(args->is_full);
    assert_int_equal(REDIS_ARGS_MAX, args->count);
    redis_args_clear(args);
    assert_false(args->is_full);
    assert_int_equal(0, args->count);
}

/* A text ends with a NUL, which takes room too. */
static void is_full_when_texts_are_too_long(UNUSED void **state)
{
    enum { PIECE = 1000 };
    size_t left = sizeof args->space;

    for (; left > PIECE; left -= PIECE)
        redis_args_printf(args, "%*s", PIECE, "x");
    assert_false(args->is_full);
    size_t count = args->count;
    redis_args_printf(args, "%*s", (int)left, "x");
    assert_true(args->is_full);
    assert_int_equal(count, args->count);
    args->is_full = false;
    redis_args_printf(args, "%*s", (int)left - 1, "y");
    assert_false(args->is_full);
    assert_int_equal(left - 1, args->lengths[count]);
    assert_int_equal('y', args->texts[count][left - 2]);
    redis_args_printf(args, "z");
    assert_true(args->is_full);
    assert_int_equal(count + 1, args->count);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, untouched)
    const struct CMUnitTest tests[] = {
        T(keeps_what_is_printed_and_borrows_the_rest),
        T(counts_the_keys_of_a_script),
        T(is_full_with_one_too_many),
        T(is_full_when_texts_are_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
