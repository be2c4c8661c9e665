/* common/store/memory_counters.c - see memory_counters.h.
 *
 * An entry is one block: a header, its key, and what it keeps, so the many subjects with one charge cost about a
 * hundred bytes. The shard is chosen by the upper bits of the hash, the slot in its table by the lower ones. */
#include "common/store/memory_counters.h"

#include "common/base/hash.h"
#include "common/limits/window.h"

enum {
    SWEEP_VISITS = 8, /* every so many visits of a shard .. */
    SWEEP_SLOTS = 4, /* .. so many slots are looked at for what expired: a cache miss each */
    SWEEP_SLOTS_NEW = 8, /* and for each new entry, so expired ones cannot pile up */
    SWEEP_SLOTS_FULL = 32, /* at the bound */
    KEY_PART_MAX = 255,
    ENTRY_OVERHEAD = 24, /* of malloc, and the table's slots */
    TOP_ENTRIES = 1024, /* of each shard */
    TOP_ROWS_MAX = 1000,
};

/* In the order in which entries are dropped before their time at the bound: a name that is forgotten may charge a
 * repeated request again, which admits nobody more. Counters are never dropped. */
enum entry_kind { ENTRY_ONCE, ENTRY_COUNTER };
#define FIRST_KIND_KEPT ENTRY_COUNTER

struct entry {
    struct hashtable_entry link;
    union {
        uint64_t window_ms; /* of a counter */
        uint64_t expires_ms;
    };
    uint8_t kind;
    uint8_t limit_len,
        subject_len; /* the key, behind this struct; of ENTRY_ONCE: the name is the subject */
    uint8_t cell_count, cell_room; /* of a counter: struct window_cell behind the key */
};

/* What is remembered of a named charge, behind its key. */
struct once_use {
    uint64_t used, free_ms;
};
struct once {
    uint64_t is_admitted, over, count;
    struct once_use uses[];
};

struct key {
    enum entry_kind kind;
    struct slice limit, subject;
    uint64_t window_ms; /* 0: any */
};

/* One use of a charge while it is decided. */
struct step {
    struct key key;
    uint64_t hash;
    uint64_t bucket;
};

struct plan {
    struct step steps[STORE_USES_MAX];
    uint64_t once_hash;
    uint64_t shards; /* set of those to lock */
    uint64_t now_ms;
};

/* ---- entries ---- */

static struct entry *entry_of(struct hashtable_entry *link)
{
    return (struct entry *)(void *)link;
}

static char *entry_key(const struct entry *entry)
{
    return (char *)(uintptr_t)(entry + 1);
}

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

static size_t key_bytes(const struct key *key)
{
    return round_up(key->limit.len + key->subject.len, sizeof(uint64_t));
}

static void *entry_data(const struct entry *entry)
{
    return entry_key(entry) +
           round_up((size_t)entry->limit_len + entry->subject_len, sizeof(uint64_t));
}

static struct slice entry_limit(const struct entry *entry)
{
    return (struct slice){ entry_key(entry), entry->limit_len };
}

static struct slice entry_subject(const struct entry *entry)
{
    return (struct slice){ entry_key(entry) + entry->limit_len, entry->subject_len };
}

static bool is_entry(const struct hashtable_entry *link, const void *arg)
{
    const struct entry *entry = (const struct entry *)(const void *)link;
    const struct key *key = arg;

    return entry->kind == key->kind &&
           (key->window_ms == 0 || entry->window_ms == key->window_ms) &&
           slice_equal(entry_limit(entry), key->limit) &&
           slice_equal(entry_subject(entry), key->subject);
}

/* Of limit and subject alone: a limit's windows of any length lie together. */
static uint64_t key_hash(const struct key *key)
{
    char text[2 * KEY_PART_MAX + 1];

    memcpy(text, key->limit.ptr, key->limit.len);
    text[key->limit.len] = '\0';
    memcpy(text + key->limit.len + 1, key->subject.ptr, key->subject.len);
    return hash_keyed((struct slice){ text, key->limit.len + 1 + key->subject.len });
}

static bool key_fits(const struct key *key)
{
    return key->limit.len <= KEY_PART_MAX && key->subject.len <= KEY_PART_MAX;
}

static uint64_t taken_by(size_t block)
{
    return round_up(block, 16) + ENTRY_OVERHEAD;
}

