/* tests/unit/policyd/test_replay.c - replays the files in tests/replay/policyd against the sample rule sets; what they
 * look like is said in the README there. */
#include "common/base/fd.h"
#include "tests/fakes/policyd_case.h"
#include "tests/unit/unit.h"

#include <glob.h>
#include <time.h>

enum { FILE_MOST = 1 << 20, CHANGES_MOST = 32, SETTINGS_MOST = 40, WANT_MOST = 3 };

struct setting {
    struct slice name, value;
};

struct settings {
    struct setting items[SETTINGS_MOST];
    size_t count;
};

struct replay {
    const char *path;
    struct slice conf, changes[CHANGES_MOST], live[CHANGES_MOST];
    size_t change_count, live_count;
    struct settings defaults, request;
    struct slice what; /* the request under way; absent: none */
    struct slice want[WANT_MOST];
    size_t want_count;
    uint64_t times, serial;
    size_t requests;
    struct policyd_case test;
    bool is_open;
};

static struct slice read_file(const char *path, struct buf *out)
{
    if (fd_read_file(path, out) != 0)
        fail_msg("%s cannot be read", path);
    return buf_slice(out);
}

static void setting_set(struct settings *settings, struct slice name, struct slice value)
{
    size_t i = 0;

    while (i < settings->count && !slice_equal(settings->items[i].name, name))
        i++;
    assert_true(i < SETTINGS_MOST);
    settings->items[i] = (struct setting){ name, value };
    if (i == settings->count)
        settings->count++;
}

/* ---- asking ---- */

static void open_case(struct replay *replay)
{
    AUTO_BUF path = BUF_INIT(1000), text = BUF_INIT(FILE_MOST);

    buf_add(&path, replay->conf);
    read_file(buf_text(&path), &text);
    policyd_case_open_changed(&replay->test, buf_text(&text), replay->changes,
                              replay->change_count);
    fake_clock_advance(&replay->test.clock, 34 * HOUR); /* from a Sunday's night to Monday noon */
    replay->is_open = true;
    for (size_t i = 0; i < replay->live_count; i++) {
        AUTO_BUF key = BUF_INIT(1000), field = BUF_INIT(1000);
        struct slice rest = replay->live[i], name = { NULL, 0 };
        assert_true(slice_cut(&rest, ' ', &name));
        buf_add(&key, name);
        buf_add(&field, rest);
        fake_store_set(replay->test.store, buf_text(&key), buf_text(&field), "by=test");
    }
}

static const char *ask_once(struct replay *replay)
{
    AUTO_BUF lines = BUF_INIT(POLICY_REQUEST_MAX);

    replay->serial++;
    for (size_t i = 0; i < replay->request.count; i++)
        buf_printf(&lines, "%.*s=%.*s\n", SLICE_ARG(replay->request.items[i].name),
                   SLICE_ARG(replay->request.items[i].value));
    buf_printf(&lines, "instance=%llu\nclient_port=%llu\n", (unsigned long long)replay->serial,
               (unsigned long long)replay->serial);
    return policyd_case_ask(&replay->test, buf_text(&lines));
}

/* The value of a field of the decision line; empty without it. */
static struct slice logged(const struct replay *replay, const char *field)
{
    struct slice rest = buf_slice(&replay->test.store->log), word = { NULL, 0 };
    size_t len = strlen(field);

    while (slice_next(&rest, ' ', &word))
        if (word.len > len && word.ptr[len] == '=' && memcmp(word.ptr, field, len) == 0)
            return slice_skip(word, len + 1);
    return SLICE("");
}

static void check(const struct replay *replay, struct slice want, const char *reply)
{
    const char *ref = strstr(reply, ", ref=");
    struct slice got = { reply, ref == NULL ? strlen(reply) : (size_t)(ref - reply) };
    struct slice what = SLICE("");

    if (slice_starts_with(want, SLICE("rule")))
        what = SLICE("rule");
    else if (slice_starts_with(want, SLICE("shadow")))
        what = SLICE("shadow");
    if (what.len > 0) {
        got = logged(replay, what.ptr);
        want = slice_trim(slice_skip(want, what.len));
    }
    if (!slice_equal(want, got))
        fail_msg("%s: %.*s: want \"%.*s\", got \"%.*s\"", replay->path, SLICE_ARG(replay->what),
                 SLICE_ARG(want), SLICE_ARG(got));
}

/* The request that ends here. */
static void decide(struct replay *replay)
{
    const char *reply = "";

    if (replay->what.ptr == NULL)
        return;
    if (!replay->is_open)
        open_case(replay);
    for (uint64_t i = 0; i < replay->times; i++)
        reply = ask_once(replay);
    assert_true(replay->want_count > 0);
    for (size_t i = 0; i < replay->want_count; i++)
        check(replay, replay->want[i], reply);
    replay->requests++;
}

/* ---- reading ---- */

static void read_head(struct replay *replay, struct slice name, struct slice value)
{
    assert_true(replay->change_count < CHANGES_MOST && replay->live_count < CHANGES_MOST);
    if (slice_equal(name, SLICE("conf")))
        replay->conf = value;
    else if (slice_equal(name, SLICE("change")))
        replay->changes[replay->change_count++] = value;
    else if (slice_equal(name, SLICE("live")))
        replay->live[replay->live_count++] = value;
    else
        setting_set(&replay->defaults, name, value);
}

static void read_line(struct replay *replay, struct slice line)
{
    struct slice name = { NULL, 0 };

    if (slice_starts_with(line, SLICE("=> "))) {
        assert_true(replay->want_count < WANT_MOST);
        replay->want[replay->want_count++] = slice_skip(line, 3);
        return;
    }
    if (!slice_cut(&line, '=', &name))
        fail_msg("%s: %.*s", replay->path, SLICE_ARG(line));
    name = slice_trim(name);
    line = slice_trim(line);
    if (replay->what.ptr == NULL)
        read_head(replay, name, line);
    else if (!slice_equal(name, SLICE("times")))
        setting_set(&replay->request, name, line);
    else if (!slice_to_u64(line, &replay->times))
        fail_msg("%s: times", replay->path);
}

static void begin_request(struct replay *replay, struct slice what)
{
    decide(replay);
    replay->what = what;
    replay->request = replay->defaults;
    replay->want_count = 0;
    replay->times = 1;
}

static void replay_file(const char *path)
{
    AUTO_BUF file = BUF_INIT(FILE_MOST);
    struct replay *replay = calloc(1, sizeof *replay);
    struct slice line = { NULL, 0 };

    assert_non_null(replay);
    replay->path = path;
    struct slice text = read_file(path, &file);
    while (slice_next(&text, '\n', &line)) {
        if (line.len == 0 || line.ptr[0] == '#' || slice_equal(line, SLICE("[defaults]")))
            continue;
        if (slice_starts_with(line, SLICE("[request ")))
            begin_request(replay, slice_part(line, 9, line.len - 10));
        else
            read_line(replay, line);
    }
    decide(replay);
    assert_true(replay->requests > 0);
    policyd_case_close(&replay->test);
    free(replay);
}

static void gives_the_recorded_replies(UNUSED void **state)
{
    glob_t files;

    setenv("TZ", "UTC", 1);
    tzset();
    /* run at the top of the tree */
    assert_int_equal(0, glob("tests/replay/policyd/*.txt", 0, NULL, &files));
    for (size_t i = 0; i < files.gl_pathc; i++)
        replay_file(files.gl_pathv[i]);
    globfree(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_recorded_replies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
