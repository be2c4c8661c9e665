/* tests/unit/lists/test_source.c - files of lists and maps: mistakes with their place, changes noticed. */
#include "tests/unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/lists/source.h"

#define NOW_MS UINT64_C(1000000)

static char dir[] = "/tmp/gatehouse-source-XXXXXX";
static char path[64];

static int dir_up(UNUSED void **state)
{
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/file", dir);
    return 0;
}

static int dir_down(UNUSED void **state)
{
    unlink(path);
    return rmdir(dir);
}

static void file_write(struct slice text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(text.len, fwrite(text.ptr, 1, text.len, file));
    assert_int_equal(0, fclose(file));
}

/* Reports, as `line:column: text` each on a line. */
static struct buf reports = BUF_INIT(1 << 20);

static void report_keep(UNUSED void *arg, const char *where, size_t line, size_t column,
                        const char *text)
{
    assert_string_equal(path, where);
    assert_int_equal(0, buf_printf(&reports, "%zu:%zu: %s\n", line, column, text));
}

static const struct source_errors errors = { report_keep, NULL };

static struct list_source *source_of(enum source_kind kind, const char *text,
                                     struct source_bounds bounds)
{
    struct list_source *source = list_source_new(path, kind, bounds);

    assert_non_null(source);
    buf_clear(&reports);
    file_write(slice_of(text));
    assert_int_equal(SOURCE_LOADED, list_source_refresh(source, &errors));
    assert_string_equal(path, list_source_path(source));
    return source;
}

static bool is_listed(const struct list_source *source, const char *domain)
{
    struct value subject = { .type = VALUE_DOMAIN, .text = slice_of(domain) };
    struct list_match match;

    return list_lookup(list_source_list(source), &subject, NOW_MS, &match);
}

static void reports_every_mistake_and_keeps_the_rest(UNUSED void **state)
{
    struct list_source *source = source_of(SOURCE_LIST,
                                           "\xef\xbb\xbf"
                                           "# block list\n"
                                           "a.example   # why\r\n"
                                           "\n"
                                           "  b..example\n"
                                           "192.0.2.1/24\n"
                                           "c.example until=soon\n"
                                           "d.example\tby=root\tnote=a\tb",
                                           SOURCE_BOUNDS_DEFAULT);

    assert_slice("4:3: not a domain name\n"
                 "5:1: the address has bits set after the prefix; the network is 192.0.2.0/24\n"
                 "6:11: until= takes Unix seconds\n",
                 buf_slice(&reports));
    assert_int_equal(2, list_count(list_source_list(source)));
    assert_true(is_listed(source, "a.example") && is_listed(source, "d.example"));
    assert_null(list_source_map(source));
    list_source_free(&source);
    assert_null(source);
}

static void stops_reporting_at_a_bound(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(1 << 16);

    for (int i = 0; i < SOURCE_REPORTS_MAX + 7; i++)
        assert_int_equal(0, buf_put(&text, "..\n"));
    struct list_source *source = source_of(SOURCE_LIST, buf_text(&text), SOURCE_BOUNDS_DEFAULT);
    assert_true(slice_ends_with(
        buf_slice(&reports), SLICE("100:1: not a domain name\n0:0: 7 more lines have mistakes\n")));
    list_source_free(&source);
}

static void takes_no_more_than_its_bounds(UNUSED void **state)
{
    struct source_bounds bounds = { 40, 2 };
    struct list_source *source =
        source_of(SOURCE_LIST, "a.example\nb.example\n#\nc.example\nd..\n", bounds);

    assert_slice("4:1: the list has too many entries\n", buf_slice(&reports));
    assert_int_equal(2, list_count(list_source_list(source)));
    file_write(SLICE("x.example\n#01234567890123456789012345678901234567890\n"));
    buf_clear(&reports);
    assert_int_equal(SOURCE_SAME, list_source_refresh(source, &errors));
    assert_int_equal(SOURCE_FAILED, list_source_refresh(source, &errors));
    assert_slice("0:0: the file is too long\n", buf_slice(&reports));
    assert_true(is_listed(source, "a.example"));
    list_source_free(&source);
    source = source_of(SOURCE_MAP, "a x\nb x\nc x\nd\n", bounds);
    assert_slice("3:1: the map has too many keys\n", buf_slice(&reports));
    list_source_free(&source);
}

static void reads_maps_as_postfix_does(UNUSED void **state)
{
    struct list_source *source = source_of(SOURCE_MAP,
                                           "  stray\n"
                                           "# owners\n"
                                           "bob@a.example\talice\n"
                                           "    bob,\n"
                                           "\n"
                                           "  # a comment does not end a line\n"
                                           "\tcarol,\tcarl\n"
                                           "@a.example dave # not a comment\n"
                                           "novalue\n"
                                           "@b..c x\n",
                                           SOURCE_BOUNDS_DEFAULT);
    struct value bob = { .type = VALUE_MAILBOX, .text = SLICE_INIT("bob@a.example") };
    struct map_match match;

    assert_slice(
        "1:1: continues a line, and there is none before it\n"
        "9:9: the key has no value\n"
        "10:1: not a key: user@example.com, user@, @example.com, @.example.com or a word\n",
        buf_slice(&reports));
    assert_null(list_source_list(source));
    assert_int_equal(2, map_count(list_source_map(source)));
    assert_true(map_lookup(list_source_map(source), &bob, NOW_MS, &match));
    assert_slice("alice,bob,carol,carl", match.values);
    bob.text = SLICE("eve@a.example");
    assert_true(map_lookup(list_source_map(source), &bob, NOW_MS, &match));
    assert_slice("dave,#,not,a,comment", match.values);
    list_source_free(&source);
}

