/* common/store/store_memory.c - the memory store put together: counters (memory_counters.c), greylisting
 * (memory_greylist.c), live hashes
 * (memory_live.c), the decision log (memory_log.c) and the journal (memory_owed.c); see store_memory.h. */
#include "common/store/store_memory.h"

#include "common/store/leases.h"
#include "common/store/memory_counters.h"
#include "common/store/memory_greylist.h"
#include "common/store/memory_live.h"
#include "common/store/memory_log.h"
#include "common/store/memory_owed.h"
#include "common/store/store_impl.h"

#define MEMORY_LIMIT_MIN (UINT64_C(1) << 20)
#define LOG_BYTES_MAX (UINT64_C(4) << 20)

struct store_memory {
    const struct clock *clock;
    uint64_t limit;
    _Atomic uint64_t
        offset; /* what the windows' time is ahead of the monotonic clock, modulo 2^64 */
    struct entries entries;
    struct counters counters;
    struct greylist greylist;
    struct live live;
    struct log_ring log;
    _Atomic uint64_t log_dropped;
    struct owed owed;
    struct leases *leases; /* owned */
};

struct memory_worker {
    struct store store; /* first member */
    struct store_memory *memory;
};

static struct store_memory *memory_of(const struct store *store)
{
    return ((const struct memory_worker *)(const void *)store)->memory;
}

struct store_memory *store_memory_new(const struct clock *clock, uint64_t memory_limit)
{
    struct store_memory *memory = calloc(1, sizeof *memory);
    uint64_t limit = memory_limit > MEMORY_LIMIT_MIN ? memory_limit : MEMORY_LIMIT_MIN;
    uint64_t log = limit / 16 < LOG_BYTES_MAX ? limit / 16 : LOG_BYTES_MAX;
    uint64_t owed = limit / 16, live = limit / 4;
    bool ok;

    if (memory == NULL)
        return NULL;
    memory->clock = clock;
    memory->limit = limit;
    memory->offset = clock->wall_ms(clock) - clock->now_ms(clock);
    owed_init(&memory->owed, owed);
    ok = live_init(&memory->live, live);
    ok &= log_ring_init(&memory->log, STORE_LOG_LINES, log);
    ok &= entries_init(&memory->entries, limit - live - log - owed);
    memory->counters.entries = &memory->entries;
    memory->greylist.entries = &memory->entries;
    memory->leases = leases_new(STORE_LEASES_MAX);
    if (!ok || memory->leases == NULL)
        store_memory_free(&memory);
    return memory;
}

void store_memory_free(struct store_memory **memory)
{
    if (*memory == NULL)
        return;
    entries_free(&(*memory)->entries);
    live_free(&(*memory)->live);
    log_ring_free(&(*memory)->log);
    owed_free(&(*memory)->owed);
    leases_free(&(*memory)->leases);
    free(*memory);
    *memory = NULL;
}

uint64_t store_memory_time(struct store_memory *memory)
{
    return memory->clock->now_ms(memory->clock) +
           atomic_load_explicit(&memory->offset, memory_order_relaxed);
}

void store_memory_set_time(struct store_memory *memory, uint64_t redis_ms)
{
    atomic_store_explicit(&memory->offset, redis_ms - memory->clock->now_ms(memory->clock),
                          memory_order_relaxed);
}

static uint64_t time_of(const void *arg)
{
    /* clock functions and the atomic take no const */
    return store_memory_time((struct store_memory *)(uintptr_t)arg);
}

static uint64_t wall_of(const struct store_memory *memory)
{
    return memory->clock->wall_ms(memory->clock);
}

/* ---- charging ---- */

/* The rate in force of each use, with the live values of its limit. */
static void resolve_rates(struct store_memory *memory, struct store_charge *charge)
{
    struct slice texts[16];
    char key[sizeof "limit:" + STORE_KEY_MAX];
    uint64_t wall_ms = wall_of(memory);

    live_lock(&memory->live);
    for (size_t i = 0; i < charge->use_count; i++) {
        struct limit_use *use = &charge->uses[i];
        struct slice name = slice_part(limit_name(use->limit), 0, STORE_KEY_MAX);
        size_t count = use->field_count < COUNT(texts) ? use->field_count : COUNT(texts);
        int len = snprintf(key, sizeof key, "limit:%.*s", SLICE_ARG(name));
        struct live_hash *hash = live_hash_find(&memory->live, (struct slice){ key, (size_t)len });
        for (size_t f = 0; f < count; f++)
            texts[f] = hash == NULL ? (struct slice){ NULL, 0 } : live_text(hash, use->fields[f]);
        use->rate =
            limit_resolve(use->limit, use->fields, texts, count, wall_ms, &use->source, &use->bad);
    }
    live_unlock(&memory->live);
}

