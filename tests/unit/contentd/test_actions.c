/* tests/unit/contentd/test_actions.c - what rules come to for one recipient. */
#include "contentd/actions.h"
#include "tests/fakes/contentd_case.h"
#include "tests/fakes/contentd_load.h"
#include "tests/unit/unit.h"

static enum fact_state no_fact(UNUSED struct fact_source *source, UNUSED size_t slot,
                               UNUSED bool ask, UNUSED struct value *out)
{
    return FACT_UNKNOWN;
}

static size_t number_of(const void *scan, struct slice name)
{
    return scan_set_find(scan, name);
}

/* Evaluates the rules at a stage and adds what they say. */
static void take(const struct setup *setup, struct contentd_case *c, enum stage stage, double base,
                 struct rule_outcome *outcome)
{
    struct fact_source facts = { .get = no_fact, .score = base };
    struct verdict verdict;
    const struct action_context context = { .rules = setup->book.rules,
                                            .message = c->message,
                                            .scanner_number = number_of,
                                            .scanners = setup_scan(setup),
                                            .arena = c->arena };

    assert_int_equal(EVAL_DONE,
                     rules_eval(setup->book.rules, stage, &facts, c->arena, &verdict, NULL));
    assert_true(actions_take(&context, &verdict, base, outcome));
}

#define SCANNERS                                                                                   \
    "[scanner clam]\nkind = clamd unix:/c\n[scanner spam]\nkind = spamd unix:/s\n"                 \
    "[chain a]\nscanners = clam, spam\ntag = 5\n[apply]\n* = a\n"

static const struct {
    const char *then;
    enum rule_final final;
    unsigned code;
    const char *reason, *redirect;
} finals[] = {
    { "accept", RULES_ACCEPT, 0, "", "" },
    { "reject", RULES_REJECT, 554, "Message refused", "" },
    { "reject 550 5.7.0 No", RULES_REJECT, 550, "No", "" },
    { "tempfail", RULES_TEMPFAIL, 451, "Message deferred, try again later", "" },
    { "tempfail 450 4.2.0 Later", RULES_TEMPFAIL, 450, "Later", "" },
    { "discard", RULES_DISCARD, 0, "", "" },
    { "discard noise", RULES_DISCARD, 0, "noise", "" },
    { "quarantine to be seen", RULES_QUARANTINE, 0, "to be seen", "" },
    { "redirect x@example.org", RULES_ACCEPT, 0, "x@example.org", "x@example.org" },
};

static void each_final_action_is_an_outcome(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(finals); i++) {
        struct rule_outcome outcome = { .final = RULES_SILENT };
        struct contentd_loaded loaded;
        struct contentd_case c;
        AUTO_BUF text = BUF_INIT(1024);
        buf_printf(&text, SCANNERS "[rule r]\nthen = %s\n", finals[i].then);
        contentd_load_text(&loaded, buf_text(&text));
        contentd_case_begin(&c, 1);
        edits_init(&outcome.edits);
        take(loaded.setup, &c, STAGE_END, 0, &outcome);
        if (outcome.final != finals[i].final || outcome.reply.code != finals[i].code ||
            !slice_equal(outcome.reason, slice_of(finals[i].reason)) ||
            !slice_equal(outcome.redirect, slice_of(finals[i].redirect)) ||
            !slice_equal(outcome.rule, SLICE("r")))
            fail_msg("%s: %d %u %.*s", finals[i].then, (int)outcome.final, outcome.reply.code,
                     SLICE_ARG(outcome.reason));
        contentd_case_end(&c);
        contentd_loaded_free(&loaded);
    }
}

static void others_are_collected(UNUSED void **state)
{
    struct rule_outcome outcome = { .final = RULES_SILENT };
    struct contentd_loaded loaded;
    struct contentd_case c;

    contentd_load_text(&loaded, SCANNERS "[rule a]\nthen = tag [JUNK]\n"
                                         "[rule b]\nthen = add_header X-A: one\n"
                                         "[rule c]\nthen = remove_header X-B\n"
                                         "[rule d]\nthen = skip spam\n"
                                         "[rule e]\nthen = score +2.5\n"
                                         "[rule f]\nthen = warn look\n"
                                         "[rule g]\nthen = discard\nmode = shadow\n");
    assert_int_equal(0, loaded.error_count);
    contentd_case_begin(&c, 1);
    contentd_case_header(&c, "X-B", "1");
    contentd_case_header(&c, "x-b", "2");
    edits_init(&outcome.edits);
    take(loaded.setup, &c, STAGE_DATA, 0, &outcome); /* only skip acts there */
    assert_int_equal(2, outcome.skipped);
    assert_int_equal(0, outcome.edits.count);
    take(loaded.setup, &c, STAGE_END, 10, &outcome);
    assert_true(outcome.is_tagged);
    assert_slice("[JUNK]", outcome.subject_prefix);
    assert_slice("one", edits_find(&outcome.edits, EDIT_ADD_HEADER, "X-A", 0)->text);
    assert_int_equal(2, edits_find(&outcome.edits, EDIT_CHANGE_HEADER, "X-B", 0)->index);
    assert_int_equal(1, edits_find(&outcome.edits, EDIT_CHANGE_HEADER, "X-B", 1)->index);
    assert_true(outcome.score > 2.49 && outcome.score < 2.51); /* without what it began with */
    assert_slice("look", outcome.warning);
    assert_int_equal(RULES_SILENT, outcome.final); /* shadow */
    contentd_case_end(&c);
    contentd_loaded_free(&loaded);
}

static void an_earlier_refusal_stays(UNUSED void **state)
{
    struct rule_outcome outcome = { .final = RULES_SILENT };
    struct contentd_loaded loaded;
    struct contentd_case c;

    contentd_load_text(&loaded, "[rule a]\nthen = quarantine first\nstage = data\n"
                                "[rule b]\nthen = reject second\nstage = end-of-message\n");
    contentd_case_begin(&c, 1);
    edits_init(&outcome.edits);
    take(loaded.setup, &c, STAGE_DATA, 0, &outcome);
    take(loaded.setup, &c, STAGE_END, 0, &outcome);
    assert_int_equal(RULES_QUARANTINE, outcome.final);
    assert_slice("first", outcome.reason);
    contentd_case_end(&c);
    contentd_loaded_free(&loaded);
}

static void after_an_accept_another_may_come(UNUSED void **state)
{
    struct rule_outcome outcome = { .final = RULES_SILENT };
    struct contentd_loaded loaded;
    struct contentd_case c;

    contentd_load_text(&loaded, "[rule a]\nthen = accept\nstage = data\n"
                                "[rule b]\nthen = reject second\nstage = end-of-message\n");
    contentd_case_begin(&c, 1);
    edits_init(&outcome.edits);
    take(loaded.setup, &c, STAGE_DATA, 0, &outcome);
    assert_int_equal(RULES_ACCEPT, outcome.final);
    take(loaded.setup, &c, STAGE_END, 0, &outcome);
    assert_int_equal(RULES_REJECT, outcome.final);
    contentd_case_end(&c);
    contentd_loaded_free(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_final_action_is_an_outcome),
        cmocka_unit_test(others_are_collected),
        cmocka_unit_test(an_earlier_refusal_stays),
        cmocka_unit_test(after_an_accept_another_may_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
