/* tests/unit/contentd/test_verdict.c - findings, thresholds and rules make a verdict. */
#include "tests/fakes/contentd_case.h"
#include "tests/unit/unit.h"

/* A finding in one letter each, in the order clam icap1 spam filter: c clean, v virus, r reject, t tempfail, d discard, q
 * clean but wants quarantine, o oversize, ! trouble, - none, x cancelled, s spam. */
static void find(struct contentd_case *c, const char *letters, double score)
{
    static const struct {
        char letter;
        enum finding_result result;
    } results[] = {
        { 'c', FINDING_CLEAN },    { 'v', FINDING_VIRUS },     { 'r', FINDING_REJECT },
        { 't', FINDING_TEMPFAIL }, { 'd', FINDING_DISCARD },   { 'q', FINDING_CLEAN },
        { 'o', FINDING_OVERSIZE }, { '!', FINDING_TROUBLE },   { '-', FINDING_NONE },
        { 's', FINDING_SPAM },     { 'x', FINDING_CANCELLED },
    };

    for (size_t i = 0; i < CASE_SCANNERS; i++) {
        struct finding *finding = &c->findings[i];
        for (size_t k = 0; k < COUNT(results); k++)
            if (results[k].letter == letters[i])
                finding->result = results[k].result;
        finding->wants_quarantine = letters[i] == 'q';
        finding->has_score = i == SPAM && strchr("!-xo", letters[i]) == NULL;
        finding->score = finding->has_score ? score : 0;
        finding->virus = letters[i] == 'v' ? SLICE("Eicar") : SLICE("");
    }
}

