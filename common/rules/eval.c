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

enum fact_state run_fact(struct rules_run *run, uint32_t slot, bool ask, struct value *out)
{
    enum fact_state state = FACT_KNOWN;

    if (slot == run->set->score_slot)
        *out = (struct value){ .type = VALUE_NUMBER, .number = run->verdict->score };
    else
        state = run->facts->get(run->facts, slot, ask, out);
    if (run->trace != NULL)
        trace_fact_seen(run->trace, run->rule_at, slot, state, out);
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
    case VALUE_TEXT:
        break;
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
    }
    return slice_equal_nocase(value->text, literal->text);
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
    else
        equal = slice_equal_nocase(a->text, b->text);
    return equal ? 0 : NOT_ORDERED;
}

/* ---- conditions ---- */

static enum outcome eval_condition(struct rules_run *run, uint32_t at, bool ask);

/* `and` is decided by a false part, `or` by a true one. */
static enum outcome eval_parts(struct rules_run *run, const struct condition *condition, bool ask)
{
    const struct condition *conditions = run->rule->conditions, *part;
    enum outcome decisive = outcome_of(condition->kind == CONDITION_OR);
    enum outcome result = negate(decisive);
    bool is_missing = false;

    for (uint32_t at = condition->first_child; at != NODE_NONE; at = part->next) {
        part = &conditions[at];
        enum outcome outcome = eval_condition(run, at, ask && !is_missing);
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
    enum relation relation = condition->relation;
    bool is_negated = relation == RELATION_NOT_EQUAL, holds = false;

    if (is_negated)
        relation = RELATION_EQUAL; /* of none of the values */
    if (value_is_empty(value))
        return outcome_of(is_negated);
    for (; value != NULL && !holds; value = value->next) {
        int order = is_literal(value, literal) ? 0 : NOT_ORDERED;
        if (value->type == VALUE_NUMBER)
            order = compare_numbers(value->number, literal->number);
        holds = relation_holds(relation, order);
    }
    return outcome_of(holds != is_negated);
}

/* Any value of the one with any of the other. */
static bool any_relation_holds(enum relation relation, const struct value *a, const struct value *b)
{
    for (; a != NULL; a = a->next)
        for (const struct value *other = b; other != NULL; other = other->next)
            if (relation_holds(relation, compare_values(a, other)))
                return true;
    return false;
}

static enum outcome eval_facts(struct rules_run *run, const struct condition *condition, bool ask)
{
    struct value value, other;
    enum fact_state state = run_fact(run, condition->slot, ask, &value);
    enum fact_state other_state = run_fact(run, condition->other, ask, &other);

    if (state == FACT_MISSING || other_state == FACT_MISSING)
        return OUTCOME_MISSING;
    if (state == FACT_UNKNOWN || other_state == FACT_UNKNOWN)
        return OUTCOME_UNKNOWN;
    if (condition->relation == RELATION_NOT_EQUAL)
        return outcome_of(!any_relation_holds(RELATION_EQUAL, &value, &other));
    return outcome_of(any_relation_holds(condition->relation, &value, &other));
}

/* An empty subject is in no list, an empty key has no list. */
static enum outcome eval_member(struct rules_run *run, const struct condition *condition, bool ask)
{
    const struct fact_ref *ref = &run->set->refs[condition->slot];
    size_t needs[2] = { ref->subject, ref->key };
    struct value value;

