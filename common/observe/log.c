/* common/observe/log.c - see log.h. Callers add finished lines to a bounded buffer; one writer thread takes it whole and
 * hands its lines to the sink. After a batch it rests a few milliseconds, so that under load it is not woken for every
 * line. */
#include "common/observe/log.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>

#include "common/observe/log_sink.h"
#include "common/observe/log_text.h"
#include "common/observe/metrics.h"

enum {
    QUEUE_MAX = 8 << 20, /* bytes */
    QUEUE_KEPT = 1 << 20, /* memory for so many is not given back */
    REST_MS = 5,
    CLOSE_MS = 1000,
    CHANGE_MS = 1000,
};

/* In the queue; text and fields follow. */
struct queued {
    uint64_t wall_ms;
    size_t text_len, fields_len;
    enum log_level level;
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    struct buf queue; /* of struct queued, not taken yet */
    size_t taken; /* bytes that are being written */
    uint64_t added, written; /* lines */
    uint64_t dropped;
    uint64_t dropped_said, dropped_shown; /* in a line of the queue, in one that was written */
    bool is_open, is_closing, is_resting, wants_reopen, echo_errors;
    bool is_lost; /* the writer was stuck when the log was closed */
    enum log_level level;
    enum log_addresses addresses;
    enum log_target target;
    const char *identity;
    const struct clock *clock;

    /* set before the writer runs, its own afterwards */
    pthread_t writer;
    struct log_sink sink;
    struct buf spare; /* empty; to become the queue when that is taken */
} logger = { .mutex = PTHREAD_MUTEX_INITIALIZER,
             .work = PTHREAD_COND_INITIALIZER,
             .done = PTHREAD_COND_INITIALIZER,
             .queue = BUF_INIT(QUEUE_MAX),
             .spare = BUF_INIT(QUEUE_MAX),
             .level = LOG_LEVEL_INFO,
             .clock = &clock_system,
             .identity = "gatehouse",
             .target = LOG_TO_STDERR };

static struct metric metrics[] = {
    METRIC("gatehouse_log_lines_dropped_total", METRIC_COUNTER,
           "Log lines lost because the target was slow or failed."),
};

static const char *const level_marks[] = { "error: ", "warning: ", "", "debug: " };

/* ---- the queue ---- */

/* `mutex` is held. */
static void count_dropped(uint64_t lines)
{
    logger.dropped += lines;
    metric_add(metric_of(&metrics[0]), lines);
}

/* `mutex` is held. False: there is no room. */
static bool enqueue(enum log_level level, struct slice text, struct slice fields, uint64_t wall_ms)
{
    struct queued head = { wall_ms, text.len, fields.len, level };
    size_t size = sizeof head + text.len + fields.len;

    if (size > QUEUE_MAX - logger.taken || logger.queue.len > QUEUE_MAX - logger.taken - size ||
        buf_reserve(&logger.queue, size))
        return false;
    buf_add(&logger.queue, (struct slice){ (const char *)&head, sizeof head });
    buf_add(&logger.queue, text);
    buf_add(&logger.queue, fields);
    logger.added++;
    if (!logger.is_resting)
        pthread_cond_signal(&logger.work);
    return true;
}

/* `mutex` is held. One line for what was lost since it was last said. */
static void say_dropped(void)
{
    char text[96];
    uint64_t lost = logger.dropped - logger.dropped_said;

    if (lost == 0)
        return;
    int len = snprintf(text, sizeof text, "warning: %llu log lines lost: the log is too slow",
                       (unsigned long long)lost);
    if (enqueue(LOG_LEVEL_WARNING, (struct slice){ text, (size_t)len }, (struct slice){ NULL, 0 },
                logger.clock->wall_ms(logger.clock)))
        logger.dropped_said = logger.dropped;
}

/* ---- the writer's thread ---- */

/* Takes a line off the front. */
static struct log_record next_record(struct slice *lines)
{
    struct queued head;

