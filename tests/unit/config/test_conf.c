/* tests/unit/config/test_conf.c - the syntax of a configuration file, and where each byte was written. */
#include "tests/unit/unit.h"

#include <unistd.h>

#include "common/config/conf.h"

#define ARENA_MAX (64u << 20)

struct fixture {
    struct arena *arena;
    struct conf_errors *errors;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture.arena = arena_new(ARENA_MAX);
    fixture.errors = conf_errors_new();
    assert_non_null(fixture.arena);
    assert_non_null(fixture.errors);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    arena_free(&fixture->arena);
    conf_errors_free(&fixture->errors);
    return 0;
}

static struct conf *parse(struct fixture *fixture, struct slice text)
{
    return conf_parse(SLICE("t.conf"), text, NULL, 0, fixture->arena, fixture->errors);
}

static struct conf *parse_good(struct fixture *fixture, struct slice text)
{
    struct conf *conf = parse(fixture, text);

    assert_non_null(conf);
    assert_int_equal(0, conf_errors_count(fixture->errors));
    return conf;
}

static void assert_where(const struct conf *conf, const char *byte, unsigned line, unsigned column)
{
    struct conf_pos pos = conf_where(conf, byte);

    assert_slice("t.conf", pos.file);
    if (pos.line != line || pos.column != column)
        fail_msg("want %u:%u, got %u:%u", line, column, pos.line, pos.column);
}

/* ---- what is read ---- */

static const struct {
    const char *what, *text, *want; /* value of `a`; NULL: there is none */
} values[] = {
    { "plain", "a = b\n", "b" },
    { "no blanks", "a=b\n", "b" },
    { "blanks around", "a \t=\t  b c \t\n", "b c" },
    { "no last newline", "a = b", "b" },
    { "empty", "a =\n", "" },
    { "empty at the end", "a=", "" },
    { "another equals sign", "a = b = c\n", "b = c" },
    { "# in a value", "a = b # c\n", "b # c" },
    { "continued", "a = b\n  c\n\td\n", "b c d" },
    { "continued from nothing", "a =\n  b\n  c\n", "b c" },
    { "comment between", "a = b\n# x = y\n  c\n", "b c" },
    { "indented comment between", "a = b\n  # x = y\n  c\n", "b c" },
    { "empty line between", "a = b\n\n \t\n  c\n", "b c" },
    { "not continued over a name", "a = b\nc = d\n  e\n", "b" },
    { "nothing", "", NULL },
    { "comments only", "#\n  # a = b\n\n", NULL },
    { "in a section only", "[x]\na = b\n", NULL },
};

static void reads_values(void **state)
{
    for (size_t i = 0; i < COUNT(values); i++) {
        struct conf *conf = parse(*state, slice_of(values[i].text));
        const struct conf_entry *entry = conf_find(&conf->sections[0], SLICE("a"));
        struct slice got = entry == NULL ? (struct slice){ NULL, 0 } : entry->value;
        if (!slice_equal(got, slice_of(values[i].want)) ||
            (got.ptr == NULL) != (values[i].want == NULL))
            fail_msg("%s: got %.*s", values[i].what, SLICE_ARG(got));
        if (got.ptr != NULL && got.ptr[got.len] != '\0')
            fail_msg("%s: no NUL behind it", values[i].what);
    }
    assert_int_equal(0, conf_errors_count(((struct fixture *)*state)->errors));
}

