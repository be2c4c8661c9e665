/* Exactness over processes: 4 of them with 16 connections each charge one Redis with random costs and keys while an
 * injected clock runs in leaps. In no window are more than N admitted, a burst of 10 x N admits exactly N, and a name that
 * several of them use is charged once. */
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_limits.h"
#include "tests/fakes/redis_server.h"
#include "tests/fakes/test_store.h"

enum {
    PROCESSES = 4,
    CONNECTIONS = 16,
    CHARGES = 12000, /* of each process */
    KEYS = 5,
    NAMES = 400,
    MOST = 200, /* in a window */
    COST_MOST = 9,
    BUCKETS_MOST = 1 << 20,
    PATIENCE_MS = 60000, /* nothing is decided locally because the machine is busy */
};

static struct redis_server server;
static struct limit_set *set;

/* Shared by all processes. */
struct shared {
    struct fake_clock clock;
    uint64_t first_bucket;
    atomic_uint running, degraded, refused;
    atomic_uint named[NAMES]; /* how often each name was charged */
    atomic_uint admitted[KEYS][BUCKETS_MOST]; /* amounts by bucket since the first */
};
static struct shared *shared;

enum mode { MODE_RANDOM, MODE_BURST };

struct connection {
    struct store_charge charge; /* first */
    struct limit_use use;
    struct crowd *crowd;
    struct store *store;
    struct arena *arena;
    unsigned key;
    unsigned name; /* NAMES: none */
    char once[33];
};

struct crowd {
    struct event_base *base;
    struct connection connections[CONNECTIONS];
    unsigned left, under_way;
    enum mode mode;
    uint64_t dice;
};

static unsigned roll(struct crowd *crowd, unsigned sides)
{
    crowd->dice = crowd->dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(crowd->dice >> 33) % sides;
}

static void charge_next(struct connection *connection);

static void note(const struct connection *connection)
{
    const struct store_charge *charge = &connection->charge;

    if (charge->call.is_degraded || charge->call.result != STORE_OK) {
        atomic_fetch_add(&shared->degraded, 1);
        return;
    }
    if (!charge->admitted)
        atomic_fetch_add(&shared->refused, 1);
    if (!charge->admitted || charge->repeated)
        return;
    uint64_t bucket = connection->use.bucket - shared->first_bucket;
    if (bucket >= BUCKETS_MOST)
        abort(); /* in a child: no cmocka here */
    atomic_fetch_add(&shared->admitted[connection->key][bucket], (unsigned)connection->use.amount);
    if (connection->name < NAMES)
        atomic_fetch_add(&shared->named[connection->name], 1);
}

static void on_charged(struct store_call *call)
{
    struct connection *connection = (struct connection *)(void *)call;

    note(connection);
    connection->crowd->under_way--;
    charge_next(connection);
}

static void charge_next(struct connection *connection)
{
    struct crowd *crowd = connection->crowd;
    unsigned amount = 1;
    char login[32];

    if (crowd->left == 0) {
        if (crowd->under_way == 0)
            event_base_loopbreak(crowd->base);
        return;
    }
    crowd->left--;
    crowd->under_way++;
    connection->name = NAMES;
    connection->key = 0;
    if (crowd->mode == MODE_RANDOM) {
        connection->name = roll(crowd, 4) == 0 ? roll(crowd, NAMES) : NAMES;
        connection->key = connection->name < NAMES ? connection->name % KEYS : roll(crowd, KEYS);
        amount = 1 + (connection->name < NAMES ? connection->name : roll(crowd, 997)) % COST_MOST;
    }
    snprintf(login, sizeof(login), "%s%u", crowd->mode == MODE_BURST ? "burst" : "key",
             connection->key);
    snprintf(connection->once, sizeof(connection->once), "%032u", connection->name);
    arena_reset(connection->arena);
    connection->use = test_store_use(connection->arena, limit_set_at(set, 0), login, amount);
    connection->charge = (struct store_charge){ .call = { .done = on_charged },
                                                .uses = &connection->use,
                                                .use_count = 1 };
    if (connection->name < NAMES)
        connection->charge.once = slice_of(connection->once);
    if (store_charge(connection->store, &connection->charge))
        on_charged(&connection->charge.call); /* at once: only without Redis */
}

static bool all_are_up(struct crowd *crowd)
{
    struct store_status status;

    store_status(crowd->connections[0].store, &status);
    if (status.state != STORE_UP)
        return false;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct store_charge look = { .peek = true };
        struct connection *connection = &crowd->connections[i];
        if (store_charge(connection->store, &look))
            return false; /* decided here: not connected yet */
        store_abandon(connection->store, &look.call);
    }
    return true;
}

static void on_tick(UNUSED evutil_socket_t fd, UNUSED short what, UNUSED void *arg)
{
}

