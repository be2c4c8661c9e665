/* common/rules/parser.c - recursive descent, one function per line of the grammar:
 *
 *     any     = all { "or" all }
 *     all     = factor { "and" factor }
 *     factor  = "not" factor | "(" any ")" | test
 *     test    = FACT [ relation operand | ["not"] "in" set | ["not"] "matches" STRING | "is" ["not"] ("set" | "empty") ]
 *     set     = "(" operand { "," operand } ")" | list:NAME | list:NAME/{FACT} | map:NAME/{FACT}
 *
 * A function that fails has reported why and returns NODE_NONE (or false). */
#include "common/rules/ast.h"

struct parser {
    const struct token *token; /* the next one */
    struct ast *ast;
    struct report *report;
    size_t depth;
};

static uint32_t parse_any(struct parser *parser);

static bool at_word(const struct parser *parser, const char *word)
{
    return parser->token->kind == TOKEN_WORD && slice_equal(parser->token->text, slice_of(word));
}

static bool accept_word(struct parser *parser, const char *word)
{
    if (!at_word(parser, word))
        return false;
    parser->token++;
    return true;
}

/* Reports what was expected where the next token is. */
static void expected(struct parser *parser, const char *what)
{
    const struct token *token = parser->token;

    if (token->kind == TOKEN_END)
        report_error(parser->report, token->begin, "the condition ends where %s is expected", what);
    else
        report_error(parser->report, token->begin, "%s is expected, not \"%.*s\"", what,
                     SLICE_ARG(slice_part(token->text, 0, 60)));
}

/* There are fewer nodes and items than tokens: both arrays were made that long. */
static uint32_t node_add(struct parser *parser, enum node_kind kind, size_t begin)
{
    struct ast *ast = parser->ast;
    uint32_t at = (uint32_t)ast->node_count++;

    ast->nodes[at] = (struct ast_node){
        .kind = kind, .first_child = NODE_NONE, .next = NODE_NONE, .begin = begin
    };
    return at;
}

static uint32_t node_end(struct parser *parser, uint32_t at)
{
    parser->ast->nodes[at].end = parser->token[-1].end;
    return at;
}

static bool is_keyword(struct slice word)
{
    static const char *const keywords[] = { "and", "or", "not", "in", "is", "matches" };

    for (size_t i = 0; i < COUNT(keywords); i++)
        if (slice_equal(word, slice_of(keywords[i])))
            return true;
    return false;
}

/* A literal or the name of a fact; keywords need quotes. */
static bool parse_operand(struct parser *parser, struct operand *out)
{
    const struct token *token = parser->token;

    if (token->kind != TOKEN_STRING && (token->kind != TOKEN_WORD || is_keyword(token->text))) {
        expected(parser, "a value");
        return false;
    }
    *out = (struct operand){ token->text, token->begin, token->kind == TOKEN_STRING };
    parser->token++;
    return true;
}

static bool parse_items(struct parser *parser, struct ast_node *node)
{
    struct ast *ast = parser->ast;

    parser->token++; /* the parenthesis */
    node->kind = NODE_IN_SET;
    node->first_item = ast->item_count;
    do {
        if (!parse_operand(parser, &ast->items[ast->item_count]))
            return false;
        ast->item_count++;
        node->item_count++;
    } while (parser->token->kind == TOKEN_COMMA && parser->token++ != NULL);
    if (parser->token->kind != TOKEN_CLOSE) {
        expected(parser, "\",\" or \")\"");
        return false;
    }
    parser->token++;
    return true;
}