    memcpy(&head, lines->ptr, sizeof head);
    *lines = slice_skip(*lines, sizeof head);
    struct log_record record = { .level = head.level,
                                 .wall_ms = head.wall_ms,
                                 .text = slice_part(*lines, 0, head.text_len),
                                 .fields = slice_part(*lines, head.text_len, head.fields_len) };
    *lines = slice_skip(*lines, head.text_len + head.fields_len);
    return record;
}

/* Writes all lines. Returns how many there were, and how many of them were lost. */
static uint64_t write_lines(struct slice lines, uint64_t *lost)
{
    uint64_t count = 0;

    for (; lines.len > 0; count++) {
        struct log_record record = next_record(&lines);
        log_sink_put(&logger.sink, &record);
    }
    *lost = log_sink_flush(&logger.sink);
    return count;
}

/* Writes what is in the queue. `mutex` is held before and after, not meanwhile. False: lines were lost. */
static bool write_queue(void)
{
    struct buf lines = logger.queue;
    bool reopen = logger.wants_reopen;
    uint64_t lost, said = logger.dropped_said;

    logger.queue = logger.spare;
    logger.taken = lines.len;
    logger.wants_reopen = false;
    pthread_mutex_unlock(&logger.mutex);
    if (reopen)
        log_sink_reopen(&logger.sink);
    uint64_t count = write_lines(buf_slice(&lines), &lost);
    if (lines.cap > QUEUE_KEPT)
        buf_free(&lines);
    buf_clear(&lines);
    pthread_mutex_lock(&logger.mutex);
    logger.spare = lines;
    logger.taken = 0;
    logger.written += count;
    if (lost == 0)
        logger.dropped_shown = said;
    else
        logger.dropped_said = logger.dropped_shown; /* perhaps that line was among them */
    count_dropped(lost);
    pthread_cond_broadcast(&logger.done);
    return lost == 0;
}

static void rest(void)
{
    static const struct timespec pause = { 0, REST_MS * 1000000L };

    logger.is_resting = true;
    pthread_mutex_unlock(&logger.mutex);
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&logger.mutex);
    logger.is_resting = false;
}

static void *writer_main(UNUSED void *arg)
{
    pthread_mutex_lock(&logger.mutex);
    for (;;) {
        while (logger.queue.len == 0 && !logger.wants_reopen && !logger.is_closing)
            pthread_cond_wait(&logger.work, &logger.mutex);
        if (logger.queue.len == 0 && !logger.wants_reopen)
            break; /* closing, and nothing is left */
        if (write_queue())
            say_dropped(); /* not into a target that takes nothing: that line would be lost too */
        if (!logger.is_closing)
            rest();
    }
    pthread_mutex_unlock(&logger.mutex);
    return NULL;
}

/* ---- opening and closing ---- */

bool log_target_parse(struct slice text, enum log_target *target, struct slice *path,
                      const char **error)
{
    static const struct {
        struct slice word;
        enum log_target target;
    } words[] = { { SLICE_INIT("syslog"), LOG_TO_SYSLOG },
                  { SLICE_INIT("journal"), LOG_TO_JOURNAL },
                  { SLICE_INIT("stderr"), LOG_TO_STDERR } };

    for (size_t i = 0; i < COUNT(words); i++)
        if (slice_equal(text, words[i].word)) {
            *target = words[i].target;
            *path = (struct slice){ NULL, 0 };
            return true;
        }
    if (!slice_starts_with(text, SLICE("file:/"))) {
        *error = "is not syslog, journal, stderr or file:PATH";
        return false;
    }
    *target = LOG_TO_FILE;
    *path = slice_skip(text, strlen("file:"));
    return true;
}

static void close_sink(void)
{
    log_sink_close(&logger.sink);
    logger.target = LOG_TO_STDERR;
    buf_free(&logger.queue);
    buf_free(&logger.spare);
}

