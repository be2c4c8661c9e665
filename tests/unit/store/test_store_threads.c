/* tests/unit/store/test_store_threads.c - the memory store shared by many threads: exactly N, all or nothing, and no
 * window that admits more; run under TSan as well. */
#include "tests/unit/unit.h"

#include "common/store/store_memory.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_limits.h"

#include <pthread.h>

enum { THREADS_MAX = 64 };

struct shared {
    struct fake_clock clock;
    struct store_memory *memory;
    struct limit_set *sets[3];
    const struct limit *limits[3];
    _Atomic uint64_t admitted;
    _Atomic bool is_over;
};

struct worker {
    struct shared *shared;
    struct store *store;
    pthread_t thread;
    uint64_t random, admitted, work;
};

static uint64_t random_below(struct worker *worker, uint64_t bound)
{
    worker->random = worker->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (worker->random >> 33) % bound;
}

static void start(struct shared *shared, const char *a, const char *b, const char *c)
{
    const char *const rates[] = { a, b, c };
    static const char *const names[] = { "a", "b", "c" };

    *shared = (struct shared){ .admitted = 0 };
    fake_clock_init(&shared->clock);
    shared->memory = store_memory_new(&shared->clock.clock, 1 << 20);
    for (size_t i = 0; i < 3; i++) {
        shared->sets[i] = fake_limit(names[i], rates[i]);
        shared->limits[i] = limit_set_at(shared->sets[i], 0);
    }
}

static void finish(struct shared *shared)
{
    store_memory_free(&shared->memory);
    for (size_t i = 0; i < 3; i++)
        limit_set_free(&shared->sets[i]);
}

static void run(struct shared *shared, struct worker *workers, size_t count, uint64_t work,
                void *(*body)(void *))
{
    for (size_t i = 0; i < count; i++) {
        workers[i] = (struct worker){ .shared = shared, .random = i + 1, .work = work };
        workers[i].store = store_memory_open(shared->memory);
        assert_int_equal(0, pthread_create(&workers[i].thread, NULL, body, &workers[i]));
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(0, pthread_join(workers[i].thread, NULL));
        store_free(&workers[i].store);
    }
}

static struct limit_use use_of(const struct worker *worker, size_t limit, struct slice subject,
                               uint64_t amount)
{
    return (struct limit_use){ .limit = worker->shared->limits[limit],
                               .subject = subject,
                               .amount = amount };
}

static bool charge(struct worker *worker, struct limit_use *uses, size_t count, struct slice once)
{
    struct store_charge charge = { .uses = uses, .use_count = count, .once = once };

    return store_charge(worker->store, &charge) && charge.call.result == STORE_OK &&
           charge.admitted && !charge.repeated;
}

static void *burst(void *arg)
{
    struct worker *worker = arg;
    struct slice none = { NULL, 0 };

    for (uint64_t n = 0; n < worker->work; n++) {
        struct limit_use use = use_of(worker, 0, SLICE("t:alice"), 1);
        worker->admitted += charge(worker, &use, 1, none);
    }
    return NULL;
}

static void a_burst_over_64_threads_admits_exactly_n(UNUSED void **state)
{
    static struct worker workers[THREADS_MAX];
    struct shared shared;
    uint64_t admitted = 0;

    start(&shared, "1000/1h", "1/1h", "1/1h");
    run(&shared, workers, THREADS_MAX, 10 * 1000 / THREADS_MAX + 1, burst);
    for (size_t i = 0; i < THREADS_MAX; i++)
        admitted += workers[i].admitted;
    assert_true(admitted == 1000);
    finish(&shared);
}

/* Charges the same three counters in changing order: nothing may be charged of what is refused, and nobody waits for
 * ever. */
