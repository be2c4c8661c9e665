#include "tests/unit/unit.h"

#include "common/run/op.h"
#include "contentd/scan.h"
#include "contentd/scanners/backend.h"

/* ---- scanners whose `path` says what they do: result and milliseconds, or `hang`, or `fail` to start ---- */

struct scan {
    struct op op;
    struct scan_request request;
    unsigned mores;
};

static struct {
    unsigned started, abandoned, mores;
    unsigned most_under_way, under_way;
} seen;

static void on_end(struct op *op, UNUSED enum op_result result)
{
    struct scan *scan = (struct scan *)(void *)op;
    struct finding finding = { .result = FINDING_NONE };
    struct slice rest = scan->request.scanner->path, word;

    slice_next(&rest, ' ', &word);
    for (int i = 0; i < FINDING_RESULTS; i++)
        if (slice_equal(word, slice_of(finding_words[i])))
            finding.result = (enum finding_result)i;
    seen.under_way--;
    scan->request.done(scan->request.owner, scan->request.scanner, &finding);
}

static struct scan *start(const struct scan_request *request)
{
    struct scan *scan = arena_alloc(request->arena, sizeof(*scan));
    struct slice rest = request->scanner->path, word;
    uint64_t ms = 0;

    if (slice_equal(rest, SLICE("fail")))
        return NULL;
    slice_next(&rest, ' ', &word);
    slice_to_u64(rest, &ms);
    scan->request = *request;
    op_start(&scan->op, request->worker, slice_equal(word, SLICE("hang")) ? 0 : ms + 1, on_end);
    seen.started++;
    if (++seen.under_way > seen.most_under_way)
        seen.most_under_way = seen.under_way;
    return scan;
}

static void more(UNUSED struct scan *scan)
{
    seen.mores++;
}

static void abandon(struct scan *scan)
{
    op_abandon(&scan->op);
    seen.abandoned++;
    seen.under_way--;
}

static const struct scanner_kind streaming = { "s", "", true, true, start, more, abandon },
                                 whole_only = { "w", "", false, false, start, NULL, abandon };

/* ---- a run ---- */

enum { MOST = 4 };

struct run_case {
    struct worker *worker;
    struct arena *arena;
    struct message *message;
    struct backend *backend;
    struct scanner scanners[MOST];
    struct scan_setup setup;
    struct scan_run *run;
    unsigned found[MOST], done;
    bool cancels; /* a virus ends it all */
};

static void on_found(void *owner, size_t n)
{
    struct run_case *test = owner;

    test->found[n]++;
    if (test->cancels && scan_run_findings(test->run)[n].result == FINDING_VIRUS)
        scan_run_cancel(test->run, ~(scanner_set)0);
}

static void on_done(void *owner)
{
    struct run_case *test = owner;

    test->done++;
}

static void open_case(struct run_case *test, const char *const *paths, bool is_whole)
{
    static const struct spool_bounds bounds = { "/tmp", 1 << 16, 1 << 20 };
    const char *error;

    memset(&seen, 0, sizeof(seen));
    *test = (struct run_case){ .worker = worker_new(1, "test", &clock_system, NULL),
                               .arena = arena_new(1 << 20),
                               .message = message_new() };
    test->backend = backend_new(SLICE("test"), SLICE("unix:/nowhere"), BACKEND_IN_ORDER, &error);
    assert_int_equal(MESSAGE_OK, message_end_headers(test->message, &bounds));
    assert_int_equal(MESSAGE_OK, message_add_body(test->message, SLICE("0123456789")));
    if (is_whole)
        message_end(test->message);
    test->setup = (struct scan_setup){ .worker = test->worker,
                                       .arena = test->arena,
                                       .message = test->message,
                                       .scanners = test->scanners,
                                       .budget_ms = 10000,
                                       .found = on_found,
                                       .done = on_done,
                                       .owner = test };
    for (size_t n = 0; n < MOST && paths[n] != NULL; n++) {
        bool streams = paths[n][0] == '+';
        test->scanners[n] = (struct scanner){ .kind = streams ? &streaming : &whole_only,
                                              .backend = test->backend,
                                              .scan_timeout_ms = 60000,
                                              .path = slice_of(paths[n] + streams) };
        test->setup.wanted |= SCANNER_BIT(n);
        test->setup.scanner_count++;
    }
}

static void close_case(struct run_case *test)
{
    scan_run_end(&test->run);
    assert_int_equal(0, seen.under_way);
    message_unref(&test->message);
    backend_free(&test->backend);
    arena_free(&test->arena);
    worker_free(&test->worker);
}