static bool memory_charge(struct store *store, struct store_charge *charge)
{
    struct store_memory *memory = memory_of(store);

    resolve_rates(memory, charge);
    counters_charge(&memory->counters, charge, time_of, memory);
    return true;
}

void store_memory_decide(struct store_memory *memory, struct store_charge *charge,
                         uint64_t *owed_id)
{
    *owed_id = 0;
    resolve_rates(memory, charge);
    counters_charge(&memory->counters, charge, time_of, memory);
    if (charge->call.result == STORE_OK && charge->admitted && !charge->peek && !charge->repeated)
        *owed_id = owed_add(&memory->owed, charge);
}

void store_memory_apply(struct store_memory *memory, const struct store_charge *charge)
{
    counters_apply(&memory->counters, charge, store_memory_time(memory));
}

static bool memory_greylist(struct store *store, struct store_greylist *greylist)
{
    struct store_memory *memory = memory_of(store);

    if (greylist_see(&memory->greylist, greylist, time_of, memory))
        greylist->call.result = STORE_OK;
    return true;
}

static bool memory_reset(struct store *store, struct store_reset *reset)
{
    reset->removed = counters_reset(&memory_of(store)->counters, reset->limit, reset->subject);
    reset->call.result = STORE_OK;
    return true;
}

static bool memory_top(struct store *store, struct store_top *top)
{
    struct store_memory *memory = memory_of(store);

    if (counters_top(&memory->counters, top, store_memory_time(memory)))
        top->call.result = STORE_OK;
    return true;
}

/* ---- leases: what this process has is all there is ---- */

struct leases *store_memory_leases(struct store_memory *memory)
{
    return memory->leases;
}

static bool memory_lease_open(struct store *store, struct store_lease *lease)
{
    struct store_memory *memory = memory_of(store);

    for (size_t i = 0; i < lease->count; i++) {
        if (i < lease->count - lease->looked_at && leases_add(memory->leases, lease->subjects[i])) {
            lease->held |= 1U << i;
            lease->call.result = STORE_OK;
        }
        lease->totals[i] = leases_count(memory->leases, lease->subjects[i]);
    }
    return true;
}

static void memory_lease_close(struct store *store, struct store_lease *lease)
{
    struct lease_word word;

    for (size_t i = 0; i < lease->count; i++)
        if ((lease->held & (1U << i)) != 0)
            (void)leases_remove(memory_of(store)->leases, lease->subjects[i], &word);
}

/* ---- live hashes ---- */

static bool memory_fetch(struct store *store, struct store_fetch *fetch)
{
    if (live_fetch(&memory_of(store)->live, fetch->key, fetch->fields, fetch->count, fetch->texts,
                   fetch->arena))
        fetch->call.result = STORE_OK;
    return true;
}

static bool memory_read(struct store *store, struct store_read *read)
{
    if (live_read(&memory_of(store)->live, read->key, read->arena, &read->fields, &read->count))
        read->call.result = STORE_OK;
    return true;
}

static bool memory_write(struct store *store, struct store_write *write)
{
    struct store_memory *memory = memory_of(store);

    if (live_write(&memory->live, write->key, write->field, write->text, wall_of(memory),
                   &write->existed))
        write->call.result = STORE_OK;
    return true;
}

static bool memory_swap(struct store *store, struct store_swap *swap)
{
    struct store_memory *memory = memory_of(store);

    if (live_swap(&memory->live, swap, wall_of(memory)))
        swap->call.result = STORE_OK;
    return true;
}

static bool memory_poll(struct store *store, struct store_poll *poll)
{
    for (size_t i = 0; i < poll->count; i++) {
        char version[48];
        live_version(&memory_of(store)->live, poll->keys[i], version);
        poll->changed[i] = strcmp(version, poll->versions[i]) != 0;
        memcpy(poll->versions[i], version, sizeof version);
    }
    poll->call.result = STORE_OK;
    return true;
}

