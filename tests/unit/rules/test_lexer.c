#include "common/rules/lexer.h"

#include "tests/unit/unit.h"

/* One letter for each kind, in the order of enum token_kind. */
static const char letters[] = ".wsb(),=!<l>g";

static void cuts_conditions_into_tokens(UNUSED void **state)
{
    static const struct {
        const char *text, *kinds, *texts; /* texts of words, strings and braces, joined by | */
        size_t last; /* where the last token before the end begins */
    } cases[] = {
        { "", ".", "", 0 },
        { " \t\r\n", ".", "", 0 },
        { "a", "w.", "a", 0 },
        { "size>=10M", "wgw.", "size|10M", 6 },
        { "a=b", "w=w.", "a|b", 2 },
        { "a != b<c<=d>e", "w!w<wlw>w.", "a|b|c|d|e", 12 },
        { "(a,b)", "(w,w).", "a|b", 4 },
        { "x in 2001:db8::/32", "www.", "x|in|2001:db8::/32", 5 },
        { "a@b.c +1-2%_/:", "ww.", "a@b.c|+1-2%_/:", 6 },
        { "list:allow/{recipient}", "wb.", "list:allow/|recipient", 11 },
        { "b\xc3\xbc.example", "w.", "b\xc3\xbc.example", 0 },
        { "\"\"", "s.", "", 0 },
        { "\"a b\" \"c\"", "ss.", "a b|c", 6 },
        { "\"a\\\"b\"", "s.", "a\"b", 0 },
        { "\"a\\\\\"", "s.", "a\\", 0 },
        { "\"\\d+\\.\"", "s.", "\\d+\\.", 0 },
        { "\"#(!{\"", "s.", "#(!{", 0 },
    };
    struct arena *arena = arena_new(1 << 20);

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF kinds = BUF_INIT(100);
        AUTO_BUF texts = BUF_INIT(100);
        struct report report = { .errors = NULL };
        const struct token *token = lexer_read(slice_of(cases[i].text), arena, &report);
        size_t last = 0;

        if (token == NULL)
            fail_msg("%s", cases[i].text);
        for (;; token++) {
            buf_put_char(&kinds, letters[token->kind]);
            if (token->kind == TOKEN_WORD || token->kind == TOKEN_STRING ||
                token->kind == TOKEN_BRACED) {
                buf_put(&texts, texts.len > 0 ? "|" : "");
                buf_add(&texts, token->text);
            }
            if (token->kind == TOKEN_END)
                break;
            last = token->begin;
            assert_true(token->end > token->begin && token->end <= strlen(cases[i].text));
        }
        assert_int_equal(strlen(cases[i].text), token->end);
        assert_string_equal(cases[i].kinds, buf_text(&kinds));
        assert_string_equal(cases[i].texts, buf_text(&texts));
        assert_int_equal(cases[i].last, last);
    }
    arena_free(&arena);
}

static void fails_when_memory_is_out(UNUSED void **state)
{
    static const char *const texts[] = { "a and b", "\"a\\\"b\"" };

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct arena *arena = arena_new(8);
        struct report report = { .errors = NULL };
        assert_null(lexer_read(slice_of(texts[i]), arena, &report));
        assert_true(report.no_memory);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_conditions_into_tokens),
        cmocka_unit_test(fails_when_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
