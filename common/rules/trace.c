/* common/rules/trace.c - see trace.h. */
#include "common/rules/trace.h"

#include "common/base/units.h"
#include "common/mail/reply.h"
#include "common/rules/eval.h"

struct seen {
    struct seen *next;
    size_t slot;
    enum fact_state state;
    struct value value;
};

struct rule_trace {
    enum trace_result result;
    const struct action *action;
    struct seen *facts;
};

struct trace {
    struct arena *arena;
    const struct rule_set *set;
    struct rule_trace *rules; /* NULL: nothing recorded, or memory is out */
    unsigned char *conditions; /* enum trace_result of each condition of the set */
};

struct trace *trace_new(struct arena *arena)
{
    struct trace *trace = arena_alloc(arena, sizeof *trace);

    if (trace != NULL)
        trace->arena = arena;
    return trace;
}

const char *trace_result_name(enum trace_result result)
{
    static const char *const names[] = {
        [TRACE_NOT_REACHED] = "not reached",
        [TRACE_OTHER_STAGE] = "other stage",
        [TRACE_FALSE] = "false",
        [TRACE_TRUE] = "true",
        [TRACE_UNKNOWN] = "unknown",
        [TRACE_WAITS] = "waits",
    };

    return names[result];
}

/* ---- recording ---- */

void trace_begin(struct trace *trace, const struct rule_set *set, enum stage stage)
{
    trace->set = set;
    trace->rules = arena_alloc_array(trace->arena, set->count + 1, sizeof *trace->rules);
    trace->conditions = arena_alloc(trace->arena, set->condition_count + 1);
    if (trace->conditions == NULL)
        trace->rules = NULL;
    for (size_t i = 0; trace->rules != NULL && i < set->count; i++)
        if ((set->rules[i].info.stages & stage) == 0)
            trace->rules[i].result = TRACE_OTHER_STAGE;
}

void trace_fact_seen(struct trace *trace, size_t rule, size_t slot, enum fact_state state,
                     const struct value *value)
{
    struct seen **end;

    if (trace->rules == NULL)
        return;
    for (end = &trace->rules[rule].facts; *end != NULL; end = &(*end)->next)
        if ((*end)->slot == slot)
            return;
    struct seen *seen = arena_alloc(trace->arena, sizeof *seen);
    if (seen == NULL)
        return;
    *seen = (struct seen){ .slot = slot, .state = state };
    if (state == FACT_KNOWN)
        seen->value = *value;
    *end = seen;
}

void trace_condition_result(struct trace *trace, size_t rule, size_t condition,
                            enum trace_result result)
{
    if (trace->rules != NULL)
        trace->conditions[trace->set->rules[rule].first_condition + condition] =
            (unsigned char)result;
}

void trace_rule_result(struct trace *trace, size_t rule, enum trace_result result)
{
    if (trace->rules != NULL)
        trace->rules[rule].result = result;
}

void trace_action(struct trace *trace, size_t rule, const struct action *action)
{
    if (trace->rules != NULL)
        trace->rules[rule].action = action;
}

/* ---- reading ---- */

struct walk {
    const struct trace *trace;
    const struct rule *rule;
    const struct trace_visitor *visitor;
};

/* The parser bounds the depth. */
static void visit_condition(const struct walk *walk, uint32_t at, unsigned depth)
{
    const struct condition *condition = &walk->rule->conditions[at];
    enum trace_result result =
        (enum trace_result)walk->trace->conditions[walk->rule->first_condition + at];
    struct trace_condition out = { .text = slice_part(walk->rule->info.when, condition->begin,
                                                      condition->end - condition->begin),
                                   .depth = depth,
                                   .is_evaluated = result != TRACE_NOT_REACHED,
                                   .result = result };

    walk->visitor->condition(walk->visitor->arg, &out);
    for (uint32_t child = condition->first_child; child != NODE_NONE;
         child = walk->rule->conditions[child].next)
        visit_condition(walk, child, depth + 1);
}

/* `list:allow/{recipient}`, in the trace's arena; without the key when memory is out. */
static struct slice seen_name(const struct trace *trace, size_t slot)
{
    const struct fact_ref *ref = &trace->set->refs[slot];

    if (ref->kind == FACT_PLAIN || ref->key == FACT_NONE)
        return ref->name;
    struct slice name = arena_printf(trace->arena, "%.*s/{%.*s}", SLICE_ARG(ref->name),
                                     SLICE_ARG(trace->set->refs[ref->key].name));
    return name.ptr == NULL ? ref->name : name;
}

