/* policyd/answers.c - see answers.h. */
#include "policyd/answers.h"

#include "common/base/clock.h"
#include "common/base/recent.h"

#include <pthread.h>

enum { ANSWER_SHARDS = 16 };

struct answer {
    struct recent_entry entry; /* first member */
    uint64_t connection; /* who decides it, then who has its answer */
    uint64_t retry; /* pending: who asked last; 0: nobody did */
    bool is_pending, is_refusal;
    struct answer_waiter *waiters;
    char *reply; /* owned; NULL while pending, and for `DUNNO`, which nearly all are */
    size_t reply_len;
};

static const struct slice dunno = SLICE_INIT("DUNNO");

struct answers {
    struct answer_shard {
        pthread_mutex_t lock;
        struct recent recent;
    } shards[ANSWER_SHARDS];
};

/* Tells all who wait: outside of the lock, but for answers that are forgotten. */
static void wake_all(struct answer_waiter *waiter, struct slice reply)
{
    while (waiter != NULL) {
        struct answer_waiter *next = waiter->next;
        waiter->reply_len = reply.len <= sizeof waiter->reply ? reply.len : 0;
        if (waiter->reply_len > 0)
            memcpy(waiter->reply, reply.ptr, waiter->reply_len);
        waiter->wake(waiter);
        waiter = next;
    }
}

static void answer_drop(struct recent_entry *entry)
{
    struct answer *answer = (struct answer *)entry;

    wake_all(answer->waiters, SLICE("")); /* forgotten while pending: they decide themselves */
    free(answer->reply);
    free(answer);
}

struct answers *answers_new(size_t max)
{
    struct answers *answers = calloc(1, sizeof *answers);

    for (size_t i = 0; answers != NULL && i < ANSWER_SHARDS; i++) {
        pthread_mutex_init(&answers->shards[i].lock, NULL);
        if (!recent_init(&answers->shards[i].recent, max / ANSWER_SHARDS + 1, MINUTE,
                         answer_drop)) {
            for (size_t k = 0; k < i; k++)
                recent_clear(&answers->shards[k].recent);
            free(answers);
            return NULL;
        }
    }
    return answers;
}

void answers_free(struct answers **answers)
{
    if (*answers == NULL)
        return;
    for (size_t i = 0; i < ANSWER_SHARDS; i++) {
        recent_clear(&(*answers)->shards[i].recent);
        pthread_mutex_destroy(&(*answers)->shards[i].lock);
    }
    free(*answers);
    *answers = NULL;
}

static struct answer_shard *shard_lock(struct answers *answers, uint64_t hash)
{
    struct answer_shard *shard =
        &answers->shards[hash >> 60]; /* the table itself uses the low bits */

    pthread_mutex_lock(&shard->lock);
    return shard;
}

static void answer_add(struct answer_shard *shard, const struct answer_key *key, uint64_t now_ms)
{
    struct answer *answer = calloc(1, sizeof *answer);

    if (answer == NULL)
        return; /* then the next one like it is decided afresh */
    recent_add(&shard->recent, &answer->entry, key->hash, now_ms);
    answer->connection = key->connection;
    answer->is_pending = true;
}

static enum answer_state answer_repeat(struct answer *answer, const struct answer_key *key,
                                       struct answer_waiter *waiter, struct buf *out)
{
    if (answer->is_pending) {
        if (waiter == NULL)
            return ANSWER_PENDING;
        waiter->next = answer->waiters;
        answer->waiters = waiter;
        answer->retry = key->connection;
        return ANSWER_PENDING;
    }
    bool is_retry = answer->connection != key->connection;
    struct slice reply = dunno;
    if (answer->reply != NULL && (is_retry || answer->is_refusal))
        reply = (struct slice){ answer->reply, answer->reply_len };
    buf_clear(out);
    answer->connection = key->connection;
    return buf_add(out, reply) == 0 ? ANSWER_KNOWN : ANSWER_NEW;
}

enum answer_state answers_ask(struct answers *answers, const struct answer_key *key,
                              uint64_t now_ms, struct answer_waiter *waiter, struct buf *out)
{
    struct answer_shard *shard = shard_lock(answers, key->hash);
    struct answer *answer = (struct answer *)recent_find(&shard->recent, key->hash, now_ms);
    enum answer_state state = ANSWER_NEW;

    if (answer != NULL && !key->has_instance && answer->connection == key->connection) {
        recent_drop(&shard->recent, &answer->entry); /* the next message, for all we know */
        answer = NULL;
    }
    if (answer == NULL)
        answer_add(shard, key, now_ms);
    else
        state = answer_repeat(answer, key, waiter, out);
    pthread_mutex_unlock(&shard->lock);
    return state;
}

/* The pending answer that this connection is deciding, if it is still remembered. */
static struct answer *answer_mine(struct answer_shard *shard, const struct answer_key *key,
                                  uint64_t now_ms)
{
    struct answer *answer = (struct answer *)recent_find(&shard->recent, key->hash, now_ms);

    return answer != NULL && answer->is_pending && answer->connection == key->connection ? answer
                                                                                         : NULL;
}

/* False: out of memory. */
static bool reply_keep(struct answer *answer, struct slice reply)
{
    answer->reply = malloc(reply.len + 1);
    if (answer->reply == NULL)
        return false;
    memcpy(answer->reply, reply.ptr, reply.len);
    answer->reply_len = reply.len;
    return true;
}

void answers_finish(struct answers *answers, const struct answer_key *key, uint64_t now_ms,
                    struct slice reply, bool is_refusal)
{
    struct answer_shard *shard = shard_lock(answers, key->hash);
    struct answer *answer = answer_mine(shard, key, now_ms);
    struct answer_waiter *waiters = NULL;

    if (answer != NULL) {
        waiters = answer->waiters;
        answer->waiters = NULL;
        answer->is_pending = false;
        answer->is_refusal = is_refusal;
        if (answer->retry != 0)
            answer->connection = answer->retry;
        if (!slice_equal(reply, dunno) && !reply_keep(answer, reply))
            recent_drop(&shard->recent, &answer->entry);
    }
    pthread_mutex_unlock(&shard->lock);
    wake_all(waiters, reply);
}

void answers_give_up(struct answers *answers, const struct answer_key *key, uint64_t now_ms)
{
    struct answer_shard *shard = shard_lock(answers, key->hash);
    struct answer *answer = answer_mine(shard, key, now_ms);
    struct answer_waiter *waiters = NULL;

    if (answer != NULL) {
        waiters = answer->waiters;
        answer->waiters = NULL;
        recent_drop(&shard->recent, &answer->entry);
    }
    pthread_mutex_unlock(&shard->lock);
    wake_all(waiters, SLICE(""));
}
