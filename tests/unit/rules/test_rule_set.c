#include "common/rules/rules.h"

#include "tests/fakes/fake_rules.h"
#include "tests/unit/unit.h"

static struct rule_set *compile(const struct rule_source *sources, size_t count,
                                struct fake_errors *errors)
{
    struct rule_set *set;

    fake_errors_init(errors);
    set = rule_set_new(&fake_schema, sources, count, &errors->errors);
    assert_non_null(set);
    return set;
}

/* Mistakes outside of conditions and actions (those are in test_types.c and test_action.c). */
static const struct {
    struct rule_source source;
    enum rule_field field;
    size_t offset;
    const char *text;
} mistakes[] = {
#define THEN(action) .source = { .name = SLICE_INIT("r"), .then = SLICE_INIT(action) }
#define WITH(field, value)                                                                         \
    .source = { .name = SLICE_INIT("r"), .then = SLICE_INIT("accept"), .field = SLICE_INIT(value) }
    { .source = { .name = SLICE_INIT("r") },
      RULE_THEN,
      0,
      "\"then\" is missing: what is the rule to do?" },
    { .source = { .name = SLICE_INIT("r"),
                  .then = SLICE_INIT("limit hourly"),
                  .stage = SLICE_INIT("rcpt") },
      RULE_THEN,
      6,
      "limit hourly is charged at data, where this rule does not run" },
    { WITH(order, "first"), RULE_ORDER, 0, "the order is a number from 0 to 1000000000" },
    { WITH(order, "-1"), RULE_ORDER, 0, "the order is a number from 0 to 1000000000" },
    { WITH(order, "1000000001"), RULE_ORDER, 0, "the order is a number from 0 to 1000000000" },
    { .source = { .name = SLICE_INIT("r"),
                  .then = SLICE_INIT("keep"),
                  .stage = SLICE_INIT("rcpt") },
      RULE_STAGE,
      0,
      "keep acts at data, end-of-message only" },
    { .source = { .name = SLICE_INIT("r"),
                  .then = SLICE_INIT("keep"),
                  .when = SLICE_INIT("greylisted") },
      RULE_WHEN,
      0,
      "the rule can never run: greylisted exists at rcpt, but what else it names leaves data, end-of-message" },
    { WITH(mode, "shadw"), RULE_MODE, 0,
      "mode is enforce or shadow, not \"shadw\"; did you mean \"shadow\"?" },
    { WITH(trouble, "ignore"), RULE_TROUBLE_FIELD, 0,
      "trouble is skip, match or defer, not \"ignore\"" },
    { WITH(stage, "rcpt, dta"), RULE_STAGE, 6,
      "there is no stage \"dta\"; did you mean \"data\"?" },
    { WITH(stage, " , "), RULE_STAGE, 3,
      "the stage is missing: any, or some of connect helo mail rcpt data end-of-message" },
    { .source = { .then = SLICE_INIT("accept") }, RULE_NAME, 0, "the rule has no name" },
    { .source = { .name = SLICE_INIT("r"), .then = SLICE_INIT("accept"), .is_live = true },
      RULE_ORDER,
      0,
      "a live rule needs an order" },
    { .source = { .name = SLICE_INIT("r"),
                  .then = SLICE_INIT("accept"),
                  .when = SLICE_INIT("encrypted and recipient_count > 1"),
                  .stage = SLICE_INIT("rcpt") },
      RULE_WHEN,
      14,
      "the rule can never run: recipient_count exists at data, end-of-message, but what else it names leaves rcpt" },
    { .source = { .name = SLICE_INIT("r"),
                  .then = SLICE_INIT("reject At most {recipient_count}"),
                  .when = SLICE_INIT("greylisted") },
      RULE_THEN,
      16,
      "the rule can never run: recipient_count exists at data, end-of-message, but what else it names leaves rcpt" },
    { .source = { .name = SLICE_INIT("r"), .then = SLICE_INIT("prepend X-Grey: {greylisted}") },
      RULE_THEN,
      17,
      "the rule can never run: greylisted exists at rcpt, but what else it names leaves data" },
};

