/* common/store/redis_charge.c - charges in Redis: charge.lua, the overrides it is told, and what is written back. */
#include "common/store/store_redis_impl.h"
#include "common/store/usage_key.h"

#include <inttypes.h>

enum {
    FIELDS_MOST = LIMIT_DOMAINS_MAX + 3, /* of one limit: user, domains, class, default */
    ASKED_MOST = 3, /* how often a charge is asked before the texts stop changing under it */
    WRITING_BACK_MOST = 64,
};

/* Lua counts in doubles: exact up to here. */
#define AMOUNT_MOST (UINT64_C(1) << 53)

static struct store_charge *charge_of(struct store_call *call)
{
    return (struct store_charge *)(void *)call;
}

static void add_usage_key(struct redis_args *args, struct slice subject, struct slice limit,
                          uint64_t window_ms)
{
    redis_args_printf(args, USAGE_KEY_FORMAT, USAGE_KEY_ARG(subject, limit, window_ms));
}

static void add_once_key(struct redis_args *args, struct slice once)
{
    if (once.ptr != NULL)
        redis_args_printf(args, "gh:once:%.*s", SLICE_ARG(once));
}

/* The texts that Redis is assumed to have for a use, and the rate that follows from them. */
static void assume(struct worker_store *store, struct limit_use *use, struct slice *texts)
{
    const struct clock *clock = store->shared->options.clock;

    for (size_t i = 0; i < use->field_count; i++)
        texts[i] = override_cache_get(store->overrides, limit_name(use->limit), use->fields[i]);
    use->rate = limit_resolve(use->limit, use->fields, texts, use->field_count,
                              clock->wall_ms(clock), &use->source, &use->bad);
}

static void add_use(struct worker_store *store, const struct limit_use *use,
                    const struct slice *texts)
{
    struct redis_args *args = &store->args;

    redis_args_u64(args, use->rate.window_ms);
    if (use->rate.most >= AMOUNT_MOST)
        redis_args_add(args, SLICE("-1"));
    else
        redis_args_u64(args, use->rate.most);
    redis_args_u64(args, use->amount < AMOUNT_MOST ? use->amount : AMOUNT_MOST);
    redis_args_add(args, use->force                                      ? SLICE("1")
                         : limit_counts(use->limit) == COUNT_CONNECTIONS ? SLICE("0")
                         : use->is_of_recipient                          ? SLICE("r")
                                                                         : SLICE(""));
    redis_args_u64(args, use->field_count);
    for (size_t i = 0; i < use->field_count; i++)
        redis_args_add(args, use->fields[i]);
    for (size_t i = 0; i < use->field_count; i++)
        redis_args_add(args, texts[i]);
}

static bool charge_send(struct pending *pending)
{
    struct worker_store *store = pending->store;
    struct store_charge *charge = charge_of(pending->call);
    struct redis_args *args = &store->args;
    struct slice texts[STORE_USES_MAX][FIELDS_MOST];

    redis_args_script(args);
    for (size_t i = 0; i < charge->use_count; i++) {
        struct limit_use *use = &charge->uses[i];
        if (use->field_count > FIELDS_MOST)
            return false;
        assume(store, use, texts[i]);
        add_usage_key(args, use->subject, limit_name(use->limit), use->rate.window_ms);
        redis_args_printf(args, "gh:limit:%.*s", SLICE_ARG(limit_name(use->limit)));
    }
    add_once_key(args, charge->once);
    if (!charge->peek)
        args_record_keys(store, charge->record);
    redis_args_end_keys(args);
    args_time(store);
    redis_args_add(args, charge->peek ? SLICE("1") : SLICE(""));
    redis_args_u64(args, STORE_ONCE_MS);
    redis_args_u64(args, charge->use_count);
    redis_args_add(args, charge->once.ptr != NULL ? SLICE("1") : SLICE(""));
    for (size_t i = 0; i < charge->use_count; i++)
        add_use(store, &charge->uses[i], texts[i]);
    if (!charge->peek && !args_record(store, charge->record))
        return false;
    pending->tries++;
    return send_script(pending, SCRIPT_CHARGE);
}

/* Other texts than assumed: they are remembered here, and by the shadow for the time without Redis. */
static void learn(struct worker_store *store, const struct store_charge *charge,
                  const struct redisReply *reply)
{
    char key[STORE_KEY_MAX];

    for (size_t i = 0; i < charge->use_count; i++) {
        const struct limit_use *use = &charge->uses[i];
        struct slice name = limit_name(use->limit);
        int len = snprintf(key, sizeof(key), "limit:%.*s", SLICE_ARG(name));
        for (size_t f = 0; f < use->field_count; f++) {
            struct slice text = answer_override(reply, i, f);
            struct slice known = override_cache_get(store->overrides, name, use->fields[f]);
            if ((text.ptr == NULL) == (known.ptr == NULL) && slice_equal(text, known))
                continue;
            override_cache_set(store->overrides, name, use->fields[f], text);
            if (store->local != NULL && len > 0 && (size_t)len < sizeof(key))
                store_memory_note(store->shared->options.shadow, (struct slice){ key, (size_t)len },
                                  use->fields[f], text);
        }
    }
}

static enum progress charge_reply(struct pending *pending, const struct redisReply *reply)
{
    struct worker_store *store = pending->store;
    struct store_memory *shadow = store->shared->options.shadow;
    struct store_charge *charge = charge_of(pending->call);
    uint64_t redis_ms = 0;
    bool is_cut;

