/* Random rule sets over random facts, against an evaluator that is as naive as can be: all facts there, no short cuts, no
 * order. And however the facts arrive, the verdict is the same, and so is what was asked for with a side effect. */
#include "common/rules/rules.h"

#include "tests/fakes/fake_rules.h"
#include "tests/unit/unit.h"

enum { ROUNDS = 3000, RULES_MOST = 6, NODES_MOST = 64, ORDERS = 4 };

static uint64_t random_state;

static unsigned pick(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((random_state >> 33) % below);
}

/* ---- facts: a few texts each, or unknown ---- */

enum fact { AUTHENTICATED, ENCRYPTED, GREYLISTED, SPF, SIZE, SENDER, HELO, BLOCK, FACTS };

static const struct {
    const char *name;
    const char *texts[4];
    unsigned count;
} fact_texts[FACTS] = {
    [AUTHENTICATED] = { "authenticated", { "no", "yes" }, 2 },
    [ENCRYPTED] = { "encrypted", { "no", "yes" }, 2 },
    [GREYLISTED] = { "greylisted", { "no", "yes" }, 2 },
    [SPF] = { "spf", { "", "fail", "pass", "none" }, 4 },
    [SIZE] = { "size", { "", "5", "11" }, 3 },
    [SENDER] = { "sender", { "", "a@b.example", "c@d.example" }, 3 },
    [HELO] = { "helo_name", { "", "mx.x", "mx.y" }, 3 },
    [BLOCK] = { "list:block", { "a@b.example", "x@y.example" }, 2 },
};
#define UNKNOWN 4u /* instead of the number of a text */

/* ---- expressions ---- */

/* What a test comes to for each of its fact's texts; those without a table are computed. */
static const struct leaf {
    const char *text;
    enum fact fact;
    const char *outcomes;
} leaves[] = {
    { "authenticated", AUTHENTICATED, "FT" },
    { "authenticated = no", AUTHENTICATED, "TF" },
    { "encrypted", ENCRYPTED, "FT" },
    { "greylisted", GREYLISTED, "FT" },
    { "spf = fail", SPF, "FTFF" },
    { "spf != FAIL", SPF, "TFTT" },
    { "spf in (pass, none)", SPF, "FFTT" },
    { "spf not in (pass, none)", SPF, "TTFF" },
    { "size > 10", SIZE, "FFT" },
    { "size <= 10", SIZE, "FTF" },
    { "size is empty", SIZE, "TFF" },
    { "sender is set", SENDER, "FTT" },
    { "sender is not set", SENDER, "TFF" },
    { "sender = @b.example", SENDER, "FTF" },
    { "helo_name matches \"*.x\"", HELO, "FTF" },
    { "helo_name not matches \"/x$/\"", HELO, "TFT" },
    { "sender in list:block", BLOCK, NULL },
    { "score >= 2", FACTS, NULL },
};

struct expr {
    enum { LEAF, NOT, AND, OR } kind;
    const struct leaf *leaf;
    const struct expr *left, *right;
};

struct naive_rule {
    const struct expr *when;
    enum { SCORE, WARN, REJECT, ACCEPT } action;
    bool is_shadow;
    enum rule_trouble trouble;
};

struct round {
    struct expr nodes[RULES_MOST * NODES_MOST];
    size_t node_count;
    struct naive_rule rules[RULES_MOST];
    size_t rule_count;
    unsigned facts[FACTS];
};

static const struct expr *random_expr(struct round *round, unsigned depth)
{
    struct expr *expr = &round->nodes[round->node_count++];

    expr->kind = depth == 0 ? LEAF : pick(4);
    if (expr->kind == LEAF)
        expr->leaf = &leaves[pick(COUNT(leaves))];
    if (expr->kind != LEAF)
        expr->left = random_expr(round, depth - 1);
    if (expr->kind == AND || expr->kind == OR)
        expr->right = random_expr(round, depth - 1);
    return expr;
}

/* `around` is the kind of the expression that this one is a part of; LEAF: of none. */
static void write_expr(struct buf *out, const struct expr *expr, int around)
{
    bool is_needed = (expr->kind == OR && around == AND) ||
                     ((expr->kind == AND || expr->kind == OR) && around == NOT);
    bool parens = is_needed || pick(8) == 0;

    buf_put(out, parens ? "(" : "");
    switch (expr->kind) {
    case LEAF:
        buf_put(out, expr->leaf->text);
        break;
    case NOT:
        buf_put(out, "not ");
        write_expr(out, expr->left, NOT);
        break;
    case AND:
    case OR:
        write_expr(out, expr->left, (int)expr->kind);
        buf_put(out, expr->kind == AND ? " and " : " or ");
        write_expr(out, expr->right, (int)expr->kind);
        break;
    }
    buf_put(out, parens ? ")" : "");
}

