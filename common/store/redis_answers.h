/* common/store/redis_answers.h - what the replies to the store's scripts and commands mean. Pure; a reply of any other
 * form than expected is ANSWER_BAD and changes nothing but the `out` fields of the call. */
#ifndef GATEHOUSE_STORE_REDIS_ANSWERS_H
#define GATEHOUSE_STORE_REDIS_ANSWERS_H

#include "common/net/redis_reply.h"
#include "common/store/store.h"

enum answer {
    ANSWER_OK,
    ANSWER_BAD,
    ANSWER_DIFFERS, /* charge: the overrides are others than assumed, nothing was charged */
};

/* charge.lua. *redis_ms is set with ANSWER_OK and ANSWER_DIFFERS; not by a remembered charge. *is_cut, with ANSWER_OK: not
 * all that was charged is in the record. */
enum answer answer_charge(const struct redisReply *reply, struct store_charge *charge,
                          uint64_t *redis_ms, bool *is_cut);
bool answer_is_admitted(struct slice text); /* charge.lua says so: now, or before */
/* With ANSWER_DIFFERS: the text of a field of a use, absent when it is not there. */
struct slice answer_override(const struct redisReply *reply, size_t use, size_t field);

/* greylist.lua. */
enum answer answer_greylist(const struct redisReply *reply, struct store_greylist *greylist);

/* transaction.lua: written; *is_cut as above. ANSWER_BAD also when something else has the key. */
enum answer answer_recorded(const struct redisReply *reply, bool *is_cut);
/* transaction.lua: told or refunded. */
struct answer_told {
    enum tx_state state;
    bool is_repeated;
    uint64_t uses;
};
enum answer answer_told(const struct redisReply *reply, struct answer_told *out);
/* HGETALL of a record: its texts are copied to `arena`. TX_NONE: it is not there. */
enum answer answer_transaction(const struct redisReply *reply, struct arena *arena,
                               enum tx_state *state, struct transaction *out);
/* lease.lua: `count` totals. */
enum answer answer_leases(const struct redisReply *reply, uint64_t *totals, size_t count);

/* A list of exactly `count` texts, absent where nil, copied to `arena`. */
enum answer answer_texts(const struct redisReply *reply, struct slice *texts, size_t count,
                         struct arena *arena);
/* poll.lua: versions are replaced, `changed` says where. */
enum answer answer_poll(const struct redisReply *reply, struct store_poll *poll);

/* SCAN and HSCAN: where to go on ("0": done) and the list of items. The cursor has at most 20 digits. */
enum answer answer_scan(const struct redisReply *reply, char cursor[24],
                        const struct redisReply **items, size_t *count);

/* One entry of XRANGE: its id and the value of its field `line` (absent: somebody else's entry); borrowed. */
enum answer answer_log_line(const struct redisReply *entry, struct store_field *line);
/* The id that follows `id` (`ms-seq`), or comes before it: where the next step of a range begins. */
bool log_id_next(struct slice id, char next[48]);
bool log_id_before(struct slice id, char before[48]);

#endif