static const struct {
    const char *what;
    const char *findings;
    double score;
    enum rule_final rules;
    enum verdict_kind kind;
    enum verdict_source source;
    const char *by;
    bool is_tagged;
} cases[] = {
    { "all clean", "cccc", 0, RULES_SILENT, VERDICT_DELIVER, BY_NOTHING, "", false },
    { "malware", "vccc", 0, RULES_SILENT, VERDICT_REJECT, BY_VIRUS, "clam", false },
    { "both find it: the first in the chain", "vvcc", 0, RULES_SILENT, VERDICT_REJECT, BY_VIRUS,
      "clam", false },
    { "the second finds it", "cvcc", 0, RULES_SILENT, VERDICT_REJECT, BY_VIRUS, "icap1", false },
    { "malware, and the first is in trouble", "!vcc", 0, RULES_SILENT, VERDICT_REJECT, BY_VIRUS,
      "icap1", false },
    { "malware, and a later one defers", "cvct", 0, RULES_SILENT, VERDICT_REJECT, BY_VIRUS, "icap1",
      false },
    { "malware, and a later one discards", "vccd", 0, RULES_SILENT, VERDICT_REJECT, BY_VIRUS,
      "clam", false },
    { "a milter rejects", "cccr", 0, RULES_SILENT, VERDICT_REJECT, BY_SCANNER, "filter", false },
    { "a milter discards", "cccd", 0, RULES_SILENT, VERDICT_DISCARD, BY_SCANNER, "filter", false },
    { "a milter defers", "ccct", 0, RULES_SILENT, VERDICT_TEMPFAIL, BY_SCANNER, "filter", false },
    { "a milter wants quarantine", "cccq", 0, RULES_SILENT, VERDICT_QUARANTINE, BY_SCANNER,
      "filter", false },
    { "below tag", "cccc", 5.9, RULES_SILENT, VERDICT_DELIVER, BY_NOTHING, "", false },
    { "tag", "cccc", 6, RULES_SILENT, VERDICT_DELIVER, BY_SCORE, "", true },
    { "quarantine", "cccc", 10, RULES_SILENT, VERDICT_QUARANTINE, BY_SCORE, "", true },
    { "reject", "cccc", 15, RULES_SILENT, VERDICT_REJECT, BY_SCORE, "", true },
    { "a score's own word does not count", "ccrc", 1, RULES_SILENT, VERDICT_DELIVER, BY_NOTHING, "",
      false },
    { "nor its defer", "cctc", 1, RULES_SILENT, VERDICT_DELIVER, BY_NOTHING, "", false },
    { "nor its quarantine", "ccqc", 1, RULES_SILENT, VERDICT_DELIVER, BY_NOTHING, "", false },
    { "nor its spam", "ccsc", 1, RULES_SILENT, VERDICT_DELIVER, BY_NOTHING, "", false },
    { "no answer: tempfail", "!ccc", 0, RULES_SILENT, VERDICT_TEMPFAIL, BY_TROUBLE, "clam", false },
    { "no answer: accept", "cc!c", 0, RULES_SILENT, VERDICT_DELIVER, BY_NOTHING, "", false },
    { "no answer: quarantine", "ccc!", 0, RULES_SILENT, VERDICT_QUARANTINE, BY_TROUBLE, "filter",
      false },
    { "tempfail goes before quarantine", "!cc!", 12, RULES_SILENT, VERDICT_TEMPFAIL, BY_TROUBLE,
      "clam", true },
    { "a rejecting score goes before trouble", "!ccc", 15, RULES_SILENT, VERDICT_REJECT, BY_SCORE,
      "", true },
    { "too large: tempfail", "occc", 0, RULES_SILENT, VERDICT_TEMPFAIL, BY_OVERSIZE, "clam",
      false },
    { "too large: quarantine", "ccco", 0, RULES_SILENT, VERDICT_QUARANTINE, BY_OVERSIZE, "filter",
      false },
    { "a missing finding is trouble", "c-cc", 0, RULES_SILENT, VERDICT_TEMPFAIL, BY_TROUBLE,
      "icap1", false },
    { "a cancelled one without a decision is", "cxcc", 0, RULES_SILENT, VERDICT_TEMPFAIL,
      BY_TROUBLE, "icap1", false },
    { "cancelled after a decision", "vxxx", 0, RULES_SILENT, VERDICT_REJECT, BY_VIRUS, "clam",
      false },
    { "a rule rejects", "cccc", 0, RULES_REJECT, VERDICT_REJECT, BY_RULE, "rule", false },
    { "a rule goes before malware", "vccc", 0, RULES_DISCARD, VERDICT_DISCARD, BY_RULE, "rule",
      false },
    { "a rule quarantines in trouble", "!ccc", 0, RULES_QUARANTINE, VERDICT_QUARANTINE, BY_RULE,
      "rule", false },
    { "a rule defers", "cccc", 0, RULES_TEMPFAIL, VERDICT_TEMPFAIL, BY_RULE, "rule", false },
    { "accept: no score counts", "cccc", 99, RULES_ACCEPT, VERDICT_DELIVER, BY_RULE, "rule",
      false },
    { "accept: malware does", "vccc", 0, RULES_ACCEPT, VERDICT_REJECT, BY_VIRUS, "clam", false },
    { "accept: trouble does", "!ccc", 0, RULES_ACCEPT, VERDICT_TEMPFAIL, BY_TROUBLE, "clam",
      false },
};

static struct rule_outcome outcome_of(enum rule_final final)
{
    struct rule_outcome outcome = { .final = final };

    edits_init(&outcome.edits);
    if (final != RULES_SILENT)
        outcome.rule = SLICE("rule");
    if (final == RULES_REJECT || final == RULES_TEMPFAIL)
        outcome.reply = final == RULES_REJECT
                            ? (struct reply){ 550, SLICE("5.7.1"), SLICE("No") }
                            : (struct reply){ 450, SLICE("4.7.1"), SLICE("Later") };
    return outcome;
}