static void reads_sections_in_order(void **state)
{
    struct conf *conf = parse_good(*state, SLICE("a = 1\n"
                                                 "[limit one]\n"
                                                 "a = 2\n"
                                                 "rate.user.x@example.com = 3\n"
                                                 "[ classes ]\n"
                                                 "@shop.example = silver\n"
                                                 "2001:db8::/32 = gold\n"
                                                 "[limit  two.b-c_9]  \n"));

    assert_int_equal(4, conf->count);
    assert_null(conf->sections[0].kind.ptr);
    assert_int_equal(1, conf->sections[0].count);
    assert_slice("limit", conf->sections[1].kind);
    assert_slice("one", conf->sections[1].name);
    assert_int_equal(2, conf->sections[1].count);
    assert_slice("rate.user.x@example.com", conf->sections[1].entries[1].name);
    assert_slice("classes", conf->sections[2].kind);
    assert_null(conf->sections[2].name.ptr);
    assert_slice("gold", conf_find(&conf->sections[2], SLICE("2001:db8::/32"))->value);
    assert_slice("two.b-c_9", conf->sections[3].name);
    assert_int_equal(0, conf->sections[3].count);
    assert_ptr_equal(&conf->sections[1], conf_section(conf, SLICE("limit"), SLICE("one")));
    assert_null(conf_section(conf, SLICE("limit"), SLICE("three")));
    assert_null(conf_find(&conf->sections[3], SLICE("a")));
}

/* ---- where it was written ---- */

static void knows_the_place_of_every_byte(void **state)
{
    struct conf *conf = parse_good(*state, SLICE("# one\n"
                                                 "a = bc\n"
                                                 "\n"
                                                 "\t  de  \n"
                                                 "# two\n"
                                                 " f\n"
                                                 "[rule x]\n"
                                                 "when =\n"
                                                 "   not g\n"
                                                 "then=\n"));
    struct slice value = conf->sections[0].entries[0].value;
    const struct conf_section *rule = &conf->sections[1];

    assert_slice("bc de f", value);
    assert_where(conf, conf->sections[0].entries[0].name.ptr, 2, 1);
    assert_where(conf, value.ptr, 2, 5);
    assert_where(conf, value.ptr + 1, 2, 6);
    assert_where(conf, value.ptr + 2, 2, 7); /* the blank that joins: behind the piece */
    assert_where(conf, value.ptr + 3, 4, 4); /* tab, two blanks */
    assert_where(conf, value.ptr + 4, 4, 5);
    assert_where(conf, value.ptr + 6, 6, 2);
    assert_where(conf, value.ptr + 7, 6, 3); /* one past the end */
    assert_where(conf, rule->kind.ptr, 7, 2);
    assert_where(conf, rule->name.ptr, 7, 7);
    assert_where(conf, rule->name.ptr + 1, 7, 8);
    assert_slice("not g", rule->entries[0].value);
    assert_where(conf, rule->entries[0].value.ptr, 9, 4);
    assert_where(conf, rule->entries[0].value.ptr + 4, 9, 8);
    assert_where(conf, rule->entries[1].value.ptr, 10, 6); /* empty: behind the = */
    assert_where(conf, "elsewhere", 0, 0);
    assert_where(conf, NULL, 0, 0);
    assert_int_equal(0, conf_section_where(conf, &conf->sections[0]).line);
    assert_int_equal(7, conf_section_where(conf, rule).line);
}

static void counts_characters_not_bytes(void **state)
{
    struct conf *conf = parse_good(*state, SLICE("n\xc3\xa4me = \xe2\x82\xac\xf0\x9f\x93\xa7x\n"
                                                 " \xc3\xa4 y\n"));
    struct slice value = conf->sections[0].entries[0].value;

    assert_where(conf, value.ptr, 1, 8); /* the name's second letter is one column */
    assert_where(conf, value.ptr + 3, 1, 9); /* behind the euro sign */
    assert_where(conf, value.ptr + 7, 1, 10); /* behind a character of four bytes */
    assert_where(conf, value.ptr + 9, 2, 2);
    assert_where(conf, value.ptr + 12, 2, 4);
}

/* ---- mistakes ---- */

