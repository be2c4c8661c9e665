/* The store on a real redis-server: what each call does when all is well. */
#include "tests/unit/unit.h"

#include <inttypes.h>

#include "common/limits/window.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_limits.h"
#include "tests/fakes/redis_server.h"
#include "tests/fakes/shown_metric.h"
#include "tests/fakes/test_store.h"

static struct redis_server server;
static struct test_store test;
static struct fake_clock fake;
static struct limit_set *hourly, *daily;

static const struct limit *limit_of(struct limit_set *set)
{
    return limit_set_at(set, 0);
}

static int start(UNUSED void **state)
{
    redis_server_init(&server);
    redis_server_start(&server, NULL);
    hourly = fake_limit("hourly", "10/1h");
    daily = fake_limit("daily", "100/1d");
    return 0;
}

static int stop(UNUSED void **state)
{
    redis_server_end(&server);
    limit_set_free(&hourly);
    limit_set_free(&daily);
    return 0;
}

static int open_store(UNUSED void **state)
{
    const struct store_redis_options options = { .clock = &fake.clock,
                                                 .own_time = true,
                                                 .answer_ms = PATIENT_MS };

    fake_clock_init(&fake);
    redis_server_ask(&server, "FLUSHALL");
    return test_store_reach(&test, &server, options) ? 0 : -1;
}

static int close_store(UNUSED void **state)
{
    test_store_close(&test);
    return 0;
}

static struct charged charge(const char *login, uint64_t amount, const char *once)
{
    return test_store_charge(&test, limit_of(hourly), login, amount, once, CHARGE_ONCE);
}

static void admits_exactly_the_rate(UNUSED void **state)
{
    unsigned admitted = 0;

    for (int i = 0; i < 100; i++)
        admitted += charge("alice", 1, NULL).admitted;
    assert_int_equal(10, admitted);
    assert_true(charge("bob", 10, NULL).admitted);
    assert_false(charge("bob", 1, NULL).admitted);
    assert_false(charge("carol", 11, NULL).admitted);
}

static void tells_usage_and_when_it_frees(UNUSED void **state)
{
    struct charged first = charge("alice", 4, NULL);
    uint64_t bucket = window_bucket(HOUR, fake.wall);

    assert_int_equal(0, first.use.used);
    assert_int_equal(bucket, first.use.bucket);
    fake_clock_advance(&fake, 10 * MINUTE);
    assert_true(charge("alice", 6, NULL).admitted);
    struct charged over = charge("alice", 1, NULL);
    assert_false(over.admitted);
    assert_int_equal(10, over.use.used);
    assert_int_equal(window_bucket_begin_ms(HOUR, bucket + WINDOW_CELLS_MAX) - fake.wall,
                     over.use.free_ms);
    fake_clock_advance(&fake, over.use.free_ms - 1);
    assert_false(charge("alice", 1, NULL).admitted);
    fake_clock_advance(&fake, 1);
    struct charged freed = charge("alice", 4, NULL);
    assert_true(freed.admitted);
    assert_int_equal(6, freed.use.used);
    assert_true(charge("alice", 11, NULL).use.free_ms == UINT64_MAX);
}

static void looks_without_charging(UNUSED void **state)
{
    charge("alice", 3, NULL);
    struct charged looked =
        test_store_charge(&test, limit_of(hourly), "alice", 0, "x", CHARGE_PEEK);
    assert_true(looked.admitted);
    assert_int_equal(3, looked.use.used);
    assert_int_equal(10, looked.use.rate.most);
    assert_true(charge("alice", 7, NULL).admitted);
    looked = test_store_charge(&test, limit_of(hourly), "alice", 0, NULL, CHARGE_PEEK);
    assert_false(looked.admitted);
    assert_int_equal(10, looked.use.used);
    assert_true(looked.use.free_ms > 0);
}

static void forced_charges_exceed(UNUSED void **state)
{
    charge("alice", 10, NULL);
    assert_true(
        test_store_charge(&test, limit_of(hourly), "alice", 2, NULL, CHARGE_FORCE).admitted);
    assert_int_equal(12, charge("alice", 1, NULL).use.used);
}

