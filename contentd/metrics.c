/* contentd/metrics.c - see metrics.h. */
#include "contentd/metrics.h"

enum {
    MESSAGES,
    EARLY,
    UNDECIDED,
    VERDICTS,
    RECIPIENTS,
    SOURCES,
    LATE,
    UNEDITED,
    NOT_KEPT,
    UNSCANNED,
    TROUBLE,
    REFUNDS,
    REFUNDS_FAILED,
    SPLIT,
    UNWANTED,
    OWN,
    DURATION,
    METRICS
};

/* clang-format off */
static struct metric metrics[METRICS] = {
    [MESSAGES] = METRIC("gatehouse_content_messages_total", METRIC_COUNTER, "Messages decided."),
    [EARLY] = METRIC_BY("gatehouse_content_early_refusals_total", METRIC_COUNTER,
                        "Refusals by rules at connect, helo, mail and rcpt.", "verdict"),
    [UNDECIDED] = METRIC("gatehouse_content_undecided_total", METRIC_COUNTER,
                         "Messages, and replies before them, that were not decided for want of memory or time: they are deferred."),
    [VERDICTS] = METRIC_BY("gatehouse_content_verdicts_total", METRIC_COUNTER, "What Postfix was told of messages.", "verdict"),
    [RECIPIENTS] = METRIC_BY("gatehouse_content_recipients_total", METRIC_COUNTER, "What became of messages for their recipients.", "fate"),
    [SOURCES] = METRIC_BY("gatehouse_content_decided_by_total", METRIC_COUNTER,
                          "What decided about a recipient: rule, virus, scanner, score, trouble, oversize, forged, none.", "source"),
    [LATE] = METRIC("gatehouse_content_late_total", METRIC_COUNTER,
                    "Messages decided with what was known when message_budget was used up."),
    [UNEDITED] = METRIC("gatehouse_content_unedited_total", METRIC_COUNTER,
                        "Recipients who got a message without the changes meant for them: no release listener."),
    [NOT_KEPT] = METRIC("gatehouse_content_not_kept_total", METRIC_COUNTER,
                        "Messages deferred because quarantine or outbox could not take them."),
    [UNSCANNED] = METRIC("gatehouse_content_unscanned_total", METRIC_COUNTER,
                         "Recipients who got a message that a scanner of their chain has not looked at."),
    [TROUBLE] = METRIC("gatehouse_content_trouble_total", METRIC_COUNTER, "Rules that could not be decided."),
    [REFUNDS] = METRIC("gatehouse_content_refunds_total", METRIC_COUNTER,
                       "Charges given back for refused messages and recipients."),
    [REFUNDS_FAILED] = METRIC("gatehouse_content_refunds_failed_total", METRIC_COUNTER,
                              "Times that what a refused message, or up to 500 refused recipients, cost could not be given back."),
    [SPLIT] = METRIC("gatehouse_content_split_total", METRIC_COUNTER,
                     "Recipients told to come again because their chain is not that of the first."),
    [UNWANTED] = METRIC("gatehouse_content_unwanted_total", METRIC_COUNTER,
                        "Messages whose MTA was gone before they were decided; they come again."),
    [OWN] = METRIC("gatehouse_content_own_connections_total", METRIC_COUNTER,
                   "Connections to the release listener that ask this milter, as they should not: accepted unseen."),
    [DURATION] = METRIC("gatehouse_content_duration_seconds", METRIC_HISTOGRAM, "From the end of a message to its verdict."),
};
/* clang-format on */

static void series(struct metric *metric, const char *const *words, size_t count, metric_id *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = metric_series(metric, &(struct slice){ words[i], strlen(words[i]) });
}

void contentd_metrics_register(struct contentd_metrics *out)
{
    static const char *const early_words[] = { "tempfail", "reject" };

    metrics_register(metrics, METRICS);
    *out = (struct contentd_metrics){
        .messages = metric_of(&metrics[MESSAGES]),
        .undecided = metric_of(&metrics[UNDECIDED]),
        .unwanted = metric_of(&metrics[UNWANTED]),
        .late = metric_of(&metrics[LATE]),
        .unedited = metric_of(&metrics[UNEDITED]),
        .not_kept = metric_of(&metrics[NOT_KEPT]),
        .unscanned = metric_of(&metrics[UNSCANNED]),
        .trouble = metric_of(&metrics[TROUBLE]),
        .refunds = metric_of(&metrics[REFUNDS]),
        .refunds_failed = metric_of(&metrics[REFUNDS_FAILED]),
        .split = metric_of(&metrics[SPLIT]),
        .own = metric_of(&metrics[OWN]),
        .duration = metric_of(&metrics[DURATION]),
    };
    series(&metrics[EARLY], early_words, COUNT(early_words), out->early);
    series(&metrics[VERDICTS], verdict_words, VERDICT_KINDS, out->verdicts);
    series(&metrics[RECIPIENTS], fate_words, FATES, out->recipients);
    series(&metrics[SOURCES], verdict_source_words, VERDICT_SOURCES, out->sources);
}
