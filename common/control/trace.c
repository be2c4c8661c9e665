/* common/control/trace.c - a trace as JSON: what each rule saw and why. See service.h. */
#include "common/control/service.h"

struct telling {
    json_t *rules, *rule; /* all, and the one being described */
};

static json_t *value_json(const struct value *value)
{
    char text[64];

    if (value->type == VALUE_BOOLEAN)
        return json_string(value->boolean ? "yes" : "no");
    if (value->is_empty)
        return json_string("");
    if (value->text.len > 0)
        return control_text(value->text);
    if (value->type == VALUE_ADDRESS)
        return control_text((struct slice){ text, ipnet_print(&value->net, text) });
    snprintf(text, sizeof text, "%.15g", value->number);
    return json_string(text);
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
