/* common/control/trace.c - a trace as JSON: what each rule saw and why. See service.h. */
#include "common/control/service.h"

enum { VALUES_TEXT_MAX = 64 << 10 };

struct telling {
    json_t *rules, *rule; /* all, and the one being described */
};

/* All values of the fact. */
static json_t *value_json(const struct value *value)
{
    AUTO_BUF out = BUF_INIT(VALUES_TEXT_MAX);
    char room[VALUE_TEXT_MAX];

    for (; value != NULL; value = value->next)
        if (buf_add(&out, value_spelling(value, room)) ||
            (value->next != NULL && buf_put(&out, ", ")))
            break;
    return control_text(buf_slice(&out));
}

static void tell_rule(void *arg, const struct trace_rule *rule)
{
    struct telling *telling = arg;

    telling->rule = json_pack(
        "{s:o, s:I, s:s, s:s, s:o, s:o}", "rule", control_text(rule->info->name), "order",
        (json_int_t)rule->info->order, "mode",
        rule->info->mode == RULE_SHADOW ? "shadow" : "enforce", "result",
        trace_result_name(rule->result), "conditions", json_array(), "facts", json_array());
    if (rule->action != NULL)
        json_object_set_new(telling->rule, "action", control_text(rule->info->then));
    json_array_append_new(telling->rules, telling->rule);
}

static void tell_condition(void *arg, const struct trace_condition *condition)
{
    struct telling *telling = arg;

    json_array_append_new(json_object_get(telling->rule, "conditions"),
                          json_pack("{s:o, s:I, s:s}", "text", control_text(condition->text),
                                    "depth", (json_int_t)condition->depth, "result",
                                    condition->is_evaluated ? trace_result_name(condition->result)
                                                            : "not evaluated"));
}

static void tell_fact(void *arg, const struct trace_fact *fact)
{
    struct telling *telling = arg;
    json_t *json = json_pack("{s:o, s:s}", "name", control_text(fact->name), "state",
                             fact->state == FACT_KNOWN ? "known" : "unknown");

    if (fact->state == FACT_KNOWN)
        json_object_set_new(json, "value", value_json(fact->value));
    json_array_append_new(json_object_get(telling->rule, "facts"), json);
}

json_t *control_trace(const struct trace *trace)
{
    struct telling telling = { json_array(), NULL };
    const struct trace_visitor visitor = { tell_rule, tell_condition, tell_fact, &telling };

    trace_visit(trace, &visitor);
    return telling.rules;
}
