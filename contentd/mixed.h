/* contentd/mixed.h - recipients that disagree: there is one queue file with one set of header fields and one reply, so the
 * verdicts of all recipients become one plan for the message (DESIGN section 8). Pure.
 *
 * `mixed = quarantine` (and `split`, which has kept recipients of other chains out before):
 *   any tempfail                 4NN for all
 *   all reject                   5NN
 *   else, if some are delivered  the recipients with the mildest verdict stay: those not tagged before tagged ones, then the
 *                                larger number, then who comes first;
 *                                who needs other edits is removed and gets a copy of its own over the release listener
 *                                (without one: stays, gets informational headers, the subject is not changed);
 *                                quarantined and rejected ones are removed, and the message is kept for them;
 *                                discarded ones are removed
 *   else                         the message is kept for the quarantined and rejected ones, and discarded
 * `mixed = strictest`            the severest verdict for all: reject, tempfail, discard, quarantine, deliver tagged, deliver.
 *
 * So every recipient has exactly one fate. */
#ifndef GATEHOUSE_CONTENTD_MIXED_H
#define GATEHOUSE_CONTENTD_MIXED_H

#include "contentd/verdict.h"

enum mixed_mode { MIXED_QUARANTINE, MIXED_SPLIT, MIXED_STRICTEST }; /* in the order of the words */
extern const char *const mixed_words[];

enum fate {
    FATE_DELIVERED, /* stays a recipient of the message that goes on, or has another address in its place */
    FATE_REFUSED,
    FATE_DEFERRED,
    FATE_DISCARDED, /* or removed by a scanner, which may have added others */
    FATE_QUARANTINED,
    FATE_SPOOLED, /* gets a copy of its own, or another address does in its place */
    FATES
};
extern const char *const fate_words[FATES + 1];

/* PLAN_DISCARD: nobody gets the message itself; copies of it may be kept or sent all the same. */
enum plan_reply { PLAN_ACCEPT, PLAN_REJECT, PLAN_TEMPFAIL, PLAN_DISCARD };

/* A copy for some recipients: in the quarantine, or to be spooled and sent. */
struct plan_copy {
    /* Its edits are carried out on the copy; why it is kept. */
    const struct recipient_verdict *verdict;
    const size_t *recipients; /* it is for these: numbers in the message, rising */
    size_t count;
    /* Spooled: and goes to these, whom scanners add or rules redirect to. */
    const struct slice *added;
    size_t added_count;
};

struct plan {
    enum plan_reply action;
    /* Whose reply, reason and source it is; NULL: nobody spoke. */
    const struct recipient_verdict *spoken;
    struct edits edits; /* PLAN_ACCEPT: with the recipients to remove and to add */
    enum fate *fates; /* by recipient */
    struct plan_copy *quarantine, *spool;
    size_t quarantine_count, spool_count;
    /* Recipients that stay though they need other edits: nothing to send a copy through. */
    size_t unedited;
};

struct mixed_settings {
    enum mixed_mode mode;
    bool can_release; /* there is a release listener */
    /* Spooled copies of one message; the recipients of further ones stay, as without a listener. */
    size_t copies_max;
};

/* `verdicts`: one for each recipient of the message, several of which may be the same object. False: out of memory, or more
 * edits than EDITS_MAX. */
bool mixed_plan(const struct mixed_settings *settings, const struct message *message,
                const struct recipient_verdict *const *verdicts, struct arena *arena,
                struct plan *out);

/* What became of the message, in one word: delivered when somebody gets it or a copy. */
enum verdict_kind plan_verdict(const struct plan *plan);

/* Nothing of the message is for this recipient: not the message, no copy, nor in its place another address that a scanner
 * adds. */
bool fate_is_loss(enum fate fate, const struct recipient_verdict *verdict);

/* `mixed = split`: may a recipient with `chain` join one whose first recipient has `first`? Otherwise it is told to come again
 * (452). NULL: has none. What does not come by SMTP cannot come again. */
bool mixed_may_join(enum mixed_mode mode, const struct chain *first, const struct chain *chain,
                    bool is_smtp);

#endif