static void decides_in_the_order_of_the_table(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct contentd_case c;
        struct recipient_verdict got;
        struct rule_outcome rules = outcome_of(cases[i].rules);
        contentd_case_begin(&c, 1);
        find(&c, cases[i].findings, cases[i].score);
        if (!verdict_make(&c.input, &c.full, &rules, &got))
            fail_msg("%s: failed", cases[i].what);
        if (got.kind != cases[i].kind || got.source != cases[i].source ||
            !slice_equal(got.by, slice_of(cases[i].by)) || got.is_tagged != cases[i].is_tagged)
            fail_msg("%s: %s by %s (%s) %.*s%s", cases[i].what, verdict_words[got.kind],
                     verdict_source_words[got.source], cases[i].by, SLICE_ARG(got.by),
                     got.is_tagged ? " tagged" : "");
        bool refuses = got.kind == VERDICT_REJECT || got.kind == VERDICT_TEMPFAIL;
        if (refuses && (got.reply.code == 0 || got.reply.text.len == 0))
            fail_msg("%s: a refusal without words", cases[i].what);
        if (refuses && got.reply.code / 100 != (got.kind == VERDICT_REJECT ? 5 : 4))
            fail_msg("%s: the wrong class of code", cases[i].what);
        if (refuses && got.source != BY_RULE &&
            got.reply.code != (got.kind == VERDICT_REJECT ? 554 : 451))
            fail_msg("%s: code %u", cases[i].what, got.reply.code);
        contentd_case_end(&c);
    }
}

static void only_the_scanners_of_the_chain_count(UNUSED void **state)
{
    struct contentd_case c;
    struct recipient_verdict got;

    contentd_case_begin(&c, 1);
    find(&c, "cvc!", 20);
    assert_true(verdict_make(&c.input, &c.light, NULL, &got));
    assert_int_equal(VERDICT_DELIVER, got.kind);
    assert_true(got.score < 0.01);
    contentd_case_end(&c);
}

