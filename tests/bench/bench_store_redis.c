/* tests/bench/bench_store_redis.c - charges of 1 and 3 limits, and greylisting, in Redis through the store, many at a time
 * on one connection: rate and latency. The argument is the store's URL; the database is not emptied. */
#include <event2/event.h>

#include "common/base/hash.h"
#include "common/limits/limit_config.h"
#include "common/store/store_redis.h"
#include "tests/bench/measure/measure.h"

enum { SECONDS = 2, SUBJECTS = 100000, LIMITS = 3, FLIGHT_MOST = 16, SAMPLES_MOST = 1 << 20 };

static const struct fact_type facts[] = {
    { .name = "sasl_username", .type = VALUE_TEXT, .stages = STAGE_ALL },
};

struct flight {
    union { /* first */
        struct store_call call;
        struct store_charge charge;
        struct store_greylist greylist;
    };
    struct limit_use uses[LIMITS];
    char subject[64], origin[32], once[33];
    uint64_t begin_us;
    struct bench *bench;
};

struct bench {
    struct event_base *base;
    struct store *store;
    const struct limit *limits[LIMITS];
    struct flight flights[FLIGHT_MOST];
    size_t uses; /* 0: greylisting */
    size_t under_way, degraded, count;
    uint64_t end_us, random;
    uint32_t *samples_us;
};

static uint64_t now_us(void)
{
    return bench_now_ns() / 1000;
}

static void call_next(struct flight *flight);

static void on_called(struct store_call *call)
{
    struct flight *flight = (struct flight *)(void *)call;
    struct bench *bench = flight->bench;

    bench->degraded += call->is_degraded;
    if (bench->count < SAMPLES_MOST)
        bench->samples_us[bench->count++] = (uint32_t)(now_us() - flight->begin_us);
    bench->under_way--;
    call_next(flight);
}

/* Each is done at once, or calls on_called(). */
static bool charge_start(struct flight *flight, size_t subject_len)
{
    static const struct slice fields[] = { SLICE_INIT("user:x"), SLICE_INIT("domain:example.com"),
                                           SLICE_INIT("domain:com"), SLICE_INIT("default") };
    struct bench *bench = flight->bench;

    flight->charge = (struct store_charge){ .call = { .done = on_called },
                                            .once = slice_of(flight->once),
                                            .uses = flight->uses,
                                            .use_count = bench->uses };
    for (size_t i = 0; i < bench->uses; i++)
        flight->uses[i] = (struct limit_use){ .limit = bench->limits[i],
                                              .subject = { flight->subject, subject_len },
                                              .fields = fields,
                                              .field_count = COUNT(fields),
                                              .amount = 1 };
    return store_charge(bench->store, &flight->charge);
}

static bool greylist_start(struct flight *flight, size_t subject_len)
{
    flight->greylist = (struct store_greylist){ .call = { .done = on_called },
                                                .origin = slice_of(flight->origin),
                                                .sender = { flight->subject, subject_len },
                                                .recipient = SLICE("m:bob@example.org"),
                                                .delay_ms = SECOND,
                                                .window_ms = 2 * DAY,
                                                .expiry_ms = 35 * DAY };
    return store_greylist(flight->bench->store, &flight->greylist);
}

static void call_next(struct flight *flight)
{
    struct bench *bench = flight->bench;

    flight->begin_us = now_us();
    if (flight->begin_us >= bench->end_us) {
        if (bench->under_way == 0)
            event_base_loopbreak(bench->base);
        return;
    }
    bench->under_way++;
    bench->random = bench->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    unsigned number = (unsigned)((bench->random >> 33) % SUBJECTS);
    int len = snprintf(flight->subject, sizeof(flight->subject), "m:user%u@example.com", number);
    snprintf(flight->once, sizeof(flight->once), "%032llx", (unsigned long long)bench->random);
    snprintf(flight->origin, sizeof(flight->origin), "n:10.%u.%u.0/24", number / 1024 % 256,
             number / 4 % 256);
    bool is_done =
        bench->uses == 0 ? greylist_start(flight, (size_t)len) : charge_start(flight, (size_t)len);
    if (is_done)
        on_called(&flight->call);
}

