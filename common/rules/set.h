/* common/rules/set.h - a rule set as it is evaluated, and what makes one. Private to common/rules.
 *
 * A rule's condition is a flat array, child and sibling by index. All texts and arrays live in the set's arena. */
#ifndef GATEHOUSE_RULES_SET_H
#define GATEHOUSE_RULES_SET_H

#include "common/rules/ast.h"
#include "common/rules/pattern.h"
#include "common/rules/report.h"

#define SLOT_NONE UINT32_MAX

enum condition_kind {
    CONDITION_AND, /* children: two or more */
    CONDITION_OR,
    CONDITION_NOT, /* one child */
    CONDITION_TRUE, /* the BOOLEAN fact `slot` */
    CONDITION_COMPARE, /* `slot`, relation, literals[0] */
    CONDITION_COMPARE_FACTS, /* `slot`, relation, `other` */
    CONDITION_IN_SET, /* `slot` is one of literals */
    CONDITION_MEMBER, /* `slot` is a list or map: true or false */
    CONDITION_MATCHES, /* `slot` matches `pattern` */
    CONDITION_SET, /* `slot` is not empty */
};

struct condition {
    enum condition_kind kind;
    enum relation relation;
    bool is_negated;
    bool has_side_effect; /* here or below */
    uint32_t slot, other;
    uint32_t first_child, next; /* NODE_NONE: none */
    uint32_t begin, end; /* in the rule's `when` */
    const struct value *literals;
    size_t literal_count;
    const struct pattern *pattern;
};

/* A text with facts in it: pieces one after the other, constant where `slot` is SLOT_NONE. */
struct template_piece {
    struct slice text;
    uint32_t slot;
};

struct template
{
    const struct template_piece *pieces; /* none: the text is `constant` */
    size_t count;
    struct slice constant;
};

struct rule {
    struct rule_info info;
    size_t source; /* index given to rule_set_new() */
    const struct condition *conditions;
    uint32_t condition_count;
    uint32_t root; /* NODE_NONE: always */
    size_t first_condition; /* number of this rule's first condition among all of the set's */
    struct action action; /* as it is when its texts need no facts */
    struct template text;
    unsigned limit_stages; /* where the limits of `limit A, B` are charged */
    const uint32_t *wanted; /* slots to fetch ahead of time, lists after what they need */
    size_t wanted_count;
};

struct used_name {
    enum rule_name_kind kind;
    struct slice name;
};

struct rule_set {
    const struct rules_schema *schema;
    struct arena *arena;
    struct rule *rules; /* by order */
    size_t count;
    struct fact_ref *refs; /* owned, grown while compiling */
    size_t ref_count, ref_room;
    struct pattern **patterns; /* owned; for freeing only */
    size_t pattern_count, pattern_room;
    struct used_name *names; /* owned */
    size_t name_count, name_room;
    uint32_t score_slot; /* SLOT_NONE: no rule asks for it */
    size_t continuing_most, shadow_most; /* actions that one evaluation can collect */
    size_t condition_count;
    const struct action_type *defer; /* what `trouble = defer` does; NULL: no rule has it */
};

bool value_is_empty(const struct value *value);

/* Does asking for it, or for the subject or key of a list, change anything? */
bool slot_has_side_effect(const struct rule_set *set, uint32_t slot);

#endif
