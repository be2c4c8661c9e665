/* tests/unit/scanners/test_rspamd.c - rspamd over a connection: what it is sent, and that no half of an answer counts. */
#include "tests/unit/scanners/scanner_checks.h"

#define CLEAN_JSON                                                                                 \
    "{\"is_skipped\":false,\"score\":0.5,\"required_score\":15.0,\"action\":\"no action\","        \
    "\"symbols\":{},\"messages\":{},\"message-id\":\"undef\",\"time_real\":0.1}"
#define HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\nServer: rspamd/3.4\r\nContent-Length: "
#define CLEAN HEAD "139\r\nContent-Type: application/json\r\n\r\n" CLEAN_JSON

static void never_clean_when_rspamd_fails(UNUSED void **state)
{
    const struct scan_faults faults = {
        .kind = &rspamd_kind,
        .request_end = SLICE("\r\n\r\nHello\r\n"),
        .answer = SLICE(CLEAN),
        .ends_itself = true,
    };

    never_clean(&faults);
}

static void tells_answers_apart(UNUSED void **state)
{
    static const struct {
        struct slice answer;
        enum finding_result want;
        const char *error; /* ends with */
    } rows[] = {
        { SLICE_INIT(CLEAN), FINDING_CLEAN, NULL },
        { SLICE_INIT(HEAD "50\r\n\r\n"
                          "{\"score\":20,\"required_score\":15,\"action\":\"reject\"}"),
          FINDING_REJECT, NULL },
        { SLICE_INIT(HEAD "35\r\n\r\n{\"error\":\"x\",\"error_domain\":\"task\"}"), FINDING_TROUBLE,
          "says \"x\"" },
        { SLICE_INIT("HTTP/1.1 403 Unauthorized\r\nContent-Length: 0\r\n\r\n"), FINDING_TROUBLE,
          "answers 403 Unauthorized" },
        { SLICE_INIT("HTTP/1.1 204 No Content\r\n\r\n"), FINDING_TROUBLE,
          "answers 204 No Content" },
        { SLICE_INIT("HTTP/1.1 200 OK\r\n\r\n" CLEAN_JSON), FINDING_TROUBLE,
          "does not say how long its answer is" },
        { SLICE_INIT(HEAD "4194305\r\n\r\n"), FINDING_TROUBLE,
          "answers 4194305 bytes, at most 4194304 are read" },
        { SLICE_INIT(HEAD "138\r\n\r\n" CLEAN_JSON), FINDING_TROUBLE, "answers more than it says" },
        { SLICE_INIT(HEAD "140\r\n\r\n" CLEAN_JSON), FINDING_TROUBLE, "closed within its answer" },
        { SLICE_INIT("SPAMD/1.1 0 EX_OK\r\n\r\n"), FINDING_TROUBLE, "does not answer with HTTP" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct fake_step steps[] = { { STEP_READ, SLICE_INIT("Hello\r\n"), 0 },
                                           { STEP_SEND, rows[i].answer, 0 },
                                           { .kind = STEP_CLOSE } };
        struct scan_case test;

        scan_case_open(&test, &rspamd_kind, steps);
        const struct finding *finding = scan_case_run(&test);
        if (finding->result != rows[i].want ||
            (rows[i].error != NULL && !slice_ends_with(finding->error, slice_of(rows[i].error))))
            fail_msg("row %zu: %s, %.*s", i, finding_words[finding->result],
                     SLICE_ARG(finding->error));
        scan_case_close(&test);
    }
}

static bool has(const struct buf *text, const char *part)
{
    return memmem(text->data, text->len, part, strlen(part)) != NULL;
}

static void sends_a_whole_message_with_its_length(UNUSED void **state)
{
    static const struct fake_step steps[] = { { STEP_READ, SLICE_INIT("Hello\r\n"), 0 },
                                              { STEP_SEND, SLICE_INIT(CLEAN), 0 },
                                              { .kind = STEP_CLOSE } };
    struct scan_case test;

    scan_case_open(&test, &rspamd_kind, steps);
    test.scanner.password = SLICE("secret");
    assert_int_equal(FINDING_CLEAN, scan_case_run(&test)->result);
    const struct buf *received = &test.servers[0].received;
    assert_true(slice_starts_with(buf_slice(received), SLICE("POST /checkv2 HTTP/1.1\r\n"
                                                             "Host: localhost\r\n")));
    assert_true(
        has(received, "\r\nPassword: secret\r\n") && has(received, "\r\nContent-Length: 26\r\n") &&
        has(received, "\r\nIP: 192.0.2.7\r\n") && has(received, "\r\nRcpt: <two@example.org>\r\n"));
    assert_true(
        slice_ends_with(buf_slice(received), SLICE("\r\n\r\nSubject: a test\r\n\r\nHello\r\n")));
    assert_true(test.finding.has_score && test.finding.score > 0.4);
    scan_case_close(&test);
}

static void sends_a_growing_message_in_chunks(UNUSED void **state)
{
    static const struct fake_step steps[] = { { STEP_READ, SLICE_INIT("\r\n0\r\n\r\n"), 0 },
                                              { STEP_SEND, SLICE_INIT(CLEAN), 0 },
                                              { .kind = STEP_CLOSE } };
    struct scan_case test;

    scan_case_open(&test, &rspamd_kind, steps);
    scan_case_message(&test, SLICE(""), false);
    scan_case_start(&test);
    scan_case_until(&test, &test.servers[0].received.len, 100);
    scan_case_body(&test, SLICE("one\r\n"), false);
    while (!has(&test.servers[0].received, "5\r\none"))
        scan_case_until(&test, &test.servers[0].received.len, test.servers[0].received.len + 1);
    scan_case_body(&test, SLICE("two\r\n"), true);
    assert_int_equal(FINDING_CLEAN, scan_case_finish(&test)->result);
    assert_true(has(&test.servers[0].received, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_true(slice_ends_with(buf_slice(&test.servers[0].received),
                                SLICE("\r\n\r\n13\r\nSubject: a test\r\n\r\n\r\n5\r\none\r\n\r\n"
                                      "5\r\ntwo\r\n\r\n0\r\n\r\n")));
    scan_case_close(&test);
}

static void an_answer_to_a_part_of_the_message_is_none(UNUSED void **state)
{
    static const struct fake_step early[] = { { STEP_READ_BYTES, { NULL, 0 }, 100 },
                                              { STEP_SEND, SLICE_INIT(CLEAN), 0 },
                                              { .kind = STEP_CLOSE } };
    struct scan_case test;

    scan_case_open(&test, &rspamd_kind, early);
    scan_case_message(&test, SLICE("one\r\n"), false);
    scan_case_start(&test);
    scan_case_until(&test, &test.servers[0].connections, 1);
    scan_case_until(&test, &test.servers[0].received.len, 100);
    for (int i = 0; i < 5; i++)
        event_base_loop(worker_base(test.worker), EVLOOP_NONBLOCK);
    scan_case_body(&test, SLICE("two\r\n"), true);
    (void)scan_case_finish(&test); /* asked once more when it was whole; then what it says counts */
    assert_int_equal(2, test.servers[0].connections);
    scan_case_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_clean_when_rspamd_fails),
        cmocka_unit_test(tells_answers_apart),
        cmocka_unit_test(sends_a_whole_message_with_its_length),
        cmocka_unit_test(sends_a_growing_message_in_chunks),
        cmocka_unit_test(an_answer_to_a_part_of_the_message_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