static void points_at_each_mistake(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        struct fake_errors errors;
        struct rule_set *set = compile(&mistakes[i].source, 1, &errors);

        if (errors.count != 1 || rule_set_count(set) != 0 ||
            errors.first.field != mistakes[i].field || errors.first.offset != mistakes[i].offset ||
            (mistakes[i].text != NULL && strcmp(errors.first.text, mistakes[i].text) != 0))
            fail_msg("row %zu: %zu errors, field %d, at %zu: %s", i, errors.count,
                     (int)errors.first.field, errors.first.offset, errors.first.text);
        rule_set_free(&set);
    }
}

static void reports_all_mistakes_and_keeps_the_good_rules(UNUSED void **state)
{
    static const struct rule_source sources[] = {
        { .name = SLICE_INIT("bad"),
          .when = SLICE_INIT("sendr is set"),
          .then = SLICE_INIT("rejct"),
          .mode = SLICE_INIT("x"),
          .order = SLICE_INIT("x") },
        { .name = SLICE_INIT("good"), .then = SLICE_INIT("accept") },
        { .name = SLICE_INIT("good"), .then = SLICE_INIT("accept") },
    };
    struct fake_errors errors;
    struct rule_set *set = compile(sources, COUNT(sources), &errors);

    assert_int_equal(5, errors.count);
    assert_int_equal(2, errors.last.rule);
    assert_string_equal("there is another rule \"good\"", errors.last.text);
    assert_int_equal(1, rule_set_count(set));
    assert_slice("good", rule_set_info(set, 0).name);
    rule_set_free(&set);
}

static void sorts_by_order(UNUSED void **state)
{
    static const struct rule_source sources[] = {
        { .name = SLICE_INIT("a"), .then = SLICE_INIT("score 1") }, /* 100 */
        { .name = SLICE_INIT("b"), .then = SLICE_INIT("score 1"), .order = SLICE_INIT("50") },
        { .name = SLICE_INIT("c"), .then = SLICE_INIT("score 1") }, /* 150 */
        { .name = SLICE_INIT("d"), .then = SLICE_INIT("score 1"), .order = SLICE_INIT("100") },
        { .name = SLICE_INIT("e"),
          .then = SLICE_INIT("score 1"),
          .order = SLICE_INIT("120"),
          .is_live = true },
    };
    static const char want[] = "badec";
    struct fake_errors errors;
    struct rule_set *set = compile(sources, COUNT(sources), &errors);

    assert_int_equal(0, errors.count);
    for (size_t i = 0; i < rule_set_count(set); i++)
        assert_int_equal(want[i], rule_set_info(set, i).name.ptr[0]);
    assert_int_equal(150, rule_set_info(set, 4).order);
    assert_true(rule_set_info(set, 3).is_live);
    rule_set_free(&set);
}

static void takes_the_largest_order(UNUSED void **state)
{
    static const struct rule_source source = { .name = SLICE_INIT("a"),
                                               .then = SLICE_INIT("accept"),
                                               .order = SLICE_INIT(" 1000000000 ") };
    struct fake_errors errors;
    struct rule_set *set = compile(&source, 1, &errors);

    assert_int_equal(0, errors.count);
    assert_int_equal(1000000000, rule_set_info(set, 0).order);
    rule_set_free(&set);
}

/* `trouble = defer` wants a daemon that can. */
static void trouble_takes_an_action_that_is_there(UNUSED void **state)
{
    static const struct rule_source source = { .name = SLICE_INIT("a"),
                                               .then = SLICE_INIT("accept"),
                                               .trouble = SLICE_INIT("defer") };
    struct rules_schema only_accept = fake_schema;
    struct fake_errors errors;

    only_accept.action_count = 1;
    fake_errors_init(&errors);
    struct rule_set *set = rule_set_new(&only_accept, &source, 1, &errors.errors);
    assert_int_equal(1, errors.count);
    assert_int_equal(RULE_TROUBLE_FIELD, errors.first.field);
    assert_string_equal("there is no action \"defer\" here", errors.first.text);
    assert_int_equal(0, rule_set_count(set));
    rule_set_free(&set);
    set = compile(&source, 1, &errors);
    assert_int_equal(0, errors.count);
    rule_set_free(&set);
}

