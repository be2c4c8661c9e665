/* tests/unit/observe/test_log.c - escaping, the decision line, and the writer behind the queue. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/observe/log_text.h"
#include "tests/fakes/shown_metric.h"

enum { FILE_MAX = 4 << 20 };

/* ---- escaping ---- */

static const struct {
    const char *what;
    struct slice in;
    const char *word, *quoted, *line;
} escapes[] = {
    { "plain", SLICE_INIT("alice@example.com"), "alice@example.com", "\"alice@example.com\"",
      "alice@example.com" },
    { "empty", SLICE_INIT(""), "", "\"\"", "" },
    { "a new line", SLICE_INIT("a\nb\r"), "a\\x0ab\\x0d", "\"a\\x0ab\\x0d\"", "a\\x0ab\\x0d" },
    { "another field", SLICE_INIT("x rule=fake"), "x\\x20rule=fake", "\"x rule=fake\"",
      "x rule=fake" },
    { "quotes", SLICE_INIT("a\" b=\"c"), "a\\x22\\x20b=\\x22c", "\"a\\x22 b=\\x22c\"",
      "a\" b=\"c" },
    { "an escape", SLICE_INIT("\\x0a"), "\\x5cx0a", "\"\\x5cx0a\"", "\\x0a" },
    { "brackets", SLICE_INIT("a> b=<c"), "a\\x3e\\x20b=\\x3cc", "\"a> b=<c\"", "a> b=<c" },
    { "not ASCII", SLICE_INIT("\xc3\xa9\x7f\x1b[0m"), "\\xc3\\xa9\\x7f\\x1b[0m",
      "\"\\xc3\\xa9\\x7f\\x1b[0m\"", "\\xc3\\xa9\\x7f\\x1b[0m" },
    { "a NUL", SLICE_INIT("a\0b"), "a\\x00b", "\"a\\x00b\"", "a\\x00b" },
};

static void leaves_no_way_to_forge_a_line_or_field(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(escapes); i++) {
        AUTO_BUF word = BUF_INIT(1024);
        AUTO_BUF quoted = BUF_INIT(1024);
        AUTO_BUF line = BUF_INIT(1024);
        assert_int_equal(0, log_put_value(&word, escapes[i].in));
        assert_int_equal(0, log_put_quoted(&quoted, escapes[i].in));
        assert_int_equal(0, log_put_line(&line, escapes[i].in));
        if (strcmp(buf_text(&word), escapes[i].word) != 0 ||
            strcmp(buf_text(&quoted), escapes[i].quoted) != 0 ||
            strcmp(buf_text(&line), escapes[i].line) != 0)
            fail_msg("%s: %s %s %s", escapes[i].what, buf_text(&word), buf_text(&quoted),
                     buf_text(&line));
    }
}

static void cuts_long_values_visibly(UNUSED void **state)
{
    static char text[2000];
    AUTO_BUF out = BUF_INIT(4096);

    memset(text, 'a', sizeof text);
    log_put_value(&out, (struct slice){ text, 320 });
    assert_int_equal(320, out.len); /* fits as it is */
    buf_clear(&out);
    log_put_value(&out, (struct slice){ text, 321 });
    assert_int_equal(320, out.len);
    assert_true(slice_ends_with(buf_slice(&out), SLICE("aaa...")));
    memset(text, '\n', sizeof text);
    buf_clear(&out);
    log_put_value(&out, (struct slice){ text, sizeof text });
    assert_true(out.len <= 320); /* what counts is the escaped length */
    assert_true(slice_ends_with(buf_slice(&out), SLICE("\\x0a...")));
}

/* ---- decisions ---- */

static const struct decision example = {
    .queue_id = SLICE_INIT("4Xk2Lq"),
    .client_address = SLICE_INIT("192.0.2.7"),
    .sender = SLICE_INIT("a@example.net"),
    .recipient = SLICE_INIT("b@example.org"),
    .rule = SLICE_INIT("greylist"),
    .verdict = SLICE_INIT("defer"),
    .ref = SLICE_INIT("7f3k2q"),
    .reason = SLICE_INIT("new triplet, 5m left"),
    .ms = 3,
};