    for (size_t i = 0; i < COUNT(needs) && needs[i] != FACT_NONE; i++) {
        enum fact_state state = run_fact(run, (uint32_t)needs[i], ask, &value);
        if (state != FACT_KNOWN)
            return outcome_without(state);
        if (value_is_empty(&value))
            return OUTCOME_FALSE;
    }
    enum fact_state state = run_fact(run, condition->slot, ask, &value);
    return state == FACT_KNOWN ? outcome_of(value.boolean) : outcome_without(state);
}

static enum outcome eval_in_set(const struct condition *condition, const struct value *value)
{
    if (value_is_empty(value))
        return OUTCOME_FALSE;
    for (; value != NULL; value = value->next)
        for (size_t i = 0; i < condition->literal_count; i++)
            if (is_literal(value, &condition->literals[i]))
                return OUTCOME_TRUE;
    return OUTCOME_FALSE;
}

/* A match is a match, whatever the matcher makes of another value. */
static enum outcome eval_matches(const struct condition *condition, const struct value *value)
{
    enum outcome outcome = OUTCOME_FALSE;

    for (; value != NULL; value = value->next) {
        struct slice text = value_is_empty(value) ? SLICE("") : value->text;
        enum pattern_result result = pattern_match(condition->pattern, text);
        if (result == PATTERN_YES)
            return OUTCOME_TRUE;
        if (result == PATTERN_GAVE_UP)
            outcome = OUTCOME_UNKNOWN;
    }
    return outcome;
}

static enum outcome eval_fact(struct rules_run *run, const struct condition *condition, bool ask)
{
    struct value value;
    enum fact_state state = run_fact(run, condition->slot, ask, &value);

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

static enum outcome eval_condition(struct rules_run *run, uint32_t at, bool ask)
{
    const struct condition *condition = &run->rule->conditions[at];
    enum outcome outcome = OUTCOME_UNKNOWN;

    switch (condition->kind) {
    case CONDITION_AND:
    case CONDITION_OR:
        outcome = eval_parts(run, condition, ask);
        break;
    case CONDITION_NOT:
        outcome = negate(eval_condition(run, condition->first_child, ask));
        break;
    case CONDITION_COMPARE_FACTS:
        outcome = eval_facts(run, condition, ask);
        break;
    case CONDITION_MEMBER:
        outcome = eval_member(run, condition, ask);
        break;
    case CONDITION_TRUE:
    case CONDITION_COMPARE:
    case CONDITION_IN_SET:
    case CONDITION_MATCHES:
    case CONDITION_SET:
        outcome = eval_fact(run, condition, ask);
        break;
    }
    if (condition->is_negated)
        outcome = negate(outcome);
    if (run->trace != NULL)
        trace_condition_result(run->trace, run->rule_at, at, (enum trace_result)outcome);
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
static struct action *action_add(struct rules_run *run, struct action **actions, size_t most,
                                 size_t *count)
{
    if (*actions == NULL)
        *actions = arena_alloc_array(run->arena, most, sizeof **actions);
    return *actions == NULL ? NULL : &(*actions)[(*count)++];
}

/* Puts the action where it belongs in the verdict. */
static enum act_result action_keep(struct rules_run *run, const struct action *action)
{
    const struct rule_set *set = run->set;
    struct verdict *verdict = run->verdict;
    struct action *kept;

    if (run->rule->info.mode == RULE_SHADOW) {
        kept = action_add(run, &run->shadow, set->shadow_most, &verdict->shadow_count);
        verdict->shadow = run->shadow;
    } else if (action->type->kind == ACTION_CONTINUES) {
        kept = action_add(run, &run->continuing, set->continuing_most, &verdict->continuing_count);
        verdict->continuing = run->continuing;
        if (action->type->argument == ARG_NUMBER)
            verdict->score += action->number;
    } else {
        verdict->final = kept = arena_alloc(run->arena, sizeof *kept);
    }
    if (kept == NULL)
        return ACT_NO_MEMORY;
    *kept = *action;
    if (run->trace != NULL)
        trace_action(run->trace, run->rule_at, kept);
    return verdict->final != NULL ? ACT_FINAL : ACT_GO_ON;
}

/* Only a plain address may name where mail goes: one that could be read as several, or as a phrase, may not. */
static bool is_mailbox(struct rules_run *run, struct slice text)
{
    struct slice normal;

    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_print(text.ptr[i]) || strchr(" \"(),:;<>[]\\", text.ptr[i]) != NULL)
            return false;
    return address_normalise_mailbox(text, run->arena, &normal) == ADDRESS_NORMAL &&
           address_is_valid_mailbox(normal);
}

static enum act_result act(struct rules_run *run)
{
    const struct rule *rule = run->rule;
    struct action action = rule->action;
    bool is_address = action.type->argument == ARG_MAILBOX;

