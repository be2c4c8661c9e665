#include "tests/unit/scanners/scanner_checks.h"

#define END SLICE_INIT("\r\n\0\0\0\0") /* the last line and the chunk of length 0 */

static void never_clean_when_clamd_fails(UNUSED void **state)
{
    const struct scan_faults faults = {
        .kind = &clamd_kind,
        .request_end = SLICE("\r\n\0\0\0\0"),
        .answer = SLICE("stream: OK\0"),
        .ends_itself = true,
    };

    never_clean(&faults);
}

static void tells_answers_apart(UNUSED void **state)
{
    static const struct {
        struct slice answer;
        enum finding_result want;
        const char *virus, *error;
    } rows[] = {
        { SLICE_INIT("stream: OK\0"), FINDING_CLEAN, NULL, NULL },
        { SLICE_INIT("stream: Eicar FOUND\0"), FINDING_VIRUS, "Eicar", NULL },
        { SLICE_INIT("INSTREAM size limit exceeded. ERROR\0"), FINDING_OVERSIZE, NULL, NULL },
        { SLICE_INIT("stream: no memory ERROR\0"), FINDING_TROUBLE, NULL,
          "clamd says: stream: no memory" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct fake_step steps[] = { { STEP_READ, END, 0 },
                                           { STEP_SEND, rows[i].answer, 0 },
                                           { .kind = STEP_CLOSE } };
        struct scan_case test;

        scan_case_open(&test, &clamd_kind, steps);
        const struct finding *finding = scan_case_run(&test);
        if (finding->result != rows[i].want)
            fail_msg("row %zu: %s", i, finding_words[finding->result]);
        if (rows[i].virus != NULL)
            assert_slice(rows[i].virus, finding->virus);
        if (rows[i].error != NULL)
            assert_true(slice_ends_with(finding->error, slice_of(rows[i].error)) &&
                        slice_starts_with(finding->error, SLICE("unix:/tmp/fake-scanner-")));
        scan_case_close(&test);
    }
}

/* What the chunks that came hold. Fails when they are not well formed. */
static void take_chunks(const struct buf *received, struct buf *out)
{
    struct slice rest = buf_slice(received);
    size_t length;

    assert_true(slice_starts_with(rest, (struct slice){ "zINSTREAM", 10 }));
    rest = slice_skip(rest, 10);
    do {
        const unsigned char *bytes = (const unsigned char *)rest.ptr;
        assert_true(rest.len >= 4);
        length = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
        rest = slice_skip(rest, 4);
        assert_true(length <= rest.len);
        assert_int_equal(0, buf_add(out, slice_part(rest, 0, length)));
        rest = slice_skip(rest, length);
    } while (length > 0);
    assert_int_equal(0, rest.len);
}

static void sends_the_message_as_it_arrives(UNUSED void **state)
{
    static const struct fake_step steps[] = { { STEP_READ, END, 0 },
                                              { STEP_SEND, SLICE_INIT("stream: OK\0"), 0 },
                                              { .kind = STEP_CLOSE } };
    struct scan_case test;
    AUTO_BUF got = BUF_INIT(1 << 20);

    scan_case_open(&test, &clamd_kind, steps);
    scan_case_message(&test, SLICE(""), false);
    scan_case_start(&test);
    /* The header section alone: 10 bytes of command, 4 of length, "Subject: a test", the blank line. */
    scan_case_until(&test, &test.servers[0].received.len, 10 + 4 + 19);
    scan_case_body(&test, SLICE("one\r\n"), false);
    scan_case_until(&test, &test.servers[0].received.len, 10 + 4 + 19 + 4 + 5);
    assert_int_equal(0, test.done);
    scan_case_body(&test, SLICE("two\r\n"), false);
    scan_case_body(&test, SLICE("three\r\n"), true);
    assert_int_equal(FINDING_CLEAN, scan_case_finish(&test)->result);
    take_chunks(&test.servers[0].received, &got);
    assert_slice("Subject: a test\r\n\r\none\r\ntwo\r\nthree\r\n", buf_slice(&got));
    scan_case_close(&test);
}

/* Larger than what is held in memory: the rest is read from the file, piece by piece, as clamd takes it. */
static void sends_large_messages_whole(UNUSED void **state)
{
    enum { LINES = 300000 }; /* of 15 bytes */
    static const struct fake_step steps[] = { { STEP_READ_BYTES, { NULL, 0 }, LINES * 15 },
                                              { STEP_READ, SLICE_INIT("end\r\n\0\0\0\0"), 0 },
                                              { STEP_SEND, SLICE_INIT("stream: OK\0"), 0 },
                                              { .kind = STEP_CLOSE } };
    struct scan_case test;
    struct buf body = BUF_INIT(16 << 20), got = BUF_INIT(16 << 20);

    for (unsigned i = 0; i < LINES; i++)
        assert_int_equal(0, buf_printf(&body, "%013x\r\n", i) || (body.len != (i + 1) * 15));
    buf_put(&body, "end\r\n");
    scan_case_open(&test, &clamd_kind, steps);
    scan_case_message(&test, buf_slice(&body), true);
    test.servers[0].received.max = 16 << 20;
    assert_int_equal(FINDING_CLEAN, scan_case_run(&test)->result);
    take_chunks(&test.servers[0].received, &got);
    assert_int_equal(body.len + 19, got.len);
    assert_memory_equal(body.data, got.data + 19, body.len);
    scan_case_close(&test);
    buf_free(&body);
    buf_free(&got);
}

/* clamd takes no more, says so and closes: the answer counts, although sending has failed meanwhile. */
static void takes_an_early_answer(UNUSED void **state)
{
    static const struct fake_step steps[] = {
        { STEP_READ_BYTES, { NULL, 0 }, 100000 },
        { STEP_SEND, SLICE_INIT("INSTREAM size limit exceeded. ERROR\0"), 0 },
        { .kind = STEP_CLOSE }
    };
    struct scan_case test;
    char *body = calloc(1, 4 << 20);

    memset(body, 'x', 4 << 20);
    for (int is_unix = 0; is_unix < 2; is_unix++) {
        scan_case_open(&test, &clamd_kind, steps);
        fake_scanner_stop(&test.servers[0]);
        test.server_count = 0;
        scan_case_add_server(&test, is_unix, steps);
        scan_case_message(&test, (struct slice){ body, 4 << 20 }, is_unix == 0);
        assert_int_equal(FINDING_OVERSIZE, scan_case_run(&test)->result);
        assert_int_equal(1, test.servers[0].connections);
        scan_case_close(&test);
    }
    free(body);
}

/* While the message is still growing a failure is not final: there is nothing to lose yet. */
static void tries_again_when_the_message_is_whole(UNUSED void **state)
{
    static const struct fake_step fails[] = { { STEP_READ_BYTES, { NULL, 0 }, 20 },
                                              { .kind = STEP_CLOSE } },
                                  good[] = { { STEP_READ, END, 0 },
                                             { STEP_SEND, SLICE_INIT("stream: OK\0"), 0 },
                                             { .kind = STEP_CLOSE } };
    struct scan_case test;

    scan_case_open(&test, &clamd_kind, fails);
    test.servers[0].scripts[1] = good;
    scan_case_message(&test, SLICE("one\r\n"), false);
    scan_case_start(&test);
    scan_case_until(&test, &test.servers[0].received.len, 20);
    scan_case_body(&test, SLICE("two\r\n"), false);
    assert_int_equal(0, test.done);
    scan_case_body(&test, SLICE("three\r\n"), true);
    const struct finding *finding = scan_case_finish(&test);
    if (finding->result != FINDING_CLEAN)
        fail_msg("%.*s", SLICE_ARG(finding->error));
    assert_int_equal(2, test.servers[0].connections);
    scan_case_close(&test);
}

/* clamd gives up on slow senders: others must not suffer for them. */
static void impatience_with_a_slow_message_breaks_nothing(UNUSED void **state)
{
    static const struct fake_step fails[] = { { STEP_READ_BYTES, { NULL, 0 }, 20 },
                                              { STEP_SEND,
                                                SLICE_INIT("COMMAND READ TIMED OUT ERROR\0"), 0 },
                                              { .kind = STEP_CLOSE } };
    struct scan_case test;

    scan_case_open(&test, &clamd_kind, fails);
    scan_case_message(&test, SLICE("one\r\n"), false);
    for (size_t scans = 1; scans <= 2 * BACKEND_FAILURES_MOST; scans++) {
        scan_case_start(&test);
        scan_case_until(&test, &test.servers[0].connections, scans);
        for (int i = 0; i < 5; i++)
            event_base_loop(worker_base(test.worker), EVLOOP_NONBLOCK);
        assert_int_equal(0, test.done);
        clamd_kind.abandon(test.scan);
        test.scan = NULL;
    }
    assert_false(backend_is_broken(test.backend, 0));
    scan_case_close(&test);
}

static void can_be_abandoned_at_any_time(UNUSED void **state)
{
    static const struct fake_step steps[] = { { STEP_READ, END, 0 }, { .kind = STEP_HANG } };

    can_be_abandoned(&clamd_kind, steps, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_clean_when_clamd_fails),
        cmocka_unit_test(tells_answers_apart),
        cmocka_unit_test(sends_the_message_as_it_arrives),
        cmocka_unit_test(sends_large_messages_whole),
        cmocka_unit_test(takes_an_early_answer),
        cmocka_unit_test(tries_again_when_the_message_is_whole),
        cmocka_unit_test(impatience_with_a_slow_message_breaks_nothing),
        cmocka_unit_test(can_be_abandoned_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
