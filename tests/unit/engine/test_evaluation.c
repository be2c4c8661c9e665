/* tests/unit/engine/test_evaluation.c - facts are fetched once and side by side, and an evaluation always ends. */
#include "common/engine/evaluation.h"

#include "tests/fakes/fake_rules.h"
#include "tests/unit/unit.h"

/* What a test's fetch does with one fact. */
struct planned {
    const char *name, *text; /* text NULL: cannot be had */
    enum { AT_ONCE, LATER, NEEDS_OTHER, ALWAYS_BLOCKED } how;
    const char *other; /* NEEDS_OTHER */
    unsigned fetched; /* without calls that were blocked */
    size_t slot;
};

struct engine {
    struct evaluation evaluation; /* first member */
    struct rule_set *set;
    struct arena *arena;
    struct planned *plan;
    size_t plan_count;
    unsigned ready;
};

static struct planned *planned_of(struct engine *engine, struct slice name)
{
    for (size_t i = 0; i < engine->plan_count; i++)
        if (slice_equal(slice_of(engine->plan[i].name), name))
            return &engine->plan[i];
    fail_msg("%.*s is not planned", SLICE_ARG(name));
    return NULL;
}

static struct value text_value(const char *text)
{
    return (
        struct value){ .type = VALUE_DOMAIN, .is_empty = *text == '\0', .text = slice_of(text) };
}

static enum fetch_result fetch(struct evaluation *evaluation, size_t slot,
                               const struct fact_ref *ref, struct value *out)
{
    struct engine *engine = (struct engine *)evaluation;
    struct planned *planned = planned_of(engine, ref->name);
    struct value other;

    planned->slot = slot;
    if (planned->how == ALWAYS_BLOCKED)
        return FETCH_BLOCKED;
    if (planned->how == NEEDS_OTHER) {
        size_t needed = rule_set_slot(engine->set, slice_of(planned->other));
        switch (evaluation_get(evaluation, needed, &other)) {
        case FACT_MISSING:
            return FETCH_BLOCKED;
        case FACT_UNKNOWN:
            planned->fetched++;
            return FETCH_UNKNOWN;
        case FACT_KNOWN:
            break;
        }
    }
    planned->fetched++;
    if (planned->how == LATER)
        return FETCH_STARTED;
    if (planned->text == NULL)
        return FETCH_UNKNOWN;
    *out = text_value(planned->text);
    return FETCH_KNOWN;
}

static void on_ready(struct evaluation *evaluation)
{
    ((struct engine *)evaluation)->ready++;
}

static void engine_open(struct engine *engine, const struct rule_source *rules, size_t count,
                        struct planned *plan, size_t plan_count)
{
    struct fake_errors errors;

    fake_errors_init(&errors);
    *engine = (struct engine){ .plan = plan, .plan_count = plan_count };
    engine->arena = arena_new(1 << 20);
    engine->set = rule_set_new(&fake_schema, rules, count, &errors.errors);
    if (errors.count > 0)
        fail_msg("%s", errors.first.text);
    assert_true(
        evaluation_init(&engine->evaluation, engine->set, STAGE_RCPT, engine->arena, fetch));
    engine->evaluation.ready = on_ready;
}

static void engine_close(struct engine *engine)
{
    rule_set_free(&engine->set);
    arena_free(&engine->arena);
}

static void provide(struct engine *engine, const char *name)
{
    const struct planned *planned = planned_of(engine, slice_of(name));
    struct value value;

    if (planned->text != NULL)
        value = text_value(planned->text);
    evaluation_provide(&engine->evaluation, planned->slot, planned->text == NULL ? NULL : &value);
}

static const struct rule_source two_rules[] = {
    { .name = SLICE_INIT("one"),
      .when = SLICE_INIT("helo_name = x.example"),
      .then = SLICE_INIT("reject One") },
    { .name = SLICE_INIT("two"),
      .when = SLICE_INIT("client_name = y.example or sender_domain = z.example"),
      .then = SLICE_INIT("reject Two") },
};

static void what_comes_at_once_needs_one_call(UNUSED void **state)
{
    struct planned plan[] = { { .name = "helo_name", .text = "a.example" },
                              { .name = "client_name", .text = "b.example" },
                              { .name = "sender_domain", .text = "z.example" } };
    struct engine engine;

    engine_open(&engine, two_rules, COUNT(two_rules), plan, COUNT(plan));
    assert_int_equal(EVAL_DONE, evaluation_run(&engine.evaluation));
    assert_slice("Two", engine.evaluation.verdict.final->text);
    for (size_t i = 0; i < COUNT(plan); i++)
        assert_int_equal(1, plan[i].fetched);
    assert_int_equal(0, engine.ready);
    engine_close(&engine);
}

static void what_takes_time_is_fetched_side_by_side_and_once(UNUSED void **state)
{
    struct planned plan[] = { { .name = "helo_name", .text = "a.example", .how = LATER },
                              { .name = "client_name", .text = NULL, .how = LATER },
                              { .name = "sender_domain", .text = "z.example", .how = LATER } };
    struct engine engine;

    engine_open(&engine, two_rules, COUNT(two_rules), plan, COUNT(plan));
    assert_int_equal(EVAL_WAIT, evaluation_run(&engine.evaluation));
    for (size_t i = 0; i < COUNT(plan); i++)
        assert_int_equal(1, plan[i].fetched);
    assert_int_equal(3, engine.evaluation.pending);
    provide(&engine, "sender_domain");
    provide(&engine, "helo_name");
    provide(&engine, "helo_name"); /* a second answer is none */
    assert_int_equal(0, engine.ready);
    provide(&engine, "client_name");
    assert_int_equal(1, engine.ready);
    assert_int_equal(EVAL_DONE, evaluation_run(&engine.evaluation));
    assert_slice("Two", engine.evaluation.verdict.final->text);
    for (size_t i = 0; i < COUNT(plan); i++)
        assert_int_equal(1, plan[i].fetched);
    engine_close(&engine);
}

