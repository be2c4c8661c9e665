/* tests/unit/net/test_redis.c - connecting to Redis and logging in: which address of its name is used, and what follows
 * when one is of no use. What a login needs is seen with a real Redis in tests/unit/store. */
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/redis.h"
#include "tests/fakes/fake_names.h"
#include "tests/fakes/scripted_redis.h"

enum { SERVERS = 2, REPLIES = 5, WAIT_MS = 10000, TRIES = 20 };

#define OK "+OK\r\n"
#define MASTER "*1\r\n$6\r\nmaster\r\n"
#define REPLICA "*1\r\n$5\r\nslave\r\n"
#define LOADING "-LOADING Redis is loading the dataset in memory\r\n"
#define SCHEMA "$1\r\n1\r\n"
#define DIGEST "$40\r\n0123456789012345678901234567890123456789\r\n"
/* The replies to SELECT, ROLE, SET, GET and SCRIPT LOAD. */
#define GOOD                                                                                       \
    {                                                                                              \
        OK, MASTER, OK, SCHEMA, DIGEST                                                             \
    }

static struct bench {
    struct event_base *base;
    struct redis_url url;
    struct redis_secrets secrets;
    struct redis *redis;
    struct scripted_redis servers[SERVERS];
    unsigned changes;
    uint64_t end_ms; /* of patience */
} bench;

static uint64_t now_ms(void)
{
    return clock_system.now_ms(&clock_system);
}

static void on_changed(UNUSED void *arg)
{
    bench.changes++;
}

/* Servers at 127.0.0.1 and 127.0.0.2 on one port, and none at 127.0.0.3. */
static void start_servers(void)
{
    bool is_started = false;

    for (int n = 0; !is_started && n < TRIES; n++) {
        if (n > 0)
            scripted_redis_stop(&bench.servers[0]);
        scripted_redis_stop(&bench.servers[1]);
        assert_true(scripted_redis_start(&bench.servers[0], bench.base, "127.0.0.1", 0));
        is_started =
            scripted_redis_start(&bench.servers[1], bench.base, "127.0.0.2", bench.servers[0].port);
    }
    assert_true(is_started);
}

static void script(size_t server, const char *const replies[static REPLIES])
{
    bench.servers[server].replies = replies;
    bench.servers[server].reply_count = REPLIES;
}

static int setup(UNUSED void **state)
{
    bench = (struct bench){ .base = event_base_new() };
    start_servers();
    return 0;
}

static int teardown(UNUSED void **state)
{
    redis_free(&bench.redis);
    for (size_t i = 0; i < SERVERS; i++)
        scripted_redis_stop(&bench.servers[i]);
    event_base_free(bench.base);
    return 0;
}

static void begin(const char *addresses)
{
    static const char *const scripts[] = { "return 1" };
    const struct redis_options options = {
        .url = &bench.url,
        .secrets = &bench.secrets,
        .scripts = scripts,
        .script_count = COUNT(scripts),
        .schema = "1",
        .answer_ms = 100,
        .changed = on_changed,
    };

    bench.url = (struct redis_url){ .kind = REDIS_URL_TCP, .host_count = 1 };
    bench.url.hosts[0].port = bench.servers[0].port;
    fake_name_make(addresses, bench.url.hosts[0].name, sizeof bench.url.hosts[0].name);
    bench.redis = redis_new(bench.base, &options);
    assert_non_null(bench.redis);
    bench.end_ms = now_ms() + WAIT_MS;
}

static void run_once(void)
{
    event_base_loop(bench.base, EVLOOP_NONBLOCK);
    if (now_ms() > bench.end_ms)
        fail_msg("after %u ms: %s", WAIT_MS, redis_problem(bench.redis));
    usleep(200);
}

/* Runs until it is ready, or for so many connections to the first server. */
static bool becomes_ready(unsigned attempts)
{
    while (!redis_is_ready(bench.redis) && bench.servers[0].accepted < attempts)
        run_once();
    return redis_is_ready(bench.redis);
}

