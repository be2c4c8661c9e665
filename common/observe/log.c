/* common/observe/log.c - see log.h. Callers put finished lines on a bounded list; one writer thread takes the whole list
 * and writes it. After a batch it rests a few milliseconds, so that under load it is not woken for every line. */
#include "common/observe/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/observe/journal.h"
#include "common/observe/log_text.h"
#include "common/observe/metrics.h"

enum {
    QUEUE_MAX = 8 << 20, /* bytes */
    BATCH_MAX = 4096, /* bytes of one write(): what a pipe takes whole */
    REST_MS = 1,
    STUCK_MS = 1000, /* standard error that takes nothing for so long loses lines */
    CLOSE_MS = 1000,
    CHANGE_MS = 1000,
};

struct line {
    struct line *next;
    enum log_level level;
    uint64_t wall_ms;
    size_t text_len, fields_len;
    char bytes[]; /* text, then fields for the journal */
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    struct line *head, **tail; /* not taken yet */
    size_t queued; /* bytes, those being written too */
    uint64_t added, written; /* lines */
    uint64_t dropped, dropped_said;
    bool is_open, is_closing, is_resting, wants_reopen, echo_errors;
    bool is_lost; /* the writer was stuck when the log was closed */
    enum log_level level;
    enum log_addresses addresses;
    const struct clock *clock;

    /* set before the writer runs, its own afterwards */
    pthread_t writer;
    const char *identity;
    enum log_target target;
    char *path; /* owned */
    int fd;
    bool has_prefix; /* standard error is the journal's: "<6>" says the level */
    uint64_t lost_writes; /* not yet in `dropped` */
} logger = { .mutex = PTHREAD_MUTEX_INITIALIZER,
             .work = PTHREAD_COND_INITIALIZER,
             .done = PTHREAD_COND_INITIALIZER,
             .tail = &logger.head,
             .level = LOG_LEVEL_INFO,
             .clock = &clock_system,
             .identity = "gatehouse",
             .target = LOG_TO_STDERR,
             .fd = -1 };

static struct metric metrics[] = {
    METRIC("gatehouse_log_lines_dropped_total", METRIC_COUNTER,
           "Log lines lost because the target was slow or failed."),
};

static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
static const char *const level_marks[] = { "error: ", "warning: ", "", "debug: " };

/* ---- targets; the writer's thread ---- */

/* All of it, or false. A full pipe is waited for, but not for ever. */
static bool write_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n >= 0) {
            bytes = slice_skip(bytes, (size_t)n);
            continue;
        }
        struct pollfd room = { .fd = fd, .events = POLLOUT };
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || poll(&room, 1, STUCK_MS) <= 0)
            return false;
    }
    return true;
}

