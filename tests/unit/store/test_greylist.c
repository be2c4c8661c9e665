/* tests/unit/store/test_greylist.c - greylisting through store.h. What it does is the same in memory and in Redis, so each
 * of these tests runs with both; bounds of memory, and what Redis alone can do, follow. */
#include "tests/unit/unit.h"

#include "tests/fakes/both_stores.h"
#include "tests/fakes/fake_limits.h"

#define MIB (UINT64_C(1) << 20)
#define DELAY (5 * MINUTE)
#define WINDOW (48 * HOUR)
#define EXPIRY (35 * DAY)
#define ALLOW_EXPIRY (10 * DAY)

/* ---- a call ---- */

static struct store_greylist triplet(const char *origin, const char *sender, const char *recipient)
{
    return (struct store_greylist){
        .origin = slice_of(origin),
        .sender = slice_of(sender),
        .recipient = slice_of(recipient),
        .delay_ms = DELAY,
        .window_ms = WINDOW,
        .expiry_ms = EXPIRY,
        .allow_after = 3,
        .allow_expiry_ms = ALLOW_EXPIRY,
    };
}

static void see(struct store_greylist *call)
{
    both_stores_finish(store_greylist(both.store, call), &call->call);
    assert_int_equal(STORE_OK, call->call.result);
}

static struct store_greylist seen_from(const char *origin, const char *sender)
{
    struct store_greylist call = triplet(origin, sender, "m:bob@example.org");

    see(&call);
    return call;
}

static enum greylist_state seen(const char *sender)
{
    return seen_from("n:192.0.2.0/24", sender).state;
}

/* Makes a triplet pass for the first time. */
static void succeed(const char *origin, const char *sender)
{
    assert_int_equal(GREYLIST_NEW, seen_from(origin, sender).state);
    fake_clock_advance(&both.clock, DELAY);
    assert_int_equal(GREYLIST_PASSED, seen_from(origin, sender).state);
}

/* ---- the same in both stores ---- */

static void waits_and_passes_from_then_on(UNUSED void **state)
{
    struct store_greylist call = seen_from("n:192.0.2.0/24", "m:a@example.net");

    assert_int_equal(GREYLIST_NEW, call.state);
    assert_int_equal(DELAY, call.left_ms);
    assert_false(call.is_crowded);
    fake_clock_advance(&both.clock, DELAY - 1);
    call = seen_from("n:192.0.2.0/24", "m:a@example.net");
    assert_int_equal(GREYLIST_EARLY, call.state);
    assert_int_equal(1, call.left_ms);
    fake_clock_advance(&both.clock, 1); /* a retry that came too early does not begin it again */
    for (size_t i = 0; i < 3; i++) {
        call = seen_from("n:192.0.2.0/24", "m:a@example.net");
        assert_int_equal(GREYLIST_PASSED, call.state);
        assert_int_equal(0, call.left_ms);
    }
}

static void tells_triplets_apart(UNUSED void **state)
{
    static const char *const triplets[][3] = {
        { "n:192.0.2.0/24", "m:a@example.net", "m:b@example.org" },
        { "n:192.0.3.0/24", "m:a@example.net", "m:b@example.org" },
        { "n:2001:db8::/64", "m:a@example.net", "m:b@example.org" },
        { "d:example.net", "m:a@example.net", "m:b@example.org" },
        { "n:192.0.2.0/24", "", "m:b@example.org" }, /* bounces */
        { "n:192.0.2.0/24", "m:a@example.net", "" },
        { "n:192.0.2.0/24", "m:b@example.org", "m:a@example.net" },
        { "n:192.0.2.0/24", "", "" },
    };

    for (unsigned round = 0; round < 2; round++)
        for (size_t i = 0; i < COUNT(triplets); i++) {
            struct store_greylist call = triplet(triplets[i][0], triplets[i][1], triplets[i][2]);
            see(&call);
            assert_int_equal(round == 0 ? GREYLIST_NEW : GREYLIST_EARLY, call.state);
        }
}

