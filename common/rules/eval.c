/* common/rules/eval.c - evaluates a rule set; see rules.h.
 *
 * Outcomes are Kleene's three and "missing": a fact that is not there yet. Missing behaves as "could still be anything":
 * `false and missing` is false, `true and missing` is missing. So whatever facts are there, an evaluation either waits or
 * ends as it would with all of them. Behind a missing part nothing new is asked for: the caller fetches all that the
 * rules could need at once (see rules_wanted). A missing part with a side effect is not skipped over: whether it is ever
 * asked for must not depend on the order in which facts arrive. */
#include "common/rules/eval.h"

#include "common/mail/address.h"
#include "common/rules/trace.h"

enum outcome {
    OUTCOME_FALSE = TRACE_FALSE,
    OUTCOME_TRUE = TRACE_TRUE,
    OUTCOME_UNKNOWN = TRACE_UNKNOWN,
    OUTCOME_MISSING = TRACE_WAITS,
};

static enum outcome outcome_of(bool yes)
{
    return yes ? OUTCOME_TRUE : OUTCOME_FALSE;
}

static enum outcome negate(enum outcome outcome)
{
    if (outcome == OUTCOME_TRUE)
        return OUTCOME_FALSE;
    return outcome == OUTCOME_FALSE ? OUTCOME_TRUE : outcome;
}

enum fact_state evaluation_fact(struct evaluation *evaluation, uint32_t slot, bool ask,
                                struct value *out)
{
    enum fact_state state = FACT_KNOWN;

    if (slot == evaluation->set->score_slot)
        *out = (struct value){ .type = VALUE_NUMBER, .number = evaluation->verdict->score };
    else
        state = evaluation->facts->get(evaluation->facts, slot, ask, out);
    if (evaluation->trace != NULL)
        trace_fact_seen(evaluation->trace, evaluation->rule_at, slot, state, out);
    return state;
}

/* What a fact that has no value makes of its test. */
static enum outcome outcome_without(enum fact_state state)
{
    return state == FACT_MISSING ? OUTCOME_MISSING : OUTCOME_UNKNOWN;
}

/* ---- values ---- */

enum { NOT_ORDERED = 2 };

/* -1, 0, 1; differences of less than half a thousandth are none. */
static int compare_numbers(double a, double b)
{
    double difference = a - b;

    if (difference < 0.0005 && difference > -0.0005)
        return 0;
    return difference < 0 ? -1 : 1;
}

/* Does `domain` equal `wanted` or, with a dot before it, lie below it? */
static bool domain_fits(struct slice domain, struct slice wanted)
{
    if (!slice_starts_with(wanted, SLICE(".")))
        return slice_equal(domain, wanted);
    return slice_equal(domain, slice_skip(wanted, 1)) || slice_ends_with(domain, wanted);
}

/* Is the value what the literal says: equal, in the network, at or below the domain? */
static bool is_literal(const struct value *value, const struct value *literal)
{
    switch (literal->type) {
    case VALUE_WORD:
        return slice_equal_nocase(value->text, literal->text);
    case VALUE_NUMBER:
        return compare_numbers(value->number, literal->number) == 0;
    case VALUE_BOOLEAN:
        return value->boolean == literal->boolean;
    case VALUE_ADDRESS:
        return ipnet_contains(&literal->net, &value->net);
    case VALUE_DOMAIN:
        return domain_fits(value->text, literal->text);
    case VALUE_MAILBOX:
        if (slice_starts_with(literal->text, SLICE("@")))
            return domain_fits(address_domain(value->text), slice_skip(literal->text, 1));
        return slice_equal(value->text, literal->text);
    case VALUE_TEXT:
        break;
    }
    return slice_equal(value->text, literal->text);
}

static bool relation_holds(enum relation relation, int order)
{
    switch (relation) {
    case RELATION_EQUAL:
        return order == 0;
    case RELATION_NOT_EQUAL:
        return order != 0;
    case RELATION_LESS:
        return order == -1;
    case RELATION_LESS_EQUAL:
        return order == -1 || order == 0;
    case RELATION_GREATER:
        return order == 1;
    case RELATION_GREATER_EQUAL:
        return order == 1 || order == 0;
    }
    return false;
}

