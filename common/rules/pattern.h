/* common/rules/pattern.h - what `matches` takes: a glob over the whole text (`*.example.com`, `?`, `[a-z]`) or a regular
 * expression anywhere in it (`/^mx[0-9]+\./`, `/spam/i`). The only user of PCRE2. Private to common/rules.
 *
 * Bytes, not characters; `$` is the end of the text only. A match that costs too much is given up: nobody can make us
 * busy with a clever text. A pattern may be used by several threads at once. */
#ifndef GATEHOUSE_RULES_PATTERN_H
#define GATEHOUSE_RULES_PATTERN_H

#include "common/base/slice.h"

struct pattern; /* opaque, immutable */

#define PATTERN_MAX 1000 /* bytes of a pattern */
#define PATTERN_ERROR_MAX 120

/* NULL: *error says what is wrong and *offset where in `text`. The case of ASCII letters matters in a regular expression without
 * an `i` alone, and not even there with `ignore_case`. */
struct pattern *pattern_new(struct slice text, bool ignore_case, char error[PATTERN_ERROR_MAX],
                            size_t *offset);
void pattern_free(struct pattern **pattern); /* NULL-safe; clears *pattern */

enum pattern_result {
    PATTERN_NO,
    PATTERN_YES,
    PATTERN_GAVE_UP, /* a limit was reached, or memory is out */
};
enum pattern_result pattern_match(const struct pattern *pattern, struct slice text);

#endif
