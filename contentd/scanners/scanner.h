/* contentd/scanners/scanner.h - what a scanner is. One file for each kind implements `struct scanner_kind`; scan.c starts
 * those that the recipients' chains name side by side on a worker's loop, and nothing in them blocks.
 *
 * A partial, late, garbled, contradictory or missing answer is FINDING_TROUBLE, never FINDING_CLEAN: a finding is CLEAN only
 * when the whole message has been sent and the whole, well-formed answer has been read; or when the protocol has a word for
 * "I need no more of it" and the scanner has said that (a milter's accept). */
#ifndef GATEHOUSE_CONTENTD_SCANNER_H
#define GATEHOUSE_CONTENTD_SCANNER_H

#include "common/config/conf_errors.h"
#include "common/milter/message.h"
#include "common/run/worker.h"
#include "contentd/finding.h"

/* The settings `trouble` and `oversize`, in the order of their words. */
enum scanner_trouble { SCANNER_TEMPFAIL, SCANNER_ACCEPT, SCANNER_QUARANTINE };

/* [scanner NAME] as configured; immutable, shared by all workers. */
struct scanner {
    struct slice name; /* NAME, also of the facts NAME.result, NAME.score, NAME.virus */
    const struct scanner_kind *kind;
    /* Its addresses, with their health: backend.h; shared by the workers. */
    const struct backend *backend;
    uint64_t connect_timeout_ms, scan_timeout_ms;
    uint64_t size_max; /* bytes of message; larger ones are not sent: `oversize`. 0: no limit */
    enum scanner_trouble trouble, oversize;
    double weight; /* its score counts so many times; 0: not at all */
    bool is_antivirus; /* looks for malware: as its kind does, or as is configured */
    struct slice path; /* ICAP service, rspamd path; absent: the kind's own */
    struct slice user; /* spamd: the user, `{recipient}` or a name; absent: none */
    struct slice password; /* rspamd's; absent: none */
};

/* One scan: one scanner, one message. */
struct scan_request {
    struct worker *worker;
    struct arena *arena; /* of the message's scans; what the finding needs is put there */
    const struct message *message; /* body still growing; is_whole says when it has ended */
    const struct scanner *scanner;
    /* From the moment the message is whole: the scanner's own, or what is left of the budget. */
    uint64_t timeout_ms;
    /* Called once, from the loop, never from inside start(); the scan is gone then. The finding is borrowed for the call, its
     * texts live in `arena`. */
    void (*done)(void *owner, const struct scanner *scanner, const struct finding *finding);
    void *owner;
};

struct scan; /* opaque; each kind's own */

struct scanner_kind {
    const char *name; /* `clamd` */
    const char *doc; /* one sentence */
    bool streams; /* may start before the body is whole */
    bool is_antivirus; /* looks for malware, unless the configuration says otherwise */
    /* The headers have ended (streams), or the message is whole. NULL: out of memory. */
    struct scan *(*start)(const struct scan_request *request);
    void (*more)(struct scan *scan); /* more of the body is there, or it is whole now; optional */
    /* Nobody wants it any more: closes, frees; `done` is not called. */
    void (*abandon)(struct scan *scan);
};

extern const struct scanner_kind clamd_kind, spamd_kind, rspamd_kind, icap_kind, milter_kind;

#endif
