/* common/store/store.h - counters, lists and remembered charges, wherever they live. Asynchronous: a call either is
 * done at once (returns true; `done` is not called) or ends later in exactly one call of `done` from the worker's loop,
 * never from inside the start. Every call ends within its deadline, whatever the back end does.
 *
 * One `struct store` per worker, used on that worker's thread alone; what they share is behind the back end. */
#ifndef GATEHOUSE_STORE_STORE_H
#define GATEHOUSE_STORE_STORE_H

#include "common/base/clock.h"
#include "common/limits/limit.h"
#include "common/store/transaction.h"

struct store; /* opaque; made by its back end: store_memory_open(), store_redis_new() */
void store_free(struct store **store); /* NULL-safe; clears *store; abandon its calls before */

/* Bounds: a call beyond them fails at once. */
enum {
    STORE_USES_MAX = 64, /* limits of one charge */
    STORE_KEY_MAX = 400, /* bytes of a hash's key */
    STORE_FIELD_MAX = 512, /* bytes of a field's name: a mailbox and a prefix fit */
    STORE_TEXT_MAX = 64 << 10, /* bytes of a field's text */
    STORE_LOG_LINE_MAX = 4096, /* bytes of a decision line; longer ones are cut */
    STORE_LEASE_SUBJECTS_MAX = 32, /* subjects of one connection */
    STORE_CHANGES_MAX = 256, /* fields changed in one step */
    STORE_TX_FOUND_MAX = 16, /* records of one queue id */
};

enum store_result {
    STORE_OK,
    STORE_FAILED, /* no answer and no local copy to decide with */
};

/* Every asynchronous call starts with this. It is owned by the caller and must stay until done or abandoned. */
struct store_call {
    void (*done)(struct store_call *call); /* may free the call */
    enum store_result result;
    bool is_degraded; /* answered by the local copy because the back end did not */
    void *pending; /* the store's own; NULL when nothing is under way */
};
void store_abandon(struct store *store, struct store_call *call); /* ends it without done */

/* A transaction record to be written. All borrowed until the call is done. */
struct store_record {
    const struct transaction_key *key; /* where */
    const struct transaction_key *early; /* a record that becomes part of it and ends; NULL: none */
    const struct transaction *transaction; /* what is absent in it stays as it is */
    /* From transaction_recipient(): what is charged for this one alone (limit_use) can be given back alone, too; absent: nobody. */
    struct slice recipient;
};

/* One limit of one request. `fields` from limit_candidates(), `subject` from limit_key() or limit_subject(). The same
 * limit and subject may occur twice; both amounts count. */
struct limit_use {
    const struct limit *limit;
    struct slice subject;
    const struct slice *fields;
    size_t field_count;
    uint64_t amount; /* 0: only look (is one more admitted?) */
    bool force; /* add without checking: `refused` after the fact */
    bool is_of_recipient; /* for the one recipient of this request, not for the message */
    /* out */
    struct rate rate;
    struct rate_source source;
    uint64_t used; /* in the window, before this charge */
    /* When looked at or exceeded: until `amount` (at least 1) is free again; 0: now; UINT64_MAX: never. */
    uint64_t free_ms;
    uint64_t bucket; /* charged: the number of the bucket (window.h), for giving back */
    /* Index of a live field that does not parse and was ignored, for log and count; SIZE_MAX: none. */
    size_t bad;
};

/* Checks all uses and, if none is exceeded, charges them all, in one step on the store's clock. */
struct store_charge {
    struct store_call call;
    /* 32 hex digits: a charge with the same name in the last 60 s is not repeated, its result is (admitted, over, and
     * of each use `used` and `free_ms`); absent: nothing is remembered. */
    struct slice once;
    struct limit_use *uses;
    size_t use_count;
    bool peek; /* only read: `used`, `rate` and `free_ms` are filled in, nothing is remembered */
    /* Written in the same step, with what was charged, if Redis admits the charge, and not again when it is repeated;
     * NULL: none. Of use where store_is_shared(). */
    const struct store_record *record;
    /* out */
    bool admitted;
    size_t over; /* index of the first use exceeded, when not admitted */
    bool repeated;
    bool is_recorded; /* `record` is written */
};
bool store_charge(struct store *store, struct store_charge *charge);

/* Greylisting (RFC 6647): mail from an origin (a network, or a domain that stands for one) that is not known waits until
 * its sender and recipient come again, at least `delay_ms` and less than `delay_ms + window_ms` after the first time; from
 * then on the triplet passes, for `expiry_ms` after the last time. An origin of which `allow_after` triplets have passed is
 * known: it passes, for `allow_expiry_ms` after the last time. Seen, judged and remembered in one step on the store's clock.
 *
 * Of one origin at most STORE_TRIPLETS_MAX new triplets are remembered in `window_ms`; those that come on top, a flood of
 * invented senders, share STORE_CROWD entries: they wait like all others, though an entry that another one shares may have
 * waited for them, and what passes there makes nobody known. */
