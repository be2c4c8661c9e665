/* tests/fakes/fake_store.h - a store that a test can slow down, break and look into: the memory store behind a switch. */
#ifndef GATEHOUSE_TESTS_FAKE_STORE_H
#define GATEHOUSE_TESTS_FAKE_STORE_H

#include "common/base/buf.h"
#include "common/store/store_impl.h"
#include "common/store/store_memory.h"

enum { FAKE_STORE_HELD_MAX = 64, FAKE_STORE_NAME_MAX = 40 };

struct fake_store {
    struct store store; /* first member: pass &fake->store */
    struct store_ops ops; /* is_shared: false, until a test sets it */
    struct store_memory *memory;
    struct store *real; /* what a call ends with, unless it fails */
    /* Charges, greylisting, fetches, records, polls, reads and swaps wait for fake_store_release() */
    bool holds;
    bool fails; /* they end without an answer */
    bool is_degraded; /* the local copy answers; polls, reads and swaps, which have none, fail */
    struct fake_held {
        struct store_call *call;
        enum fake_call {
            FAKE_CHARGE,
            FAKE_GREYLIST,
            FAKE_FETCH,
            FAKE_TX_WRITE,
            FAKE_TX_READ,
            FAKE_TX_UPDATE,
            FAKE_REFUND,
            FAKE_READ,
            FAKE_POLL,
            FAKE_SWAP,
        } kind;
    } held[FAKE_STORE_HELD_MAX];
    size_t held_count;
    /* what was asked; charges and greylisting that only look are peeks */
    size_t charges, greylists, peeks, fetches, abandoned, lines;
    char once[FAKE_STORE_NAME_MAX]; /* the name of the last charge; empty: none */
    size_t use_count; /* of the last charge */
    struct buf log; /* the last decision line */
    /* transaction records: what was written last, "KEY EARLY name=text ...", without charges; what is read */
    size_t records, tx_reads, tx_updates, refunds;
    struct buf record, verdict;
    struct buf
        alone; /* of the last charge with a record: its recipient, limits charged for it alone */
    struct buf refunded; /* recipients that were given back alone, each with a blank behind it */
    enum tx_state tx_state; /* of reads, updates and refunds; TX_NONE at the beginning */
    struct transaction transaction; /* borrowed */
};

/* Ends the process when memory is out. */
struct fake_store *fake_store_new(const struct clock *clock);
void fake_store_free(struct fake_store **fake);

/* Ends all calls that are held, in the order in which they began, as the loop would. */
void fake_store_release(struct fake_store *fake);
/* The one that began first; there must be one. */
void fake_store_release_one(struct fake_store *fake);

/* Writes a field of a live hash, at once; NULL removes it. */
void fake_store_set(struct fake_store *fake, const char *key, const char *field, const char *text);

#endif