static char naive_leaf(const struct round *round, const struct leaf *leaf, int score)
{
    if (leaf->outcomes != NULL)
        return round->facts[leaf->fact] == UNKNOWN ? 'U' : leaf->outcomes[round->facts[leaf->fact]];
    if (leaf->fact == FACTS)
        return score >= 2 ? 'T' : 'F';
    if (round->facts[SENDER] == UNKNOWN)
        return 'U';
    if (round->facts[SENDER] == 0)
        return 'F';
    if (round->facts[BLOCK] == UNKNOWN)
        return 'U';
    return round->facts[SENDER] == 1 && round->facts[BLOCK] == 0 ? 'T' : 'F';
}

static char naive_eval(const struct round *round, const struct expr *expr, int score)
{
    char left, right = 'F';

    if (expr->kind == LEAF)
        return naive_leaf(round, expr->leaf, score);
    left = naive_eval(round, expr->left, score);
    if (expr->kind == NOT)
        return left == 'U' ? 'U' : left == 'T' ? 'F' : 'T';
    right = naive_eval(round, expr->right, score);
    if (expr->kind == AND)
        return left == 'F' || right == 'F' ? 'F' : left == 'U' || right == 'U' ? 'U' : 'T';
    return left == 'T' || right == 'T' ? 'T' : left == 'U' || right == 'U' ? 'U' : 'F';
}

/* The verdict as text: "0+ 2s 3! 3F" for rules that continued, acted in the shadow, were in trouble, were final. */
static void naive_verdict(const struct round *round, struct buf *out)
{
    int score = 0;

    for (size_t i = 0; i < round->rule_count; i++) {
        const struct naive_rule *rule = &round->rules[i];
        char outcome = rule->when == NULL ? 'T' : naive_eval(round, rule->when, score);
        bool is_final = rule->action >= REJECT;

        if (outcome == 'U') {
            buf_printf(out, "%zu! ", i);
            is_final |= rule->trouble == TROUBLE_DEFER;
            if (rule->trouble == TROUBLE_SKIP)
                continue;
        }
        if (outcome == 'F')
            continue;
        buf_printf(out, "%zu%c ", i, rule->is_shadow ? 's' : is_final ? 'F' : '+');
        if (rule->is_shadow)
            continue;
        if (is_final)
            return;
        if (rule->action == SCORE)
            score++;
    }
}