static int start_writer(void)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&logger.writer, NULL, writer_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int log_open(const struct log_settings *settings, struct buf *error)
{
    assert(!logger.is_open);
    if (logger.is_lost) {
        if (error != NULL)
            buf_put(error, "the log is still stuck in a write");
        return -1;
    }
    metrics_register(metrics, COUNT(metrics));
    if (log_sink_open(&logger.sink, settings, error))
        return -1;
    logger.identity = settings->identity;
    logger.target = settings->target;
    logger.clock = settings->clock == NULL ? &clock_system : settings->clock;
    log_adjust(settings->level, settings->addresses);
    logger.is_closing = false;
    int rc = start_writer();
    if (rc != 0) {
        if (error != NULL)
            buf_printf(error, "log thread: %s", strerror(rc));
        close_sink();
        return -1;
    }
    pthread_setname_np(logger.writer, "log");
    pthread_mutex_lock(&logger.mutex);
    logger.is_open = true;
    pthread_mutex_unlock(&logger.mutex);
    return 0;
}

void log_adjust(enum log_level level, enum log_addresses addresses)
{
    pthread_mutex_lock(&logger.mutex);
    __atomic_store_n(&logger.level, level, __ATOMIC_RELAXED);
    __atomic_store_n(&logger.addresses, addresses, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&logger.mutex);
}

void log_echo_errors(bool on)
{
    pthread_mutex_lock(&logger.mutex);
    logger.echo_errors = on;
    pthread_mutex_unlock(&logger.mutex);
}

void log_reopen(void)
{
    pthread_mutex_lock(&logger.mutex);
    logger.wants_reopen = logger.is_open;
    pthread_cond_signal(&logger.work);
    pthread_mutex_unlock(&logger.mutex);
}

static struct timespec after_ms(uint64_t ms)
{
    uint64_t end = clock_system.wall_ms(&clock_system) + ms; /* what condition variables go by */

    return (struct timespec){ (time_t)(end / SECOND), (long)(end % SECOND * 1000000) };
}

void log_flush(uint64_t timeout_ms)
{
    struct timespec end = after_ms(timeout_ms);

    pthread_mutex_lock(&logger.mutex);
    uint64_t mark = logger.added;
    while (logger.is_open && logger.written < mark)
        if (pthread_cond_timedwait(&logger.done, &logger.mutex, &end) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&logger.mutex);
}

void log_close(void)
{
    struct timespec end = after_ms(CLOSE_MS);

    pthread_mutex_lock(&logger.mutex);
    bool was_open = logger.is_open;
    logger.is_open = false;
    logger.is_closing = true;
    pthread_cond_signal(&logger.work);
    pthread_mutex_unlock(&logger.mutex);
    if (!was_open)
        return;
    if (pthread_timedjoin_np(logger.writer, NULL, &end) == 0)
        close_sink();
    else
        logger.is_lost = true; /* the process is about to end, and the thread with it */
}

/* ---- lines ---- */

bool log_wants(enum log_level level)
{
    return level <= __atomic_load_n(&logger.level, __ATOMIC_RELAXED);
}

uint64_t log_dropped(void)
{
    pthread_mutex_lock(&logger.mutex);
    uint64_t dropped = logger.dropped;
    pthread_mutex_unlock(&logger.mutex);
    return dropped;
}

/* A finished line to the writer; before log_open() and after log_close() to standard error. */
static void put(enum log_level level, struct slice text, struct slice fields)
{
    uint64_t wall_ms = logger.clock->wall_ms(logger.clock);

    pthread_mutex_lock(&logger.mutex);
    bool is_echoed =
        level == LOG_LEVEL_ERROR && logger.echo_errors && logger.target != LOG_TO_STDERR;
    bool is_shown = !logger.is_open || is_echoed;
    if (logger.is_open && !enqueue(level, text, fields, wall_ms))
        count_dropped(1);
    pthread_mutex_unlock(&logger.mutex);
    if (is_shown)
        fprintf(stderr, "%s: %.*s\n", logger.identity, SLICE_ARG(text));
}

