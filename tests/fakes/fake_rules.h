/* tests/fakes/fake_rules.h - a small schema for tests of rules, and facts that a test sets by name. */
#ifndef GATEHOUSE_TESTS_FAKE_RULES_H
#define GATEHOUSE_TESTS_FAKE_RULES_H

#include "common/rules/rules.h"

/* Facts of every type and the actions of policyd. Declared are: lists block and allow, map owners, limits hourly (charged
 * at DATA) and bytes (at END-OF-MESSAGE). */
extern const struct rules_schema fake_schema;

enum { FAKE_FACTS_MAX = 64, FAKE_VALUES_MAX = 8 };

/* Facts by name. One that was not set is known and empty (or false). Lists and maps are set as `list:block`,
 * `list:allow/bob@example.com`, `map:owners/KEY`, to entries "a, b" that are compared with the subject's spelling. */
struct fake_facts {
    struct fact_source source; /* first member */
    const struct rule_set *set; /* whose slots are asked for */
    struct fake_fact {
        struct slice name, text; /* borrowed; text "?": unknown; "a|b": several values */
        struct value values[FAKE_VALUES_MAX];
        bool is_late; /* missing: set it again for it to arrive */
        bool is_asked;
    } facts[FAKE_FACTS_MAX];
    size_t count;
    size_t asked; /* calls with `ask` that found a fact missing */
};

void fake_facts_init(struct fake_facts *facts, const struct rule_set *set);
void fake_facts_set(struct fake_facts *facts, const char *name, const char *text);
void fake_facts_set_slices(struct fake_facts *facts, struct slice name, struct slice text);
struct fake_fact *fake_facts_find(struct fake_facts *facts, struct slice name); /* NULL: not set */

/* Keeps the errors and warnings of rule_set_new(): the first in full, all counted. */
struct fake_errors {
    struct rule_errors errors; /* first member */
    struct rule_error first, last, first_warning;
    size_t count, warnings;
};
void fake_errors_init(struct fake_errors *errors);

/* A set of one rule; NULL `when` or `then`: not given. */
struct rule_set *fake_rule(const char *when, const char *then, struct fake_errors *errors);

#endif
