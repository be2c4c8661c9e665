/* policyd/decision_log.c - see decision_log.h. */
#include "policyd/decision_log.h"

#include "common/policy/decision.h"
#include "policyd/greylist.h"

static struct slice reason_of(const struct decided *decided)
{
    if (decided->verdict->is_trouble && decided->spoken == decided->verdict->final)
        return SLICE("Temporary lookup problem");
    if (decided->reason.len > 0)
        return decided->reason;
    return decided->spoken == NULL ? SLICE("") : decided->spoken->text;
}

void decision_record(const struct decided *decided, struct store *store)
{
    AUTO_EXTRAS extras = { .count = 0 };
    const struct slice *attr = decided->req->attr;
    const struct rule_set *rules = decided->policy->book.rules;

    if (decided->policy->parts.core.is_shadow)
        decision_extra(&extras, "mode", SLICE("shadow"));
    decision_extra_shadow(&extras, rules, decided->verdict);
    if (decided->exceeded != NULL)
        decision_extra(&extras, "limit", limit_name(decided->exceeded->limit));
    if (decided->greylist != NULL)
        decision_extra(&extras, "greylist", slice_of(greylist_word(decided->greylist->state)));
    decision_extra_trouble(&extras, rules, decided->verdict);
    decision_extra_score(&extras, decided->verdict->score);
    if (decided->is_degraded)
        decision_extra(&extras, "store", SLICE("degraded"));
    if (decided->is_late)
        decision_extra(&extras, "budget", SLICE("over"));
    struct decision decision = {
        .queue_id = attr[ATTR_QUEUE_ID],
        .client_address = attr[ATTR_CLIENT_ADDRESS],
        .sasl_username = attr[ATTR_SASL_USERNAME],
        .sender = attr[ATTR_SENDER],
        .recipient = attr[ATTR_RECIPIENT],
        .rule = decided->rule,
        .verdict = slice_of(action_word(decided->spoken)),
        .ref = decided->reference,
        .reason = reason_of(decided),
        .ms = decided->duration_ms,
    };
    decision_write(&decision, &extras, store);
}
