/* gatectl/options.h - options of the command line; they may stand anywhere, `--` ends them. */
#ifndef GATEHOUSE_GATECTL_OPTIONS_H
#define GATEHOUSE_GATECTL_OPTIONS_H

#include "common/base/slice.h"

#define GATECTL_CONFIG "/etc/gatehouse/policyd.conf"
#define GATECTL_CONTENTD_CONFIG "/etc/gatehouse/contentd.conf"
#define GATECTL_CONTENTD_SOCKET "unix:/run/gatehouse/contentd.http"
#define GATECTL_SIGND_CONFIG "/etc/gatehouse/signd.conf"

/* Bits of a set: which options a command takes beside those that all take. */
enum option_bit {
    OPTION_UNTIL = 1 << 0,
    OPTION_NOTE = 1 << 1,
    OPTION_FORCE = 1 << 2,
    OPTION_COUNT = 1 << 3,
    OPTION_FIND = 1 << 4,
    OPTION_MAN = 1 << 5,
    OPTION_RECIPIENT = 1 << 6,
    OPTION_SENDER = 1 << 7,
    OPTION_OLDER = 1 << 8,
    OPTION_AFTER = 1 << 9,
    OPTION_MESSAGE = 1 << 10,
    OPTION_TO = 1 << 11,
    OPTION_SELECTOR = 1 << 12,
    OPTION_RSA = 1 << 13,
    OPTION_ED25519 = 1 << 14,
    OPTION_ACTIVE = 1 << 15,
    OPTION_DIRECTORY = 1 << 16,
    OPTION_DAEMON = 1 << 17,
    OPTION_SCAN = 1 << 18,
};
#define OPTIONS_SET ((unsigned)(OPTION_UNTIL | OPTION_NOTE | OPTION_FORCE))

struct options {
    const char *config; /* -c, or GATECTL_CONFIG */
    const char *socket; /* -s; NULL: as the configuration says */
    const char *until, *note, *find; /* NULL: not given */
    const char *recipient, *sender, *after, *to; /* NULL: not given */
    const char *selector, *rsa, *directory; /* NULL: not given */
    const char *daemon; /* NULL: not given */
    uint64_t older_ms; /* 0: not given */
    unsigned count; /* 0: not given */
    bool is_config_given, json, force, man, message, ed25519, active, scan, help, version;
    unsigned given; /* set of enum option_bit */
    char **args; /* what is no option; of argv */
    size_t arg_count;
};

struct option_doc {
    unsigned bit; /* 0: every command takes it */
    char letter; /* 0: none */
    const char *name, *argument; /* argument NULL: none */
    const char *doc;
};
extern const struct option_doc option_docs[]; /* name NULL ends it */

/* Reorders argv. False after a message on `err`. Not reentrant (getopt). */
bool options_parse(int argc, char **argv, struct options *out, FILE *err);

#endif
