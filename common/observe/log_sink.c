/* common/observe/log_sink.c - see log_sink.h. */
#include "common/observe/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/observe/journal.h"

enum {
    BATCH_FILE = 65536, /* bytes of one write() */
    BATCH_PIPE = 4096, /* what a pipe takes whole */
    STUCK_MS = 1000, /* standard error that takes nothing for so long loses lines */
};

static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* ---- lines ---- */

/* Returns what could not be written. A full pipe is waited for, but not for ever. */
static struct slice write_all(int fd, struct slice bytes)
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
            break;
    }
    return bytes;
}

/* A line that was written in part is ended before the next one begins. */
static void write_batch(struct log_sink *sink)
{
    struct slice lines = buf_slice(&sink->batch), rest = lines, line;

    if (lines.len > 0 && sink->is_cut)
        sink->is_cut = write_all(sink->fd, SLICE("\n")).len > 0;
    if (!sink->is_cut)
        rest = write_all(sink->fd, lines);
    if (rest.len < lines.len)
        sink->is_cut = rest.ptr[-1] != '\n';
    while (slice_cut(&rest, '\n', &line))
        sink->lost++;
    buf_clear(&sink->batch);
    sink->batch_lines = 0;
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
    return buf_put(out, text) | buf_put_char(out, '.') | buf_put_number(out, wall_ms % SECOND, 3) |
           buf_put_char(out, 'Z');
}

static int put_line(struct log_sink *sink, const struct log_record *record)
{
    struct buf *out = &sink->batch;
    int rc = 0;

    if (sink->target == LOG_TO_FILE)
        rc = put_time(out, record->wall_ms);
    if (sink->shows_level)
        rc = buf_printf(out, "<%d>", priorities[record->level]);
    return rc | buf_put(out, sink->before) | buf_add(out, record->text) | buf_put_char(out, '\n');
}

/* Whole lines, as many as fit into one write. */
static void put_stream(struct log_sink *sink, const struct log_record *record)
{
    if (sink->batch_lines > 0 &&
        sink->batch.len + sizeof sink->before + record->text.len > sink->batch_most)
        write_batch(sink);
    size_t before = sink->batch.len;
    if (put_line(sink, record)) {
        sink->batch.len = before;
        sink->lost++;
        return;
    }
    sink->batch_lines++;
}

void log_sink_put(struct log_sink *sink, const struct log_record *record)
{
    if (sink->target == LOG_TO_FILE || sink->target == LOG_TO_STDERR)
        put_stream(sink, record);
    else if (sink->target == LOG_TO_SYSLOG)
        syslog(priorities[record->level], "%.*s", SLICE_ARG(record->text));
    else if (journal_write(sink->identity, priorities[record->level], record->text, record->fields))
        sink->lost++;
}

uint64_t log_sink_flush(struct log_sink *sink)
{
    write_batch(sink);
    uint64_t lost = sink->lost;
    sink->lost = 0;
    return lost;
}

/* ---- opening and closing ---- */

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static void set_stderr(struct log_sink *sink)
{
    sink->target = LOG_TO_STDERR;
    sink->fd = STDERR_FILENO;
}

int log_sink_open(struct log_sink *sink, const struct log_settings *settings, struct buf *error)
{
    struct stat file;

    *sink = (struct log_sink){ .target = settings->target,
                               .identity = settings->identity,
                               .fd = STDERR_FILENO,
                               .batch = BUF_INIT(BATCH_FILE + 2 * LOG_LINE_MAX) };
    if (sink->target == LOG_TO_SYSLOG)
        openlog(sink->identity, LOG_PID, LOG_MAIL);
    if (sink->target == LOG_TO_FILE) {
        sink->path = strndup(settings->path.ptr, settings->path.len);
        sink->fd = sink->path == NULL ? -1 : open_file(sink->path);
        snprintf(sink->before, sizeof sink->before, " %s[%ld]: ", sink->identity, (long)getpid());
    } else {
        sink->shows_level = sink->target == LOG_TO_STDERR && getenv("JOURNAL_STREAM") != NULL;
        if (!sink->shows_level)
            snprintf(sink->before, sizeof sink->before, "%s: ", sink->identity);
    }
    if (sink->fd >= 0) {
        bool is_file = fstat(sink->fd, &file) == 0 && S_ISREG(file.st_mode);
        sink->batch_most = is_file ? BATCH_FILE : BATCH_PIPE;
        return 0;
    }
    if (error != NULL)
        buf_printf(error, "log file %.*s: %s", SLICE_ARG(settings->path), strerror(errno));
    free(sink->path);
    sink->path = NULL;
    set_stderr(sink);
    return -1;
}

void log_sink_reopen(struct log_sink *sink)
{
    int fd = sink->path == NULL ? -1 : open_file(sink->path);

    if (fd < 0)
        return; /* the old one is better than none */
    write_batch(sink);
    close(sink->fd);
    sink->fd = fd;
    sink->is_cut = false;
}

void log_sink_close(struct log_sink *sink)
{
    if (sink->target == LOG_TO_SYSLOG)
        closelog();
    if (sink->target == LOG_TO_FILE)
        close(sink->fd);
    free(sink->path);
    sink->path = NULL;
    buf_free(&sink->batch);
    set_stderr(sink);
}
