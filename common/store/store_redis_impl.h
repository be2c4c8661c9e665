/* common/store/store_redis_impl.h - the insides of store_redis.c and its parts (redis_pending.c, redis_charge.c,
 * redis_greylist.c, redis_transaction.c, redis_lease.c, redis_hashes.c, redis_usage.c, redis_log.c), for them alone.
 *
 * Every call under way is a `struct pending`: sent, its answer interpreted by its kind, ended once by answer, deadline or
 * failure. It lives on after its caller has been told, until its answer has come or the connection is lost. */
#ifndef GATEHOUSE_STORE_STORE_REDIS_IMPL_H
#define GATEHOUSE_STORE_STORE_REDIS_IMPL_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "common/net/redis.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/store/override_cache.h"
#include "common/store/redis_answers.h"
#include "common/store/store_impl.h"
#include "common/store/store_redis.h"

enum redis_script {
    SCRIPT_CHARGE,
    SCRIPT_WRITEBACK,
    SCRIPT_POLL,
    SCRIPT_USAGE,
    SCRIPT_GREYLIST,
    SCRIPT_TRANSACTION,
    SCRIPT_LEASE,
    SCRIPT_SWAP,
    SCRIPT_PROBE,
    SCRIPT_COUNT,
};

enum store_metric {
    STORE_CALLS,
    STORE_DEGRADED_CALLS,
    STORE_FAILED_CALLS,
    STORE_TIMEOUTS,
    STORE_RETRIES,
    STORE_WRITTEN_BACK,
    STORE_CONNECTS,
    STORE_MISTAKES,
    STORE_LOG_DROPPED,
    STORE_RECORDS_CUT,
    STORE_METRICS
};
void store_count(enum store_metric metric);

enum { REDIS_PROCESS_LEN = 16 };

struct store_redis {
    struct store_redis_options options;
    char process[REDIS_PROCESS_LEN + 1]; /* its name in leases: random */
    atomic_uint workers_new, workers_down; /* new: neither up nor down yet */
    pthread_mutex_t lock; /* of `problem` */
    char problem[128];
    struct log_change state, mistake;
};

/* Closed: charges go to Redis. Open: it refuses writes, or is too slow. */
enum breaker { BREAKER_CLOSED, BREAKER_UNWILLING, BREAKER_SILENT };

struct log_line;
STAILQ_HEAD(log_queue, log_line);
TAILQ_HEAD(pending_list, pending);

struct worker_store {
    struct store store; /* first */
    struct store_redis *shared;
    struct event_base *base;
    const struct timeval *answer_timeout; /* options.answer_ms */
    struct redis *redis; /* owned */
    struct store *local; /* owned: the shadow as a store; NULL without one */
    struct override_cache *overrides; /* owned */
    struct arena *scratch; /* owned: one write-back being put together */
    struct event *tick; /* owned: probe, write back, send log lines */
    struct pending_list pending;
    enum breaker breaker;
    bool is_probing;
    bool probe_with_text; /* the server did not know the script */
    uint64_t probe_sent_ms;
    enum { REPORTED_NOTHING, REPORTED_UP, REPORTED_DOWN } reported;
    unsigned ticks_down;
    size_t writing_back; /* under way */
    bool writeback_with_text, lease_with_text;
    struct log_queue log;
    size_t log_count, log_bytes, log_sent;
    uint64_t log_trimmed_ms;
    struct redis_args args; /* the command being put together */
};

enum progress { PROGRESS_DONE, PROGRESS_FAILED, PROGRESS_AGAIN };

struct pending_kind {
    unsigned deadline_ms; /* 0: answer_ms of the options */
    /* On a request's path: never waits for a connection, opens the breaker when late. */
    bool is_request;
    bool writes; /* not sent while Redis refuses writes */
    bool (*send)(struct pending *pending); /* the next command of the call */
    enum progress (*reply)(struct pending *pending, const struct redisReply *reply);
    /* Nothing came (NULL: the call fails). `pending` NULL: it was not even sent. */
    void (*fallback)(struct worker_store *store, struct store_call *call, struct pending *pending);
    void (*late)(struct pending *pending, const struct redisReply *reply); /* NULL: ignored */
    /* From its beginning, on another connection; NULL: none needed. */
    void (*restart)(struct pending *pending);
    void (*release)(struct pending *pending); /* `rows`; NULL: nothing to release */
};