static size_t entry_block(const struct entry *entry)
{
    size_t head = (size_t)((const char *)entry_data(entry) - (const char *)entry);

    if (entry->kind == ENTRY_COUNTER)
        return head + entry->cell_room * sizeof(struct window_cell);
    const struct once *once = entry_data(entry);
    return head + sizeof *once + once->count * sizeof once->uses[0];
}

static bool has_expired(const struct entry *entry, uint64_t now_ms)
{
    const struct window_cell *cells = entry_data(entry);
    uint64_t bucket;

    if (entry->kind != ENTRY_COUNTER)
        return entry->expires_ms <= now_ms;
    bucket = window_bucket(entry->window_ms, now_ms);
    return bucket > cells[entry->cell_count - 1].bucket &&
           bucket - cells[entry->cell_count - 1].bucket > WINDOW_BUCKETS;
}

static void count_entry(struct counters *counters, uint8_t kind, uint64_t by)
{
    atomic_fetch_add_explicit(kind == ENTRY_COUNTER ? &counters->entries : &counters->remembered,
                              by, memory_order_relaxed);
}

static void bump(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void entry_drop(struct counters *counters, struct shard *shard,
                       struct hashtable_entry **link)
{
    struct entry *entry = entry_of(hashtable_remove(&shard->table, link));

    atomic_fetch_sub(&counters->used, taken_by(entry_block(entry)));
    count_entry(counters, entry->kind, UINT64_MAX); /* minus one */
    free(entry);
}

/* ---- memory ---- */

/* Frees what has expired in the next slots after *hand, and with `evict` what may be dropped. */
static void sweep_from(struct counters *counters, struct shard *shard, size_t *hand, size_t slots,
                       bool evict, uint64_t now_ms)
{
    for (size_t n = 0; n < slots && n < shard->table.slot_count; n++) {
        *hand = (*hand + 1) % shard->table.slot_count;
        struct hashtable_entry **link = hashtable_slot(&shard->table, *hand);
        while (*link != NULL) {
            const struct entry *entry = entry_of(*link);
            bool expired = has_expired(entry, now_ms);
            if (!expired && !(evict && entry->kind < FIRST_KIND_KEPT)) {
                link = &(*link)->next;
                continue;
            }
            bump(expired ? &counters->expired : &counters->evicted);
            entry_drop(counters, shard, link);
        }
    }
}

static void sweep(struct counters *counters, struct shard *shard, size_t slots, uint64_t now_ms)
{
    sweep_from(counters, shard, &shard->hand, slots, false, now_ms);
}

static bool take(struct counters *counters, uint64_t bytes)
{
    uint64_t used = atomic_fetch_add(&counters->used, bytes);

    if (bytes <= counters->max && used <= counters->max - bytes)
        return true;
    atomic_fetch_sub(&counters->used, bytes);
    return false;
}

static bool make_room(struct counters *counters, struct shard *shard, uint64_t bytes,
                      uint64_t now_ms)
{
    if (take(counters, bytes))
        return true;
    sweep(counters, shard, SWEEP_SLOTS_FULL, now_ms);
    if (take(counters, bytes))
        return true;
    sweep_from(counters, shard, &shard->evict_hand, SWEEP_SLOTS_FULL, true, now_ms);
    return take(counters, bytes);
}

/* An entry with `data` zeroed bytes behind its key; NULL at the bound. */
static struct entry *entry_new(struct counters *counters, struct shard *shard,
                               const struct key *key, uint64_t hash, size_t data, uint64_t now_ms)
{
    size_t block = sizeof(struct entry) + key_bytes(key) + data;
    struct entry *entry;

    sweep(counters, shard, SWEEP_SLOTS_NEW, now_ms);
    if (!make_room(counters, shard, taken_by(block), now_ms))
        return NULL;
    entry = calloc(1, block);
    if (entry == NULL) {
        atomic_fetch_sub(&counters->used, taken_by(block));
        return NULL;
    }
    entry->link.hash = hash;
    entry->kind = (uint8_t)key->kind;
    entry->limit_len = (uint8_t)key->limit.len;
    entry->subject_len = (uint8_t)key->subject.len;
    memcpy(entry_key(entry), key->limit.ptr, key->limit.len);
    memcpy(entry_key(entry) + key->limit.len, key->subject.ptr, key->subject.len);
    hashtable_insert(&shard->table, &entry->link);
    count_entry(counters, entry->kind, 1);
    return entry;
}

/* ---- shards ---- */

bool counters_init(struct counters *counters, uint64_t max)
{
    bool ok = true;

    counters->max = max;
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        pthread_mutex_init(&counters->shards[i].lock, NULL);
        ok &= hashtable_init(&counters->shards[i].table);
    }
    return ok;
}

