/* common/limits/limit.h - what a limit is: a key, what is counted, a rate, and who has another rate. Pure.
 *
 *     [limit user-hourly]
 *     key    = sasl_username             # any fact, or several: sender_domain, client_net; none: one count for all
 *     count  = recipients                # messages, recipients, bytes, connections, refused
 *     rate   = 200/1h
 *     charge = data                      # default by count
 *     over   = defer 4.7.1 Sending limit reached, try again later
 *     rate.user.alice@example.com = 500/1h
 *     rate.domain.example.com = 1000/1h
 *     rate.class.gold = unlimited
 *
 * Most specific wins: user: (the whole value of the key) > domain: (a domain itself, or what follows the last @; then
 * its parents) > class: > default; at the same level a live value beats the file's. With several facts in the key the
 * domain is that of the first part that is a domain or has one. */
#ifndef GATEHOUSE_LIMITS_LIMIT_H
#define GATEHOUSE_LIMITS_LIMIT_H

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/rules/rules.h"

#define RATE_UNLIMITED UINT64_MAX
#define RATE_WINDOW_MIN UINT64_C(24) /* ms */
#define RATE_WINDOW_MAX (366 * DAY)
#define WINDOW_BUCKETS                                                                             \
    24 /* sub-buckets of a window; one more is counted, so a slot is free at most window/24 late */

/* N per window. `0/1h` refuses all, `unlimited` none. */
struct rate {
    uint64_t most; /* RATE_UNLIMITED: no bound */
    uint64_t window_ms; /* RATE_WINDOW_MIN to RATE_WINDOW_MAX; 0 with RATE_UNLIMITED */
};

enum limit_count {
    COUNT_MESSAGES,
    COUNT_RECIPIENTS,
    COUNT_BYTES,
    COUNT_CONNECTIONS,
    COUNT_REFUSED
};

/* "200/1h", "10M/1d" (1024s, for bytes and the rest alike; ms s m h d), "unlimited". On failure *error is a constant
 * text that says what is wrong. */
bool rate_parse(struct slice text, struct rate *out, const char **error);
/* The shortest spelling that parses back; absent when the arena is full. */
struct slice rate_print(struct arena *arena, struct rate rate);

/* A live value as a panel or an operator writes it: `500/1h until=1795314861 by=root note=the rest of the line`. */
struct override {
    struct rate rate;
    uint64_t until_s; /* Unix seconds; 0: no end */
    struct slice by, note; /* borrowed from the text */
};
bool override_parse(struct slice text, struct override *out, const char **error);
bool override_is_expired(const struct override *override, uint64_t wall_ms);

/* Where a rate came from, for `show user`. */
enum rate_level { RATE_USER, RATE_DOMAIN, RATE_CLASS, RATE_DEFAULT };
struct rate_source {
    enum rate_level level;
    bool is_live;
    struct slice field; /* `user:alice@example.com`; borrowed from the limit or the candidates */
};

struct
    limit; /* opaque, immutable: part of the configuration; see limit_config.h for how it is made */

struct slice limit_name(const struct limit *limit);
enum limit_count limit_counts(const struct limit *limit);
/* Where it is charged: its `charge`, or the default of its count, cut down to where all facts of its key exist. */
unsigned limit_stages(const struct limit *limit);
size_t limit_key_count(const struct limit *limit);
/* The n-th fact of the key. */
const struct fact_type *limit_key_type(const struct limit *limit, size_t n);
const char *limit_key_fact(const struct limit *limit, size_t n); /* its name */
struct rate limit_default_rate(const struct limit *limit);
struct slice limit_over(const struct limit *limit); /* the action, as a rule's `then` */

/* What of a request a limit can count. */
struct limit_event {
    enum stage stage;
    uint64_t recipients; /* recipient_count, 0 when Postfix did not say */
    uint64_t size; /* bytes */
    bool is_new_message; /* no earlier request of this `instance` has been charged at this stage */
    bool is_new_connection; /* the first request seen of this connection */
    bool is_refused; /* the verdict refuses */
};

/* What the limit costs at this event. False: nothing is due (another stage, or counted before). Messages: 1, at RCPT for a
 * new message only. Recipients: 1 at RCPT, else their number (at least 1). Bytes: the size. Connections: 1 for a new one.
 * Refused: 1 with *force when the verdict refuses, else 0, which only looks. */
bool limit_cost(const struct limit *limit, const struct limit_event *event, uint64_t *amount,
                bool *force);

/* The value of the limit's key: its parts joined by `,`, as overrides and classes name it. An IPv6 client_address counts
 * as its /64: "2001:db8:1:2::/64". */
enum limit_key_result {
    LIMIT_KEY_OK,
    LIMIT_KEY_EMPTY, /* a part is empty: not limited (all mail without a login is no one's quota) */
    LIMIT_KEY_NO_MEMORY,
};
enum limit_key_result limit_key(const struct limit *limit, const struct value *parts,
                                struct arena *arena, struct slice *value, struct slice *subject);

/* The same subject for a value that a person typed (`gatectl limit reset`): normalised, as far as the type of the key
 * says how. Absent when the arena is full. */
struct slice limit_key_typed(const struct limit *limit, struct slice typed, struct arena *arena);
struct slice limit_key_subject(const struct limit *limit, struct slice value, struct arena *arena);

/* SUBJECT of the store's key: a type letter and the normalised value (`m:alice@example.com`), or, where that is over 64
 * bytes or has bytes that are not plain (blanks, braces, quotes, `*?[]\`, what is not printable ASCII), the letter and
 * the first 128 bits of its SHA-256 in hex. Absent when the arena is full. */
enum limit_letter {
    LIMIT_ADDRESS = 'a',
    LIMIT_NETWORK = 'n',
    LIMIT_DOMAIN = 'd',
    LIMIT_MAILBOX = 'm',
    LIMIT_TEXT = 't',
    LIMIT_COMBINED = 'c',
    LIMIT_LIST = 'l', /* whoever is in the list of this name: connections at the same time */
    LIMIT_ALL = '*', /* a limit without key: "*" alone */
};
#define LIMIT_SUBJECT_MAX 64
struct slice limit_subject(enum limit_letter letter, struct slice value, struct arena *arena);

/* The fields of `gh:limit:NAME` that can hold a rate for this key value, most specific first: user:V, domain:D (and
 * parents, at most LIMIT_DOMAINS_MAX in all), class:C (if `class_name` is present), default. In `arena`. 0: it is full. */
#define LIMIT_DOMAINS_MAX 8
size_t limit_candidates(const struct limit *limit, struct slice value, struct slice class_name,
                        struct arena *arena, const struct slice **fields);

/* The rate in force: `live` are the texts of these fields in the store (absent: not there), in the same order. A live
 * text that does not parse is ignored and reported through *bad (the first one's index, or SIZE_MAX). */
struct rate limit_resolve(const struct limit *limit, const struct slice *fields,
                          const struct slice *live, size_t count, uint64_t wall_ms,
                          struct rate_source *source, size_t *bad);

#endif
