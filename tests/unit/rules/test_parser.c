#include "common/rules/ast.h"

#include "tests/unit/unit.h"

static void put_operand(struct buf *out, const struct operand *operand)
{
    if (operand->text.ptr != NULL)
        buf_printf(out, operand->is_quoted ? " \"%.*s\"" : " %.*s", SLICE_ARG(operand->text));
}

/* The tree in prefix form: (and a (not b)). */
static void put_node(struct buf *out, const struct ast *ast, uint32_t at)
{
    static const char *const names[] = { "and",  "or",  "not",     "fact", "compare", "in",
                                         "list", "map", "matches", "set",  "empty" };
    static const char *const relations[] = { "=", "!=", "<", "<=", ">", ">=" };
    const struct ast_node *node = &ast->nodes[at];

    buf_printf(out, "(%s%s", node->is_negated ? "!" : "",
               node->kind == NODE_COMPARE ? relations[node->relation] : names[node->kind]);
    put_operand(out, &node->fact);
    put_operand(out, &node->right);
    put_operand(out, &node->key);
    for (size_t i = 0; i < node->item_count; i++)
        put_operand(out, &ast->items[node->first_item + i]);
    for (uint32_t child = node->first_child; child != NODE_NONE; child = ast->nodes[child].next) {
        buf_put(out, " ");
        put_node(out, ast, child);
    }
    buf_put(out, ")");
}

static const struct {
    const char *text, *tree;
} cases[] = {
    { "a", "(fact a)" },
    { "not a", "(not (fact a))" },
    { "a and b and c", "(and (fact a) (fact b) (fact c))" },
    { "a or b and c or d", "(or (fact a) (and (fact b) (fact c)) (fact d))" },
    { "(a or b) and c", "(and (or (fact a) (fact b)) (fact c))" },
    { "a and (b and c)", "(and (fact a) (and (fact b) (fact c)))" },
    { "not a or not (b or c)", "(or (not (fact a)) (not (or (fact b) (fact c))))" },
    { "not not a", "(not (not (fact a)))" },
    { "((a))", "(fact a)" },
    { "a = b", "(= a b)" },
    { "a != \"b\"", "(!= a \"b\")" },
    { "a<1 or a<=2 or a>3 or a>=4", "(or (< a 1) (<= a 2) (> a 3) (>= a 4))" },
    { "a in (b)", "(in a b)" },
    { "a not in (b, \"c d\", e) and f in (g)", "(and (!in a b \"c d\" e) (in f g))" },
    { "a in list:b", "(list a b)" },
    { "a not in list:b/{c}", "(!list a b c)" },
    { "a in map:b/{c}", "(map a b c)" },
    { "a matches \"x*\"", "(matches a \"x*\")" },
    { "a not matches \"x*\"", "(!matches a \"x*\")" },
    { "a is set", "(set a)" },
    { "a is not empty", "(!empty a)" },
    { "a is empty and b is not set", "(and (empty a) (!set b))" },
    { "a = set", "(= a set)" },
    { "a = \"and\"", "(= a \"and\")" },
    { "set = empty", "(= set empty)" },
};

static void builds_the_tree(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(200);
        struct report report = { .errors = NULL };
        struct ast ast;

        if (!ast_parse(slice_of(cases[i].text), arena, &report, &ast))
            fail_msg("%s", cases[i].text);
        put_node(&out, &ast, ast.root);
        assert_string_equal(cases[i].tree, buf_text(&out));
    }
    arena_free(&arena);
}

static void knows_where_each_part_stands(UNUSED void **state)
{
    static const char text[] = "(aa or bb = \"c\") and not dd in (ee)";
    static const struct {
        enum node_kind kind;
        const char *text;
    } want[] = {
        { NODE_AND, text },
        { NODE_OR, "aa or bb = \"c\"" },
        { NODE_FACT, "aa" },
        { NODE_COMPARE, "bb = \"c\"" },
        { NODE_NOT, "not dd in (ee)" },
        { NODE_IN_SET, "dd in (ee)" },
    };
    struct arena *arena = arena_new(1 << 20);
    struct report report = { .errors = NULL };
    struct ast ast;
    size_t found = 0;

    assert_true(ast_parse(slice_of(text), arena, &report, &ast));
    assert_int_equal(COUNT(want), ast.node_count);
    for (size_t i = 0; i < COUNT(want); i++)
        for (size_t n = 0; n < ast.node_count; n++)
            if (ast.nodes[n].kind == want[i].kind) {
                assert_slice(want[i].text, slice_part(slice_of(text), ast.nodes[n].begin,
                                                      ast.nodes[n].end - ast.nodes[n].begin));
                found++;
            }
    assert_int_equal(COUNT(want), found);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_the_tree),
        cmocka_unit_test(knows_where_each_part_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
