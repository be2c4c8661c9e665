/* common/store/redis_pending.c - calls under way: sent, or waiting for a connection; what their answers, deadlines and the loss of
 * the connection come to. */
#include <inttypes.h>

#include "common/store/store_redis_impl.h"

static void on_pending_reply(void *arg, const struct redisReply *reply);

/* ---- commands ---- */

void args_begin(struct worker_store *store, const char *word)
{
    redis_args_clear(&store->args);
    redis_args_add(&store->args, slice_of(word));
}

void args_key(struct worker_store *store, struct slice key)
{
    redis_args_printf(&store->args, "gh:%.*s", SLICE_ARG(key));
}

void args_time(struct worker_store *store)
{
    const struct store_redis_options *options = &store->shared->options;

    if (options->own_time)
        redis_args_u64(&store->args, options->clock->wall_ms(options->clock));
    else
        redis_args_add(&store->args, SLICE(""));
}

bool send_command(struct pending *pending)
{
    pending->is_sent =
        redis_send(pending->store->redis, &pending->store->args, on_pending_reply, pending);
    return pending->is_sent;
}

bool send_script(struct pending *pending, enum redis_script script)
{
    pending->is_sent = redis_send_script(pending->store->redis, script, pending->with_text,
                                         &pending->store->args, on_pending_reply, pending);
    return pending->is_sent;
}

static void ignore_reply(UNUSED void *arg, UNUSED const struct redisReply *reply)
{
}

void send_and_forget(struct worker_store *store)
{
    (void)redis_send(store->redis, &store->args, ignore_reply, NULL);
}

/* ---- a call's end ---- */

static void pending_free(struct pending *pending)
{
    TAILQ_REMOVE(&pending->store->pending, pending, link);
    event_del(&pending->timer);
    if (pending->kind->release != NULL)
        pending->kind->release(pending);
    free(pending);
}

static void fall_back(struct worker_store *store, const struct pending_kind *kind,
                      struct store_call *call, struct pending *pending)
{
    if (kind->fallback != NULL)
        kind->fallback(store, call, pending);
    else
        call->result = STORE_FAILED;
    store_count(call->result == STORE_OK ? STORE_DEGRADED_CALLS : STORE_FAILED_CALLS);
}

/* Tells the caller; `pending` is gone afterwards unless its answer is still to come. */
static void pending_finish(struct pending *pending, bool is_answered)
{
    struct store_call *call = pending->call;

    pending->call = NULL;
    call->pending = NULL;
    event_del(&pending->timer);
    if (is_answered)
        call->result = STORE_OK;
    else
        fall_back(pending->store, pending->kind, call, pending);
    if (!pending->is_sent)
        pending_free(pending);
    call->done(call);
}

/* ---- its way ---- */

static bool may_send(const struct worker_store *store, const struct pending_kind *kind)
{
    if (!redis_is_ready(store->redis))
        return false;
    return !kind->is_request || store->breaker == BREAKER_CLOSED ||
           (store->breaker == BREAKER_UNWILLING && !kind->writes);
}

/* A process that has just started asks Redis before it decides alone: it knows nothing of what was counted. Until the
 * missing connection is worth a line, requests wait for it, as long as their deadline lets them. */
static bool may_wait(const struct worker_store *store, const struct pending_kind *kind)
{
    return !kind->is_request || store->reported == REPORTED_NOTHING;
}

static void pending_restart(struct pending *pending)
{
    pending->cursor[0] = '\0';
    pending->is_second = pending->with_text = false;
    pending->examined = pending->room = pending->row_count = 0;
    if (pending->kind->restart != NULL)
        pending->kind->restart(pending);
}

/* The connection went away, or the server cannot serve: what is on a request's path is decided otherwise, the rest waits
 * for the next connection. */
static void pending_lost(struct pending *pending)
{
    if (pending->call == NULL)
        pending_free(pending);
    else if (pending->kind->is_request)
        pending_finish(pending, false);
    else
        pending_restart(pending);
}

