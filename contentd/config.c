/* contentd/config.c - see config.h. */
#include "contentd/config.h"

static const char *const overload_words[] = { "tempfail", "accept", NULL };

#define CONF_STRUCT struct contentd_config
/* clang-format off */
static const struct conf_param params[] = {
    COMMON_PARAMS("contentd", "unix:/var/spool/postfix/gatehouse/contentd"),
    { PARAM(message_budget), CONF_TIME, "60s", SECOND, 280 * SECOND, .live = true,
      .doc = "For everything that is done with one message after its last line; what is known by then decides. Postfix waits "
             "300 s (milter_content_timeout)." },
    { PARAM(message_memory), CONF_SIZE, "1M", 0, UINT64_C(1) << 30, .live = true,
      .doc = "So much of a message's body is kept in memory; what is beyond it goes to a file." },
    { PARAM(message_size_max), CONF_SIZE, "256M", 1024, UINT64_C(64) << 30, .live = true,
      .doc = "Messages whose body is larger are refused. Keep it above message_size_limit of main.cf." },
    { PARAM(spool_directory), CONF_PATH, "/var/tmp", .live = true,
      .doc = "Where the bodies of large messages are kept, in files without a name, while they are looked at." },
    { PARAM(max_sessions), CONF_INTEGER, "1000", 1, 100000, .live = true,
      .doc = "Messages dealt with at the same time. Connections on which there is no message do not count." },
    { PARAM(session_wait), CONF_TIME, "2s", 0, 25 * SECOND, .live = true,
      .doc = "How long a message waits when there are max_sessions already." },
    { PARAM(overload), CONF_WORD, "tempfail", .words = overload_words, .live = true,
      .doc = "What becomes of it then: it is deferred, or accepted as it is, without any check." },
    { PARAM(idle_timeout), CONF_TIME, "30m", 6 * MINUTE, DAY,
      .doc = "A connection on which nothing comes is closed after this time; an SMTP client may be silent for 300 s "
             "(smtpd_timeout)." },
};
/* clang-format on */
#undef CONF_STRUCT

const struct conf_schema contentd_schema = {
    params, COUNT(params), NULL, 0, sizeof(struct contentd_config),
};
