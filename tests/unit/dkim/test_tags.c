/* tests/unit/dkim/test_tags.c - tag lists in all forms, and what is none. */
#include "common/dkim/tags.h"

#include "tests/unit/unit.h"

static const struct {
    struct slice text;
    size_t count; /* 0: an error */
    const char *v; /* value of the tag v */
} cases[] = {
    { SLICE_INIT("v=1"), 1, "1" },
    { SLICE_INIT(" v = 1 ; a=b;"), 2, "1" },
    { SLICE_INIT("a=b;\r\n\tv=1 2\r\n 3;\n"), 2, "1 2\r\n 3" },
    { SLICE_INIT("v="), 1, "" },
    { SLICE_INIT("v=a=b=="), 1, "a=b==" },
    { SLICE_INIT("V=2; v=1"), 2, "1" },
    { SLICE_INIT("x_1=0; v=\xc3\xb6"), 2, "\xc3\xb6" },
    { SLICE_INIT(""), 0, NULL },
    { SLICE_INIT(" \r\n "), 0, NULL },
    { SLICE_INIT(";"), 0, NULL },
    { SLICE_INIT("v=1;;"), 0, NULL },
    { SLICE_INIT("v"), 0, NULL },
    { SLICE_INIT("v=1; x"), 0, NULL },
    { SLICE_INIT("=1"), 0, NULL },
    { SLICE_INIT("1v=1"), 0, NULL },
    { SLICE_INIT("a b=1"), 0, NULL },
    { SLICE_INIT("v=1; v=2"), 0, NULL },
    { SLICE_INIT("v=\0"), 0, NULL },
    { SLICE_INIT("v=\x7f"), 0, NULL },
};

static void reads_tag_lists(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dkim_tags tags;
        const char *error = NULL;
        bool ok = dkim_tags_parse(cases[i].text, &tags, &error);
        if (ok != (cases[i].count > 0) || ok != (error == NULL) ||
            (ok && (tags.count != cases[i].count ||
                    !slice_equal(dkim_tag_value(&tags, "v"), slice_of(cases[i].v)))))
            fail_msg("case %zu, \"%s\": %s", i, cases[i].text.ptr, error);
    }
}

static void too_many_tags_are_no_list(UNUSED void **state)
{
    char text[DKIM_TAGS_MAX * 8 + 16];
    size_t len = 0;
    struct dkim_tags tags;
    const char *error = NULL;

    for (int i = 0; i <= DKIM_TAGS_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "t%03d=1;", i);
    assert_false(dkim_tags_parse((struct slice){ text, len }, &tags, &error));
    assert_string_equal("too many tags", error);
    assert_true(dkim_tags_parse((struct slice){ text, len - 7 }, &tags, &error));
}

static void looks_into_lists(UNUSED void **state)
{
    assert_true(dkim_list_has(SLICE(" From : To:\r\n Subject"), SLICE("subject")));
    assert_true(dkim_list_has(SLICE("y"), SLICE("y")));
    assert_false(dkim_list_has(SLICE("from2:to"), SLICE("from")));
    assert_false(dkim_list_has(SLICE(""), SLICE("from")));
    assert_false(dkim_list_has((struct slice){ NULL, 0 }, SLICE("from")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_tag_lists),
        cmocka_unit_test(too_many_tags_are_no_list),
        cmocka_unit_test(looks_into_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
