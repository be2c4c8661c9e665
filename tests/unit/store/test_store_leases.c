/* tests/unit/store/test_store_leases.c - connections at the same time through store.h: in memory, and in a real Redis over
 * several processes, one of which dies. */
#include "tests/unit/unit.h"

#include "common/store/leases.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/redis_server.h"
#include "tests/fakes/test_store.h"

static struct redis_server server;
static struct test_store here, there; /* two processes */
static struct fake_clock fake;

static const struct slice subjects[] = { SLICE_INIT("a:192.0.2.7"), SLICE_INIT("*") };

static struct store_lease opened(struct test_store *host, size_t count)
{
    struct store_lease lease = { .subjects = subjects, .count = count };

    test_store_finish(host, store_lease_open(host->store, &lease), &lease.call);
    assert_int_equal(STORE_OK, lease.call.result);
    return lease;
}

/* Closes it, and waits until Redis has heard of it. */
static void close_lease(struct test_store *host, struct store_lease *lease)
{
    store_lease_close(host->store, lease);
    test_store_charge(host, NULL, "", 0, NULL, CHARGE_PEEK); /* pipelined behind it */
}

/* Runs until Redis has a word that holds until `ends_ms`. */
static void wait_until_told(struct test_store *host, uint64_t ends_ms)
{
    uint64_t end = real_ms() + 5000;
    char want[32];

    snprintf(want, sizeof want, " %llu ", (unsigned long long)ends_ms);
    while (strstr(redis_server_ask(&server, "HVALS gh:conn:{*}"), want) == NULL) {
        assert_true(real_ms() < end);
        test_store_run(host, 10);
    }
}

static uint64_t leases_of(struct test_store *host)
{
    struct store_memory_stats stats;

    store_memory_stats(host->memory, &stats);
    return stats.leases;
}

static void counts_over_all_processes(UNUSED void **state)
{
    struct store_lease first = opened(&here, 2), second = opened(&there, 2), third;

    assert_int_equal(1, first.totals[0]);
    assert_int_equal(1, first.totals[1]);
    assert_int_equal(2, second.totals[0]);
    third = opened(&there, 1);
    assert_int_equal(3, third.totals[0]);
    assert_false(third.call.is_degraded);
    close_lease(&here, &first);
    close_lease(&here, &first); /* twice is once */
    struct store_lease fourth = opened(&there, 2);
    assert_int_equal(3, fourth.totals[0]);
    assert_int_equal(2, fourth.totals[1]);
    close_lease(&there, &second);
    close_lease(&there, &third);
    close_lease(&there, &fourth);
    fourth = opened(&here, 2);
    assert_int_equal(1, fourth.totals[0]);
    close_lease(&here, &fourth);
    assert_int_equal(0, leases_of(&here) + leases_of(&there));
}

static void renews_what_is_open_and_forgets_who_died(UNUSED void **state)
{
    struct store_lease mine = opened(&here, 2), theirs = opened(&there, 2), look;

    assert_int_equal(2, theirs.totals[1]);
    /* The other process dies without a word: its loop does not run any more. */
    for (uint64_t passed = 0; passed < STORE_LEASE_MS; passed += STORE_LEASE_RENEW_MS) {
        fake_clock_advance(&fake, STORE_LEASE_RENEW_MS);
        wait_until_told(&here, fake.wall + STORE_LEASE_MS);
    }
    look = opened(&here, 2);
    assert_int_equal(2, look.totals[0]);
    assert_int_equal(2, look.totals[1]);
    assert_string_equal("1", redis_server_ask(&server, "HLEN gh:conn:{*}"));
    close_lease(&here, &look);
    close_lease(&here, &mine);
    store_lease_close(there.store, &theirs);
}

static void a_share_holds_until_its_time_is_over(UNUSED void **state)
{
    struct store_lease theirs = opened(&there, 1), look;

    fake_clock_advance(&fake, STORE_LEASE_MS - 1);
    look = opened(&here, 1);
    assert_int_equal(2, look.totals[0]);
    fake_clock_advance(&fake, 1);
    close_lease(&here, &look);
    look = opened(&here, 1);
    assert_int_equal(1, look.totals[0]);
    close_lease(&here, &look);
    close_lease(&there, &theirs);
}

static void every_key_ends(UNUSED void **state)
{
    struct store_lease lease = opened(&here, 2);

    for (unsigned i = 0; i < 2; i++) {
        char key[64];
        snprintf(key, sizeof key, "gh:conn:{%.*s}", SLICE_ARG(subjects[i]));
        unsigned long left = strtoul(redis_server_ask(&server, "PTTL %s", key), NULL, 10);
        assert_true(left > 0 && left <= STORE_LEASE_MS);
    }
    close_lease(&here, &lease);
    assert_true(strtoul(redis_server_ask(&server, "PTTL gh:conn:{*}"), NULL, 10) <= STORE_LEASE_MS);
}

