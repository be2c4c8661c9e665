/* tests/unit/control/test_trace.c - a trace as JSON: each rule, its condition in parts, the facts it saw. */
#include "tests/fakes/fake_rules.h"
#include "tests/unit/unit.h"

#include "common/control/service.h"

static const struct {
    const char *what, *when, *name, *text, *want;
} cases[] = {
    { "a text", "sender = a@example.com", "sender", "a@example.com",
      "\"conditions\":[{\"depth\":0,\"result\":\"true\",\"text\":\"sender = a@example.com\"}],"
      "\"facts\":[{\"name\":\"sender\",\"state\":\"known\",\"value\":\"a@example.com\"}],"
      "\"mode\":\"enforce\",\"order\":100,\"result\":\"true\",\"rule\":\"r\"" },
    { "what it did", "sender is set", "sender", "a@example.com", "\"action\":\"reject No\"" },
    { "nothing", "sender is set", "sender", "", "\"value\":\"\"}],\"mode\":\"enforce\"" },
    { "yes", "authenticated", "authenticated", "yes", "\"value\":\"yes\"" },
    { "no", "authenticated", "authenticated", "no", "\"value\":\"no\"" },
    { "a number", "size > 10", "size", "2048", "\"value\":\"2048\"" },
    { "several values", "client_name = b.example", "client_name", "a.example|b.example",
      "\"value\":\"a.example, b.example\"" },
    { "unknown", "sender is set", "sender", "?", "\"state\":\"unknown\"}],\"mode\"" },
    { "not looked at", "sender is set or size > 10", "sender", "a@example.com",
      "\"depth\":1,\"result\":\"not evaluated\",\"text\":\"size > 10\"" },
};

static void tells_what_a_rule_saw(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_new(1 << 20);
        struct fake_errors errors;
        struct fake_facts facts;
        struct verdict verdict;
        struct rule_set *set = fake_rule(cases[i].when, "reject No", &errors);
        struct trace *trace = trace_new(arena);

        assert_int_equal(0, errors.count);
        fake_facts_init(&facts, set);
        fake_facts_set(&facts, cases[i].name, cases[i].text);
        rules_eval(set, STAGE_MAIL, &facts.source, arena, &verdict, trace);
        json_t *json = control_trace(trace);
        char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
        if (strstr(text, cases[i].want) == NULL)
            fail_msg("%s: want %s\ngot %s", cases[i].what, cases[i].want, text);
        free(text);
        json_decref(json);
        rule_set_free(&set);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(tells_what_a_rule_saw) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
