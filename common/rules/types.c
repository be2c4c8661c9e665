/* common/rules/types.c - from the tree as written to conditions that can be evaluated: names become slots, literals the
 * values of the fact's type, and what makes no sense is reported, all of it; see builder.h. */
#include "common/rules/builder.h"

/* The fact left of an operator: its name, type and slot. */
struct subject {
    struct slice name;
    const struct fact_type *type;
    uint32_t slot;
};

static bool is_text_like(enum value_type type)
{
    return type == VALUE_TEXT || type == VALUE_WORD || type == VALUE_DOMAIN ||
           type == VALUE_MAILBOX;
}

static bool subject_read(struct builder *builder, const struct operand *name,
                         struct subject *subject)
{
    subject->name = name->text;
    subject->slot = fact_slot(builder, name->text, name->offset);
    if (subject->slot == SLOT_NONE)
        return false;
    subject->type = builder->set->refs[subject->slot].type;
    return true;
}

static bool check_fact(struct builder *builder, const struct ast_node *node,
                       const struct subject *subject, struct condition *out)
{
    if (subject->type->type != VALUE_BOOLEAN) {
        report_error(&builder->report, node->begin,
                     "%.*s is %s, no condition by itself; say \"%.*s is set\" or compare it",
                     SLICE_ARG(subject->name), value_type_name(subject->type->type),
                     SLICE_ARG(subject->name));
        return false;
    }
    out->kind = CONDITION_TRUE;
    return true;
}

/* Can values of these types be equal? Texts of any kind with a plain text or word; else only the like. */
static bool are_comparable(enum value_type a, enum value_type b)
{
    return a == b || (is_text_like(a) && is_text_like(b) &&
                      (a == VALUE_TEXT || b == VALUE_TEXT || a == VALUE_WORD || b == VALUE_WORD));
}

static bool check_relation(struct builder *builder, const struct ast_node *node,
                           const struct subject *subject)
{
    if (node->relation <= RELATION_NOT_EQUAL || subject->type->type == VALUE_NUMBER)
        return true;
    report_error(&builder->report, node->begin, "%.*s is %s: only numbers are less or greater",
                 SLICE_ARG(subject->name), value_type_name(subject->type->type));
    return false;
}

/* Is the right side the name of a fact? A value of the left fact's own vocabulary is that value. */
static bool names_fact(const struct builder *builder, const struct subject *subject,
                       const struct operand *operand)
{
    struct slice arg;

    return !operand->is_quoted && !literal_is_word(subject->type, operand->text) &&
           fact_find(builder->set->schema, operand->text, &arg) != NULL;
}

static bool check_facts(struct builder *builder, const struct ast_node *node,
                        const struct subject *subject, struct condition *out)
{
    struct subject other;

    if (!subject_read(builder, &node->right, &other))
        return false;
    if (!are_comparable(subject->type->type, other.type->type)) {
        report_error(&builder->report, node->right.offset, "%.*s is %s, %.*s is %s: never equal",
                     SLICE_ARG(subject->name), value_type_name(subject->type->type),
                     SLICE_ARG(other.name), value_type_name(other.type->type));
        return false;
    }
    out->kind = CONDITION_COMPARE_FACTS;
    out->other = other.slot;
    return true;
}

static struct value *literals_new(struct builder *builder, size_t count)
{
    struct value *literals = arena_alloc_array(builder->set->arena, count, sizeof *literals);

    if (literals == NULL)
        report_no_memory(&builder->report);
    return literals;
}

static bool check_compare(struct builder *builder, const struct ast_node *node,
                          const struct subject *subject, struct condition *out)
{
    if (!check_relation(builder, node, subject))
        return false;
    out->relation = node->relation;
    if (names_fact(builder, subject, &node->right))
        return check_facts(builder, node, subject, out);
    struct value *literal = literals_new(builder, 1);
    if (literal == NULL ||
        !literal_read(builder, subject->type, subject->name, &node->right, literal))
        return false;
    out->kind = CONDITION_COMPARE;
    out->literals = literal;
    out->literal_count = 1;
    return true;
}

static bool check_in_set(struct builder *builder, const struct ast *ast,
                         const struct ast_node *node, const struct subject *subject,
                         struct condition *out)
{
    struct value *literals = literals_new(builder, node->item_count);
    bool ok = literals != NULL;

    for (size_t i = 0; literals != NULL && i < node->item_count; i++) {
        const struct operand *item = &ast->items[node->first_item + i];
        if (names_fact(builder, subject, item)) {
            report_error(
                &builder->report, item->offset,
                "%.*s is a fact; in parentheses stand constants (quote it to mean the text)",
                SLICE_ARG(item->text));
            ok = false;
        } else if (!literal_read(builder, subject->type, subject->name, item, &literals[i])) {
            ok = false;
        }
    }
    out->kind = CONDITION_IN_SET;
    out->literals = literals;
    out->literal_count = node->item_count;
    return ok;
}

static bool check_listable(struct builder *builder, const struct subject *subject, size_t offset)
{
    enum value_type type = subject->type->type;

    if (type != VALUE_NUMBER && type != VALUE_BOOLEAN)
        return true;
    report_error(&builder->report, offset, "%.*s is %s: lists and maps hold addresses and names",
                 SLICE_ARG(subject->name), value_type_name(type));
    return false;
}

