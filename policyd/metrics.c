/* policyd/metrics.c - see metrics.h. */
#include "policyd/metrics.h"

enum {
    REQUESTS,
    ANSWERS,
    REPEATED,
    BAD_REQUESTS,
    SLOW_CLIENTS,
    LATE,
    TROUBLE,
    DROPPED_ACTIONS,
    CHARGES,
    OVER,
    CHARGES_DEGRADED,
    CHARGES_FAILED,
    GREYLIST,
    GREYLIST_CROWDED,
    RECORDS,
    DURATION,
    VERDICTS,
    LIMITS_OVER,
};

static struct metric metrics[] = {
    [REQUESTS] =
        METRIC("gatehouse_policy_requests_total", METRIC_COUNTER, "Requests from Postfix."),
    [ANSWERS] =
        METRIC("gatehouse_policy_answers_total", METRIC_COUNTER, "Answers sent to Postfix."),
    [REPEATED] = METRIC("gatehouse_policy_repeated_total", METRIC_COUNTER,
                        "Requests that had been asked before and were answered alike."),
    [BAD_REQUESTS] = METRIC("gatehouse_policy_bad_requests_total", METRIC_COUNTER,
                            "Connections closed because what came was no policy request."),
    [SLOW_CLIENTS] = METRIC(
        "gatehouse_policy_slow_clients_total", METRIC_COUNTER,
        "Connections closed because a request was not finished or an answer not taken in time."),
    [LATE] = METRIC("gatehouse_policy_late_total", METRIC_COUNTER,
                    "Requests decided with what was known when the budget was used up."),
    [TROUBLE] = METRIC("gatehouse_policy_trouble_total", METRIC_COUNTER,
                       "Rules that could not be decided because a fact was unknown."),
    [DROPPED_ACTIONS] = METRIC("gatehouse_policy_dropped_actions_total", METRIC_COUNTER,
                               "Actions left out because an answer to Postfix carries only one."),
    [CHARGES] = METRIC("gatehouse_limit_charges_total", METRIC_COUNTER,
                       "Requests whose limits were charged."),
    [OVER] =
        METRIC("gatehouse_limit_over_total", METRIC_COUNTER, "Requests that exceeded a limit."),
    [CHARGES_DEGRADED] =
        METRIC("gatehouse_limit_charges_degraded_total", METRIC_COUNTER,
               "Charges decided by the local copy because the store did not answer."),
    [CHARGES_FAILED] = METRIC("gatehouse_limit_charges_failed_total", METRIC_COUNTER,
                              "Charges that could not be decided at all."),
    [GREYLIST] = METRIC_BY("gatehouse_greylist_total", METRIC_COUNTER,
                           "Requests that were greylisted: new, early, passed, known (network), "
                           "degraded (passed, the store did not answer), failed.",
                           "result"),
    [GREYLIST_CROWDED] = METRIC("gatehouse_greylist_crowded_total", METRIC_COUNTER,
                                "Of these those that share an entry, because their network has "
                                "too many senders and recipients waiting."),
    [RECORDS] =
        METRIC_BY("gatehouse_policy_records_total", METRIC_COUNTER,
                  "Transaction records for contentd and signd: written, or failed (the store "
                  "did not answer).",
                  "result"),
    [DURATION] =
        METRIC("gatehouse_policy_duration_seconds", METRIC_HISTOGRAM, "From request to answer."),
    [VERDICTS] = METRIC_BY("gatehouse_policy_verdicts_total", METRIC_COUNTER,
                           "Decisions by verdict.", "verdict"),
    [LIMITS_OVER] = METRIC_BY("gatehouse_limit_exceeded_total", METRIC_COUNTER,
                              "How often a limit was exceeded.", "limit"),
};

static const char *const greylist_results[GREYLIST_RESULTS] = {
    [GREYLIST_NEW] = "new",     [GREYLIST_EARLY] = "early",       [GREYLIST_PASSED] = "passed",
    [GREYLIST_KNOWN] = "known", [GREYLIST_DEGRADED] = "degraded", [GREYLIST_FAILED] = "failed",
};

void policy_metrics_register(struct policy_metrics *out)
{
    metrics_register(metrics, COUNT(metrics));
    *out = (struct policy_metrics){
        .requests = metric_of(&metrics[REQUESTS]),
        .answers = metric_of(&metrics[ANSWERS]),
        .repeated = metric_of(&metrics[REPEATED]),
        .bad_requests = metric_of(&metrics[BAD_REQUESTS]),
        .slow_clients = metric_of(&metrics[SLOW_CLIENTS]),
        .late = metric_of(&metrics[LATE]),
        .trouble = metric_of(&metrics[TROUBLE]),
        .dropped_actions = metric_of(&metrics[DROPPED_ACTIONS]),
        .charges = metric_of(&metrics[CHARGES]),
        .over = metric_of(&metrics[OVER]),
        .charges_degraded = metric_of(&metrics[CHARGES_DEGRADED]),
        .charges_failed = metric_of(&metrics[CHARGES_FAILED]),
        .greylist_crowded = metric_of(&metrics[GREYLIST_CROWDED]),
        .duration = metric_of(&metrics[DURATION]),
    };
    struct slice written = SLICE("written"), failed = SLICE("failed");
    out->records_written = metric_series(&metrics[RECORDS], &written);
    out->records_failed = metric_series(&metrics[RECORDS], &failed);
    for (size_t i = 0; i < POLICYD_ACTIONS; i++) {
        struct slice word = slice_of(i == ACTION_ACCEPT ? "dunno" : policyd_actions[i].name);
        out->verdicts[i] = metric_series(&metrics[VERDICTS], &word);
    }
    for (size_t i = 0; i < GREYLIST_RESULTS; i++) {
        struct slice word = slice_of(greylist_results[i]);
        out->greylist[i] = metric_series(&metrics[GREYLIST], &word);
    }
}

/* The configuration is loaded, and its rules get their series, before the daemon starts (and for -t it never does). */
static metric_id series(int metric, struct slice label)
{
    metrics_register(metrics, COUNT(metrics)); /* again changes nothing */
    return metric_series(&metrics[metric], &label);
}

metric_id policy_metric_limit_over(struct slice limit)
{
    return series(LIMITS_OVER, limit);
}
