/* tests/unit/scanners/test_milter.c - a milter over a connection: no half of a session counts, and it is told goodbye. */
#include "tests/unit/scanners/scanner_checks.h"

/* What we offer ends in the flags of the protocol; a milter that wants to hear all and answers to the end alone. */
#define OFFER_END SLICE_INIT("\0\0\1\xff\0\x1f\xf7\xff")
#define SILENT SLICE_INIT("\0\0\0\x0dO\0\0\0\6\0\0\0\x3f\0\x0d\xf0\x80")
#define SESSION_END SLICE_INIT("4Xk2Lq0abcz1\0\0\0\0\1E") /* behind the queue id as its macro */
#define CONTINUE "\0\0\0\1c"
#define ADD "\0\0\0\x0bhX-Seen\0 a\0" /* and what follows in the same answer */

static void check_faults(struct slice answer)
{
    const struct scan_faults faults = {
        .kind = &milter_kind,
        .greeting_end = OFFER_END,
        .greeting = SILENT,
        .request_end = SESSION_END,
        .answer = answer,
        .ends_itself = true,
    };

    never_clean(&faults);
}

static void never_clean_when_the_milter_fails(UNUSED void **state)
{
    check_faults(SLICE(CONTINUE));
}

static void never_clean_when_its_changes_are_cut(UNUSED void **state)
{
    check_faults(SLICE("\0\0\0\1p" ADD ADD CONTINUE));
}

static void every_cut_of_the_agreement_is_trouble(UNUSED void **state)
{
    const struct slice silent = SILENT;

    for (size_t cut = 0; cut < silent.len; cut++) {
        const struct fake_step steps[] = { { STEP_READ, OFFER_END, 0 },
                                           { STEP_SEND, slice_part(silent, 0, cut), 0 },
                                           { .kind = STEP_CLOSE } };
        struct scan_case test;

        scan_case_open(&test, &milter_kind, steps);
        if (scan_case_run(&test)->result != FINDING_TROUBLE)
            fail_msg("cut after %zu bytes", cut);
        scan_case_close(&test);
    }
}