/* An earlier word of the same process that comes later changes nothing. */
static void words_may_overtake_each_other(UNUSED void **state)
{
    struct store_lease first = opened(&here, 1), second = opened(&here, 1);
    char process[64], text[64];

    assert_int_equal(2, second.totals[0]);
    snprintf(process, sizeof process, "%s",
             redis_server_ask(&server, "HKEYS gh:conn:{a:192.0.2.7}"));
    snprintf(text, sizeof text, "7 %llu 1000000",
             (unsigned long long)(FAKE_CLOCK_WALL + STORE_LEASE_MS));
    redis_server_ask(&server, "HSET gh:conn:{a:192.0.2.7} %s %s", process, text);
    struct store_lease look = opened(&here, 1);
    assert_int_equal(7, look.totals[0]);
    look.totals[0] = 0;
    close_lease(&here, &look);
    close_lease(&here, &first);
    close_lease(&here, &second);
}

static void what_somebody_else_put_there_harms_nobody(UNUSED void **state)
{
    static const char *const commands[] = {
        "SET gh:conn:{a:192.0.2.7} text",
        "HSET gh:conn:{a:192.0.2.7} x y",
        "HSET gh:conn:{a:192.0.2.7} x -5",
        "LPUSH gh:conn:{a:192.0.2.7} x",
    };

    for (size_t i = 0; i < COUNT(commands); i++) {
        redis_server_ask(&server, "DEL gh:conn:{a:192.0.2.7}");
        redis_server_ask_words(&server, commands[i]);
        struct store_lease lease = opened(&here, 1);
        assert_int_equal(1, lease.totals[0]);
        assert_false(lease.call.is_degraded);
        close_lease(&here, &lease);
    }
}

static void counts_alone_while_redis_is_away(UNUSED void **state)
{
    struct store_lease theirs = opened(&there, 1), mine[3];

    redis_server_stop(&server);
    uint64_t begin = own_ms();
    for (size_t i = 0; i < 3; i++) {
        mine[i] = opened(&here, 1);
        assert_true(mine[i].call.is_degraded);
        assert_int_equal(i + 1, mine[i].totals[0]);
    }
    assert_true(own_ms_since(begin) < 100 + 150);
    store_lease_close(here.store, &mine[0]);
    redis_server_continue(&server);
    assert_true(test_store_wait(&here, STORE_UP, 3000));
    struct store_lease look = opened(&here, 1); /* its word is the whole count */
    assert_false(look.call.is_degraded);
    assert_int_equal(4, look.totals[0]);
    close_lease(&here, &look);
    close_lease(&here, &mine[1]);
    close_lease(&here, &mine[2]);
    store_lease_close(there.store, &theirs);
}

static void a_redis_that_lost_its_data_is_told_again(UNUSED void **state)
{
    struct store_lease mine = opened(&here, 2), look;

    redis_server_ask(&server, "FLUSHALL");
    redis_server_ask(&server, "SCRIPT FLUSH");
    /* The first renewal learns that the script is gone, the second one brings it along. */
    for (unsigned i = 0; i < 50; i++) {
        fake_clock_advance(&fake, STORE_LEASE_RENEW_MS);
        test_store_run(&here, 120);
        if (strcmp(redis_server_ask(&server, "EXISTS gh:conn:{*}"), "1") == 0)
            break;
    }
    look = opened(&there, 2);
    assert_int_equal(2, look.totals[0]);
    close_lease(&there, &look);
    close_lease(&here, &mine);
}

static void a_call_that_is_closed_does_not_end(UNUSED void **state)
{
    struct store_lease lease = { .subjects = subjects, .count = 2 };

    assert_false(store_lease_open(here.store, &lease));
    assert_non_null(lease.call.pending);
    store_lease_close(here.store, &lease);
    assert_null(lease.call.pending);
    test_store_run(&here, 30);
    assert_int_equal(0, leases_of(&here));
    struct store_lease look = opened(&there, 1);
    assert_int_equal(1, look.totals[0]);
    close_lease(&there, &look);
}

static struct store_lease looking(struct test_store *host)
{
    struct store_lease lease = { .subjects = subjects, .count = 2, .looked_at = 1 };

    test_store_finish(host, store_lease_open(host->store, &lease), &lease.call);
    assert_int_equal(STORE_OK, lease.call.result);
    return lease;
}