/* Of two facts. Two empty ones are equal; an empty one and another are not, and neither is less. */
static int compare_values(const struct value *a, const struct value *b)
{
    bool equal;

    if (value_is_empty(a) || value_is_empty(b))
        return value_is_empty(a) && value_is_empty(b) ? 0 : NOT_ORDERED;
    if (a->type == VALUE_NUMBER)
        return compare_numbers(a->number, b->number);
    if (a->type == VALUE_BOOLEAN)
        equal = a->boolean == b->boolean;
    else if (a->type == VALUE_ADDRESS)
        equal = ipnet_contains(&b->net, &a->net);
    else if (a->type == VALUE_TEXT && b->type == VALUE_TEXT)
        equal = slice_equal(a->text, b->text);
    else
        equal = slice_equal_nocase(a->text, b->text);
    return equal ? 0 : NOT_ORDERED;
}

/* ---- conditions ---- */

static enum outcome eval_condition(struct evaluation *evaluation, uint32_t at, bool ask);

/* `and` is decided by a false part, `or` by a true one. */
static enum outcome eval_parts(struct evaluation *evaluation, const struct condition *condition,
                               bool ask)
{
    const struct condition *conditions = evaluation->rule->conditions, *part;
    enum outcome decisive = outcome_of(condition->kind == CONDITION_OR);
    enum outcome result = negate(decisive);
    bool is_missing = false;

    for (uint32_t at = condition->first_child; at != NODE_NONE; at = part->next) {
        part = &conditions[at];
        enum outcome outcome = eval_condition(evaluation, at, ask && !is_missing);
        if (outcome == decisive)
            return decisive;
        if (outcome == OUTCOME_MISSING && part->has_side_effect)
            return OUTCOME_MISSING;
        if (outcome == OUTCOME_MISSING)
            is_missing = true;
        else if (outcome == OUTCOME_UNKNOWN)
            result = OUTCOME_UNKNOWN;
    }
    return is_missing ? OUTCOME_MISSING : result;
}

static enum outcome eval_compare(const struct condition *condition, const struct value *value)
{
    const struct value *literal = condition->literals;
    int order = NOT_ORDERED;

    if (value_is_empty(value))
        order = NOT_ORDERED;
    else if (value->type == VALUE_NUMBER)
        order = compare_numbers(value->number, literal->number);
    else if (is_literal(value, literal))
        order = 0;
    return outcome_of(relation_holds(condition->relation, order));
}

static enum outcome eval_facts(struct evaluation *evaluation, const struct condition *condition,
                               bool ask)
{
    struct value value, other;
    enum fact_state state = evaluation_fact(evaluation, condition->slot, ask, &value);
    enum fact_state other_state = evaluation_fact(evaluation, condition->other, ask, &other);

    if (state == FACT_MISSING || other_state == FACT_MISSING)
        return OUTCOME_MISSING;
    if (state == FACT_UNKNOWN || other_state == FACT_UNKNOWN)
        return OUTCOME_UNKNOWN;
    return outcome_of(relation_holds(condition->relation, compare_values(&value, &other)));
}

/* An empty subject is in no list, an empty key has no list. */
static enum outcome eval_member(struct evaluation *evaluation, const struct condition *condition,
                                bool ask)
{
    const struct fact_ref *ref = &evaluation->set->refs[condition->slot];
    size_t needs[2] = { ref->subject, ref->key };
    struct value value;

    for (size_t i = 0; i < COUNT(needs) && needs[i] != FACT_NONE; i++) {
        enum fact_state state = evaluation_fact(evaluation, (uint32_t)needs[i], ask, &value);
        if (state != FACT_KNOWN)
            return outcome_without(state);
        if (value_is_empty(&value))
            return OUTCOME_FALSE;
    }
    enum fact_state state = evaluation_fact(evaluation, condition->slot, ask, &value);
    return state == FACT_KNOWN ? outcome_of(value.boolean) : outcome_without(state);
}

static enum outcome eval_in_set(const struct condition *condition, const struct value *value)
{
    if (value_is_empty(value))
        return OUTCOME_FALSE;
    for (size_t i = 0; i < condition->literal_count; i++)
        if (is_literal(value, &condition->literals[i]))
            return OUTCOME_TRUE;
    return OUTCOME_FALSE;
}

static enum outcome eval_matches(const struct condition *condition, const struct value *value)
{
    struct slice text = value_is_empty(value) ? SLICE("") : value->text;