static void *three_at_once(void *arg)
{
    static const struct slice subjects[] = { SLICE_INIT("t:x"), SLICE_INIT("t:y"),
                                             SLICE_INIT("*") };
    struct worker *worker = arg;
    struct slice none = { NULL, 0 };

    for (uint64_t n = 0; n < worker->work; n++) {
        struct limit_use uses[3];
        size_t first = (size_t)random_below(worker, 3);
        uint64_t amount = 1 + random_below(worker, 3);
        for (size_t i = 0; i < 3; i++)
            uses[i] = use_of(worker, (first + i) % 3, subjects[(first + i) % 3], amount);
        if (charge(worker, uses, 3, none))
            worker->admitted += amount;
    }
    return NULL;
}

static void all_or_nothing_among_16_threads(UNUSED void **state)
{
    static const char *const subjects[] = { "t:x", "t:y", "*" };
    static struct worker workers[16];
    struct shared shared;
    uint64_t admitted = 0;

    start(&shared, "900/1h", "700/1h", "800/1h");
    run(&shared, workers, COUNT(workers), 500, three_at_once);
    for (size_t i = 0; i < COUNT(workers); i++)
        admitted += workers[i].admitted;
    assert_true(admitted >= 698 && admitted <= 700);
    for (size_t i = 0; i < 3; i++) {
        struct worker reader = { .shared = &shared, .store = store_memory_open(shared.memory) };
        struct limit_use use = use_of(&reader, i, slice_of(subjects[i]), 0);
        struct store_charge peek = { .uses = &use, .use_count = 1, .peek = true };
        assert_true(store_charge(reader.store, &peek));
        assert_true(use.used == admitted);
        store_free(&reader.store);
    }
    finish(&shared);
}

/* The same name from several threads at once. */
static void *same_names(void *arg)
{
    struct worker *worker = arg;
    char name[40];

    for (uint64_t n = 0; n < worker->work; n++) {
        struct limit_use use = use_of(worker, 0, SLICE("t:alice"), 1);
        snprintf(name, sizeof name, "%032llu", (unsigned long long)n);
        worker->admitted += charge(worker, &use, 1, slice_of(name));
    }
    return NULL;
}

static void one_name_is_charged_by_one_thread(UNUSED void **state)
{
    static struct worker workers[16];
    struct shared shared;
    uint64_t admitted = 0;

    start(&shared, "100000/1h", "1/1h", "1/1h");
    run(&shared, workers, COUNT(workers), 200, same_names);
    for (size_t i = 0; i < COUNT(workers); i++)
        admitted += workers[i].admitted;
    assert_true(admitted == 200);
    finish(&shared);
}

/* ---- random costs, limits and clock, against a log of what each thread admitted ---- */

enum { EVENTS = 3000, WINDOW_MS = 1000, MOST = 40 };
struct event {
    uint64_t from_ms, to_ms,
        amount; /* the clock before and after the charge: it was somewhere between */
};
static struct {
    struct event events[EVENTS];
    size_t count;
} logs[16];

static void *random_charges(void *arg)
{
    struct worker *worker = arg;
    struct shared *shared = worker->shared;
    size_t log = (size_t)worker->random % COUNT(logs);
    struct slice none = { NULL, 0 };

    for (uint64_t n = 0; n < worker->work; n++) {
        struct limit_use use = use_of(worker, 0, SLICE("t:alice"), 1 + random_below(worker, 5));
        struct event *event = &logs[log].events[logs[log].count];
        if (random_below(worker, 4) == 0)
            fake_clock_advance(&shared->clock, random_below(worker, 12));
        event->from_ms = shared->clock.now;
        if (!charge(worker, &use, 1, none))
            continue;
        event->to_ms = shared->clock.now;
        event->amount = use.amount;
        logs[log].count++;
    }
    return NULL;
}

/* What was certainly admitted from `begin_ms` on within one window. */
static uint64_t certainly_admitted(uint64_t begin_ms)
{
    uint64_t sum = 0;

    for (size_t log = 0; log < COUNT(logs); log++)
        for (size_t i = 0; i < logs[log].count; i++) {
            const struct event *event = &logs[log].events[i];
            if (event->from_ms >= begin_ms && event->to_ms <= begin_ms + WINDOW_MS)
                sum += event->amount;
        }
    return sum;
}

