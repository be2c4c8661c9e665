/* common/observe/metrics.h - counters, gauges and histograms in Prometheus' words. A module declares a table of them
 * and registers it once; every thread counts in cells of its own (no locks, no shared cache lines), which are summed
 * when read. Label values come from the configuration (rule, limit, list names), never from mail.
 *
 *     static struct metric metrics[] = {
 *         [ACCEPTED] = METRIC("gatehouse_connections_total", METRIC_COUNTER, "Connections accepted."),
 *         [MATCHES] = METRIC_BY("gatehouse_rule_matches_total", METRIC_COUNTER, "Rules matched.", "rule"),
 *     };
 *     metrics_register(metrics, COUNT(metrics));
 *     metric_add(metric_of(&metrics[ACCEPTED]), 1);
 *     series = metric_series(&metrics[MATCHES], &rule_name);   // when loaded; the same name is the same series, so
 *     metric_add(series, 1);                                   // counts survive a reload
 */
#ifndef GATEHOUSE_OBSERVE_METRICS_H
#define GATEHOUSE_OBSERVE_METRICS_H

#include "common/base/buf.h"

enum {
    METRIC_LABELS_MAX = 3,
    METRIC_SERIES_MAX = 1024 /* of one metric; further ones count as "other" */
};

enum metric_type {
    METRIC_COUNTER, /* the name ends in _total */
    METRIC_GAUGE, /* summed over threads */
    METRIC_HISTOGRAM, /* of durations: the name ends in _seconds */
};

/* One time series: a place in every thread's cells. 0 counts nothing, so a metric that is not registered is harmless. */
typedef uint32_t metric_id;

struct metric {
    const char *name;
    enum metric_type type;
    const char *help; /* one sentence, no line break or backslash */
    const char *labels[METRIC_LABELS_MAX]; /* names, NULL after the last */
    /* private */
    metric_id plain; /* without labels: its only series */
    uint32_t series_count;
    struct metric *next;
    struct metric_series *series;
    bool is_registered;
};

#define METRIC(metric_name, metric_type, metric_help)                                              \
    {                                                                                              \
        .name = (metric_name), .type = (metric_type), .help = (metric_help)                        \
    }
#define METRIC_BY(metric_name, metric_type, metric_help, ...) /* names of labels */                \
    {                                                                                              \
        .name = (metric_name), .type = (metric_type), .help = (metric_help), .labels = {           \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

/* The table must stay. Registering it again changes nothing. Any thread. */
void metrics_register(struct metric *metrics, size_t count);

metric_id metric_of(const struct metric *metric); /* of a metric without labels */
/* `values`: one for each label name; copied. Any thread; takes a lock: keep the result. */
metric_id metric_series(struct metric *metric, const struct slice *values);

/* ---- counting: any thread, no lock ---- */
void metric_add(metric_id series, uint64_t n); /* counter */
void metric_change(metric_id series, int64_t by); /* gauge: this thread's share goes up or down */
void metric_set(metric_id series, int64_t value); /* gauge: this thread's share */
void metric_observe_us(metric_id series, uint64_t us); /* histogram: one duration in microseconds */

/* ---- reading ---- */
uint64_t metric_read(metric_id series); /* a counter, or a gauge as int64_t; not a histogram */
/* Called before every metrics_print(), on its thread: for gauges that are cheaper to compute than to keep. */
/* Add and remove them on the thread that prints. */
void metrics_on_read(void (*collect)(void *arg), void *arg);
void metrics_forget_on_read(void (*collect)(void *arg), void *arg);
int metrics_print(struct buf *out); /* text format 0.0.4; 0, or -1 when the buffer is full */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
