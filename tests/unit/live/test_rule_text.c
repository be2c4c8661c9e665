/* tests/unit/live/test_rule_text.c - live rules as they stand in the store. */
#include "tests/unit/unit.h"

#include "common/base/clock.h"
#include "common/live/rule_text.h"

static const struct {
    const char *what, *text;
    const char *order, *when, *then, *mode, *note; /* order NULL: refused */
    size_t offset; /* of the mistake */
} cases[] = {
    { "whole", "order=300 mode=shadow when=\"country in (KP)\" then=\"reject 5.7.1 No\"", "300",
      "country in (KP)", "reject 5.7.1 No", "shadow", NULL, 0 },
    { "any order of words", "then=accept order=1 note=\"a b\"", "1", NULL, "accept", NULL, "a b",
      0 },
    { "escaped quotes", "order=1 when=\"sender matches \\\"*@x\\\"\" then=accept", "1",
      "sender matches \"*@x\"", "accept", NULL, NULL, 0 },
    { "an escaped backslash", "order=1 when=\"a\\\\b\" then=accept", "1", "a\\b", "accept", NULL,
      NULL, 0 },
    { "other backslashes stay", "order=1 when=\"/\\.exe$/\" then=accept", "1", "/\\.exe$/",
      "accept", NULL, NULL, 0 },
    { "empty quotes", "order=1 note=\"\" then=accept", "1", NULL, "accept", NULL, "", 0 },
    { "no order", "then=accept", NULL, NULL, NULL, NULL, NULL, 11 },
    { "no then", "order=1 when=\"a\"", NULL, NULL, NULL, NULL, NULL, 16 },
    { "unknown word", "order=1 whem=x then=accept", NULL, NULL, NULL, NULL, NULL, 8 },
    { "given twice", "order=1 order=2 then=accept", NULL, NULL, NULL, NULL, NULL, 8 },
    { "no closing quote", "order=1 then=\"accept", NULL, NULL, NULL, NULL, NULL, 8 },
    { "escape at the end", "order=1 then=\"accept\\\"", NULL, NULL, NULL, NULL, NULL, 8 },
    { "text after a quote", "order=1 then=\"accept\"x", NULL, NULL, NULL, NULL, NULL, 8 },
    { "a quote inside", "order=1 then=ac\"cept", NULL, NULL, NULL, NULL, NULL, 8 },
    { "unquoted blanks", "order=1 then=reject no", NULL, NULL, NULL, NULL, NULL, 20 },
    { "until in words", "order=1 until=soon then=accept", NULL, NULL, NULL, NULL, NULL, 8 },
    { "a newline", "order=1\nthen=accept", NULL, NULL, NULL, NULL, NULL, 7 },
    { "empty", "", NULL, NULL, NULL, NULL, NULL, 0 },
};

static void same(const char *what, const char *want, struct slice got)
{
    if (want == NULL ? got.ptr != NULL : !slice_equal(got, slice_of(want)))
        fail_msg("%s: want \"%s\", got \"%.*s\"", what, want == NULL ? "(absent)" : want,
                 SLICE_ARG(got));
}

static void reads_words_in_any_order_and_places_mistakes(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_new(1 << 16);
        struct live_rule rule = { .until_s = 0 };
        struct live_rule_error error = { 0, NULL };
        bool ok = live_rule_parse(SLICE("r"), slice_of(cases[i].text), arena, &rule, &error);
        if (ok != (cases[i].order != NULL))
            fail_msg("%s: %s", cases[i].what, ok ? "accepted" : error.text);
        if (ok) {
            same(cases[i].what, "r", rule.source.name);
            same(cases[i].what, cases[i].order, rule.source.order);
            same(cases[i].what, cases[i].when, rule.source.when);
            same(cases[i].what, cases[i].then, rule.source.then);
            same(cases[i].what, cases[i].mode, rule.source.mode);
            same(cases[i].what, cases[i].note, rule.note);
            assert_true(rule.source.is_live);
        } else if (error.offset != cases[i].offset) {
            fail_msg("%s: at %zu, not %zu", cases[i].what, error.offset, cases[i].offset);
        }
        arena_free(&arena);
    }
}

static void prints_what_reads_back(UNUSED void **state)
{
    static const char *const texts[] = {
        "order=300 stage=rcpt mode=shadow trouble=defer until=1795314861 by=root note=\"why not\" "
        "when=\"sender matches \\\"/\\\\\\\\.x/\\\"\" then=\"reject 5.7.1 No\"",
        "order=1 note=\"\" then=accept",
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct arena *arena = arena_new(1 << 16);
        AUTO_BUF out = BUF_INIT(LIVE_RULE_TEXT_MAX);
        struct live_rule rule;
        struct live_rule_error error;
        assert_true(live_rule_parse(SLICE("r"), slice_of(texts[i]), arena, &rule, &error));
        assert_int_equal(0, live_rule_print(&out, &rule));
        assert_string_equal(texts[i], buf_text(&out));
        arena_free(&arena);
    }
}

static void says_when_the_buffer_is_full(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 16);
    struct live_rule rule;
    struct live_rule_error error;

    assert_true(live_rule_parse(SLICE("r"), SLICE("order=1 then=accept"), arena, &rule, &error));
    for (size_t room = 0; room < strlen("order=1 then=accept"); room++) {
        AUTO_BUF out = BUF_INIT(room);
        assert_int_equal(-1, live_rule_print(&out, &rule));
    }
    arena_free(&arena);
}

static void refuses_what_is_too_long(UNUSED void **state)
{
    static char text[LIVE_RULE_TEXT_MAX + 2];
    struct arena *arena = arena_new(1 << 16);
    struct live_rule rule;
    struct live_rule_error error = { 0, NULL };

    memset(text, 'x', sizeof(text) - 1);
    assert_false(live_rule_parse(SLICE("r"), slice_of(text), arena, &rule, &error));
    assert_int_equal(LIVE_RULE_TEXT_MAX, error.offset);
    arena_free(&arena);
}

static void expires_at_its_second(UNUSED void **state)
{
    struct live_rule rule = { .until_s = 100 };

    assert_false(live_rule_is_expired(&rule, 99999));
    assert_true(live_rule_is_expired(&rule, 100000));
    rule.until_s = 0;
    assert_false(live_rule_is_expired(&rule, UINT64_MAX));
}

static void knows_a_name(UNUSED void **state)
{
    assert_true(live_name_is_valid(SLICE("user-hourly_2.b")));
    assert_false(live_name_is_valid(SLICE("")));
    assert_false(live_name_is_valid(SLICE("a b")));
    assert_false(live_name_is_valid(SLICE("a/b")));
    assert_false(live_name_is_valid(
        SLICE("a123456789a123456789a123456789a123456789a123456789a123456789abcde")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_words_in_any_order_and_places_mistakes),
        cmocka_unit_test(prints_what_reads_back),
        cmocka_unit_test(says_when_the_buffer_is_full),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(expires_at_its_second),
        cmocka_unit_test(knows_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