static void tells_answers_apart(UNUSED void **state)
{
    static const struct {
        struct slice answer;
        enum finding_result want;
        const char *said; /* text of the reply, or the end of the error */
    } rows[] = {
        { SLICE_INIT("\0\0\0\1a"), FINDING_CLEAN, "" },
        { SLICE_INIT("\0\0\0\1r"), FINDING_REJECT, "" },
        { SLICE_INIT("\0\0\0\1t"), FINDING_TEMPFAIL, "" },
        { SLICE_INIT("\0\0\0\1d"), FINDING_DISCARD, "" },
        { SLICE_INIT("\0\0\0\x0fy550 5.7.9 spam\0"), FINDING_TROUBLE,
          "the milter sends a packet whose content does not fit its kind" },
        { SLICE_INIT("\0\0\0\x10y550 5.7.9 spam\0"), FINDING_REJECT, "spam" },
        { SLICE_INIT("\0\0\0\1f"), FINDING_TROUBLE, "the milter says that it fails" },
        { SLICE_INIT("\0\0\0\1Z"), FINDING_TROUBLE,
          "the milter sends a packet of an unknown kind" },
        { SLICE_INIT("\0\0\0\0"), FINDING_TROUBLE, "the milter sends a packet of a wrong length" },
        { SLICE_INIT("\xff\xff\xff\xff"), FINDING_TROUBLE,
          "the milter sends a packet of a wrong length" },
        { SLICE_INIT(CONTINUE "x"), FINDING_TROUBLE, "goes on after its last word" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct fake_step steps[] = { { STEP_READ, OFFER_END, 0 },
                                           { STEP_SEND, SILENT, 0 },
                                           { STEP_READ, SESSION_END, 0 },
                                           { STEP_SEND, rows[i].answer, 0 },
                                           { .kind = STEP_CLOSE } };
        struct scan_case test;

        scan_case_open(&test, &milter_kind, steps);
        const struct finding *finding = scan_case_run(&test);
        struct slice said =
            finding->result == FINDING_TROUBLE ? finding->error : finding->reply.text;
        if (finding->result != rows[i].want || !slice_ends_with(said, slice_of(rows[i].said)))
            fail_msg("row %zu: %s, %.*s", i, finding_words[finding->result], SLICE_ARG(said));
        scan_case_close(&test);
    }
}

static void takes_over_what_it_changes(UNUSED void **state)
{
    static const struct fake_step steps[] = {
        { STEP_READ, OFFER_END, 0 },
        { STEP_SEND, SILENT, 0 },
        { STEP_READ, SESSION_END, 0 },
        { STEP_SEND, SLICE_INIT(ADD "\0\0\0\4bnew\0\0\0\6b body" CONTINUE), 0 },
        { STEP_READ, SLICE_INIT("\0\0\0\1Q"), 0 },
        { .kind = STEP_CLOSE }
    };
    struct scan_case test;

    scan_case_open(&test, &milter_kind, steps);
    assert_int_equal(FINDING_CLEAN, scan_case_run(&test)->result);
    assert_int_equal(2, test.finding.edits.count);
    assert_slice("X-Seen", test.finding.edits.first->name);
    assert_slice("a", test.finding.edits.first->text);
    assert_slice("new body", test.finding.edits.first->next->text);
    /* It was told goodbye; the fake has read it before it closes. */
    while (!slice_ends_with(buf_slice(&test.servers[0].received), SLICE("\0\0\0\1Q")))
        event_base_loop(worker_base(test.worker), EVLOOP_ONCE);
    scan_case_close(&test);
}

/* A milter that needs no more says so, and that counts: here before the message is whole. */
static void takes_an_early_accept(UNUSED void **state)
{
    static const struct fake_step steps[] = {
        { STEP_READ, OFFER_END, 0 },
        { STEP_SEND, SLICE_INIT("\0\0\0\x0dO\0\0\0\6\0\0\0\0\0\0\0\0"), 0 },
        { STEP_READ, SLICE_INIT("192.0.2.7\0"), 0 },
        { STEP_SEND, SLICE_INIT("\0\0\0\1a"), 0 },
        { .kind = STEP_HANG }
    };
    struct scan_case test;

    scan_case_open(&test, &milter_kind, steps);
    scan_case_message(&test, SLICE("one\r\n"), false);
    const struct finding *finding = scan_case_run(&test);
    if (finding->result != FINDING_CLEAN)
        fail_msg("%.*s", SLICE_ARG(finding->error));
    scan_case_close(&test);
}

static void sends_large_bodies_whole(UNUSED void **state)
{
    enum { SIZE = 3 << 20 };
    static char body[SIZE];
    static const struct fake_step steps[] = { { STEP_READ, OFFER_END, 0 },
                                              { STEP_SEND, SILENT, 0 },
                                              { STEP_READ, SESSION_END, 0 },
                                              { STEP_SEND, SLICE_INIT(CONTINUE), 0 },
                                              { .kind = STEP_CLOSE } };
    struct scan_case test;

    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)(i % 251);
    memcpy(body + SIZE - 3, "END", 3);
    scan_case_open(&test, &milter_kind, steps);
    test.servers[0].received.max = 2 * SIZE;
    scan_case_message(&test, (struct slice){ body, SIZE }, true);
    assert_int_equal(FINDING_CLEAN, scan_case_run(&test)->result);

    size_t at = 0; /* the chunks, one after the other */
    struct slice rest = buf_slice(&test.servers[0].received);
    while (at < SIZE) {
        size_t length = SIZE - at < 65535 ? SIZE - at : 65535;
        const char *found = memmem(rest.ptr, rest.len, body + at, length);
        assert_non_null(found);
        rest = slice_skip(rest, (size_t)(found - rest.ptr) + length);
        at += length;
    }
    scan_case_close(&test);
}

static void can_be_abandoned_at_any_time(UNUSED void **state)
{
    static const struct fake_step steps[] = { { STEP_READ, OFFER_END, 0 },
                                              { STEP_SEND, SILENT, 0 },
                                              { STEP_READ, SESSION_END, 0 },
                                              { STEP_SEND, SLICE_INIT("\0\0\0\4bnew"), 0 },
                                              { .kind = STEP_HANG } };

    can_be_abandoned(&milter_kind, steps, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_clean_when_the_milter_fails),
        cmocka_unit_test(never_clean_when_its_changes_are_cut),
        cmocka_unit_test(every_cut_of_the_agreement_is_trouble),
        cmocka_unit_test(tells_answers_apart),
        cmocka_unit_test(takes_over_what_it_changes),
        cmocka_unit_test(takes_an_early_accept),
        cmocka_unit_test(sends_large_bodies_whole),
        cmocka_unit_test(can_be_abandoned_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