static int by_value(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static void measure(struct bench *bench, size_t uses, size_t at_a_time)
{
    bench->uses = uses;
    bench->count = bench->degraded = 0;
    bench->end_us = now_us() + SECONDS * 1000000;
    for (size_t i = 0; i < at_a_time; i++) {
        bench->flights[i].bench = bench;
        call_next(&bench->flights[i]);
    }
    clock_t cpu = clock();
    event_base_dispatch(bench->base);
    double cpu_us = (double)(clock() - cpu) * 1e6 / CLOCKS_PER_SEC;
    if (bench->count == 0)
        return;
    qsort(bench->samples_us, bench->count, sizeof(*bench->samples_us), by_value);
    printf("%s=%zu at_a_time=%zu rate=%zu p50_us=%u p99_us=%u own_cpu_us=%.1f locally=%zu\n",
           uses == 0 ? "greylist" : "limits", uses == 0 ? (size_t)1 : uses, at_a_time,
           bench->count / SECONDS, bench->samples_us[bench->count / 2],
           bench->samples_us[bench->count / 100 * 99], cpu_us / (double)bench->count,
           bench->degraded);
}

static void on_tick(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct bench *bench = arg;
    struct store_charge look = { .peek = true };

    if (store_charge(bench->store, &look))
        return; /* not connected yet */
    store_abandon(bench->store, &look.call);
    event_base_loopbreak(bench->base);
}

static void on_error(UNUSED void *arg, const struct limit_error *error)
{
    fprintf(stderr, "bench_store_redis: %s\n", error->text);
}

static struct limit_set *make_limits(void)
{
    struct limit_text texts[LIMITS];
    const struct limit_errors errors = { .add = on_error };
    const char *const names[LIMITS] = { "first", "second", "third" };

    for (size_t i = 0; i < LIMITS; i++)
        texts[i] = (struct limit_text){ .name = slice_of(names[i]),
                                        .key = SLICE("sasl_username"),
                                        .count = SLICE("messages"),
                                        .rate = SLICE("1000000/1h") };
    return limit_set_new(facts, COUNT(facts), texts, LIMITS, &errors);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    const struct timeval tick_ms = { 0, 10000 };
    struct store_redis_options options = { .clock = &clock_system };
    struct limit_set *set = make_limits();
    const char *error;

    if (argc != 2 || !redis_url_parse(slice_of(argv[1]), &options.url, &error) || set == NULL) {
        fprintf(stderr, "usage: bench_store_redis redis://...\n");
        return 64;
    }
    options.shadow = store_memory_new(&clock_system, 256 << 20);
    struct store_redis *redis = store_redis_new(&options);
    random_bytes(&bench.random, sizeof(bench.random));
    bench.base = event_base_new();
    bench.samples_us = calloc(SAMPLES_MOST, sizeof(*bench.samples_us));
    bench.store = store_redis_open(redis, bench.base);
    for (size_t i = 0; i < LIMITS; i++)
        bench.limits[i] = limit_set_at(set, i);
    struct event *tick = event_new(bench.base, -1, EV_PERSIST, on_tick, &bench);
    event_add(tick, &tick_ms);
    event_base_dispatch(bench.base);
    event_free(tick);
    measure(&bench, 1, 1);
    measure(&bench, 1, FLIGHT_MOST);
    measure(&bench, LIMITS, 1);
    measure(&bench, LIMITS, FLIGHT_MOST);
    measure(&bench, 0, 1);
    measure(&bench, 0, FLIGHT_MOST);
    store_free(&bench.store);
    store_redis_free(&redis);
    store_memory_free(&options.shadow);
    event_base_free(bench.base);
    free(bench.samples_us);
    limit_set_free(&set);
    return 0;
}
