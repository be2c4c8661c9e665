/* gatectl/gatectl.h - one run of the operator's command: options, settings, the way to the daemon or the store, and
 * where output goes. */
#ifndef GATEHOUSE_GATECTL_GATECTL_H
#define GATEHOUSE_GATECTL_GATECTL_H

#include "common/base/clock.h"
#include "gatectl/backend.h"
#include "gatectl/options.h"
#include "gatectl/settings.h"

/* Fixed: scripts rely on them. Documented by exit_code_docs[]. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_NOTHING = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3,
    EXIT_REFUSED = 4,
    EXIT_FAILED = 5,
};
extern const char *const exit_code_docs[]; /* by code, NULL-terminated */

/* One of the daemons, as commands need it. */
struct gatectl_daemon {
    const char *name; /* `contentd` */
    /* Where they are unless -c, -s or the configuration says otherwise. */
    const char *config, *socket;
    /* Where what is asked for can be had when it does not answer. */
    enum gatectl_other { GATECTL_STORE, GATECTL_QUARANTINE } other;
};

extern const struct gatectl_daemon contentd_daemon; /* of apply and explain */

struct gatectl {
    struct options options;
    /* That is asked; policyd unless the command says otherwise. */
    const struct gatectl_daemon *daemon;
    const struct clock *clock;
    FILE *out, *err;
    struct arena *arena; /* of the whole run */
    struct settings *settings; /* read on first use */
    struct backend *backend; /* opened on first use */
    json_t
        *changes; /* --json: an array of what was changed, printed at the end; NULL: nothing was */
};

/* Runs one command line; returns the exit code. */
int gatectl_main(int argc, char **argv, const struct clock *clock, FILE *out, FILE *err);

/* The configuration. False after a message, when a file was named that cannot be read. */
bool gatectl_settings(struct gatectl *ctl);

/* "gatectl: ..." on err, in one line, what is not printable escaped. */
void gatectl_error(struct gatectl *ctl, const char *format, ...) PRINTF_LIKE(2, 3);

/* Asks the daemon, or the store when the daemon is not there. EXIT_DONE and *answer (caller owns it), or another code
 * after a message that says why. */
int gatectl_ask(struct gatectl *ctl, const struct ask *ask, json_t **answer);
/* The same without a message for `quiet_status`, which gives EXIT_NOTHING (for what may not be there). */
int gatectl_ask_quiet(struct gatectl *ctl, const struct ask *ask, unsigned quiet_status,
                      json_t **answer);

/* --json: one more row of `changes`; takes it. */
void gatectl_changed(struct gatectl *ctl, json_t *change);

/* The text after a value: until= by= note= from the options and the invoking user. False after a message. */
struct live_tail;
bool gatectl_tail(struct gatectl *ctl, struct live_tail *tail);

#endif