static void who_looks_at_a_subject_is_not_one_of_it(UNUSED void **state)
{
    struct store_lease first = looking(&here), theirs, mine, last;

    assert_int_equal(1, first.totals[0]);
    assert_int_equal(0, first.totals[1]);
    theirs = opened(&there, 2);
    mine = opened(&here, 2);
    last = looking(&here);
    assert_int_equal(4, last.totals[0]);
    assert_int_equal(2, last.totals[1]); /* of both processes */
    close_lease(&here, &first);
    close_lease(&here, &last);
    close_lease(&there, &theirs);
    last = looking(&there);
    assert_int_equal(2, last.totals[0]);
    assert_int_equal(1, last.totals[1]);
    redis_server_stop(&server);
    first = looking(&here); /* what this process knows itself */
    assert_true(first.call.is_degraded);
    assert_int_equal(2, first.totals[0]);
    assert_int_equal(1, first.totals[1]);
    redis_server_continue(&server);
    assert_true(test_store_wait(&here, STORE_UP, 3000));
    close_lease(&here, &first);
    close_lease(&here, &mine);
    close_lease(&there, &last);
    assert_int_equal(0, leases_of(&here) + leases_of(&there));
}

static void memory_counts_its_own(UNUSED void **state)
{
    struct store_memory *memory = store_memory_new(&fake.clock, 1 << 20);
    struct store *one = store_memory_open(memory), *two = store_memory_open(memory); /* workers */
    struct store_lease first = { .subjects = subjects, .count = 2 }, second = first, none = first;

    assert_true(store_lease_open(one, &first));
    assert_true(store_lease_open(two, &second));
    assert_int_equal(STORE_OK, second.call.result);
    assert_int_equal(2, second.totals[0]);
    assert_int_equal(2, second.totals[1]);
    store_lease_close(two, &first); /* on any store of the process */
    store_lease_close(two, &first);
    store_lease_close(one, &second);
    assert_true(store_lease_open(one, &first));
    assert_int_equal(1, first.totals[0]);
    second.looked_at = 1;
    assert_true(store_lease_open(two, &second));
    assert_int_equal(2, second.totals[0]);
    assert_int_equal(1, second.totals[1]);
    store_lease_close(one, &first);
    store_lease_close(two, &second);
    assert_int_equal(0, leases_count(store_memory_leases(memory), subjects[0]));
    none.looked_at = none.count + 1;
    assert_true(store_lease_open(one, &none));
    assert_int_equal(STORE_FAILED, none.call.result);
    none.looked_at = 0;
    none.count = STORE_LEASE_SUBJECTS_MAX + 1;
    assert_true(store_lease_open(one, &none));
    assert_int_equal(STORE_FAILED, none.call.result);
    store_lease_close(one, &none);
    store_free(&one);
    store_free(&two);
    store_memory_free(&memory);
}

static void what_has_no_room_is_not_counted(UNUSED void **state)
{
    static const struct slice odd[] = { SLICE_INIT(""), SLICE_INIT("a:192.0.2.7") };
    struct store_lease lease = { .subjects = odd, .count = 2 };
    struct store_memory_stats stats;

    test_store_finish(&here, store_lease_open(here.store, &lease), &lease.call);
    assert_int_equal(STORE_OK, lease.call.result);
    assert_int_equal(0, lease.totals[0]);
    assert_int_equal(1, lease.totals[1]);
    close_lease(&here, &lease);
    lease.count = 1;
    assert_true(store_lease_open(here.store, &lease));
    assert_int_equal(STORE_FAILED, lease.call.result);
    store_memory_stats(here.memory, &stats);
    assert_int_equal(2, stats.leases_refused);
}

/* ---- around them ---- */

static int start_all(UNUSED void **state)
{
    redis_server_init(&server);
    redis_server_start(&server, NULL);
    return 0;
}

static int stop_all(UNUSED void **state)
{
    redis_server_end(&server);
    return 0;
}

static int start_with(uint64_t answer_ms)
{
    fake_clock_init(&fake);
    fake_clock_advance(&fake, HOUR);
    return test_store_open_two(&here, &there, &server, &fake.clock, answer_ms) ? 0 : -1;
}

static int start(UNUSED void **state)
{
    return start_with(PATIENT_MS);
}

/* Redis does not answer in them: a second is waited for it, or as long as always where that is tested. */
static int start_brief(UNUSED void **state)
{
    return start_with(SECOND);
}

static int start_impatient(UNUSED void **state)
{
    return start_with(0);
}

static int stop(UNUSED void **state)
{
    test_store_close(&here);
    test_store_close(&there);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(counts_over_all_processes),
        TEST(renews_what_is_open_and_forgets_who_died),
        TEST(a_share_holds_until_its_time_is_over),
        TEST(every_key_ends),
        TEST(words_may_overtake_each_other),
        TEST(what_somebody_else_put_there_harms_nobody),
        cmocka_unit_test_setup_teardown(counts_alone_while_redis_is_away, start_impatient, stop),
        TEST(a_redis_that_lost_its_data_is_told_again),
        TEST(a_call_that_is_closed_does_not_end),
        cmocka_unit_test_setup_teardown(who_looks_at_a_subject_is_not_one_of_it, start_brief, stop),
        TEST(memory_counts_its_own),
        TEST(what_has_no_room_is_not_counted),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
