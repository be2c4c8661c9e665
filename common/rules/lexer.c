/* common/rules/lexer.c - see lexer.h. Two passes: the first counts the tokens, the second keeps them. */
#include "common/rules/lexer.h"

static bool is_word_char(char c)
{
    return ascii_is_alnum(c) || (unsigned char)c > 0x7f ||
           (c != '\0' && strchr("_@.-+:/%", c) != NULL);
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Is there one of the two escapes, \" or \\, at this place? */
static bool is_escape(struct slice text, size_t at)
{
    return text.ptr[at] == '\\' && at + 1 < text.len &&
           (text.ptr[at + 1] == '"' || text.ptr[at + 1] == '\\');
}

/* `raw` without its escapes; absent when memory is out. */
static struct slice unescape(struct slice raw, struct arena *arena)
{
    char *plain = arena_alloc(arena, raw.len);
    size_t len = 0;

    for (size_t i = 0; plain != NULL && i < raw.len; i++) {
        if (is_escape(raw, i))
            i++;
        plain[len++] = raw.ptr[i];
    }
    return (struct slice){ plain, len };
}

static bool read_string(struct slice text, struct token *token, struct arena *arena,
                        struct report *report)
{
    size_t end = token->begin + 1;
    bool has_escapes = false;

    while (end < text.len && text.ptr[end] != '"') {
        if (is_control(text.ptr[end])) {
            report_error(report, end, "a control byte cannot stand in a string");
            return false;
        }
        has_escapes |= is_escape(text, end);
        end += is_escape(text, end) ? 2 : 1;
    }
    if (end >= text.len) {
        report_error(report, token->begin, "the string has no closing quote");
        return false;
    }
    token->kind = TOKEN_STRING;
    token->end = end + 1;
    token->text = slice_part(text, token->begin + 1, end - token->begin - 1);
    if (has_escapes)
        token->text = unescape(token->text, arena);
    if (token->text.ptr == NULL) {
        report_no_memory(report);
        return false;
    }
    return true;
}

static bool read_braced(struct slice text, struct token *token, struct report *report)
{
    struct slice rest = slice_skip(text, token->begin + 1);
    size_t len = slice_find(rest, '}');

    if (token->begin == 0 || !is_word_char(text.ptr[token->begin - 1])) {
        report_error(report, token->begin,
                     "braces follow the name of a list or map: list:NAME/{fact}");
        return false;
    }
    if (len == SIZE_MAX) {
        report_error(report, token->begin, "the brace is never closed");
        return false;
    }
    token->kind = TOKEN_BRACED;
    token->text = slice_part(rest, 0, len);
    token->end = token->begin + len + 2;
    return true;
}

static bool read_sign(struct slice text, struct token *token, struct report *report)
{
    static const struct {
        struct slice sign;
        enum token_kind kind;
    } signs[] = {
        { SLICE_INIT("!="), TOKEN_NOT_EQUAL },     { SLICE_INIT("<="), TOKEN_LESS_EQUAL },
        { SLICE_INIT(">="), TOKEN_GREATER_EQUAL }, { SLICE_INIT("="), TOKEN_EQUAL },
        { SLICE_INIT("<"), TOKEN_LESS },           { SLICE_INIT(">"), TOKEN_GREATER },
        { SLICE_INIT("("), TOKEN_OPEN },           { SLICE_INIT(")"), TOKEN_CLOSE },
        { SLICE_INIT(","), TOKEN_COMMA },
    };
    struct slice rest = slice_skip(text, token->begin);
    char c = rest.ptr[0];

    for (size_t i = 0; i < COUNT(signs); i++)
        if (slice_starts_with(rest, signs[i].sign)) {
            token->kind = signs[i].kind;
            token->text = slice_part(rest, 0, signs[i].sign.len);
            token->end = token->begin + signs[i].sign.len;
            return true;
        }
    if (c == '#')
        report_error(report, token->begin, "a comment stands on a line of its own");
    else if (c == '*' || c == '?' || c == '\'' || c == '$' || c == '^' || c == '\\' || c == '[')
        report_error(report, token->begin, "'%c' can stand in \"quotes\" only", c);
    else if (ascii_is_print(c))
        report_error(report, token->begin, "'%c' means nothing here%s", c,
                     c == '!'               ? "; use \"not\""
                     : c == '&' || c == '|' ? "; use \"and\", \"or\""
                                            : "");
    else
        report_error(report, token->begin, "byte 0x%02x means nothing here", (unsigned char)c);
    return false;
}

static bool read_token(struct slice text, struct token *token, struct arena *arena,
                       struct report *report)
{
    size_t at = token->end;

    while (at < text.len && ascii_is_space(text.ptr[at]))
        at++;
    *token = (struct token){ .kind = TOKEN_END, .begin = at, .end = at };
    if (at == text.len)
        return true;
    if (text.ptr[at] == '"')
        return read_string(text, token, arena, report);
    if (text.ptr[at] == '{')
        return read_braced(text, token, report);
    if (!is_word_char(text.ptr[at]))
        return read_sign(text, token, report);
    while (at < text.len && is_word_char(text.ptr[at]))
        at++;
    token->kind = TOKEN_WORD;
    token->end = at;
    token->text = slice_part(text, token->begin, at - token->begin);
    return true;
}

const struct token *lexer_read(struct slice text, struct arena *arena, struct report *report)
{
    struct token token = { .end = 0 };
    size_t count = 0;

    do {
        if (!read_token(text, &token, arena, report))
            return NULL;
        if (++count > CONDITION_TOKENS_MAX + 1) {
            report_error(report, token.begin, "the condition has more than %d words and signs",
                         (int)CONDITION_TOKENS_MAX);
            return NULL;
        }
    } while (token.kind != TOKEN_END);

    struct token *tokens = arena_alloc_array(arena, count, sizeof *tokens);
    token = (struct token){ .end = 0 };
    for (size_t i = 0; tokens != NULL && i < count; i++) {
        if (!read_token(text, &token, arena, report))
            return NULL;
        tokens[i] = token;
    }
    if (tokens == NULL)
        report_no_memory(report);
    return tokens;
}