void counters_free(struct counters *counters)
{
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct hashtable *table = &counters->shards[i].table;
        for (size_t slot = 0; slot < table->slot_count; slot++)
            while (*hashtable_slot(table, slot) != NULL)
                free(hashtable_remove(table, hashtable_slot(table, slot)));
        hashtable_free(table);
        pthread_mutex_destroy(&counters->shards[i].lock);
    }
}

static size_t shard_number(uint64_t hash)
{
    return (size_t)(hash >> 58);
}

static struct shard *shard_of(struct counters *counters, uint64_t hash)
{
    return &counters->shards[shard_number(hash)];
}

/* Always in the same order: two charges cannot wait for each other. */
static void lock_shards(struct counters *counters, uint64_t set)
{
    for (; set != 0; set &= set - 1)
        pthread_mutex_lock(&counters->shards[__builtin_ctzll(set)].lock);
}

static void unlock_shards(struct counters *counters, uint64_t set, uint64_t now_ms)
{
    for (; set != 0; set &= set - 1) {
        struct shard *shard = &counters->shards[__builtin_ctzll(set)];
        if (++shard->visits % SWEEP_VISITS == 0)
            sweep(counters, shard, SWEEP_SLOTS, now_ms);
        pthread_mutex_unlock(&shard->lock);
    }
}

static struct entry *entry_find(struct counters *counters, const struct key *key, uint64_t hash)
{
    return entry_of(*hashtable_find(&shard_of(counters, hash)->table, hash, is_entry, key));
}

/* ---- counting ---- */

static struct entry *counter_grow(struct counters *counters, struct shard *shard,
                                  const struct key *key, struct entry *entry)
{
    size_t room =
        entry->cell_room * 2u < WINDOW_CELLS_MAX ? entry->cell_room * 2u : WINDOW_CELLS_MAX;
    size_t old = entry_block(entry);
    size_t block = old + (room - entry->cell_room) * sizeof(struct window_cell);
    struct hashtable_entry **link = hashtable_find(&shard->table, entry->link.hash, is_entry, key);

    if (!take(counters, taken_by(block) - taken_by(old)))
        return NULL;
    struct entry *larger = realloc(entry, block);
    if (larger == NULL) {
        atomic_fetch_sub(&counters->used, taken_by(block) - taken_by(old));
        return NULL;
    }
    larger->cell_room = (uint8_t)room;
    *link = &larger->link;
    return larger;
}

/* A subject that is known is always counted; a new one only where there is room. */
static void counter_add(struct counters *counters, const struct step *step, uint64_t amount,
                        uint64_t now_ms)
{
    struct shard *shard = shard_of(counters, step->hash);
    struct entry *entry = entry_find(counters, &step->key, step->hash), *larger;
    size_t count;

    if (entry == NULL) {
        entry =
            entry_new(counters, shard, &step->key, step->hash, sizeof(struct window_cell), now_ms);
        if (entry == NULL) {
            bump(&counters->uncounted);
            return;
        }
        entry->window_ms = step->key.window_ms;
        entry->cell_room = 1;
    }
    count = entry->cell_count;
    if (!window_add(entry_data(entry), &count, entry->cell_room, step->bucket, amount)) {
        larger = counter_grow(counters, shard, &step->key, entry);
        if (larger != NULL) {
            entry = larger;
            window_add(entry_data(entry), &count, entry->cell_room, step->bucket, amount);
        } else {
            bump(&counters->squeezed);
            window_add_late(entry_data(entry), &count, step->bucket, amount);
        }
    }
    entry->cell_count = (uint8_t)count;
}

/* ---- remembered charges ---- */

static struct key once_key(struct slice name)
{
    return (struct key){ ENTRY_ONCE, SLICE(""), name, 0 };
}