/* As RFC 3339, in UTC. */
static int put_time(struct buf *out, uint64_t wall_ms)
{
    /* Thousands of lines share a second; only the writer's thread is here. */
    static char text[32];
    static time_t shown = -1;
    time_t seconds = (time_t)(wall_ms / SECOND);
    struct tm tm;

    if (seconds != shown) {
        gmtime_r(&seconds, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
        shown = seconds;
    }
    return buf_printf(out, "%s.%03uZ", text, (unsigned)(wall_ms % SECOND));
}

static int put_stream_line(struct buf *out, const struct line *line)
{
    int rc = 0;

    if (logger.target == LOG_TO_FILE)
        rc = put_time(out, line->wall_ms) |
             buf_printf(out, " %s[%ld]: ", logger.identity, (long)getpid());
    else if (logger.has_prefix)
        rc = buf_printf(out, "<%d>", priorities[line->level]);
    else
        rc = buf_printf(out, "%s: ", logger.identity);
    return rc | buf_add(out, (struct slice){ line->bytes, line->text_len }) |
           buf_put_char(out, '\n');
}

/* Whole lines, as many as fit into one write. */
static void write_stream(const struct line *line)
{
    AUTO_BUF batch = BUF_INIT(BATCH_MAX + 2 * LOG_LINE_MAX);
    uint64_t lines = 0;

    for (; line != NULL; line = line->next) {
        size_t before = batch.len;
        if (put_stream_line(&batch, line)) {
            batch.len = before;
            logger.lost_writes++;
            continue;
        }
        lines++;
        if (line->next != NULL && batch.len + line->next->text_len < BATCH_MAX)
            continue;
        if (!write_all(logger.fd, buf_slice(&batch)))
            logger.lost_writes += lines;
        buf_clear(&batch);
        lines = 0;
    }
}

static void write_line(const struct line *line)
{
    struct slice text = { line->bytes, line->text_len };
    struct slice fields = { line->bytes + line->text_len, line->fields_len };

    if (logger.target == LOG_TO_SYSLOG)
        syslog(priorities[line->level], "%.*s", SLICE_ARG(text));
    else if (journal_write(logger.identity, priorities[line->level], text, fields))
        logger.lost_writes++;
}

static void write_lines(const struct line *line)
{
    if (logger.target == LOG_TO_FILE || logger.target == LOG_TO_STDERR) {
        write_stream(line);
        return;
    }
    for (; line != NULL; line = line->next)
        write_line(line);
}

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static void reopen_file(void)
{
    int fd = logger.path == NULL ? -1 : open_file(logger.path);

    if (fd < 0)
        return; /* the old one is better than none */
    close(logger.fd);
    logger.fd = fd;
}

/* ---- the queue ---- */

/* `mutex` is held. */
static void count_dropped(uint64_t lines)
{
    logger.dropped += lines;
    metric_add(metric_of(&metrics[0]), lines);
}

static struct line *new_line(enum log_level level, struct slice text, struct slice fields)
{
    struct line *line = malloc(sizeof *line + text.len + fields.len);

    if (line == NULL)
        return NULL;
    *line = (struct line){ .level = level, .text_len = text.len, .fields_len = fields.len };
    line->wall_ms = logger.clock->wall_ms(logger.clock);
    memcpy(line->bytes, text.ptr, text.len);
    if (fields.len > 0)
        memcpy(line->bytes + text.len, fields.ptr, fields.len);
    return line;
}

static size_t line_size(const struct line *line)
{
    return sizeof *line + line->text_len + line->fields_len;
}

/* `mutex` is held; `line` may be NULL (no memory). After log_close() nobody would write it. */
static void enqueue(struct line *line)
{
    if (line == NULL || logger.is_closing || line_size(line) > QUEUE_MAX - logger.queued) {
        count_dropped(1);
        free(line);
        return;
    }
    logger.queued += line_size(line);
    logger.added++;
    *logger.tail = line;
    logger.tail = &line->next;
    if (!logger.is_resting)
        pthread_cond_signal(&logger.work);
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
    logger.dropped_said = logger.dropped;
    enqueue(new_line(LOG_LEVEL_WARNING, (struct slice){ text, (size_t)len },
                     (struct slice){ NULL, 0 }));
}

/* Writes and frees a list that was taken off the queue. `mutex` is held before and after, not meanwhile. */
static void write_batch(struct line *lines)
{
    size_t bytes = 0;
    uint64_t count = 0;
    bool reopen = logger.wants_reopen;

    logger.wants_reopen = false;
    pthread_mutex_unlock(&logger.mutex);
    if (reopen)
        reopen_file();
    write_lines(lines);
    for (struct line *next; lines != NULL; lines = next) {
        next = lines->next;
        bytes += line_size(lines);
        count++;
        free(lines);
    }
    pthread_mutex_lock(&logger.mutex);
    logger.queued -= bytes;
    logger.written += count;
    if (logger.lost_writes > 0)
        count_dropped(logger.lost_writes);
    logger.lost_writes = 0;
    pthread_cond_broadcast(&logger.done);
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
        while (logger.head == NULL && !logger.wants_reopen && !logger.is_closing)
            pthread_cond_wait(&logger.work, &logger.mutex);
        if (logger.head == NULL && !logger.wants_reopen)
            break; /* closing, and nothing is left */
        struct line *lines = logger.head;
        logger.head = NULL;
        logger.tail = &logger.head;
        write_batch(lines);
        say_dropped();
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

static int open_target(const struct log_settings *settings, struct buf *error)
{
    logger.target = settings->target;
    logger.identity = settings->identity;
    logger.fd = STDERR_FILENO;
    logger.has_prefix = getenv("JOURNAL_STREAM") != NULL;
    if (settings->target == LOG_TO_SYSLOG)
        openlog(settings->identity, LOG_PID, LOG_MAIL);
    if (settings->target != LOG_TO_FILE)
        return 0;
    logger.path = strndup(settings->path.ptr, settings->path.len);
    logger.fd = logger.path == NULL ? -1 : open_file(logger.path);
    if (logger.fd >= 0)
        return 0;
    if (error != NULL)
        buf_printf(error, "log file %.*s: %s", SLICE_ARG(settings->path), strerror(errno));
    free(logger.path);
    logger.path = NULL;
    logger.target = LOG_TO_STDERR;
    return -1;
}

static void close_target(void)
{
    if (logger.target == LOG_TO_SYSLOG)
        closelog();
    if (logger.target == LOG_TO_FILE)
        close(logger.fd);
    free(logger.path);
    logger.path = NULL;
    logger.target = LOG_TO_STDERR;
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
    if (open_target(settings, error))
        return -1;
    logger.clock = settings->clock == NULL ? &clock_system : settings->clock;
    log_adjust(settings->level, settings->addresses);
    logger.is_closing = false;
    int rc = start_writer();
    if (rc != 0) {
        if (error != NULL)
            buf_printf(error, "log thread: %s", strerror(rc));
        close_target();
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
        close_target();
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
    pthread_mutex_lock(&logger.mutex);
    bool is_open = logger.is_open;
    bool is_echoed =
        level == LOG_LEVEL_ERROR && logger.echo_errors && logger.target != LOG_TO_STDERR;
    pthread_mutex_unlock(&logger.mutex);
    if (!is_open || is_echoed)
        fprintf(stderr, "%s: %.*s\n", logger.identity, SLICE_ARG(text));
    if (!is_open)
        return;
    struct line *line = new_line(level, text, fields);
    pthread_mutex_lock(&logger.mutex);
    enqueue(line);
    pthread_mutex_unlock(&logger.mutex);
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
    AUTO_BUF text = BUF_INIT(2 * LOG_LINE_MAX);
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