static const struct {
    const char *what;
    struct slice text;
    const char *want; /* all lines */
} mistakes[] = {
    { "no equals sign", SLICE_INIT("a = b\nreject mail\n"),
      "t.conf:2:1: this is neither `name = value` nor a [heading] nor a # comment\n" },
    { "no name", SLICE_INIT("= b\n"), "t.conf:1:1: there is no name before the =\n" },
    { "a blank in a name", SLICE_INIT("log level = b\n"),
      "t.conf:1:4: a name has no blanks: an = is expected here\n" },
    { "nothing to continue", SLICE_INIT("# x\n  a = b\n  c = d\n"),
      "t.conf:2:1: a leading blank continues the line before, but there is none\n" },
    { "a heading continued", SLICE_INIT("[rule x]\n  when = y\n  then = z\n"),
      "t.conf:2:1: a leading blank continues the line before, and a heading cannot be continued: "
      "parameters begin in the first column\n" },
    { "a mistake continued", SLICE_INIT("reject\n  mail\n"),
      "t.conf:1:1: this is neither `name = value` nor a [heading] nor a # comment\n" },
    { "a repeated name", SLICE_INIT("a = 1\nb = 2\na = 3\na = 4\n"),
      "t.conf:3:1: a is given twice; the first is in line 1\n"
      "t.conf:4:1: a is given twice; the first is in line 1\n" },
    { "the same name in two sections", SLICE_INIT("a = 1\n[x]\na = 2\n[y]\na = 3\n"), "" },
    { "a repeated heading", SLICE_INIT("[x y]\n[x z]\n[x]\n[x y]\n[x]\n"),
      "t.conf:4:2: [x y] is there twice; the first is in line 1\n"
      "t.conf:5:2: [x] is there twice; the first is in line 3\n" },
    { "a heading not closed", SLICE_INIT("[rule x\na = b\n"),
      "t.conf:1:8: the heading is not closed: ] is missing\n" },
    { "a comment behind a heading", SLICE_INIT("[rule x] # y\n"),
      "t.conf:1:10: nothing may follow the ] of a heading; a comment has a line of its own\n" },
    { "an empty heading", SLICE_INIT("[]\n"),
      "t.conf:1:2: a heading is [kind] or [kind name]; the kind is a word of small letters\n" },
    { "a kind in capitals", SLICE_INIT("[Rule x]\n"),
      "t.conf:1:2: a heading is [kind] or [kind name]; the kind is a word of small letters\n" },
    { "two names", SLICE_INIT("[rule x y]\n"),
      "t.conf:1:7: the name in a heading is one word of at most 64 letters, digits, . _ and -\n" },
    { "DOS line ends, once", SLICE_INIT("a = b\r\nc = d\r\n\r\n"),
      "t.conf:1:6: the file has DOS line ends (CR LF); only LF is allowed\n" },
    { "a CR elsewhere", SLICE_INIT("a = b\rc\n"),
      "t.conf:1:6: control byte 0x0d is not allowed\n" },
    { "a NUL", SLICE_INIT("a = b\nc = \0d\n"), "t.conf:2:5: control byte 0x00 is not allowed\n" },
    { "a NUL in a comment", SLICE_INIT("#\0\n"), "t.conf:1:2: control byte 0x00 is not allowed\n" },
    { "an escape", SLICE_INIT("a = \033[1m\n"), "t.conf:1:5: control byte 0x1b is not allowed\n" },
    { "the last control byte", SLICE_INIT("\x1f= b\n"),
      "t.conf:1:1: control byte 0x1f is not allowed\n" },
    { "a DEL", SLICE_INIT("a = \x7f\n"), "t.conf:1:5: control byte 0x7f is not allowed\n" },
    { "a byte order mark",
      SLICE_INIT("\xef\xbb\xbf"
                 "a = b\n"),
      "t.conf:1:1: the file begins with a byte order mark; remove it\n" },
    { "a byte order mark and a heading", SLICE_INIT("\xef\xbb\xbf[x]\n"),
      "t.conf:1:1: the file begins with a byte order mark; remove it\n" },
    { "several", SLICE_INIT("x\n[y\na = b\na = c\n"),
      "t.conf:1:1: this is neither `name = value` nor a [heading] nor a # comment\n"
      "t.conf:2:3: the heading is not closed: ] is missing\n"
      "t.conf:4:1: a is given twice; the first is in line 3\n" },
};

