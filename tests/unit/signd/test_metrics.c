/* tests/unit/signd/test_metrics.c - every word of an outcome has a series of its own, from the start, and under the name that
 * dashboards know. */
#include "signd/metrics.h"

#include "tests/unit/unit.h"

enum { PAGE_MAX = 1 << 18 };

static struct signd_metrics metrics;

static int register_all(UNUSED void **state)
{
    signd_metrics_register(&metrics);
    return 0;
}

/* Counts in `series`, and looks for it on the page. */
static void check(metric_id series, const char *name, const char *label, const char *word)
{
    char want[200];
    AUTO_BUF page = BUF_INIT(PAGE_MAX);

    uint64_t before = metric_read(series);
    metric_add(series, 1);
    if (label == NULL)
        snprintf(want, sizeof want, "\n%s %llu\n", name, (unsigned long long)before + 1);
    else
        snprintf(want, sizeof want, "\n%s{%s=\"%s\"} %llu\n", name, label, word,
                 (unsigned long long)before + 1);
    assert_int_equal(0, metrics_print(&page));
    if (strstr(buf_text(&page), want) == NULL)
        fail_msg("there is no%s", want);
}

static void each_outcome_has_its_series(UNUSED void **state)
{
    for (size_t i = 0; i < FATES; i++)
        check(metrics.fates[i], "gatehouse_verdicts_total", "verdict", fate_words[i]);
    for (size_t i = SIGNING_DONE; i < SIGNINGS; i++)
        check(metrics.signings[i], "gatehouse_signed_total", "result", signing_words[i]);
    for (size_t i = 0; i < DKIM_RESULTS; i++) {
        check(metrics.dkim[i], "gatehouse_verified_total", "result", dkim_result_words[i]);
        check(metrics.claims[i], "gatehouse_verified_signatures_total", "result",
              dkim_result_words[i]);
    }
    for (size_t i = 0; i < DMARC_RESULTS; i++)
        check(metrics.dmarc[i], "gatehouse_dmarc_total", "result", dmarc_result_words[i]);
}

/* As many words as values: a new outcome without a word would be counted under another one's name. */
static void words_end_where_the_outcomes_do(UNUSED void **state)
{
    assert_null(signing_words[SIGNINGS]);
    assert_null(dkim_result_words[DKIM_RESULTS]);
    assert_null(dmarc_result_words[DMARC_RESULTS]);
    assert_null(fate_words[FATES]);
}

static void counters_without_labels_are_themselves(UNUSED void **state)
{
    check(metrics.messages, "gatehouse_messages_total", NULL, NULL);
    check(metrics.undecided, "gatehouse_messages_undecided_total", NULL, NULL);
    check(metrics.signatures, "gatehouse_signatures_total", NULL, NULL);
    check(metrics.claims_over, "gatehouse_verified_signatures_over_total", NULL, NULL);
    check(metrics.spf_unknown, "gatehouse_verified_without_spf_total", NULL, NULL);
    check(metrics.forged, "gatehouse_forged_results_total", NULL, NULL);
    check(metrics.late, "gatehouse_message_budget_over_total", NULL, NULL);
    check(metrics.trouble, "gatehouse_rule_trouble_total", NULL, NULL);
    check(metrics.refunds, "gatehouse_refunds_total", NULL, NULL);
    check(metrics.refunds_failed, "gatehouse_refunds_failed_total", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_outcome_has_its_series),
        cmocka_unit_test(words_end_where_the_outcomes_do),
        cmocka_unit_test(counters_without_labels_are_themselves),
    };

    return cmocka_run_group_tests(tests, register_all, NULL);
}
