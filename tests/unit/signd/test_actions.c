/* tests/unit/signd/test_actions.c - what rules do: the first task counts, a final action stays but for an accept, replies have
 * codes, added fields are made safe. Rules are compiled and run as the daemon does. */
#include "signd/actions.h"

#include "tests/fakes/signd_load.h"
#include "tests/unit/unit.h"

/* Only rules without facts are run here. */
static enum fact_state unknown(UNUSED struct fact_source *source, UNUSED size_t slot,
                               UNUSED bool ask, UNUSED struct value *out)
{
    return FACT_UNKNOWN;
}

static bool run(const char *text, enum stage stage, struct arena *arena,
                struct rule_outcome *outcome)
{
    struct signd_loaded loaded;
    struct fact_source source = { .get = unknown };
    struct verdict verdict;

    signd_load_text(&loaded, text, NULL);
    if (loaded.error_count > 0)
        fail_msg("%s: %s", text, buf_text(&loaded.errors));
    assert_int_equal(EVAL_DONE,
                     rules_eval(loaded.setup->book.rules, stage, &source, arena, &verdict, NULL));
    bool ok = actions_take(loaded.setup->book.rules, &verdict, arena, outcome);
    outcome->rule = arena_copy(arena, outcome->rule);
    outcome->reply.enhanced = arena_copy(arena, outcome->reply.enhanced);
    outcome->reply.text = arena_copy(arena, outcome->reply.text);
    outcome->reason = arena_copy(arena, outcome->reason);
    outcome->warning = arena_copy(arena, outcome->warning);
    signd_loaded_free(&loaded);
    return ok;
}

#define RULE(name, then) "[rule " name "]\nthen = " then "\n"

static const struct {
    const char *rules;
    enum stage stage;
    bool has_task;
    enum task task;
    enum fate fate;
    unsigned code;
    const char *enhanced, *text; /* of the reply; NULL: none */
} cases[] = {
    { "", STAGE_DATA, false, TASK_NONE, FATE_ACCEPT, 0, NULL, NULL },
    { RULE("a", "sign"), STAGE_DATA, true, TASK_SIGN, FATE_ACCEPT, 0, NULL, NULL },
    { RULE("a", "verify") RULE("b", "sign"), STAGE_DATA, true, TASK_VERIFY, FATE_ACCEPT, 0, NULL,
      NULL },
    { RULE("a", "none") RULE("b", "verify"), STAGE_DATA, true, TASK_NONE, FATE_ACCEPT, 0, NULL,
      NULL },
    { RULE("a", "accept") RULE("b", "sign"), STAGE_DATA, false, TASK_NONE, FATE_ACCEPT, 0, NULL,
      NULL },
    { RULE("a", "reject"), STAGE_DATA, false, TASK_NONE, FATE_REJECT, 550, "5.7.1",
      "Message refused" },
    { RULE("a", "reject 552 5.3.4 Too much"), STAGE_END, false, TASK_NONE, FATE_REJECT, 552,
      "5.3.4", "Too much" },
    { RULE("a", "tempfail Later"), STAGE_END, false, TASK_NONE, FATE_TEMPFAIL, 451, "4.7.1",
      "Later" },
    { RULE("a", "discard"), STAGE_END, false, TASK_NONE, FATE_DISCARD, 0, NULL, NULL },
    { RULE("a", "hold for a look"), STAGE_END, false, TASK_NONE, FATE_HOLD, 0, NULL, NULL },
    { RULE("a", "sign"), STAGE_END, false, TASK_NONE, FATE_ACCEPT, 0, NULL, NULL },
};

static void does_what_rules_say(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_new(1 << 20);
        struct rule_outcome outcome;
        rule_outcome_init(&outcome);
        assert_true(run(cases[i].rules, cases[i].stage, arena, &outcome));
        if (outcome.has_task != cases[i].has_task || outcome.task != cases[i].task ||
            outcome.fate != cases[i].fate || outcome.reply.code != cases[i].code)
            fail_msg("%s", cases[i].rules);
        if (cases[i].text != NULL) {
            assert_slice(cases[i].enhanced, outcome.reply.enhanced);
            assert_slice(cases[i].text, outcome.reply.text);
        }
        arena_free(&arena);
    }
}

static void what_was_final_stays_but_for_an_accept(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct rule_outcome outcome;

    rule_outcome_init(&outcome);
    assert_true(run(RULE("first", "accept"), STAGE_DATA, arena, &outcome));
    assert_slice("first", outcome.rule);
    assert_true(run(RULE("second", "hold"), STAGE_END, arena, &outcome));
    assert_slice("second", outcome.rule);
    assert_true(run(RULE("third", "reject"), STAGE_END, arena, &outcome));
    assert_slice("second", outcome.rule);
    assert_int_equal(FATE_HOLD, outcome.fate);
    arena_free(&arena);
}

static void fields_are_added_and_warnings_kept(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct rule_outcome outcome;

    rule_outcome_init(&outcome);
    assert_true(run(RULE("a", "add_header X-One: 1") RULE("b", "warn odd")
                        RULE("c", "add_header X-Two: 2"),
                    STAGE_END, arena, &outcome));
    assert_int_equal(2, outcome.edits.count);
    assert_int_equal(EDIT_ADD_HEADER, outcome.edits.first->kind);
    assert_slice("X-One", outcome.edits.first->name);
    assert_slice("1", outcome.edits.first->text);
    assert_slice("X-Two", outcome.edits.first->next->name);
    assert_slice("odd", outcome.warning);
    arena_free(&arena);
}

static void every_action_has_its_place_and_words(UNUSED void **state)
{
    for (size_t i = 0; i < SIGND_ACTIONS; i++) {
        assert_int_equal(i, signd_actions[i].id);
        assert_non_null(signd_actions[i].name);
        assert_non_null(signd_actions[i].doc);
    }
    for (size_t i = 0; i < FATES; i++)
        assert_non_null(fate_words[i]);
    assert_null(fate_words[FATES]);
    assert_null(task_words[TASKS]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(does_what_rules_say),
        cmocka_unit_test(what_was_final_stays_but_for_an_accept),
        cmocka_unit_test(fields_are_added_and_warnings_kept),
        cmocka_unit_test(every_action_has_its_place_and_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