static void visit_facts(const struct walk *walk, const struct seen *seen)
{
    for (; seen != NULL; seen = seen->next) {
        struct trace_fact fact = { .name = seen_name(walk->trace, seen->slot),
                                   .state = seen->state,
                                   .value = &seen->value };
        walk->visitor->fact(walk->visitor->arg, &fact);
    }
}

void trace_visit(const struct trace *trace, const struct trace_visitor *visitor)
{
    for (size_t i = 0; trace->rules != NULL && i < trace->set->count; i++) {
        struct walk walk = { trace, &trace->set->rules[i], visitor };
        struct trace_rule rule = { .rule = i,
                                   .info = &walk.rule->info,
                                   .result = trace->rules[i].result,
                                   .action = trace->rules[i].action };
        if (visitor->rule != NULL)
            visitor->rule(visitor->arg, &rule);
        if (visitor->condition != NULL && walk.rule->root != NODE_NONE)
            visit_condition(&walk, walk.rule->root, 0);
        if (visitor->fact != NULL)
            visit_facts(&walk, trace->rules[i].facts);
    }
}

/* ---- printing ---- */

struct printer {
    struct buf *out;
    bool failed;
    bool is_quiet; /* the rule was not evaluated: its heading says all */
};

static void print_text(struct printer *printer, struct slice text)
{
    printer->failed |= reply_escape(printer->out, text) != 0;
}

static void print(struct printer *printer, const char *text)
{
    printer->failed |= buf_put(printer->out, text) != 0;
}

static void print_action(struct printer *printer, const struct action *action)
{
    print(printer, action->type->name);
    if (action->code != 0)
        printer->failed |= buf_printf(printer->out, " %u", action->code) != 0;
    if (action->enhanced.len > 0) {
        print(printer, " ");
        print_text(printer, action->enhanced);
    }
    if (action->header.len > 0) {
        print(printer, " ");
        print_text(printer, action->header);
        print(printer, ":");
    }
    if (action->text.len > 0) {
        print(printer, " ");
        print_text(printer, action->text);
    }
    for (size_t i = 0; i < action->limit_count; i++) {
        print(printer, i == 0 ? " " : ", ");
        print_text(printer, action->limits[i]);
    }
    if (action->type->argument == ARG_NUMBER)
        printer->failed |= buf_printf(printer->out, " %+.15g", action->number) != 0;
    if (action->type->argument == ARG_DURATION) {
        print(printer, " ");
        print(printer, units_print_time(action->duration_ms).text);
    }
}

static void print_rule(void *arg, const struct trace_rule *rule)
{
    struct printer *printer = arg;

    printer->is_quiet = rule->result == TRACE_NOT_REACHED || rule->result == TRACE_OTHER_STAGE;
    printer->failed |= buf_printf(printer->out, "%ld ", rule->info->order) != 0;
    print_text(printer, rule->info->name);
    print(printer, rule->info->mode == RULE_SHADOW ? " (shadow): " : ": ");
    print(printer, trace_result_name(rule->result));
    if (rule->action != NULL) {
        print(printer, rule->info->mode == RULE_SHADOW ? ", would " : ", ");
        print_action(printer, rule->action);
    }
    print(printer, "\n");
}

static void print_condition(void *arg, const struct trace_condition *condition)
{
    struct printer *printer = arg;

    if (printer->is_quiet)
        return;
    printer->failed |=
        buf_printf(printer->out, "    %-8s%*s",
                   condition->is_evaluated ? trace_result_name(condition->result) : "-",
                   (int)condition->depth * 2, "") != 0;
    print_text(printer, condition->text);
    print(printer, "\n");
}

static void print_fact(void *arg, const struct trace_fact *fact)
{
    struct printer *printer = arg;
    char room[VALUE_TEXT_MAX];

    print(printer, "      ");
    print_text(printer, fact->name);
    if (fact->state == FACT_KNOWN) {
        print(printer, " = \"");
        for (const struct value *value = fact->value; value != NULL; value = value->next) {
            print_text(printer, value_spelling(value, room));
            print(printer, value->next == NULL ? "\"\n" : "\", \"");
        }
    } else {
        print(printer, fact->state == FACT_UNKNOWN ? " is unknown\n" : " is not there yet\n");
    }
}

int trace_print(const struct trace *trace, struct buf *out)
{
    struct printer printer = { .out = out };
    struct trace_visitor visitor = { print_rule, print_condition, print_fact, &printer };

    trace_visit(trace, &visitor);
    return printer.failed ? -1 : 0;
}
