/* tests/unit/scanners/test_rspamd_answer.c - rspamd's JSON as a finding. The first answers are those of rspamd 3.4. */
#include "tests/unit/unit.h"

#include "contentd/scanners/rspamd_answer.h"
#include "tests/fakes/sample_message.h"

static const struct sample_message sample = {
    .sender = "<a@example.net>",
    .recipients = "<b@example.org>",
    .headers = "X-Spam: old\nSubject: x\nX-Spam: older\nX-Spam: oldest\n",
};

static struct arena *arena;
static struct message *message;
static struct finding finding;

static int setup(UNUSED void **state)
{
    arena = arena_new(1 << 20);
    message = sample_message(&sample);
    return arena == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    arena_free(&arena);
    message_unref(&message);
    return 0;
}

static const char *answer(struct slice json)
{
    finding = (struct finding){ .result = FINDING_NONE };
    edits_init(&finding.edits);
    return rspamd_answer(json, message, arena, &finding);
}

#define REAL                                                                                       \
    "{\"is_skipped\":false,\"score\":7.500000,\"required_score\":15.0,\"action\":\"add header\","  \
    "\"symbols\":{\"TEST_SCORE\":{\"name\":\"TEST_SCORE\",\"score\":7.500000,"                     \
    "\"metric_score\":7.500000,\"description\":\"test\",\"options\":[\"5\"]},"                     \
    "\"OTHER\":{\"name\":\"OTHER\",\"score\":-0.1}},\"messages\":{},\"message-id\":\"undef\","     \
    "\"time_real\":0.000185}"

static void reads_a_real_answer(UNUSED void **state)
{
    assert_null(answer(SLICE(REAL)));
    assert_int_equal(FINDING_SPAM, finding.result);
    assert_true(finding.has_score);
    assert_true(finding.score > 7.49 && finding.score < 7.51);
    assert_true(finding.required > 14.99 && finding.required < 15.01);
    assert_slice("TEST_SCORE(7.50), OTHER(-0.10)", finding.symbols);
    assert_int_equal(0, finding.edits.count);
    assert_null(finding.subject.ptr);
    assert_int_equal(0, finding.reply.code);
}

static void no_part_of_an_answer_counts(UNUSED void **state)
{
    static const char real[] = REAL;

    for (size_t len = 0; len < sizeof(real) - 1; len++) {
        if (answer((struct slice){ real, len }) == NULL)
            fail_msg("cut after %zu bytes", len);
    }
}

#define SCORES "\"score\":1,\"required_score\":15,"

static const struct {
    const char *json;
    enum finding_result result;
    unsigned code;
    const char *enhanced, *text;
    bool wants_quarantine;
} actions[] = {
    { "\"action\":\"no action\"", FINDING_CLEAN, 0, NULL, NULL, false },
    { "\"is_skipped\":true,\"action\":\"no action\"", FINDING_CLEAN, 0, NULL, NULL, false },
    { "\"action\":\"greylist\"", FINDING_CLEAN, 0, NULL, NULL, false },
    { "\"action\":\"add header\"", FINDING_SPAM, 0, NULL, NULL, false },
    { "\"action\":\"rewrite subject\"", FINDING_SPAM, 0, NULL, NULL, false },
    { "\"action\":\"soft reject\"", FINDING_TEMPFAIL, 451, "4.7.1", "Try again later", false },
    { "\"action\":\"soft reject\",\"messages\":{\"smtp_message\":\"4.7.5 Ratelimit\"}",
      FINDING_TEMPFAIL, 451, "4.7.5", "Ratelimit", false },
    { "\"action\":\"reject\"", FINDING_REJECT, 554, "5.7.1", "Spam message rejected", false },
    { "\"is_skipped\":true,\"action\":\"reject\",\"messages\":{\"smtp_message\":\"Gtube pattern\"}",
      FINDING_REJECT, 554, "5.7.1", "Gtube pattern", false },
    { "\"action\":\"reject\",\"milter\":{\"reject\":\"discard\"}", FINDING_DISCARD, 0, NULL, NULL,
      false },
    { "\"action\":\"reject\",\"milter\":{\"reject\":\"quarantine\"}", FINDING_SPAM, 0, NULL, NULL,
      true },
    { "\"action\":\"no action\",\"milter\":{\"reject\":\"discard\"}", FINDING_CLEAN, 0, NULL, NULL,
      false },
    { "\"action\":\"reject\",\"milter\":{\"no_action\":true}", FINDING_CLEAN, 0, NULL, NULL,
      false },
    { "\"action\":\"quarantine\"", FINDING_SPAM, 0, NULL, NULL, true },
    { "\"action\":\"discard\"", FINDING_DISCARD, 0, NULL, NULL, false },
};

