#include "common/rules/rules.h"

#include "tests/fakes/fake_rules.h"
#include "tests/unit/unit.h"

/* Mistakes in `then`, by the byte they point at; text NULL: the reply parser's. */
static const struct {
    const char *then;
    size_t offset;
    const char *text;
} mistakes[] = {
    { "  ", 0, "\"then\" is missing: what is the rule to do?" },
    { "rejct 5.7.1 No", 0, "there is no action \"rejct\"; did you mean \"reject\"?" },
    { " accept now", 8, "accept takes nothing after it" },
    { "reject 250 Fine", 7, NULL },
    { "defer 550 No", 6, NULL },
    { "reject 550 4.7.1 No", 7, NULL },
    { "reject {sender} is bad", 7,
      "the text of a reply begins with words, not with a fact: log reports group by it" },
    { "reject 5.7.1 Bad {sendr}", 18, "there is no fact \"sendr\"; did you mean \"sender\"?" },
    { "reject 5.7.1 Bad {sender", 17,
      "the brace is never closed; {fact} stands for a fact, {{ for a brace" },
    { "reject Bad {limit.huorly.used}", 18,
      "there is no limit \"huorly\"; did you mean \"hourly\"?" },
    { "reject Non-\xc3\xa4scii", 11, "byte 0xc3: texts are printable ASCII, on one line" },
    { "warn", 4, "warn needs a text" },
    { "prepend X-Spam yes", 8, "prepend takes a header: \"Name: text\"" },
    { "prepend X Spam: yes", 8, "prepend takes a header: \"Name: text\"" },
    { "prepend X-Spam:", 8, "prepend takes a header: \"Name: text\"" },
    { "redirect nobody", 9, "redirect takes an address: user@example.com" },
    { "redirect", 8, "redirect takes an address: user@example.com" },
    { "restrict", 8, "restrict needs a word" },
    { "restrict a b", 10, "restrict takes one word" },
    { "limit", 5, "the name of a limit is missing" },
    { "limit hourly,", 13, "the name of a limit is missing" },
    { "limit hourly, dayly", 14, "there is no limit \"dayly\"" },
    { "limit hourly, houly", 14, "there is no limit \"houly\"; did you mean \"hourly\"?" },
    { "limit houly, hourly", 6, "there is no limit \"houly\"; did you mean \"hourly\"?" },
    { "limit hourly, bytes, hourly", 21, "limit hourly is named twice" },
    { "greylist", 8, "greylist: the time is missing, for example 5m" },
    { "greylist soon", 9, NULL },
    { "greylist 999ms", 9, "greylist: the time must be from 1s to 30d" },
    { "greylist 31d", 9, "greylist: the time must be from 1s to 30d" },
    { "score much", 6, "score takes a number such as +2 or -1.5" },
    { "score -1000001", 6, "score takes a number such as +2 or -1.5" },
    { "score 1000001", 6, "score takes a number such as +2 or -1.5" },
};

static void points_at_each_mistake(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        struct fake_errors errors;
        struct rule_set *set = fake_rule(NULL, mistakes[i].then, &errors);

        if (errors.count != 1 || rule_set_count(set) != 0 || errors.first.field != RULE_THEN ||
            errors.first.offset != mistakes[i].offset ||
            (mistakes[i].text != NULL && strcmp(errors.first.text, mistakes[i].text) != 0))
            fail_msg("%s: %zu errors, at %zu: %s", mistakes[i].then, errors.count,
                     errors.first.offset, errors.first.text);
        rule_set_free(&set);
    }
}

/* The verdict's only action: what was read from `then`. The arena owns it. */
static struct action act(struct rule_set *set, struct arena *arena)
{
    static const struct action_type none = { .name = "none" };
    struct fake_facts facts;
    struct verdict verdict;

    fake_facts_init(&facts, set);
    for (unsigned stage = STAGE_CONNECT; stage <= STAGE_OTHER; stage <<= 1) {
        assert_int_equal(EVAL_DONE,
                         rules_eval(set, (enum stage)stage, &facts.source, arena, &verdict, NULL));
        if (verdict.final != NULL)
            return *verdict.final;
        if (verdict.continuing_count == 1)
            return verdict.continuing[0];
    }
    return (struct action){ .type = &none };
}