static void tells_the_stages_of_a_rule(UNUSED void **state)
{
    static const struct {
        const char *when, *then, *stage;
        unsigned want;
    } cases[] = {
        { NULL, "accept", NULL, STAGE_ALL },
        { NULL, "accept", "any", STAGE_ALL },
        { NULL, "accept", "data", STAGES_DATA },
        { "recipient is set", "accept", NULL, STAGE_RCPT | STAGE_DATA | STAGE_END },
        { "recipient is set", "accept", "data", STAGE_DATA },
        { "sender in list:allow/{recipient}", "accept", "mail rcpt", STAGE_RCPT },
        { NULL, "reject Not for {recipient}", NULL, STAGE_RCPT | STAGE_DATA | STAGE_END },
        { NULL, "limit hourly", NULL, STAGES_DATA },
        { NULL, "limit hourly, bytes", NULL, STAGES_DATA | STAGES_END },
        { NULL, "limit hourly", "rcpt data", STAGE_RCPT | STAGES_DATA },
        { NULL, "greylist 5m", NULL, STAGE_RCPT },
        { NULL, "prepend X: y", NULL, STAGES_DATA },
        { NULL, "prepend X: y", "end-of-message", STAGES_END },
        { "score > 1", "accept", NULL, STAGE_ALL },
        { NULL, "keep", NULL, STAGES_DATA | STAGES_END },
        { NULL, "keep", "any", STAGES_DATA | STAGES_END },
        { NULL, "keep", "rcpt data", STAGES_DATA },
        { "recipient is set", "keep", NULL, STAGE_DATA | STAGE_END },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rule_source source = { .name = SLICE("r"),
                                      .when = slice_of(cases[i].when),
                                      .then = slice_of(cases[i].then),
                                      .stage = slice_of(cases[i].stage) };
        struct fake_errors errors;
        struct rule_set *set = compile(&source, 1, &errors);

        if (errors.count > 0 || rule_set_info(set, 0).stages != cases[i].want)
            fail_msg("row %zu: %x %s", i, rule_set_info(set, 0).stages, errors.first.text);
        rule_set_free(&set);
    }
}

