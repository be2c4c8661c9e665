/* tests/unit/lists/test_tails.c - until, by and note of entries, kept compactly. */
#include "tests/unit/unit.h"

#include "common/lists/tails.h"

static void keeps_what_it_was_given(UNUSED void **state)
{
    struct live_tail tail = { .until_s = 5, .by = SLICE_INIT("root"), .note = SLICE_INIT("why") };
    struct live_tail nothing = { .until_s = 0 };
    struct tails tails;
    uint32_t number = 9;

    tails_init(&tails);
    assert_int_equal(0, tails_add(&tails, &nothing, &number));
    assert_int_equal(TAIL_NONE, number);
    for (uint32_t i = 1; i <= 100; i++) {
        tail.until_s = i;
        assert_int_equal(0, tails_add(&tails, &tail, &number));
        assert_int_equal(i, number);
    }
    struct live_tail got = tails_get(&tails, 77);
    assert_int_equal(77, got.until_s);
    assert_slice("root", got.by);
    assert_slice("why", got.note);
    assert_int_equal(0, tails_get(&tails, TAIL_NONE).until_s);
    assert_true(tails_memory(&tails) >= 100 * (sizeof(struct tail_record) + 7));
    tails_free(&tails);
}

static void bounds_the_texts(UNUSED void **state)
{
    static char text[70000];
    struct live_tail tail = { .by = { text, sizeof text }, .note = { text, sizeof text } };
    struct tails tails;
    uint32_t number;

    memset(text, 'x', sizeof text);
    tails_init(&tails);
    assert_int_equal(0, tails_add(&tails, &tail, &number));
    assert_int_equal(TAIL_WORD_MAX, tails_get(&tails, number).by.len);
    assert_int_equal(TAIL_NOTE_MAX, tails_get(&tails, number).note.len);
    tails_free(&tails);
}

static const struct {
    uint64_t first_s, second_s;
    bool first_is_longer;
} ends[] = { { 5, 6, false }, { 6, 5, true }, { 0, 5, true }, { 5, 0, false }, { 5, 5, true } };

static void knows_which_ends_later(UNUSED void **state)
{
    struct tails tails;

    tails_init(&tails);
    for (size_t i = 0; i < COUNT(ends); i++) {
        struct live_tail first = { .until_s = ends[i].first_s, .by = SLICE_INIT("x") };
        struct live_tail second = { .until_s = ends[i].second_s, .by = SLICE_INIT("y") };
        uint32_t a, b;
        assert_int_equal(0, tails_add(&tails, &first, &a));
        assert_int_equal(0, tails_add(&tails, &second, &b));
        if (tails_longer(&tails, a, b) != (ends[i].first_is_longer ? a : b))
            fail_msg("row %zu", i);
        assert_int_equal(TAIL_NONE, tails_longer(&tails, TAIL_NONE, TAIL_NONE));
        assert_true(tails_is_expired(&tails, a, 5000) == (ends[i].first_s == 5));
    }
    assert_false(tails_is_expired(&tails, TAIL_NONE, UINT64_MAX));
    tails_free(&tails);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_it_was_given),
        cmocka_unit_test(bounds_the_texts),
        cmocka_unit_test(knows_which_ends_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
