/* common/message/record.h - policyd's record of a message's transaction, as every milter uses it: found by what the MTA says,
 * read before rules run, and told what became of the message. On a worker's thread. */
#ifndef GATEHOUSE_MESSAGE_RECORD_H
#define GATEHOUSE_MESSAGE_RECORD_H

#include "common/milter/message.h"
#include "common/observe/metrics.h"
#include "common/store/store.h"

struct message_record {
    struct transaction_key key; /* len 0: there can be no record */
    struct slice sender; /* as the record has it */
    /* It has been looked for: policyd has written one (`transaction`) or none. Not when the store did not answer, or is in
     * memory, where no word of policyd's could be. */
    bool is_known;
    const struct transaction *transaction; /* NULL: none */
    /* ours */
    struct store_tx_read read;
    struct store *store;
    void (*done)(struct message_record *record);
};

/* Where it is. Any thread; `arena` must outlive the record. */
void message_record_locate(struct message_record *record, const struct message *message,
                           struct arena *arena);
/* Reads it. True: it is done already; false: `done` will be called, from the loop. */
bool message_record_read(struct message_record *record, struct store *store, struct arena *arena,
                         void (*done)(struct message_record *record));
/* As if it had been read, and were this one; `transaction` must outlive the record. */
void message_record_suppose(struct message_record *record, const struct transaction *transaction);
/* Stops it without `done`: not known. Nothing happens when nothing is under way. True: something was. */
bool message_record_abandon(struct message_record *record);

/* ---- telling it ---- */

/* A worker's words on their way. */
struct record_teller {
    struct store *store;
    metric_id refunds, refunds_failed; /* charges given back; not known whether */
    struct record_word *first; /* ours */
};

/* What `by` (a constant text) has decided, in its own words (copied). With `refunds` nothing of the message was delivered, so
 * what policyd charged for it is given back. Nobody waits for it; without a record, or memory, nothing happens. */
void record_tell(struct record_teller *teller, const struct message_record *record, const char *by,
                 struct slice words, bool refunds);
/* Addresses as a message has them; borrowed for the call. */
struct recipients_lost {
    const struct slice *recipients; /* who does not get the message */
    const struct slice *
        served; /* who gets it: one that is refused in one place and gets it in another keeps its charge */
    size_t count, served_count;
};
/* When others get the message: only what policyd charged for these recipients alone is given back, and no word is said. What
 * cannot be, for want of memory or of the store, is counted in `refunds_failed`. */
void record_give_back(struct record_teller *teller, const struct message_record *record,
                      const struct recipients_lost *lost);
void record_teller_stop(struct record_teller *teller); /* those on their way are let go of */

#endif
