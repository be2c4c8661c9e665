/* common/config/common_params.h - the parameters that every daemon has. A daemon's struct has a member `struct
 * common_config common`, and its table embeds the rows once:
 *
 *     #define CONF_STRUCT struct policyd_config
 *     static const struct conf_param params[] = {
 *         COMMON_PARAMS("policyd", "unix:/var/spool/postfix/gatehouse/policyd"),
 *         { PARAM(geoip_database), ... },
 *     }; */
#ifndef GATEHOUSE_CONFIG_COMMON_PARAMS_H
#define GATEHOUSE_CONFIG_COMMON_PARAMS_H

#include "common/config/param.h"

/* In the order of the words. */
enum conf_run_mode { CONF_ENFORCE, CONF_SHADOW };
enum conf_log_level { CONF_LOG_ERROR, CONF_LOG_WARNING, CONF_LOG_INFO, CONF_LOG_DEBUG };
enum conf_log_addresses { CONF_ADDRESSES_FULL, CONF_ADDRESSES_DOMAIN, CONF_ADDRESSES_HASH };

struct common_config {
    struct conf_listens listen; /* at least one */
    unsigned listen_mode;
    struct slice listen_group; /* absent or empty: the process's own */
    struct slice store; /* its syntax is checked; memory, redis://... */
    struct slice store_password_file; /* absent or empty: none */
    uint64_t store_timeout; /* ms */
    struct conf_list resolver; /* ADDRESS or ADDRESS@PORT; none: resolv.conf */
    struct conf_listens http; /* none or one */
    unsigned http_mode;
    enum conf_run_mode mode;
    uint64_t workers; /* 0: one per CPU */
    uint64_t max_connections;
    struct slice log; /* syslog, journal, stderr, file:PATH */
    enum conf_log_level log_level;
    enum conf_log_addresses log_addresses;
    uint64_t log_age; /* ms */
    uint64_t budget; /* ms */
    uint64_t memory_limit; /* bytes */
};

extern const char *const conf_run_mode_words[];
extern const char *const conf_log_level_words[];
extern const char *const conf_log_addresses_words[];

bool conf_check_store(struct slice text, struct conf_complaint *out);
bool conf_check_resolver(struct slice text, struct conf_complaint *out);
bool conf_check_log(struct slice text, struct conf_complaint *out);

#define COMMON_PARAM(field) PARAM_AS(#field, common.field)
/* clang-format off */
#define COMMON_PARAMS(program, default_listen)                                                     \
    { COMMON_PARAM(listen), CONF_LISTEN, default_listen, 1, 64,                                    \
      .doc = "Where Postfix connects: unix:PATH or inet:ADDRESS:PORT, one or several." },          \
    { COMMON_PARAM(listen_mode), CONF_MODE, "0660", 0, 0777,                                       \
      .doc = "Permissions of the unix sockets in listen." },                                       \
    { COMMON_PARAM(listen_group), CONF_TEXT, "", 0, 64, .example = "postfix",                      \
      .doc = "Group of the unix sockets in listen. Empty: the group the daemon runs as." },        \
    { COMMON_PARAM(store), CONF_TEXT, "memory", 1, 1024, .check = conf_check_store,                \
      .example = "redis://127.0.0.1:6379/0",                                                       \
      .doc = "Where counters, lists and live settings are kept: memory (this process alone, "      \
             "lost at a restart), redis://[user@]host:port/db, redis+unix:///path or "             \
             "redis+sentinel://host:port,host:port/NAME." },                                       \
    { COMMON_PARAM(store_password_file), CONF_PATH, "",                                            \
      .doc = "A file whose first line is the password for the store." },                           \
    { COMMON_PARAM(store_timeout), CONF_TIME, "100ms", 10, 10 * SECOND,                            \
      .doc = "How long a request waits for an answer of Redis; then it is decided by this process's " \
             "own copy, and those that come after it at once, until Redis answers in time again." },\
    { COMMON_PARAM(resolver), CONF_LIST, "", 0, 8, .check = conf_check_resolver,                   \
      .example = "127.0.0.1@5353",                                                                 \
      .doc = "DNS resolvers, ADDRESS or ADDRESS@PORT. Without any: those of /etc/resolv.conf." },  \
    { COMMON_PARAM(http), CONF_LISTEN, "unix:/run/gatehouse/" program ".http", 0, 1,               \
      .doc = "Where metrics, health and control are served over HTTP. There is no password: who can connect may change what is live, and read and release what is in quarantine. Empty: nowhere." },          \
    { COMMON_PARAM(http_mode), CONF_MODE, "0660", 0, 0777,                                         \
      .doc = "Permissions of the unix socket in http: who may open it may do all that." },       \
    { COMMON_PARAM(mode), CONF_WORD, "enforce", .words = conf_run_mode_words, .live = true,        \
      .doc = "In shadow mode every rule only logs and counts what it would have done." },          \
    { COMMON_PARAM(workers), CONF_INTEGER, "0", 0, 128,                                            \
      .doc = "Threads that serve connections. 0: one for each CPU." },                             \
    { COMMON_PARAM(max_connections), CONF_INTEGER, "20000", 1, 1000000,                            \
      .doc = "Connections open at the same time; further ones are closed at once. They may take three quarters of the " \
             "process's file descriptors (LimitNOFILE of the unit), whatever is said here: the rest is for work." }, \
    { COMMON_PARAM(log), CONF_TEXT, "syslog", 1, 512, .check = conf_check_log,                     \
      .doc = "Where log lines go: syslog, journal, stderr or file:PATH." },                        \
    { COMMON_PARAM(log_level), CONF_WORD, "info", .words = conf_log_level_words, .live = true,     \
      .doc = "The least urgent lines that are still logged." },                                    \
    { COMMON_PARAM(log_addresses), CONF_WORD, "full", .words = conf_log_addresses_words,           \
      .live = true,                                                                                \
      .doc = "How mailboxes appear in the decision log: in full, their domain alone, or as a "     \
             "hash." },                                                                      \
    { COMMON_PARAM(log_age), CONF_TIME, "7d", 0, 366 * DAY,                                        \
      .doc = "How long decisions stay in Redis' log, for gatectl why and tail; 0: until there are "  \
             "too many. Needs Redis 6.2. In memory the last 10,000 are kept." },                   \
    { COMMON_PARAM(budget), CONF_TIME, "5s", 100, 90 * SECOND, .live = true,                       \
      .doc = "For all lookups of one request together; what is known by then decides." },          \
    { COMMON_PARAM(memory_limit), CONF_SIZE, "256M", UINT64_C(16) << 20, UINT64_C(64) << 30,       \
      .doc = "For counters and lists kept in this process." }
/* clang-format on */

#endif