static void a_retry_must_come_within_the_window(UNUSED void **state)
{
    static const struct {
        uint64_t after_ms;
        enum greylist_state want;
    } cases[] = {
        { DELAY - 1, GREYLIST_EARLY },
        { DELAY, GREYLIST_PASSED },
        { DELAY + WINDOW - 1, GREYLIST_PASSED },
        { DELAY + WINDOW, GREYLIST_NEW },
        { 2 * WINDOW, GREYLIST_NEW },
    };
    char sender[40];

    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(sender, sizeof sender, "m:case%zu@example.net", i);
        assert_int_equal(GREYLIST_NEW, seen(sender));
        fake_clock_advance(&both.clock, cases[i].after_ms);
        if (seen(sender) != cases[i].want)
            fail_msg("row %zu", i);
        fake_clock_advance(&both.clock, DELAY + WINDOW);
    }
}

static void a_longer_delay_has_its_own_window(UNUSED void **state)
{
    struct store_greylist call = triplet("n:192.0.2.0/24", "m:a@example.net", "");

    see(&call);
    fake_clock_advance(&both.clock, HOUR);
    call.delay_ms = 5 * DAY; /* another rule, much stricter */
    see(&call);
    assert_int_equal(GREYLIST_EARLY, call.state);
    assert_int_equal(5 * DAY - HOUR, call.left_ms);
    fake_clock_advance(&both.clock, 5 * DAY);
    see(&call);
    assert_int_equal(GREYLIST_PASSED, call.state);
}

static void what_has_passed_expires_after_its_last_mail(UNUSED void **state)
{
    succeed("n:192.0.2.0/24", "m:a@example.net");
    for (size_t i = 0; i < 3; i++) {
        fake_clock_advance(&both.clock, EXPIRY - 1);
        assert_int_equal(GREYLIST_PASSED, seen("m:a@example.net"));
    }
    fake_clock_advance(&both.clock, EXPIRY);
    assert_int_equal(GREYLIST_NEW, seen("m:a@example.net"));
}

static void an_origin_becomes_known_and_expires(UNUSED void **state)
{
    succeed("n:192.0.2.0/24", "m:a@example.net");
    succeed("n:192.0.2.0/24", "m:b@example.net");
    for (size_t i = 0; i < 5; i++) /* more mail of the same proves nothing more */
        assert_int_equal(GREYLIST_PASSED, seen("m:b@example.net"));
    succeed("n:192.0.2.0/24", "m:c@example.net");
    assert_int_equal(GREYLIST_KNOWN, seen("m:unheard-of@example.net"));
    assert_int_equal(GREYLIST_NEW, seen_from("n:192.0.3.0/24", "m:a@example.net").state);
    fake_clock_advance(&both.clock, ALLOW_EXPIRY - 1);
    assert_int_equal(GREYLIST_KNOWN, seen("m:unheard-of@example.net"));
    fake_clock_advance(&both.clock, ALLOW_EXPIRY);
    assert_int_equal(GREYLIST_NEW, seen("m:unheard-of@example.net"));
}

static void successes_are_forgotten_together(UNUSED void **state)
{
    succeed("n:192.0.2.0/24", "m:a@example.net");
    succeed("n:192.0.2.0/24", "m:b@example.net");
    fake_clock_advance(&both.clock, ALLOW_EXPIRY);
    succeed("n:192.0.2.0/24", "m:c@example.net");
    assert_int_equal(GREYLIST_NEW, seen("m:d@example.net"));
}

static void never_knows_anybody_when_told_so(UNUSED void **state)
{
    char sender[40];

    for (size_t i = 0; i < 10; i++) {
        snprintf(sender, sizeof sender, "m:s%zu@example.net", i);
        struct store_greylist call = triplet("n:192.0.2.0/24", sender, "");
        call.allow_after = 0;
        see(&call);
        assert_int_equal(GREYLIST_NEW, call.state);
        fake_clock_advance(&both.clock, DELAY);
        see(&call);
        assert_int_equal(GREYLIST_PASSED, call.state);
    }
}

static void only_looks(UNUSED void **state)
{
    struct store_greylist look = triplet("n:192.0.2.0/24", "m:a@example.net", "m:bob@example.org");

    look.peek = true;
    for (size_t i = 0; i < 2; i++) {
        see(&look);
        assert_int_equal(GREYLIST_NEW, look.state);
    }
    assert_int_equal(GREYLIST_NEW, seen("m:a@example.net"));
    see(&look);
    assert_int_equal(GREYLIST_EARLY, look.state);
    fake_clock_advance(&both.clock, DELAY);
    see(&look);
    assert_int_equal(GREYLIST_PASSED, look.state);
    fake_clock_advance(&both.clock, WINDOW); /* looking did not make it pass */
    assert_int_equal(GREYLIST_NEW, seen("m:a@example.net"));
}