struct top_row;
struct pending {
    TAILQ_ENTRY(pending) link;
    struct worker_store *store;
    const struct pending_kind *kind;
    struct store_call *call; /* NULL: nobody waits any more */
    struct event timer;
    bool is_sent; /* an answer, or the loss of the connection, will come */
    bool with_text; /* the server did not know the script */
    unsigned tries;
    uint64_t owed_id; /* of the shadow's journal */
    /* calls of several steps */
    char cursor[48];
    bool is_second; /* the second of two commands of a step */
    size_t examined, room;
    struct top_row *rows; /* owned */
    size_t row_count;
};

/* redis_pending.c */
/* Starts a call: true when it has ended at once. */
bool pending_start(struct worker_store *store, const struct pending_kind *kind,
                   struct store_call *call);
void redis_store_abandon(struct store *store, struct store_call *call);
void pending_send_waiting(struct worker_store *store); /* what waited for a connection */
void pending_drop_all(struct worker_store *store); /* without a word to whoever waits */
bool send_command(struct pending *pending); /* store->args */
bool send_script(struct pending *pending, enum redis_script script);
void send_and_forget(struct worker_store *store); /* store->args; its answer means nothing */
void args_begin(struct worker_store *store, const char *word);
void args_key(struct worker_store *store, struct slice key); /* with gh: before it */
void args_time(struct worker_store *store);

/* store_redis.c */
bool is_serving(const struct worker_store *store); /* connected, breaker closed */
void breaker_open(struct worker_store *store, enum breaker how, const char *why);
/* Reacts to an error. */
void note_error(struct worker_store *store, const struct redisReply *reply);

/* redis_charge.c */
bool redis_store_charge(struct store *store, struct store_charge *charge);
void write_back(struct worker_store *store); /* what the shadow's journal holds, a few at a time */
/* redis_greylist.c */
bool redis_store_greylist(struct store *store, struct store_greylist *greylist);
/* redis_transaction.c */
void args_record_keys(struct worker_store *store, const struct store_record *record); /* or NULL */
/* What record.lua expects, except charges. False: out of memory. */
bool args_record(struct worker_store *store, const struct store_record *record);
bool redis_store_tx_write(struct store *store, struct store_tx_write *write);
bool redis_store_tx_read(struct store *store, struct store_tx_read *read);
bool redis_store_tx_update(struct store *store, struct store_tx_update *update);
bool redis_store_refund(struct store *store, struct store_refund *refund);
bool redis_store_tx_find(struct store *store, struct store_tx_find *find);
/* redis_lease.c */
bool redis_store_lease_open(struct store *store, struct store_lease *lease);
void redis_store_lease_close(struct store *store, struct store_lease *lease);
void redis_leases_renew(struct worker_store *store); /* those that are due, a few at a time */
/* redis_hashes.c */
bool redis_store_fetch(struct store *store, struct store_fetch *fetch);
bool redis_store_read(struct store *store, struct store_read *read);
bool redis_store_write(struct store *store, struct store_write *write);
bool redis_store_swap(struct store *store, struct store_swap *swap);
bool redis_store_poll(struct store *store, struct store_poll *poll);
/* redis_usage.c */
bool redis_store_reset(struct store *store, struct store_reset *reset);
bool redis_store_top(struct store *store, struct store_top *top);
/* redis_log.c */
void redis_store_log(struct store *store, struct slice line);
bool redis_store_log_read(struct store *store, struct store_log_read *read);
void redis_log_send(struct worker_store *store); /* the lines that wait */
void redis_log_free(struct worker_store *store);

#endif