/* list:NAME, list:NAME/{fact}, map:NAME/{fact} */
static bool parse_named_set(struct parser *parser, struct ast_node *node)
{
    const struct token *token = parser->token;
    bool is_list = slice_starts_with(token->text, SLICE("list:"));
    size_t prefix = is_list ? strlen("list:") : strlen("map:");
    struct slice name = slice_skip(token->text, prefix);
    bool has_key = slice_ends_with(name, SLICE("/"));

    node->kind = is_list ? NODE_IN_LIST : NODE_IN_MAP;
    parser->token++;
    if (has_key)
        name.len--;
    if (name.len == 0) {
        report_error(parser->report, token->begin + prefix, "the name of the %s is missing",
                     is_list ? "list" : "map");
        return false;
    }
    node->right = (struct operand){ name, token->begin + prefix, false };
    if (has_key != (parser->token->kind == TOKEN_BRACED) || (!is_list && !has_key)) {
        report_error(parser->report, token->end, "%s",
                     is_list ? "a list is written list:NAME or list:NAME/{fact}"
                             : "a map is written map:NAME/{fact}");
        return false;
    }
    if (has_key) {
        node->key = (struct operand){ parser->token->text, parser->token->begin + 1, false };
        parser->token++;
    }
    return true;
}

static bool parse_set(struct parser *parser, struct ast_node *node)
{
    const struct token *token = parser->token;

    if (token->kind == TOKEN_OPEN)
        return parse_items(parser, node);
    if (token->kind == TOKEN_WORD && (slice_starts_with(token->text, SLICE("list:")) ||
                                      slice_starts_with(token->text, SLICE("map:"))))
        return parse_named_set(parser, node);
    expected(parser, "(a, b), list:NAME or map:NAME/{fact}");
    return false;
}

static bool parse_pattern(struct parser *parser, struct ast_node *node)
{
    node->kind = NODE_MATCHES;
    if (parser->token->kind != TOKEN_STRING) {
        expected(parser, "a pattern in quotes");
        return false;
    }
    return parse_operand(parser, &node->right);
}

static bool parse_is(struct parser *parser, struct ast_node *node)
{
    node->is_negated = accept_word(parser, "not");
    if (at_word(parser, "set") || at_word(parser, "empty")) {
        node->kind = at_word(parser, "set") ? NODE_IS_SET : NODE_IS_EMPTY;
        parser->token++;
        return true;
    }
    expected(parser, "\"set\" or \"empty\"");
    return false;
}

static bool parse_relation(struct parser *parser, struct ast_node *node)
{
    node->kind = NODE_COMPARE;
    node->relation = (enum relation)(parser->token->kind - TOKEN_EQUAL);
    parser->token++;
    return parse_operand(parser, &node->right);
}

/* What follows the fact of a test, if anything does. */
static bool parse_rest(struct parser *parser, struct ast_node *node)
{
    if (parser->token->kind >= TOKEN_EQUAL)
        return parse_relation(parser, node);
    if (accept_word(parser, "is"))
        return parse_is(parser, node);
    node->is_negated = accept_word(parser, "not");
    if (accept_word(parser, "in"))
        return parse_set(parser, node);
    if (accept_word(parser, "matches"))
        return parse_pattern(parser, node);
    if (node->is_negated) {
        expected(parser, "\"in\" or \"matches\"");
        return false;
    }
    return true; /* the fact by itself */
}

static uint32_t parse_test(struct parser *parser)
{
    const struct token *token = parser->token;

    if (token->kind != TOKEN_WORD || is_keyword(token->text)) {
        expected(parser,
                 token->kind == TOKEN_STRING ? "the name of a fact, without quotes," : "a fact");
        return NODE_NONE;
    }
    uint32_t at = node_add(parser, NODE_FACT, token->begin);
    struct ast_node *node = &parser->ast->nodes[at];
    node->fact = (struct operand){ token->text, token->begin, false };
    parser->token++;
    return parse_rest(parser, node) ? node_end(parser, at) : NODE_NONE;
}

static uint32_t parse_parenthesis(struct parser *parser)
{
    const struct token *open = parser->token++;
    uint32_t at = parse_any(parser);

    if (at == NODE_NONE)
        return at;
    if (parser->token->kind != TOKEN_CLOSE) {
        if (parser->token->kind == TOKEN_END)
            report_error(parser->report, open->begin, "the parenthesis is never closed");
        else
            expected(parser, "\"and\", \"or\" or \")\"");
        return NODE_NONE;
    }
    parser->token++;
    return at;
}

