/* contentd/metrics.h - what contentd counts. Names and meaning are an interface (dashboards, alerts). */
#ifndef GATEHOUSE_CONTENTD_METRICS_H
#define GATEHOUSE_CONTENTD_METRICS_H

#include "common/observe/metrics.h"
#include "contentd/mixed.h"

struct contentd_metrics {
    metric_id messages; /* looked at to the end */
    metric_id early[2]; /* refused before the header fields: deferred, rejected */
    metric_id unwanted; /* the MTA was gone before they were decided */
    metric_id undecided; /* no memory or no time: deferred, messages and what comes before them */
    metric_id verdicts[VERDICT_KINDS]; /* of messages: what the MTA was told; DELIVER: accepted */
    metric_id recipients[FATES];
    metric_id sources[VERDICT_SOURCES]; /* what decided about a recipient */
    metric_id late; /* the budget was used up */
    metric_id unedited; /* recipients who stayed though they needed other edits */
    metric_id not_kept; /* messages deferred since a copy could not be kept */
    /* Recipients whose mail was delivered with a scanner in trouble or too large for it. */
    metric_id unscanned;
    metric_id trouble; /* rules whose condition came out unknown */
    metric_id refunds, refunds_failed; /* charges given back; not known whether */
    metric_id split; /* recipients told to come again, for their chain is another */
    metric_id own; /* connections to the release listener: accepted unseen */
    metric_id duration; /* histogram: from the message's end to its verdict */
};

/* Registers all and fills in *out. Once per process. */
void contentd_metrics_register(struct contentd_metrics *out);

#endif
