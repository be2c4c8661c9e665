/* common/live/rule_text.h - a rule as it stands in the store, one field of `gh:rule` under the rule's name:
 *
 *     order=300 mode=shadow until=1795314861 by=root note="why" when="country in (KP, RU)" then="reject 5.7.1 No"
 *
 * Words NAME=VALUE in any order, each at most once; a value that has blanks is put in double quotes, in which \" is a
 * quote and \\ a backslash (a backslash before anything else stays one, so regular expressions need no doubling).
 * `order` and `then` are required. Syntax only: conditions and actions are the rule compiler's. Pure. */
#ifndef GATEHOUSE_LIVE_RULE_TEXT_H
#define GATEHOUSE_LIVE_RULE_TEXT_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/rules/rules.h"

#define LIVE_RULE_NAME_MAX 64
#define LIVE_RULE_TEXT_MAX 8192 /* bytes of one rule's text */

struct live_rule {
    struct rule_source source; /* is_live is set; absent slices: not given */
    uint64_t until_s; /* Unix seconds; 0: no end */
    struct slice by, note;
};

/* Where a text is wrong: byte offset, and what to say (a constant). */
struct live_rule_error {
    size_t offset;
    const char *text;
};

/* A name is what a configuration file's heading allows: letters, digits, `-`, `_` and `.`, at most LIVE_RULE_NAME_MAX. */
bool live_name_is_valid(struct slice name);

/* Borrows from `name` and `text`, and from `arena` where a value had escapes. *error is set on failure alone. */
bool live_rule_parse(struct slice name, struct slice text, struct arena *arena,
                     struct live_rule *out, struct live_rule_error *error);
bool live_rule_is_expired(const struct live_rule *rule, uint64_t wall_ms);

/* The text that reads back as this rule, without its name. 0, or -1 when the buffer is full. */
int live_rule_print(struct buf *out, const struct live_rule *rule);

#endif