static int compare_marks(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void real_verdict(const struct verdict *verdict, struct buf *out)
{
    for (size_t i = 0; i < verdict->troubled_count; i++)
        buf_printf(out, "%zu! ", verdict->troubled[i]);
    for (size_t i = 0; i < verdict->continuing_count; i++)
        buf_printf(out, "%zu+ ", verdict->continuing[i].rule);
    for (size_t i = 0; i < verdict->shadow_count; i++)
        buf_printf(out, "%zus ", verdict->shadow[i].rule);
    if (verdict->final != NULL)
        buf_printf(out, "%zuF ", verdict->final->rule);
}

/* The marks in one order, whoever wrote them. */
static void sort_marks(struct buf *text)
{
    char *marks[4 * RULES_MOST];
    size_t count = 0;
    AUTO_BUF sorted = BUF_INIT(1000);
    char *save = NULL, *copy = strdup(buf_text(text));

    for (char *mark = strtok_r(copy, " ", &save); mark != NULL; mark = strtok_r(NULL, " ", &save))
        marks[count++] = mark;
    qsort(marks, count, sizeof *marks, compare_marks);
    for (size_t i = 0; i < count; i++)
        buf_printf(&sorted, "%s ", marks[i]);
    buf_clear(text);
    buf_add(text, buf_slice(&sorted));
    free(copy);
}

/* ---- rounds ---- */

static void random_round(struct round *round)
{
    *round = (struct round){ .rule_count = 1 + pick(RULES_MOST) };
    for (size_t i = 0; i < round->rule_count; i++)
        round->rules[i] =
            (struct naive_rule){ .when = pick(10) == 0 ? NULL : random_expr(round, 1 + pick(5)),
                                 .action = pick(4),
                                 .is_shadow = pick(4) == 0,
                                 .trouble = pick(3) };
    for (size_t i = 0; i < FACTS; i++)
        round->facts[i] = pick(4) == 0 ? UNKNOWN : pick(fact_texts[i].count);
}

static struct rule_set *round_compile(const struct round *round, struct buf *texts)
{
    static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
    static const char *const actions[] = { "score 1", "warn From {sender}", "reject Size {size}",
                                           "accept" };
    static const char *const troubles[] = { "skip", "match", "defer" };
    struct rule_source sources[RULES_MOST];
    size_t begin[RULES_MOST + 1] = { 0 };
    struct fake_errors errors;

    for (size_t i = 0; i < round->rule_count; i++) {
        if (round->rules[i].when != NULL)
            write_expr(texts, round->rules[i].when, LEAF);
        begin[i + 1] = texts->len;
    }
    for (size_t i = 0; i < round->rule_count; i++) {
        const struct naive_rule *rule = &round->rules[i];
        sources[i] =
            (struct rule_source){ .name = slice_of(names[i]),
                                  .then = slice_of(actions[rule->action]),
                                  .trouble = slice_of(troubles[rule->trouble]),
                                  .mode = rule->is_shadow ? SLICE("shadow") : SLICE("enforce") };
        if (rule->when != NULL)
            sources[i].when = slice_part(buf_slice(texts), begin[i], begin[i + 1] - begin[i]);
    }
    fake_errors_init(&errors);
    struct rule_set *set = rule_set_new(&fake_schema, sources, round->rule_count, &errors.errors);
    if (errors.count > 0)
        fail_msg("%s at %zu: %s", buf_text(texts), errors.first.offset, errors.first.text);
    return set;
}

static void set_facts(const struct round *round, struct fake_facts *facts, bool is_late)
{
    for (size_t i = 0; i < FACTS; i++) {
        unsigned n = round->facts[i];
        fake_facts_set(facts, fact_texts[i].name, n == UNKNOWN ? "?" : fact_texts[i].texts[n]);
        facts->facts[facts->count - 1].is_late = is_late;
    }
}

/* Lets facts that were asked for arrive, and, when `all`, some that nobody has asked for. */
static bool arrive(struct fake_facts *facts, bool all)
{
    bool any = false;

    for (size_t i = 0; i < facts->count; i++) {
        struct fake_fact *fact = &facts->facts[i];
        if (!fact->is_late || (!fact->is_asked && (!all || i == GREYLISTED || pick(3) != 0)))
            continue;
        if (fact->is_asked || all) {
            fact->is_late = false;
            any = true;
        }
    }
    return any;
}

/* Evaluates until it is done, facts coming in by and by. */
static void eval_late(const struct round *round, const struct rule_set *set, bool all,
                      struct buf *out, bool *asked)
{
    struct fake_facts facts;
    struct verdict verdict;
    struct arena *arena = arena_new(1 << 20);
    enum eval_result result;
    size_t runs = 0;

    fake_facts_init(&facts, set);
    set_facts(round, &facts, true);
    if (all)
        arrive(&facts, true);
    while ((result = rules_eval(set, STAGE_RCPT, &facts.source, arena, &verdict, NULL)) ==
           EVAL_WAIT) {
        assert_true(arrive(&facts, all)); /* whoever waits has asked */
        assert_true(++runs <= FACTS);
    }
    assert_int_equal(EVAL_DONE, result);
    real_verdict(&verdict, out);
    *asked = facts.facts[GREYLISTED].is_asked;
    arena_free(&arena);
}

static void check_round(const struct round *round)
{
    AUTO_BUF texts = BUF_INIT(1 << 16);
    AUTO_BUF want = BUF_INIT(1000);
    struct rule_set *set = round_compile(round, &texts);
    bool asked_first = false, asked = false;

    naive_verdict(round, &want);
    sort_marks(&want);
    for (size_t order = 0; order < ORDERS; order++) {
        AUTO_BUF got = BUF_INIT(1000);
        eval_late(round, set, order > 0, &got, &asked);
        sort_marks(&got);
        if (!slice_equal(buf_slice(&want), buf_slice(&got)))
            fail_msg("%s: want %s, got %s", buf_text(&texts), buf_text(&want), buf_text(&got));
        if (order == 0)
            asked_first = asked;
        if (asked != asked_first)
            fail_msg("%s: side effect depends on the order", buf_text(&texts));
    }
    rule_set_free(&set);
}

static void agrees_with_a_naive_evaluator_in_any_order(UNUSED void **state)
{
    struct round *round = malloc(sizeof *round);

    assert_non_null(round);
    for (unsigned i = 0; i < ROUNDS; i++) {
        random_state = i; /* a failing round can be run alone */
        random_round(round);
        check_round(round);
    }
    free(round);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_naive_evaluator_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