static void obeys_a_scanner_with_a_score_if_told_so(UNUSED void **state)
{
    static const struct {
        const char *findings;
        enum verdict_kind kind;
        bool is_tagged;
    } rows[] = {
        { "ccrc", VERDICT_REJECT, false },     { "cctc", VERDICT_TEMPFAIL, false },
        { "ccqc", VERDICT_QUARANTINE, false }, { "ccsc", VERDICT_DELIVER, true },
        { "ccdc", VERDICT_DISCARD, false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct contentd_case c;
        struct recipient_verdict got;
        contentd_case_begin(&c, 1);
        c.full.obeys_scanners = true;
        find(&c, rows[i].findings, 1);
        assert_true(verdict_make(&c.input, &c.full, NULL, &got));
        if (got.kind != rows[i].kind || got.is_tagged != rows[i].is_tagged)
            fail_msg("%s: %s", rows[i].findings, verdict_words[got.kind]);
        contentd_case_end(&c);
    }
}

static void adds_weighted_scores_and_those_of_rules(UNUSED void **state)
{
    struct contentd_case c;
    struct recipient_verdict got;
    struct rule_outcome rules = outcome_of(RULES_SILENT);

    contentd_case_begin(&c, 1);
    find(&c, "cccc", 4);
    c.scanners[SPAM].weight = 2;
    rules.score = 1.5;
    assert_true(verdict_make(&c.input, &c.full, &rules, &got));
    assert_true(got.score > 9.49 && got.score < 9.51);
    assert_true(got.is_tagged);
    c.scanners[SPAM].weight = 0;
    assert_true(verdict_make(&c.input, &c.full, &rules, &got));
    assert_true(got.score > 1.49 && got.score < 1.51);
    contentd_case_end(&c);
}

static void what_a_rule_skips_counts_for_nothing(UNUSED void **state)
{
    struct contentd_case c;
    struct recipient_verdict got;
    struct rule_outcome rules = outcome_of(RULES_SILENT);

    contentd_case_begin(&c, 1);
    find(&c, "v-c!", 20);
    rules.skipped =
        SCANNER_BIT(CLAM) | SCANNER_BIT(ICAP1) | SCANNER_BIT(SPAM) | SCANNER_BIT(FILTER);
    assert_true(verdict_make(&c.input, &c.full, &rules, &got));
    assert_int_equal(VERDICT_DELIVER, got.kind);
    assert_null(edits_find(&got.edits, EDIT_ADD_HEADER, "X-Virus-Status", 0));
    contentd_case_end(&c);
}

static void malware_is_dealt_with_as_the_chain_says(UNUSED void **state)
{
    for (enum verdict_kind kind = VERDICT_QUARANTINE; kind < VERDICT_KINDS; kind++) {
        struct contentd_case c;
        struct recipient_verdict got;
        contentd_case_begin(&c, 1);
        find(&c, "vccc", 0);
        c.full.virus = kind;
        assert_true(verdict_make(&c.input, &c.full, NULL, &got));
        assert_int_equal(kind, got.kind);
        assert_slice("Eicar", got.reason);
        assert_int_equal(kind == VERDICT_REJECT     ? 554
                         : kind == VERDICT_TEMPFAIL ? 451
                                                    : 0,
                         got.reply.code);
        c.findings[CLAM].virus = SLICE("");
        assert_true(verdict_make(&c.input, &c.full, NULL, &got));
        assert_slice("malware", got.reason);
        contentd_case_end(&c);
    }
}

static void the_reply_begins_with_what_is_configured(UNUSED void **state)
{
    struct contentd_case c;
    struct recipient_verdict got;

    contentd_case_begin(&c, 1);
    find(&c, "vccc", 0);
    c.full.virus_reply = (struct reply){ 550, SLICE("5.7.0"), SLICE("Keep it") };
    assert_true(verdict_make(&c.input, &c.full, NULL, &got));
    assert_int_equal(550, got.reply.code);
    assert_slice("5.7.0", got.reply.enhanced);
    assert_slice("Keep it, Eicar", got.reply.text);
    c.full.virus_reply.enhanced = SLICE(""); /* not configured */
    assert_true(verdict_make(&c.input, &c.full, NULL, &got));
    assert_slice("5.7.1", got.reply.enhanced);
    contentd_case_end(&c);
}

static void a_long_name_is_cut_in_a_reply(UNUSED void **state)
{
    char name[300];
    struct contentd_case c;
    struct recipient_verdict got;

    memset(name, 'x', sizeof name);
    contentd_case_begin(&c, 1);
    find(&c, "vccc", 0);
    c.findings[CLAM].virus = (struct slice){ name, sizeof name };
    assert_true(verdict_make(&c.input, &c.full, NULL, &got));
    assert_int_equal(strlen("Message contains malware, ") + 200, got.reply.text.len);
    contentd_case_end(&c);
}

static void trouble_says_what_it_was(UNUSED void **state)
{
    static const struct {
        const char *findings, *error, *reason;
    } rows[] = {
        { "!ccc", "no route", "no route" },
        { "!ccc", "", "no answer" },
        { "occc", "", "too large to be scanned" },
        { "ccc!", "x", "x" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct contentd_case c;
        struct recipient_verdict got;
        contentd_case_begin(&c, 1);
        find(&c, rows[i].findings, 0);
        c.findings[CLAM].error = c.findings[FILTER].error = slice_of(rows[i].error);
        assert_true(verdict_make(&c.input, &c.full, NULL, &got));
        assert_slice(rows[i].reason, got.reason);
        contentd_case_end(&c);
    }
}

static void says_when_memory_is_out(UNUSED void **state)
{
    static const char *const findings[] = { "vccc", "!ccc", "ccct", "cccc" };

    for (size_t i = 0; i < COUNT(findings); i++) {
        struct contentd_case c;
        struct recipient_verdict want, got;
        bool ok = false;
        contentd_case_begin(&c, 1);
        find(&c, findings[i], 15);
        c.full.virus_reply.text = SLICE("Keep it");
        assert_true(verdict_make(&c.input, &c.full, NULL, &want));
        for (size_t max = 0; !ok; max += 16) {
            struct arena *scarce = arena_new(max);
            c.input.arena = scarce;
            ok = verdict_make(&c.input, &c.full, NULL, &got);
            if (ok && (got.kind != want.kind || got.edits.count != want.edits.count ||
                       !slice_equal(got.reply.text, want.reply.text) ||
                       !slice_equal(got.reason, want.reason)))
                fail_msg("%s with %zu bytes", findings[i], max);
            arena_free(&scarce);
            assert_true(max < 1 << 16);
        }
        contentd_case_end(&c);
    }
}

static void the_first_scanner_wins_a_field_and_all_may_add(UNUSED void **state)
{
    struct contentd_case c;
    struct recipient_verdict got;
    const struct edit *edit;

    contentd_case_begin(&c, 1);
    edits_add(&c.findings[ICAP1].edits, c.arena,
              &(struct edit){ EDIT_CHANGE_HEADER, SLICE("To"), SLICE("first"), 1, NULL });
    edits_add(&c.findings[ICAP1].edits, c.arena,
              &(struct edit){ EDIT_ADD_HEADER, SLICE("X-A"), SLICE("1"), 0, NULL });
    edits_add(&c.findings[ICAP1].edits, c.arena,
              &(struct edit){ EDIT_ADD_HEADER, SLICE("X-Virus-Status"), SLICE("Sure"), 0, NULL });
    edits_add(&c.findings[FILTER].edits, c.arena,
              &(struct edit){ EDIT_CHANGE_HEADER, SLICE("to"), SLICE("second"), 1, NULL });
    edits_add(&c.findings[FILTER].edits, c.arena,
              &(struct edit){ EDIT_ADD_HEADER, SLICE("X-A"), SLICE("2"), 0, NULL });
    assert_true(verdict_make(&c.input, &c.full, NULL, &got));
    edit = edits_find(&got.edits, EDIT_CHANGE_HEADER, "To", 0);
    assert_non_null(edit);
    assert_slice("first", edit->text);
    assert_null(edits_find(&got.edits, EDIT_CHANGE_HEADER, "To", 1));
    assert_non_null(edits_find(&got.edits, EDIT_ADD_HEADER, "X-A", 1));
    edit = edits_find(&got.edits, EDIT_ADD_HEADER, "X-Virus-Status", 0);
    assert_slice("Clean", edit->text); /* ours, not the scanner's */
    assert_null(edits_find(&got.edits, EDIT_ADD_HEADER, "X-Virus-Status", 1));
    contentd_case_end(&c);
}

/* Up to a thousand are taken out, unless they may stay. */
static void too_many_forged_fields_are_refused(UNUSED void **state)
{
    struct rule_outcome rules = outcome_of(RULES_QUARANTINE);
    struct contentd_case c;
    struct recipient_verdict got;

    contentd_case_begin(&c, 1);
    for (size_t i = 0; i < FORGED_MAX; i++)
        contentd_case_header(&c, i % 2 == 0 ? "X-Spam-Flag" : "x-virus-status", " NO");
    c.input.removes_forged = true;
    assert_true(verdict_make(&c.input, &c.light, NULL, &got));
    assert_int_equal(VERDICT_DELIVER, got.kind);
    assert_non_null(edits_find(&got.edits, EDIT_CHANGE_HEADER, "X-Spam-Flag", FORGED_MAX / 2 - 1));
    contentd_case_header(&c, "X-Spam-Score", " 0");
    assert_true(verdict_make(&c.input, &c.light, &rules, &got));
    assert_int_equal(VERDICT_REJECT, got.kind);
    assert_int_equal(BY_FORGED, got.source);
    assert_int_equal(554, got.reply.code);
    assert_slice("Message has too many header fields of filters", got.reply.text);
    assert_slice("1001 header fields of filters", got.reason);
    assert_null(got.edits.first);
    c.input.removes_forged = false;
    c.light.headers = 0;
    assert_true(verdict_make(&c.input, &c.light, NULL, &got));
    assert_int_equal(VERDICT_DELIVER, got.kind);
    contentd_case_end(&c);
}

/* The same thing wanted by two scanners: the first has it. */
static void the_first_scanner_wins_body_and_sender(UNUSED void **state)
{
    static const enum edit_kind kinds[] = { EDIT_REPLACE_BODY, EDIT_CHANGE_SENDER };

    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct contentd_case c;
        struct recipient_verdict got;
        contentd_case_begin(&c, 1);
        edits_add(&c.findings[ICAP1].edits, c.arena,
                  &(struct edit){ kinds[i], SLICE(""), SLICE("first"), 0, NULL });
        edits_add(&c.findings[FILTER].edits, c.arena,
                  &(struct edit){ kinds[i], SLICE(""), SLICE("second"), 0, NULL });
        edits_add(&c.findings[FILTER].edits, c.arena,
                  &(struct edit){ kinds[1 - i], SLICE(""), SLICE("other"), 0, NULL });
        assert_true(verdict_make(&c.input, &c.full, NULL, &got));
        assert_slice("first", edits_find(&got.edits, kinds[i], "", 0)->text);
        assert_null(edits_find(&got.edits, kinds[i], "", 1));
        assert_slice("other", edits_find(&got.edits, kinds[1 - i], "", 0)->text);
        contentd_case_end(&c);
    }
}

static void our_own_fields_are_nobody_elses(UNUSED void **state)
{
    static const enum edit_kind kinds[] = { EDIT_ADD_HEADER, EDIT_INSERT_HEADER,
                                            EDIT_CHANGE_HEADER };

    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct contentd_case c;
        struct recipient_verdict got;
        contentd_case_begin(&c, 1);
        edits_add(&c.findings[FILTER].edits, c.arena,
                  &(struct edit){ kinds[i], SLICE("X-Virus-Status"), SLICE("Sure"), 1, NULL });
        edits_add(&c.findings[FILTER].edits, c.arena,
                  &(struct edit){ kinds[i], SLICE("X-Its-Own"), SLICE("Sure"), 1, NULL });
        assert_true(verdict_make(&c.input, &c.full, NULL, &got));
        for (const struct edit *edit = got.edits.first; edit != NULL; edit = edit->next)
            if (slice_equal(edit->text, SLICE("Sure")) &&
                !slice_equal(edit->name, SLICE("X-Its-Own")))
                fail_msg("%s", edit_kind_words[kinds[i]]);
        assert_non_null(edits_find(&got.edits, kinds[i], "X-Its-Own", 0));
        contentd_case_end(&c);
    }
}