void store_memory_note(struct store_memory *memory, struct slice key, struct slice field,
                       struct slice text)
{
    bool existed, is_same;

    live_lock(&memory->live);
    is_same = live_has(live_hash_find(&memory->live, key), field, text);
    live_unlock(&memory->live);
    if (!is_same && field.ptr != NULL)
        live_write(&memory->live, key, field, text, wall_of(memory), &existed);
}

/* ---- the log ---- */

static void memory_log(struct store *store, struct slice line)
{
    struct store_memory *memory = memory_of(store);

    if (!log_ring_add(&memory->log, line, wall_of(memory)))
        atomic_fetch_add_explicit(&memory->log_dropped, 1, memory_order_relaxed);
}

static bool memory_log_read(struct store *store, struct store_log_read *read)
{
    if (log_ring_read(&memory_of(store)->log, read))
        read->call.result = STORE_OK;
    return true;
}

/* ---- the journal ---- */

bool store_memory_owed_take(struct store_memory *memory, struct arena *arena,
                            struct store_owed *out)
{
    return owed_take(&memory->owed, store_memory_time(memory), arena, out);
}

void store_memory_owed_return(struct store_memory *memory, uint64_t id)
{
    owed_return(&memory->owed, id);
}

void store_memory_owed_settle(struct store_memory *memory, uint64_t id)
{
    owed_settle(&memory->owed, id);
}

/* ---- state ---- */

void store_memory_stats(struct store_memory *memory, struct store_memory_stats *out)
{
    const struct counters *counters = &memory->counters;
    const struct entries *entries = &memory->entries;
    struct leases_stats leases;

    leases_stats(memory->leases, &leases);
    *out = (struct store_memory_stats){
        .memory_limit = memory->limit,
        .memory_used = entries->used,
        .live_used = live_used(&memory->live),
        .counters = entries->count[ENTRY_COUNTER],
        .remembered = entries->count[ENTRY_ONCE],
        .triplets = entries->count[ENTRY_TRIPLET],
        .origins = entries->count[ENTRY_ORIGIN],
        .expired = entries->expired,
        .evicted = entries->evicted[ENTRY_ONCE],
        .greylist_evicted = entries->evicted[ENTRY_TRIPLET] + entries->evicted[ENTRY_ORIGIN],
        .uncounted = counters->uncounted,
        .squeezed = counters->squeezed,
        .forgotten = counters->forgotten,
        .unlisted = memory->greylist.unlisted,
        .leases = leases.subjects,
        .leases_refused = leases.refused,
        .log_dropped = memory->log_dropped,
    };
    pthread_mutex_lock(&memory->owed.lock);
    out->owed = memory->owed.count;
    out->owed_lost = memory->owed.lost;
    pthread_mutex_unlock(&memory->owed.lock);
}

static void memory_status(const struct store *store, struct store_status *out)
{
    struct store_memory_stats stats;

    store_memory_stats(memory_of(store), &stats);
    *out = (struct store_status){ .state = STORE_UP, .kind = "memory" };
    snprintf(out->detail, sizeof out->detail, "%llu counters, %llu of %llu KiB%s",
             (unsigned long long)stats.counters,
             (unsigned long long)(stats.memory_used + stats.live_used) / 1024,
             (unsigned long long)stats.memory_limit / 1024,
             stats.uncounted > 0 ? ", has been full: new subjects passed uncounted" : "");
}

static void memory_abandon(UNUSED struct store *store, UNUSED struct store_call *call)
{
    /* every call is done at once: none is ever pending */
}

static void memory_worker_free(struct store *store)
{
    free(store);
}

static const struct store_ops memory_ops = {
    .charge = memory_charge,
    .greylist = memory_greylist,
    .lease_open = memory_lease_open,
    .lease_close = memory_lease_close,
    .fetch = memory_fetch,
    .read = memory_read,
    .write = memory_write,
    .swap = memory_swap,
    .poll = memory_poll,
    .reset = memory_reset,
    .top = memory_top,
    .log_read = memory_log_read,
    .log = memory_log,
    .status = memory_status,
    .abandon = memory_abandon,
    .free = memory_worker_free,
};

struct store *store_memory_open(struct store_memory *memory)
{
    struct memory_worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL)
        return NULL;
    worker->store.ops = &memory_ops;
    worker->memory = memory;
    return &worker->store;
}
