/* tests/unit/milter/test_edits.c - edits keep their order and texts; values of header fields become what may stand there. */
#include "tests/unit/unit.h"

#include "common/milter/edits.h"

static void keeps_order_and_texts(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    char name[] = "X-Test", text[] = "one";
    struct edit next = { .kind = EDIT_HOLD };
    struct edit edit = { EDIT_ADD_HEADER, slice_of(name), slice_of(text), 0, &next };
    struct edits edits;

    edits_init(&edits);
    assert_true(edits_add(&edits, arena, &edit));
    name[0] = text[0] = 'Y';
    assert_null(edits.first->next);
    edit = (struct edit){ .kind = EDIT_CHANGE_HEADER, .name = SLICE("Subject"), .index = 2 };
    assert_true(edits_add(&edits, arena, &edit));
    assert_int_equal(2, edits.count);
    assert_true(slice_equal(edits.first->name, SLICE("X-Test")));
    assert_true(slice_equal(edits.first->text, SLICE("one")));
    assert_null(edits.first->next->text.ptr); /* absent stays absent: it removes the field */
    assert_int_equal(2, edits.first->next->index);
    assert_null(edits.first->next->next);
    arena_free(&arena);
}

static const struct {
    const char *what;
    struct edit a, b;
    bool same;
} pairs[] = {
    { "the same",
      { EDIT_ADD_HEADER, SLICE_INIT("A"), SLICE_INIT("1"), 0, NULL },
      { EDIT_ADD_HEADER, SLICE_INIT("A"), SLICE_INIT("1"), 0, NULL },
      true },
    { "another kind",
      { EDIT_ADD_HEADER, SLICE_INIT("A"), SLICE_INIT("1"), 0, NULL },
      { EDIT_INSERT_HEADER, SLICE_INIT("A"), SLICE_INIT("1"), 0, NULL },
      false },
    { "another name",
      { EDIT_ADD_HEADER, SLICE_INIT("A"), SLICE_INIT("1"), 0, NULL },
      { EDIT_ADD_HEADER, SLICE_INIT("B"), SLICE_INIT("1"), 0, NULL },
      false },
    { "another text",
      { EDIT_ADD_HEADER, SLICE_INIT("A"), SLICE_INIT("1"), 0, NULL },
      { EDIT_ADD_HEADER, SLICE_INIT("A"), SLICE_INIT("2"), 0, NULL },
      false },
    { "another place",
      { EDIT_CHANGE_HEADER, SLICE_INIT("A"), SLICE_INIT("1"), 1, NULL },
      { EDIT_CHANGE_HEADER, SLICE_INIT("A"), SLICE_INIT("1"), 2, NULL },
      false },
    { "emptied or removed",
      { EDIT_CHANGE_HEADER, SLICE_INIT("A"), SLICE_INIT(""), 1, NULL },
      { EDIT_CHANGE_HEADER, SLICE_INIT("A"), { NULL, 0 }, 1, NULL },
      false },
    { "both removed",
      { EDIT_CHANGE_HEADER, SLICE_INIT("A"), { NULL, 0 }, 1, NULL },
      { EDIT_CHANGE_HEADER, SLICE_INIT("A"), { NULL, 0 }, 1, NULL },
      true },
};

static void knows_the_same_change(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(pairs); i++)
        if (edit_equal(&pairs[i].a, &pairs[i].b) != pairs[i].same ||
            edit_equal(&pairs[i].b, &pairs[i].a) != pairs[i].same)
            fail_msg("%s", pairs[i].what);
}

static void says_when_memory_is_out(UNUSED void **state)
{
    const struct edit edit = { EDIT_ADD_HEADER, SLICE("X-A"), SLICE("one"), 0, NULL };
    bool ok = false;

    for (size_t max = 0; !ok; max += 8) {
        struct arena *scarce = arena_new(max);
        struct edits edits;
        edits_init(&edits);
        ok = edits_add(&edits, scarce, &edit);
        if (edits.count != (ok ? 1U : 0U) || (edits.first != NULL) != ok ||
            (ok && !edit_equal(edits.first, &edit)))
            fail_msg("with %zu bytes", max);
        arena_free(&scarce);
        assert_true(max < 1000);
    }
}