static void warns_of_what_does_not_make_sense(UNUSED void **state)
{
    static const struct {
        struct rule_source sources[3];
        size_t rule;
        enum rule_field field;
        const char *text; /* NULL: no warning */
    } cases[] = {
#define NAMED(rule_name, action) .name = SLICE_INIT(rule_name), .then = SLICE_INIT(action)
        { { { NAMED("a", "accept") }, { NAMED("b", "reject") } },
          1,
          RULE_NAME,
          "the rule is never reached: rule \"a\" before it always ends the evaluation" },
        { { { NAMED("a", "accept"), .stage = SLICE_INIT("rcpt") }, { NAMED("b", "reject") } },
          0,
          RULE_NAME,
          NULL },
        { { { NAMED("a", "accept"), .mode = SLICE_INIT("shadow") }, { NAMED("b", "reject") } },
          0,
          RULE_NAME,
          NULL },
        { { { NAMED("a", "accept"), .when = SLICE_INIT("encrypted") }, { NAMED("b", "reject") } },
          0,
          RULE_NAME,
          NULL },
        { { { NAMED("a", "prepend X: y") }, { NAMED("b", "warn x"), .stage = SLICE_INIT("data") } },
          1,
          RULE_THEN,
          "where rule \"a\" acts too, only its prepend is sent: a reply carries one action" },
        { { { NAMED("a", "prepend X: y") }, { NAMED("b", "warn x"), .stage = SLICE_INIT("rcpt") } },
          0,
          RULE_THEN,
          NULL },
        { { { NAMED("a", "warn x") }, { NAMED("b", "hold") } },
          1,
          RULE_THEN,
          "where rule \"a\" acts too, its warn is dropped: a reply carries one action" },
        { { { NAMED("a", "warn x") }, { NAMED("b", "reject") } }, 0, RULE_THEN, NULL },
        { { { NAMED("a", "warn x") }, { NAMED("b", "accept") } }, 0, RULE_THEN, NULL },
        { { { NAMED("a", "accept"), .when = SLICE_INIT("size > 1"),
              .stage = SLICE_INIT("helo, mail") } },
          0,
          RULE_STAGE,
          "the rule does not run at helo, where size does not exist" },
        { { { NAMED("a", "accept"), .when = SLICE_INIT("recipient is set"),
              .stage = SLICE_INIT("data") } },
          0,
          RULE_STAGE,
          NULL },
        { { { NAMED("a", "keep"), .stage = SLICE_INIT("rcpt, data") } },
          0,
          RULE_STAGE,
          "keep acts at data, end-of-message only" },
        { { { NAMED("a", "keep"), .stage = SLICE_INIT("any") } }, 0, RULE_STAGE, NULL },
        { { { NAMED("a", "keep") } }, 0, RULE_STAGE, NULL },
        { { { NAMED("a", "accept"), .when = SLICE_INIT("recipient is set"),
              .stage = SLICE_INIT("any") } },
          0,
          RULE_STAGE,
          NULL },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t count = cases[i].sources[1].name.ptr == NULL ? 1 : 2;
        struct fake_errors errors;
        struct rule_set *set = compile(cases[i].sources, count, &errors);
        const struct rule_error *got = &errors.first_warning;

        assert_int_equal(0, errors.count);
        assert_int_equal(count, rule_set_count(set));
        if (errors.warnings != (cases[i].text != NULL) ||
            (cases[i].text != NULL && (strcmp(got->text, cases[i].text) != 0 ||
                                       got->rule != cases[i].rule || got->field != cases[i].field)))
            fail_msg("row %zu: %zu warnings, %s", i, errors.warnings, got->text);
        rule_set_free(&set);
    }
}

static void knows_which_names_are_used(UNUSED void **state)
{
    static const struct rule_source sources[] = {
        { NAMED("a", "limit hourly") },
        { NAMED("b", "accept"),
          .when = SLICE_INIT("limit.bytes.used > 1 and sender in list:block") },
        { NAMED("wrong", "rejct"), .when = SLICE_INIT("sasl_username in map:owners/{sender}") },
    };
    static const struct {
        enum rule_name_kind kind;
        const char *name;
        bool want;
    } cases[] = {
        { RULE_NAMES_LIMIT, "hourly", true },  { RULE_NAMES_LIMIT, "bytes", false },
        { RULE_NAMES_LIST, "block", true },    { RULE_NAMES_LIST, "allow", false },
        { RULE_NAMES_MAP, "owners", true },    { RULE_NAMES_MAP, "block", false },
        { RULE_NAMES_FACT, "sender", true },   { RULE_NAMES_FACT, "limit.*.used", true },
        { RULE_NAMES_FACT, "country", false },
    };
    struct fake_errors errors;
    struct rule_set *set = compile(sources, COUNT(sources), &errors);

    for (size_t i = 0; i < COUNT(cases); i++)
        if (rule_set_uses(set, cases[i].kind, slice_of(cases[i].name)) != cases[i].want)
            fail_msg("%s", cases[i].name);
    rule_set_free(&set);
}