static void remembers_a_named_charge(UNUSED void **state)
{
    assert_true(charge("alice", 8, "a").admitted);
    struct charged again = charge("alice", 8, "a");
    assert_true(again.admitted);
    assert_true(again.repeated);
    struct charged other = charge("alice", 8, "b");
    assert_false(other.admitted);
    assert_int_equal(8, other.use.used);
    redis_server_ask(&server, "FLUSHALL");
    assert_false(charge("alice", 11, "c").admitted);
    assert_true(charge("alice", 11, "c").repeated);
}

static struct store_charge two_uses(struct limit_use *uses, size_t count, struct arena *arena)
{
    uses[0] = test_store_use(arena, limit_of(daily), "alice", 5);
    uses[1] = test_store_use(arena, limit_of(hourly), "alice", 6);
    return (struct store_charge){ .uses = uses, .use_count = count };
}

static void charges_all_or_nothing(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct limit_use uses[2];
    struct store_charge both = two_uses(uses, 2, arena);

    test_store_finish(&test, store_charge(test.store, &both), &both.call);
    assert_true(both.admitted);
    both = two_uses(uses, 2, arena);
    test_store_finish(&test, store_charge(test.store, &both), &both.call);
    assert_false(both.admitted);
    assert_int_equal(1, both.over);
    assert_int_equal(5, uses[0].used);
    both = two_uses(uses, 1, arena);
    test_store_finish(&test, store_charge(test.store, &both), &both.call);
    assert_int_equal(5, uses[0].used); /* the refused one was not charged here either */
    arena_free(&arena);
}

static void counts_the_same_use_twice(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct limit_use uses[2];
    struct store_charge both = { .uses = uses, .use_count = 2 };

    for (int i = 0; i < 2; i++)
        uses[i] = test_store_use(arena, limit_of(hourly), "alice", 6);
    test_store_finish(&test, store_charge(test.store, &both), &both.call);
    assert_false(both.admitted);
    uses[0].amount = uses[1].amount = 5;
    test_store_finish(&test, store_charge(test.store, &both), &both.call);
    assert_true(both.admitted);
    assert_false(charge("alice", 1, NULL).admitted);
    arena_free(&arena);
}

