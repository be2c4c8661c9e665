/* common/store/transaction.h - the transaction record: what policyd knows of a message, for contentd, signd and `gatectl
 * why`; and what they add to it. As a struct, and as the fields of the hash that it is in Redis. Pure.
 *
 * A record is found by what Postfix tells policyd and milters alike: queue id (`i`), client_address (`{client_addr}`),
 * client_port (`{client_port}`) and server_address (`{daemon_addr}`). Of these Postfix sends milters by default `i` and
 * `{daemon_addr}`; address and port are in the milter protocol's connect packet as well. Queue ids are used again: whoever
 * reads a record compares the sender, too. Until the queue id is known it has the name of policyd's `instance`. */
#ifndef GATEHOUSE_STORE_TRANSACTION_H
#define GATEHOUSE_STORE_TRANSACTION_H

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/store/usage_key.h"

#define TRANSACTION_TTL_MS HOUR /* after the last write of policyd */
enum {
    TRANSACTION_ID_MAX = 64, /* bytes of a queue id or an instance */
    TRANSACTION_KEY_MAX = 192, /* bytes of a key */
    /* Bytes of a text; longer ones are cut when written, and ignored when read. */
    TRANSACTION_TEXT_MAX = 512,
    TRANSACTION_CHARGES_MAX = 128, /* what is charged on top is not recorded, and not given back */
    TRANSACTION_VERDICTS_MAX = 4,
    TRANSACTION_RECIPIENTS_MAX = 10000, /* of whom it is known what was charged for each */
    TRANSACTION_FIELDS_MAX = 16 + TRANSACTION_VERDICTS_MAX + TRANSACTION_CHARGES_MAX,
};

/* The key without its `gh:`. len 0: none. */
struct transaction_key {
    size_t len;
    char text[TRANSACTION_KEY_MAX + 1];
};

/* `tx:{QUEUE_ID/CLIENT_ADDRESS/CLIENT_PORT/SERVER_ADDRESS}`. The arguments as Postfix spells them in policy attributes or
 * milter macros: addresses in any spelling (`IPv6:` before one, too), a port that is absent or "unknown" is 0, a
 * server_address that is absent is empty. False: no queue id, no client address, or not in a form that Postfix makes. */
bool transaction_key_make(struct transaction_key *out, struct slice queue_id,
                          struct slice client_address, struct slice client_port,
                          struct slice server_address);
/* `tx:{INSTANCE/SERVER_ADDRESS}` */
bool transaction_early_key_make(struct transaction_key *out, struct slice instance,
                                struct slice server_address);

/* May it be a queue id or an instance? */
bool transaction_is_id(struct slice id);

/* The sender as records have it, whoever writes them: without <>, in the normal form of address.h with its extension; empty
 * for the null sender. Absent: out of memory. */
struct slice transaction_sender(struct slice sender, struct arena *arena);

/* A recipient as records name it, whoever writes them: SUBJECT (limit.h) of the mailbox in its normal form with its extension. As
 * with the sender, but absent for an empty one, too. */
struct slice transaction_recipient(struct slice recipient, struct arena *arena);

/* One use of one limit, as it was charged. */
struct transaction_charge {
    struct slice limit, subject;
    uint64_t window_ms, bucket; /* limits/window.h */
    uint64_t amount;
};

/* The field of a charge, for printf: the key of its counter and its bucket. */
#define TRANSACTION_CHARGE_FORMAT USAGE_KEY_FORMAT " %" PRIu64
#define TRANSACTION_CHARGE_ARG(charge)                                                             \
    USAGE_KEY_ARG((charge)->subject, (charge)->limit, (charge)->window_ms), (charge)->bucket

/* Of one identity. Absent: it was not looked up. */
struct transaction_spf {
    struct slice result; /* a result of RFC 7208 section 2.6, "pass" */
    struct slice domain; /* the domain that was checked */
};

/* What a later daemon decided. */
struct transaction_verdict {
    struct slice by; /* "contentd", "signd" */
    struct slice text; /* in its own words: "reject virus=Eicar-Signature ref=7f3k2q" */
};

/* Absent texts are not known. */
struct transaction {
    struct slice sender; /* from transaction_sender() */
    struct slice instance;
    struct transaction_spf spf, spf_helo; /* MAIL FROM (the HELO name, if that is empty), HELO */
    /* Of the message as a whole: what rules said at DATA or END-OF-MESSAGE, not at RCPT for one recipient. */
    bool has_score;
    double score;
    struct slice rule; /* the one that spoke or accepted */
    struct slice reference;
    /* What was charged for the message and is to be given back if it is refused after all: all but `connections` and
     * `refused`, which are no matter of the message's. */
    const struct transaction_charge *charges;
    size_t charge_count;
    struct transaction_verdict verdicts[TRANSACTION_VERDICTS_MAX];
    size_t verdict_count;
    /* read only */
    bool is_refunded; /* the charges have been given back */
    uint64_t charges_cut; /* charges beyond TRANSACTION_CHARGES_MAX */
    size_t bad; /* fields that could not be read and were ignored */
};

/* The text that a daemon has written, absent when there is none: transaction_verdict_by(tx, SLICE("contentd")). */
struct slice transaction_verdict_by(const struct transaction *transaction, struct slice by);

/* One field of the hash. */
struct transaction_field {
    struct slice name, text;
};

/* The fields of a record; what is absent has none. Texts are borrowed from *transaction, or in `arena`. Returns how many
 * there are, at most TRANSACTION_FIELDS_MAX; 0 only when memory is out. */
size_t transaction_encode(const struct transaction *transaction, struct arena *arena,
                          struct transaction_field **fields);

/* Reads fields in any order; texts are borrowed from them, charges are in `arena`. Unknown names are ignored, what has a
 * wrong form is ignored and counted in `bad`. False: out of memory. */
bool transaction_decode(const struct transaction_field *fields, size_t count, struct arena *arena,
                        struct transaction *out);

#endif
