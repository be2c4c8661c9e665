/* tests/unit/scanners/test_wanted.c - what scanners want changed or said is checked first. */
#include "tests/unit/unit.h"

#include "contentd/scanners/wanted.h"

static struct arena *arena;
static struct edits edits;

static int setup(UNUSED void **state)
{
    arena = arena_new(1 << 20);
    edits_init(&edits);
    return arena == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    arena_free(&arena);
    return 0;
}

static const struct {
    const char *what;
    struct slice name, value;
    const char *want; /* value; NULL: refused */
} fields[] = {
    { "plain", SLICE_INIT("X-Spam"), SLICE_INIT("Yes"), "Yes" },
    { "leading blank", SLICE_INIT("X-Spam"), SLICE_INIT(" Yes"), "Yes" },
    { "one leading blank only", SLICE_INIT("X"), SLICE_INIT("  Yes"), " Yes" },
    { "fold", SLICE_INIT("X"), SLICE_INIT("a\n\tb"), "a\n\tb" },
    { "fold with CR", SLICE_INIT("X"), SLICE_INIT("a\r\n b\r\n"), "a\n b" },
    { "empty", SLICE_INIT("X"), SLICE_INIT(""), "" },
    { "UTF-8", SLICE_INIT("X"), SLICE_INIT("\xc3\xa4"), "\xc3\xa4" },
    { "another field", SLICE_INIT("X"), SLICE_INIT("a\nBcc: b@example.org"), NULL },
    { "CR alone", SLICE_INIT("X"), SLICE_INIT("a\rb"), NULL },
    { "end of the head", SLICE_INIT("X"), SLICE_INIT("a\n\nbody"), NULL },
    { "NUL", SLICE_INIT("X"), SLICE_INIT("a\0b"), NULL },
    { "no name", SLICE_INIT(""), SLICE_INIT("a"), NULL },
    { "blank in the name", SLICE_INIT("X Y"), SLICE_INIT("a"), NULL },
    { "colon in the name", SLICE_INIT("X:"), SLICE_INIT("a"), NULL },
    { "line end in the name", SLICE_INIT("X\n"), SLICE_INIT("a"), NULL },
    { "8 bit in the name", SLICE_INIT("\xc3\xa4"), SLICE_INIT("a"), NULL },
};

static void checks_header_fields(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(fields); i++) {
        edits_init(&edits);
        const char *error =
            wanted_header(&edits, arena, EDIT_INSERT_HEADER, fields[i].name, fields[i].value, 3);
        if ((error == NULL) != (fields[i].want != NULL) || edits.count != (error == NULL))
            fail_msg("%s: %s", fields[i].what, error == NULL ? "taken" : error);
        if (error != NULL)
            continue;
        if (!slice_equal(edits.first->text, slice_of(fields[i].want)) || edits.first->index != 3 ||
            !slice_equal(edits.first->name, fields[i].name))
            fail_msg("%s: \"%.*s\"", fields[i].what, SLICE_ARG(edits.first->text));
    }
}

static void an_absent_value_removes(UNUSED void **state)
{
    struct slice absent = { NULL, 0 };

    assert_null(wanted_header(&edits, arena, EDIT_CHANGE_HEADER, SLICE("X"), absent, 2));
    assert_null(edits.first->text.ptr);
    assert_int_equal(2, edits.first->index);
}

static void bounds_header_fields(UNUSED void **state)
{
    static char big[WANTED_VALUE_MAX + 1];
    struct slice value = { big, sizeof(big) };

    memset(big, 'a', sizeof(big));
    assert_non_null(wanted_header(&edits, arena, EDIT_ADD_HEADER, SLICE("X"), value, 0));
    value.len--;
    assert_null(wanted_header(&edits, arena, EDIT_ADD_HEADER, SLICE("X"), value, 0));
    assert_non_null(wanted_header(&edits, arena, EDIT_ADD_HEADER,
                                  slice_part(value, 0, WANTED_NAME_MAX + 1), SLICE("a"), 0));
}

static void says_when_memory_is_out(UNUSED void **state)
{
    struct arena *small = arena_new(64);

    assert_non_null(small);
    assert_non_null(
        wanted_header(&edits, small, EDIT_ADD_HEADER, SLICE("X"),
                      SLICE("more than the sixty-four bytes that this arena has to give"), 0));
    arena_free(&small);
}

