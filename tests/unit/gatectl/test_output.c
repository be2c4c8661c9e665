/* tests/unit/gatectl/test_output.c - what reaches a terminal: escaped, aligned. */
#include "tests/unit/unit.h"

#include "gatectl/output.h"

static const struct {
    const char *what;
    struct slice in;
    const char *want;
} cases[] = {
    { "plain", SLICE_INIT("alice@example.com"), "alice@example.com" },
    { "UTF-8",
      SLICE_INIT("b\xc3\xbc"
                 "cher"),
      "b\xc3\xbc"
      "cher" },
    { "escape sequence", SLICE_INIT("\x1b[2Jx"), "\\x1b[2Jx" },
    { "newline and tab", SLICE_INIT("a\nb\tc\r"), "a\\x0ab\\x09c\\x0d" },
    { "NUL and DEL", SLICE_INIT("a\0b\x7f"), "a\\x00b\\x7f" },
    { "C1 control",
      SLICE_INIT("\xc2\x9b"
                 "31m"),
      "\\xc2\\x9b31m" },
    { "direction override",
      SLICE_INIT("\xe2\x80\xae"
                 "moc"),
      "\\xe2\\x80\\xaemoc" },
    { "direction isolate", SLICE_INIT("\xe2\x81\xa6"), "\\xe2\\x81\\xa6" },
    { "line separator", SLICE_INIT("\xe2\x80\xa8"), "\\xe2\\x80\\xa8" },
    { "no UTF-8", SLICE_INIT("a\xff\xc3"), "a\\xff\\xc3" },
    { "overlong", SLICE_INIT("\xc0\xaf"), "\\xc0\\xaf" },
    { "a backslash stays", SLICE_INIT("/\\.exe$/"), "/\\.exe$/" },
    { "empty", SLICE_INIT(""), "" },
};

static void escapes_what_a_terminal_would_obey(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(200);
        assert_int_equal(0, output_escape(&out, cases[i].in));
        if (strcmp(buf_text(&out), cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].what, buf_text(&out));
    }
}

/* Of every character: only these are escaped. */
static void escapes_no_other_character(UNUSED void **state)
{
    static const struct {
        unsigned first, last;
    } escaped[] = {
        { 0, 0x1f },        { 0x7f, 0x9f },     { 0x061c, 0x061c }, { 0x200e, 0x200f },
        { 0x2028, 0x202e }, { 0x2066, 0x2069 }, { 0xd800, 0xdfff }, /* no UTF-8 */
    };

    for (unsigned c = 0; c < 0x10000; c++) {
        char text[3];
        size_t len = 0;
        AUTO_BUF out = BUF_INIT(20);
        if (c < 0x80) {
            text[len++] = (char)c;
        } else {
            text[len++] = (char)(c < 0x800 ? 0xc0 | c >> 6 : 0xe0 | c >> 12);
            if (c >= 0x800)
                text[len++] = (char)(0x80 | (c >> 6 & 0x3f));
            text[len++] = (char)(0x80 | (c & 0x3f));
        }
        bool want = false;
        for (size_t i = 0; i < COUNT(escaped); i++)
            want = want || (c >= escaped[i].first && c <= escaped[i].last);
        assert_int_equal(0, output_escape(&out, (struct slice){ text, len }));
        if (slice_equal(buf_slice(&out), (struct slice){ text, len }) == want)
            fail_msg("U+%04X: %s", c, buf_text(&out));
    }
}

static void says_when_the_text_does_not_fit(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(3);

    assert_int_equal(-1, output_escape(&out, SLICE("\x1b")));
    assert_int_equal(-1, output_escape(&out, SLICE("abcd")));
}

/* What `print` writes. Freed by the caller. */
static char *printed(void (*print)(FILE *out, void *arg), void *arg)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    print(out, arg);
    fclose(out);
    return text;
}

static void print_table(FILE *out, void *arg)
{
    assert_true(text_table_print(arg, out));
}

static void print_json(FILE *out, void *arg)
{
    output_json_line(out, arg);
}

static const struct column columns[] = { { "NAME", false }, { "USED", true }, { "NOTE", false } };

static void aligns_columns_by_width_on_the_screen(UNUSED void **state)
{
    struct text_table *table = text_table_new(columns, COUNT(columns));
    json_t *number = json_integer(12345);

    text_table_cell(table, SLICE("b\xc3\xbc"
                                 "cher"));
    text_table_cell_json(table, number);
    text_table_cell(table, SLICE("a\nb"));
    text_table_cell(table, SLICE("x"));
    text_table_cell_json(table, NULL);
    text_table_cell(table, SLICE(""));
    char *text = printed(print_table, table);
    assert_string_equal("NAME     USED  NOTE\n"
                        "b\xc3\xbc"
                        "cher  12345  a\\x0ab\n"
                        "x           -\n",
                        text);
    free(text);
    json_decref(number);
    text_table_free(&table);
    assert_null(table);
}

static void prints_nothing_without_rows(UNUSED void **state)
{
    struct text_table *table = text_table_new(columns, COUNT(columns));
    char *text = printed(print_table, table);

    assert_string_equal("", text);
    free(text);
    text_table_free(&table);
}

static void json_is_ascii(UNUSED void **state)
{
    json_t *json = json_pack("{s:s}", "a",
                             "b\xc3\xbc"
                             "\x1b\x7f");
    char *text = printed(print_json, json);

    assert_string_equal("{\"a\":\"b\\u00FC\\u001B\\u007f\"}\n", text);
    free(text);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_what_a_terminal_would_obey),
        cmocka_unit_test(escapes_no_other_character),
        cmocka_unit_test(says_when_the_text_does_not_fit),
        cmocka_unit_test(aligns_columns_by_width_on_the_screen),
        cmocka_unit_test(prints_nothing_without_rows),
        cmocka_unit_test(json_is_ascii),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
