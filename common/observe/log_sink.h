/* common/observe/log_sink.h - where log lines go: a file, standard error, syslog or the journal. Used by the log's writer
 * thread alone; all calls may block as long as the target does. For log.c. */
#ifndef GATEHOUSE_OBSERVE_LOG_SINK_H
#define GATEHOUSE_OBSERVE_LOG_SINK_H

#include "common/observe/log.h"

struct log_sink {
    enum log_target target;
    const char *identity; /* borrowed */
    char *path; /* owned; NULL: no file */
    int fd; /* of a file or standard error */
    bool shows_level; /* standard error is the journal's: "<6>" before each line */
    char before[96]; /* what stands between the time and the text */
    struct buf batch; /* lines that were put and not written yet */
    size_t batch_lines, batch_most;
    bool is_cut; /* the last line was written in part: it has no end */
    uint64_t lost; /* lines that could not be written, until log_sink_flush() tells */
};

struct log_record {
    enum log_level level;
    uint64_t wall_ms;
    struct slice text; /* one line, escaped, without its end */
    struct slice fields; /* for the journal: as journal_write() takes them */
};

/* 0, or -1 with one line in *error (may be NULL), and then the sink is standard error. */
int log_sink_open(struct log_sink *sink, const struct log_settings *settings, struct buf *error);
void log_sink_reopen(struct log_sink *sink); /* its path anew; the old file stays if that fails */
void log_sink_close(struct log_sink *sink); /* the sink is standard error afterwards */

/* Lines for a file or standard error are gathered, and written when they are many or when flushed. */
void log_sink_put(struct log_sink *sink, const struct log_record *record);
uint64_t log_sink_flush(struct log_sink *sink); /* how many lines were lost since the last time */

#endif