static void pending_progress(struct pending *pending, const struct redisReply *reply)
{
    switch (pending->kind->reply(pending, reply)) {
    case PROGRESS_DONE:
        pending_finish(pending, true);
        break;
    case PROGRESS_AGAIN:
        if (!pending->kind->send(pending))
            pending_finish(pending, false);
        break;
    case PROGRESS_FAILED:
        note_error(pending->store, reply);
        pending_finish(pending, false);
        break;
    }
}

static void on_pending_reply(void *arg, const struct redisReply *reply)
{
    struct pending *pending = arg;
    struct slice text;

    pending->is_sent = false;
    if (reply == NULL) {
        pending_lost(pending);
        return;
    }
    enum redis_error error = redis_error(reply, &text);
    if (pending->call == NULL) {
        if (pending->kind->late != NULL && error == REDIS_NO_ERROR)
            pending->kind->late(pending, reply);
        pending_free(pending);
    } else if (error == REDIS_NO_ERROR) {
        pending_progress(pending, reply);
    } else if (error == REDIS_NOSCRIPT && !pending->with_text) {
        pending->with_text = true; /* flushed: the same again with its text, which loads it */
        if (!pending->kind->send(pending))
            pending_finish(pending, false);
    } else {
        note_error(pending->store, reply);
        if (error == REDIS_UNUSABLE)
            pending_lost(pending);
        else
            pending_finish(pending, false);
    }
}

static void on_deadline(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct pending *pending = arg;
    struct worker_store *store = pending->store;
    char why[96];

    store_count(STORE_TIMEOUTS);
    if (pending->kind->is_request && redis_is_ready(store->redis)) {
        snprintf(why, sizeof(why), "no answer within %" PRIu64 " ms",
                 store->shared->options.answer_ms);
        breaker_open(store, BREAKER_SILENT, why);
    }
    pending_finish(pending, false);
}

bool pending_start(struct worker_store *store, const struct pending_kind *kind,
                   struct store_call *call)
{
    const struct timeval deadline = { kind->deadline_ms / 1000, (kind->deadline_ms % 1000) * 1000 };
    bool may = may_send(store, kind);
    struct pending *pending = NULL;

    store_count(STORE_CALLS);
    if (may || may_wait(store, kind))
        pending = calloc(1, sizeof(*pending));
    if (pending == NULL) {
        fall_back(store, kind, call, NULL);
        return true;
    }
    pending->store = store;
    pending->kind = kind;
    pending->call = call;
    call->pending = pending;
    evtimer_assign(&pending->timer, store->base, on_deadline, pending);
    TAILQ_INSERT_TAIL(&store->pending, pending, link);
    if (may && !kind->send(pending)) {
        call->pending = NULL;
        fall_back(store, kind, call, pending);
        pending_free(pending);
        return true;
    }
    evtimer_add(&pending->timer, kind->deadline_ms == 0 ? store->answer_timeout : &deadline);
    return false;
}

void redis_store_abandon(UNUSED struct store *store, struct store_call *call)
{
    struct pending *pending = call->pending;

    pending->call = NULL;
    event_del(&pending->timer);
    if (!pending->is_sent)
        pending_free(pending);
}

void pending_send_waiting(struct worker_store *store)
{
    struct pending *pending, *next;

    /* A call that ends here may start or abandon others: begin anew after each. */
    for (pending = TAILQ_FIRST(&store->pending); pending != NULL; pending = next) {
        next = TAILQ_NEXT(pending, link);
        if (pending->call == NULL || pending->is_sent)
            continue;
        if (!pending->kind->send(pending)) {
            pending_finish(pending, false);
            next = TAILQ_FIRST(&store->pending);
        }
    }
}

void pending_drop_all(struct worker_store *store)
{
    while (!TAILQ_EMPTY(&store->pending))
        pending_free(TAILQ_FIRST(&store->pending));
}