static void writes_the_fields_in_their_order(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(4096);
    struct decision empty = { 0 };

    assert_int_equal(0, decision_print(&out, &example, LOG_ADDRESSES_FULL));
    assert_string_equal("decision queue_id=4Xk2Lq client_address=192.0.2.7 sasl_username= "
                        "sender=<a@example.net> recipient=<b@example.org> rule=greylist "
                        "verdict=defer ref=7f3k2q reason=\"new triplet, 5m left\" ms=3",
                        buf_text(&out));
    buf_clear(&out);
    assert_int_equal(0, decision_print(&out, &empty, LOG_ADDRESSES_FULL));
    assert_string_equal("decision queue_id= client_address= sasl_username= sender=<> recipient=<> "
                        "rule= verdict= ref= reason=\"\" ms=0",
                        buf_text(&out));
}

static void adds_extra_fields_at_the_end(UNUSED void **state)
{
    static const struct log_field extra[] = { { "mode", SLICE_INIT("shadow") },
                                              { "trouble", { NULL, 0 } },
                                              { "limit", SLICE_INIT("user-hourly, domain") } };
    struct decision decision = example;
    AUTO_BUF out = BUF_INIT(4096);

    decision.extra = extra;
    decision.extra_count = COUNT(extra);
    assert_int_equal(0, decision_print(&out, &decision, LOG_ADDRESSES_FULL));
    assert_non_null(strstr(buf_text(&out), "ms=3 mode=shadow limit=\"user-hourly, domain\""));
    assert_null(strstr(buf_text(&out), "trouble"));
}

static void keeps_the_verdict_on_the_line_whatever_is_sent(UNUSED void **state)
{
    static char noise[100000];
    struct slice all = { noise, sizeof noise };
    struct decision hostile = { .queue_id = all,
                                .client_address = all,
                                .sasl_username = all,
                                .sender = all,
                                .recipient = all,
                                .rule = SLICE("r"),
                                .verdict = SLICE("reject"),
                                .reason = all };
    AUTO_BUF out = BUF_INIT(LOG_LINE_MAX);

    memset(noise, '\n', sizeof noise);
    assert_int_equal(0, decision_print(&out, &hostile, LOG_ADDRESSES_FULL));
    assert_non_null(strstr(buf_text(&out), " verdict=reject "));
    assert_null(strchr(buf_text(&out), '\n'));
}

static const struct {
    enum log_addresses addresses;
    const char *login;
    const char *want;
} masks[] = {
    { LOG_ADDRESSES_DOMAIN, "bob@example.org",
      "sasl_username=@example.org sender=<@example.net> recipient=<> rule= verdict= ref= "
      "reason=\"over for @example.org, ref 1\"" },
    { LOG_ADDRESSES_DOMAIN, "bob",
      "sasl_username=81b637d8fcd2c6da sender=<@example.net> recipient=<> rule= verdict= ref= "
      "reason=\"over for @example.org, ref 1\"" },
    { LOG_ADDRESSES_HASH, "bob",
      "sasl_username=81b637d8fcd2c6da sender=<3a915e6458ec3df4> recipient=<> rule= verdict= ref= "
      "reason=\"over for 686b5e4cf4f963ad, ref 1\"" },
};

static void hides_mailboxes_when_told(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(masks); i++) {
        AUTO_BUF out = BUF_INIT(4096);
        struct decision decision = { .sender = SLICE("a@example.net"),
                                     .reason = SLICE("over for bob@example.org, ref 1") };
        decision.sasl_username = slice_of(masks[i].login);
        assert_int_equal(0, decision_print(&out, &decision, masks[i].addresses));
        if (strstr(buf_text(&out), masks[i].want) == NULL)
            fail_msg("row %zu: %s", i, buf_text(&out));
    }
}

static void gives_the_journal_fields_of_its_own(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(4096);
    struct slice rest, field;
    unsigned count = 0;

    assert_int_equal(0, decision_fields(&out, &example, LOG_ADDRESSES_DOMAIN));
    for (rest = buf_slice(&out); slice_cut(&rest, '\0', &field); count++)
        assert_true(slice_starts_with(field, SLICE("GATEHOUSE_")));
    assert_int_equal(9, count); /* all but the empty sasl_username */
    assert_non_null(memmem(out.data, out.len, "GATEHOUSE_SENDER=@example.net", 30));
}

/* ---- targets ---- */

