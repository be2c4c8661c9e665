/* common/rules/lexer.h - a condition as tokens. Words are letters, digits, bytes above 0x7f and any of _ @ . - + : / %;
 * strings are "quoted", with \" and \\ (any other backslash is itself, as regular expressions want it); `{fact}` right
 * behind a word is a token of its own. Private to common/rules. */
#ifndef GATEHOUSE_RULES_LEXER_H
#define GATEHOUSE_RULES_LEXER_H

#include "common/base/arena.h"
#include "common/rules/report.h"

enum token_kind {
    TOKEN_END, /* always the last one */
    TOKEN_WORD,
    TOKEN_STRING, /* `text` is what the quotes mean */
    TOKEN_BRACED, /* `text` is what is between the braces */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA,
    TOKEN_EQUAL,
    TOKEN_NOT_EQUAL,
    TOKEN_LESS,
    TOKEN_LESS_EQUAL,
    TOKEN_GREATER,
    TOKEN_GREATER_EQUAL,
};

struct token {
    enum token_kind kind;
    struct slice text;
    size_t begin, end; /* offsets in the condition, quotes and braces included */
};

/* All tokens of `text`, in `arena` (texts are borrowed from `text` where they need no change). NULL: the mistake has been
 * reported. */
const struct token *lexer_read(struct slice text, struct arena *arena, struct report *report);

#endif