static void knows_what_actions_mean(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(actions); i++) {
        AUTO_BUF json = BUF_INIT(1000);
        assert_int_equal(0, buf_printf(&json, "{" SCORES "%s}", actions[i].json));
        const char *error = answer(buf_slice(&json));
        if (error != NULL || finding.result != actions[i].result ||
            finding.reply.code != actions[i].code ||
            !slice_equal(finding.reply.enhanced, slice_of(actions[i].enhanced)) ||
            !slice_equal(finding.reply.text, slice_of(actions[i].text)) ||
            finding.wants_quarantine != actions[i].wants_quarantine)
            fail_msg("%s: %s, result %d, %u %.*s", actions[i].json, error == NULL ? "" : error,
                     finding.result, finding.reply.code, SLICE_ARG(finding.reply.text));
    }
}

static const struct {
    const char *json, *error; /* begins with */
} wrong[] = {
    { "", "does not answer with JSON" },
    { "null", "does not answer with JSON" },
    { "[]", "does not answer with an object" },
    { "{} x", "does not answer with JSON" },
    { "{\"error\":\"timeout\",\"error_domain\":\"x\"}", "says \"timeout\"" },
    { "{\"error\":\"a\\nb\"," SCORES "\"action\":\"no action\"}", "says \"a b\"" },
    { "{\"error\":7}", "says" },
    { "{" SCORES "\"score\":2,\"action\":\"no action\"}", "does not answer with JSON" },
    { "{" SCORES "\"symbols\":{}}", "says no action" },
    { "{" SCORES "\"action\":7}", "says no action" },
    { "{" SCORES "\"action\":\"No Action\"}", "says an unknown action, \"No Action\"" },
    { "{" SCORES "\"action\":\"\"}", "says an unknown action" },
    { "{\"required_score\":15,\"action\":\"no action\"}", "says no score" },
    { "{\"score\":1,\"action\":\"no action\"}", "says no score" },
    { "{\"score\":\"1\",\"required_score\":15,\"action\":\"no action\"}", "says no score" },
    { "{\"score\":1e999,\"required_score\":15,\"action\":\"no action\"}",
      "does not answer with JSON" },
    { "{" SCORES "\"action\":\"no action\",\"is_skipped\":0}", "\"is_skipped\"" },
    { "{" SCORES "\"action\":\"no action\",\"symbols\":[]}", "\"symbols\"" },
    { "{" SCORES "\"action\":\"no action\",\"symbols\":{\"A\":{}}}", "a symbol" },
    { "{" SCORES "\"action\":\"no action\",\"symbols\":{\"A\":{\"score\":\"1\"}}}", "a symbol" },
    { "{" SCORES "\"action\":\"reject\",\"messages\":[]}", "\"messages\"" },
    { "{" SCORES "\"action\":\"reject\",\"messages\":{\"smtp_message\":1}}", "\"messages\"" },
    { "{" SCORES "\"action\":\"rewrite subject\",\"subject\":1}", "\"subject\"" },
    { "{" SCORES "\"action\":\"no action\",\"milter\":[]}", "\"milter\"" },
    { "{" SCORES "\"action\":\"no action\",\"milter\":{\"reject\":1}}", "\"reject\"" },
    { "{" SCORES "\"action\":\"no action\",\"milter\":{\"no_action\":1}}", "\"reject\"" },
    { "{" SCORES "\"action\":\"no action\",\"milter\":{\"add_headers\":[]}}", "a list of header" },
    { "{" SCORES "\"action\":\"no action\",\"milter\":{\"add_headers\":{\"X\":7}}}",
      "a header field to add" },
    { "{" SCORES "\"action\":\"no action\",\"milter\":{\"add_headers\":{\"X\":{\"order\":0}}}}",
      "a header field to add" },
    { "{" SCORES "\"action\":\"no action\",\"milter\":{\"add_headers\":{\"X\":"
      "{\"value\":\"a\",\"order\":1.5}}}}",
      "a header field to add" },
    { "{" SCORES "\"action\":\"no action\",\"milter\":{\"add_headers\":{\"X\":\"a\\nBcc: b\"}}}",
      "wants a header field with" },
    { "{" SCORES "\"action\":\"no action\",\"milter\":{\"remove_headers\":{\"X\":\"1\"}}}",
      "a header field to remove" },
    { "{" SCORES "\"action\":\"no action\",\"milter\":{\"change_from\":7}}",
      "a list of addresses" },
    { "{" SCORES "\"action\":\"no action\",\"milter\":{\"add_rcpt\":[7]}}", "an address" },
    { "{" SCORES "\"action\":\"no action\",\"milter\":{\"add_rcpt\":[\"\"]}}", "wants an address" },
    { "{" SCORES "\"action\":\"add header\",\"milter\":{\"spam_header\":7}}", "a list of header" },
    { "{" SCORES "\"action\":\"no action\",\"dkim-signature\":{}}", "\"dkim-signature\"" },
};

static void refuses_what_is_wrong(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(wrong); i++) {
        const char *error = answer(slice_of(wrong[i].json));
        if (error == NULL || !slice_starts_with(slice_of(error), slice_of(wrong[i].error)))
            fail_msg("%s: %s", wrong[i].json, error == NULL ? "taken" : error);
    }
}