static const struct {
    const char *text;
    bool ok;
    enum log_target target;
    const char *path;
} targets[] = {
    { "syslog", true, LOG_TO_SYSLOG, NULL },
    { "journal", true, LOG_TO_JOURNAL, NULL },
    { "stderr", true, LOG_TO_STDERR, NULL },
    { "file:/x/y", true, LOG_TO_FILE, "/x/y" },
    { "file:relative", false, LOG_TO_FILE, NULL },
    { "Syslog", false, LOG_TO_FILE, NULL },
    { "", false, LOG_TO_FILE, NULL },
};

static void reads_the_names_of_targets(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(targets); i++) {
        enum log_target target = targets[i].target == LOG_TO_FILE ? LOG_TO_STDERR : LOG_TO_FILE;
        struct slice path = SLICE("as it was");
        const char *error = NULL;
        bool ok = log_target_parse(slice_of(targets[i].text), &target, &path, &error);
        if (ok != targets[i].ok || (ok && target != targets[i].target) ||
            (ok && !slice_equal(path, slice_of(targets[i].path))) || ok == (error != NULL))
            fail_msg("\"%s\"", targets[i].text);
    }
}

/* ---- writing ---- */

static char path[] = "/tmp/gatehouse-log-XXXXXX";

static int setup_file(UNUSED void **state)
{
    int fd;

    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    fd = mkstemp(path);
    close(fd);
    return fd < 0 ? -1 : 0;
}

static int remove_file(UNUSED void **state)
{
    log_close();
    return unlink(path);
}

static void open_log(enum log_level level)
{
    struct log_settings settings = {
        .identity = "gatehouse-test", .target = LOG_TO_FILE, .path = slice_of(path), .level = level
    };
    AUTO_BUF error = BUF_INIT(256);

    if (log_open(&settings, &error))
        fail_msg("%s", buf_text(&error));
}

static void read_log(struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    assert_true(fd >= 0);
    buf_clear(out);
    assert_int_equal(0, buf_reserve(out, FILE_MAX));
    while ((n = read(fd, out->data + out->len, FILE_MAX - out->len)) > 0)
        out->len += (size_t)n;
    close(fd);
}

static size_t count_lines(const struct buf *text)
{
    struct slice rest = buf_slice(text), line;
    size_t lines = 0;

    while (slice_cut(&rest, '\n', &line)) {
        if (slice_find(line, ']') == SIZE_MAX) /* gatehouse-test[PID]: */
            fail_msg("half a line: %.*s", SLICE_ARG(line));
        lines++;
    }
    assert_int_equal(0, rest.len);
    return lines;
}

static void writes_whole_lines_of_its_level(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(FILE_MAX);

    open_log(LOG_LEVEL_WARNING);
    log_error("first %s", "a\nb");
    log_warning("second");
    log_info("not this one");
    log_decision(&example, NULL);
    assert_false(log_wants(LOG_LEVEL_INFO));
    log_adjust(LOG_LEVEL_INFO, LOG_ADDRESSES_DOMAIN);
    log_decision(&example, NULL);
    log_debug("nor this");
    log_flush(2000);
    read_log(&text);
    assert_int_equal(3, count_lines(&text));
    assert_non_null(strstr(buf_text(&text), "]: error: first a\\x0ab\n"));
    assert_non_null(strstr(buf_text(&text), "]: warning: second\n"));
    assert_non_null(strstr(buf_text(&text), "]: decision queue_id=4Xk2Lq "));
    assert_non_null(strstr(buf_text(&text), "sender=<@example.net>"));
    assert_int_equal('2', buf_text(&text)[0]); /* 2026-... */
}

static void gives_the_decision_to_the_store_at_any_level(UNUSED void **state)
{
    AUTO_BUF line = BUF_INIT(LOG_LINE_MAX);

    open_log(LOG_LEVEL_ERROR);
    log_decision(&example, &line);
    assert_true(slice_starts_with(buf_slice(&line), SLICE("decision queue_id=4Xk2Lq")));
}

static void *log_many(UNUSED void *arg)
{
    for (size_t i = 0; i < 2000; i++)
        log_info("line %zu of this thread", i);
    return NULL;
}

static void loses_no_line_of_many_threads(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(FILE_MAX);
    pthread_t threads[4];
    uint64_t dropped = log_dropped();

    open_log(LOG_LEVEL_INFO);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_create(&threads[i], NULL, log_many, NULL);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    log_close();
    read_log(&text);
    assert_int_equal(8000, count_lines(&text));
    assert_int_equal(dropped, log_dropped());
}

