/* common/rules/ast.h - a condition as it was written: names and literals are still texts; types.h makes of it what is
 * evaluated. Private to common/rules. */
#ifndef GATEHOUSE_RULES_AST_H
#define GATEHOUSE_RULES_AST_H

#include "common/rules/lexer.h"

enum node_kind {
    NODE_AND, /* children: two or more */
    NODE_OR,
    NODE_NOT, /* one child */
    NODE_FACT, /* a fact by itself */
    NODE_COMPARE, /* fact, relation, right */
    NODE_IN_SET, /* fact in (items) */
    NODE_IN_LIST, /* fact in list:right/{key} */
    NODE_IN_MAP, /* fact in map:right/{key} */
    NODE_MATCHES, /* fact matches right */
    NODE_IS_SET,
    NODE_IS_EMPTY,
};

enum relation {
    RELATION_EQUAL,
    RELATION_NOT_EQUAL,
    RELATION_LESS,
    RELATION_LESS_EQUAL,
    RELATION_GREATER,
    RELATION_GREATER_EQUAL,
};

struct operand {
    struct slice text; /* absent: there is none */
    size_t offset;
    bool is_quoted;
};

#define NODE_NONE UINT32_MAX

struct ast_node {
    enum node_kind kind;
    enum relation relation;
    bool is_negated; /* `not in`, `not matches`, `is not` */
    struct operand fact, right, key;
    size_t first_item, item_count; /* in ast.items */
    uint32_t first_child, next; /* NODE_NONE: none */
    size_t begin, end; /* offsets in the condition */
};

struct ast {
    struct ast_node *nodes;
    struct operand *items;
    size_t node_count, item_count;
    uint32_t root;
};

/* Reads a condition. `or` binds weakest, then `and`, then `not`. False: the mistake has been reported. The tree lives in
 * `arena`; its texts are borrowed from `text` or in `arena`. */
bool ast_parse(struct slice text, struct arena *arena, struct report *report, struct ast *out);

#endif
