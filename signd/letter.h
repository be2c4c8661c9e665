/* signd/letter.h - one message, from the end of its header fields to what becomes of it. The milter starts it, and a
 * thread of the milter's waits for it at the end; all network work happens on a worker's loop while the body arrives, all CPU work
 * on the thread:
 *
 *     loop     record --> rules at data --> keys and policies from the DNS
 *     thread   (the message is whole) --> verifies, or chooses keys
 *     loop     rules at end-of-message
 *     thread   signs, edits
 *
 * `budget` after the message is whole everything missing is unknown, a temperror. Nothing that is to be signed goes out unsigned:
 * what fails is deferred. */
#ifndef GATEHOUSE_SIGND_LETTER_H
#define GATEHOUSE_SIGND_LETTER_H

#include "common/mail/reply.h"
#include "common/milter/edits.h"
#include "common/store/transaction.h"
#include "signd/actions.h"

struct letter; /* opaque */
struct message;
struct shared;
struct snapshot;
struct worker;

/* ---- the milter's side: one thread at a time ---- */

/* The message is only explained: nothing is counted, and letter_settle() is not called. DMARC's pct= counts as if the message
 * were among those it speaks of. */
struct letter_explained {
    uint64_t budget_ms; /* budget, if that is less */
    bool has_record; /* `record` stands for policyd's, which is not read */
    struct transaction record;
};

bool letter_starts_slowly(
    const struct message *message); /* letter_start() is for a thread, not for the loop */
/* The header fields have ended. Takes the reference to the snapshot, and one of its own to the message. NULL: out of memory,
 * logged. */
struct letter *letter_start(struct worker *worker, struct snapshot *snapshot,
                            struct message *message);
/* The same of a message that is only explained; what the texts of `explained` lie in must live as long as the message. */
struct letter *letter_explain(struct worker *worker, struct snapshot *snapshot,
                              struct message *message, const struct letter_explained *explained);
/* On a thread. The message is whole: waits until it is decided. Takes the references to the keys, a struct key_set (NULL: they have not been
 * read yet), and their states, a struct key_lives. `progress` is called now and then; false: nobody waits any more. False: it is
 * not decided (no memory, too late, which has been logged; nobody waits): the message must be deferred. */
bool letter_finish(struct letter *letter, struct shared *keys, struct shared *states,
                   bool (*progress)(void *arg), void *arg);
/* Lets go of it; stops it if it is not decided yet. NULL-safe; clears *letter. */
void letter_drop(struct letter **letter);

/* What the MTA is to be told. With mode = shadow: that it is accepted as it is. */
struct letter_answer {
    enum fate fate;
    struct reply reply; /* REJECT, TEMPFAIL */
    struct edits edits; /* ACCEPT, HOLD */
};
/* After letter_finish() was true; lives as long as the letter. */
const struct letter_answer *letter_answer(const struct letter *letter);

/* Logs the decision, counts it, tells the transaction record and gives back what policyd charged when the message is refused:
 * on the worker, which nobody waits for. `is_sent` false: the MTA was gone, or did not let the message be changed, so it comes again.
 * Once, at the end; nothing happens unless letter_finish() was true. */
void letter_settle(struct letter *letter, bool is_sent);

#endif