static void follows_a_file_that_was_moved(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(FILE_MAX);
    char moved[sizeof path + 4];

    open_log(LOG_LEVEL_INFO);
    log_info("before");
    log_flush(2000);
    snprintf(moved, sizeof moved, "%s.1", path);
    assert_int_equal(0, rename(path, moved));
    log_reopen();
    log_info("after");
    log_flush(2000);
    read_log(&text);
    assert_int_equal(1, count_lines(&text));
    assert_non_null(strstr(buf_text(&text), "after"));
    unlink(moved);
}

/* A reader that does not read: nobody waits for it, and what is lost is counted. */
static void drops_and_counts_when_the_target_hangs(UNUSED void **state)
{
    struct log_settings settings = { .identity = "gatehouse-test", .target = LOG_TO_FILE };
    uint64_t before = log_dropped();
    char fifo[sizeof path + 5];
    static char text[2000];
    AUTO_BUF drained = BUF_INIT(64 << 20);

    snprintf(fifo, sizeof fifo, "%s.fifo", path);
    assert_int_equal(0, mkfifo(fifo, 0600));
    int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    settings.path = slice_of(fifo);
    settings.level = LOG_LEVEL_INFO;
    assert_int_equal(0, log_open(&settings, NULL));
    memset(text, 'x', sizeof text - 1);
    for (size_t i = 0; i < 6000; i++) /* 12 MB into a queue of 8 */
        log_info("%s", text);
    assert_true(log_dropped() > before);

    /* The reader comes back: lines flow again, and the loss is said. */
    for (int idle = 0; idle < 10000 && strstr(buf_text(&drained), "log lines lost") == NULL;
         idle++) {
        ssize_t n;
        do {
            assert_int_equal(0, buf_reserve(&drained, 65536));
            n = read(reader, drained.data + drained.len, 65536);
            drained.len += n > 0 ? (size_t)n : 0;
        } while (n > 0);
        usleep(1000);
    }
    assert_non_null(strstr(buf_text(&drained), "log lines lost"));
    log_close();
    close(reader);
    unlink(fifo);
}

static size_t occurrences(struct buf *text, const char *what)
{
    size_t count = 0;

    for (const char *at = buf_text(text); (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

/* What is lost on a full disk is counted, the word of it is not written into the same hole again and again, and it is
 * said when there is room, even if that is at the very end. */
static void a_full_disk_loses_what_was_logged_and_no_more(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(FILE_MAX);
    uint64_t before = log_dropped(), shown;

    assert_int_equal(0, unlink(path));
    assert_int_equal(0, symlink("/dev/full", path));
    open_log(LOG_LEVEL_INFO);
    shown = shown_metric("gatehouse_log_lines_dropped_total");
    for (uint64_t lines = 1; lines <= 10; lines++) {
        log_info("line");
        log_flush(2000);
        assert_int_equal(before + lines, log_dropped());
    }
    assert_int_equal(shown + 10, shown_metric("gatehouse_log_lines_dropped_total"));
    assert_int_equal(0, unlink(path));
    log_reopen();
    log_info("room again");
    log_close();
    read_log(&text);
    assert_int_equal(2, count_lines(&text));
    assert_int_equal(1, occurrences(&text, "]: room again\n"));
    assert_int_equal(1, occurrences(&text, "]: warning: 10 log lines lost: the log is too slow\n"));
    assert_int_equal(before + 10, log_dropped());
}

/* The disk is full in the middle of a line: the next one begins on a line of its own. */
static void a_line_cut_short_does_not_spoil_the_next(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(FILE_MAX);
    uint64_t before = log_dropped();
    struct rlimit all, few;
    struct slice rest, line;

    open_log(LOG_LEVEL_INFO);
    log_info("whole");
    log_flush(2000);
    read_log(&text);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &all));
    few = all;
    few.rlim_cur = text.len + 20;
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &few));
    for (unsigned i = 0; i < 3; i++) {
        log_info("lost");
        log_flush(2000);
    }
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &all));
    assert_int_equal(before + 3, log_dropped());
    log_info("after");
    log_close();
    read_log(&text);
    rest = buf_slice(&text);
    assert_true(slice_cut(&rest, '\n', &line) && slice_ends_with(line, SLICE("]: whole")));
    assert_true(slice_cut(&rest, '\n', &line));
    assert_int_equal(20, line.len);
    assert_true(slice_cut(&rest, '\n', &line) && slice_ends_with(line, SLICE("]: after")));
    assert_true(slice_cut(&rest, '\n', &line) &&
                slice_ends_with(line, SLICE("warning: 3 log lines lost: the log is too slow")));
    assert_int_equal(0, rest.len);
    assert_int_equal(before + 3, log_dropped());
}