static void reports_every_mistake_with_its_place(UNUSED void **unused)
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        void *state;
        set_up(&state);
        struct fixture *fixture = state;
        AUTO_BUF out = BUF_INIT(4096);
        assert_non_null(parse(fixture, mistakes[i].text));
        assert_int_equal(0, conf_errors_print(fixture->errors, &out));
        if (strcmp(buf_text(&out), mistakes[i].want) != 0)
            fail_msg("%s: got\n%s", mistakes[i].what, buf_text(&out));
        tear_down(&state);
    }
}

static void goes_on_after_mistakes(void **state)
{
    struct conf *conf = parse(*state, SLICE("\xef\xbb\xbf"
                                            "a = 1\r\nbad\n[x\nc = 2\n[d]\ne = 3\n"));

    assert_slice("1", conf_find(&conf->sections[0], SLICE("a"))->value);
    assert_true(conf->sections[1].is_broken);
    assert_slice(
        "3",
        conf_find(conf_section(conf, SLICE("d"), (struct slice){ NULL, 0 }), SLICE("e"))->value);
}

static void marks_what_is_repeated(void **state)
{
    struct conf *conf = parse(*state, SLICE("[x]\n[y]\n[x]\n"));

    assert_false(conf->sections[1].is_repeated);
    assert_false(conf->sections[2].is_repeated);
    assert_true(conf->sections[3].is_repeated);
}

/* ---- bounds ---- */

static void fill(struct buf *buf, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        assert_int_equal(0, buf_put(buf, text));
}

static void assert_printed(struct fixture *fixture, const char *want)
{
    AUTO_BUF out = BUF_INIT(1 << 20);

    assert_int_equal(0, conf_errors_print(fixture->errors, &out));
    assert_string_equal(want, buf_text(&out));
}

static void bounds_a_line(void **state)
{
    AUTO_BUF text = BUF_INIT(CONF_FILE_MAX);

    fill(&text, "a = ", 1);
    fill(&text, "b", CONF_LINE_MAX - 4);
    parse_good(*state, buf_slice(&text));
    fill(&text, "b\n next\nc = d\n", 1);
    struct conf *conf = parse(*state, buf_slice(&text));
    assert_null(conf_find(&conf->sections[0], SLICE("a")));
    assert_slice("d", conf_find(&conf->sections[0], SLICE("c"))->value);
    assert_printed(*state, "t.conf:1:1: the line is longer than 8192 bytes; break it and begin the "
                           "next with a blank\n");
}

static void bounds_a_value(void **state)
{
    AUTO_BUF text = BUF_INIT(CONF_FILE_MAX);

    fill(&text, "a =\n", 1);
    fill(&text, " 0123456789abcdef0123456789abcde\n", CONF_VALUE_MAX / 32);
    struct conf *conf = parse_good(*state, buf_slice(&text));
    assert_int_equal(CONF_VALUE_MAX - 1, conf->sections[0].entries[0].value.len);
    fill(&text, " x\n y\n", 1);
    parse(*state, buf_slice(&text));
    assert_printed(*state, "t.conf:8194:2: the value is longer than 262144 bytes\n");
}

static void bounds_a_name(void **state)
{
    AUTO_BUF text = BUF_INIT(CONF_FILE_MAX);

    fill(&text, "a", CONF_NAME_MAX);
    fill(&text, " = b\n", 1);
    parse_good(*state, buf_slice(&text));
    fill(&text, "a", CONF_NAME_MAX + 1);
    fill(&text, " = b\n", 1);
    parse(*state, buf_slice(&text));
    assert_printed(*state, "t.conf:2:1: the name is longer than 400 bytes\n");
}

