#include "tests/unit/unit.h"

#include "contentd/scan.h"
#include "contentd/scanners/backend.h"
#include "tests/fakes/scan_case.h"

/* Many messages at once, at scanners that do everything wrong in turn: all get a finding, none is called clean. The message
 * is infected, so that every answer that says clean is one of those that must not be believed. */

#define END SLICE_INIT("\r\n\0\0\0\0")

enum { SCANS = 400, PARALLEL = 32 };

static const struct fake_step found[] = { { STEP_READ, END, 0 },
                                          { STEP_SEND, SLICE_INIT("stream: Eicar FOUND\0"), 0 },
                                          { .kind = STEP_CLOSE } },
                              cut[] = { { STEP_READ, END, 0 },
                                        { STEP_SEND, SLICE_INIT("stream: OK"), 0 },
                                        { .kind = STEP_CLOSE } },
                              half[] = { { STEP_READ, END, 0 },
                                         { STEP_SEND, SLICE_INIT("stream: O"), 0 },
                                         { .kind = STEP_HALF_CLOSE },
                                         { STEP_READ, SLICE_INIT("never"), 0 } },
                              silent[] = { { STEP_READ, SLICE_INIT("never"), 0 } },
                              early[] = { { STEP_SEND, SLICE_INIT("stream: OK\0"), 0 },
                                          { .kind = STEP_CLOSE } },
                              twice[] = { { STEP_READ, END, 0 },
                                          { STEP_SEND, SLICE_INIT("stream: OK\0stream: OK\0"), 0 },
                                          { .kind = STEP_CLOSE } },
                              reset[] = { { STEP_READ, END, 0 }, { .kind = STEP_RESET } },
                              open_ended[] = { { STEP_READ, END, 0 },
                                               { STEP_DRIP, SLICE_INIT("stream: OK"), 0 },
                                               { STEP_READ, SLICE_INIT("never"), 0 } };

struct lane {
    struct scan_case *test;
    struct scanner scanner;
    struct backend *backend; /* of its own, after SCANS scans; else NULL */
    struct arena *arena;
    struct scan_run *run;
};

static struct {
    struct scan_case *test;
    size_t begun, ended;
    size_t results[FINDING_RESULTS];
} seen;

static void begin(struct lane *lane);

/* Also on a machine that is so slow that many scans end before they have come to anything. */
static bool is_enough(void)
{
    return seen.begun >= SCANS && seen.results[FINDING_VIRUS] > 0 &&
           seen.results[FINDING_TROUBLE] > 0 &&
           seen.test->servers[0].connections >= FAKE_SCRIPTS_MOST &&
           seen.test->servers[1].connections >= FAKE_SCRIPTS_MOST; /* each has had its turn */
}

static void on_done(void *owner)
{
    struct lane *lane = owner;

    seen.results[scan_run_findings(lane->run)[0].result]++;
    seen.ended++;
    lane->run = NULL;
    arena_reset(lane->arena);
    if (!is_enough())
        begin(lane);
}

static struct backend *make_backend(const struct scan_case *test)
{
    AUTO_BUF addresses = BUF_INIT(1024);
    const char *error;

    buf_printf(&addresses, "%s, %s", test->servers[0].address, test->servers[1].address);
    struct backend *backend =
        backend_new(SLICE("test"), buf_slice(&addresses), BACKEND_SPREAD, &error);
    assert_non_null(backend);
    return backend;
}

static void begin(struct lane *lane)
{
    const struct backend *backend = lane->scanner.backend;

    /* Where all are passed over nobody is asked for seconds. What is not seen yet is asked of some that nothing is known of. */
    if (seen.begun >= SCANS && backend_is_broken(backend, 0) && backend_is_broken(backend, 1)) {
        backend_free(&lane->backend);
        lane->scanner.backend = lane->backend = make_backend(lane->test);
    }
    const struct scan_setup setup = { .worker = lane->test->worker,
                                      .arena = lane->arena,
                                      .message = lane->test->message,
                                      .scanners = &lane->scanner,
                                      .scanner_count = 1,
                                      .wanted = SCANNER_BIT(0),
                                      .budget_ms = 5000,
                                      .done = on_done,
                                      .owner = lane };

    seen.begun++;
    lane->run = scan_run_start(&setup);
    assert_non_null(lane->run);
}

static void rotate(struct fake_scanner *server, size_t from)
{
    static const struct fake_step *const scripts[FAKE_SCRIPTS_MOST] = { found,  cut,       half,
                                                                        silent, early,     twice,
                                                                        reset,  open_ended };

    server->rotates = true;
    for (size_t i = 0; i < FAKE_SCRIPTS_MOST; i++)
        server->scripts[i] = scripts[(i + from) % FAKE_SCRIPTS_MOST];
}

static void all_end_and_none_is_clean(UNUSED void **state)
{
    struct lane lanes[PARALLEL];
    struct scan_case test;

    scan_case_open(&test, &clamd_kind, found);
    scan_case_add_server(&test, false, found);
    seen.test = &test;
    test.scanner.backend = test.backend = make_backend(&test);
    test.scanner.scan_timeout_ms = 60;
    rotate(&test.servers[0], 0);
    rotate(&test.servers[1], 3);
    for (size_t i = 0; i < PARALLEL; i++) {
        lanes[i] =
            (struct lane){ .test = &test, .scanner = test.scanner, .arena = arena_new(1 << 20) };
        begin(&lanes[i]);
    }
    while (!is_enough() || seen.ended < seen.begun)
        scan_case_until(&test, &seen.ended, seen.ended + 1);
    assert_int_equal(seen.begun, seen.results[FINDING_VIRUS] + seen.results[FINDING_TROUBLE]);
    for (size_t i = 0; i < PARALLEL; i++) {
        arena_free(&lanes[i].arena);
        backend_free(&lanes[i].backend);
    }
    scan_case_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(all_end_and_none_is_clean) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
