/* tests/unit/contentd/test_headers.c - header fields that contentd makes and removes. */
#include "contentd/headers.h"
#include "tests/fakes/contentd_case.h"
#include "tests/unit/unit.h"

static struct slice added(const struct edits *edits, const char *name)
{
    const struct edit *edit = edits_find(edits, EDIT_ADD_HEADER, name, 0);

    return edit == NULL ? SLICE("(none)") : edit->text;
}

static void says_what_was_found_in_the_usual_forms(UNUSED void **state)
{
    static const struct {
        const char *what;
        enum finding_result clam;
        double score;
        const char *status, *flag, *points, *level, *spam;
    } rows[] = {
        { "clean", FINDING_CLEAN, 0, "Clean", "(none)", "0.0", "(none)",
          "No, score=0.0 required=6.0 tests=A(1.5), B" },
        { "hardly below zero", FINDING_CLEAN, -0.04, "Clean", "(none)", "0.0", "(none)",
          "No, score=0.0 required=6.0 tests=A(1.5), B" },
        { "negative", FINDING_CLEAN, -3.21, "Clean", "(none)", "-3.2", "(none)",
          "No, score=-3.2 required=6.0 tests=A(1.5), B" },
        { "spam", FINDING_CLEAN, 6.12, "Clean", "YES", "6.1", "******",
          "Yes, score=6.1 required=6.0 tests=A(1.5), B" },
        { "not scanned", FINDING_TROUBLE, 2.5, "Unknown", "(none)", "2.5", "**",
          "No, score=2.5 required=6.0 tests=A(1.5), B" },
        { "infected", FINDING_VIRUS, 0, "Infected (Eicar)", "(none)", "0.0", "(none)",
          "No, score=0.0 required=6.0 tests=A(1.5), B" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct contentd_case c;
        struct recipient_verdict got;
        contentd_case_begin(&c, 1);
        c.scanners[CLAM].trouble = SCANNER_ACCEPT;
        c.full.virus = VERDICT_QUARANTINE;
        c.findings[CLAM].result = rows[i].clam;
        c.findings[CLAM].virus = SLICE("Eicar");
        c.findings[SPAM].score = rows[i].score;
        c.findings[SPAM].symbols = SLICE("A(1.5), B");
        assert_true(verdict_make(&c.input, &c.full, NULL, &got));
        const struct edits *edits = &got.edits;
        assert_slice("gatehouse-contentd at mx.example.org", added(edits, "X-Virus-Scanned"));
        if (!slice_equal(added(edits, "X-Virus-Status"), slice_of(rows[i].status)) ||
            !slice_equal(added(edits, "X-Spam-Flag"), slice_of(rows[i].flag)) ||
            !slice_equal(added(edits, "X-Spam-Score"), slice_of(rows[i].points)) ||
            !slice_equal(added(edits, "X-Spam-Level"), slice_of(rows[i].level)) ||
            !slice_equal(added(edits, "X-Spam-Status"), slice_of(rows[i].spam)))
            fail_msg(
                "%s: %.*s | %.*s | %.*s | %.*s | %.*s", rows[i].what,
                SLICE_ARG(added(edits, "X-Virus-Status")), SLICE_ARG(added(edits, "X-Spam-Flag")),
                SLICE_ARG(added(edits, "X-Spam-Score")), SLICE_ARG(added(edits, "X-Spam-Level")),
                SLICE_ARG(added(edits, "X-Spam-Status")));
        contentd_case_end(&c);
    }
}

static void adds_what_the_chain_asks_for(UNUSED void **state)
{
    struct contentd_case c;
    struct recipient_verdict got;

    contentd_case_begin(&c, 1);
    c.full.headers = CHAIN_REPORT_HEADER;
    c.findings[SPAM].score = 7;
    c.findings[SPAM].report = SLICE(" 0.9 A  Missing\r\n1000 B  Test\n\n");
    assert_true(verdict_make(&c.input, &c.full, NULL, &got));
    assert_slice("(none)", added(&got.edits, "X-Virus-Status"));
    assert_slice("(none)", added(&got.edits, "X-Spam-Score"));
    assert_slice("0.9 A  Missing\n 1000 B  Test", added(&got.edits, "X-Spam-Report"));
    c.findings[SPAM].score = 1; /* not tagged: no report */
    assert_true(verdict_make(&c.input, &c.full, NULL, &got));
    assert_slice("(none)", added(&got.edits, "X-Spam-Report"));
    c.full.headers = 0;
    c.findings[SPAM].result = FINDING_TROUBLE;
    assert_true(verdict_make(&c.input, &c.full, NULL, &got));
    assert_slice("spam (trouble)", added(&got.edits, "X-Gatehouse-Unscanned"));
    c.findings[SPAM].result = FINDING_CANCELLED; /* nobody decided, it is delivered */
    assert_true(verdict_make(&c.input, &c.full, NULL, &got));
    assert_slice("spam (trouble)", added(&got.edits, "X-Gatehouse-Unscanned"));
    c.findings[CLAM].result = FINDING_VIRUS; /* clam decided */
    c.full.virus = VERDICT_QUARANTINE;
    assert_true(verdict_make(&c.input, &c.full, NULL, &got));
    assert_slice("(none)", added(&got.edits, "X-Gatehouse-Unscanned"));
    contentd_case_end(&c);
}

static void a_level_has_no_more_than_fifty_stars(UNUSED void **state)
{
    struct contentd_case c;
    struct recipient_verdict got;

    contentd_case_begin(&c, 1);
    c.findings[SPAM].score = 900000;
    c.full.quarantine = c.full.reject = 1e9;
    assert_true(verdict_make(&c.input, &c.full, NULL, &got));
    assert_int_equal(50, added(&got.edits, "X-Spam-Level").len);
    contentd_case_end(&c);
}

static void forged_fields_are_removed_last_first(UNUSED void **state)
{
    struct contentd_case c;
    struct recipient_verdict got;

    contentd_case_begin(&c, 1);
    contentd_case_header(&c, "x-spam-flag", " NO");
    contentd_case_header(&c, "X-Spam-Flag", " NO");
    contentd_case_header(&c, "X-Spam-Report", " fine");
    contentd_case_header(&c, "X-Spam-Checker-Version", " not ours");
    assert_true(verdict_make(&c.input, &c.light, NULL, &got));
    assert_int_equal(2, edits_find(&got.edits, EDIT_CHANGE_HEADER, "X-Spam-Flag", 0)->index);
    assert_int_equal(1, edits_find(&got.edits, EDIT_CHANGE_HEADER, "X-Spam-Flag", 1)->index);
    assert_null(edits_find(&got.edits, EDIT_CHANGE_HEADER, "X-Spam-Flag", 0)->text.ptr);
    assert_non_null(edits_find(&got.edits, EDIT_CHANGE_HEADER, "X-Spam-Report", 0));
    assert_null(edits_find(&got.edits, EDIT_CHANGE_HEADER, "X-Spam-Checker-Version", 0));
    c.input.removes_forged = false; /* one of ours: only what this chain makes anew */
    assert_true(verdict_make(&c.input, &c.light, NULL, &got));
    assert_null(edits_find(&got.edits, EDIT_CHANGE_HEADER, "X-Spam-Report", 0));
    assert_non_null(edits_find(&got.edits, EDIT_CHANGE_HEADER, "X-Spam-Flag", 0));
    contentd_case_end(&c);
}

static void subjects_are_tagged_once_and_stay_readable(UNUSED void **state)
{
    static const struct {
        const char *what, *subject, *prefix, *want; /* want "": no edit */
    } rows[] = {
        { "plain", " Hello", "[SPAM]", "[SPAM] Hello" },
        { "encoded word", " =?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "[SPAM]",
          "[SPAM] =?utf-8?Q?Gr=C3=BC=C3=9Fe?=" },
        { "tagged already", " [SPAM] Hello", "[SPAM]", "" },
        { "folded", " Hello\n world", "***", "*** Hello\n world" },
        { "folded with CR", " Hello\r\n world", "***", "*** Hello\n world" },
        { "empty", "", "[SPAM]", "[SPAM]" },
        { "no prefix", " Hello", "", "" },
        { "prefix that is not ASCII", " Hello", "[MÜLL]", "=?UTF-8?B?W03DnExMXSA=?= Hello" },
        { "tagged already, not ASCII", " =?UTF-8?B?W03DnExMXSA=?= Hello", "[MÜLL]", "" },
        { "UTF-8 as it is", " Grüße", "[SPAM]", "[SPAM] Grüße" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct contentd_case c;
        struct edits edits;
        struct message *message = message_new();
        message_set_sender(message, SLICE(""), NULL, 0);
        message_add_header(message, SLICE("Subject"), slice_of(rows[i].subject));
        contentd_case_begin(&c, 1);
        edits_init(&edits);
        assert_true(headers_tag_subject(message, slice_of(rows[i].prefix), c.arena, &edits));
        const struct edit *edit = edits_find(&edits, EDIT_CHANGE_HEADER, "Subject", 0);
        struct slice got = edit == NULL ? SLICE("") : edit->text;
        if (!slice_equal(got, slice_of(rows[i].want)))
            fail_msg("%s: \"%.*s\"", rows[i].what, SLICE_ARG(got));
        contentd_case_end(&c);
        message_unref(&message);
    }
}

static void a_missing_subject_is_made(UNUSED void **state)
{
    struct contentd_case c;
    struct edits edits;
    struct message *message = message_new();

    message_set_sender(message, SLICE(""), NULL, 0);
    contentd_case_begin(&c, 1);
    edits_init(&edits);
    assert_true(headers_tag_subject(message, SLICE("[SPAM]"), c.arena, &edits));
    assert_slice("[SPAM]", edits_find(&edits, EDIT_ADD_HEADER, "Subject", 0)->text);
    contentd_case_end(&c);
    message_unref(&message);
}

static void the_subject_a_scanner_gave_is_the_one_tagged(UNUSED void **state)
{
    struct contentd_case c;
    struct recipient_verdict got;

    contentd_case_begin(&c, 1);
    edits_add(&c.findings[FILTER].edits, c.arena,
              &(struct edit){ EDIT_CHANGE_HEADER, SLICE("Subject"), SLICE("Other"), 1, NULL });
    c.findings[SPAM].score = 7;
    assert_true(verdict_make(&c.input, &c.full, NULL, &got));
    assert_slice("[SPAM] Other", edits_find(&got.edits, EDIT_CHANGE_HEADER, "Subject", 1)->text);
    c.full.obeys_scanners = true;
    c.findings[SPAM].subject = SLICE("Rewritten");
    assert_true(verdict_make(&c.input, &c.full, NULL, &got));
    assert_slice("Rewritten", edits_find(&got.edits, EDIT_CHANGE_HEADER, "Subject", 1)->text);
    contentd_case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_was_found_in_the_usual_forms),
        cmocka_unit_test(adds_what_the_chain_asks_for),
        cmocka_unit_test(a_level_has_no_more_than_fifty_stars),
        cmocka_unit_test(forged_fields_are_removed_last_first),
        cmocka_unit_test(subjects_are_tagged_once_and_stay_readable),
        cmocka_unit_test(a_missing_subject_is_made),
        cmocka_unit_test(the_subject_a_scanner_gave_is_the_one_tagged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