static void a_fact_made_of_another_waits_for_it(UNUSED void **state)
{
    struct planned plan[] = {
        { .name = "helo_name", .text = "a.example", .how = LATER },
        { .name = "client_name", .text = "y.example", .how = NEEDS_OTHER, .other = "helo_name" },
        { .name = "sender_domain", .text = "", .how = NEEDS_OTHER, .other = "client_name" },
    };
    struct engine engine;

    engine_open(&engine, two_rules, COUNT(two_rules), plan, COUNT(plan));
    assert_int_equal(EVAL_WAIT, evaluation_run(&engine.evaluation));
    assert_int_equal(0, plan[1].fetched + plan[2].fetched);
    provide(&engine, "helo_name");
    assert_int_equal(EVAL_DONE, evaluation_run(&engine.evaluation));
    assert_slice("Two", engine.evaluation.verdict.final->text);
    assert_int_equal(1, plan[1].fetched);
    engine_close(&engine);
}

static void a_fact_that_never_comes_ends_as_unknown(UNUSED void **state)
{
    struct planned plan[] = { { .name = "helo_name", .how = ALWAYS_BLOCKED },
                              { .name = "client_name", .text = "y.example" },
                              { .name = "sender_domain", .text = "" } };
    struct engine engine;

    engine_open(&engine, two_rules, COUNT(two_rules), plan, COUNT(plan));
    assert_int_equal(EVAL_DONE, evaluation_run(&engine.evaluation));
    assert_slice("Two", engine.evaluation.verdict.final->text);
    assert_int_equal(1, engine.evaluation.verdict.troubled_count);
    assert_true(engine.evaluation.runs <= EVALUATION_RUNS_MAX + 1);
    engine_close(&engine);
}

static void what_is_late_is_unknown(UNUSED void **state)
{
    struct planned plan[] = { { .name = "helo_name", .text = "x.example", .how = LATER },
                              { .name = "client_name", .text = "b.example" },
                              { .name = "sender_domain", .text = "z.example", .how = LATER } };
    struct engine engine;

    engine_open(&engine, two_rules, COUNT(two_rules), plan, COUNT(plan));
    assert_int_equal(EVAL_WAIT, evaluation_run(&engine.evaluation));
    evaluation_late(&engine.evaluation);
    assert_int_equal(EVAL_DONE, evaluation_run(&engine.evaluation));
    assert_null(engine.evaluation.verdict.final);
    assert_int_equal(2, engine.evaluation.verdict.troubled_count);
    provide(&engine, "helo_name"); /* nobody is told */
    provide(&engine, "sender_domain");
    assert_int_equal(0, engine.ready);
    engine_close(&engine);
}

static void what_is_said_at_the_end_counts_in_the_last_run(UNUSED void **state)
{
    struct planned plan[] = { { .name = "helo_name", .text = "x.example", .how = LATER },
                              { .name = "client_name", .text = "b.example" },
                              { .name = "sender_domain", .text = "z.example", .how = LATER } };
    struct engine engine;

    engine_open(&engine, two_rules, COUNT(two_rules), plan, COUNT(plan));
    assert_int_equal(EVAL_WAIT, evaluation_run(&engine.evaluation));
    evaluation_late(&engine.evaluation);
    provide(&engine, "sender_domain");
    assert_int_equal(EVAL_DONE, evaluation_run(&engine.evaluation));
    assert_int_equal(1, engine.evaluation.verdict.troubled_count); /* helo_name alone is unknown */
    assert_int_equal(0, engine.ready);
    engine_close(&engine);
}

static void late_before_the_first_run_asks_for_nothing(UNUSED void **state)
{
    struct planned plan[] = { { .name = "helo_name", .text = "x.example" },
                              { .name = "client_name", .text = "y.example" },
                              { .name = "sender_domain", .text = "z.example" } };
    struct engine engine;

    engine_open(&engine, two_rules, COUNT(two_rules), plan, COUNT(plan));
    evaluation_late(&engine.evaluation);
    assert_int_equal(EVAL_DONE, evaluation_run(&engine.evaluation));
    assert_null(engine.evaluation.verdict.final);
    for (size_t i = 0; i < COUNT(plan); i++)
        assert_int_equal(0, plan[i].fetched);
    engine_close(&engine);
}

static void says_when_memory_is_out(UNUSED void **state)
{
    struct arena *arena = arena_new(1);
    struct evaluation evaluation;
    struct fake_errors errors;

    fake_errors_init(&errors);
    struct rule_set *set = rule_set_new(&fake_schema, two_rules, COUNT(two_rules), &errors.errors);
    assert_false(evaluation_init(&evaluation, set, STAGE_RCPT, arena, fetch));
    rule_set_free(&set);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_at_once_needs_one_call),
        cmocka_unit_test(what_takes_time_is_fetched_side_by_side_and_once),
        cmocka_unit_test(a_fact_made_of_another_waits_for_it),
        cmocka_unit_test(a_fact_that_never_comes_ends_as_unknown),
        cmocka_unit_test(what_is_late_is_unknown),
        cmocka_unit_test(what_is_said_at_the_end_counts_in_the_last_run),
        cmocka_unit_test(late_before_the_first_run_asks_for_nothing),
        cmocka_unit_test(says_when_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
