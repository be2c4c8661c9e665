/* common/observe/metrics.c - see metrics.h. A series is a run of cells, the same in every thread: a thread's cells are
 * written by it alone (relaxed loads and stores, no read-modify-write) and read by whoever prints. Cells come in chunks
 * that never move, so series can be added while threads count. */
#include "common/observe/metrics.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

enum { CHUNK_CELLS = 1024, CHUNKS_MAX = 128 };

/* Upper bounds in microseconds, as they are printed. Fine around what a request costs, coarse up to its budget. */
static const struct {
    uint64_t us;
    const char *seconds;
} buckets[] = {
    { 50, "5e-05" },    { 100, "0.0001" },  { 250, "0.00025" }, { 500, "0.0005" },
    { 1000, "0.001" },  { 2500, "0.0025" }, { 5000, "0.005" },  { 10000, "0.01" },
    { 25000, "0.025" }, { 50000, "0.05" },  { 100000, "0.1" },  { 250000, "0.25" },
    { 500000, "0.5" },  { 1000000, "1" },   { 2500000, "2.5" }, { 5000000, "5" },
    { 10000000, "10" },
};
/* Cells of a histogram: one per bucket, one for what is above the last, the sum of all in microseconds. */
enum { ABOVE = COUNT(buckets), SUM, HISTOGRAM_CELLS };

typedef _Atomic uint64_t cell;

struct cells { /* of one thread */
    struct cells *next;
    cell *_Atomic chunks[CHUNKS_MAX];
};

struct metric_series {
    struct metric_series *next;
    metric_id id;
    char *values[METRIC_LABELS_MAX]; /* owned */
};