static void a_live_value_is_in_force_at_once(UNUSED void **state)
{
    redis_server_ask(&server, "FLUSHALL");
    assert_true(charge("alice@example.com", 1, NULL).admitted);
    static const struct {
        const char *command;
        uint64_t most;
        bool is_bad;
    } rows[] = {
        { "HSET gh:limit:hourly user:alice@example.com 1/1h", 1, false },
        { "HSET gh:limit:hourly user:alice@example.com rubbish", 10, true },
        { "HSET gh:limit:hourly domain:example.com 50/1h", 50, true },
        { "HDEL gh:limit:hourly user:alice@example.com", 50, false },
        { "HSET gh:limit:hourly domain:example.com 7/1h", 7, false },
        { "DEL gh:limit:hourly", 10, false },
        { "HSET gh:limit:hourly default unlimited", RATE_UNLIMITED, false },
        { "SET gh:limit:hourly a-string", 10, false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        redis_server_ask_words(&server, rows[i].command);
        struct charged got =
            test_store_charge(&test, limit_of(hourly), "alice@example.com", 0, NULL, CHARGE_PEEK);
        if (got.use.rate.most != rows[i].most || (got.use.bad != SIZE_MAX) != rows[i].is_bad ||
            got.is_degraded)
            fail_msg("%s: most %" PRIu64 ", server says %s", rows[i].command, got.use.rate.most,
                     server.answer);
    }
}

static void a_flushed_script_is_sent_again(UNUSED void **state)
{
    redis_server_ask(&server, "SCRIPT FLUSH");
    struct charged got = charge("alice", 1, NULL);
    assert_true(got.admitted);
    assert_false(got.is_degraded);
    assert_false(charge("alice", 1, NULL).is_degraded);
}

static void saturates_huge_amounts(UNUSED void **state)
{
    for (int i = 0; i < 4; i++)
        test_store_charge(&test, limit_of(hourly), "alice", UINT64_MAX, NULL, CHARGE_FORCE);
    struct charged got = charge("alice", 1, NULL);
    assert_false(got.is_degraded);
    assert_false(got.admitted);
    assert_true(got.use.used >= UINT64_C(1) << 53);
}

/* ---- hashes ---- */

static bool write_field(const char *key, const char *field, const char *text)
{
    struct store_write write = { .key = slice_of(key),
                                 .field = slice_of(field),
                                 .text = slice_of(text) };

    test_store_finish(&test, store_write(test.store, &write), &write.call);
    assert_int_equal(STORE_OK, write.call.result);
    return write.existed;
}

static void writes_fetches_and_reads_hashes(UNUSED void **state)
{
    const struct slice fields[] = { SLICE_INIT("a"), SLICE_INIT("b"), SLICE_INIT("c") };
    struct slice texts[3];
    struct arena *arena = arena_new(1 << 20);
    struct store_fetch fetch = { .key = SLICE_INIT("list:x/bob@example.com"),
                                 .fields = fields,
                                 .count = 3,
                                 .texts = texts,
                                 .arena = arena };
    struct store_read read = { .key = SLICE_INIT("list:x/bob@example.com"), .arena = arena };

    assert_false(write_field("list:x/bob@example.com", "a", "by=me"));
    assert_false(write_field("list:x/bob@example.com", "c", ""));
    assert_true(write_field("list:x/bob@example.com", "c", ""));
    test_store_finish(&test, store_fetch(test.store, &fetch), &fetch.call);
    assert_int_equal(STORE_OK, fetch.call.result);
    assert_slice("by=me", texts[0]);
    assert_null(texts[1].ptr);
    assert_non_null(texts[2].ptr);
    test_store_finish(&test, store_read(test.store, &read), &read.call);
    assert_int_equal(STORE_OK, read.call.result);
    assert_int_equal(2, read.count);
    assert_true(write_field("list:x/bob@example.com", "a", NULL));
    assert_true(write_field("list:x/bob@example.com", NULL, NULL));
    test_store_finish(&test, store_read(test.store, &read), &read.call);
    assert_int_equal(STORE_OK, read.call.result);
    assert_int_equal(0, read.count);
    arena_free(&arena);
}

static void reads_a_large_hash_in_steps(UNUSED void **state)
{
    struct arena *arena = arena_new(64 << 20);
    struct store_read read = { .key = SLICE_INIT("list:large"), .arena = arena };
    bool *seen = calloc(30000, sizeof(*seen));
    size_t distinct = 0;

    redis_server_ask(&server, "EVAL %s 0",
                     "for i=0,29999 do redis.call('HSET','gh:list:large',i,"
                     "'note=x') end return 1");
    test_store_finish(&test, store_read(test.store, &read), &read.call);
    assert_int_equal(STORE_OK, read.call.result);
    for (size_t i = 0; i < read.count; i++) {
        uint64_t number;
        assert_true(slice_to_u64(read.fields[i].name, &number) && number < 30000);
        distinct += !seen[number];
        seen[number] = true;
    }
    assert_int_equal(30000, distinct);
    free(seen);
    arena_free(&arena);
}

static void polling_sees_each_change(UNUSED void **state)
{
    const struct slice keys[] = { SLICE_INIT("rule"), SLICE_INIT("list:l"), SLICE_INIT("list:s") };
    char versions[3][48] = { "" };
    bool changed[3];
    struct store_poll poll = { .keys = keys, .count = 3, .versions = versions, .changed = changed };
    static const struct {
        const char *command;
        bool changed[3];
    } rows[] = {
        { "PING", { true, true, true } }, /* never seen */
        { "PING", { false, false, false } },
        { "HSET gh:rule a x", { true, false, false } },
        { "HSET gh:rule a y", { true, false, false } },
        { "DEL gh:rule", { true, false, false } },
        { "SET gh:list:s not-a-hash", { false, false, true } },
        { "INCR gh:gen", { false, false, false } },
        { "EVAL for\ti=1,2001\tdo\tredis.call('HSET','gh:list:l',i,'x')\tend 0",
          { false, true, false } },
        { "HSET gh:list:l 1 y", { false, false, false } }, /* by hand, large: needs INCR gh:gen */
        { "INCR gh:gen", { false, true, false } },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        redis_server_ask_words(&server, rows[i].command);
        test_store_finish(&test, store_poll(test.store, &poll), &poll.call);
        assert_int_equal(STORE_OK, poll.call.result);
        for (size_t k = 0; k < 3; k++) {
            if (changed[k] != rows[i].changed[k])
                fail_msg("row %zu, %s: key %zu", i, rows[i].command, k);
        }
    }
}

/* ---- usage ---- */

static void resets_one_subject_of_one_limit(UNUSED void **state)
{
    struct store_reset reset = { .limit = SLICE_INIT("hourly"), .subject = SLICE_INIT("t:alice") };

    charge("alice", 10, NULL);
    charge("bob", 10, NULL);
    test_store_charge(&test, limit_of(daily), "alice", 3, NULL, CHARGE_ONCE);
    test_store_finish(&test, store_reset(test.store, &reset), &reset.call);
    assert_int_equal(STORE_OK, reset.call.result);
    assert_int_equal(1, reset.removed);
    assert_int_equal(0, charge("alice", 1, NULL).use.used);
    assert_int_equal(10, charge("bob", 1, NULL).use.used);
    assert_int_equal(
        3, test_store_charge(&test, limit_of(daily), "alice", 1, NULL, CHARGE_ONCE).use.used);
}

static void lists_the_highest_usage(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct store_top top = { .limit = SLICE_INIT("hourly"), .arena = arena, .count = 3 };
    char login[16];

    for (unsigned i = 0; i < 30; i++) {
        snprintf(login, sizeof(login), "user%u", i);
        test_store_charge(&test, limit_of(hourly), login, i % 10 + 1, NULL, CHARGE_ONCE);
        test_store_charge(&test, limit_of(daily), login, 90, NULL, CHARGE_ONCE);
    }
    redis_server_ask(&server, "SCRIPT FLUSH");
    test_store_finish(&test, store_top(test.store, &top), &top.call);
    assert_int_equal(STORE_OK, top.call.result);
    assert_int_equal(3, top.count);
    assert_int_equal(10, top.rows[0].used);
    assert_slice("t:user19", top.rows[0].subject);
    assert_slice("hourly", top.rows[2].limit);
    assert_int_equal(HOUR, top.rows[2].window_ms);
    top = (struct store_top){ .arena = arena, .count = 100 };
    test_store_finish(&test, store_top(test.store, &top), &top.call);
    assert_int_equal(60, top.count);
    assert_int_equal(90, top.rows[0].used);
    arena_free(&arena);
}

/* ---- the decision log ---- */

static void log_read(struct store_log_read *read, const char *after, const char *find, size_t count)
{
    read->after = slice_of(after);
    read->find = slice_of(find);
    read->count = count;
    test_store_finish(&test, store_log_read(test.store, read), &read->call);
    assert_int_equal(STORE_OK, read->call.result);
}

static void reads_what_was_logged(UNUSED void **state)
{
    struct store_log_read read = { .arena = arena_new(8 << 20) };
    char line[32], id[48];

    for (unsigned i = 0; i < 1300; i++) {
        snprintf(line, sizeof(line), "decision n=%u.", i);
        store_log(test.store, slice_of(line));
    }
    test_store_run(&test, 300);
    log_read(&read, "", "", 2);
    assert_int_equal(2, read.count);
    assert_slice("decision n=1298.", read.lines[0].text);
    assert_slice("decision n=1299.", read.lines[1].text);
    snprintf(id, sizeof(id), "%.*s", SLICE_ARG(read.lines[0].name));
    log_read(&read, id, "", 10);
    assert_int_equal(1, read.count);
    log_read(&read, "", "n=7.", 5); /* in the last step backward */
    assert_int_equal(1, read.count);
    log_read(&read, "0-0", "n=129", 100); /* forward */
    assert_int_equal(11, read.count);
    assert_slice("decision n=129.", read.lines[0].text);
    arena_free(&read.arena);
}

static unsigned lines_in_redis(void)
{
    return (unsigned)strtoul(redis_server_ask(&server, "XLEN gh:log"), NULL, 10);
}

/* What is older than log_age goes; without it only their number counts. */
static void old_decisions_go(UNUSED void **state)
{
    static const struct {
        uint64_t age_ms;
        unsigned left;
    } rows[] = { { 0, 3 }, { 3 * HOUR, 3 }, { HOUR, 2 }, { 5 * MINUTE, 1 } };
    const uint64_t ago_ms[] = { 2 * HOUR, 10 * MINUTE, 0 };
    char command[80];

    for (size_t i = 0; i < COUNT(rows); i++) {
        test_store_close(&test);
        redis_server_ask(&server, "DEL gh:log");
        for (size_t n = 0; n < COUNT(ago_ms); n++) {
            snprintf(command, sizeof(command), "XADD gh:log %" PRIu64 "-0 line x",
                     fake.wall - ago_ms[n]);
            redis_server_ask_words(&server, command);
        }
        const struct store_redis_options options = { .clock = &fake.clock,
                                                     .own_time = true,
                                                     .answer_ms = PATIENT_MS,
                                                     .log_age_ms = rows[i].age_ms };
        assert_true(test_store_reach(&test, &server, options));
        test_store_run(&test, 250); /* two ticks */
        for (int n = 0; n < 200 && lines_in_redis() > rows[i].left; n++)
            test_store_run(&test, 20);
        if (lines_in_redis() != rows[i].left)
            fail_msg("row %zu: %u are left", i, lines_in_redis());
    }
}

/* Nothing is said to be well that nobody has seen yet. */
static void is_not_up_before_the_first_answer(UNUSED void **state)
{
    struct store_status status;
    struct store *second;

    store_status(test.store, &status);
    assert_int_equal(STORE_UP, status.state);
    second = store_redis_open(test.redis, test.base); /* another worker */
    assert_non_null(second);
    store_status(test.store, &status);
    assert_int_equal(STORE_DEGRADED, status.state);
    assert_string_equal("connecting", status.detail);
    assert_true(test_store_wait(&test, STORE_UP, 3000));
    store_free(&second);
    second = store_redis_open(test.redis, test.base);
    store_free(&second); /* gone before it knew */
    store_status(test.store, &status);
    assert_int_equal(STORE_UP, status.state);
    assert_string_equal("connected", status.detail);
}

/* Decisions wait for Redis, so many lines or bytes; each that does not is counted. */
static void decisions_without_room_are_counted(UNUSED void **state)
{
    static const struct {
        unsigned lines, waiting;
        size_t len;
    } rows[] = { { 5000, 4096, 10 }, { 2000, (1 << 20) / 1000, 1000 }, { 4096, 4096, 10 } };
    static const char text[1000];
    char url[64];

    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t dropped = shown_metric("gatehouse_store_log_dropped_total");
        test_store_close(&test);
        snprintf(url, sizeof(url), "redis://127.0.0.1:%u", free_port());
        test_store_open(&test, url, NULL, &fake.clock, true);
        for (unsigned n = 0; n < rows[i].lines; n++)
            store_log(test.store, (struct slice){ text, rows[i].len });
        assert_int_equal(dropped + rows[i].lines - rows[i].waiting,
                         shown_metric("gatehouse_store_log_dropped_total"));
    }
}

