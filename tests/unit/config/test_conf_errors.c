/* tests/unit/config/test_conf_errors.c - mistakes are kept, put in order, and bounded. */
#include "tests/unit/unit.h"

#include "common/config/conf_errors.h"

static struct conf_pos at(const char *file, unsigned line, unsigned column)
{
    return (struct conf_pos){ slice_of(file), line, column };
}

static void prints_in_the_order_of_the_files(UNUSED void **state)
{
    struct conf_errors *errors = conf_errors_new();
    AUTO_BUF out = BUF_INIT(4096);

    conf_error(errors, at("a.conf", 9, 2), "later");
    conf_warning(errors, at("a.conf", 2, 10), "careful with %s", "x");
    conf_error(errors, at("list", 1, 1), "in another file");
    conf_error(errors, at("a.conf", 2, 9), "before");
    conf_error(errors, at("a.conf", 9, 2), "latest");
    conf_error(errors, at("a.conf", 0, 0), "as a whole");
    assert_int_equal(0, conf_errors_print(errors, &out));
    assert_string_equal("a.conf: as a whole\n"
                        "a.conf:2:9: before\n"
                        "a.conf:2:10: warning: careful with x\n"
                        "a.conf:9:2: later\n"
                        "a.conf:9:2: latest\n"
                        "list:1:1: in another file\n",
                        buf_text(&out));
    assert_int_equal(5, conf_errors_count(errors));
    assert_int_equal(1, conf_errors_warnings(errors));
    conf_errors_free(&errors);
    assert_null(errors);
    conf_errors_free(&errors);
}

static void shows_no_control_bytes(UNUSED void **state)
{
    struct conf_errors *errors = conf_errors_new();
    AUTO_BUF out = BUF_INIT(4096);

    conf_error(errors, at("a\nb", 1, 1), "say \"\033[1m\r\n\x7f\" \xc3\xa4");
    assert_int_equal(0, conf_errors_print(errors, &out));
    assert_string_equal("a?b:1:1: say \"?[1m???\" \xc3\xa4\n", buf_text(&out));
    conf_errors_free(&errors);
}

static void keeps_a_bounded_number(UNUSED void **state)
{
    struct conf_errors *errors = conf_errors_new();
    AUTO_BUF out = BUF_INIT(1 << 20);
    char longest[2 * CONF_ERROR_TEXT_MAX];

    memset(longest, 'x', sizeof(longest));
    for (unsigned i = 0; i < CONF_ERRORS_MAX + 5; i++)
        conf_error(errors, at("a.conf", i + 1, 1), "%.*s", (int)sizeof(longest), longest);
    assert_int_equal(CONF_ERRORS_MAX + 5, conf_errors_count(errors));
    assert_int_equal(0, conf_errors_print(errors, &out));
    struct slice rest = buf_slice(&out), line;
    for (unsigned i = 0; i < CONF_ERRORS_MAX; i++) {
        assert_true(slice_cut(&rest, '\n', &line));
        assert_true(line.len < CONF_ERROR_TEXT_MAX + 20);
    }
    assert_slice("and 5 more\n", rest);
    conf_errors_free(&errors);
}

static void copies_what_it_is_given(UNUSED void **state)
{
    struct conf_errors *errors = conf_errors_new();
    AUTO_BUF out = BUF_INIT(100);
    char name[] = "a.conf";

    conf_error(errors, at(name, 1, 1), "x");
    memset(name, '-', 6);
    assert_int_equal(0, conf_errors_print(errors, &out));
    assert_string_equal("a.conf:1:1: x\n", buf_text(&out));
    conf_errors_free(&errors);
}

static void says_when_the_buffer_is_full(UNUSED void **state)
{
    struct conf_errors *errors = conf_errors_new();
    AUTO_BUF out = BUF_INIT(10);

    conf_error(errors, at("a.conf", 1, 1), "x");
    assert_int_equal(-1, conf_errors_print(errors, &out));
    conf_errors_free(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_in_the_order_of_the_files),
        cmocka_unit_test(shows_no_control_bytes),
        cmocka_unit_test(keeps_a_bounded_number),
        cmocka_unit_test(copies_what_it_is_given),
        cmocka_unit_test(says_when_the_buffer_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