static void no_window_admits_more_among_16_threads(UNUSED void **state)
{
    static struct worker workers[16];
    struct shared shared;
    uint64_t total = 0;

    memset(logs, 0, sizeof logs);
    start(&shared, "40/1s", "1/1h", "1/1h");
    run(&shared, workers, COUNT(workers), EVENTS, random_charges);
    for (size_t log = 0; log < COUNT(logs); log++)
        for (size_t i = 0; i < logs[log].count; i++) {
            total += logs[log].events[i].amount;
            if (certainly_admitted(logs[log].events[i].from_ms) > MOST)
                fail_msg("more than %d from %llu ms on", MOST,
                         (unsigned long long)logs[log].events[i].from_ms);
        }
    uint64_t windows = (shared.clock.now - 1000 * SECOND) / WINDOW_MS;
    assert_true(total > MOST * windows / 2); /* and it did admit */
    finish(&shared);
}

/* ---- everything at once: for TSan ---- */

/* ---- greylisting ---- */

static enum greylist_state see(struct worker *worker, uint64_t sender)
{
    char from[32];
    struct store_greylist seen = {
        .origin = SLICE("n:192.0.2.0/24"), .delay_ms = MINUTE, .window_ms = HOUR, .expiry_ms = DAY
    };

    snprintf(from, sizeof from, "m:%llu", (unsigned long long)sender);
    seen.sender = slice_of(from);
    store_greylist(worker->store, &seen);
    return seen.state;
}

static void *same_triplets(void *arg)
{
    struct worker *worker = arg;

    for (uint64_t n = 0; n < worker->work; n++)
        worker->admitted += see(worker, n) == GREYLIST_NEW;
    return NULL;
}

static void a_triplet_is_new_to_one_thread(UNUSED void **state)
{
    static struct worker workers[16];
    struct shared shared;
    uint64_t fresh = 0;

    start(&shared, "1/1h", "1/1h", "1/1h");
    run(&shared, workers, COUNT(workers), 1000, same_triplets);
    for (size_t i = 0; i < COUNT(workers); i++)
        fresh += workers[i].admitted;
    assert_true(fresh == 1000);
    finish(&shared);
}

/* Adds 1 to two fields `work` times, each time to what it has read. "N WORKER": no two write the same text, which would count
 * as written for both. */
static void *add_by_swap(void *arg)
{
    static const struct slice fields[] = { SLICE_INIT("x"), SLICE_INIT("y") };
    struct worker *worker = arg;
    struct arena *arena = arena_new(1 << 16);

    while (worker->admitted < worker->work) {
        struct slice texts[2];
        struct store_change changes[2];
        struct store_fetch fetch = {
            .key = SLICE("dkim"), .fields = fields, .count = 2, .texts = texts, .arena = arena
        };
        struct store_swap swap = { .key = SLICE("dkim"), .changes = changes, .count = 2 };
        store_fetch(worker->store, &fetch);
        for (size_t i = 0; i < 2; i++) {
            struct slice rest = texts[i], word;
            uint64_t number = 0;
            if (slice_next(&rest, ' ', &word))
                assert_true(slice_to_u64(word, &number));
            changes[i] = (struct store_change){ fields[i], texts[i],
                                                arena_printf(arena, "%llu %llu",
                                                             (unsigned long long)number + 1,
                                                             (unsigned long long)worker->random) };
        }
        store_swap(worker->store, &swap);
        worker->admitted += swap.is_written;
        arena_reset(arena);
    }
    arena_free(&arena);
    return NULL;
}

static void what_is_swapped_is_never_lost(UNUSED void **state)
{
    static struct worker workers[8];
    static const struct slice fields[] = { SLICE_INIT("x"), SLICE_INIT("y") };
    struct arena *arena = arena_new(1 << 16);
    struct slice texts[2];
    struct store_fetch fetch = {
        .key = SLICE("dkim"), .fields = fields, .count = 2, .texts = texts, .arena = arena
    };
    struct shared shared;

    start(&shared, "1/1h", "1/1h", "1/1h");
    run(&shared, workers, COUNT(workers), 500, add_by_swap);
    struct store *store = store_memory_open(shared.memory);
    assert_true(store_fetch(store, &fetch));
    assert_true(slice_starts_with(texts[0], SLICE("4000 ")) && slice_equal(texts[0], texts[1]));
    store_free(&store);
    arena_free(&arena);
    finish(&shared);
}