enum {
    STORE_TRIPLETS_MAX = 4096,
    STORE_CROWD = 256, /* two hex digits */
};
enum greylist_state {
    GREYLIST_NEW, /* the first time: wait */
    GREYLIST_EARLY, /* came again too early: wait */
    GREYLIST_PASSED, /* has waited */
    GREYLIST_KNOWN, /* the origin is known */
};
struct store_greylist {
    struct store_call call; /* degraded: passes, nothing is remembered */
    struct slice origin, sender, recipient; /* from limit_subject() */
    uint64_t delay_ms, window_ms, expiry_ms, allow_expiry_ms; /* at most RATE_WINDOW_MAX each */
    uint64_t allow_after; /* 0: an origin never becomes known */
    bool peek; /* only read */
    /* out */
    enum greylist_state state;
    uint64_t left_ms; /* new, early: until it may come again */
    bool is_crowded; /* it shares an entry */
};
bool store_greylist(struct store *store, struct store_greylist *greylist);

/* ---- transaction records (gh:tx:, transaction.h): written by policyd, read by the daemons behind it ----
 *
 * All of these end within the deadline of a request (100 ms), and fail (STORE_FAILED: unknown) without an answer in time;
 * nothing is repeated or made up for later. A call that has ended well is seen by every call that begins after it, on
 * every host. A store in memory is one process's own: there nothing is written and nothing found, TX_NOT_SHARED. */
enum tx_state {
    TX_NOT_SHARED, /* a store in memory: nobody but this process could have written it */
    TX_NONE, /* there is no such record (any more), or it is that of another sender */
    TX_FOUND, /* read, written, changed */
};
/* Do all daemons see the same? Constant. */
bool store_is_shared(const struct store *store);

/* Writes what is known into the record, which need not be there; charges are added to those that are. */
struct store_tx_write {
    struct store_call call;
    struct store_record record;
    enum tx_state state; /* out */
};
bool store_tx_write(struct store *store, struct store_tx_write *write);

/* `sender` from transaction_sender(); absent: any. */
struct store_tx_read {
    struct store_call call;
    const struct transaction_key *key;
    struct slice sender;
    struct arena *arena;
    /* out */
    enum tx_state state;
    struct transaction transaction; /* TX_FOUND: in `arena` */
};
bool store_tx_read(struct store *store, struct store_tx_read *read);

/* Says what `by` (letters, at most 16) has decided, in the record if there is one: in place of what it said before. */
struct store_tx_update {
    struct store_call call;
    const struct transaction_key *key;
    struct slice sender; /* as above */
    struct slice by, verdict;
    enum tx_state state; /* out */
};
bool store_tx_update(struct store *store, struct store_tx_update *update);

/* Gives back what the record says was charged, to the same buckets: once, whoever asks on whichever host, and never more
 * than is there. Says the verdict in the same step (`by` absent: none). A local copy of the counters keeps the charges. */
enum { STORE_REFUND_RECIPIENTS_MAX = 500 };
struct store_refund {
    struct store_call call;
    const struct transaction_key *key;
    struct slice sender; /* as above */
    struct slice by, verdict;
    /* From transaction_recipient(): only what was charged for these alone; at most STORE_REFUND_RECIPIENTS_MAX. 0: everything. */
    const struct slice *recipients;
    size_t recipient_count;
    /* out */
    enum tx_state state;
    bool is_repeated; /* it was given back before: not again */
    uint64_t uses; /* charges given back; 0: nothing was charged, or its windows are over */
};
bool store_refund(struct store *store, struct store_refund *refund);

/* All records of a queue id (`gatectl why`): looks through the keys of Redis, for seconds if there are millions. */
struct store_tx_found {
    struct slice key; /* with gh: */
    struct transaction transaction;
};
struct store_tx_find {
    struct store_call call;
    struct slice queue_id;
    struct arena *arena;
    /* out */
    enum tx_state state; /* TX_FOUND: at least one */
    struct store_tx_found *found;
    size_t count; /* at most STORE_TX_FOUND_MAX */
};
bool store_tx_find(struct store *store, struct store_tx_find *find);

/* ---- connections at the same time (gh:conn:): how many there are per subject, over all hosts ----
 *
 * From store_lease_open() on a connection counts in each of its subjects until store_lease_close(), on any store of the
 * process. The store keeps the process's counts, tells Redis each change and renews them there every few seconds; what a
 * process that died has left ends after STORE_LEASE_MS. In memory, and without Redis (degraded), the process's own
 * connections are all that is known. At most STORE_LEASES_MAX subjects are counted at the same time, further ones are not
 * (and that is counted). */