/* More new senders of one network than it may have: the store does not grow, and whoever comes again still passes. */
static void a_flood_of_senders_shares_entries(UNUSED void **state)
{
    struct store_greylist call;
    char sender[40];

    for (size_t i = 0; i < STORE_TRIPLETS_MAX; i++) {
        snprintf(sender, sizeof sender, "m:%zu@flood.example", i);
        assert_false(seen_from("n:192.0.2.0/24", sender).is_crowded);
    }
    size_t fresh = 0;
    for (size_t i = 0; i < 2000; i++) {
        snprintf(sender, sizeof sender, "m:more%zu@flood.example", i);
        call = seen_from("n:192.0.2.0/24", sender);
        assert_true(call.is_crowded);
        fresh += call.state == GREYLIST_NEW;
    }
    assert_int_equal(STORE_CROWD, fresh);
    fake_clock_advance(&both.clock, DELAY);
    call = seen_from("n:192.0.2.0/24", "m:more7@flood.example");
    assert_int_equal(GREYLIST_PASSED, call.state);
    assert_true(call.is_crowded);
    for (size_t i = 0; i < 100; i++) { /* however many pass, the network is not known */
        snprintf(sender, sizeof sender, "m:more%zu@flood.example", i);
        assert_int_equal(GREYLIST_PASSED, seen_from("n:192.0.2.0/24", sender).state);
    }
    /* who came before the flood has an entry of his own, and other networks do not notice */
    assert_false(seen_from("n:192.0.2.0/24", "m:7@flood.example").is_crowded);
    assert_false(seen_from("n:192.0.3.0/24", "m:7@flood.example").is_crowded);
    fake_clock_advance(&both.clock, WINDOW);
    assert_false(seen_from("n:192.0.2.0/24", "m:next-day@flood.example").is_crowded);
}

static void refuses_what_is_beyond_the_bounds(UNUSED void **state)
{
    struct store_greylist calls[4];
    char longest[80];

    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    for (size_t i = 0; i < COUNT(calls); i++)
        calls[i] = triplet("n:192.0.2.0/24", "m:a@example.net", "");
    calls[0].origin = SLICE("");
    calls[1].sender = slice_of(longest);
    calls[2].delay_ms = 366 * DAY + 1;
    calls[3].expiry_ms = UINT64_MAX;
    for (size_t i = 0; i < COUNT(calls); i++) {
        assert_true(store_greylist(both.store, &calls[i]));
        if (!calls[i].call.is_degraded)
            assert_int_equal(STORE_FAILED, calls[i].call.result);
        assert_int_equal(GREYLIST_PASSED, calls[i].state);
    }
}

/* ---- memory: bounds ---- */

static struct store_memory_stats stats(void)
{
    struct store_memory_stats out;

    store_memory_stats(both.memory, &out);
    return out;
}

static struct store_greylist flood(size_t network, size_t sender)
{
    char origin[40], from[40];

    snprintf(origin, sizeof origin, "n:10.%zu.%zu.0/24", network / 256 % 256, network % 256);
    snprintf(from, sizeof from, "m:%zu@flood.example", sender);
    return seen_from(origin, from);
}

static void a_million_senders_of_one_network_take_little(UNUSED void **state)
{
    for (size_t i = 0; i < 1000000; i++)
        flood(1, i);
    assert_true(stats().triplets <= STORE_TRIPLETS_MAX + STORE_CROWD);
    assert_int_equal(1, stats().origins);
    assert_true(stats().memory_used < 2 * MIB);
    assert_int_equal(0, stats().greylist_evicted);
}

