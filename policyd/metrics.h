/* policyd/metrics.h - what policyd counts. Names and meaning are an interface (dashboards, alerts). */
#ifndef GATEHOUSE_POLICYD_METRICS_H
#define GATEHOUSE_POLICYD_METRICS_H

#include "common/observe/metrics.h"
#include "common/store/store.h"
#include "policyd/actions.h"

/* What came of a request that was greylisted: an enum greylist_state, or one of these. */
enum { GREYLIST_DEGRADED = GREYLIST_KNOWN + 1, GREYLIST_FAILED, GREYLIST_RESULTS };

/* Series without labels, ready for metric_add(). */
struct policy_metrics {
    metric_id requests, answers, repeated, bad_requests, slow_clients;
    metric_id late; /* the budget was used up */
    metric_id trouble; /* rules whose condition came out unknown */
    metric_id dropped_actions; /* continuing actions the one reply had no room for */
    metric_id charges, over, charges_degraded, charges_failed;
    metric_id greylist[GREYLIST_RESULTS], greylist_crowded;
    metric_id records_written, records_failed; /* transaction records */
    metric_id duration; /* histogram */
    metric_id verdicts[POLICYD_ACTIONS]; /* what Postfix was told; DUNNO counts as accept */
};

/* Registers all and fills in *out. Once per process. */
void policy_metrics_register(struct policy_metrics *out);

/* Series by limit: made when the configuration is loaded. */
metric_id policy_metric_limit_over(struct slice limit);

#endif
