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
 * Most specific wins: user: > domain: (after the last @, then parents) > class: > default; at the same level a live
 * value beats the file's. */
#ifndef GATEHOUSE_LIMITS_LIMIT_H
#define GATEHOUSE_LIMITS_LIMIT_H

#include "common/base/arena.h"
#include "common/rules/rules.h"

#define RATE_UNLIMITED UINT64_MAX
#define WINDOW_BUCKETS                                                                             \
    24 /* sub-buckets of a window; one more is counted, so a slot is free at most window/24 late */

/* N per window. `0/1h` refuses all, `unlimited` none. */
struct rate {
    uint64_t most; /* RATE_UNLIMITED: no bound */
    uint64_t window_ms; /* a multiple of WINDOW_BUCKETS, from 24 ms (tests) to 366 days */
};

enum limit_count {
    COUNT_MESSAGES,
    COUNT_RECIPIENTS,
    COUNT_BYTES,
    COUNT_CONNECTIONS,
    COUNT_REFUSED
};

/* "200/1h", "10M/1d" (1024s, for bytes and the rest alike), "unlimited". On failure *error is a constant text that says
 * what is wrong. */
bool rate_parse(struct slice text, struct rate *out, const char **error);
struct slice rate_print(struct arena *arena,
                        struct rate rate); /* the shortest spelling that parses back */

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
    limit; /* opaque, immutable: part of the configuration snapshot; see limit_config.h for how it is made */

struct slice limit_name(const struct limit *limit);
enum limit_count limit_counts(const struct limit *limit);
unsigned limit_stages(const struct limit *limit); /* charging stages */
size_t limit_key_count(const struct limit *limit);
const char *limit_key_fact(const struct limit *limit,
                           size_t n); /* name of the n-th fact of the key */
struct rate limit_default_rate(const struct limit *limit);

/* The fields of `gh:limit:NAME` that can hold a rate for this key value, most specific first: user:V, domain:D (and
 * parents), class:C (if `class` is present), default. In `arena`. `value` is the parts of the key joined by `,`. */
size_t limit_candidates(const struct limit *limit, struct slice value, struct slice class_name,
                        struct arena *arena, const struct slice **fields);

/* The rate in force: `live` are the texts of these fields in the store (absent: not there), in the same order. A live
 * text that does not parse is ignored and reported through *bad (index, or SIZE_MAX). */
struct rate limit_resolve(const struct limit *limit, const struct slice *fields,
                          const struct slice *live, size_t count, uint64_t wall_ms,
                          struct rate_source *source, size_t *bad);

/* SUBJECT of the store's key: a type letter and the normalised value (`m:alice@example.com`), or, where that is over 64
 * bytes or not plain, the letter and the first 128 bits of its SHA-256 in hex. */
struct slice limit_subject(enum value_type type, struct slice value, struct arena *arena);

#endif