/* A million senders of many networks: the bound holds, and what has proved itself is untouched. */
static void a_flood_evicts_the_flood(UNUSED void **state)
{
    for (size_t i = 0; i < 3; i++) {
        char sender[40];
        snprintf(sender, sizeof sender, "m:%zu@good.example", i);
        succeed("n:198.51.100.0/24", sender);
    }
    succeed("n:203.0.113.0/24", "m:friend@example.net");
    for (size_t i = 0; i < 1000000; i++)
        assert_int_equal(GREYLIST_NEW, flood(i, i).state);
    assert_true(stats().memory_used <= stats().memory_limit);
    assert_true(stats().greylist_evicted > 500000);
    assert_int_equal(0, stats().unlisted);
    assert_int_equal(GREYLIST_KNOWN, seen_from("n:198.51.100.0/24", "m:new@good.example").state);
    assert_int_equal(GREYLIST_PASSED, seen_from("n:203.0.113.0/24", "m:friend@example.net").state);
    fake_clock_advance(&both.clock, DELAY + WINDOW); /* all but the four that passed is gone */
    for (size_t i = 0; i < 100000; i++)
        flood(i % 5000, i % 5000);
    assert_true(stats().triplets == 5004);
}

static bool charge_number(const struct limit *limit, size_t number)
{
    struct store_charge charge = { .use_count = 1 };
    char login[40];

    snprintf(login, sizeof login, "user%zu@example.com", number);
    arena_reset(both.arena);
    struct limit_use use = test_store_use(both.arena, limit, login, 1);
    charge.uses = &use;
    assert_true(store_charge(both.store, &charge));
    return charge.admitted;
}

static void greylisting_makes_room_for_counters(UNUSED void **state)
{
    struct limit_set *set = fake_limit("hourly", "1/1h");

    for (size_t i = 0; i < 200000; i++)
        flood(i, i);
    assert_true(stats().greylist_evicted > 0);
    for (size_t i = 0; i < 20000; i++)
        charge_number(limit_set_at(set, 0), i);
    assert_int_equal(20000, stats().counters);
    assert_int_equal(0, stats().uncounted);
    for (size_t i = 0; i < 20000; i++)
        assert_false(charge_number(limit_set_at(set, 0), i));
    limit_set_free(&set);
}

static void passes_when_counters_take_all_room(UNUSED void **state)
{
    struct limit_set *set = fake_limit("hourly", "1/1h");

    for (size_t i = 0; i < 200000; i++)
        charge_number(limit_set_at(set, 0), i);
    assert_true(stats().uncounted > 0);
    size_t passed = 0;
    for (size_t i = 0; i < 100; i++)
        passed += flood(i, i).state == GREYLIST_PASSED;
    assert_true(passed > 90);
    assert_int_equal(passed, stats().unlisted);
    limit_set_free(&set);
}

/* ---- Redis ---- */

static void every_key_has_its_time(UNUSED void **state)
{
    static const struct {
        const char *key;
        uint64_t want_ms;
    } cases[] = {
        { "{n:192.0.2.0/24}", ALLOW_EXPIRY },
        { "{n:192.0.2.0/24}{m:a@example.net}{m:bob@example.org}", EXPIRY },
        { "{n:192.0.3.0/24}", WINDOW },
        { "{n:192.0.3.0/24}{}{m:bob@example.org}", DELAY + WINDOW },
    };

    succeed("n:192.0.2.0/24", "m:a@example.net");
    seen_from("n:192.0.3.0/24", "");
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *answer = redis_server_ask(&both.server, "PTTL gh:grey:%s", cases[i].key);
        uint64_t left = strtoull(answer, NULL, 10);
        if (left > cases[i].want_ms || left + MINUTE < cases[i].want_ms)
            fail_msg("%s: %s", cases[i].key, answer);
    }
    const char *answer = redis_server_ask_words(&both.server, "KEYS gh:grey:*");
    size_t words = 1;
    for (const char *c = answer; *c != '\0'; c++)
        words += *c == ' ';
    assert_int_equal(COUNT(cases), words);
}

static void another_host_sees_the_same(UNUSED void **state)
{
    const struct store_redis_options options = { .clock = &both.clock.clock,
                                                 .own_time = true,
                                                 .answer_ms = PATIENT_MS };
    struct test_store other;

    assert_true(test_store_reach(&other, &both.server, options));
    assert_int_equal(GREYLIST_NEW, seen("m:a@example.net"));
    fake_clock_advance(&both.clock, DELAY);
    struct store_greylist call = triplet("n:192.0.2.0/24", "m:a@example.net", "m:bob@example.org");
    test_store_finish(&other, store_greylist(other.store, &call), &call.call);
    assert_int_equal(GREYLIST_PASSED, call.state);
    assert_false(call.call.is_degraded);
    test_store_close(&other);
}

