/* common/policy/decision.c - see decision.h. */
#include "common/policy/decision.h"

void decision_extras_free(struct decision_extras *extras)
{
    buf_free(&extras->shadow);
    buf_free(&extras->trouble);
    buf_free(&extras->score);
}

void decision_extra(struct decision_extras *extras, const char *name, struct slice value)
{
    if (value.len > 0 && extras->count < DECISION_EXTRAS_MAX)
        extras->fields[extras->count++] = (struct log_field){ name, value };
}

void decision_extra_shadow(struct decision_extras *extras, const struct rule_set *rules,
                           const struct verdict *verdict)
{
    extras->shadow = (struct buf)BUF_INIT(DECISION_EXTRA_TEXT_MAX);
    for (size_t i = 0; i < verdict->shadow_count; i++) {
        const struct action *action = &verdict->shadow[i];
        struct slice rule = rule_set_info(rules, action->rule).name;
        if (buf_printf(&extras->shadow, "%s%.*s:%s", i > 0 ? "," : "", SLICE_ARG(rule),
                       action->type->name))
            break;
    }
    decision_extra(extras, "shadow", buf_slice(&extras->shadow));
}

void decision_extra_trouble(struct decision_extras *extras, const struct rule_set *rules,
                            const struct verdict *verdict)
{
    extras->trouble = (struct buf)BUF_INIT(DECISION_EXTRA_TEXT_MAX);
    for (size_t i = 0; i < verdict->troubled_count; i++) {
        struct slice rule = rule_set_info(rules, verdict->troubled[i]).name;
        if (buf_printf(&extras->trouble, "%s%.*s", i > 0 ? "," : "", SLICE_ARG(rule)))
            break;
    }
    decision_extra(extras, "trouble", buf_slice(&extras->trouble));
}

void decision_extra_score(struct decision_extras *extras, double score)
{
    extras->score = (struct buf)BUF_INIT(32);
    if (score < 0 || score > 0)
        buf_printf(&extras->score, "%.10g", score);
    decision_extra(extras, "score", buf_slice(&extras->score));
}

void decision_write(struct decision *decision, const struct decision_extras *extras,
                    struct store *store)
{
    char space[LOG_LINE_MAX + 1];
    struct buf line = BUF_OVER(space);

    decision->extra = extras->fields;
    decision->extra_count = extras->count;
    log_decision(decision, &line);
    store_log(store, buf_slice(&line));
}