static bool once_recall(struct counters *counters, const struct plan *plan,
                        struct store_charge *charge)
{
    const struct key key = once_key(charge->once);
    const struct entry *entry;
    const struct once *once;

    entry = charge->once.ptr == NULL ? NULL : entry_find(counters, &key, plan->once_hash);
    if (entry == NULL || has_expired(entry, plan->now_ms))
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
    const struct key key = once_key(charge->once);
    size_t bytes = sizeof(struct once) + charge->use_count * sizeof(struct once_use);
    struct shard *shard = shard_of(counters, plan->once_hash);
    struct hashtable_entry **old;

    if (charge->once.ptr == NULL)
        return;
    old = hashtable_find(&shard->table, plan->once_hash, is_entry, &key);
    if (*old != NULL)
        entry_drop(counters, shard, old); /* expired, or once_recall() had found it */
    struct entry *entry = entry_new(counters, shard, &key, plan->once_hash, bytes, plan->now_ms);
    if (entry == NULL) {
        bump(&counters->forgotten);
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
        step->key = (struct key){ ENTRY_COUNTER, limit_name(use->limit), use->subject,
                                  use->rate.window_ms };
        if (!key_fits(&step->key))
            return false;
        step->hash = key_hash(&step->key);
        if (use->rate.window_ms > 0)
            plan->shards |= UINT64_C(1) << shard_number(step->hash);
    }
    if (charge->once.ptr == NULL)
        return true;
    const struct key once = once_key(charge->once);
    if (!key_fits(&once))
        return false;
    plan->once_hash = key_hash(&once);
    plan->shards |= UINT64_C(1) << shard_number(plan->once_hash);
    return true;
}

/* What earlier uses of the same charge will add to the same counter. */
static uint64_t pending_before(const struct plan *plan, const struct store_charge *charge, size_t n)
{
    const struct key *key = &plan->steps[n].key;
    uint64_t pending = 0;

    for (size_t i = 0; i < n; i++) {
        const struct key *other = &plan->steps[i].key;
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
    const struct entry *entry = entry_find(counters, &step->key, step->hash);
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
    lock_shards(counters, plan.shards);
    plan.now_ms = now_ms(arg);
    if (charge->peek || !once_recall(counters, &plan, charge))
        decide(counters, &plan, charge);
    unlock_shards(counters, plan.shards, plan.now_ms);
}

void counters_apply(struct counters *counters, const struct store_charge *charge, uint64_t now_ms)
{
    struct store_charge seen = { .once = charge->once };
    struct plan plan;

    if (!plan_make(&plan, charge))
        return;
    plan.now_ms = now_ms;
    lock_shards(counters, plan.shards);
    if (!once_recall(counters, &plan, &seen)) {
        for (size_t i = 0; charge->admitted && i < charge->use_count; i++) {
            plan.steps[i].bucket = charge->uses[i].bucket;
            if (charge->uses[i].amount > 0 && charge->uses[i].rate.window_ms > 0)
                counter_add(counters, &plan.steps[i], charge->uses[i].amount, now_ms);
        }
        once_remember(counters, &plan, charge);
    }
    unlock_shards(counters, plan.shards, now_ms);
}

uint64_t counters_reset(struct counters *counters, struct slice limit, struct slice subject)
{
    const struct key key = { ENTRY_COUNTER, limit, subject, 0 };
    uint64_t removed = 0;

    if (!key_fits(&key))
        return 0;
    uint64_t hash = key_hash(&key);
    struct shard *shard = shard_of(counters, hash);
    struct hashtable_entry **link;
    pthread_mutex_lock(&shard->lock);
    while (*(link = hashtable_find(&shard->table, hash, is_entry, &key)) != NULL) {
        entry_drop(counters, shard, link);
        removed++;
    }
    pthread_mutex_unlock(&shard->lock);
    return removed;
}

/* ---- the highest ---- */

struct top_row {
    uint64_t used, window_ms;
    uint8_t limit_len, subject_len;
    char text[2 * KEY_PART_MAX];
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
    memcpy(row->text, entry_key(entry), (size_t)entry->limit_len + entry->subject_len);
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
        shard_top(&counters->shards[i], top->limit, &heap, now_ms);
    qsort(heap.rows, heap.count, sizeof *heap.rows, highest_first);
    ok = copy_rows(&heap, top);
    free(heap.rows);
    return ok;
}