static void a_map_line_is_bounded(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(1 << 18);

    assert_int_equal(0, buf_put(&text, "a"));
    for (int i = 0; i < 5000; i++)
        assert_int_equal(0, buf_put(&text, " bob\n"));
    assert_int_equal(0, buf_put(&text, "b x\n"));
    struct list_source *source = source_of(SOURCE_MAP, buf_text(&text), SOURCE_BOUNDS_DEFAULT);
    assert_slice("1:1: the line, with those that continue it, is too long\n", buf_slice(&reports));
    assert_int_equal(1, map_count(list_source_map(source)));
    list_source_free(&source);
}

static void loads_again_what_has_changed_and_settled(UNUSED void **state)
{
    struct list_source *source = source_of(SOURCE_LIST, "a.example\n", SOURCE_BOUNDS_DEFAULT);
    struct list *kept = list_share(list_source_list(source));

    assert_int_equal(SOURCE_SAME, list_source_refresh(source, &errors));
    file_write(SLICE("bb.exam")); /* half of it is written */
    assert_int_equal(SOURCE_SAME, list_source_refresh(source, &errors));
    file_write(SLICE("bb.example\n"));
    assert_int_equal(SOURCE_SAME, list_source_refresh(source, &errors));
    assert_true(is_listed(source, "a.example"));
    assert_int_equal(SOURCE_LOADED, list_source_refresh(source, &errors));
    assert_true(is_listed(source, "bb.example") && !is_listed(source, "a.example"));
    assert_int_equal(SOURCE_SAME, list_source_refresh(source, &errors));
    assert_int_equal(1, list_count(kept)); /* who shared the old one still has it */
    list_free(&kept);
    list_source_free(&source);
}

static void keeps_what_it_has_when_the_file_goes(UNUSED void **state)
{
    struct list_source *source = source_of(SOURCE_LIST, "a.example\n", SOURCE_BOUNDS_DEFAULT);

    assert_int_equal(0, unlink(path));
    assert_int_equal(SOURCE_SAME, list_source_refresh(source, &errors));
    assert_int_equal(SOURCE_FAILED, list_source_refresh(source, &errors));
    assert_int_equal(SOURCE_SAME, list_source_refresh(source, &errors)); /* said once */
    assert_slice("0:0: No such file or directory\n", buf_slice(&reports));
    assert_true(is_listed(source, "a.example"));
    file_write(SLICE("b.example\n"));
    assert_int_equal(SOURCE_SAME, list_source_refresh(source, &errors));
    assert_int_equal(SOURCE_LOADED, list_source_refresh(source, &errors));
    assert_true(is_listed(source, "b.example"));
    list_source_free(&source);
}

static void says_when_there_is_no_file_at_first(UNUSED void **state)
{
    struct list_source *source = list_source_new(path, SOURCE_LIST, SOURCE_BOUNDS_DEFAULT);

    unlink(path);
    buf_clear(&reports);
    assert_int_equal(SOURCE_FAILED, list_source_refresh(source, &errors));
    assert_slice("0:0: No such file or directory\n", buf_slice(&reports));
    assert_null(list_source_list(source));
    list_source_free(&source);
}

static void does_not_wait_on_a_pipe(UNUSED void **state)
{
    struct list_source *source = list_source_new(path, SOURCE_LIST, SOURCE_BOUNDS_DEFAULT);

    unlink(path);
    assert_int_equal(0, mkfifo(path, 0600));
    buf_clear(&reports);
    assert_int_equal(SOURCE_FAILED, list_source_refresh(source, &errors));
    assert_slice("0:0: not a regular file\n", buf_slice(&reports));
    list_source_free(&source);
    assert_int_equal(0, unlink(path));
}

static int all_down(void **state)
{
    buf_free(&reports);
    return dir_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_every_mistake_and_keeps_the_rest),
        cmocka_unit_test(stops_reporting_at_a_bound),
        cmocka_unit_test(takes_no_more_than_its_bounds),
        cmocka_unit_test(reads_maps_as_postfix_does),
        cmocka_unit_test(a_map_line_is_bounded),
        cmocka_unit_test(loads_again_what_has_changed_and_settled),
        cmocka_unit_test(keeps_what_it_has_when_the_file_goes),
        cmocka_unit_test(says_when_there_is_no_file_at_first),
        cmocka_unit_test(does_not_wait_on_a_pipe),
    };

    return cmocka_run_group_tests(tests, dir_up, all_down);
}