static void bounds_a_heading(void **state)
{
    AUTO_BUF text = BUF_INIT(CONF_FILE_MAX);

    fill(&text, "[rule ", 1);
    fill(&text, "a", CONF_HEADING_MAX);
    fill(&text, "]\n", 1);
    parse_good(*state, buf_slice(&text));
    fill(&text, "[rule ", 1);
    fill(&text, "b", CONF_HEADING_MAX + 1);
    fill(&text, "]\n", 1);
    parse(*state, buf_slice(&text));
    assert_printed(*state, "t.conf:2:7: the name in a heading is one word of at most 64 letters, "
                           "digits, . _ and -\n");
}

/* Nothing of a line that holds what none may hold is read, nor what continues it. */
static void passes_over_a_bad_line_and_what_continues_it(void **state)
{
    struct conf *conf = parse(*state, SLICE("a = 1\n\tx\x01\n 2\nb\x01 = 1\n 2\nc = 3\n"));

    assert_slice("1 2", conf_find(&conf->sections[0], SLICE("a"))->value);
    assert_slice("3", conf_find(&conf->sections[0], SLICE("c"))->value);
    assert_int_equal(2, conf->sections[0].count);
    assert_printed(*state, "t.conf:2:3: control byte 0x01 is not allowed\n"
                           "t.conf:4:2: control byte 0x01 is not allowed\n");
}

static void bounds_a_file(void **state)
{
    AUTO_BUF text = BUF_INIT(2 * CONF_FILE_MAX);

    fill(&text, "\n", CONF_LINES_MAX - 1);
    parse_good(*state, buf_slice(&text));
    fill(&text, "\n", 1);
    assert_null(parse(*state, buf_slice(&text)));
    assert_printed(*state, "t.conf: the file has more than 4 MiB or 100000 lines\n");
    buf_clear(&text);
    fill(&text, "#", CONF_FILE_MAX + 1);
    assert_null(parse(*state, buf_slice(&text)));
}

static void reads_many_names_quickly(void **state)
{
    AUTO_BUF text = BUF_INIT(CONF_FILE_MAX);

    fill(&text, "[classes]\n", 1);
    for (unsigned i = 0; i < 90000; i++)
        assert_int_equal(0, buf_printf(&text, "user%u@example.com = gold\n", i));
    struct conf *conf = parse_good(*state, buf_slice(&text));
    assert_non_null(conf_find(&conf->sections[1], SLICE("user89999@example.com")));
    assert_where(conf, conf->sections[1].entries[89999].value.ptr, 90001, 25);
}

static void says_when_memory_is_out(void **state)
{
    struct fixture *fixture = *state;
    struct arena *small = arena_new(600);

    assert_null(conf_parse(SLICE("t.conf"), SLICE("a = b\nc = d\ne = f\n"), NULL, 0, small,
                           fixture->errors));
    assert_printed(fixture, "t.conf: memory is out\n");
    arena_free(&small);
}

/* ---- overrides ---- */

static const char sections[] = "a = 1\nb = 2\n[limit hourly]\nrate = 10/1h\n[classes]\n@x = gold\n";

static void overrides_what_the_file_says(void **state)
{
    struct fixture *fixture = *state;
    const struct slice overrides[] = {
        SLICE("a=7"),          SLICE(" c =  d e "),           SLICE("limit/hourly:rate=0/1h"),
        SLICE("classes:@y=b"), SLICE("limit/hourly:x.y = 1"), SLICE("a = 8"),
    };
    struct conf *conf = conf_parse(SLICE("t.conf"), slice_of(sections), overrides, COUNT(overrides),
                                   fixture->arena, fixture->errors);
    const struct conf_section *top = &conf->sections[0], *limit = &conf->sections[1];

    assert_int_equal(0, conf_errors_count(fixture->errors));
    assert_int_equal(3, top->count);
    assert_slice("8", conf_find(top, SLICE("a"))->value); /* the last counts */
    assert_slice("2", conf_find(top, SLICE("b"))->value);
    assert_slice("d e", conf_find(top, SLICE("c"))->value);
    assert_int_equal(2, limit->count);
    assert_slice("0/1h", conf_find(limit, SLICE("rate"))->value);
    assert_slice("b", conf_find(&conf->sections[2], SLICE("@y"))->value);
    struct conf_pos pos = conf_where(conf, conf_find(limit, SLICE("rate"))->value.ptr + 1);
    assert_slice("-o limit/hourly:rate=0/1h", pos.file);
    assert_int_equal(0, pos.line);
    assert_where(conf, conf_find(top, SLICE("b"))->value.ptr, 2, 5);
}