static const struct {
    const char *what;
    enum edit_kind kind;
    struct slice address;
    const char *want; /* NULL: refused */
} paths[] = {
    { "plain", EDIT_ADD_RECIPIENT, SLICE_INIT("a@example.org"), "a@example.org" },
    { "in <>", EDIT_REMOVE_RECIPIENT, SLICE_INIT("<a@example.org>"), "a@example.org" },
    { "null sender", EDIT_CHANGE_SENDER, SLICE_INIT("<>"), "" },
    { "null recipient", EDIT_ADD_RECIPIENT, SLICE_INIT("<>"), NULL },
    { "nothing", EDIT_REMOVE_RECIPIENT, SLICE_INIT(""), NULL },
    { "line end", EDIT_ADD_RECIPIENT, SLICE_INIT("a@example.org\nRCPT"), NULL },
    { "NUL", EDIT_ADD_RECIPIENT, SLICE_INIT("a\0@example.org"), NULL },
    { "half of <>", EDIT_ADD_RECIPIENT, SLICE_INIT("a@example.org> x"), NULL },
};

static void checks_addresses(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(paths); i++) {
        edits_init(&edits);
        const char *error = wanted_address(&edits, arena, paths[i].kind, paths[i].address);
        if ((error == NULL) != (paths[i].want != NULL) ||
            (error == NULL && !slice_equal(edits.first->text, slice_of(paths[i].want))))
            fail_msg("%s", paths[i].what);
    }
}

static void no_scanner_wants_too_much(UNUSED void **state)
{
    struct arena *large = arena_new(16 << 20);
    struct edits many;

    edits_init(&many);
    for (size_t i = 0; i < WANTED_EDITS_MAX; i++)
        assert_null(wanted_header(&many, large, EDIT_ADD_HEADER, SLICE("X"), SLICE("1"), 0));
    assert_non_null(wanted_header(&many, large, EDIT_ADD_HEADER, SLICE("X"), SLICE("1"), 0));
    assert_non_null(wanted_address(&many, large, EDIT_ADD_RECIPIENT, SLICE("a@example.org")));
    assert_int_equal(WANTED_EDITS_MAX, many.count);
    arena_free(&large);
}

static void makes_one_line(UNUSED void **state)
{
    struct slice absent = { NULL, 0 };

    assert_slice("a  b c", wanted_line(arena, SLICE(" a\r\nb\tc\n"), 100));
    assert_slice("abc", wanted_line(arena, SLICE("abcdef"), 3));
    assert_slice("ab", wanted_line(arena, SLICE("ab\xc3\xa4"), 3)); /* not half a letter */
    assert_slice("ab\xc3\xa4", wanted_line(arena, SLICE("ab\xc3\xa4"), 4));
    assert_slice("", wanted_line(arena, SLICE("\r\n"), 4));
    assert_null(wanted_line(arena, absent, 4).ptr);
}

static const struct {
    const char *text;
    unsigned code;
    const char *enhanced;
    unsigned want_code;
    const char *want_enhanced, *want_text;
} replies[] = {
    { "no", 554, "5.7.1", 554, "5.7.1", "no" },
    { "5.7.9 no", 554, "5.7.1", 554, "5.7.9", "no" },
    { "550 5.7.9 no", 554, "5.7.1", 550, "5.7.9", "no" },
    { "4.7.1 later", 554, "5.7.1", 554, "5.7.1", "4.7.1 later" }, /* of another class */
    { "4.7.2 later", 451, "4.7.1", 451, "4.7.2", "later" },
    { "two\r\nlines", 451, "4.7.1", 451, "4.7.1", "two  lines" },
    { "", 451, "4.7.1", 451, "4.7.1", "" },
};

static void completes_replies(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(replies); i++) {
        struct reply reply =
            wanted_reply(arena, slice_of(replies[i].text), replies[i].code, replies[i].enhanced);
        assert_int_equal(replies[i].want_code, reply.code);
        assert_slice(replies[i].want_enhanced, reply.enhanced);
        assert_slice(replies[i].want_text, reply.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(checks_header_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(an_absent_value_removes, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_header_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(says_when_memory_is_out, setup, teardown),
        cmocka_unit_test_setup_teardown(checks_addresses, setup, teardown),
        cmocka_unit_test(no_scanner_wants_too_much),
        cmocka_unit_test_setup_teardown(makes_one_line, setup, teardown),
        cmocka_unit_test_setup_teardown(completes_replies, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