static uint32_t parse_factor(struct parser *parser)
{
    const struct token *token = parser->token;
    uint32_t at;

    if (token->kind != TOKEN_OPEN && !at_word(parser, "not"))
        return parse_test(parser);
    if (++parser->depth > CONDITION_DEPTH_MAX) {
        report_error(parser->report, token->begin, "more than %d levels of \"(\" and \"not\"",
                     (int)CONDITION_DEPTH_MAX);
        return NODE_NONE;
    }
    if (token->kind == TOKEN_OPEN) {
        at = parse_parenthesis(parser);
    } else {
        at = node_add(parser, NODE_NOT, token->begin);
        parser->token++;
        uint32_t child = parse_factor(parser);
        parser->ast->nodes[at].first_child = child;
        at = child == NODE_NONE ? NODE_NONE : node_end(parser, at);
    }
    parser->depth--;
    return at;
}

/* One or more of what `parse` reads, joined by `word`: the one itself, or a node with all as children. */
static uint32_t parse_chain(struct parser *parser, const char *word, enum node_kind kind,
                            uint32_t (*parse)(struct parser *parser))
{
    size_t begin = parser->token->begin;
    uint32_t first = parse(parser), last = first;

    if (first == NODE_NONE || !at_word(parser, word))
        return first;
    uint32_t at = node_add(parser, kind, begin);
    parser->ast->nodes[at].first_child = first;
    while (accept_word(parser, word)) {
        uint32_t next = parse(parser);
        if (next == NODE_NONE)
            return NODE_NONE;
        parser->ast->nodes[last].next = next;
        last = next;
    }
    return node_end(parser, at);
}

static uint32_t parse_all(struct parser *parser)
{
    return parse_chain(parser, "and", NODE_AND, parse_factor);
}

static uint32_t parse_any(struct parser *parser)
{
    return parse_chain(parser, "or", NODE_OR, parse_all);
}

/* After a whole condition something is left: say what could follow. */
static void report_rest(struct parser *parser)
{
    static const char *const words[] = { "and", "or", "not", "in", "is", "matches" };
    const struct token *token = parser->token;
    struct suggest suggest = suggest_for(token->text);

    if (token->kind == TOKEN_CLOSE) {
        report_error(parser->report, token->begin, "there is no \"(\" for this \")\"");
        return;
    }
    for (size_t i = 0; token->kind == TOKEN_WORD && i < COUNT(words); i++)
        suggest_offer(&suggest, slice_of(words[i]));
    report_error(parser->report, token->begin, "\"and\" or \"or\" is expected, not \"%.*s\"%s",
                 SLICE_ARG(slice_part(token->text, 0, 60)), hint_of(&suggest).text);
}

bool ast_parse(struct slice text, struct arena *arena, struct report *report, struct ast *out)
{
    const struct token *tokens = lexer_read(text, arena, report);
    struct parser parser = { .token = tokens, .ast = out, .report = report };
    size_t count = 0;

    if (tokens == NULL)
        return false;
    while (tokens[count].kind != TOKEN_END)
        count++;
    *out = (struct ast){ .nodes = arena_alloc_array(arena, count + 1, sizeof *out->nodes),
                         .items = arena_alloc_array(arena, count + 1, sizeof *out->items) };
    if (out->nodes == NULL || out->items == NULL) {
        report_no_memory(report);
        return false;
    }
    if (count == 0) {
        report_error(report, 0, "the condition is empty; a rule without \"when\" always applies");
        return false;
    }
    out->root = parse_any(&parser);
    if (out->root == NODE_NONE)
        return false;
    if (parser.token->kind == TOKEN_END)
        return true;
    report_rest(&parser);
    return false;
}