static void run_process(unsigned number, enum mode mode, unsigned charges)
{
    const struct timeval tick = { 0, 5000 };
    struct store_redis_options options = { .clock = &shared->clock.clock,
                                           .own_time = true,
                                           .answer_ms = PATIENCE_MS };
    struct crowd crowd = { .base = event_base_new(), .left = charges, .mode = mode };
    char url[160];
    const char *error;

    random_bytes(&crowd.dice, sizeof(crowd.dice));
    crowd.dice += number;
    snprintf(url, sizeof(url), "redis+unix://%s", server.socket);
    if (!redis_url_parse(slice_of(url), &options.url, &error))
        abort();
    options.shadow = store_memory_new(&clock_system, 16 << 20);
    struct store_redis *redis = store_redis_new(&options);
    struct event *alarm = event_new(crowd.base, -1, EV_PERSIST, on_tick, NULL);
    event_add(alarm, &tick);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &crowd.connections[i];
        connection->crowd = &crowd;
        connection->arena = arena_new(1 << 20);
        connection->store = store_redis_open(redis, crowd.base);
    }
    while (!all_are_up(&crowd))
        event_base_loop(crowd.base, EVLOOP_ONCE);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        charge_next(&crowd.connections[i]);
    event_base_dispatch(crowd.base);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        store_free(&crowd.connections[i].store);
        arena_free(&crowd.connections[i].arena);
    }
    event_free(alarm);
    event_base_free(crowd.base);
    store_redis_free(&redis);
    store_memory_free(&options.shadow);
}

/* The clock leaps by up to a fifth of the window, until all have ended. */
static void run_clock(enum mode mode)
{
    const struct timespec pause = { 0, 1000000 };
    uint64_t dice;

    random_bytes(&dice, sizeof(dice));
    while (atomic_load(&shared->running) > 0) {
        int status;
        if (waitpid(-1, &status, WNOHANG) > 0) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            atomic_fetch_sub(&shared->running, 1);
        }
        dice = dice * UINT64_C(6364136223846793005) + 1;
        if (mode == MODE_RANDOM)
            fake_clock_advance(&shared->clock, (dice >> 40) % (SECOND / 20));
        nanosleep(&pause, NULL);
    }
}

static void run_all(enum mode mode, unsigned charges)
{
    memset(shared, 0, sizeof(*shared));
    fake_clock_init(&shared->clock);
    shared->first_bucket = shared->clock.wall * WINDOW_BUCKETS / SECOND;
    redis_server_ask(&server, "FLUSHALL");
    atomic_store(&shared->running, PROCESSES);
    for (unsigned i = 0; i < PROCESSES; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            run_process(i, mode, charges);
            _exit(0);
        }
    }
    run_clock(mode);
}

static void assert_no_window_exceeds(unsigned *windows)
{
    for (unsigned key = 0; key < KEYS; key++) {
        unsigned sum = 0;
        for (size_t b = 0; b < BUCKETS_MOST; b++) {
            sum += shared->admitted[key][b];
            if (b > WINDOW_BUCKETS)
                sum -= shared->admitted[key][b - WINDOW_BUCKETS - 1];
            if (sum > MOST)
                fail_msg("key %u, bucket %zu: %u in a window", key, b, sum);
            *windows += shared->admitted[key][b] > 0;
        }
    }
}

static void no_window_exceeds_its_rate(UNUSED void **state)
{
    unsigned windows = 0, names = 0;

    run_all(MODE_RANDOM, CHARGES);
    assert_no_window_exceeds(&windows);
    for (unsigned i = 0; i < NAMES; i++) {
        if (shared->named[i] > 1)
            fail_msg("name %u was charged %u times", i, shared->named[i]);
        names += shared->named[i];
    }
    print_message("%u charges, %u refused, %u locally, %u buckets, %u names\n", PROCESSES * CHARGES,
                  shared->refused, shared->degraded, windows, names);
    assert_true(windows > 100 && names > 20 && shared->refused > 100);
    assert_int_equal(0, shared->degraded);
}

static void a_burst_admits_exactly_the_rate(UNUSED void **state)
{
    run_all(MODE_BURST, 10 * MOST / PROCESSES);
    assert_int_equal(0, shared->degraded);
    assert_int_equal(MOST, shared->admitted[0][0]);
    assert_int_equal(9 * MOST, shared->refused);
}

static int start(UNUSED void **state)
{
    redis_server_init(&server);
    redis_server_start(&server, NULL);
    set = fake_limit("exact", "200/1s");
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : 0;
}

static int stop(UNUSED void **state)
{
    munmap(shared, sizeof(*shared));
    limit_set_free(&set);
    redis_server_end(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_window_exceeds_its_rate),
        cmocka_unit_test(a_burst_admits_exactly_the_rate),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
