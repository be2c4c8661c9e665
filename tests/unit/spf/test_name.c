/* tests/unit/spf/test_name.c - names in SPF: which can be asked for, which lie within others, and how long ones are cut. */
#include "tests/unit/unit.h"

#include "policyd/spf/name.h"

#define LABEL_63 "a12345678901234567890123456789012345678901234567890123456789012"

static const struct {
    struct slice name;
    bool is_valid, is_checkable;
} names[] = {
    { SLICE_INIT("example.com"), true, true },
    { SLICE_INIT("_spf.example.com"), true, true },
    { SLICE_INIT("com"), true, false },
    { SLICE_INIT("[192.0.2.1]"), true, false },
    { SLICE_INIT("foo:bar/baz.example.com"), true, true },
    { SLICE_INIT("with blank.example.com"), true, true },
    { SLICE_INIT(LABEL_63 ".com"), true, true },
    { SLICE_INIT(LABEL_63 "3.com"), false, false },
    { SLICE_INIT(LABEL_63 "." LABEL_63 "." LABEL_63 ".0123456789012345678901234567890123456789012"
                          "3456789012345678.x"),
      true, true }, /* 253 */
    { SLICE_INIT(LABEL_63 "." LABEL_63 "." LABEL_63 ".0123456789012345678901234567890123456789012"
                          "3456789012345678.xy"),
      false, false }, /* 254 */
    { SLICE_INIT(""), false, false },
    { SLICE_INIT("."), false, false },
    { SLICE_INIT("a..b"), false, false },
    { SLICE_INIT(".a.b"), false, false },
    { SLICE_INIT("a.b."), false, false },
    { SLICE_INIT("a\0.b"), false, false },
    { SLICE_INIT("a\n.b"), false, false },
    { SLICE_INIT("\xc3\xa4.example"), false, false },
};

static void tells_names_that_can_be_asked_for(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(names); i++) {
        if (spf_name_is_valid(names[i].name) != names[i].is_valid ||
            spf_name_is_checkable(names[i].name) != names[i].is_checkable)
            fail_msg("%.*s", SLICE_ARG(names[i].name));
    }
    assert_false(spf_name_is_valid((struct slice){ NULL, 0 }));
}

static const struct {
    struct slice name, domain;
    bool want;
} pairs[] = {
    { SLICE_INIT("example.com"), SLICE_INIT("example.com"), true },
    { SLICE_INIT("MAIL.Example.com"), SLICE_INIT("example.COM"), true },
    { SLICE_INIT("badexample.com"), SLICE_INIT("example.com"), false },
    { SLICE_INIT("example.com"), SLICE_INIT("mail.example.com"), false },
    { SLICE_INIT("example.com"), SLICE_INIT(""), false },
};

static void compares_names_label_by_label(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(pairs); i++) {
        if (spf_name_is_within(pairs[i].name, pairs[i].domain) != pairs[i].want)
            fail_msg("%.*s in %.*s", SLICE_ARG(pairs[i].name), SLICE_ARG(pairs[i].domain));
    }
}

static void cuts_whole_labels_off_the_left(UNUSED void **state)
{
    char text[300];
    struct slice name = { text, 260 }, cut;

    memset(text, 'x', sizeof text);
    text[3] = text[10] = text[200] = '.';
    cut = spf_name_cut(name, false);
    assert_int_equal(cut.len, 249);
    assert_ptr_equal(cut.ptr, text + 11);

    name.len = 264; /* exactly SPF_NAME_MAX after the second dot */
    assert_int_equal(spf_name_cut(name, false).len, SPF_NAME_MAX);
    name.len = 265;
    assert_int_equal(spf_name_cut(name, false).len, 64);
    name.len = SPF_NAME_MAX;
    assert_int_equal(spf_name_cut(name, false).len, SPF_NAME_MAX);
    assert_int_equal(spf_name_cut(name, true).len, SPF_NAME_MAX - 4); /* its first label is cut */
    memset(text, 'x', sizeof text);
    name.len = sizeof text;
    assert_int_equal(spf_name_cut(name, false).len, 0);
}

static void ignores_one_final_dot(UNUSED void **state)
{
    assert_slice("example.com", spf_name_without_dot(SLICE("example.com.")));
    assert_slice("example.com.", spf_name_without_dot(SLICE("example.com..")));
    assert_slice("", spf_name_without_dot(SLICE(".")));
    assert_slice("", spf_name_without_dot(SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_names_that_can_be_asked_for),
        cmocka_unit_test(compares_names_label_by_label),
        cmocka_unit_test(cuts_whole_labels_off_the_left),
        cmocka_unit_test(ignores_one_final_dot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