static void is_bounded(UNUSED void **state)
{
    struct arena *small = arena_new(10), *large = arena_new(64 << 20);
    struct edit edit = { .kind = EDIT_HOLD, .text = SLICE("reason") };
    struct edits edits;

    edits_init(&edits);
    assert_false(edits_add(&edits, small, &edit));
    assert_int_equal(0, edits.count);
    assert_null(edits.first);
    for (size_t i = 0; i < EDITS_MAX; i++)
        assert_true(edits_add(&edits, large, &edit));
    assert_false(edits_add(&edits, large, &edit));
    arena_free(&small);
    arena_free(&large);
}

#define TEN "123456789 "
#define SIXTY TEN TEN TEN TEN TEN TEN
static const struct {
    const char *what;
    struct slice in;
    const char *want;
} values[] = {
    { "plain", SLICE_INIT("hello world"), "hello world" },
    { "empty", SLICE_INIT(""), "" },
    { "CR and NUL", SLICE_INIT("a\r\0b"), "ab" },
    { "a forged field", SLICE_INIT("a\r\nBcc: b"), "a Bcc: b" },
    { "an empty line", SLICE_INIT("a\n\n b"), "a \n b" },
    { "folded already", SLICE_INIT("a\r\n b\n\tc"), "a\n b\n\tc" },
    { "a line end at the end", SLICE_INIT("a\n"), "a" },
    { "blanks at the end", SLICE_INIT("a \n \t"), "a" },
    { "control bytes", SLICE_INIT("a\x01\x7f\x1b[m"), "a[m" },
    { "UTF-8", SLICE_INIT("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f" },
    { "just fits", SLICE_INIT(SIXTY TEN "12345"), SIXTY TEN "12345" },
    { "is folded", SLICE_INIT(SIXTY TEN "1234567 89"), SIXTY "123456789\n 1234567 89" },
    { "one long word",
      SLICE_INIT(
          "1234567890123456789012345678901234567890123456789012345678901234567890123456789012 x"),
      "1234567890123456789012345678901234567890123456789012345678901234567890123456789012\n x" },
};

static void makes_values(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(values); i++) {
        struct arena *arena = arena_new(1 << 16);
        struct slice made = header_value_make(arena, values[i].in);
        if (!slice_equal(made, slice_of(values[i].want)))
            fail_msg("%s: %.*s", values[i].what, SLICE_ARG(made));
        arena_free(&arena);
    }
}

/* Whatever comes in: no line is empty or begins without a blank, and none is longer than its longest word asks for. */
static void never_makes_an_invalid_value(UNUSED void **state)
{
    static const char bytes[] = "ab \t\n\r\0\xc3\xa9\x01wordword";
    unsigned seed = 1;
    char text[400];

    for (size_t round = 0; round < 5000; round++) {
        struct arena *arena = arena_new(1 << 16);
        size_t len = round % sizeof text;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1103515245 + 12345;
            text[i] = bytes[(seed >> 16) % (sizeof bytes - 1)];
        }
        struct slice made = header_value_make(arena, (struct slice){ text, len });
        for (size_t i = 0; i < made.len; i++) {
            unsigned char c = (unsigned char)made.ptr[i];
            assert_true(c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f));
            if (c == '\n')
                assert_true(i > 0 && i + 1 < made.len &&
                            (made.ptr[i + 1] == ' ' || made.ptr[i + 1] == '\t'));
        }
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_and_texts),
        cmocka_unit_test(knows_the_same_change),
        cmocka_unit_test(says_when_memory_is_out),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(makes_values),
        cmocka_unit_test(never_makes_an_invalid_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