static void the_edits_of_rules_come_last(UNUSED void **state)
{
    struct contentd_case c;
    struct recipient_verdict got;
    struct rule_outcome rules = outcome_of(RULES_SILENT);

    edits_init(&rules.edits); /* here, where it stays */
    contentd_case_begin(&c, 1);
    edits_add(&rules.edits, c.arena,
              &(struct edit){ EDIT_ADD_HEADER, SLICE("X-Rule"), SLICE("1"), 0, NULL });
    edits_add(&rules.edits, c.arena,
              &(struct edit){ EDIT_ADD_HEADER, SLICE("X-Rule"), SLICE("2"), 0, NULL });
    assert_true(verdict_make(&c.input, &c.full, &rules, &got));
    const struct edit *second = edits_find(&got.edits, EDIT_ADD_HEADER, "X-Rule", 1);
    assert_non_null(second);
    assert_slice("2", second->text);
    assert_null(second->next);
    contentd_case_end(&c);
}

static void one_recipient_is_refused_by_itself(UNUSED void **state)
{
    struct contentd_case c;
    struct recipient_verdict common, own;
    struct finding_recipient refused[] = {
        { 1, FINDING_REJECT, { 550, SLICE("5.1.1"), SLICE("No such user") } },
        { 3, FINDING_TEMPFAIL, { 0 } }
    };

    contentd_case_begin(&c, 5);
    c.findings[FILTER].recipients = refused;
    c.findings[FILTER].recipient_count = COUNT(refused);
    assert_true(verdict_make(&c.input, &c.full, NULL, &common));
    assert_int_equal(VERDICT_DELIVER, common.kind);
    assert_false(verdict_make_own(&c.input, &c.full, NULL, &common, 0, &own));
    assert_true(verdict_make_own(&c.input, &c.full, NULL, &common, 1, &own));
    assert_int_equal(VERDICT_REJECT, own.kind);
    assert_int_equal(550, own.reply.code);
    assert_slice("No such user", own.reply.text);
    assert_false(verdict_make_own(&c.input, &c.full, NULL, &common, 2, &own));
    assert_true(verdict_make_own(&c.input, &c.full, NULL, &common, 3, &own));
    assert_int_equal(VERDICT_TEMPFAIL, own.kind);
    assert_int_equal(451, own.reply.code);
    assert_false(verdict_make_own(&c.input, &c.light, NULL, &common, 1, &own)); /* not its chain */
    find(&c, "vccc", 0);
    assert_true(verdict_make(&c.input, &c.full, NULL, &common));
    assert_false(verdict_make_own(&c.input, &c.full, NULL, &common, 1, &own)); /* refused already */
    contentd_case_end(&c);
}

