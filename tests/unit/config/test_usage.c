/* tests/unit/config/test_usage.c - what is generated from the tables: compared with tests/unit/config/golden, read back,
 * and checked by groff. After a wanted change: GOLDEN_UPDATE=1 build/unit/config/test_usage, then look at the diff. */
#include "tests/unit/unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/config/example.h"

#define GOLDEN "tests/unit/config/golden/"
#define OUT_MAX (1u << 20)

static const char changed_input[] =
    "name = example\n"
    "count = 10\n" /* the default */
    "delay = 300s\n" /* the default, spelt otherwise */
    "motto =\n" /* none, which is the default */
    "size = 128K\n"
    "[limit hourly]\n"
    "rate = 1/1h\n"
    "rate.user.a@example.com = 0123456789 0123456789 # 0123456789  0123456789 0123456789 "
    "0123456789 # 0123456789 0123456789\n"
    "strict = no\n" /* sections are shown as they are */
    "[classes]\n"
    "@shop.example = gold\n";

/* The names and values of a document, one a line: equal for equal documents. */
static void flatten(const struct conf *conf, struct buf *out)
{
    for (size_t i = 0; i < conf->count; i++) {
        const struct conf_section *section = &conf->sections[i];
        buf_printf(out, "[%.*s|%.*s]\n", (int)section->kind.len,
                   section->kind.ptr == NULL ? "" : section->kind.ptr, (int)section->name.len,
                   section->name.ptr == NULL ? "" : section->name.ptr);
        for (size_t k = 0; k < section->count; k++)
            buf_printf(out, "%.*s=%.*s\n", SLICE_ARG(section->entries[k].name),
                       SLICE_ARG(section->entries[k].value));
    }
}

struct loaded {
    struct arena *arena;
    struct conf_errors *errors;
    struct conf *conf;
    struct example_config config;
};

/* Reads a text that must be free of mistakes. */
static void load(struct loaded *loaded, struct slice text)
{
    AUTO_BUF out = BUF_INIT(OUT_MAX);

    loaded->arena = arena_new(OUT_MAX);
    loaded->errors = conf_errors_new();
    loaded->conf = conf_parse(SLICE("t.conf"), text, NULL, 0, loaded->arena, loaded->errors);
    assert_non_null(loaded->conf);
    conf_load(&example_schema, loaded->conf, loaded->arena, &loaded->config, loaded->errors);
    conf_errors_print(loaded->errors, &out);
    assert_string_equal("", buf_text(&out));
}

static void unload(struct loaded *loaded)
{
    arena_free(&loaded->arena);
    conf_errors_free(&loaded->errors);
}

/* ---- compared with files ---- */

static int print_defaults(struct buf *out)
{
    return usage_defaults(&example_program, out);
}

static int print_changed(struct buf *out)
{
    struct loaded loaded;

    load(&loaded, slice_of(changed_input));
    int rc = usage_changed(&example_schema, loaded.conf, out);
    unload(&loaded);
    return rc;
}

static int print_sample(struct buf *out)
{
    return usage_sample(&example_program, out);
}

static int print_conf_page(struct buf *out)
{
    return usage_conf_page(&example_program, out);
}

static int print_daemon_page(struct buf *out)
{
    return usage_daemon_page(&example_program, out);
}

static const struct {
    const char *file;
    int (*print)(struct buf *out);
} outputs[] = {
    { GOLDEN "defaults", print_defaults },      { GOLDEN "changed", print_changed },
    { GOLDEN "sample", print_sample },          { GOLDEN "exampled.conf.5", print_conf_page },
    { GOLDEN "exampled.8", print_daemon_page },
};

static void write_file(const char *path, struct slice bytes)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(bytes.len, fwrite(bytes.ptr, 1, bytes.len, file));
    assert_int_equal(0, fclose(file));
}

static void generates_what_is_in_the_golden_files(UNUSED void **state)
{
    struct arena *arena = arena_new(OUT_MAX);
    struct conf_errors *errors = conf_errors_new();

    for (size_t i = 0; i < COUNT(outputs); i++) {
        AUTO_BUF out = BUF_INIT(OUT_MAX);
        assert_int_equal(0, outputs[i].print(&out));
        if (getenv("GOLDEN_UPDATE") != NULL)
            write_file(outputs[i].file, buf_slice(&out));
        struct slice want = conf_read(outputs[i].file, arena, errors);
        if (!slice_equal(want, buf_slice(&out)))
            fail_msg("%s differs; got\n%s", outputs[i].file, buf_text(&out));
    }
    conf_errors_free(&errors);
    arena_free(&arena);
}

static void says_when_the_buffer_is_full(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(outputs); i++) {
        AUTO_BUF whole = BUF_INIT(OUT_MAX);
        assert_int_equal(0, outputs[i].print(&whole));
        for (size_t max = 0; max < whole.len; max++) {
            AUTO_BUF out = BUF_INIT(max);
            if (outputs[i].print(&out) != -1)
                fail_msg("%s: %zu of %zu bytes were enough", outputs[i].file, max, whole.len);
        }
    }
}