static const struct {
    struct slice override;
    const char *want;
} bad_overrides[] = {
    { SLICE_INIT("a"), "-o a: -o takes name=value or kind/name:parameter=value\n" },
    { SLICE_INIT("=b"), "-o =b: there is no name before the =\n" },
    { SLICE_INIT("a b=c"), "-o a b=c: a name has no blanks: an = is expected here\n" },
    { SLICE_INIT("a=b\nc"), "-o a=b?c: control byte 0x0a is not allowed\n" },
    { SLICE_INIT("limit/daily:rate=1"),
      "-o limit/daily:rate=1: there is no section [limit daily]\n" },
    { SLICE_INIT("apply:x=1"), "-o apply:x=1: there is no section [apply]\n" },
    { SLICE_INIT(":x=1"), "-o :x=1: there is no section []\n" },
    { SLICE_INIT(""), "-o : -o takes name=value or kind/name:parameter=value\n" },
};

static void reports_bad_overrides(UNUSED void **unused)
{
    for (size_t i = 0; i < COUNT(bad_overrides); i++) {
        void *state;
        set_up(&state);
        struct fixture *fixture = state;
        assert_non_null(conf_parse(SLICE("t.conf"), slice_of(sections), &bad_overrides[i].override,
                                   1, fixture->arena, fixture->errors));
        assert_printed(fixture, bad_overrides[i].want);
        tear_down(&state);
    }
}

/* ---- files ---- */

static void reads_a_file(void **state)
{
    struct fixture *fixture = *state;
    char path[] = "/tmp/gatehouse-conf-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(6, write(fd, "a = b\n", 6));
    close(fd);
    assert_slice("a = b\n", conf_read(path, fixture->arena, fixture->errors));
    assert_int_equal(0, truncate(path, 0));
    assert_non_null(conf_read(path, fixture->arena, fixture->errors).ptr);
    assert_int_equal(0, truncate(path, CONF_FILE_MAX));
    assert_int_equal(CONF_FILE_MAX, conf_read(path, fixture->arena, fixture->errors).len);
    assert_int_equal(0, conf_errors_count(fixture->errors));
    assert_int_equal(0, truncate(path, CONF_FILE_MAX + 1));
    assert_null(conf_read(path, fixture->arena, fixture->errors).ptr);
    unlink(path);
    assert_int_equal(1, conf_errors_count(fixture->errors));
}

static void says_why_a_file_cannot_be_read(void **state)
{
    struct fixture *fixture = *state;

    assert_null(conf_read("/nonexistent/t.conf", fixture->arena, fixture->errors).ptr);
    assert_null(conf_read("/", fixture->arena, fixture->errors).ptr);
    assert_printed(fixture, "/nonexistent/t.conf: cannot be read: No such file or directory\n"
                            "/: cannot be read: Is a directory\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_values),
        TEST(reads_sections_in_order),
        TEST(knows_the_place_of_every_byte),
        TEST(counts_characters_not_bytes),
        cmocka_unit_test(reports_every_mistake_with_its_place),
        TEST(goes_on_after_mistakes),
        TEST(marks_what_is_repeated),
        TEST(bounds_a_line),
        TEST(bounds_a_value),
        TEST(bounds_a_name),
        TEST(bounds_a_heading),
        TEST(passes_over_a_bad_line_and_what_continues_it),
        TEST(bounds_a_file),
        TEST(reads_many_names_quickly),
        TEST(says_when_memory_is_out),
        TEST(overrides_what_the_file_says),
        cmocka_unit_test(reports_bad_overrides),
        TEST(reads_a_file),
        TEST(says_why_a_file_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