static void a_flushed_script_is_sent_again(UNUSED void **state)
{
    assert_int_equal(GREYLIST_NEW, seen("m:a@example.net"));
    redis_server_ask(&both.server, "SCRIPT FLUSH");
    assert_int_equal(GREYLIST_EARLY, seen("m:a@example.net"));
}

static void runs_on_the_clock_of_redis(UNUSED void **state)
{
    const struct store_redis_options options = { .clock = &clock_system, .answer_ms = PATIENT_MS };
    struct test_store own;

    assert_true(test_store_reach(&own, &both.server, options));
    struct store_greylist call = triplet("n:192.0.2.0/24", "m:a@example.net", "");
    call.delay_ms = 50;
    test_store_finish(&own, store_greylist(own.store, &call), &call.call);
    assert_int_equal(GREYLIST_NEW, call.state);
    test_store_run(&own, 60);
    test_store_finish(&own, store_greylist(own.store, &call), &call.call);
    assert_int_equal(GREYLIST_PASSED, call.state);
    test_store_close(&own);
}

/* It waits for the answer once, as long as it always does; then the breaker is open. */
static void passes_while_redis_is_away(UNUSED void **state)
{
    const struct store_redis_options options = { .clock = &both.clock.clock, .own_time = true };
    struct store_greylist call;

    assert_int_equal(GREYLIST_NEW, seen("m:a@example.net"));
    test_store_close(&both.redis);
    assert_true(test_store_reach(&both.redis, &both.server, options));
    both.store = both.redis.store;
    redis_server_stop(&both.server);
    for (size_t i = 0; i < 3; i++) {
        call = seen_from("n:192.0.2.0/24", "m:a@example.net");
        assert_int_equal(GREYLIST_PASSED, call.state);
        assert_true(call.call.is_degraded);
    }
    redis_server_continue(&both.server);
    assert_true(test_store_wait(&both.redis, STORE_UP, 3000));
    call = seen_from("n:192.0.2.0/24", "m:a@example.net");
    assert_int_equal(GREYLIST_EARLY, call.state);
    assert_false(call.call.is_degraded);
}

static void passes_what_redis_answers_with_an_error(UNUSED void **state)
{
    redis_server_ask(&both.server, "SET gh:grey:{n:192.0.2.0/24} text");
    struct store_greylist call = seen_from("n:192.0.2.0/24", "m:a@example.net");
    assert_int_equal(GREYLIST_PASSED, call.state);
    assert_true(call.call.is_degraded);
    redis_server_ask(&both.server, "DEL gh:grey:{n:192.0.2.0/24}");
    redis_server_ask_words(
        &both.server, "SET gh:grey:{n:192.0.2.0/24}{m:a@example.net}{m:bob@example.org} rubbish");
    assert_int_equal(GREYLIST_NEW, seen("m:a@example.net"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BOTH(waits_and_passes_from_then_on),
        IN_BOTH(tells_triplets_apart),
        IN_BOTH(a_retry_must_come_within_the_window),
        IN_BOTH(a_longer_delay_has_its_own_window),
        IN_BOTH(what_has_passed_expires_after_its_last_mail),
        IN_BOTH(an_origin_becomes_known_and_expires),
        IN_BOTH(successes_are_forgotten_together),
        IN_BOTH(never_knows_anybody_when_told_so),
        IN_BOTH(only_looks),
        IN_BOTH(a_flood_of_senders_shares_entries),
        IN_BOTH(refuses_what_is_beyond_the_bounds),
        IN_MEMORY(a_million_senders_of_one_network_take_little),
        IN_MEMORY(a_flood_evicts_the_flood),
        IN_MEMORY(greylisting_makes_room_for_counters),
        IN_MEMORY(passes_when_counters_take_all_room),
        IN_REDIS(every_key_has_its_time),
        IN_REDIS(another_host_sees_the_same),
        IN_REDIS(a_flushed_script_is_sent_again),
        IN_REDIS(runs_on_the_clock_of_redis),
        IN_REDIS(passes_while_redis_is_away),
        IN_REDIS(passes_what_redis_answers_with_an_error),
    };

    both.memory_limit = 8 * MIB;
    return cmocka_run_group_tests(tests, both_stores_start, both_stores_end);
}
