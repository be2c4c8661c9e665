/* common/observe/log.h - log lines. A line is handed to a writer thread through a bounded queue, so a slow syslog or
 * disk never delays a request; what does not fit is dropped and counted. Nothing that comes from the network can forge
 * a line: bytes other than printable ASCII leave as \xNN, and values also lose blanks, quotes and backslashes.
 * One log per process; any thread. Before log_open() lines go straight to standard error. */
#ifndef GATEHOUSE_OBSERVE_LOG_H
#define GATEHOUSE_OBSERVE_LOG_H

#include "common/base/buf.h"
#include "common/base/clock.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_target { LOG_TO_SYSLOG, LOG_TO_JOURNAL, LOG_TO_STDERR, LOG_TO_FILE };
enum log_addresses {
    LOG_ADDRESSES_FULL,
    LOG_ADDRESSES_DOMAIN, /* the local part is left out; a login without domain is hashed */
    LOG_ADDRESSES_HASH, /* 16 hex digits, the same for the same mailbox on every host */
};

#define LOG_LINE_MAX 4096 /* bytes; what is longer is cut */

struct log_settings {
    const char *identity; /* `gatehouse-policyd`; must outlive the log */
    enum log_target target;
    struct slice path; /* LOG_TO_FILE; copied */
    enum log_level level; /* the least important one that is written */
    enum log_addresses addresses;
    const struct clock *clock; /* NULL: the system's */
};

/* `syslog` (facility mail), `journal`, `stderr`, `file:PATH` (absolute). *path is borrowed from `text`. */
bool log_target_parse(struct slice text, enum log_target *target, struct slice *path,
                      const char **error);

/* Opens the target and starts the writer; once per process, or again after log_close(). 0, or -1 with one line in *error
 * (may be NULL). */
int log_open(const struct log_settings *settings, struct buf *error);
void log_adjust(enum log_level level, enum log_addresses addresses); /* while it is open */
void log_echo_errors(bool on); /* to standard error as well: while a daemon starts */
void log_reopen(void); /* a file was moved away: opens its path anew */
void log_flush(uint64_t timeout_ms); /* waits until all lines so far are written */
void log_close(void); /* writes what is queued, for at most a second */

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);
bool log_wants(enum log_level level); /* is it worth making the text? */

uint64_t log_dropped(void); /* lines lost because the queue was full or a write failed */

/* ---- one line per change of state ---- */
struct log_change {
    int logged, seen; /* the last state written, and the last one reported */
    uint64_t logged_ms, suppressed;
};
#define LOG_CHANGE_INIT(state)                                                                     \
    {                                                                                              \
        (state), (state), 0, 0                                                                     \
    }
/* Writes the line when `state` is not the one last written, at most one a second: a state that flaps is written when
 * it is reported again later, with the number of changes left out. Any thread may report the same `change`. */
void log_once_per_change(struct log_change *change, int state, enum log_level level,
                         const char *format, ...) PRINTF_LIKE(4, 5);

/* ---- escaping; pure ---- */
/* One word: no blank, quote, backslash, < >. */
int log_put_value(struct buf *out, struct slice value);
int log_put_quoted(struct buf *out, struct slice text); /* in double quotes; blanks stay */

/* ---- the decision line ---- */
struct log_field {
    const char *name;
    struct slice value; /* absent: the field is left out */
};
struct decision {
    struct slice queue_id, client_address, sasl_username, sender, recipient;
    struct slice rule, verdict, ref, reason;
    uint64_t ms;
    const struct log_field *extra; /* mode, shadow, limit, ...: after ms=, in this order */
    size_t extra_count;
};

/* decision queue_id= client_address= sasl_username= sender=<> recipient=<> rule= verdict= ref= reason="" ms= extra=
 * Absent and empty look the same. Mailboxes, in `reason` and the extra fields too, are shown as `addresses` says.
 * Pure; 0, or -1 when the buffer is full. */
int decision_print(struct buf *out, const struct decision *decision, enum log_addresses addresses);
/* Writes the line at level info (with its own fields in the journal). When `line` is not NULL the text is also added
 * there, for the store's stream, whatever the level is. */
void log_decision(const struct decision *decision, struct buf *line);

#endif