static void live_calls(struct worker *worker, struct arena *arena)
{
    struct store_write write = { .key = SLICE("limit:a"),
                                 .field = SLICE("user:alice"),
                                 .text = random_below(worker, 2) ? SLICE("5/1h") : SLICE("6/1h") };
    struct store_read read = { .key = SLICE("limit:a"), .arena = arena };
    struct store_top top = { .arena = arena, .count = 5 };
    struct store_log_read lines = { .arena = arena, .count = 5 };
    struct store_reset reset = { .limit = SLICE("b"), .subject = SLICE("t:alice") };
    struct store_status status;

    if (random_below(worker, 3) == 0)
        write.text.ptr = NULL;
    store_write(worker->store, &write);
    store_read(worker->store, &read);
    store_top(worker->store, &top);
    store_log(worker->store, SLICE("decision"));
    store_log_read(worker->store, &lines);
    store_reset(worker->store, &reset);
    store_status(worker->store, &status);
}

static void shadow_calls(struct worker *worker, struct arena *arena)
{
    struct store_memory *memory = worker->shared->memory;
    struct limit_use use = use_of(worker, 1, SLICE("t:alice"), 1);
    struct store_charge charge = { .uses = &use, .use_count = 1 };
    struct store_owed owed;
    uint64_t id;

    store_memory_decide(memory, &charge, &id);
    if (id != 0 && random_below(worker, 2) == 0)
        store_memory_owed_settle(memory, id);
    if (store_memory_owed_take(memory, arena, &owed))
        store_memory_owed_return(memory, owed.id);
    use.bucket = 5;
    store_memory_apply(memory, &charge);
    store_memory_note(memory, SLICE("limit:b"), SLICE("user:alice"), SLICE("50/1h"));
    store_memory_set_time(memory, FAKE_CLOCK_WALL + random_below(worker, 1000));
}

static void *everything(void *arg)
{
    struct worker *worker = arg;
    struct arena *arena = arena_new(8 << 20);
    const struct slice fields[] = { SLICE("user:alice"), SLICE("default") };
    char subject[40];

    for (uint64_t n = 0; n < worker->work; n++) {
        struct limit_use use = use_of(worker, 0, slice_of(subject), 1);
        struct slice none = { NULL, 0 };
        snprintf(subject, sizeof subject, "t:user%u", (unsigned)random_below(worker, 30000));
        use.subject = slice_of(subject);
        use.fields = fields;
        use.field_count = 2;
        charge(worker, &use, 1, n % 3 == 0 ? use.subject : none);
        see(worker, random_below(worker, 3000));
        if (n % 20 == 0) {
            live_calls(worker, arena);
            shadow_calls(worker, arena);
            arena_reset(arena);
            fake_clock_advance(&worker->shared->clock, 100);
        }
    }
    arena_free(&arena);
    return NULL;
}

static void all_calls_from_16_threads_at_the_bound(UNUSED void **state)
{
    static struct worker workers[16];
    struct store_memory_stats stats;
    struct shared shared;

    start(&shared, "1000/1m", "100/1h", "1/1h");
    run(&shared, workers, COUNT(workers), 2000, everything);
    store_memory_stats(shared.memory, &stats);
    assert_true(stats.memory_used <= stats.memory_limit);
    assert_true(stats.evicted + stats.uncounted > 0);
    finish(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_over_64_threads_admits_exactly_n),
        cmocka_unit_test(all_or_nothing_among_16_threads),
        cmocka_unit_test(one_name_is_charged_by_one_thread),
        cmocka_unit_test(no_window_admits_more_among_16_threads),
        cmocka_unit_test(a_triplet_is_new_to_one_thread),
        cmocka_unit_test(what_is_swapped_is_never_lost),
        cmocka_unit_test(all_calls_from_16_threads_at_the_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
