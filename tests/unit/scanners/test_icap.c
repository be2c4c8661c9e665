/* tests/unit/scanners/test_icap.c - ICAP over a connection: content that comes back is compared, no half of an answer counts. */
#include "contentd/scanners/http_wire.h"
#include "tests/unit/scanners/scanner_checks.h"

#define END SLICE_INIT("\r\n0\r\n\r\n")
#define UNMODIFIED "ICAP/1.0 204 Unmodified\r\nISTag: \"x\"\r\n\r\n"
#define HTTP "HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\n\r\n"
#define BACK "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=49\r\n\r\n" HTTP
#define SAME "a\r\nSubject: a\r\n10\r\n test\r\n\r\nHello\r\n\r\n0\r\n\r\n"

static void check_faults(struct slice answer)
{
    const struct scan_faults faults = {
        .kind = &icap_kind,
        .request_end = END,
        .answer = answer,
        .ends_itself = true,
    };

    never_clean(&faults);
}

static void never_clean_when_the_server_fails(UNUSED void **state)
{
    check_faults(SLICE(UNMODIFIED));
}

static void never_clean_when_content_comes_back_in_part(UNUSED void **state)
{
    check_faults(SLICE(BACK SAME));
}

static void tells_answers_apart(UNUSED void **state)
{
    static const struct {
        struct slice answer;
        enum finding_result want;
        const char *said; /* name of the virus, or the end of the error */
    } rows[] = {
        { SLICE_INIT(UNMODIFIED), FINDING_CLEAN, "" },
        { SLICE_INIT("ICAP/1.0 100 Continue\r\n\r\n" UNMODIFIED), FINDING_CLEAN, "" },
        { SLICE_INIT(BACK SAME), FINDING_CLEAN, "" },
        { SLICE_INIT(BACK "1a\r\nSubject: a test\r\n\r\nHellO\r\n\r\n0\r\n\r\n"), FINDING_VIRUS,
          "unnamed" },
        { SLICE_INIT(BACK "19\r\nSubject: a test\r\n\r\nHello\r\r\n0\r\n\r\n"), FINDING_VIRUS,
          "unnamed" },
        { SLICE_INIT(BACK "1b\r\nSubject: a test\r\n\r\nHello\r\n!\r\n0\r\n\r\n"), FINDING_VIRUS,
          "unnamed" },
        { SLICE_INIT(BACK "0\r\n\r\n"), FINDING_VIRUS, "unnamed" },
        { SLICE_INIT("ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Resolution=2; Threat=Eicar;\r\n"
                     "Encapsulated: res-hdr=0, res-body=49\r\n\r\n"),
          FINDING_VIRUS, "Eicar" },
        { SLICE_INIT("ICAP/1.0 404 ICAP Service not found\r\n\r\n"), FINDING_TROUBLE,
          "the server answers 404 ICAP Service not found" },
        { SLICE_INIT("HTTP/1.1 200 OK\r\n\r\n"), FINDING_TROUBLE, "does not answer with ICAP" },
        { SLICE_INIT(UNMODIFIED "x"), FINDING_TROUBLE, "answers more than it says" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct fake_step steps[] = { { STEP_READ, END, 0 },
                                           { STEP_SEND, rows[i].answer, 0 },
                                           { .kind = STEP_CLOSE } };
        struct scan_case test;

        scan_case_open(&test, &icap_kind, steps);
        const struct finding *finding = scan_case_run(&test);
        struct slice said = finding->result == FINDING_VIRUS ? finding->virus : finding->error;
        if (finding->result != rows[i].want || !slice_ends_with(said, slice_of(rows[i].said)))
            fail_msg("row %zu: %s, %.*s", i, finding_words[finding->result], SLICE_ARG(said));
        scan_case_close(&test);
    }
}

static void sends_the_message_as_it_arrives(UNUSED void **state)
{
    static const struct fake_step steps[] = { { STEP_READ, END, 0 },
                                              { STEP_SEND, SLICE_INIT(UNMODIFIED), 0 },
                                              { .kind = STEP_CLOSE } };
    struct scan_case test;

    scan_case_open(&test, &icap_kind, steps);
    test.scanner.path = SLICE("srv_clamav");
    scan_case_message(&test, SLICE(""), false);
    scan_case_start(&test);
    scan_case_until(&test, &test.servers[0].received.len, 300);
    scan_case_body(&test, SLICE("one\r\n"), false);
    scan_case_body(&test, SLICE("two\r\n"), true);
    assert_int_equal(FINDING_CLEAN, scan_case_finish(&test)->result);
    struct slice received = buf_slice(&test.servers[0].received);
    assert_true(
        slice_starts_with(received, SLICE("RESPMOD icap://localhost/srv_clamav ICAP/1.0\r\n")));
    assert_true(
        slice_ends_with(received, SLICE("\r\n\r\n13\r\nSubject: a test\r\n\r\n\r\n"
                                        "a\r\none\r\ntwo\r\n\r\n0\r\n\r\n")) ||
        slice_ends_with(received, SLICE("\r\n\r\n13\r\nSubject: a test\r\n\r\n\r\n5\r\none\r\n\r\n"
                                        "5\r\ntwo\r\n\r\n0\r\n\r\n")));
    scan_case_close(&test);
}

/* Malware that is named before the message is whole counts at once. */
static void takes_malware_early(UNUSED void **state)
{
    static const struct fake_step steps[] = {
        { STEP_READ_BYTES, { NULL, 0 }, 300 },
        { STEP_SEND, SLICE_INIT("ICAP/1.0 200 OK\r\nX-Virus-ID: Eicar\r\n\r\n"), 0 },
        { .kind = STEP_HANG }
    };
    struct scan_case test;

    scan_case_open(&test, &icap_kind, steps);
    scan_case_message(&test, SLICE("one\r\n"), false);
    assert_int_equal(FINDING_VIRUS, scan_case_run(&test)->result);
    assert_slice("Eicar", test.finding.virus);
    scan_case_close(&test);
}

/* A large message that comes back while it is still being sent. */
static void compares_large_content(UNUSED void **state)
{
    enum { SIZE = 3 << 20, CHUNK = 0x10000 };
    static char body[SIZE];
    struct buf answer = BUF_INIT(2 * SIZE);
    struct scan_case test;

    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)(i % 251);
    assert_int_equal(0, buf_put(&answer, BACK "13\r\nSubject: a test\r\n\r\n\r\n"));
    for (size_t i = 0; i < SIZE; i += CHUNK)
        assert_int_equal(0, buf_put(&answer, "10000\r\n") ||
                                buf_add(&answer, (struct slice){ body + i, CHUNK }) ||
                                buf_put(&answer, "\r\n"));
    assert_int_equal(0, buf_put(&answer, "0\r\n\r\n"));
    for (int changed = 0; changed < 2; changed++) {
        const struct fake_step steps[] = { { STEP_READ, END, 0 },
                                           { STEP_SEND, buf_slice(&answer), 0 },
                                           { .kind = STEP_CLOSE } };
        scan_case_open(&test, &icap_kind, steps);
        test.servers[0].received.max = 2 * SIZE;
        scan_case_message(&test, (struct slice){ body, SIZE }, true);
        assert_int_equal(changed ? FINDING_VIRUS : FINDING_CLEAN, scan_case_run(&test)->result);
        scan_case_close(&test);
        answer.data[answer.len - 10] ^= 1;
    }
    buf_free(&answer);
}

