/* contentd/inspection.h - one message being looked at, from the end of its header fields to what becomes of it. the milter's thread
 * starts it, tells it that more has come, and waits for the end; all network work happens on a worker's loop:
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

/* ---- the milter's threads, those of one connection one at a time ---- */

/* The message is only explained: nothing is counted, and inspection_settle() is not called. */
struct inspection_explained {
    bool asks_scanners; /* else none is asked: those that would be find what `found` says */
    /* By scanner: what it finds, asked or not; FINDING_NONE: nothing is said, and it is clean unless it is asked. */
    const struct finding *found;
    uint64_t budget_ms; /* message_budget, if that is less */
    bool has_record; /* `record` stands for policyd's, which is not read */
    struct transaction record;
};

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
    INSPECTION_UNWANTED, /* `progress` says that nobody waits any more: the message must not be taken */
};
/* The message is whole: waits until it is decided. `progress` is called now and then. */
enum inspection_end inspection_finish(struct inspection *inspection, bool (*progress)(void *arg),
                                      void *arg);
/* Lets go of it; stops it if it is not decided yet. NULL-safe; clears *inspection. */
void inspection_drop(struct inspection **inspection);

/* ---- when it is decided: the waiter's ---- */

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
 * on the worker, which nobody waits for. Once, after INSPECTION_DECIDED. */
void inspection_settle(struct inspection *inspection, enum inspection_fate fate);

#endif
