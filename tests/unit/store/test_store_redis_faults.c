/* The store when Redis is hung, killed, replaced, read-only, full, locked or of another version, while charges go on: every
 * call is answered, none later than 100 ms and some slack, Redis is in use again within a second, and nothing is admitted
 * twice over. */
#include "tests/unit/unit.h"

#include <time.h>

#include "tests/fakes/fake_limits.h"
#include "tests/fakes/redis_server.h"
#include "tests/fakes/shown_metric.h"
#include "tests/fakes/test_store.h"

enum {
    SLOWEST_MS = 100 + 150, /* the promise, and what a busy machine may add */
    RECOVERY_MS = 1000 + 200,
    CHARGES_LEAST = 11, /* of a load, however slow the machine is */
};

static struct redis_server server, other;
static struct test_store test;
static struct limit_set *hourly, *many;

static const struct limit *limit_of(struct limit_set *set)
{
    return limit_set_at(set, 0);
}

static int start(UNUSED void **state)
{
    hourly = fake_limit("hourly", "10/1h");
    many = fake_limit("many", "1000000/1h");
    return 0;
}

static int stop(UNUSED void **state)
{
    limit_set_free(&hourly);
    limit_set_free(&many);
    return 0;
}

/* `answer_ms`: 0 (the promise), or PATIENT_MS where Redis is there, or is seen to be gone, all the time: then no charge is
 * decided locally because the machine is busy. */
static void open_by_tcp(const char *user, const char *password, uint64_t answer_ms)
{
    char url[64];

    snprintf(url, sizeof(url), "redis://%s127.0.0.1:%u", user, server.port);
    test_store_open_as(
        &test, url, password,
        (struct store_redis_options){ .clock = &clock_system, .answer_ms = answer_ms });
    assert_true(test_store_wait(&test, STORE_UP, PATIENT_MS));
}

static int start_server(UNUSED void **state)
{
    redis_server_init(&server);
    redis_server_start(&server, NULL);
    open_by_tcp("", NULL, 0);
    return 0;
}

static int start_server_patiently(UNUSED void **state)
{
    redis_server_init(&server);
    redis_server_start(&server, NULL);
    open_by_tcp("", NULL, PATIENT_MS);
    return 0;
}

static int stop_server(UNUSED void **state)
{
    test_store_close(&test);
    redis_server_end(&server);
    return 0;
}

struct load {
    unsigned charges, admitted, degraded;
    uint64_t slowest_ms, first_ms; /* of all; of the first one */
};

/* Charges with names of their own, one after the other. */
static struct load charge_for(unsigned ms)
{
    static unsigned number;
    uint64_t end = real_ms() + ms;
    struct load load = { 0 };

    while (real_ms() < end || load.charges < CHARGES_LEAST) {
        char name[33];
        snprintf(name, sizeof(name), "load%u", number++);
        struct charged got =
            test_store_charge(&test, limit_of(many), "alice", 1, name, CHARGE_ONCE);
        assert_int_equal(STORE_OK, got.result);
        if (load.charges++ == 0)
            load.first_ms = got.took_ms;
        if (got.took_ms > load.slowest_ms)
            load.slowest_ms = got.took_ms;
        load.admitted += got.admitted;
        load.degraded += got.is_degraded;
        test_store_run(&test, 1);
    }
    return load;
}

static void assert_local(struct load load)
{
    assert_int_equal(load.charges, load.admitted);
    assert_true(load.degraded >= load.charges - 1);
    if (load.slowest_ms > SLOWEST_MS)
        fail_msg("a charge took %u ms", (unsigned)load.slowest_ms);
}

static uint64_t redis_usage(struct redis_server *of, struct limit_set *set, const char *login)
{
    static const char sum[] =
        "local t=0 for _,k in ipairs(redis.call('KEYS',ARGV[1])) do for _,v in "
        "ipairs(redis.call('HVALS',k)) do t=t+v end end return t";
    char pattern[96];
    uint64_t number = UINT64_MAX;

    snprintf(pattern, sizeof(pattern), "gh:q:{t:%s}:%.*s.*", login,
             SLICE_ARG(limit_name(limit_of(set))));
    (void)slice_to_u64(slice_of(redis_server_ask(of, "EVAL %s 0 %s", sum, pattern)), &number);
    return number;
}