static void the_subject_comes_with_spam_alone(UNUSED void **state)
{
    assert_null(
        answer(SLICE("{" SCORES "\"action\":\"rewrite subject\",\"subject\":\"***\\n x\"}")));
    assert_slice("***  x", finding.subject);
    assert_null(answer(SLICE("{" SCORES "\"action\":\"no action\",\"subject\":\"*** x\"}")));
    assert_null(finding.subject.ptr);
}

static void mail_cannot_make_an_answer_unreadable(UNUSED void **state)
{
    assert_null(answer(SLICE("{" SCORES "\"action\":\"no action\",\"symbols\":{\"A\":{\"score\":1,"
                             "\"options\":[\"\xff\xfe\xc3\",\"\\u0000\"]}},\"x\":\"\xe2\x82\"}")));
    assert_slice("A(1.00)", finding.symbols);
    assert_non_null(answer(SLICE("{" SCORES "\"action\":\"no action\"\xff}")));
}

/* "kind index name=text" of each edit, one a line. */
static void assert_edits(const char *want)
{
    AUTO_BUF out = BUF_INIT(4096);

    for (const struct edit *edit = finding.edits.first; edit != NULL; edit = edit->next)
        assert_int_equal(0, buf_printf(&out, "%d %zu %.*s=%.*s\n", edit->kind, edit->index,
                                       SLICE_ARG(edit->name), SLICE_ARG(edit->text)));
    assert_slice(want, buf_slice(&out));
}

static void takes_over_changes(UNUSED void **state)
{
    assert_int_equal(0, EDIT_ADD_HEADER); /* the numbers below */
    assert_int_equal(2, EDIT_CHANGE_HEADER);
    assert_null(answer(SLICE(
        "{" SCORES "\"action\":\"add header\",\"dkim-signature\":[\"v=1;\\n\\tb=a\",\"v=1; b=b\"],"
        "\"milter\":{\"remove_headers\":{\"x-spam\":2,\"None\":1,\"Subject\":-1},"
        "\"add_headers\":{\"A\":\"a\",\"B\":{\"value\":\"b\",\"order\":0},"
        "\"C\":[{\"value\":\"c\",\"order\":-2},\"d\",{\"value\":\"e\",\"index\":-9}]},"
        "\"change_from\":\"<>\",\"add_rcpt\":[\"c@example.org\"],\"del_rcpt\":[\"<b@example.org>\"],"
        "\"spam_header\":\"yes\"}}")));
    assert_edits("2 2 x-spam=\n"
                 "2 1 Subject=\n"
                 "0 0 A=a\n"
                 "1 0 B=b\n"
                 "1 3 C=c\n"
                 "0 0 C=d\n"
                 "1 0 C=e\n"
                 "5 0 =\n"
                 "3 0 =c@example.org\n"
                 "4 0 =b@example.org\n"
                 "2 3 X-Spam=\n"
                 "2 2 X-Spam=\n"
                 "2 1 X-Spam=\n"
                 "0 0 X-Spam=yes\n"
                 "1 1 DKIM-Signature=v=1;\n\tb=a\n"
                 "1 2 DKIM-Signature=v=1; b=b\n");
}

static void removes_all_or_from_the_end(UNUSED void **state)
{
    assert_null(answer(SLICE("{" SCORES "\"action\":\"no action\",\"milter\":{\"remove_headers\":"
                             "{\"X-Spam\":[-1,-3,-4,4,9.0]}}}")));
    assert_edits("2 3 X-Spam=\n2 1 X-Spam=\n");
    assert_null(answer(SLICE("{" SCORES "\"action\":\"no action\",\"milter\":{\"remove_headers\":"
                             "{\"X-Spam\":0}}}")));
    assert_edits("2 3 X-Spam=\n2 2 X-Spam=\n2 1 X-Spam=\n");
}

static void bounds_symbols(UNUSED void **state)
{
    AUTO_BUF json = BUF_INIT(1 << 20);

    assert_int_equal(0, buf_put(&json, "{" SCORES "\"action\":\"no action\",\"symbols\":{"));
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(0,
                         buf_printf(&json, "%s\"SYMBOL_%zu\":{\"score\":1}", i > 0 ? "," : "", i));
    assert_int_equal(0, buf_put(&json, "}}"));
    assert_null(answer(buf_slice(&json)));
    assert_in_range(finding.symbols.len, RSPAMD_SYMBOLS_MAX - 40, RSPAMD_SYMBOLS_MAX);
    assert_int_equal(')', finding.symbols.ptr[finding.symbols.len - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_a_real_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(no_part_of_an_answer_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(knows_what_actions_mean, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(the_subject_comes_with_spam_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(mail_cannot_make_an_answer_unreadable, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_over_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(removes_all_or_from_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_symbols, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