static void finds_each_of_many_refused_ones(UNUSED void **state)
{
    enum { REFUSED = 7 };
    struct finding_recipient refused[REFUSED];
    struct contentd_case c;
    struct recipient_verdict common, own;

    contentd_case_begin(&c, 2 * REFUSED + 1);
    for (size_t i = 0; i < REFUSED; i++)
        refused[i] = (struct finding_recipient){ 2 * i + 1, FINDING_REJECT, { 0 } };
    c.findings[FILTER].recipients = refused;
    c.findings[FILTER].recipient_count = REFUSED;
    assert_true(verdict_make(&c.input, &c.full, NULL, &common));
    for (size_t n = 0; n <= 2 * REFUSED; n++)
        if (verdict_make_own(&c.input, &c.full, NULL, &common, n, &own) != (n % 2 == 1) ||
            (n % 2 == 1 && own.reply.code != 554))
            fail_msg("recipient %zu", n);
    contentd_case_end(&c);
}

static void a_rules_decision_stays_for_all(UNUSED void **state)
{
    static const struct {
        enum rule_final final;
        bool is_refused;
    } rows[] = { { RULES_SILENT, true },   { RULES_ACCEPT, true },  { RULES_QUARANTINE, false },
                 { RULES_DISCARD, false }, { RULES_REJECT, false }, { RULES_TEMPFAIL, false } };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct finding_recipient refused = { 0, FINDING_REJECT, { 0 } };
        struct rule_outcome rules = outcome_of(rows[i].final);
        struct contentd_case c;
        struct recipient_verdict common, own;
        contentd_case_begin(&c, 1);
        c.findings[FILTER].recipients = &refused;
        c.findings[FILTER].recipient_count = 1;
        assert_true(verdict_make(&c.input, &c.full, &rules, &common));
        if (verdict_make_own(&c.input, &c.full, &rules, &common, 0, &own) != rows[i].is_refused)
            fail_msg("%d", (int)rows[i].final);
        contentd_case_end(&c);
    }
}

