/* policyd/answers.h - the same request again: Postfix asks once per restriction list that names the service, and repeats
 * a request byte for byte on a new connection when the answer was slow. Answers are remembered 60 s so that both are
 * answered alike and charged once; a twin of a request still being decided waits for it.
 *
 * On another connection it is a retry: the answer is repeated verbatim. On the same connection it is another restriction
 * list: a refusal is repeated, anything else is DUNNO (no second header). A retry takes the answer along: from then on the
 * connection that it came on is the one that has it. Requests with an empty `instance` may be
 * different messages: they are repeated on another connection only. Shared by the workers; thread-safe. */
#ifndef GATEHOUSE_POLICYD_ANSWERS_H
#define GATEHOUSE_POLICYD_ANSWERS_H

#include "common/base/buf.h"

struct answers; /* opaque */

enum { ANSWER_REPLY_MAX = 1024 }; /* bytes */

/* One who waits for a twin's answer. Owned by the answers from the moment ANSWER_PENDING is returned until `wake` is
 * called, exactly once, on any thread (and perhaps under a lock: it calls nothing of answers.h), with the answer in `reply` (empty: the twin gave up; decide yourself). */
struct answer_waiter {
    struct answer_waiter *next;
    void (*wake)(struct answer_waiter *waiter);
    char reply[ANSWER_REPLY_MAX];
    size_t reply_len;
};

struct answer_key {
    uint64_t hash; /* of the request and of the configuration's generation */
    uint64_t connection; /* who asks: never the same for two connections of this process */
    bool has_instance;
};

enum answer_state {
    ANSWER_NEW, /* nobody has asked this: decide, then call answers_finish() or answers_give_up() */
    ANSWER_KNOWN, /* the answer has been put into `out` */
    ANSWER_PENDING, /* a twin is being decided: the waiter will be woken; without a waiter: ask again with one */
};

struct answers *answers_new(size_t max); /* NULL: out of memory */
void answers_free(struct answers **answers); /* no waiter may be left */

/* `waiter` may be NULL. */
enum answer_state answers_ask(struct answers *answers, const struct answer_key *key,
                              uint64_t now_ms, struct answer_waiter *waiter, struct buf *out);
void answers_finish(struct answers *answers, const struct answer_key *key, uint64_t now_ms,
                    struct slice reply, bool is_refusal);
void answers_give_up(struct answers *answers, const struct answer_key *key, uint64_t now_ms);

#endif