/* ---- read back ---- */

static void reads_back_what_differs_from_the_defaults(UNUSED void **state)
{
    struct loaded before, after;
    AUTO_BUF text = BUF_INIT(OUT_MAX);
    AUTO_BUF text_again = BUF_INIT(OUT_MAX);
    AUTO_BUF flat = BUF_INIT(OUT_MAX);
    AUTO_BUF flat_again = BUF_INIT(OUT_MAX);

    load(&before, slice_of(changed_input));
    assert_int_equal(0, usage_changed(&example_schema, before.conf, &text));
    load(&after, buf_slice(&text));
    assert_int_equal(0, usage_changed(&example_schema, after.conf, &text_again));
    assert_string_equal(buf_text(&text), buf_text(&text_again));
    /* all but the defaults is there, byte for byte */
    flatten(before.conf, &flat);
    flatten(after.conf, &flat_again);
    assert_null(strstr(buf_text(&flat_again), "count"));
    const char *rest = strstr(buf_text(&flat), "size="), *rest_again;
    rest_again = strstr(buf_text(&flat_again), "size=");
    assert_non_null(rest);
    assert_non_null(rest_again);
    assert_string_equal(rest, rest_again);
    assert_int_equal(before.config.delay, after.config.delay);
    assert_int_equal(before.config.size, after.config.size);
    unload(&before);
    unload(&after);
}

/* A copy of the sample with the # taken off where no blank follows it. */
static void uncomment(struct slice text, struct buf *out)
{
    struct slice line;

    while (slice_cut(&text, '\n', &line)) {
        if (line.len > 1 && line.ptr[0] == '#' && line.ptr[1] != ' ')
            line = slice_skip(line, 1);
        assert_int_equal(0, buf_printf(out, "%.*s\n", SLICE_ARG(line)));
    }
}

static void the_sample_is_a_good_file(UNUSED void **state)
{
    AUTO_BUF sample = BUF_INIT(OUT_MAX);
    AUTO_BUF active = BUF_INIT(OUT_MAX);
    struct loaded loaded;

    assert_int_equal(0, usage_sample(&example_program, &sample));
    load(&loaded, buf_slice(&sample));
    assert_int_equal(1, loaded.conf->sections[0].count); /* the one that must be given */
    unload(&loaded);
    uncomment(buf_slice(&sample), &active);
    load(&loaded, buf_slice(&active));
    assert_int_equal(example_schema.param_count, loaded.conf->sections[0].count);
    assert_int_equal(1 + example_schema.kind_count, loaded.conf->count);
    unload(&loaded);
}

static void the_defaults_can_be_used_as_a_file(UNUSED void **state)
{
    struct arena *arena = arena_new(OUT_MAX);
    struct conf_errors *errors = conf_errors_new();
    AUTO_BUF text = BUF_INIT(OUT_MAX);
    AUTO_BUF lines = BUF_INIT(OUT_MAX);
    struct example_config config;

    assert_int_equal(0, usage_defaults(&example_program, &text));
    struct slice top = slice_part(buf_slice(&text), 0, slice_find(buf_slice(&text), '['));
    struct conf *conf = conf_parse(SLICE("t.conf"), top, NULL, 0, arena, errors);
    conf_load(&example_schema, conf, arena, &config, errors);
    conf_errors_print(errors, &lines);
    assert_string_equal("t.conf:3:7: name: a value is missing\n", buf_text(&lines));
    conf_errors_free(&errors);
    arena_free(&arena);
}

/* ---- manual pages ---- */

/* What groff says about a page; empty when it is content. */
static void lint(const char *path, struct buf *out)
{
    AUTO_BUF command = BUF_INIT(4096);
    char byte;

    assert_int_equal(0, buf_printf(&command, "groff -man -ww -Tutf8 -z %s 2>&1", path));
    FILE *pipe = popen(buf_text(&command), "r");
    assert_non_null(pipe);
    while (fread(&byte, 1, 1, pipe) == 1)
        buf_put_char(out, byte);
    assert_int_equal(0, WEXITSTATUS(pclose(pipe)));
}

static void groff_takes_the_pages_without_a_warning(UNUSED void **state)
{
    char path[] = "/tmp/gatehouse-page-XXXXXX";

    if (access("/usr/bin/groff", X_OK) != 0)
        skip();
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 3; i < 5; i++) {
        AUTO_BUF page = BUF_INIT(OUT_MAX);
        AUTO_BUF said = BUF_INIT(OUT_MAX);
        assert_int_equal(0, outputs[i].print(&page));
        write_file(path, buf_slice(&page));
        lint(path, &said);
        assert_string_equal("", buf_text(&said));
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generates_what_is_in_the_golden_files),
        cmocka_unit_test(says_when_the_buffer_is_full),
        cmocka_unit_test(reads_back_what_differs_from_the_defaults),
        cmocka_unit_test(the_sample_is_a_good_file),
        cmocka_unit_test(the_defaults_can_be_used_as_a_file),
        cmocka_unit_test(groff_takes_the_pages_without_a_warning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