#define STORE_LEASE_MS (15 * SECOND)
#define STORE_LEASE_RENEW_MS (5 * SECOND)
#define STORE_LEASES_MAX 65536u
struct store_lease {
    struct store_call call; /* of opening */
    /* From limit_subject(), each at most once; borrowed until it is closed. */
    const struct slice *subjects;
    size_t count; /* at most STORE_LEASE_SUBJECTS_MAX */
    size_t
        looked_at; /* so many of them, the last ones, are only asked about: it does not count there */
    /* out, by subject: connections, with this one where it counts; 0 there: not counted, for want of room */
    uint64_t totals[STORE_LEASE_SUBJECTS_MAX];
    unsigned held; /* the store's own: which subjects count */
};
/* It counts from the start of this call on, whatever comes of it. Fails only when no subject can be counted. */
bool store_lease_open(struct store *store, struct store_lease *lease);
/* Ends the call as well if it is under way. Closing one that is not open does nothing. */
void store_lease_close(struct store *store, struct store_lease *lease);

/* Values of some fields of one hash (a per-recipient list): texts[i] absent when the field is not there. */
struct store_fetch {
    struct store_call call;
    struct slice key; /* without the `gh:` prefix: `list:allow/bob@example.com` */
    const struct slice *fields;
    size_t count;
    struct slice *texts; /* out, `count` of them, in `arena` */
    struct arena *arena;
};
bool store_fetch(struct store *store, struct store_fetch *fetch);

/* ---- live state, whole hashes: for the poller, gatectl and panels ---- */

struct store_field {
    struct slice name, text;
};

/* All fields of a hash; none when it is not there. */
struct store_read {
    struct store_call call;
    struct slice key;
    struct arena *arena;
    /* out */
    struct store_field *fields;
    size_t count;
};
bool store_read(struct store *store, struct store_read *read);

/* One field written (text) or removed (text absent), or with an absent field the whole hash removed; `gh:gen` bumped.
 * Fails when a bound above or the store's memory is reached. */
struct store_write {
    struct store_call call;
    struct slice key, field, text;
    bool existed; /* out */
};
bool store_write(struct store *store, struct store_write *write);

/* Several fields of one hash written in one step, if each of them still is as it was read, or has its new text already (a call
 * may reach Redis twice when the connection breaks); otherwise nothing is changed. `gh:gen` bumped. Fails as a write does, and
 * never changes some of them alone. */
struct store_change {
    struct slice field, was, text; /* `was` absent: it was not there; `text` is present */
};
struct store_swap {
    struct store_call call;
    struct slice key;
    const struct store_change *changes; /* of each field one at most */
    size_t count; /* 1 to STORE_CHANGES_MAX */
    bool is_written; /* out; false with STORE_OK: somebody has changed one of them since */
};
bool store_swap(struct store *store, struct store_swap *swap);

/* Which of these hashes changed: `version` in and out is a digest of each (empty: never seen; "0": there is no such hash).
 * One round trip. */
struct store_poll {
    struct store_call call;
    const struct slice *keys;
    size_t count;
    char (*versions)[48];
    bool *changed; /* out, `count` of them */
};
bool store_poll(struct store *store, struct store_poll *poll);

/* Usage counters of a subject are removed (`gatectl limit reset`). */
struct store_reset {
    struct store_call call;
    struct slice limit, subject;
    uint64_t removed; /* out: keys */
};
bool store_reset(struct store *store, struct store_reset *reset);

/* Subjects with the highest usage of a limit (`gatectl top`), bounded work. */
struct store_top_row {
    struct slice limit, subject;
    uint64_t used, window_ms;
};
struct store_top {
    struct store_call call;
    struct slice limit; /* absent: all */
    struct arena *arena;
    struct store_top_row *rows; /* out */
    size_t count; /* in: most rows; out: rows */
};
bool store_top(struct store *store, struct store_top *top);

/* ---- the decision log (gh:log): never waits; dropped and counted when the store is slow ---- */
void store_log(struct store *store, struct slice line);
struct store_log_read {
    struct store_call call;
    struct slice after; /* id of the last line seen; empty: the newest `count` */
    struct slice find; /* only lines that contain this; empty: all */
    struct arena *arena;
    struct store_field *lines; /* out: name = id, text = line; oldest first */
    size_t count; /* in: most; out: lines */
};
bool store_log_read(struct store *store, struct store_log_read *read);

/* ---- state ---- */
enum store_state { STORE_UP, STORE_DEGRADED, STORE_DOWN };
struct store_status {
    enum store_state state;
    const char *kind; /* "memory", "redis" */
    char detail[160]; /* one line for status and /ready */
};
void store_status(const struct store *store, struct store_status *out); /* any thread */

#endif