static void turn(struct run_case *test, unsigned times)
{
    while (times-- > 0)
        event_base_loop(worker_base(test->worker), EVLOOP_NONBLOCK);
}

static void begin(struct run_case *test)
{
    test->run = scan_run_start(&test->setup);
    assert_non_null(test->run);
    assert_int_equal(0, test->done);
}

/* Each finding was reported once, unless it was cancelled. */
static void finish(struct run_case *test)
{
    while (test->done == 0)
        event_base_loop(worker_base(test->worker), EVLOOP_ONCE);
    turn(test, 3);
    assert_int_equal(1, test->done);
    assert_int_equal(0, scan_run_pending(test->run));
    for (size_t n = 0; n < test->setup.scanner_count; n++) {
        enum finding_result result = scan_run_findings(test->run)[n].result;
        bool wanted = (test->setup.wanted & SCANNER_BIT(n)) != 0;
        assert_int_equal(wanted && result != FINDING_CANCELLED, test->found[n]);
        assert_int_equal(wanted, result != FINDING_NONE);
    }
}

static enum finding_result result_of(const struct run_case *test, size_t n)
{
    return scan_run_findings(test->run)[n].result;
}

static void all_run_side_by_side(UNUSED void **state)
{
    static const char *const paths[MOST] = { "+clean 30", "virus 20", "spam 10", NULL };
    struct run_case test;

    open_case(&test, paths, true);
    begin(&test);
    finish(&test);
    assert_int_equal(FINDING_CLEAN, result_of(&test, 0));
    assert_int_equal(FINDING_VIRUS, result_of(&test, 1));
    assert_int_equal(FINDING_SPAM, result_of(&test, 2));
    assert_int_equal(3, seen.most_under_way);
    close_case(&test);
}

static void only_those_wanted_are_asked(UNUSED void **state)
{
    static const char *const paths[MOST] = { "clean", "virus", "spam", NULL };
    struct run_case test;

    open_case(&test, paths, true);
    test.setup.wanted = SCANNER_BIT(1) | SCANNER_BIT(40);
    begin(&test);
    finish(&test);
    assert_int_equal(1, seen.started);
    assert_int_equal(FINDING_VIRUS, result_of(&test, 1));
    close_case(&test);
}

static void ends_without_scanners(UNUSED void **state)
{
    static const char *const paths[MOST] = { NULL };
    struct run_case test;

    open_case(&test, paths, false);
    begin(&test);
    finish(&test);
    close_case(&test);
}

static void others_wait_until_the_message_is_whole(UNUSED void **state)
{
    static const char *const paths[MOST] = { "+clean 5", "clean 5", NULL };
    struct run_case test;

    open_case(&test, paths, false);
    test.scanners[0].path = SLICE("hang");
    begin(&test);
    turn(&test, 2);
    assert_int_equal(1, seen.started);
    message_add_body(test.message, SLICE("more"));
    scan_run_more(test.run);
    scan_run_more(test.run);
    turn(&test, 2);
    assert_int_equal(1, seen.mores);
    assert_int_equal(1, seen.started);
    message_end(test.message);
    scan_run_more(test.run);
    turn(&test, 2);
    assert_int_equal(2, seen.started);
    assert_int_equal(2, seen.mores);
    scan_run_cancel(test.run, SCANNER_BIT(0));
    finish(&test);
    assert_int_equal(FINDING_CANCELLED, result_of(&test, 0));
    assert_int_equal(FINDING_CLEAN, result_of(&test, 1));
    close_case(&test);
}

static void a_finding_may_cancel_the_others(UNUSED void **state)
{
    static const char *const paths[MOST] = { "+hang", "virus 5", "clean 0", "hang" };
    struct run_case test;

    open_case(&test, paths, true);
    test.cancels = true;
    begin(&test);
    finish(&test);
    assert_int_equal(FINDING_CANCELLED, result_of(&test, 0));
    assert_int_equal(FINDING_VIRUS, result_of(&test, 1));
    assert_int_equal(FINDING_CLEAN, result_of(&test, 2));
    assert_int_equal(FINDING_CANCELLED, result_of(&test, 3));
    assert_int_equal(2, seen.abandoned);
    close_case(&test);
}

static void what_is_cancelled_early_never_starts(UNUSED void **state)
{
    static const char *const paths[MOST] = { "+clean", "clean", NULL };
    struct run_case test;

    open_case(&test, paths, true);
    begin(&test);
    scan_run_cancel(test.run, SCANNER_BIT(1));
    finish(&test);
    assert_int_equal(1, seen.started);
    scan_run_cancel(test.run, SCANNER_BIT(0)); /* too late: it has ended */
    assert_int_equal(FINDING_CLEAN, result_of(&test, 0));
    close_case(&test);
}

