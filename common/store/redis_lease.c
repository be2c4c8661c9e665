/* common/store/redis_lease.c - connections at the same time, in Redis: lease.lua is told what this process counts. Words are
 * whole counts, not differences: one that is lost is made good by the next. */
#include "common/store/store_redis_impl.h"

#include "common/store/leases.h"

enum { RENEWED_AT_ONCE = 256 };

static struct leases *leases_of(const struct worker_store *store)
{
    struct store_memory *shadow = store->shared->options.shadow;

    return shadow == NULL ? NULL : store_memory_leases(shadow);
}

static uint64_t now_of(const struct worker_store *store)
{
    const struct clock *clock = store->shared->options.clock;

    return clock->now_ms(clock);
}

static void args_words(struct worker_store *store, const struct lease_word *words, size_t count)
{
    struct redis_args *args = &store->args;

    redis_args_script(args);
    for (size_t i = 0; i < count; i++)
        redis_args_printf(args, "gh:conn:{%s}", words[i].subject);
    redis_args_end_keys(args);
    args_time(store);
    redis_args_u64(args, STORE_LEASE_MS);
    redis_args_add(args, slice_of(store->shared->process));
    for (size_t i = 0; i < count; i++) {
        redis_args_u64(args, words[i].count);
        redis_args_u64(args, words[i].number);
    }
}

/* ---- opening ---- */

static bool is_held(const struct store_lease *lease, size_t i)
{
    return (lease->held & (1U << i)) != 0;
}

static bool is_looked_at(const struct store_lease *lease, size_t i)
{
    return i >= lease->count - lease->looked_at;
}

static bool is_asked(const struct store_lease *lease, size_t i)
{
    return is_held(lease, i) || is_looked_at(lease, i);
}

/* The word that asks about the i-th subject. False: nothing is asked. */
static bool word_of(struct worker_store *store, const struct store_lease *lease, size_t i,
                    struct lease_word *word)
{
    if (is_looked_at(lease, i))
        return leases_look(leases_of(store), lease->subjects[i], word);
    return is_held(lease, i) &&
           leases_tell(leases_of(store), lease->subjects[i], now_of(store), word);
}

static bool lease_send(struct pending *pending)
{
    struct worker_store *store = pending->store;
    const struct store_lease *lease = (const void *)pending->call;
    struct lease_word words[STORE_LEASE_SUBJECTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < lease->count; i++)
        count += word_of(store, lease, i, &words[count]);
    args_words(store, words, count);
    return send_script(pending, SCRIPT_LEASE);
}

static enum progress lease_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_lease *lease = (void *)pending->call;
    uint64_t totals[STORE_LEASE_SUBJECTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < lease->count; i++)
        count += is_asked(lease, i);
    if (answer_leases(reply, totals, count) != ANSWER_OK)
        return PROGRESS_FAILED;
    for (size_t i = lease->count; i-- > 0;)
        if (is_asked(lease, i))
            lease->totals[i] = totals[--count];
    return PROGRESS_DONE;
}

static void lease_fallback(struct worker_store *store, struct store_call *call,
                           UNUSED struct pending *pending)
{
    struct store_lease *lease = (void *)call;

    for (size_t i = 0; i < lease->count; i++)
        if (is_asked(lease, i))
            lease->totals[i] = leases_count(leases_of(store), lease->subjects[i]);
    call->result = STORE_OK;
    call->is_degraded = true;
}

static const struct pending_kind lease_kind = {
    .is_request = true,
    .writes = true,
    .send = lease_send,
    .reply = lease_reply,
    .fallback = lease_fallback,
};

bool redis_store_lease_open(struct store *base, struct store_lease *lease)
{
    struct worker_store *store = (struct worker_store *)(void *)base;

    if (leases_of(store) == NULL)
        return true;
    for (size_t i = 0; i < lease->count; i++)
        if (!is_looked_at(lease, i) && leases_add(leases_of(store), lease->subjects[i]))
            lease->held |= 1U << i;
    return lease->held == 0 || pending_start(store, &lease_kind, &lease->call);
}

/* ---- closing, renewing: nobody waits for an answer ---- */

static void on_told(void *arg, const struct redisReply *reply)
{
    struct worker_store *store = arg;
    struct slice text;

    if (reply == NULL || redis_text(reply, &text))
        store->lease_with_text = false;
    else if (redis_error(reply, &text) == REDIS_NOSCRIPT)
        store->lease_with_text = true; /* the next one brings it along */
    else
        note_error(store, reply);
}

static void tell(struct worker_store *store, const struct lease_word *words, size_t count)
{
    args_words(store, words, count);
    (void)redis_send_script(store->redis, SCRIPT_LEASE, store->lease_with_text, &store->args,
                            on_told, store);
}

void redis_store_lease_close(struct store *base, struct store_lease *lease)
{
    struct worker_store *store = (struct worker_store *)(void *)base;
    struct lease_word words[STORE_LEASE_SUBJECTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < lease->count; i++)
        if (is_held(lease, i) && leases_remove(leases_of(store), lease->subjects[i], &words[count]))
            count++;
    if (count > 0 && is_serving(store))
        tell(store, words, count);
}

void redis_leases_renew(struct worker_store *store)
{
    struct lease_word words[RENEWED_AT_ONCE];
    uint64_t now_ms = now_of(store);
    size_t count;

    if (leases_of(store) == NULL || now_ms < STORE_LEASE_RENEW_MS || !is_serving(store))
        return;
    count =
        leases_due(leases_of(store), now_ms - STORE_LEASE_RENEW_MS, now_ms, words, COUNT(words));
    if (count > 0)
        tell(store, words, count);
}