static void says_why_a_file_cannot_be_opened(UNUSED void **state)
{
    struct log_settings settings = { .identity = "gatehouse-test",
                                     .target = LOG_TO_FILE,
                                     .path = SLICE("/nonexistent/log") };
    AUTO_BUF error = BUF_INIT(256);

    assert_int_equal(-1, log_open(&settings, &error));
    assert_string_equal("log file /nonexistent/log: No such file or directory", buf_text(&error));
}

/* ---- changes of state ---- */

static uint64_t fake_now = 5007;

static uint64_t read_fake(UNUSED const struct clock *clock)
{
    return fake_now;
}

static void says_a_change_once_and_a_flapping_one_rarely(UNUSED void **state)
{
    static const struct clock fake = { read_fake, read_fake };
    struct log_change change = LOG_CHANGE_INIT(0);
    struct log_settings settings = { .identity = "gatehouse-test",
                                     .target = LOG_TO_FILE,
                                     .path = slice_of(path),
                                     .level = LOG_LEVEL_INFO,
                                     .clock = &fake };
    AUTO_BUF text = BUF_INIT(FILE_MAX);

    assert_int_equal(0, log_open(&settings, NULL));
    log_once_per_change(&change, 0, LOG_LEVEL_INFO, "up"); /* as it was */
    for (int i = 0; i < 3; i++)
        log_once_per_change(&change, 1, LOG_LEVEL_WARNING, "down");
    for (int i = 0; i < 10; i++) /* flaps within a second */
        log_once_per_change(&change, i % 2, LOG_LEVEL_INFO, "flaps %d", i % 2);
    log_once_per_change(&change, 0, LOG_LEVEL_INFO, "up");
    fake_now += 1000;
    log_once_per_change(&change, 0, LOG_LEVEL_INFO, "up");
    log_once_per_change(&change, 0, LOG_LEVEL_INFO, "up");
    log_flush(2000);
    read_log(&text);
    assert_int_equal(2, count_lines(&text));
    assert_true(slice_starts_with(buf_slice(&text), SLICE("1970-01-01T00:00:05.007Z gatehouse-")));
    assert_non_null(strstr(buf_text(&text), "\n1970-01-01T00:00:06.007Z gatehouse-"));
    assert_non_null(strstr(buf_text(&text), "]: warning: down\n"));
    assert_non_null(strstr(buf_text(&text), "]: up (5 changes not logged)\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_no_way_to_forge_a_line_or_field),
        cmocka_unit_test(cuts_long_values_visibly),
        cmocka_unit_test(writes_the_fields_in_their_order),
        cmocka_unit_test(adds_extra_fields_at_the_end),
        cmocka_unit_test(keeps_the_verdict_on_the_line_whatever_is_sent),
        cmocka_unit_test(hides_mailboxes_when_told),
        cmocka_unit_test(gives_the_journal_fields_of_its_own),
        cmocka_unit_test(reads_the_names_of_targets),
        cmocka_unit_test_setup_teardown(writes_whole_lines_of_its_level, setup_file, remove_file),
        cmocka_unit_test_setup_teardown(gives_the_decision_to_the_store_at_any_level, setup_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(loses_no_line_of_many_threads, setup_file, remove_file),
        cmocka_unit_test_setup_teardown(follows_a_file_that_was_moved, setup_file, remove_file),
        cmocka_unit_test_setup_teardown(drops_and_counts_when_the_target_hangs, setup_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_what_was_logged_and_no_more, setup_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(a_line_cut_short_does_not_spoil_the_next, setup_file,
                                        remove_file),
        cmocka_unit_test(says_why_a_file_cannot_be_opened),
        cmocka_unit_test_setup_teardown(says_a_change_once_and_a_flapping_one_rarely, setup_file,
                                        remove_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