static void gives_equal_facts_one_slot(UNUSED void **state)
{
    static const struct rule_source sources[] = {
        { NAMED("a", "reject For {sender}"),
          .when = SLICE_INIT("sender in list:block or sender is empty") },
        { NAMED("b", "accept"),
          .when = SLICE_INIT("sender in list:block/{recipient} or limit.bytes.used > 1") },
    };
    static const struct {
        const char *name, *arg;
    } want[] = {
        { "sender", NULL },        { "list:block", "block" },       { "recipient", NULL },
        { "list:block", "block" }, { "limit.bytes.used", "bytes" },
    };
    struct fake_errors errors;
    struct rule_set *set = compile(sources, COUNT(sources), &errors);

    assert_int_equal(COUNT(want), rule_set_slots(set));
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_slice(want[i].name, rule_set_ref(set, i)->name);
        assert_slice(want[i].arg, rule_set_ref(set, i)->arg);
    }
    assert_int_equal(0, rule_set_ref(set, 3)->subject);
    assert_int_equal(2, rule_set_ref(set, 3)->key);
    assert_true(rule_set_ref(set, 1)->key == FACT_NONE);
    rule_set_free(&set);
}

/* The daemon's own facts have the same slots whatever the rules name. */
static void gives_extra_facts_the_first_slots(UNUSED void **state)
{
    static const char *const extra[] = { "country", "sender" };
    struct rules_schema schema = fake_schema;
    struct rule_source source = { .name = SLICE("r"),
                                  .when = SLICE("size > 1 and sender is set"),
                                  .then = SLICE("accept") };

    schema.extra_facts = extra;
    schema.extra_fact_count = COUNT(extra);
    struct rule_set *set = rule_set_new(&schema, &source, 1, NULL);
    assert_int_equal(3, rule_set_slots(set));
    assert_int_equal(0, rule_set_slot(set, SLICE("country")));
    assert_int_equal(1, rule_set_slot(set, SLICE("sender")));
    assert_int_equal(2, rule_set_slot(set, SLICE("size")));
    assert_true(rule_set_slot(set, SLICE("spf")) == FACT_NONE);
    rule_set_free(&set);
}

static void bounds_the_number_of_rules_and_facts(UNUSED void **state)
{
    size_t count = RULES_MAX + 1;
    struct rule_source *sources = calloc(count, sizeof *sources);
    char(*names)[16] = calloc(count, sizeof *names);
    struct fake_errors errors;

    assert_true(sources != NULL && names != NULL);
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "r%zu", i);
        sources[i] = (struct rule_source){ .name = slice_of(names[i]), .then = SLICE("score 1") };
    }
    struct rule_set *set = compile(sources, count, &errors);
    assert_int_equal(RULES_MAX, rule_set_count(set));
    assert_int_equal(1, errors.count);
    assert_int_equal(RULES_MAX, errors.first.rule);
    rule_set_free(&set);
    free(names);
    free(sources);
}

static void needs_no_listener_and_no_rules(UNUSED void **state)
{
    struct rule_source bad = { .name = SLICE("r"), .then = SLICE("x") };
    struct rule_set *set = rule_set_new(&fake_schema, &bad, 1, NULL);

    assert_int_equal(0, rule_set_count(set));
    rule_set_free(&set);
    assert_null(set);
    rule_set_free(&set);
    set = rule_set_new(&fake_schema, NULL, 0, NULL);
    assert_int_equal(0, rule_set_count(set));
    rule_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_at_each_mistake),
        cmocka_unit_test(reports_all_mistakes_and_keeps_the_good_rules),
        cmocka_unit_test(sorts_by_order),
        cmocka_unit_test(takes_the_largest_order),
        cmocka_unit_test(trouble_takes_an_action_that_is_there),
        cmocka_unit_test(tells_the_stages_of_a_rule),
        cmocka_unit_test(warns_of_what_does_not_make_sense),
        cmocka_unit_test(knows_which_names_are_used),
        cmocka_unit_test(gives_equal_facts_one_slot),
        cmocka_unit_test(gives_extra_facts_the_first_slots),
        cmocka_unit_test(bounds_the_number_of_rules_and_facts),
        cmocka_unit_test(needs_no_listener_and_no_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