static const struct {
    const char *what, *findings;
    enum rule_final rules;
    scanner_set wanted, awaits;
} awaited[] = {
    { "nothing yet", "----", RULES_SILENT, 0, 15 },
    { "the last one", "ccc-", RULES_SILENT, 0, 8 },
    { "malware in the first: nobody", "v---", RULES_SILENT, 0, 0 },
    { "malware in the second: the first, which could name it", "-v--", RULES_SILENT, 0, 1 },
    { "malware in the first, a rule wants the third", "v---", RULES_SILENT, 4, 4 },
    { "trouble decides nothing", "!---", RULES_SILENT, 0, 14 },
    { "a milter's reject, last", "---r", RULES_SILENT, 0, 7 },
    { "a score's reject decides nothing", "--r-", RULES_SILENT, 0, 11 },
    { "a rule has decided", "----", RULES_REJECT, 0, 0 },
    { "a rule accepts: all the same", "----", RULES_ACCEPT, 0, 15 },
    { "all there", "cccc", RULES_SILENT, 15, 0 },
};

static void waits_for_those_that_could_still_matter(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(awaited); i++) {
        struct contentd_case c;
        struct rule_outcome rules = outcome_of(awaited[i].rules);
        contentd_case_begin(&c, 1);
        find(&c, awaited[i].findings, 1);
        scanner_set got = verdict_awaits(&c.input, &c.full, &rules, awaited[i].wanted);
        if (got != awaited[i].awaits)
            fail_msg("%s: %llx", awaited[i].what, (unsigned long long)got);
        contentd_case_end(&c);
    }
}

