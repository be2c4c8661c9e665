/* common/store/memory_counters.c - see memory_counters.h. */
#include "common/store/memory_counters.h"

enum {
    TOP_ENTRIES = 1024, /* of each shard */
    TOP_ROWS_MAX = 1000,
};

/* What is remembered of a named charge, behind its key. */
struct once_use {
    uint64_t used, free_ms;
};
struct once {
    uint64_t is_admitted, over, count;
    struct once_use uses[];
};

/* One use of a charge while it is decided. */
struct step {
    struct entry_key key;
    uint64_t hash;
    uint64_t bucket;
};

struct plan {
    struct step steps[STORE_USES_MAX];
    uint64_t once_hash;
    uint64_t shards; /* set of those to lock */
    uint64_t now_ms;
};

/* ---- counting ---- */

static struct entry *counter_grow(struct counters *counters, const struct entry_key *key,
                                  struct entry *entry)
{
    size_t room =
        entry->cell_room * 2u < WINDOW_CELLS_MAX ? entry->cell_room * 2u : WINDOW_CELLS_MAX;
    struct entry *larger =
        entry_grow(counters->entries, key, entry, room * sizeof(struct window_cell));

    if (larger != NULL)
        larger->cell_room = (uint8_t)room;
    return larger;
}

/* A subject that is known is always counted; a new one only where there is room. */
static void counter_add(struct counters *counters, const struct step *step, uint64_t amount,
                        uint64_t now_ms)
{
    struct entries *entries = counters->entries;
    struct entry *entry = entry_find(entries, &step->key, step->hash), *larger;
    size_t count;

    if (entry == NULL) {
        entry =
            entry_add(entries, &step->key, step->hash, sizeof(struct window_cell), false, now_ms);
        if (entry == NULL) {
            entries_bump(&counters->uncounted);
            return;
        }
        entry->window_ms = step->key.window_ms;
        entry->cell_room = 1;
    }
    count = entry->cell_count;
    if (!window_add(entry_data(entry), &count, entry->cell_room, step->bucket, amount)) {
        larger = counter_grow(counters, &step->key, entry);
        if (larger != NULL) {
            entry = larger;
            window_add(entry_data(entry), &count, entry->cell_room, step->bucket, amount);
        } else {
            entries_bump(&counters->squeezed);
            window_add_late(entry_data(entry), &count, step->bucket, amount);
        }
    }
    entry->cell_count = (uint8_t)count;
}

/* ---- remembered charges ---- */

static struct entry_key once_key(struct slice name)
{
    return (struct entry_key){ ENTRY_ONCE, SLICE(""), name, 0 };
}

static bool once_recall(struct counters *counters, const struct plan *plan,
                        struct store_charge *charge)
{
    const struct entry_key key = once_key(charge->once);
    const struct entry *entry;
    const struct once *once;

    entry = charge->once.ptr == NULL ? NULL : entry_find(counters->entries, &key, plan->once_hash);
    if (entry == NULL || entry_has_expired(entry, plan->now_ms))
        return false;
    once = entry_data(entry);
    charge->repeated = true;
    charge->admitted = once->is_admitted != 0;
    charge->over = (size_t)once->over;
    for (size_t i = 0; i < charge->use_count && i < once->count; i++) {
        charge->uses[i].used = once->uses[i].used;
        charge->uses[i].free_ms = once->uses[i].free_ms;
    }
    return true;
}

static void once_remember(struct counters *counters, const struct plan *plan,
                          const struct store_charge *charge)
{
    const struct entry_key key = once_key(charge->once);
    size_t bytes = sizeof(struct once) + charge->use_count * sizeof(struct once_use);

    if (charge->once.ptr == NULL)
        return;
    entry_drop(counters->entries, &key, plan->once_hash); /* once_recall() found it expired */
    struct entry *entry =
        entry_add(counters->entries, &key, plan->once_hash, bytes, false, plan->now_ms);
    if (entry == NULL) {
        entries_bump(&counters->forgotten);
        return;
    }
    entry->expires_ms = plan->now_ms + STORE_ONCE_MS;
    struct once *once = entry_data(entry);
    *once = (struct once){ charge->admitted, charge->over, charge->use_count };
    for (size_t i = 0; i < charge->use_count; i++)
        once->uses[i] = (struct once_use){ charge->uses[i].used, charge->uses[i].free_ms };
}

/* ---- a charge ---- */

