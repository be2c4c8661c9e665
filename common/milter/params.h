/* common/milter/params.h - the parameters that every milter has. A daemon's struct has a member `struct milter_config
 * milter`, and its table embeds the rows MILTER_PARAMS. */
#ifndef GATEHOUSE_MILTER_PARAMS_H
#define GATEHOUSE_MILTER_PARAMS_H

#include "common/config/param.h"
#include "common/milter/milter.h"

struct milter_config {
    uint64_t message_memory, message_size_max; /* bytes */
    struct slice spool_directory;
    uint64_t max_sessions; /* messages */
    uint64_t session_wait; /* ms */
    enum milter_overload overload;
    uint64_t idle_timeout; /* ms */
};

extern const char *const milter_overload_words[];

/* clang-format off */
#define MILTER_PARAM(field) PARAM_AS(#field, milter.field)
/* `unseen`: what a message is not when it is accepted as it is, "unscanned". */
#define MILTER_PARAMS(unseen)                                                                      \
    { MILTER_PARAM(message_memory), CONF_SIZE, "1M", 0, UINT64_C(1) << 30, .live = true,           \
      .doc = "So much of a message's body is kept in memory; what is beyond it goes to a file." }, \
    { MILTER_PARAM(message_size_max), CONF_SIZE, "256M", 1024, UINT64_C(64) << 30, .live = true,   \
      .doc = "Messages whose body is larger are refused. Keep it above message_size_limit of main.cf." }, \
    { MILTER_PARAM(spool_directory), CONF_PATH, "/var/tmp", .live = true,                          \
      .doc = "Where the bodies of large messages are kept, in files without a name, while they are looked at." }, \
    { MILTER_PARAM(max_sessions), CONF_INTEGER, "1000", 1, 100000, .live = true,                   \
      .doc = "Messages dealt with at the same time. Connections on which there is no message do not count. Fewer when " \
             "there are not enough file descriptors (LimitNOFILE of the unit) for them and for max_connections." }, \
    { MILTER_PARAM(session_wait), CONF_TIME, "2s", 0, 25 * SECOND, .live = true,                   \
      .doc = "How long a message waits when there are max_sessions already." },                    \
    { MILTER_PARAM(overload), CONF_WORD, "tempfail", .words = milter_overload_words, .live = true, \
      .doc = "What becomes of it then: it is deferred (tempfail), or accepted as it is, " unseen "." }, \
    { MILTER_PARAM(idle_timeout), CONF_TIME, "30m", 6 * MINUTE, DAY,                               \
      .doc = "A connection on which nothing comes is closed after this time; an SMTP client may be silent for 300 s " \
             "(smtpd_timeout)." }
/* clang-format on */

/* What milter_configure() wants; borrows from `config`. */
struct milter_settings milter_settings_of(const struct milter_config *config,
                                          size_t descriptors_each);

/* Of one message's body; borrows from `config`. */
struct spool_bounds milter_spool_bounds(const struct milter_config *config);

#endif