    switch (pattern_match(condition->pattern, text)) {
    case PATTERN_NO:
        return OUTCOME_FALSE;
    case PATTERN_YES:
        return OUTCOME_TRUE;
    case PATTERN_GAVE_UP:
        break;
    }
    return OUTCOME_UNKNOWN;
}

static enum outcome eval_fact(struct evaluation *evaluation, const struct condition *condition,
                              bool ask)
{
    struct value value;
    enum fact_state state = evaluation_fact(evaluation, condition->slot, ask, &value);

    if (state != FACT_KNOWN)
        return outcome_without(state);
    if (condition->kind == CONDITION_COMPARE)
        return eval_compare(condition, &value);
    if (condition->kind == CONDITION_IN_SET)
        return eval_in_set(condition, &value);
    if (condition->kind == CONDITION_MATCHES)
        return eval_matches(condition, &value);
    if (condition->kind == CONDITION_SET)
        return outcome_of(!value_is_empty(&value));
    return outcome_of(value.boolean && !value.is_empty);
}

static enum outcome eval_condition(struct evaluation *evaluation, uint32_t at, bool ask)
{
    const struct condition *condition = &evaluation->rule->conditions[at];
    enum outcome outcome = OUTCOME_UNKNOWN;

    switch (condition->kind) {
    case CONDITION_AND:
    case CONDITION_OR:
        outcome = eval_parts(evaluation, condition, ask);
        break;
    case CONDITION_NOT:
        outcome = negate(eval_condition(evaluation, condition->first_child, ask));
        break;
    case CONDITION_COMPARE_FACTS:
        outcome = eval_facts(evaluation, condition, ask);
        break;
    case CONDITION_MEMBER:
        outcome = eval_member(evaluation, condition, ask);
        break;
    case CONDITION_TRUE:
    case CONDITION_COMPARE:
    case CONDITION_IN_SET:
    case CONDITION_MATCHES:
    case CONDITION_SET:
        outcome = eval_fact(evaluation, condition, ask);
        break;
    }
    if (condition->is_negated)
        outcome = negate(outcome);
    if (evaluation->trace != NULL)
        trace_condition_result(evaluation->trace, evaluation->rule_at, at,
                               (enum trace_result)outcome);
    return outcome;
}

/* ---- actions ---- */

enum act_result {
    ACT_GO_ON,
    ACT_FINAL, /* the evaluation is over */
    ACT_MISSING,
    ACT_TROUBLE, /* the text came out as something the action cannot use */
    ACT_NO_MEMORY,
};

/* The next free place among `*actions`, of which there are `most`. */
static struct action *action_add(struct evaluation *evaluation, struct action **actions,
                                 size_t most, size_t *count)
{
    if (*actions == NULL)
        *actions = arena_alloc_array(evaluation->arena, most, sizeof **actions);
    return *actions == NULL ? NULL : &(*actions)[(*count)++];
}

/* Puts the action where it belongs in the verdict. */
static enum act_result action_keep(struct evaluation *evaluation, const struct action *action)
{
    const struct rule_set *set = evaluation->set;
    struct verdict *verdict = evaluation->verdict;
    struct action *kept;

    if (evaluation->rule->info.mode == RULE_SHADOW) {
        kept =
            action_add(evaluation, &evaluation->shadow, set->shadow_most, &verdict->shadow_count);
        verdict->shadow = evaluation->shadow;
    } else if (action->type->kind == ACTION_CONTINUES) {
        kept = action_add(evaluation, &evaluation->continuing, set->continuing_most,
                          &verdict->continuing_count);
        verdict->continuing = evaluation->continuing;
        if (action->type->argument == ARG_NUMBER)
            verdict->score += action->number;
    } else {
        verdict->final = kept = arena_alloc(evaluation->arena, sizeof *kept);
    }
    if (kept == NULL)
        return ACT_NO_MEMORY;
    *kept = *action;
    if (evaluation->trace != NULL)
        trace_action(evaluation->trace, evaluation->rule_at, kept);
    return verdict->final != NULL ? ACT_FINAL : ACT_GO_ON;
}

/* Only a plain address may name where mail goes: one that could be read as several, or as a phrase, may not. */
static bool is_mailbox(struct evaluation *evaluation, struct slice text)
{
    struct slice normal;

    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_print(text.ptr[i]) || strchr(" \"(),:;<>[]\\", text.ptr[i]) != NULL)
            return false;
    return address_normalise_mailbox(text, evaluation->arena, &normal) == ADDRESS_NORMAL &&
           address_is_valid_mailbox(normal);
}

