/* policyd/inquiry_end.c - what an inquiry came to: reply, remembered answer, log and counts; see inquiry_impl.h. */
#include "policyd/inquiry_impl.h"

#include "common/observe/log.h"
#include "policyd/decision_log.h"

struct slice inquiry_rule_that_spoke(const struct inquiry *inquiry, const struct action *spoken)
{
    const struct rule_set *rules = inquiry->policy->book.rules;

    if (inquiry->exceeded != NULL)
        return rule_set_info(rules, inquiry->exceeded_rule).name;
    if (inquiry->verdict.final != NULL)
        return rule_set_info(rules, inquiry->verdict.final->rule).name;
    return spoken == NULL ? SLICE("") : rule_set_info(rules, spoken->rule).name;
}

struct slice inquiry_reference(struct inquiry *inquiry)
{
    if (inquiry->reference[0] == '\0')
        random_reference(inquiry->reference);
    return (struct slice){ inquiry->reference, REFERENCE_LEN };
}

static void reply_make(struct inquiry *inquiry, const struct action *spoken)
{
    inquiry->reply = (struct buf)BUF_INIT(POLICY_REPLY_MAX);
    if (spoken != NULL) {
        struct slice reference = inquiry_reference(inquiry);
        if (inquiry->is_explained)
            reference = SLICE(REFERENCE_EXPLAINED);
        bool is_trouble = inquiry->verdict.is_trouble && spoken == inquiry->verdict.final;
        if (action_print(&inquiry->reply, spoken, inquiry->req.stage, is_trouble, reference) == 0)
            return;
        log_error("an answer does not fit: DUNNO is sent");
        buf_clear(&inquiry->reply);
    }
    buf_put(&inquiry->reply, "DUNNO");
}

static void count_rules(const struct inquiry *inquiry, size_t dropped)
{
    const struct policy_metrics *metrics = &inquiry->server->policyd->metrics;
    const struct verdict *verdict =
        &inquiry->evaluation.verdict; /* what the rules said, before limits */

    rule_book_count(&inquiry->policy->book, verdict);
    metric_add(metrics->trouble, verdict->troubled_count);
    metric_add(metrics->dropped_actions, dropped);
}

static struct decided decided_of(struct inquiry *inquiry, const struct action *spoken)
{
    return (struct decided){
        .policy = inquiry->policy,
        .req = &inquiry->req,
        .verdict = &inquiry->verdict,
        .spoken = spoken,
        .rule = inquiry_rule_that_spoke(inquiry, spoken),
        .uses = inquiry->charge.uses,
        .use_count = inquiry->charge.use_count,
        .exceeded = inquiry->exceeded,
        .greylist = inquiry->is_greylisted ? &inquiry->greylist : NULL,
        .reason = inquiry->reason,
        .reply = buf_slice(&inquiry->reply),
        .reference = { inquiry->reference, spoken == NULL ? 0 : REFERENCE_LEN },
        .duration_ms = server_now(inquiry->server) - inquiry->started_ms,
        .is_degraded = inquiry->is_degraded,
        .is_late = inquiry->evaluation.is_late,
    };
}

static void record(struct inquiry *inquiry, const struct decided *decided, size_t dropped)
{
    struct policyd *policyd = inquiry->server->policyd;

    if (inquiry->is_remembered)
        answers_finish(policyd->answers, &inquiry->key, inquiry->started_ms + decided->duration_ms,
                       decided->reply, verdict_refuses(decided->verdict));
    count_rules(inquiry, dropped);
    metric_add(policyd->metrics
                   .verdicts[decided->spoken == NULL ? ACTION_ACCEPT : decided->spoken->type->id],
               1);
    metric_observe_us(policyd->metrics.duration, decided->duration_ms * 1000);
    decision_record(decided, inquiry->server->store);
}

/* Makes the reply and tells everybody. The inquiry is gone afterwards, but for one that is just being started: its reply
 * is left to inquiry_start(). */
void inquiry_finish(struct inquiry *inquiry)
{
    size_t dropped;
    const struct action *spoken = verdict_spoken(&inquiry->verdict, &dropped);

    reply_make(inquiry, spoken);
    struct decided decided = decided_of(inquiry, spoken);
    if (inquiry->is_explained)
        inquiry->explained(inquiry->owner, &decided);
    else
        record(inquiry, &decided, dropped);
}