/* Whatever is found and in whatever order: what is no longer awaited changes nothing of the kind of verdict. */
static void what_is_not_awaited_changes_no_verdict(UNUSED void **state)
{
    static const char letters[] = "cvrtdqo!";
    unsigned seed = 1;

    for (int round = 0; round < 5000; round++) {
        struct contentd_case c;
        struct recipient_verdict all, early;
        char found[CASE_SCANNERS + 1] = { 0 };
        contentd_case_begin(&c, 1);
        for (size_t i = 0; i < CASE_SCANNERS; i++)
            found[i] = letters[(unsigned)rand_r(&seed) % (sizeof letters - 1)];
        find(&c, found, 1);
        assert_true(verdict_make(&c.input, &c.full, NULL, &all));
        scanner_set there = 0, awaits = 15;
        struct finding full[CASE_SCANNERS];
        memcpy(full, c.findings, sizeof full);
        for (size_t i = 0; i < CASE_SCANNERS; i++)
            c.findings[i] = (struct finding){ .result = FINDING_NONE };
        while (awaits != 0) { /* they come in any order */
            size_t next = (unsigned)rand_r(&seed) % CASE_SCANNERS;
            if ((awaits & SCANNER_BIT(next)) == 0)
                continue;
            there |= SCANNER_BIT(next);
            c.findings[next] = full[next];
            awaits = verdict_awaits(&c.input, &c.full, NULL, 0);
        }
        for (size_t i = 0; i < CASE_SCANNERS; i++)
            if ((there & SCANNER_BIT(i)) == 0)
                c.findings[i].result = FINDING_CANCELLED;
        assert_true(verdict_make(&c.input, &c.full, NULL, &early));
        if (early.kind != all.kind || !slice_equal(early.by, all.by))
            fail_msg("%s: %s by %.*s, not %s by %.*s", found, verdict_words[early.kind],
                     SLICE_ARG(early.by), verdict_words[all.kind], SLICE_ARG(all.by));
        contentd_case_end(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_in_the_order_of_the_table),
        cmocka_unit_test(only_the_scanners_of_the_chain_count),
        cmocka_unit_test(obeys_a_scanner_with_a_score_if_told_so),
        cmocka_unit_test(adds_weighted_scores_and_those_of_rules),
        cmocka_unit_test(what_a_rule_skips_counts_for_nothing),
        cmocka_unit_test(malware_is_dealt_with_as_the_chain_says),
        cmocka_unit_test(the_reply_begins_with_what_is_configured),
        cmocka_unit_test(a_long_name_is_cut_in_a_reply),
        cmocka_unit_test(trouble_says_what_it_was),
        cmocka_unit_test(says_when_memory_is_out),
        cmocka_unit_test(finds_each_of_many_refused_ones),
        cmocka_unit_test(a_rules_decision_stays_for_all),
        cmocka_unit_test(the_first_scanner_wins_a_field_and_all_may_add),
        cmocka_unit_test(too_many_forged_fields_are_refused),
        cmocka_unit_test(the_first_scanner_wins_body_and_sender),
        cmocka_unit_test(our_own_fields_are_nobody_elses),
        cmocka_unit_test(the_edits_of_rules_come_last),
        cmocka_unit_test(one_recipient_is_refused_by_itself),
        cmocka_unit_test(waits_for_those_that_could_still_matter),
        cmocka_unit_test(what_is_not_awaited_changes_no_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