/* What Redis has taken makes room. */
static void decisions_that_were_written_make_room(UNUSED void **state)
{
    static const char text[1000];
    uint64_t dropped = shown_metric("gatehouse_store_log_dropped_total");

    for (unsigned round = 1; round <= 4; round++) { /* of 1 MB, which is the bound */
        for (unsigned n = 0; n < 1000; n++)
            store_log(test.store, (struct slice){ text, sizeof(text) });
        for (int n = 0; n < 500 && lines_in_redis() < round * 1000; n++)
            test_store_run(&test, 10);
        assert_int_equal(round * 1000, lines_in_redis());
    }
    assert_int_equal(dropped, shown_metric("gatehouse_store_log_dropped_total"));
}

static void abandoned_calls_do_not_end(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct limit_use use = test_store_use(arena, limit_of(hourly), "alice", 4);
    struct store_charge gone = { .uses = &use, .use_count = 1 };

    assert_false(store_charge(test.store, &gone));
    store_abandon(test.store, &gone.call);
    assert_null(gone.call.pending);
    assert_int_equal(4, charge("alice", 1, NULL).use.used);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)
        T(admits_exactly_the_rate),
        T(tells_usage_and_when_it_frees),
        T(looks_without_charging),
        T(forced_charges_exceed),
        T(remembers_a_named_charge),
        T(charges_all_or_nothing),
        T(counts_the_same_use_twice),
        T(a_live_value_is_in_force_at_once),
        T(a_flushed_script_is_sent_again),
        T(saturates_huge_amounts),
        T(writes_fetches_and_reads_hashes),
        T(reads_a_large_hash_in_steps),
        T(polling_sees_each_change),
        T(resets_one_subject_of_one_limit),
        T(lists_the_highest_usage),
        T(reads_what_was_logged),
        T(old_decisions_go),
        T(is_not_up_before_the_first_answer),
        T(decisions_without_room_are_counted),
        T(decisions_that_were_written_make_room),
        T(abandoned_calls_do_not_end),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