    if (rule->text.count == 0)
        return action_keep(run, &action);
    switch (template_expand(&rule->text, run, &action.text)) {
    case TEMPLATE_MISSING:
        return ACT_MISSING;
    case TEMPLATE_NO_MEMORY:
        return ACT_NO_MEMORY;
    case TEMPLATE_UNKNOWN:
        if (is_address)
            return ACT_TROUBLE;
        break;
    case TEMPLATE_OK:
        if (is_address && !is_mailbox(run, action.text))
            return ACT_TROUBLE;
        break;
    }
    return action_keep(run, &action);
}

/* The final action that `trouble = defer` stands for. */
static enum act_result act_defer(struct rules_run *run)
{
    const struct action action = { .type = run->set->defer,
                                   .rule = run->rule_at,
                                   .code = 451,
                                   .enhanced = SLICE("4.3.0"),
                                   .text = SLICE("Temporary lookup problem") };
    enum act_result result = action_keep(run, &action);

    run->verdict->is_trouble = result == ACT_FINAL;
    return result;
}

static bool note_trouble(struct rules_run *run)
{
    struct verdict *verdict = run->verdict;
    size_t *troubled = run->troubled;

    if (troubled == NULL)
        troubled = arena_alloc_array(run->arena, run->set->count, sizeof *troubled);
    if (troubled == NULL)
        return false;
    troubled[verdict->troubled_count++] = run->rule_at;
    verdict->troubled = run->troubled = troubled;
    return true;
}

/* The condition came out unknown, or the action (`has_acted`) could not be carried out. */
static enum act_result act_in_trouble(struct rules_run *run, bool has_acted)
{
    enum rule_trouble trouble = run->rule->info.trouble;

    if (!note_trouble(run))
        return ACT_NO_MEMORY;
    if (trouble == TROUBLE_DEFER)
        return act_defer(run);
    if (trouble == TROUBLE_SKIP || has_acted)
        return ACT_GO_ON;
    enum act_result result = act(run);
    return result == ACT_TROUBLE ? ACT_GO_ON : result; /* noted already */
}

static enum act_result eval_rule(struct rules_run *run)
{
    uint32_t root = run->rule->root;
    enum outcome outcome = root == NODE_NONE ? OUTCOME_TRUE : eval_condition(run, root, true);
    enum act_result result = ACT_GO_ON;

    if (run->trace != NULL)
        trace_rule_result(run->trace, run->rule_at, (enum trace_result)outcome);
    if (outcome == OUTCOME_MISSING)
        return ACT_MISSING;
    if (outcome == OUTCOME_UNKNOWN)
        return act_in_trouble(run, false);
    if (outcome == OUTCOME_TRUE)
        result = act(run);
    return result == ACT_TROUBLE ? act_in_trouble(run, true) : result;
}

enum eval_result rules_eval(const struct rule_set *set, enum stage stage, struct fact_source *facts,
                            struct arena *arena, struct verdict *verdict, struct trace *trace)
{
    struct rules_run run = {
        .set = set, .facts = facts, .arena = arena, .verdict = verdict, .trace = trace
    };

    *verdict = (struct verdict){ .score = facts->score };
    if (trace != NULL)
        trace_begin(trace, set, stage);
    for (size_t i = 0; i < set->count; i++) {
        run.rule = &set->rules[i];
        run.rule_at = i;
        if ((run.rule->info.stages & stage) == 0)
            continue;
        enum act_result result = eval_rule(&run);
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