/* Waits until everything is written back. */
static void assert_usage(struct redis_server *of, struct limit_set *set, const char *login,
                         uint64_t want)
{
    struct store_memory_stats stats;

    uint64_t begin = real_ms();
    do {
        test_store_run(&test, 20);
        store_memory_stats(test.memory, &stats);
    } while (stats.owed > 0 && real_ms() - begin < PATIENT_MS);
    uint64_t got = redis_usage(of, set, login);
    if (got != want)
        fail_msg("Redis has %u, charged were %u; still owed: %u", (unsigned)got, (unsigned)want,
                 (unsigned)stats.owed);
}

static void hung_and_awake_again(UNUSED void **state)
{
    struct load before = charge_for(100);
    redis_server_stop(&server);
    struct load hung = charge_for(400); /* less than what makes it give the connection up */
    assert_local(hung);
    redis_server_continue(&server);
    assert_true(test_store_wait(&test, STORE_UP, RECOVERY_MS));
    struct load after = charge_for(100);
    assert_true(after.slowest_ms <= SLOWEST_MS);
    assert_usage(&server, many, "alice", before.admitted + hung.admitted + after.admitted);
}

#define CALLS "gatehouse_store_calls_total"
#define DEGRADED "gatehouse_store_degraded_total"
#define FAILED "gatehouse_store_failed_total"
#define TIMEOUTS "gatehouse_store_timeouts_total"
#define WRITTEN_BACK "gatehouse_store_written_back_total"

static void hung_for_long(UNUSED void **state)
{
    struct load before = charge_for(100);
    assert_usage(&server, many, "alice", before.admitted);
    redis_server_stop(&server);
    uint64_t calls = shown_metric(CALLS), degraded = shown_metric(DEGRADED);
    uint64_t timeouts = shown_metric(TIMEOUTS), failed = shown_metric(FAILED);
    struct load hung = charge_for(2500);
    assert_local(hung);
    assert_int_equal(calls + hung.charges, shown_metric(CALLS));
    assert_int_equal(degraded + hung.degraded, shown_metric(DEGRADED));
    assert_int_equal(failed, shown_metric(FAILED));
    assert_in_range(shown_metric(TIMEOUTS), timeouts + 1, timeouts + hung.degraded);
    redis_server_continue(&server);
    assert_true(test_store_wait(&test, STORE_UP, RECOVERY_MS));
    assert_usage(&server, many, "alice", before.admitted + hung.admitted);
}

static void killed_and_started_empty(UNUSED void **state)
{
    struct load before = charge_for(100);
    assert_usage(&server, many, "alice", before.admitted);
    uint64_t written_back = shown_metric(WRITTEN_BACK);
    redis_server_kill(&server);
    struct load dead = charge_for(1500);
    assert_local(dead);
    assert_int_equal(before.charges, before.admitted);
    redis_server_start(&server, NULL);
    assert_true(test_store_wait(&test, STORE_UP, RECOVERY_MS));
    assert_usage(&server, many, "alice", dead.admitted); /* all that this host admitted alone */
    assert_int_equal(written_back + dead.admitted, shown_metric(WRITTEN_BACK));
}

static void the_shadow_knows_what_redis_admitted(UNUSED void **state)
{
    unsigned admitted = 0;

    for (int i = 0; i < 8; i++)
        admitted +=
            test_store_charge(&test, limit_of(hourly), "bob", 1, NULL, CHARGE_ONCE).admitted;
    redis_server_kill(&server);
    for (int i = 0; i < 50; i++)
        admitted +=
            test_store_charge(&test, limit_of(hourly), "bob", 1, NULL, CHARGE_ONCE).admitted;
    assert_int_equal(10, admitted);
}

static void the_last_live_value_stays_in_force(UNUSED void **state)
{
    redis_server_ask(&server, "HSET gh:limit:hourly user:bob 3/1h");
    assert_true(test_store_charge(&test, limit_of(hourly), "bob", 3, NULL, CHARGE_ONCE).admitted);
    redis_server_kill(&server);
    struct charged got = test_store_charge(&test, limit_of(hourly), "bob", 1, NULL, CHARGE_ONCE);
    assert_true(got.is_degraded);
    assert_false(got.admitted);
    assert_int_equal(3, got.use.rate.most);
}

