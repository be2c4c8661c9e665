#include "tests/unit/scanners/scanner_checks.h"

#define CLEAN                                                                                      \
    "SPAMD/1.1 0 EX_OK\r\nContent-length: 12\r\nSpam: False ; 4.2 / 5.0\r\n\r\na report.\n\n\n"
#define SPAM                                                                                       \
    "SPAMD/1.1 0 EX_OK\r\nContent-length: 46\r\nSpam: True ; 15.0 / 5.0\r\n\r\n"                   \
    "---- ---- ----\n 5.0 ONE     One\n10.0 TWO  Two\n"

#define REAL                                                                                       \
    "SPAMD/1.1 0 EX_OK\r\nContent-length: 849\r\nSpam: False ; 4.2 / 5.0\r\n\r\n"                  \
    "Spam detection software, running on the system \"vm\",\n"                                     \
    "has NOT identified this incoming email as spam.  The original\n"                              \
    "message has been attached to this so you can view it or label\n"                              \
    "similar future email.  If you have any questions, see\n"                                      \
    "@@CONTACT_ADDRESS@@ for details.\n"                                                           \
    "\n"                                                                                           \
    "Content preview:  hello \n"                                                                   \
    "\n"                                                                                           \
    "Content analysis details:   (4.2 points, 5.0 required)\n"                                     \
    "\n"                                                                                           \
    " pts rule name              description\n"                                                    \
    "---- ---------------------- --------------------------------------------------\n"             \
    "-0.0 NO_RECEIVED            Informational: message has no Received headers\n"                 \
    " 0.6 MISSING_MID            Missing Message-Id: header\n"                                     \
    " 2.7 MISSING_DATE           Missing Date: header\n"                                           \
    " 0.9 MISSING_HEADERS        Missing To: header\n"                                             \
    "-0.0 NO_RELAYS              Informational: message was not relayed via SMTP\n"                \
    " 0.0 NO_HEADERS_MESSAGE     Message appears to be missing most RFC-822 headers\n"             \
    "\n"                                                                                           \
    "\n"

static void never_clean_when_spamd_fails(UNUSED void **state)
{
    const struct scan_faults faults = { .kind = &spamd_kind,
                                        .answer = SLICE(CLEAN),
                                        .ends_itself = true };

    never_clean(&faults);
}

/* As SpamAssassin 4.0.1 has sent it. */
static void never_clean_from_a_part_of_a_real_answer(UNUSED void **state)
{
    const struct scan_faults faults = { .kind = &spamd_kind,
                                        .answer = SLICE(REAL),
                                        .ends_itself = true };

    never_clean(&faults);
}

static void gives_score_and_symbols(UNUSED void **state)
{
    static const struct fake_step steps[] = { { .kind = STEP_READ },
                                              { STEP_SEND, SLICE_INIT(SPAM), 0 },
                                              { .kind = STEP_CLOSE } };
    struct scan_case test;

    scan_case_open(&test, &spamd_kind, steps);
    const struct finding *finding = scan_case_run(&test);
    if (finding->result != FINDING_SPAM)
        fail_msg("%.*s", SLICE_ARG(finding->error));
    assert_true(finding->has_score);
    assert_true(finding->score > 14.9 && finding->score < 15.1);
    assert_true(finding->required > 4.9 && finding->required < 5.1);
    assert_slice("ONE(5.0), TWO(10.0)", finding->symbols);
    assert_slice(" 5.0 ONE     One\n10.0 TWO  Two", finding->report);
    scan_case_close(&test);
}

static void waits_until_the_message_is_whole(UNUSED void **state)
{
    assert_false(spamd_kind.streams);
}

/* Head with User, its length exactly that of what follows, synthetic fields, the message. */
static void sends_user_length_and_fields(UNUSED void **state)
{
    static const struct {
        const char *user;
        bool one;
        const char *want; /* NULL: no User */
    } rows[] = {
        { NULL, true, NULL },           { "{recipient}", true, "User: one@example.org\r\n" },
        { "{recipient}", false, NULL }, { "mail", false, "User: mail\r\n" },
        { "bad\r\nX: y", false, NULL },
    };
    static const struct fake_step steps[] = { { .kind = STEP_READ },
                                              { STEP_SEND, SLICE_INIT(CLEAN), 0 },
                                              { .kind = STEP_CLOSE } };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scan_case test;
        struct slice rest, line, message = SLICE("Subject: a test\r\n\r\nHello\r\n");
        uint64_t length;

        scan_case_open(&test, &spamd_kind, steps);
        if (rows[i].one)
            message_drop_recipient(test.message);
        test.scanner.user = slice_of(rows[i].user);
        assert_int_equal(FINDING_CLEAN, scan_case_run(&test)->result);
        rest = buf_slice(&test.servers[0].received);
        assert_true(slice_cut(&rest, '\n', &line));
        assert_slice("REPORT SPAMC/1.5\r", line);
        if (rows[i].want != NULL) {
            assert_true(slice_starts_with(rest, slice_of(rows[i].want)));
            rest = slice_skip(rest, strlen(rows[i].want));
        }
        assert_true(slice_cut(&rest, '\n', &line));
        assert_true(slice_starts_with(line, SLICE("Content-length: ")));
        assert_true(slice_to_u64(slice_trim(slice_skip(line, 16)), &length));
        assert_true(slice_starts_with(rest, SLICE("\r\n")));
        rest = slice_skip(rest, 2);
        assert_int_equal(length, rest.len);
        assert_true(slice_starts_with(
            rest, SLICE("Return-Path: <sender@example.net>\r\nReceived: from helo.example.net "
                        "(client.example.net [192.0.2.7])\r\n")));
        assert_true(slice_ends_with(rest, message));
        scan_case_close(&test);
    }
}

static void trouble_of_spamd_is_said_and_escaped(UNUSED void **state)
{
    static const struct fake_step steps[] = {
        { .kind = STEP_READ },
        { STEP_SEND, SLICE_INIT("SPAMD/1.0 79 Timeout:\x01\x1b[0m (30 s)\r\n"), 0 },
        { .kind = STEP_CLOSE }
    };
    struct scan_case test;

    scan_case_open(&test, &spamd_kind, steps);
    const struct finding *finding = scan_case_run(&test);
    assert_int_equal(FINDING_TROUBLE, finding->result);
    assert_true(slice_ends_with(finding->error, SLICE(": spamd says: 79 Timeout:??[0m (30 s)")));
    scan_case_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_clean_when_spamd_fails),
        cmocka_unit_test(never_clean_from_a_part_of_a_real_answer),
        cmocka_unit_test(gives_score_and_symbols),
        cmocka_unit_test(waits_until_the_message_is_whole),
        cmocka_unit_test(sends_user_length_and_fields),
        cmocka_unit_test(trouble_of_spamd_is_said_and_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