static const struct row {
    const char *addresses;
    const char *first[REPLIES]; /* the second server is good */
    unsigned asked[SERVERS]; /* connections to each */
} rows[] = {
    { "127.0.0.1 127.0.0.2", GOOD, { 1, 0 } },
    { "127.0.0.2 127.0.0.1", GOOD, { 0, 1 } },
    { "127.0.0.3 127.0.0.2", GOOD, { 0, 1 } },
    { "127.0.0.1 127.0.0.2", { OK, REPLICA }, { 1, 1 } },
    { "127.0.0.1 127.0.0.3 127.0.0.2", { OK, REPLICA }, { 1, 1 } },
    { "127.0.0.1 127.0.0.1 127.0.0.2", { OK, REPLICA }, { 2, 1 } },
    { "127.0.0.1 127.0.0.2", { LOADING }, { 1, 1 } },
    { "127.0.0.1 127.0.0.2", { OK, MASTER, LOADING, LOADING }, { 1, 1 } },
    { "127.0.0.1 127.0.0.2", { "-NOAUTH Authentication required.\r\n" }, { 1, 1 } },
    { "127.0.0.1 127.0.0.2", { OK, MASTER, OK, "$1\r\n2\r\n" }, { 1, 1 } },
    { "127.0.0.1 127.0.0.2", { OK, MASTER, OK, SCHEMA, OK }, { 1, 1 } },
    { "127.0.0.1 127.0.0.2", { OK, MASTER, "" }, { 1, 1 } },
    { "127.0.0.1 127.0.0.2", { OK, NULL }, { 1, 1 } },
};

static const char *const good[] = GOOD;

/* One attempt finds it. On a machine so busy that the good one has no time to answer the try is worthless. */
static bool is_right(const struct row *row)
{
    bool is_right = true;

    setup(NULL);
    script(0, row->first);
    script(1, good);
    begin(row->addresses);
    becomes_ready(row->asked[0] + 1);
    for (size_t i = 0; i < SERVERS; i++)
        is_right &= bench.servers[i].accepted == row->asked[i];
    is_right &= redis_is_ready(bench.redis) && bench.changes == 1;
    teardown(NULL);
    return is_right;
}

static void uses_the_first_address_that_can_be_logged_in_to(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        int n = 0;
        while (n < TRIES && !is_right(&rows[i]))
            n++;
        if (n == TRIES)
            fail_msg("row %zu: %s", i, rows[i].addresses);
    }
}

/* Each address once, and then it waits: at least half of 50, of 100 and of 200 ms. */
static void waits_when_none_is_of_use(UNUSED void **state)
{
    static const char *const replica[REPLIES] = { OK, REPLICA };
    static const char *const loading[REPLIES] = { OK, MASTER, LOADING, LOADING };
    uint64_t begin_ms = now_ms();

    script(0, replica);
    script(1, loading);
    begin("127.0.0.1 127.0.0.2");
    assert_false(becomes_ready(4));
    assert_true(now_ms() - begin_ms >= 150);
    assert_true(bench.servers[1].accepted <= bench.servers[0].accepted);
    while (bench.servers[1].accepted == 0)
        run_once();
    assert_int_equal(0, bench.changes);
    assert_string_not_equal("", redis_problem(bench.redis));
}

/* One that becomes a replica: the other one may be the master now. */
static void follows_the_master(UNUSED void **state)
{
    static const char *const replica[REPLIES] = { OK, REPLICA };

    script(0, good);
    script(1, good);
    begin("127.0.0.1 127.0.0.2");
    while (!redis_is_ready(bench.redis))
        run_once();
    script(0, replica);
    redis_renew(bench.redis, "is a replica");
    assert_false(redis_is_ready(bench.redis));
    while (!redis_is_ready(bench.redis))
        run_once();
    assert_true(bench.servers[1].accepted > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uses_the_first_address_that_can_be_logged_in_to),
        cmocka_unit_test_setup_teardown(waits_when_none_is_of_use, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_the_master, setup, teardown),
    };

    signal(SIGPIPE, SIG_IGN); /* as the daemons do */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