static void reads_what_each_action_takes(UNUSED void **state)
{
    static const struct {
        const char *then, *type;
        unsigned code;
        const char *enhanced, *text, *header, *first_limit;
        size_t limit_count;
        uint64_t duration_ms;
        double number;
    } cases[] = {
        { "accept", "accept", 0, NULL, NULL, NULL, NULL, 0, 0, 0 },
        { " accept ", "accept", 0, NULL, NULL, NULL, NULL, 0, 0, 0 },
        { "reject", "reject", 0, NULL, "Access denied", NULL, NULL, 0, 0, 0 },
        { "reject No", "reject", 0, NULL, "No", NULL, NULL, 0, 0, 0 },
        { "reject 550", "reject", 550, NULL, "Access denied", NULL, NULL, 0, 0, 0 },
        { "reject 5.7.1", "reject", 0, "5.7.1", "Access denied", NULL, NULL, 0, 0, 0 },
        { "reject  550  5.7.1  No  mail ", "reject", 550, "5.7.1", "No  mail", NULL, NULL, 0, 0,
          0 },
        { "reject 450 4.7.1 Later", "reject", 450, "4.7.1", "Later", NULL, NULL, 0, 0, 0 },
        { "defer", "defer", 0, NULL, "Try again later", NULL, NULL, 0, 0, 0 },
        { "hold", "hold", 0, NULL, "", NULL, NULL, 0, 0, 0 },
        { "hold for a look", "hold", 0, NULL, "for a look", NULL, NULL, 0, 0, 0 },
        { "redirect A@Example.com", "redirect", 0, NULL, "A@Example.com", NULL, NULL, 0, 0, 0 },
        { "restrict permissive", "restrict", 0, NULL, "permissive", NULL, NULL, 0, 0, 0 },
        { "limit hourly", "limit", 0, NULL, NULL, NULL, "hourly", 1, 0, 0 },
        { "limit bytes,hourly", "limit", 0, NULL, NULL, NULL, "bytes", 2, 0, 0 },
        { "greylist 5m", "greylist", 0, NULL, NULL, NULL, NULL, 0, 300000, 0 },
        { "greylist 1s", "greylist", 0, NULL, NULL, NULL, NULL, 0, 1000, 0 },
        { "greylist 30d", "greylist", 0, NULL, NULL, NULL, NULL, 0, UINT64_C(30) * 24 * 3600 * 1000,
          0 },
        { "score +2", "score", 0, NULL, NULL, NULL, NULL, 0, 0, 2 },
        { "score 1000000", "score", 0, NULL, NULL, NULL, NULL, 0, 0, 1000000 },
        { "score -1000000", "score", 0, NULL, NULL, NULL, NULL, 0, 0, -1000000 },
        { "score -1.5", "score", 0, NULL, NULL, NULL, NULL, 0, 0, -1.5 },
        { "prepend X-A:  b: c ", "prepend", 0, NULL, "b: c", "X-A", NULL, 0, 0, 0 },
        { "bcc a@example.com", "bcc", 0, NULL, "a@example.com", NULL, NULL, 0, 0, 0 },
        { "warn Look here", "warn", 0, NULL, "Look here", NULL, NULL, 0, 0, 0 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_new(1 << 20);
        struct fake_errors errors;
        struct rule_set *set = fake_rule(NULL, cases[i].then, &errors);

        if (errors.count > 0)
            fail_msg("%s: %s", cases[i].then, errors.first.text);
        struct action got = act(set, arena);
        assert_string_equal(cases[i].type, got.type->name);
        assert_int_equal(cases[i].code, got.code);
        assert_slice(cases[i].enhanced, got.enhanced);
        assert_slice(cases[i].text, got.text);
        assert_slice(cases[i].header, got.header);
        assert_int_equal(cases[i].limit_count, got.limit_count);
        if (got.limit_count > 0)
            assert_slice(cases[i].first_limit, got.limits[0]);
        assert_true(cases[i].duration_ms == got.duration_ms);
        assert_true(cases[i].number == got.number);
        rule_set_free(&set);
        arena_free(&arena);
    }
}

/* "limit " and 33 names: one too many. */
static void bounds_the_number_of_limits(UNUSED void **state)
{
    static const struct action_type limit = { .name = "limit",
                                              .argument = ARG_LIMITS,
                                              .kind = ACTION_CONTINUES };
    static const struct rules_schema any = { .actions = &limit, .action_count = 1 };
    AUTO_BUF then = BUF_INIT(1000);
    struct fake_errors errors;

    buf_put(&then, "limit l0");
    for (int i = 1; i <= 32; i++)
        buf_printf(&then, ",l%d", i);
    struct rule_source source = { .name = SLICE("r"), .then = buf_slice(&then) };
    fake_errors_init(&errors);
    struct rule_set *set = rule_set_new(&any, &source, 1, &errors.errors);
    assert_int_equal(1, errors.count);
    assert_string_equal("more than 32 limits", errors.first.text);
    rule_set_free(&set);
    source.then.len -= strlen(",l32");
    set = rule_set_new(&any, &source, 1, NULL);
    assert_int_equal(1, rule_set_count(set));
    rule_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_at_each_mistake),
        cmocka_unit_test(reads_what_each_action_takes),
        cmocka_unit_test(bounds_the_number_of_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
