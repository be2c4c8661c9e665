/* common/policy/rule_book.h - the rules in force: those of the file and the live ones, compiled together, with their
 * counts. Made anew with each snapshot. */
#ifndef GATEHOUSE_POLICY_RULE_BOOK_H
#define GATEHOUSE_POLICY_RULE_BOOK_H

#include "common/live/check.h"
#include "common/observe/metrics.h"
#include "common/policy/core.h"

/* Live rules as they are in the store, parsed: sources whose texts live in `arena`. Immutable. */
struct live_rules {
    struct arena *arena;
    struct rule_source *sources;
    size_t count;
};
void live_rules_free(void *live_rules); /* for shared_new(); NULL-safe */

struct rule_book {
    struct rule_set *rules;
    metric_id *matches, *shadow_matches; /* by rule */
    size_t left_out; /* rules with mistakes: once the file has been judged, live ones */
};

/* Who hears of mistakes: of those in the file's rules `errors`, each with its place (NULL: the file has been judged
 * before); of those in live rules, which are left out, the log, when they are new. */
struct rule_hearers {
    struct conf_errors *errors;
    bool live_are_new;
};

/* Compiles core->sections->rules and core->live_rules. `schema` must outlive the book. False: out of memory; *book is to
 * be freed all the same. */
bool rule_book_make(struct rule_book *book, const struct rules_schema *schema,
                    const struct policy_core *core, const struct rule_hearers *hearers);
void rule_book_free(struct rule_book *book); /* what is zeroed, too */

/* Counts the rules that came to this verdict. Any thread. */
void rule_book_count(const struct rule_book *book, const struct verdict *verdict);

/* Whether one live rule would compile, for live_names: the context is the struct rules_schema. */
struct live_names rule_book_names(const struct rules_schema *schema);

#endif