static bool check_member(struct builder *builder, const struct ast_node *node,
                         const struct subject *subject, struct condition *out)
{
    struct subject key = { .slot = SLOT_NONE };
    bool ok = check_listable(builder, subject, node->fact.offset);

    if (node->key.text.ptr != NULL)
        ok = subject_read(builder, &node->key, &key) &&
             check_listable(builder, &key, node->key.offset) && ok;
    enum fact_kind kind = node->kind == NODE_IN_LIST ? FACT_IN_LIST : FACT_IN_MAP;
    out->kind = CONDITION_MEMBER;
    out->slot = set_slot(builder, kind, &node->right, subject->slot, key.slot);
    return ok && out->slot != SLOT_NONE;
}

static bool pattern_keep(struct builder *builder, struct pattern *pattern)
{
    struct rule_set *set = builder->set;

    if (!grow(&set->patterns, set->pattern_count, &set->pattern_room, sizeof(struct pattern *))) {
        pattern_free(&pattern);
        report_no_memory(&builder->report);
        return false;
    }
    set->patterns[set->pattern_count++] = pattern;
    return true;
}

static bool check_matches(struct builder *builder, const struct ast_node *node,
                          const struct subject *subject, struct condition *out)
{
    char error[PATTERN_ERROR_MAX];
    size_t offset;

    if (!is_text_like(subject->type->type)) {
        report_error(&builder->report, node->begin, "%.*s is %s: only texts match a pattern",
                     SLICE_ARG(subject->name), value_type_name(subject->type->type));
        return false;
    }
    struct pattern *pattern =
        pattern_new(node->right.text, subject->type->type != VALUE_TEXT, error, &offset);
    if (pattern == NULL) {
        report_error(&builder->report, node->right.offset + 1 + offset, "%s", error);
        return false;
    }
    out->kind = CONDITION_MATCHES;
    out->pattern = pattern;
    return pattern_keep(builder, pattern);
}

static bool check_is(struct builder *builder, const struct ast_node *node,
                     const struct subject *subject, struct condition *out)
{
    if (subject->type->type == VALUE_BOOLEAN) {
        report_error(&builder->report, node->begin, "%.*s is yes or no, never empty",
                     SLICE_ARG(subject->name));
        return false;
    }
    out->kind = CONDITION_SET;
    out->is_negated = node->is_negated != (node->kind == NODE_IS_EMPTY);
    return true;
}

static bool check_test(struct builder *builder, const struct ast *ast, const struct ast_node *node,
                       struct condition *out)
{
    struct subject subject;

    if (!subject_read(builder, &node->fact, &subject))
        return false;
    out->slot = subject.slot;
    switch (node->kind) {
    case NODE_FACT:
        return check_fact(builder, node, &subject, out);
    case NODE_COMPARE:
        return check_compare(builder, node, &subject, out);
    case NODE_IN_SET:
        return check_in_set(builder, ast, node, &subject, out);
    case NODE_IN_LIST:
    case NODE_IN_MAP:
        return check_member(builder, node, &subject, out);
    case NODE_MATCHES:
        return check_matches(builder, node, &subject, out);
    case NODE_IS_SET:
    case NODE_IS_EMPTY:
        return check_is(builder, node, &subject, out);
    case NODE_AND:
    case NODE_OR:
    case NODE_NOT:
        break;
    }
    return false;
}

static bool check_node(struct builder *builder, const struct ast *ast, const struct ast_node *node,
                       struct condition *out)
{
    *out = (struct condition){ .is_negated = node->is_negated,
                               .slot = SLOT_NONE,
                               .other = SLOT_NONE,
                               .first_child = node->first_child,
                               .next = node->next,
                               .begin = (uint32_t)node->begin,
                               .end = (uint32_t)node->end };
    switch (node->kind) {
    case NODE_AND:
        out->kind = CONDITION_AND;
        return true;
    case NODE_OR:
        out->kind = CONDITION_OR;
        return true;
    case NODE_NOT:
        out->kind = CONDITION_NOT;
        return true;
    case NODE_FACT:
    case NODE_COMPARE:
    case NODE_IN_SET:
    case NODE_IN_LIST:
    case NODE_IN_MAP:
    case NODE_MATCHES:
    case NODE_IS_SET:
    case NODE_IS_EMPTY:
        break;
    }
    return check_test(builder, ast, node, out);
}

/* Marks what may not be evaluated before its turn, from the leaves up. The depth is bounded by the parser. */
static bool mark_side_effects(const struct rule_set *set, struct condition *conditions, uint32_t at)
{
    struct condition *condition = &conditions[at];

    if (condition->slot != SLOT_NONE)
        condition->has_side_effect = slot_has_side_effect(set, condition->slot);
    if (condition->other != SLOT_NONE && slot_has_side_effect(set, condition->other))
        condition->has_side_effect = true;
    for (uint32_t child = condition->first_child; child != NODE_NONE;
         child = conditions[child].next)
        if (mark_side_effects(set, conditions, child))
            condition->has_side_effect = true;
    return condition->has_side_effect;
}

bool condition_compile(struct builder *builder, struct rule *rule)
{
    struct ast ast;
    bool ok = true;

    if (!ast_parse(rule->info.when, builder->scratch, &builder->report, &ast))
        return false;
    struct condition *conditions =
        arena_alloc_array(builder->set->arena, ast.node_count, sizeof *conditions);
    if (conditions == NULL) {
        report_no_memory(&builder->report);
        return false;
    }
    for (size_t i = 0; i < ast.node_count; i++)
        if (!check_node(builder, &ast, &ast.nodes[i], &conditions[i]))
            ok = false;
    if (!ok)
        return false;
    mark_side_effects(builder->set, conditions, ast.root);
    rule->conditions = conditions;
    rule->condition_count = (uint32_t)ast.node_count;
    rule->root = ast.root;
    return true;
}