static void sends_large_messages_whole(UNUSED void **state)
{
    enum { SIZE = (5 << 20) / 2 };
    static char body[SIZE];
    static const struct fake_step steps[] = { { STEP_READ, END, 0 },
                                              { STEP_SEND, SLICE_INIT(UNMODIFIED), 0 },
                                              { .kind = STEP_CLOSE } };
    struct buf got = BUF_INIT(2 * SIZE);
    struct chunk_reader reader = { 0 };
    struct scan_case test;
    struct slice data;
    size_t used;

    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)(i % 251);
    scan_case_open(&test, &icap_kind, steps);
    test.servers[0].received.max = 2 * SIZE;
    scan_case_message(&test, (struct slice){ body, SIZE }, true);
    assert_int_equal(FINDING_CLEAN, scan_case_run(&test)->result);

    struct slice rest = buf_slice(&test.servers[0].received);
    for (int heads = 0; heads < 3; heads++) { /* of ICAP, request and answer of HTTP */
        const char *end = memmem(rest.ptr, rest.len, "\r\n\r\n", 4);
        rest = slice_skip(rest, (size_t)(end - rest.ptr) + 4);
    }
    while (chunk_read(&reader, rest, &data, &used) == WIRE_MORE) {
        assert_int_not_equal(0, used);
        assert_true(reader.left <= 1 << 20);
        assert_int_equal(0, buf_add(&got, data));
        rest = slice_skip(rest, used);
    }
    assert_int_equal(used, rest.len);
    assert_int_equal(SIZE + 19, got.len);
    assert_memory_equal(body, got.data + 19, SIZE);
    buf_free(&got);
    scan_case_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_clean_when_the_server_fails),
        cmocka_unit_test(never_clean_when_content_comes_back_in_part),
        cmocka_unit_test(tells_answers_apart),
        cmocka_unit_test(sends_the_message_as_it_arrives),
        cmocka_unit_test(takes_malware_early),
        cmocka_unit_test(compares_large_content),
        cmocka_unit_test(sends_large_messages_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
