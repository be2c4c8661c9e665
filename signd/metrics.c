/* signd/metrics.c - see metrics.h. */
#include "signd/metrics.h"

#include <string.h>

enum {
    MESSAGES,
    UNDECIDED,
    VERDICTS,
    SIGNED,
    SIGNATURES,
    VERIFIED,
    CLAIMS,
    CLAIMS_OVER,
    DMARC,
    SPF_UNKNOWN,
    FORGED,
    LATE,
    TROUBLE,
    REFUNDS,
    REFUNDS_FAILED,
    DURATION,
    METRICS
};

const char *const signing_words[] = {
    "not_wanted",    "signed", "no_keys",    "bad_from", "bad_from_unsigned",
    "keys_unusable", "failed", "impossible", NULL
};

/* clang-format off */
static struct metric metrics[METRICS] = {
    [MESSAGES] = METRIC("gatehouse_messages_total", METRIC_COUNTER, "Messages decided."),
    [UNDECIDED] = METRIC("gatehouse_messages_undecided_total", METRIC_COUNTER,
                         "Messages deferred because there was no memory or no time to decide."),
    [VERDICTS] = METRIC_BY("gatehouse_verdicts_total", METRIC_COUNTER, "What Postfix was told of messages.", "verdict"),
    [SIGNED] = METRIC_BY("gatehouse_signed_total", METRIC_COUNTER,
                         "Messages that were to be signed, by what came of it: signed; no_keys, bad_from_unsigned (they went out as "
                         "they were); bad_from (refused); keys_unusable, failed (deferred).", "result"),
    [SIGNATURES] = METRIC("gatehouse_signatures_total", METRIC_COUNTER, "DKIM signatures made."),
    [VERIFIED] = METRIC_BY("gatehouse_verified_total", METRIC_COUNTER, "Messages verified, by the best result of DKIM.", "result"),
    [CLAIMS] = METRIC_BY("gatehouse_verified_signatures_total", METRIC_COUNTER, "DKIM signatures verified.", "result"),
    [CLAIMS_OVER] = METRIC("gatehouse_verified_signatures_over_total", METRIC_COUNTER,
                           "DKIM signatures that were not looked at: more than max_signatures."),
    [DMARC] = METRIC_BY("gatehouse_dmarc_total", METRIC_COUNTER, "Messages verified, by the result of DMARC.", "result"),
    [SPF_UNKNOWN] = METRIC("gatehouse_verified_without_spf_total", METRIC_COUNTER,
                           "Messages verified without a result of SPF: no record of policyd, or it did not look."),
    [FORGED] = METRIC("gatehouse_forged_results_total", METRIC_COUNTER,
                      "Authentication-Results fields of others with our name that were removed."),
    [LATE] = METRIC("gatehouse_message_budget_over_total", METRIC_COUNTER,
                    "Messages decided with what was known when budget was used up."),
    [TROUBLE] = METRIC("gatehouse_rule_trouble_total", METRIC_COUNTER, "Rules that could not be decided."),
    [REFUNDS] = METRIC("gatehouse_refunds_total", METRIC_COUNTER, "Charges given back for refused messages."),
    [REFUNDS_FAILED] = METRIC("gatehouse_refunds_failed_total", METRIC_COUNTER,
                              "Refused messages whose charges could not be given back."),
    [DURATION] = METRIC("gatehouse_message_seconds", METRIC_HISTOGRAM, "From the end of a message to its verdict."),
};
/* clang-format on */

static void series(struct metric *metric, const char *const *words, size_t first, size_t count,
                   metric_id *out)
{
    for (size_t i = first; i < count; i++)
        out[i] = metric_series(metric, &(struct slice){ words[i], strlen(words[i]) });
}

void signd_metrics_register(struct signd_metrics *out)
{
    metrics_register(metrics, METRICS);
    *out = (struct signd_metrics){
        .messages = metric_of(&metrics[MESSAGES]),
        .undecided = metric_of(&metrics[UNDECIDED]),
        .signatures = metric_of(&metrics[SIGNATURES]),
        .claims_over = metric_of(&metrics[CLAIMS_OVER]),
        .spf_unknown = metric_of(&metrics[SPF_UNKNOWN]),
        .forged = metric_of(&metrics[FORGED]),
        .late = metric_of(&metrics[LATE]),
        .trouble = metric_of(&metrics[TROUBLE]),
        .refunds = metric_of(&metrics[REFUNDS]),
        .refunds_failed = metric_of(&metrics[REFUNDS_FAILED]),
        .duration = metric_of(&metrics[DURATION]),
    };
    series(&metrics[VERDICTS], fate_words, 0, FATES, out->fates);
    series(&metrics[SIGNED], signing_words, SIGNING_DONE, SIGNINGS, out->signings);
    series(&metrics[VERIFIED], dkim_result_words, 0, DKIM_RESULTS, out->dkim);
    series(&metrics[CLAIMS], dkim_result_words, 0, DKIM_RESULTS, out->claims);
    series(&metrics[DMARC], dmarc_result_words, 0, DMARC_RESULTS, out->dmarc);
}
