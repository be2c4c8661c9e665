#include "common/rules/rules.h"

#include "tests/fakes/fake_rules.h"
#include "tests/unit/unit.h"

/* The text of `then` with this one fact, in `arena`. */
static struct slice expand(const char *then, const char *fact, const char *text,
                           struct arena *arena)
{
    struct fake_errors errors;
    struct rule_set *set = fake_rule(NULL, then, &errors);
    struct fake_facts facts;
    struct verdict verdict;

    if (errors.count > 0)
        fail_msg("%s: %s", then, errors.first.text);
    fake_facts_init(&facts, set);
    fake_facts_set(&facts, fact, text);
    assert_int_equal(EVAL_DONE, rules_eval(set, STAGE_DATA, &facts.source, arena, &verdict, NULL));
    struct slice out = arena_copy(arena, verdict.final->text);
    rule_set_free(&set);
    return out;
}

static void fills_in_and_escapes(UNUSED void **state)
{
    static const struct {
        const char *then, *fact, *text, *want;
    } cases[] = {
        { "reject No mail from {sender}, sorry", "sender", "a@b.example",
          "No mail from a@b.example, sorry" },
        { "reject Bad {helo_name}", "helo_name", "a\r\nb\x01\xc3\xbc", "Bad a??b???" },
        { "reject Bad {helo_name}", "helo_name", "", "Bad " },
        { "reject Bad {helo_name}", "helo_name", "?", "Bad unknown" },
        { "reject Size {size}", "size", "1024", "Size 1024" },
        { "reject Login {authenticated}", "authenticated", "yes", "Login yes" },
        { "reject Client {client_address}.", "client_address", "2001:db8::1",
          "Client 2001:db8::1." },
        { "reject Set {{x} {spf}{spf}", "spf", "fail", "Set {x} failfail" },
        { "reject Set {{x}", "spf", "fail", "Set {x}" },
        { "reject Attached {helo_name}.", "helo_name", "a.txt|b.exe", "Attached a.txt, b.exe." },
        { "reject", "spf", "fail", "Access denied" },
        { "defer 4.7.1", "spf", "fail", "Try again later" },
    };

    struct arena *arena = arena_new(1 << 20);

    for (size_t i = 0; i < COUNT(cases); i++)
        assert_slice(cases[i].want, expand(cases[i].then, cases[i].fact, cases[i].text, arena));
    arena_free(&arena);
}

static void bounds_what_it_makes(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    char name[1000];

    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    struct slice text = expand("reject Hello {helo_name}{helo_name}!", "helo_name", name, arena);
    assert_int_equal(ACTION_TEXT_MAX, text.len);
    assert_true(slice_starts_with(text, SLICE("Hello xxx")));
    arena_free(&arena);
}

static void bounds_what_is_written(UNUSED void **state)
{
    AUTO_BUF then = BUF_INIT(1000);
    struct fake_errors errors;

    buf_put(&then, "warn ");
    for (size_t i = 0; i < ACTION_TEXT_MAX; i++)
        buf_put_char(&then, 'x');
    struct rule_set *set = fake_rule(NULL, buf_text(&then), &errors);
    assert_int_equal(0, errors.count);
    rule_set_free(&set);
    buf_put_char(&then, 'x');
    set = fake_rule(NULL, buf_text(&then), &errors);
    assert_int_equal(1, errors.count);
    assert_int_equal(strlen("warn ") + ACTION_TEXT_MAX, errors.first.offset);
    assert_string_equal("the text is longer than 400 bytes", errors.first.text);
    rule_set_free(&set);
}

/* A text without facts costs nothing: it is the rule's own. */
static void keeps_constants_as_they_are(UNUSED void **state)
{
    static const char *const thens[] = { "reject Not here", "reject Not {{here}" };

    for (size_t i = 0; i < COUNT(thens); i++) {
        struct fake_errors errors;
        struct rule_set *set = fake_rule(NULL, thens[i], &errors);
        struct arena *arena = arena_new(1 << 20);
        struct fake_facts facts;
        struct verdict first, second;

        fake_facts_init(&facts, set);
        rules_eval(set, STAGE_DATA, &facts.source, arena, &first, NULL);
        rules_eval(set, STAGE_DATA, &facts.source, arena, &second, NULL);
        assert_ptr_equal(first.final->text.ptr, second.final->text.ptr);
        arena_free(&arena);
        rule_set_free(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_in_and_escapes),
        cmocka_unit_test(bounds_what_it_makes),
        cmocka_unit_test(bounds_what_is_written),
        cmocka_unit_test(keeps_constants_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