/* False: a name is longer than any that we make. */
static bool plan_make(struct plan *plan, const struct store_charge *charge)
{
    plan->shards = 0;
    for (size_t i = 0; i < charge->use_count; i++) {
        const struct limit_use *use = &charge->uses[i];
        struct step *step = &plan->steps[i];
        step->key = (struct entry_key){ ENTRY_COUNTER, limit_name(use->limit), use->subject,
                                        use->rate.window_ms };
        if (!entry_key_fits(&step->key))
            return false;
        step->hash = entry_key_hash(&step->key);
        if (use->rate.window_ms > 0)
            plan->shards |= shard_bit(step->hash);
    }
    if (charge->once.ptr == NULL)
        return true;
    const struct entry_key once = once_key(charge->once);
    if (!entry_key_fits(&once))
        return false;
    plan->once_hash = entry_key_hash(&once);
    plan->shards |= shard_bit(plan->once_hash);
    return true;
}

/* What earlier uses of the same charge will add to the same counter. */
static uint64_t pending_before(const struct plan *plan, const struct store_charge *charge, size_t n)
{
    const struct entry_key *key = &plan->steps[n].key;
    uint64_t pending = 0;

    for (size_t i = 0; i < n; i++) {
        const struct entry_key *other = &plan->steps[i].key;
        if (plan->steps[i].hash != plan->steps[n].hash || other->window_ms != key->window_ms ||
            !slice_equal(other->limit, key->limit) || !slice_equal(other->subject, key->subject))
            continue;
        if (charge->uses[i].amount > UINT64_MAX - pending)
            return UINT64_MAX;
        pending += charge->uses[i].amount;
    }
    return pending;
}

/* Fills in what is known of one use; true when it is admitted. */
static bool look(struct counters *counters, struct plan *plan, struct store_charge *charge,
                 size_t n)
{
    struct limit_use *use = &charge->uses[n];
    struct step *step = &plan->steps[n];
    uint64_t wanted = use->amount > 0 ? use->amount : 1, pending, counted;

    if (use->rate.window_ms == 0)
        return true; /* unlimited: not counted */
    const struct entry *entry = entry_find(counters->entries, &step->key, step->hash);
    const struct window_cell *cells = entry == NULL ? NULL : entry_data(entry);
    size_t count = entry == NULL ? 0 : entry->cell_count;
    step->bucket = window_clamp(cells, count, window_bucket(use->rate.window_ms, plan->now_ms));
    use->bucket = step->bucket;
    use->used = window_used(cells, count, step->bucket);
    pending = pending_before(plan, charge, n);
    counted = use->used > UINT64_MAX - pending ? UINT64_MAX : use->used + pending;
    bool fits = window_admits(counted, wanted, use->rate.most);
    if (!fits || use->amount == 0 || charge->peek)
        use->free_ms =
            window_free_ms(cells, count, use->rate.window_ms, use->rate.most, wanted, plan->now_ms);
    return fits || use->force;
}

static void decide(struct counters *counters, struct plan *plan, struct store_charge *charge)
{
    charge->admitted = true;
    for (size_t i = 0; i < charge->use_count; i++)
        if (!look(counters, plan, charge, i) && charge->admitted) {
            charge->admitted = false;
            charge->over = i;
        }
    if (charge->peek)
        return;
    for (size_t i = 0; charge->admitted && i < charge->use_count; i++)
        if (charge->uses[i].amount > 0 && charge->uses[i].rate.window_ms > 0)
            counter_add(counters, &plan->steps[i], charge->uses[i].amount, plan->now_ms);
    once_remember(counters, plan, charge);
}

void counters_charge(struct counters *counters, struct store_charge *charge,
                     uint64_t (*now_ms)(const void *arg), const void *arg)
{
    struct plan plan;

    if (!plan_make(&plan, charge))
        return;
    charge->call.result = STORE_OK;
    shards_lock(counters->entries, plan.shards);
    plan.now_ms = now_ms(arg);
    if (charge->peek || !once_recall(counters, &plan, charge))
        decide(counters, &plan, charge);
    shards_unlock(counters->entries, plan.shards, plan.now_ms);
}

void counters_apply(struct counters *counters, const struct store_charge *charge, uint64_t now_ms)
{
    struct store_charge seen = { .once = charge->once };
    struct plan plan;

    if (!plan_make(&plan, charge))
        return;
    plan.now_ms = now_ms;
    shards_lock(counters->entries, plan.shards);
    if (!once_recall(counters, &plan, &seen)) {
        for (size_t i = 0; charge->admitted && i < charge->use_count; i++) {
            plan.steps[i].bucket = charge->uses[i].bucket;
            if (charge->uses[i].amount > 0 && charge->uses[i].rate.window_ms > 0)
                counter_add(counters, &plan.steps[i], charge->uses[i].amount, now_ms);
        }
        once_remember(counters, &plan, charge);
    }
    shards_unlock(counters->entries, plan.shards, now_ms);
}

