/* tests/bench/bench_store_memory.c - what a charge and greylisting cost in the memory store, and what a subject and a
 * triplet cost in memory. */
#include "common/limits/limit_config.h"
#include "common/store/store_memory.h"
#include "tests/bench/measure/measure.h"

#include <pthread.h>

enum { CHARGES = 1000000, SUBJECTS = 100000, LIMITS = 3 };

static const struct fact_type facts[] = {
    { .name = "sasl_username", .type = VALUE_TEXT, .stages = STAGE_ALL },
};

struct bench {
    struct store_memory *memory;
    const struct limit *limits[LIMITS];
    size_t uses;
    pthread_t thread;
    uint64_t random, ns;
};

static void *charge_many(void *arg)
{
    struct bench *bench = arg;
    struct store *store = store_memory_open(bench->memory);
    struct limit_use uses[LIMITS];
    struct store_charge charge = { .uses = uses, .use_count = bench->uses };
    const struct slice fields[] = { SLICE("user:x"), SLICE("domain:example.com"),
                                    SLICE("domain:com"), SLICE("default") };
    char subject[64];
    uint64_t begin = bench_now_ns();

    for (size_t n = 0; store != NULL && n < CHARGES; n++) {
        bench->random = bench->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
        int len = snprintf(subject, sizeof subject, "m:user%llu@example.com",
                           (unsigned long long)(bench->random >> 33) % SUBJECTS);
        for (size_t i = 0; i < bench->uses; i++)
            uses[i] = (struct limit_use){ .limit = bench->limits[i],
                                          .subject = { subject, (size_t)len },
                                          .fields = fields,
                                          .field_count = COUNT(fields),
                                          .amount = 1 };
        store_charge(store, &charge);
    }
    bench->ns = (bench_now_ns() - begin) / CHARGES;
    store_free(&store);
    return NULL;
}

static void measure(struct store_memory *memory, const struct limit_set *set, size_t uses,
                    size_t threads)
{
    struct bench benches[2];
    uint64_t begin = bench_now_ns(), total;

    for (size_t i = 0; i < threads; i++) {
        benches[i] = (struct bench){ .memory = memory, .uses = uses, .random = i + 1 };
        for (size_t n = 0; n < LIMITS; n++)
            benches[i].limits[n] = limit_set_at(set, n);
        if (pthread_create(&benches[i].thread, NULL, charge_many, &benches[i]) != 0)
            abort();
    }
    for (size_t i = 0; i < threads; i++)
        pthread_join(benches[i].thread, NULL);
    total = bench_now_ns() - begin;
    printf("%zu limit(s), %zu thread(s): %5llu ns a charge, %8.0f charges/s\n", uses, threads,
           (unsigned long long)benches[0].ns, (double)threads * CHARGES * 1e9 / (double)total);
}

static void measure_memory(struct store_memory *memory)
{
    struct store_memory_stats stats;

    store_memory_stats(memory, &stats);
    printf("%llu subjects, %.0f bytes each\n", (unsigned long long)stats.counters,
           (double)stats.memory_used / (double)(stats.counters == 0 ? 1 : stats.counters));
}

/* 100,000 senders of 25,000 networks, each seen ten times. */
static void measure_greylist(void)
{
    struct store_memory *memory = store_memory_new(&clock_system, UINT64_C(256) << 20);
    struct store *store = memory == NULL ? NULL : store_memory_open(memory);
    struct store_memory_stats stats;
    char origin[32], sender[40];
    uint64_t begin = bench_now_ns();

    for (size_t n = 0; store != NULL && n < CHARGES; n++) {
        unsigned number = (unsigned)(n % SUBJECTS);
        struct store_greylist seen = { .recipient = SLICE("m:bob@example.org"),
                                       .delay_ms = 5 * MINUTE,
                                       .window_ms = 2 * DAY,
                                       .expiry_ms = 35 * DAY };
        snprintf(origin, sizeof origin, "n:10.%u.%u.0/24", number / 1024 % 256, number / 4 % 256);
        snprintf(sender, sizeof sender, "m:user%u@example.com", number);
        seen.origin = slice_of(origin);
        seen.sender = slice_of(sender);
        store_greylist(store, &seen);
    }
    uint64_t ns = (bench_now_ns() - begin) / CHARGES;
    store_free(&store);
    if (memory == NULL)
        return;
    store_memory_stats(memory, &stats);
    printf("greylist: %llu ns a request; %llu triplets of %llu networks, %.0f bytes each\n",
           (unsigned long long)ns, (unsigned long long)stats.triplets,
           (unsigned long long)stats.origins,
           (double)stats.memory_used / (double)(stats.triplets == 0 ? 1 : stats.triplets));
    store_memory_free(&memory);
}

int main(void)
{
    static const struct limit_text texts[LIMITS] = {
        { .name = SLICE_INIT("user-minutely"),
          .key = SLICE_INIT("sasl_username"),
          .count = SLICE_INIT("messages"),
          .rate = SLICE_INIT("100/1m") },
        { .name = SLICE_INIT("user-hourly"),
          .key = SLICE_INIT("sasl_username"),
          .count = SLICE_INIT("recipients"),
          .rate = SLICE_INIT("1000/1h") },
        { .name = SLICE_INIT("user-daily"),
          .key = SLICE_INIT("sasl_username"),
          .count = SLICE_INIT("messages"),
          .rate = SLICE_INIT("5000/1d") },
    };
    struct limit_set *set = limit_set_new(facts, COUNT(facts), texts, LIMITS, NULL);
    struct store_memory *memory = store_memory_new(&clock_system, UINT64_C(256) << 20);

    if (set == NULL || memory == NULL)
        return 1;
    for (size_t threads = 1; threads <= 2; threads++) {
        measure(memory, set, 1, threads);
        measure(memory, set, LIMITS, threads);
    }
    measure_memory(memory);
    measure_greylist();
    store_memory_free(&memory);
    limit_set_free(&set);
    return 0;
}
