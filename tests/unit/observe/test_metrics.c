/* tests/unit/observe/test_metrics.c - counting from many threads, and the text Prometheus reads. */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "common/observe/metrics.h"

enum { PAGE_MAX = 1 << 20, THREADS = 4, COUNTS = 20000 };
enum { PLAIN, BY_RULE, GAUGE, DURATION, ODD, MANY };

static struct metric metrics[] = {
    [PLAIN] = METRIC("test_requests_total", METRIC_COUNTER, "Requests answered."),
    [BY_RULE] =
        METRIC_BY("test_rule_matches_total", METRIC_COUNTER, "Rules that matched.", "rule", "mode"),
    [GAUGE] = METRIC("test_open", METRIC_GAUGE, "Open now."),
    [DURATION] = METRIC_BY("test_duration_seconds", METRIC_HISTOGRAM, "How long it took.", "stage"),
    [ODD] = METRIC_BY("test_odd_total", METRIC_COUNTER, "Odd names.", "rule"),
    [MANY] = METRIC_BY("test_many_total", METRIC_COUNTER, "Many names.", "rule"),
};

static int register_all(UNUSED void **state)
{
    metrics_register(metrics, COUNT(metrics));
    metrics_register(metrics, COUNT(metrics)); /* changes nothing */
    return 0;
}

static bool page_has(const char *line)
{
    AUTO_BUF page = BUF_INIT(PAGE_MAX);

    assert_int_equal(0, metrics_print(&page));
    return strstr(buf_text(&page), line) != NULL;
}

static void prints_counters_with_help_and_type(UNUSED void **state)
{
    metric_add(metric_of(&metrics[PLAIN]), 2);
    metric_add(metric_of(&metrics[PLAIN]), 40);
    assert_true(page_has("# HELP test_requests_total Requests answered.\n"
                         "# TYPE test_requests_total counter\n"
                         "test_requests_total 42\n"));
}

static metric_id rule_series(const char *rule, const char *mode)
{
    const struct slice values[] = { slice_of(rule), slice_of(mode) };

    return metric_series(&metrics[BY_RULE], values);
}

static void keeps_the_counts_of_a_name_through_a_reload(UNUSED void **state)
{
    metric_id before = rule_series("country", "enforce");

    metric_add(before, 3);
    metric_add(rule_series("country", "shadow"), 1);
    rule_series("added-by-reload", "enforce");
    assert_int_equal(before, rule_series("country", "enforce"));
    metric_add(rule_series("country", "enforce"), 4);
    assert_int_equal(7, metric_read(before));
    assert_true(page_has("test_rule_matches_total{rule=\"country\",mode=\"enforce\"} 7\n"
                         "test_rule_matches_total{rule=\"country\",mode=\"shadow\"} 1\n"
                         "test_rule_matches_total{rule=\"added-by-reload\",mode=\"enforce\"} 0\n"));
}

static void escapes_what_a_label_may_not_hold(UNUSED void **state)
{
    struct slice name = SLICE("a\"b\\c\nd\xff");

    metric_add(metric_series(&metrics[ODD], &name), 1);
    assert_true(page_has("test_odd_total{rule=\"a\\\"b\\\\c\\\\x0ad\\\\xff\"} 1\n"));
}

static void counts_too_many_names_as_other(UNUSED void **state)
{
    char name[16];
    struct slice value, other = SLICE("other");

    for (unsigned i = 0; i < METRIC_SERIES_MAX + 10; i++) {
        snprintf(name, sizeof name, "rule-%u", i);
        value = slice_of(name);
        metric_add(metric_series(&metrics[MANY], &value), 1);
    }
    assert_int_equal(10, metric_read(metric_series(&metrics[MANY], &other)));
}

static void sorts_durations_into_buckets(UNUSED void **state)
{
    static const uint64_t us[] = { 0, 50, 51, 1000, 9999999, 10000001 };
    struct slice stage = SLICE("rcpt");
    metric_id series = metric_series(&metrics[DURATION], &stage);

    for (size_t i = 0; i < COUNT(us); i++)
        metric_observe_us(series, us[i]);
    metric_observe_us(0, 5); /* no series: nothing happens */
    assert_true(page_has("# TYPE test_duration_seconds histogram\n"
                         "test_duration_seconds_bucket{stage=\"rcpt\",le=\"5e-05\"} 2\n"
                         "test_duration_seconds_bucket{stage=\"rcpt\",le=\"0.0001\"} 3\n"));
    assert_true(page_has("le=\"0.0005\"} 3\n"
                         "test_duration_seconds_bucket{stage=\"rcpt\",le=\"0.001\"} 4\n"));
    assert_true(page_has("le=\"10\"} 5\n"
                         "test_duration_seconds_bucket{stage=\"rcpt\",le=\"+Inf\"} 6\n"
                         "test_duration_seconds_sum{stage=\"rcpt\"} 20.001101\n"
                         "test_duration_seconds_count{stage=\"rcpt\"} 6\n"));
}

static void *count_and_end(UNUSED void *arg)
{
    for (size_t i = 0; i < COUNTS; i++) {
        metric_add(metric_of(&metrics[PLAIN]), 1);
        metric_change(metric_of(&metrics[GAUGE]), i % 2 == 0 ? 1 : -1);
    }
    metric_change(metric_of(&metrics[GAUGE]), -5);
    return NULL;
}

static void sums_all_threads_also_those_that_ended(UNUSED void **state)
{
    uint64_t before = metric_read(metric_of(&metrics[PLAIN]));
    pthread_t threads[THREADS];

    metric_set(metric_of(&metrics[GAUGE]), 1);
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, count_and_end, NULL);
    for (size_t i = 0; i < 50; i++)
        metric_read(metric_of(&metrics[PLAIN])); /* reading meanwhile is no race */
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(before + THREADS * COUNTS, metric_read(metric_of(&metrics[PLAIN])));
    assert_true(page_has("test_open -19\n"));
}

static void set_from_reader(void *arg)
{
    metric_set(metric_of(&metrics[GAUGE]), *(int *)arg);
}

static void asks_collectors_before_each_page(UNUSED void **state)
{
    int value = 1000;

    metric_set(metric_of(&metrics[GAUGE]), 0);
    int64_t rest = (int64_t)metric_read(metric_of(&metrics[GAUGE]));
    metrics_on_read(set_from_reader, &value);
    AUTO_BUF page = BUF_INIT(PAGE_MAX);
    metrics_print(&page);
    assert_int_equal(rest + 1000, (int64_t)metric_read(metric_of(&metrics[GAUGE])));
    metrics_forget_on_read(set_from_reader, &value);
    value = 5;
    buf_clear(&page);
    metrics_print(&page);
    assert_int_equal(rest + 1000, (int64_t)metric_read(metric_of(&metrics[GAUGE])));
}

static void says_when_the_page_does_not_fit(UNUSED void **state)
{
    AUTO_BUF page = BUF_INIT(100);

    assert_int_equal(-1, metrics_print(&page));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_counters_with_help_and_type),
        cmocka_unit_test(keeps_the_counts_of_a_name_through_a_reload),
        cmocka_unit_test(escapes_what_a_label_may_not_hold),
        cmocka_unit_test(counts_too_many_names_as_other),
        cmocka_unit_test(sorts_durations_into_buckets),
        cmocka_unit_test(sums_all_threads_also_those_that_ended),
        cmocka_unit_test(asks_collectors_before_each_page),
        cmocka_unit_test(says_when_the_page_does_not_fit),
    };

    return cmocka_run_group_tests(tests, register_all, NULL);
}