static void put_format(enum log_level level, const char *note, const char *format, va_list args)
    PRINTF_LIKE(3, 0);
static void put_format(enum log_level level, const char *note, const char *format, va_list args)
{
    char raw[LOG_LINE_MAX];
    AUTO_BUF text = BUF_INIT(2 * LOG_LINE_MAX);

    int len = vsnprintf(raw, sizeof raw, format, args);
    if (len < 0)
        return;
    size_t used = (size_t)len < sizeof raw ? (size_t)len : sizeof raw - 1;
    if (buf_put(&text, level_marks[level]) || log_put_line(&text, (struct slice){ raw, used }) ||
        buf_put(&text, note))
        return;
    put(level, buf_slice(&text), (struct slice){ NULL, 0 });
}

#define LOG_AT(level)                                                                              \
    do {                                                                                           \
        va_list args;                                                                              \
        if (!log_wants(level))                                                                     \
            return;                                                                                \
        va_start(args, format);                                                                    \
        put_format((level), "", format, args);                                                     \
        va_end(args);                                                                              \
    } while (0)

void log_error(const char *format, ...)
{
    LOG_AT(LOG_LEVEL_ERROR);
}

void log_warning(const char *format, ...)
{
    LOG_AT(LOG_LEVEL_WARNING);
}

void log_info(const char *format, ...)
{
    LOG_AT(LOG_LEVEL_INFO);
}

void log_debug(const char *format, ...)
{
    LOG_AT(LOG_LEVEL_DEBUG);
}

/* Is this state to be written now? *left_out is the number of changes that were not. */
static bool take_change(struct log_change *change, int state, uint64_t *left_out)
{
    uint64_t now = logger.clock->now_ms(logger.clock);
    bool is_due = false;

    pthread_mutex_lock(&logger.mutex);
    if (state != change->seen && state != change->logged)
        change->suppressed++; /* counted off again when it is written */
    change->seen = state;
    if (state != change->logged &&
        (change->logged_ms == 0 || now - change->logged_ms >= CHANGE_MS)) {
        is_due = true;
        *left_out = change->suppressed - 1;
        change->logged = state;
        change->logged_ms = now;
        change->suppressed = 0;
    }
    pthread_mutex_unlock(&logger.mutex);
    return is_due;
}

void log_once_per_change(struct log_change *change, int state, enum log_level level,
                         const char *format, ...)
{
    uint64_t left_out = 0;
    char note[64] = "";
    va_list args;

    if (!take_change(change, state, &left_out) || !log_wants(level))
        return;
    if (left_out > 0)
        snprintf(note, sizeof note, " (%llu changes not logged)", (unsigned long long)left_out);
    va_start(args, format);
    put_format(level, note, format, args);
    va_end(args);
}

void log_decision(const struct decision *decision, struct buf *line)
{
    char space[2 * LOG_LINE_MAX];
    struct buf text = BUF_OVER(space);
    AUTO_BUF fields = BUF_INIT(2 * LOG_LINE_MAX);
    enum log_addresses addresses = __atomic_load_n(&logger.addresses, __ATOMIC_RELAXED);

    if (!log_wants(LOG_LEVEL_INFO) && line == NULL)
        return;
    /* Bounded values: it fits, or its end is missing. */
    (void)!decision_print(&text, decision, addresses);
    if (text.len > LOG_LINE_MAX)
        text.len = LOG_LINE_MAX;
    if (line != NULL)
        buf_add(line, buf_slice(&text));
    if (!log_wants(LOG_LEVEL_INFO))
        return;
    if (logger.target == LOG_TO_JOURNAL)
        (void)!decision_fields(&fields, decision, addresses);
    put(LOG_LEVEL_INFO, buf_slice(&text), buf_slice(&fields));
}