static void a_named_charge_counts_once_across_an_outage(UNUSED void **state)
{
    redis_server_stop(&server);
    assert_true(test_store_charge(&test, limit_of(hourly), "bob", 4, "m", CHARGE_ONCE).admitted);
    redis_server_continue(&server); /* it runs there late */
    assert_true(test_store_wait(&test, STORE_UP, RECOVERY_MS));
    assert_true(test_store_charge(&test, limit_of(hourly), "bob", 4, "m", CHARGE_ONCE).repeated);
    assert_usage(&server, hourly, "bob", 4);
    redis_server_kill(&server);
    assert_true(test_store_charge(&test, limit_of(hourly), "bob", 5, "n", CHARGE_ONCE).admitted);
    redis_server_start(&server, NULL);
    assert_true(test_store_wait(&test, STORE_UP, RECOVERY_MS));
    assert_usage(&server, hourly, "bob", 5);
    assert_true(test_store_charge(&test, limit_of(hourly), "bob", 5, "n", CHARGE_ONCE).repeated);
}

/* Charges without a name are not known again: what Redis did with one that it answers late decides whether it is written
 * back. */
static void a_late_answer_settles_what_it_admitted(UNUSED void **state)
{
    static const struct {
        const char *what, *before; /* asked of Redis before it hangs */
        uint64_t counted, want; /* by another host; in the end */
    } rows[] = {
        { "admitted", "PING", 0, 4 },
        { "refused: others had used it", "PING", 10, 14 },
        { "asked in vain: a live value is new", "HSET gh:limit:hourly user:bob 30/1h", 0, 4 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct test_store there;
        struct store_redis_options options = { .clock = &clock_system, .own_time = true };
        test_store_close(&test);
        redis_server_ask(&server, "FLUSHALL");
        assert_true(test_store_reach(&test, &server, options));
        options.answer_ms = PATIENT_MS;
        assert_true(test_store_reach(&there, &server, options));
        if (rows[i].counted > 0)
            assert_true(test_store_charge(&there, limit_of(hourly), "bob", rows[i].counted, NULL,
                                          CHARGE_ONCE)
                            .admitted);
        redis_server_ask_words(&server, rows[i].before);
        redis_server_stop(&server);
        struct charged got =
            test_store_charge(&test, limit_of(hourly), "bob", 4, NULL, CHARGE_ONCE);
        redis_server_continue(&server);
        if (!got.admitted || !got.is_degraded)
            fail_msg("%s: not decided locally", rows[i].what);
        assert_true(test_store_wait(&test, STORE_UP, RECOVERY_MS));
        print_message("%s\n", rows[i].what);
        assert_usage(&server, hourly, "bob", rows[i].want);
        test_store_close(&there);
    }
}

/* Faults that commands begin and end, separated by `;`. */
static const struct {
    const char *what, *begin, *end, *says;
} faults[] = {
    { "read-only", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "read" },
    { "full", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM" },
    { "full, and without its scripts", "CONFIG SET maxmemory 1;SCRIPT FLUSH",
      "SCRIPT FLUSH;CONFIG SET maxmemory 0", "OOM" },
    { "too few replicas", "CONFIG SET min-replicas-to-write 1",
      "CONFIG SET min-replicas-to-write 0", "NOREPLICAS" },
    { "another schema", "SET gh:schema 2;CLIENT KILL TYPE normal", "SET gh:schema 1",
      "gh:schema is 2" },
    { "without rights", "ACL SETUSER default -evalsha", "ACL SETUSER default +evalsha", "NOPERM" },
};

static void wait_until_it_says(const char *says)
{
    uint64_t begin = real_ms();
    struct store_status status;

    for (;;) {
        store_status(test.store, &status);
        if (strstr(status.detail, says) != NULL)
            return;
        if (real_ms() - begin > PATIENT_MS)
            fail_msg("not %s, but %s", says, status.detail);
        test_store_run(&test, 5);
    }
}

/* From then on all the time: what probes it is refused as charges are. */
static void says_what_it_cannot_do_with(const char *what, const char *says)
{
    struct store_status status;

    wait_until_it_says(says);
    for (int i = 0; i < 300; i++) {
        store_status(test.store, &status);
        if (status.state != STORE_DEGRADED || strstr(status.detail, says) == NULL)
            fail_msg("%s, look %d: %d, %s", what, i, status.state, status.detail);
        test_store_run(&test, 1);
    }
}

static void faulty(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(faults); i++) {
        uint64_t base = redis_usage(&server, many, "alice");
        redis_server_ask_words(&server, faults[i].begin);
        struct load load = charge_for(500);
        print_message("%s: %u charges, %u locally, slowest %u ms\n", faults[i].what, load.charges,
                      load.degraded, (unsigned)load.slowest_ms);
        assert_local(load);
        says_what_it_cannot_do_with(faults[i].what, faults[i].says);
        redis_server_ask_words(&server, faults[i].end);
        assert_true(test_store_wait(&test, STORE_UP, RECOVERY_MS));
        struct load after = charge_for(50);
        assert_int_equal(0, after.degraded);
        assert_usage(&server, many, "alice", base + load.admitted + after.admitted);
    }
}

static void wrong_password(UNUSED void **state)
{
    redis_server_ask(&server, "CONFIG SET requirepass right");
    snprintf(server.password, sizeof(server.password), "right");
    test_store_close(&test);
    open_by_tcp("", "right", PATIENT_MS);
    redis_server_ask(&server, "CONFIG SET requirepass changed");
    snprintf(server.password, sizeof(server.password), "changed");
    redis_server_ask(&server, "CLIENT KILL TYPE normal");
    assert_local(charge_for(500));
    wait_until_it_says("WRONGPASS");
    redis_server_ask(&server, "CONFIG SET requirepass right");
    assert_true(test_store_wait(&test, STORE_UP, RECOVERY_MS));
}

static void a_user_of_an_acl(UNUSED void **state)
{
    redis_server_ask(&server,
                     "ACL SETUSER gate on >secret ~gh:* +@read +@write +role +select +script +eval "
                     "+evalsha +scan +time -@dangerous +role");
    test_store_close(&test);
    open_by_tcp("gate@", "secret", PATIENT_MS);
    assert_int_equal(0, charge_for(50).degraded);
}

static void waits_as_long_as_it_is_told(UNUSED void **state)
{
    static const uint64_t answer_ms = 1200; /* whole seconds and a part of one */
    static const uint64_t coarse_ms = 50; /* libevent's clock is */
    struct store_status status;

    test_store_close(&test);
    open_by_tcp("", NULL, answer_ms);
    redis_server_stop(&server);
    uint64_t begin = real_ms();
    struct charged got = test_store_charge(&test, limit_of(many), "alice", 1, "x", CHARGE_ONCE);
    assert_true(got.admitted && got.is_degraded);
    assert_true(real_ms() - begin + coarse_ms >= answer_ms);
    store_status(test.store, &status);
    assert_string_equal("no answer within 1200 ms", status.detail);
    redis_server_continue(&server);
    assert_true(test_store_wait(&test, STORE_UP, RECOVERY_MS));
}

static void calls_without_a_copy_fail_in_time(UNUSED void **state)
{
    const struct slice field = SLICE_INIT("a");
    struct slice text;
    struct store_fetch fetch = { .key = SLICE_INIT("list:x"),
                                 .fields = &field,
                                 .count = 1,
                                 .texts = &text,
                                 .arena = test.arena };
    struct store_write write = { .key = SLICE_INIT("rule"), .field = field, .text = field };
    uint64_t begin = own_ms(), failed = shown_metric(FAILED);

    redis_server_stop(&server);
    test_store_finish(&test, store_fetch(test.store, &fetch), &fetch.call);
    assert_int_equal(STORE_FAILED, fetch.call.result);
    assert_true(own_ms_since(begin) <= SLOWEST_MS);
    test_store_finish(&test, store_write(test.store, &write), &write.call);
    assert_int_equal(STORE_FAILED, write.call.result);
    assert_int_equal(failed + 2, shown_metric(FAILED));
    assert_true(own_ms_since(begin) <= 3000);
}

static void what_can_wait_waits_for_a_connection(UNUSED void **state)
{
    struct store_write write = { .key = SLICE_INIT("rule"),
                                 .field = SLICE_INIT("a"),
                                 .text = SLICE_INIT("b") };
    char url[64];

    test_store_close(&test);
    snprintf(url, sizeof(url), "redis://localhost:%u", server.port); /* through the resolver */
    test_store_open(&test, url, NULL, &clock_system, false);
    test_store_finish(&test, store_write(test.store, &write), &write.call);
    assert_int_equal(STORE_OK, write.call.result);
    assert_string_equal("b", redis_server_ask(&server, "HGET gh:rule a"));
}

/* ---- Sentinel ---- */

static void wait_for_word(struct redis_server *of, const char *command, const char *word)
{
    static const struct timespec pause = { 0, 20000000 };
    uint64_t begin = real_ms();

    while (strstr(redis_server_ask_words(of, command), word) == NULL) {
        if (real_ms() - begin > 3 * PATIENT_MS)
            fail_msg("%s: %s", command, of->answer);
        nanosleep(&pause, NULL);
    }
}

/* The master is down when it is killed, not when the machine has no time for it: so long nobody looks. */
static void start_pair(struct redis_server *sentinel)
{
    char port[8], config[256];
    const char *options[] = { "--replicaof", "127.0.0.1", port, NULL };

    redis_server_init(&server);
    redis_server_init(&other);
    redis_server_init(sentinel);
    redis_server_start(&server, NULL);
    snprintf(port, sizeof(port), "%u", server.port);
    redis_server_start(&other, options);
    snprintf(config, sizeof(config),
             "sentinel monitor gate 127.0.0.1 %u 1\nsentinel down-after-milliseconds gate 60000\n"
             "sentinel failover-timeout gate 3000\n",
             server.port);
    redis_server_start_sentinel(sentinel, config);
    /* until it knows the replica, and that is in step */
    wait_for_word(sentinel, "SENTINEL replicas gate", "127.0.0.1");
    wait_for_word(&other, "INFO replication", "master_link_status:up");
}

/* As the master, and that says so itself. */
static bool names(struct redis_server *sentinel, const char *port)
{
    return strstr(redis_server_ask(sentinel, "SENTINEL get-master-addr-by-name gate"), port) !=
               NULL &&
           strstr(redis_server_ask(&other, "ROLE"), "master") != NULL;
}

static void follows_a_failover(UNUSED void **state)
{
    struct redis_server sentinel;
    unsigned admitted = 0;
    char url[128], port[8];

    start_pair(&sentinel);
    /* The first sentinel does not exist. */
    snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%u,127.0.0.1:%u/gate", free_port(),
             sentinel.port);
    test_store_open(&test, url, NULL, &clock_system, false);
    assert_true(test_store_wait(&test, STORE_UP, PATIENT_MS));
    admitted += charge_for(200).admitted;
    assert_usage(&server, many, "alice", admitted);
    for (uint64_t begin = real_ms(); redis_usage(&other, many, "alice") != admitted;) {
        assert_true(real_ms() - begin < PATIENT_MS);
        test_store_run(&test, 20); /* until it is replicated */
    }
    redis_server_kill(&server);
    redis_server_ask_words(&sentinel, "SENTINEL SET gate down-after-milliseconds 300");
    snprintf(port, sizeof(port), "%u", other.port);
    for (uint64_t begin = real_ms(); !names(&sentinel, port);) {
        struct load load = charge_for(100);
        admitted += load.admitted;
        assert_true(load.slowest_ms <= SLOWEST_MS);
        assert_true(real_ms() - begin < 6 * PATIENT_MS);
    }
    assert_true(test_store_wait(&test, STORE_UP, RECOVERY_MS));
    assert_usage(&other, many, "alice", admitted);
    test_store_close(&test);
    redis_server_end(&sentinel);
    redis_server_end(&other);
    redis_server_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start_server, stop_server)
#define PATIENT(name) cmocka_unit_test_setup_teardown(name, start_server_patiently, stop_server)
        T(hung_and_awake_again),
        T(hung_for_long),
        T(killed_and_started_empty),
        T(the_shadow_knows_what_redis_admitted),
        PATIENT(the_last_live_value_stays_in_force),
        T(a_named_charge_counts_once_across_an_outage),
        T(a_late_answer_settles_what_it_admitted),
        PATIENT(faulty),
        T(wrong_password),
        T(a_user_of_an_acl),
        T(waits_as_long_as_it_is_told),
        T(calls_without_a_copy_fail_in_time),
        T(what_can_wait_waits_for_a_connection),
        cmocka_unit_test(follows_a_failover),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