static enum act_result act(struct evaluation *evaluation)
{
    const struct rule *rule = evaluation->rule;
    struct action action = rule->action;
    bool is_address = action.type->argument == ARG_MAILBOX;

    if (rule->text.count == 0)
        return action_keep(evaluation, &action);
    switch (template_expand(&rule->text, evaluation, &action.text)) {
    case TEMPLATE_MISSING:
        return ACT_MISSING;
    case TEMPLATE_NO_MEMORY:
        return ACT_NO_MEMORY;
    case TEMPLATE_UNKNOWN:
        if (is_address)
            return ACT_TROUBLE;
        break;
    case TEMPLATE_OK:
        if (is_address && !is_mailbox(evaluation, action.text))
            return ACT_TROUBLE;
        break;
    }
    return action_keep(evaluation, &action);
}

/* The final action that `trouble = defer` stands for. */
static enum act_result act_defer(struct evaluation *evaluation)
{
    const struct action action = { .type = evaluation->set->defer,
                                   .rule = evaluation->rule_at,
                                   .code = 451,
                                   .enhanced = SLICE("4.3.0"),
                                   .text = SLICE("Temporary lookup problem") };
    enum act_result result = action_keep(evaluation, &action);

    evaluation->verdict->is_trouble = result == ACT_FINAL;
    return result;
}

static bool note_trouble(struct evaluation *evaluation)
{
    struct verdict *verdict = evaluation->verdict;
    size_t *troubled = evaluation->troubled;

    if (troubled == NULL)
        troubled = arena_alloc_array(evaluation->arena, evaluation->set->count, sizeof *troubled);
    if (troubled == NULL)
        return false;
    troubled[verdict->troubled_count++] = evaluation->rule_at;
    verdict->troubled = evaluation->troubled = troubled;
    return true;
}

/* The condition came out unknown, or the action (`has_acted`) could not be carried out. */
static enum act_result act_in_trouble(struct evaluation *evaluation, bool has_acted)
{
    enum rule_trouble trouble = evaluation->rule->info.trouble;

    if (!note_trouble(evaluation))
        return ACT_NO_MEMORY;
    if (trouble == TROUBLE_DEFER)
        return act_defer(evaluation);
    if (trouble == TROUBLE_SKIP || has_acted)
        return ACT_GO_ON;
    enum act_result result = act(evaluation);
    return result == ACT_TROUBLE ? ACT_GO_ON : result; /* noted already */
}

static enum act_result eval_rule(struct evaluation *evaluation)
{
    uint32_t root = evaluation->rule->root;
    enum outcome outcome =
        root == NODE_NONE ? OUTCOME_TRUE : eval_condition(evaluation, root, true);
    enum act_result result = ACT_GO_ON;

    if (evaluation->trace != NULL)
        trace_rule_result(evaluation->trace, evaluation->rule_at, (enum trace_result)outcome);
    if (outcome == OUTCOME_MISSING)
        return ACT_MISSING;
    if (outcome == OUTCOME_UNKNOWN)
        return act_in_trouble(evaluation, false);
    if (outcome == OUTCOME_TRUE)
        result = act(evaluation);
    return result == ACT_TROUBLE ? act_in_trouble(evaluation, true) : result;
}

enum eval_result rules_eval(const struct rule_set *set, enum stage stage, struct fact_source *facts,
                            struct arena *arena, struct verdict *verdict, struct trace *trace)
{
    struct evaluation evaluation = {
        .set = set, .facts = facts, .arena = arena, .verdict = verdict, .trace = trace
    };

    *verdict = (struct verdict){ .final = NULL };
    if (trace != NULL)
        trace_begin(trace, set, stage);
    for (size_t i = 0; i < set->count; i++) {
        evaluation.rule = &set->rules[i];
        evaluation.rule_at = i;
        if ((evaluation.rule->info.stages & stage) == 0)
            continue;
        enum act_result result = eval_rule(&evaluation);
        if (result == ACT_FINAL)
            break;
        if (result == ACT_NO_MEMORY)
            return EVAL_NO_MEMORY;
        if (result == ACT_MISSING) {
            if (trace != NULL)
                trace_rule_result(trace, i, TRACE_WAITS);
            verdict->waits_on = i;
            return EVAL_WAIT;
        }
    }
    return EVAL_DONE;
}
