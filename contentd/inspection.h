/* contentd/inspection.h - one message being looked at, from the end of its header fields to what becomes of it. The milter
 * starts it, tells it that more has come, and is told when it is decided; all of it happens on a worker's loop, but for what
 * GMime reads:
 *
 *     RECORD --> DATA_RULES --> SCANNING --(the message is whole, all scanners have ended)--> END_RULES --> DECIDED
 *
 * Waiting has one end for all of it: `message_budget` after the message is whole everything missing is unknown, a scan without an answer is
 * trouble. Nothing here accepts because something was missing. */
#ifndef GATEHOUSE_CONTENTD_INSPECTION_H
#define GATEHOUSE_CONTENTD_INSPECTION_H

#include "common/base/hash.h"
#include "contentd/facts/provider.h"
#include "contentd/parties.h"

struct inspection; /* opaque */

/* ---- the milter's: the worker's loop, or a thread while the connection is in its hands ---- */

/* The message is only explained: nothing is counted, and inspection_settle() is not called. */
struct inspection_explained {
    bool asks_scanners; /* else none is asked: those that would be find what `found` says */
    /* By scanner: what it finds, asked or not; FINDING_NONE: nothing is said, and it is clean unless it is asked. */
    const struct finding *found;
    uint64_t budget_ms; /* message_budget, if that is less */
    bool has_record; /* `record` stands for policyd's, which is not read */
    struct transaction record;
};

/* Rules want to know of the message what GMime takes its time for: inspection_start(), or inspection_finish(), is for a thread. */
bool inspection_starts_slowly(const struct snapshot *snapshot, const struct message *message);
bool inspection_finishes_slowly(const struct inspection *inspection);
/* The header fields have ended. Takes the reference to the snapshot, and one of its own to the message. NULL: out of memory,
 * logged. */
struct inspection *inspection_start(struct worker *worker, struct snapshot *snapshot,
                                    struct message *message,
                                    const struct connection_counts *connections);
/* The same of a message that is only explained; what the texts of `explained` lie in must live as long as the message. */
struct inspection *inspection_explain(struct worker *worker, struct snapshot *snapshot,
                                      struct message *message,
                                      const struct connection_counts *connections,
                                      const struct inspection_explained *explained);
void inspection_more(struct inspection *inspection); /* more of the body has come */
enum inspection_end {
    INSPECTION_DECIDED,
    INSPECTION_UNDECIDED, /* no memory, or too late; logged: the message must be deferred */
    INSPECTION_UNWANTED, /* `progress` said that nobody waits any more: the message must not be taken */
};
/* The message is whole. `done` is called on the loop, once, perhaps at once; `progress` (NULL: nobody asks) before it now and then;
 * neither after inspection_drop(). False: no memory, logged; nothing will be called. */
bool inspection_finish(struct inspection *inspection,
                       void (*done)(void *arg, enum inspection_end end),
                       bool (*progress)(void *arg), void *arg);
/* The same on a thread, which waits. */
enum inspection_end inspection_await(struct inspection *inspection);
/* Lets go of it; stops it if it is not decided yet. NULL-safe; clears *inspection. */
void inspection_drop(struct inspection **inspection);

/* ---- when it is decided ---- */

struct decided {
    const struct setup *setup;
    const struct message *message;
    const struct parties *parties;
    const struct recipient_verdict *const *verdicts; /* by recipient */
    struct plan plan;
    const struct finding *findings; /* of all scanners of the configuration */
    scanner_set wanted; /* those that were asked, or would have been */
    /* Explained: of each party at data; at the end its own. NULL: no rule runs at data. */
    const struct trace **data_traces;
    char reference[REFERENCE_SIZE]; /* of the decision, with a NUL */
    uint64_t started_ms, ended_ms, decided_ms; /* headers there, message whole, decided */
    bool is_late; /* the budget was used up */
    struct arena *arena; /* for what follows from it */
};
const struct decided *inspection_decided(const struct inspection *inspection);

/* What was done in the end, which may be less than planned. */
enum inspection_fate {
    INSPECTION_AS_PLANNED,
    INSPECTION_NOT_KEPT, /* a copy could not be kept: deferred */
    INSPECTION_NOT_SENT, /* the MTA was gone, or did not let it be changed: it comes again */
};
/* Logs the decision, counts it, tells the transaction record and gives back what policyd charged when the message is refused:
 * on the worker. Once, after INSPECTION_DECIDED. */
void inspection_settle(struct inspection *inspection, enum inspection_fate fate);

#endif