uint64_t counters_reset(struct counters *counters, struct slice limit, struct slice subject)
{
    const struct entry_key key = { ENTRY_COUNTER, limit, subject, 0 };
    uint64_t removed = 0;

    if (!entry_key_fits(&key))
        return 0;
    uint64_t hash = entry_key_hash(&key);
    struct shard *shard = shard_of(counters->entries, hash);
    pthread_mutex_lock(&shard->lock);
    for (; entry_find(counters->entries, &key, hash) != NULL; removed++)
        entry_drop(counters->entries, &key, hash);
    pthread_mutex_unlock(&shard->lock);
    return removed;
}

/* ---- the highest ---- */

struct top_row {
    uint64_t used, window_ms;
    uint8_t limit_len, subject_len;
    char text[2 * ENTRY_KEY_PART_MAX];
};

struct top_heap { /* the lowest row first */
    struct top_row *rows;
    size_t count, room;
};

static void sift_down(struct top_heap *heap, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap->count; child++)
            if (heap->rows[child].used < heap->rows[least].used)
                least = child;
        if (least == at)
            return;
        struct top_row row = heap->rows[at];
        heap->rows[at] = heap->rows[least];
        heap->rows[least] = row;
        at = least;
    }
}

static void row_set(struct top_row *row, const struct entry *entry, uint64_t used)
{
    row->used = used;
    row->window_ms = entry->window_ms;
    row->limit_len = entry->limit_len;
    row->subject_len = entry->subject_len;
    memcpy(row->text, entry_limit(entry).ptr, (size_t)entry->limit_len + entry->subject_len);
}

static void heap_offer(struct top_heap *heap, const struct entry *entry, uint64_t used)
{
    if (used == 0)
        return;
    if (heap->count < heap->room) {
        row_set(&heap->rows[heap->count++], entry, used);
        for (size_t at = heap->room / 2 + 1; heap->count == heap->room && at-- > 0;)
            sift_down(heap, at); /* in order from now on */
    } else if (used > heap->rows[0].used) {
        row_set(&heap->rows[0], entry, used);
        sift_down(heap, 0);
    }
}

static void shard_top(struct shard *shard, struct slice limit, struct top_heap *heap,
                      uint64_t now_ms)
{
    size_t left = TOP_ENTRIES;

    pthread_mutex_lock(&shard->lock);
    for (size_t slot = 0; left > 0 && slot < shard->table.slot_count; slot++) {
        struct hashtable_entry *link = *hashtable_slot(&shard->table, slot);
        for (; left > 0 && link != NULL; link = link->next, left--) {
            const struct entry *entry = entry_of(link);
            if (entry->kind != ENTRY_COUNTER ||
                (limit.ptr != NULL && !slice_equal(entry_limit(entry), limit)))
                continue;
            heap_offer(heap, entry,
                       window_used(entry_data(entry), entry->cell_count,
                                   window_bucket(entry->window_ms, now_ms)));
        }
    }
    pthread_mutex_unlock(&shard->lock);
}

static int highest_first(const void *a, const void *b)
{
    const struct top_row *x = a, *y = b;

    return (x->used < y->used) - (x->used > y->used);
}

static bool copy_rows(const struct top_heap *heap, struct store_top *top)
{
    top->rows = arena_alloc_array(top->arena, heap->count, sizeof *top->rows);
    if (top->rows == NULL)
        return false;
    for (size_t i = 0; i < heap->count; i++) {
        const struct top_row *row = &heap->rows[i];
        struct store_top_row *out = &top->rows[i];
        out->used = row->used;
        out->window_ms = row->window_ms;
        out->limit = arena_copy(top->arena, (struct slice){ row->text, row->limit_len });
        out->subject =
            arena_copy(top->arena, (struct slice){ row->text + row->limit_len, row->subject_len });
        if (out->limit.ptr == NULL || out->subject.ptr == NULL)
            return false;
    }
    top->count = heap->count;
    return true;
}

bool counters_top(struct counters *counters, struct store_top *top, uint64_t now_ms)
{
    struct top_heap heap = { .room = top->count < TOP_ROWS_MAX ? top->count : TOP_ROWS_MAX };
    bool ok;

    top->count = 0;
    if (heap.room == 0)
        return true;
    heap.rows = calloc(heap.room, sizeof *heap.rows);
    if (heap.rows == NULL)
        return false;
    for (size_t i = 0; i < SHARD_COUNT; i++)
        shard_top(&counters->entries->shards[i], top->limit, &heap, now_ms);
    qsort(heap.rows, heap.count, sizeof *heap.rows, highest_first);
    ok = copy_rows(&heap, top);
    free(heap.rows);
    return ok;
}