struct collector {
    struct collector *next;
    void (*collect)(void *arg);
    void *arg;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* for all of these */
static struct metric *metrics, **metrics_end = &metrics;
static struct cells *threads; /* of living threads */
static struct cells retired; /* what threads that ended had counted */
static struct collector *collectors;
static metric_id next_cell = 1; /* cell 0 belongs to no series */

static _Thread_local struct cells *mine;
static pthread_key_t at_thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- cells ---- */

static cell *find_cell(struct cells *cells, metric_id id)
{
    cell *chunk = atomic_load_explicit(&cells->chunks[id / CHUNK_CELLS], memory_order_acquire);

    return chunk == NULL ? NULL : &chunk[id % CHUNK_CELLS];
}

/* The same, made when it is not there; only by the cells' owner. NULL: out of memory. */
static cell *make_cell(struct cells *cells, metric_id id)
{
    cell *found = find_cell(cells, id);

    if (found != NULL)
        return found;
    cell *chunk = calloc(CHUNK_CELLS, sizeof *chunk);
    if (chunk == NULL)
        return NULL;
    atomic_store_explicit(&cells->chunks[id / CHUNK_CELLS], chunk, memory_order_release);
    return &chunk[id % CHUNK_CELLS];
}

static void cell_add(cell *at, uint64_t n)
{
    atomic_store_explicit(at, atomic_load_explicit(at, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* Adds what a thread counted to `retired` and forgets the thread. */
static void retire(void *arg)
{
    struct cells *gone = arg, **at;

    pthread_mutex_lock(&mutex);
    for (at = &threads; *at != gone; at = &(*at)->next)
        ;
    *at = gone->next;
    for (metric_id id = 0; id < next_cell; id++) {
        cell *from = find_cell(gone, id);
        cell *to = from == NULL ? NULL : make_cell(&retired, id);
        if (to != NULL)
            cell_add(to, atomic_load_explicit(from, memory_order_relaxed));
    }
    pthread_mutex_unlock(&mutex);
    for (size_t i = 0; i < CHUNKS_MAX; i++)
        free(atomic_load_explicit(&gone->chunks[i], memory_order_relaxed));
    free(gone);
    mine = NULL;
}

static void make_key(void)
{
    pthread_key_create(&at_thread_end, retire);
}

static struct cells *my_cells(void)
{
    if (mine != NULL)
        return mine;
    pthread_once(&once, make_key);
    struct cells *cells = calloc(1, sizeof *cells);
    if (cells == NULL)
        return NULL;
    pthread_mutex_lock(&mutex);
    cells->next = threads;
    threads = cells;
    pthread_mutex_unlock(&mutex);
    pthread_setspecific(at_thread_end, cells);
    mine = cells;
    return cells;
}

static cell *my_cell(metric_id id)
{
    struct cells *cells = id == 0 ? NULL : my_cells();

    return cells == NULL ? NULL : make_cell(cells, id);
}

/* Of all threads together; `mutex` is held. */
static uint64_t sum_cells(metric_id id)
{
    cell *at = find_cell(&retired, id);
    uint64_t sum = at == NULL ? 0 : atomic_load_explicit(at, memory_order_relaxed);

    for (struct cells *cells = threads; cells != NULL; cells = cells->next) {
        at = find_cell(cells, id);
        if (at != NULL)
            sum += atomic_load_explicit(at, memory_order_relaxed);
    }
    return sum;
}

/* ---- metrics and series ---- */

static size_t label_count(const struct metric *metric)
{
    size_t count = 0;

    while (count < METRIC_LABELS_MAX && metric->labels[count] != NULL)
        count++;
    return count;
}

static void free_series(struct metric_series *series)
{
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
        free(series->values[i]);
    free(series);
}

/* `mutex` is held. NULL: out of memory or cells. */
static struct metric_series *add_series(struct metric *metric, const struct slice *values)
{
    metric_id width = metric->type == METRIC_HISTOGRAM ? HISTOGRAM_CELLS : 1;

    if (next_cell + width > CHUNK_CELLS * CHUNKS_MAX)
        return NULL;
    struct metric_series *series = calloc(1, sizeof *series);
    if (series == NULL)
        return NULL;
    for (size_t i = 0; i < label_count(metric); i++) {
        series->values[i] = strndup(values[i].len == 0 ? "" : values[i].ptr, values[i].len);
        if (series->values[i] == NULL) {
            free_series(series);
            return NULL;
        }
    }
    series->id = next_cell;
    next_cell += width;
    struct metric_series **end = &metric->series;
    while (*end != NULL)
        end = &(*end)->next;
    *end = series;
    metric->series_count++;
    return series;
}

void metrics_register(struct metric *table, size_t count)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < count; i++) {
        struct metric *metric = &table[i];
        if (metric->is_registered)
            continue;
        metric->is_registered = true;
        *metrics_end = metric;
        metrics_end = &metric->next;
        if (label_count(metric) == 0) {
            struct metric_series *series = add_series(metric, NULL);
            metric->plain = series == NULL ? 0 : series->id;
        }
    }
    pthread_mutex_unlock(&mutex);
}

metric_id metric_of(const struct metric *metric)
{
    return metric->plain;
}

static struct metric_series *find_series(const struct metric *metric, const struct slice *values)
{
    struct metric_series *series = metric->series;

    for (; series != NULL; series = series->next) {
        size_t same = 0, labels = label_count(metric);
        while (same < labels && slice_equal(slice_of(series->values[same]), values[same]))
            same++;
        if (same == labels)
            break;
    }
    return series;
}

metric_id metric_series(struct metric *metric, const struct slice *values)
{
    static const struct slice other[METRIC_LABELS_MAX] = { SLICE_INIT("other"), SLICE_INIT("other"),
                                                           SLICE_INIT("other") };

    pthread_mutex_lock(&mutex);
    assert(metric->is_registered);
    struct metric_series *series = find_series(metric, values);
    if (series == NULL && metric->series_count >= METRIC_SERIES_MAX) {
        values = other;
        series = find_series(metric, values);
    }
    if (series == NULL)
        series = add_series(metric, values);
    metric_id id = series == NULL ? 0 : series->id;
    pthread_mutex_unlock(&mutex);
    return id;
}

/* ---- counting ---- */

void metric_add(metric_id series, uint64_t n)
{
    cell *at = my_cell(series);

    if (at != NULL)
        cell_add(at, n);
}

void metric_change(metric_id series, int64_t by)
{
    metric_add(series, (uint64_t)by); /* two's complement: the sum comes out right */
}

void metric_set(metric_id series, int64_t value)
{
    cell *at = my_cell(series);

    if (at != NULL)
        atomic_store_explicit(at, (uint64_t)value, memory_order_relaxed);
}

void metric_observe_us(metric_id series, uint64_t us)
{
    metric_id bucket = 0;

    if (series == 0)
        return;
    while (bucket < ABOVE && us > buckets[bucket].us)
        bucket++;
    metric_add(series + bucket, 1);
    metric_add(series + SUM, us);
}

/* ---- reading ---- */

uint64_t metric_read(metric_id series)
{
    pthread_mutex_lock(&mutex);
    uint64_t sum = series == 0 ? 0 : sum_cells(series);
    pthread_mutex_unlock(&mutex);
    return sum;
}

void metrics_on_read(void (*collect)(void *arg), void *arg)
{
    struct collector *collector = malloc(sizeof *collector);

    if (collector == NULL)
        return;
    pthread_mutex_lock(&mutex);
    *collector = (struct collector){ collectors, collect, arg };
    collectors = collector;
    pthread_mutex_unlock(&mutex);
}

void metrics_forget_on_read(void (*collect)(void *arg), void *arg)
{
    struct collector *gone = NULL;

    pthread_mutex_lock(&mutex);
    for (struct collector **at = &collectors; *at != NULL; at = &(*at)->next)
        if ((*at)->collect == collect && (*at)->arg == arg) {
            gone = *at;
            *at = gone->next;
            break;
        }
    pthread_mutex_unlock(&mutex);
    free(gone);
}

/* A label's value may come from a live rule's name: whatever its bytes are, the page stays valid UTF-8. */
static int put_label(struct buf *out, const char *name, const char *value)
{
    int rc = buf_printf(out, "%s=\"", name);

    for (const char *c = value; *c != '\0'; c++) {
        if (!ascii_is_print(*c))
            rc |= buf_printf(out, "\\\\x%02x", (unsigned char)*c);
        else if (*c == '\\' || *c == '"')
            rc |= buf_printf(out, "\\%c", *c);
        else
            rc |= buf_put_char(out, *c);
    }
    return rc | buf_put_char(out, '"');
}

/* NAME SUFFIX {labels,le="..."}, up to the blank before the value. `le` may be NULL. */
static int put_series(struct buf *out, const struct metric *metric, const char *suffix,
                      const struct metric_series *series, const char *le)
{
    int rc = buf_printf(out, "%s%s", metric->name, suffix);
    size_t labels = label_count(metric);

    if (labels == 0 && le == NULL)
        return rc | buf_put_char(out, ' ');
    for (size_t i = 0; i < labels; i++) {
        rc |= buf_put_char(out, i == 0 ? '{' : ',');
        rc |= put_label(out, metric->labels[i], series->values[i]);
    }
    if (le != NULL)
        rc |= buf_printf(out, "%cle=\"%s\"", labels == 0 ? '{' : ',', le);
    return rc | buf_put(out, "} ");
}

static int put_histogram(struct buf *out, const struct metric *metric,
                         const struct metric_series *series)
{
    uint64_t below = 0;
    int rc = 0;

    for (metric_id i = 0; i <= ABOVE; i++) {
        below += sum_cells(series->id + i);
        rc |= put_series(out, metric, "_bucket", series, i < ABOVE ? buckets[i].seconds : "+Inf");
        rc |= buf_printf(out, "%llu\n", (unsigned long long)below);
    }
    uint64_t us = sum_cells(series->id + SUM);
    rc |= put_series(out, metric, "_sum", series, NULL);
    rc |= buf_printf(out, "%llu.%06llu\n", (unsigned long long)(us / 1000000),
                     (unsigned long long)(us % 1000000));
    rc |= put_series(out, metric, "_count", series, NULL);
    return rc | buf_printf(out, "%llu\n", (unsigned long long)below);
}

static int put_metric(struct buf *out, const struct metric *metric)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };
    int rc = buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
                        metric->name, types[metric->type]);

    for (struct metric_series *series = metric->series; series != NULL; series = series->next) {
        if (metric->type == METRIC_HISTOGRAM) {
            rc |= put_histogram(out, metric, series);
            continue;
        }
        uint64_t value = sum_cells(series->id);
        rc |= put_series(out, metric, "", series, NULL);
        rc |= metric->type == METRIC_GAUGE ? buf_printf(out, "%lld\n", (long long)value)
                                           : buf_printf(out, "%llu\n", (unsigned long long)value);
    }
    return rc;
}

/* Collectors set metrics and may register some, so they run without the lock; only the reading thread removes any. */
static void run_collectors(void)
{
    pthread_mutex_lock(&mutex);
    struct collector *collector = collectors;
    pthread_mutex_unlock(&mutex);
    for (; collector != NULL; collector = collector->next)
        collector->collect(collector->arg);
}

int metrics_print(struct buf *out)
{
    int rc = 0;

    run_collectors();
    pthread_mutex_lock(&mutex);
    for (const struct metric *metric = metrics; metric != NULL; metric = metric->next)
        rc |= put_metric(out, metric);
    pthread_mutex_unlock(&mutex);
    return rc;
}