static void large_messages_are_not_sent(UNUSED void **state)
{
    static const char *const paths[MOST] = { "+clean", "clean", "+hang", "clean" };
    struct run_case test;

    open_case(&test, paths, true); /* 2 bytes of header, 10 of body */
    test.scanners[0].size_max = test.scanners[1].size_max = 11;
    test.scanners[2].size_max = test.scanners[3].size_max = 12;
    test.scanners[2].path = SLICE("clean");
    begin(&test);
    finish(&test);
    assert_int_equal(FINDING_OVERSIZE, result_of(&test, 0));
    assert_int_equal(FINDING_OVERSIZE, result_of(&test, 1));
    assert_int_equal(FINDING_CLEAN, result_of(&test, 2));
    assert_int_equal(FINDING_CLEAN, result_of(&test, 3));
    close_case(&test);
}

static void one_that_grows_too_large_is_stopped(UNUSED void **state)
{
    static const char *const paths[MOST] = { "+hang", NULL };
    struct run_case test;

    open_case(&test, paths, false);
    test.scanners[0].size_max = 15;
    begin(&test);
    turn(&test, 2);
    assert_int_equal(1, seen.started);
    message_add_body(test.message, SLICE("more"));
    scan_run_more(test.run);
    finish(&test);
    assert_int_equal(FINDING_OVERSIZE, result_of(&test, 0));
    assert_int_equal(1, seen.abandoned);
    close_case(&test);
}

static void the_budget_ends_it(UNUSED void **state)
{
    static const char *const paths[MOST] = { "+hang", "clean 0", "hang", NULL };
    struct run_case test;

    open_case(&test, paths, true);
    test.setup.budget_ms = 20;
    begin(&test);
    finish(&test);
    assert_int_equal(FINDING_TROUBLE, result_of(&test, 0));
    assert_slice("no answer within 20ms", scan_run_findings(test.run)[0].error);
    assert_int_equal(FINDING_CLEAN, result_of(&test, 1));
    assert_int_equal(FINDING_TROUBLE, result_of(&test, 2));
    close_case(&test);
}

static void one_that_cannot_start_is_trouble(UNUSED void **state)
{
    static const char *const paths[MOST] = { "+fail", "clean", "fail", NULL };
    struct run_case test;

    open_case(&test, paths, true);
    begin(&test);
    finish(&test);
    assert_int_equal(FINDING_TROUBLE, result_of(&test, 0));
    assert_int_equal(FINDING_CLEAN, result_of(&test, 1));
    assert_int_equal(FINDING_TROUBLE, result_of(&test, 2));
    close_case(&test);
}

static void ends_without_done_when_nobody_waits(UNUSED void **state)
{
    static const char *const paths[MOST] = { "+hang", "clean 1", "+clean 0", NULL };

    for (unsigned rounds = 0; rounds < 6; rounds++) {
        struct run_case test;

        open_case(&test, paths, rounds % 2 == 0);
        begin(&test);
        turn(&test, rounds);
        scan_run_end(&test.run);
        turn(&test, 3);
        assert_int_equal(0, test.done);
        close_case(&test);
    }
}

static void a_finding_without_edits_has_an_empty_list_of_its_own(UNUSED void **state)
{
    static const char *const paths[MOST] = { "clean", NULL };
    struct run_case test;

    open_case(&test, paths, true);
    begin(&test);
    finish(&test);
    assert_ptr_equal(&scan_run_findings(test.run)[0].edits.first,
                     scan_run_findings(test.run)[0].edits.last);
    close_case(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_run_side_by_side),
        cmocka_unit_test(only_those_wanted_are_asked),
        cmocka_unit_test(ends_without_scanners),
        cmocka_unit_test(others_wait_until_the_message_is_whole),
        cmocka_unit_test(a_finding_may_cancel_the_others),
        cmocka_unit_test(what_is_cancelled_early_never_starts),
        cmocka_unit_test(large_messages_are_not_sent),
        cmocka_unit_test(one_that_grows_too_large_is_stopped),
        cmocka_unit_test(the_budget_ends_it),
        cmocka_unit_test(one_that_cannot_start_is_trouble),
        cmocka_unit_test(ends_without_done_when_nobody_waits),
        cmocka_unit_test(a_finding_without_edits_has_an_empty_list_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