    switch (answer_charge(reply, charge, &redis_ms, &is_cut)) {
    case ANSWER_DIFFERS:
        store_count(STORE_RETRIES);
        learn(store, charge, reply);
        return pending->tries < ASKED_MOST ? PROGRESS_AGAIN : PROGRESS_FAILED;
    case ANSWER_OK:
        if (is_cut)
            store_count(STORE_RECORDS_CUT);
        if (shadow == NULL || charge->repeated)
            return PROGRESS_DONE;
        store_memory_set_time(shadow, redis_ms);
        if (!charge->peek)
            store_memory_apply(shadow, charge);
        return PROGRESS_DONE;
    case ANSWER_BAD:
        break;
    }
    return PROGRESS_FAILED;
}

static void charge_fallback(struct worker_store *store, struct store_call *call,
                            struct pending *pending)
{
    struct store_memory *shadow = store->shared->options.shadow;
    uint64_t owed_id = 0;

    if (shadow == NULL) {
        call->result = STORE_FAILED;
        return;
    }
    store_memory_decide(shadow, charge_of(call), &owed_id);
    call->result = STORE_OK;
    call->is_degraded = true;
    if (pending != NULL)
        pending->owed_id = owed_id;
}

/* Redis had it after all: nothing needs to be written back. What it refused, or was asked about in vain because of an
 * override, stays owed. */
static void charge_late(struct pending *pending, const struct redisReply *reply)
{
    struct slice text;

    if (pending->owed_id != 0 && redis_text(reply, &text) && answer_is_admitted(text))
        store_memory_owed_settle(pending->store->shared->options.shadow, pending->owed_id);
}

static const struct pending_kind charge_kind = {
    .is_request = true,
    .writes = true,
    .send = charge_send,
    .reply = charge_reply,
    .fallback = charge_fallback,
    .late = charge_late,
};

bool redis_store_charge(struct store *store, struct store_charge *charge)
{
    return pending_start((struct worker_store *)(void *)store, &charge_kind, &charge->call);
}

/* ---- writing back ---- */

struct written {
    struct worker_store *store;
    uint64_t owed_id;
};

static void on_written(void *arg, const struct redisReply *reply)
{
    struct written *written = arg;
    struct worker_store *store = written->store;
    struct store_memory *shadow = store->shared->options.shadow;
    uint64_t owed_id = written->owed_id;
    struct slice text;
    int64_t number;

    free(written);
    store->writing_back--;
    if (redis_integer(reply, &number)) {
        store_memory_owed_settle(shadow, owed_id);
        store_count(STORE_WRITTEN_BACK);
        store->writeback_with_text = false;
        write_back(store);
        return;
    }
    store_memory_owed_return(shadow, owed_id);
    if (reply == NULL)
        return;
    if (redis_error(reply, &text) == REDIS_NOSCRIPT)
        store->writeback_with_text = true;
    else
        note_error(store, reply);
}

/* What a retry on another host is to find: the form that charge.lua remembers. Absent when memory is out. */
static struct slice writeback_memory(struct worker_store *store, const struct store_owed *owed)
{
    const struct clock *clock = store->shared->options.clock;
    size_t size = (owed->count + 1) * 32, used;
    char *text = arena_alloc(store->scratch, size);

    if (text == NULL)
        return (struct slice){ NULL, 0 };
    used = (size_t)snprintf(text, size, "A %" PRIu64, clock->wall_ms(clock));
    for (size_t i = 0; i < owed->count; i++)
        used += (size_t)snprintf(text + used, size - used, " 0 0 %" PRIu64, owed->uses[i].bucket);
    return (struct slice){ text, used };
}

static void writeback_args(struct worker_store *store, const struct store_owed *owed,
                           struct slice memory)
{
    struct redis_args *args = &store->args;

    redis_args_script(args);
    for (size_t i = 0; i < owed->count; i++)
        add_usage_key(args, owed->uses[i].subject, owed->uses[i].limit, owed->uses[i].window_ms);
    add_once_key(args, owed->once);
    redis_args_end_keys(args);
    args_time(store);
    redis_args_u64(args, owed->count);
    redis_args_u64(args, STORE_ONCE_MS);
    redis_args_add(args, memory);
    for (size_t i = 0; i < owed->count; i++) {
        const struct store_owed_use *use = &owed->uses[i];
        redis_args_u64(args, use->window_ms);
        redis_args_u64(args, use->bucket);
        redis_args_u64(args, use->amount < AMOUNT_MOST ? use->amount : AMOUNT_MOST);
    }
}

/* False: it could not be sent. */
static bool write_one_back(struct worker_store *store, const struct store_owed *owed)
{
    struct slice memory = writeback_memory(store, owed);
    struct written *written = malloc(sizeof(*written));

    if (written != NULL && memory.ptr != NULL) {
        *written = (struct written){ store, owed->id };
        writeback_args(store, owed, memory);
        if (redis_send_script(store->redis, SCRIPT_WRITEBACK, store->writeback_with_text,
                              &store->args, on_written, written)) {
            store->writing_back++;
            return true;
        }
    }
    free(written);
    return false;
}

void write_back(struct worker_store *store)
{
    struct store_memory *shadow = store->shared->options.shadow;
    struct store_owed owed;

    while (shadow != NULL && is_serving(store) && store->writing_back < WRITING_BACK_MOST) {
        arena_reset(store->scratch);
        if (!store_memory_owed_take(shadow, store->scratch, &owed))
            return;
        if (!write_one_back(store, &owed)) {
            store_memory_owed_return(shadow, owed.id);
            return;
        }
    }
}
