/* tests/unit/store/test_store_memory.c - the memory store through store.h: charging, live values, bounds, and what the
 * Redis store needs of it. Threads: test_store_threads.c. */
#include "tests/unit/unit.h"

#include "common/base/hash.h"
#include "common/limits/window.h"
#include "common/store/store_memory.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_limits.h"

#define MIB (UINT64_C(1) << 20)

struct bench {
    struct fake_clock clock;
    struct store_memory *memory;
    struct store *store;
    struct arena *arena;
    struct limit_set *limits[3];
    const struct limit *limit[3]; /* a 5/1h, b 10/1h, c 1000/1m */
};

static const char *const limit_names[] = { "a", "b", "c" };

static void bench_start(struct bench *bench, uint64_t memory_limit)
{
    static const char *const rates[] = { "5/1h", "10/1h", "1000/1m" };

    fake_clock_init(&bench->clock);
    bench->memory = store_memory_new(&bench->clock.clock, memory_limit);
    bench->store = store_memory_open(bench->memory);
    bench->arena = arena_new(64 * MIB);
    for (size_t i = 0; i < 3; i++) {
        bench->limits[i] = fake_limit(limit_names[i], rates[i]);
        bench->limit[i] = limit_set_at(bench->limits[i], 0);
    }
}

static int setup(void **state)
{
    static struct bench bench;

    bench_start(&bench, 16 * MIB);
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    store_free(&bench->store);
    store_memory_free(&bench->memory);
    arena_free(&bench->arena);
    for (size_t i = 0; i < 3; i++)
        limit_set_free(&bench->limits[i]);
    return 0;
}

static struct limit_use use_of(struct bench *bench, size_t limit, const char *user, uint64_t amount)
{
    struct limit_use use = { .limit = bench->limit[limit], .amount = amount };
    struct slice none = { NULL, 0 };

    use.subject = limit_subject(LIMIT_TEXT, slice_of(user), bench->arena);
    use.field_count = limit_candidates(use.limit, slice_of(user), none, bench->arena, &use.fields);
    return use;
}

static bool charge_uses(struct bench *bench, struct limit_use *uses, size_t count, const char *once,
                        struct store_charge *out)
{
    *out = (struct store_charge){ .uses = uses, .use_count = count, .once = slice_of(once) };
    assert_true(store_charge(bench->store, out));
    assert_int_equal(STORE_OK, out->call.result);
    return out->admitted;
}

static bool charge(struct bench *bench, size_t limit, const char *user, uint64_t amount)
{
    struct limit_use use = use_of(bench, limit, user, amount);
    struct store_charge charge;

    return charge_uses(bench, &use, 1, NULL, &charge);
}

static uint64_t used(struct bench *bench, size_t limit, const char *user)
{
    struct limit_use use = use_of(bench, limit, user, 0);
    struct store_charge peek = { .uses = &use, .use_count = 1, .peek = true };

    assert_true(store_charge(bench->store, &peek));
    return use.used;
}

static void write_field(struct bench *bench, const char *key, const char *field, const char *text)
{
    struct store_write write = { .key = slice_of(key),
                                 .field = slice_of(field),
                                 .text = slice_of(text) };

    assert_true(store_write(bench->store, &write));
    assert_int_equal(STORE_OK, write.call.result);
}

static struct store_memory_stats stats(struct bench *bench)
{
    struct store_memory_stats out;

    store_memory_stats(bench->memory, &out);
    return out;
}

/* ---- charging ---- */

static void admits_n_and_frees_them_after_the_window(void **state)
{
    struct bench *bench = *state;

    for (int i = 0; i < 50; i++)
        assert_int_equal(i < 5, charge(bench, 0, "alice", 1));
    assert_true(charge(bench, 0, "bob", 5));
    fake_clock_advance(&bench->clock, HOUR);
    assert_false(charge(bench, 0, "bob", 6)); /* more than ever */
    fake_clock_advance(&bench->clock, HOUR / WINDOW_BUCKETS);
    for (int i = 0; i < 50; i++)
        assert_int_equal(i < 5, charge(bench, 0, "alice", 1));
}

static void charges_all_or_nothing(void **state)
{
    struct bench *bench = *state;
    struct store_charge charge_out;

    assert_true(charge(bench, 1, "alice", 8));
    struct limit_use uses[] = { use_of(bench, 0, "alice", 3), use_of(bench, 1, "alice", 3),
                                use_of(bench, 2, "alice", 3) };
    assert_false(charge_uses(bench, uses, 3, NULL, &charge_out));
    assert_int_equal(1, charge_out.over);
    assert_true(uses[1].used == 8);
    assert_true(uses[1].free_ms > 55 * MINUTE && uses[1].free_ms <= HOUR + HOUR / WINDOW_BUCKETS);
    assert_true(used(bench, 0, "alice") == 0);
    assert_true(used(bench, 1, "alice") == 8);
    assert_true(used(bench, 2, "alice") == 0);
    for (size_t i = 0; i < 3; i++)
        uses[i].amount = 2;
    assert_true(charge_uses(bench, uses, 3, NULL, &charge_out));
    assert_true(used(bench, 0, "alice") == 2);
    assert_true(used(bench, 1, "alice") == 10);
}

static void counts_a_limit_that_is_there_twice_twice(void **state)
{
    struct bench *bench = *state;
    struct store_charge out;
    struct limit_use uses[] = { use_of(bench, 0, "alice", 3), use_of(bench, 0, "alice", 3) };

    assert_false(charge_uses(bench, uses, 2, NULL, &out));
    assert_int_equal(1, out.over);
    assert_true(used(bench, 0, "alice") == 0);
    uses[1].amount = 2;
    assert_true(charge_uses(bench, uses, 2, NULL, &out));
    assert_true(used(bench, 0, "alice") == 5);
}

static void looks_forces_and_peeks(void **state)
{
    struct bench *bench = *state;
    struct store_charge out;
    struct limit_use look = use_of(bench, 0, "alice", 0);

    assert_true(charge_uses(bench, &look, 1, NULL, &out));
    assert_true(used(bench, 0, "alice") == 0);
    struct limit_use force = use_of(bench, 0, "alice", 1);
    force.force = true;
    for (int i = 0; i < 7; i++)
        assert_true(charge_uses(bench, &force, 1, NULL, &out));
    assert_true(used(bench, 0, "alice") == 7);
    assert_false(charge_uses(bench, &look, 1, NULL, &out));
    assert_true(look.free_ms > 0);
    struct limit_use uses[] = { use_of(bench, 1, "alice", 4) };
    out = (struct store_charge){ .uses = uses, .use_count = 1, .peek = true };
    assert_true(store_charge(bench->store, &out));
    assert_true(out.admitted);
    assert_true(used(bench, 1, "alice") == 0);
}

static void a_name_is_charged_once_for_a_minute(void **state)
{
    struct bench *bench = *state;
    static const char name[] = "0123456789abcdef0123456789abcdef";
    struct limit_use use = use_of(bench, 0, "alice", 3);
    struct store_charge out;

    assert_true(charge_uses(bench, &use, 1, name, &out));
    assert_false(out.repeated);
    assert_true(charge_uses(bench, &use, 1, name, &out));
    assert_true(out.repeated);
    assert_true(use.used == 0); /* as the first answer said */
    assert_true(used(bench, 0, "alice") == 3);
    out.peek = true; /* looking is not repeating */
    assert_true(store_charge(bench->store, &out));
    assert_true(!out.repeated && use.used == 3);
    use.amount = 4;
    assert_false(charge_uses(bench, &use, 1, "another name", &out));
    uint64_t free_ms = use.free_ms;
    assert_true(free_ms > 0);
    bench->clock.now += 1000;
    assert_false(
        charge_uses(bench, &use, 1, "another name", &out)); /* a refusal is remembered, too */
    assert_true(out.repeated);
    assert_true(use.free_ms == free_ms && use.used == 3 && out.over == 0);
    fake_clock_advance(&bench->clock, STORE_ONCE_MS);
    use.amount = 1;
    assert_true(charge_uses(bench, &use, 1, name, &out));
    assert_false(out.repeated);
    assert_true(used(bench, 0, "alice") == 4);
}

static void a_wall_clock_that_is_set_changes_no_window(void **state)
{
    struct bench *bench = *state;

    assert_true(charge(bench, 0, "alice", 5));
    bench->clock.wall += 30 * DAY;
    assert_false(charge(bench, 0, "alice", 1));
    bench->clock.wall -= 60 * DAY;
    assert_false(charge(bench, 0, "alice", 1));
    bench->clock.now += HOUR + HOUR / WINDOW_BUCKETS;
    assert_true(charge(bench, 0, "alice", 5));
}

static void refuses_too_many_uses_at_once(void **state)
{
    struct bench *bench = *state;
    static struct limit_use uses[STORE_USES_MAX + 1];
    struct store_charge out = { .uses = uses, .use_count = COUNT(uses) };

    for (size_t i = 0; i < COUNT(uses); i++)
        uses[i] = use_of(bench, 2, "alice", 1);
    assert_true(store_charge(bench->store, &out));
    assert_int_equal(STORE_FAILED, out.call.result);
    out.use_count--;
    assert_true(store_charge(bench->store, &out));
    assert_true(out.admitted);
    assert_true(used(bench, 2, "alice") == STORE_USES_MAX);
}

/* ---- live values ---- */

static void live_values_are_in_force_at_once(void **state)
{
    struct bench *bench = *state;
    struct store_charge out;
    struct limit_use use = use_of(bench, 0, "alice@example.com", 1);
    char until[100];

    assert_true(charge(bench, 0, "alice@example.com", 5));
    assert_false(charge_uses(bench, &use, 1, NULL, &out));
    write_field(bench, "limit:a", "domain:example.com", "6/1h by=root note=more");
    assert_true(charge_uses(bench, &use, 1, NULL, &out));
    assert_int_equal(RATE_DOMAIN, use.source.level);
    assert_true(use.source.is_live);
    assert_slice("domain:example.com", use.source.field);
    assert_false(charge_uses(bench, &use, 1, NULL, &out));
    snprintf(until, sizeof until, "unlimited until=%llu",
             (unsigned long long)(bench->clock.wall / SECOND + 10));
    write_field(bench, "limit:a", "user:alice@example.com", until);
    assert_true(charge_uses(bench, &use, 1, NULL, &out));
    assert_int_equal(RATE_USER, use.source.level);
    fake_clock_advance(&bench->clock, 10 * SECOND);
    assert_false(charge_uses(bench, &use, 1, NULL, &out)); /* expired: the domain's again */
    write_field(bench, "limit:a", "user:alice@example.com", "many");
    assert_false(charge_uses(bench, &use, 1, NULL, &out)); /* garbage is no rate */
    assert_int_equal(0, use.bad);
    write_field(bench, "limit:a", NULL, NULL);
    assert_false(charge_uses(bench, &use, 1, NULL, &out));
    assert_int_equal(RATE_DEFAULT, use.source.level);
    assert_true(use.bad == SIZE_MAX);
}

static void another_window_starts_a_new_count(void **state)
{
    struct bench *bench = *state;

    assert_true(charge(bench, 0, "alice", 5));
    write_field(bench, "limit:a", "default", "5/2h");
    assert_true(charge(bench, 0, "alice", 5));
    assert_false(charge(bench, 0, "alice", 1));
    write_field(bench, "limit:a", "default", NULL);
    assert_false(charge(bench, 0, "alice", 1));
    struct store_reset reset = { .limit = SLICE("a"), .subject = SLICE("t:alice") };
    assert_true(store_reset(bench->store, &reset));
    assert_true(reset.removed == 2); /* both windows */
    assert_true(charge(bench, 0, "alice", 5));
}

static void hashes_are_written_read_and_polled(void **state)
{
    struct bench *bench = *state;
    struct slice keys[] = { SLICE("list:block"), SLICE("list:allow"), SLICE("class") };
    char versions[3][48] = { "", "", "" };
    bool changed[3];
    struct store_poll poll = { .keys = keys, .count = 3, .versions = versions, .changed = changed };

    assert_true(store_poll(bench->store, &poll));
    assert_true(changed[0] && changed[1] && changed[2]); /* never seen */
    write_field(bench, "list:allow", "a@example.com", "by=root");
    assert_true(store_poll(bench->store, &poll));
    assert_true(!changed[0] && changed[1] && !changed[2]);
    assert_true(store_poll(bench->store, &poll));
    assert_false(changed[1]);
    write_field(bench, "list:allow", "a@example.com", "by=root"); /* the same: no change */
    assert_true(store_poll(bench->store, &poll));
    assert_false(changed[1]);
    write_field(bench, "list:allow", "b@example.com", "");
    struct store_read read = { .key = keys[1], .arena = bench->arena };
    assert_true(store_read(bench->store, &read));
    assert_int_equal(2, read.count);
    struct slice fields[] = { SLICE("b@example.com"), SLICE("c@example.com") }, texts[2];
    struct store_fetch fetch = {
        .key = keys[1], .fields = fields, .count = 2, .texts = texts, .arena = bench->arena
    };
    assert_true(store_fetch(bench->store, &fetch));
    assert_slice("", texts[0]);
    assert_null(texts[1].ptr);
    struct store_write remove = { .key = keys[1], .field = fields[1] };
    assert_true(store_write(bench->store, &remove));
    assert_false(remove.existed);
    remove.field = fields[0];
    assert_true(store_write(bench->store, &remove));
    assert_true(remove.existed);
    remove.field.ptr = NULL;
    assert_true(store_write(bench->store, &remove));
    assert_true(remove.existed);
    assert_true(store_poll(bench->store, &poll));
    assert_true(changed[1]); /* gone */
    assert_true(stats(bench).live_used == 0);
}

static void live_hashes_are_bounded_and_lose_what_expired(void **state)
{
    struct bench *bench = *state;
    struct store_write write = { .key = SLICE("list:block"), .text = SLICE("until=1795314900") };
    char name[32];
    size_t written = 0;

    for (size_t n = 0; n < 200000; n++) {
        snprintf(name, sizeof name, "user%zu@example.com", n);
        write.field = slice_of(name);
        assert_true(store_write(bench->store, &write));
        written += write.call.result == STORE_OK;
    }
    assert_true(written > 10000 && written < 100000);
    assert_true(stats(bench).live_used <= 4 * MIB);
    fake_clock_advance(&bench->clock, HOUR);
    for (size_t n = 0; n < 40000; n++) { /* each looks for some that have expired */
        write.text = n % 2 ? SLICE("by=root") : SLICE("");
        assert_true(store_write(bench->store, &write));
    }
    assert_int_equal(STORE_OK, write.call.result);
    assert_true(stats(bench).live_used < 20000);
    write.text.len = STORE_TEXT_MAX + 1;
    assert_true(store_write(bench->store, &write));
    assert_int_equal(STORE_FAILED, write.call.result);
}

/* ---- bounds ---- */

static uint64_t resident_bytes(void)
{
    unsigned long long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(2, fscanf(file, "%llu %llu", &pages, &resident));
    fclose(file);
    return resident * 4096;
}

static void charge_number(struct bench *bench, size_t limit, size_t n, struct store_charge *out,
                          struct limit_use *use)
{
    char name[40];

    *use = (struct limit_use){ .limit = bench->limit[limit], .amount = 1 };
    snprintf(name, sizeof name, "t:user%zu@example.com", n);
    use->subject = slice_of(name);
    *out = (struct store_charge){ .uses = use, .use_count = 1 };
    assert_true(store_charge(bench->store, out));
}

static void a_flood_of_subjects_is_bounded(void **state)
{
    struct bench *bench = *state;
    uint64_t before = resident_bytes();
    struct store_charge out;
    struct limit_use use;

    assert_true(charge(bench, 0, "alice", 4));
    for (size_t n = 0; n < 1000000; n++) {
        charge_number(bench, 0, n, &out, &use);
        assert_true(out.admitted);
    }
    struct store_memory_stats now = stats(bench);
    assert_true(now.memory_used <= 16 * MIB && now.counters > 50000);
    assert_true(now.counters + now.uncounted == 1000001);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(resident_bytes() - before < 24 * MIB);
#else
    (void)before;
#endif
    assert_true(charge(bench, 0, "alice", 1)); /* who is known is still counted */
    assert_false(charge(bench, 0, "alice", 1));
    fake_clock_advance(&bench->clock, HOUR / 2);
    struct limit_use minute = use_of(bench, 2, "alice", 1);
    struct store_charge named;
    assert_true(charge_uses(bench, &minute, 1, "some name", &named)); /* no room for either */
    assert_true(stats(bench).forgotten > 0);
    fake_clock_advance(&bench->clock, 2 * HOUR);
    for (size_t n = 0; n < 1000; n++)
        charge_number(bench, 0, 5000000 + n, &out, &use);
    now = stats(bench);
    assert_true(now.expired > 5000); /* a few at each call: no stop for all of them */
    assert_true(now.uncounted < 1000001 - 50000 + 10);
}

static void names_make_room_for_counters_at_the_bound(void **state)
{
    struct bench *bench = *state;
    char name[40];
    struct store_charge out = { .use_count = 0 };

    for (size_t n = 0; n < 200000; n++) {
        snprintf(name, sizeof name, "name%zu", n);
        out.once = slice_of(name);
        assert_true(store_charge(bench->store, &out));
    }
    assert_true(stats(bench).evicted > 0);
    struct limit_use use;
    for (size_t n = 0; n < 20000; n++)
        charge_number(bench, 0, n, &out, &use);
    assert_true(stats(bench).counters == 20000);
    assert_true(stats(bench).uncounted == 0);
}

static void a_known_subject_is_counted_without_room(void **state)
{
    struct bench *bench = *state;
    struct store_charge out;
    struct limit_use use;
    uint64_t admitted = 0;

    assert_true(charge(bench, 1, "alice", 1));
    for (size_t n = 0; n < 400000; n++)
        charge_number(bench, 0, n, &out, &use);
    for (size_t n = 0; n < 24; n++) { /* each in another bucket, all in one window */
        fake_clock_advance(&bench->clock, HOUR / WINDOW_BUCKETS);
        admitted += charge(bench, 1, "alice", 1);
    }
    assert_true(admitted == 9);
    assert_true(stats(bench).squeezed > 0);
}

/* ---- the highest, the log, the state ---- */

static void lists_the_highest_first(void **state)
{
    struct bench *bench = *state;
    struct store_charge out;
    struct limit_use use;
    char name[40];

    for (size_t n = 0; n < 500; n++) {
        snprintf(name, sizeof name, "user%zu", n * 7 % 500);
        use = use_of(bench, 2, name, 1 + n * 7 % 500);
        assert_true(charge_uses(bench, &use, 1, NULL, &out));
    }
    assert_true(charge(bench, 0, "alice", 3));
    struct store_top top = { .limit = SLICE("c"), .arena = bench->arena, .count = 3 };
    assert_true(store_top(bench->store, &top));
    assert_int_equal(3, top.count);
    assert_slice("t:user499", top.rows[0].subject);
    assert_slice("t:user498", top.rows[1].subject);
    assert_slice("t:user497", top.rows[2].subject);
    assert_true(top.rows[0].used == 500 && top.rows[0].window_ms == MINUTE);
    top = (struct store_top){ .arena = bench->arena, .count = 100000 };
    assert_true(store_top(bench->store, &top));
    assert_int_equal(501, top.count);
    fake_clock_advance(&bench->clock, 2 * MINUTE);
    top = (struct store_top){ .arena = bench->arena, .count = 10 };
    assert_true(store_top(bench->store, &top));
    assert_int_equal(1, top.count); /* the others' windows have passed */
    assert_slice("a", top.rows[0].limit);
}

static void keeps_the_last_decision_lines(void **state)
{
    struct bench *bench = *state;
    char line[64];
    struct store_log_read read = { .arena = bench->arena, .count = 3 };

    for (unsigned n = 0; n < STORE_LOG_LINES + 500; n++) {
        snprintf(line, sizeof line, "decision ref=%u verdict=%s", n, n % 2 ? "dunno" : "reject");
        store_log(bench->store, slice_of(line));
        fake_clock_advance(&bench->clock, n % 3);
    }
    assert_true(store_log_read(bench->store, &read));
    assert_int_equal(3, read.count);
    assert_slice("decision ref=10499 verdict=dunno", read.lines[2].text);
    struct slice after = read.lines[0].name;
    read = (struct store_log_read){ .after = after, .arena = bench->arena, .count = 10 };
    assert_true(store_log_read(bench->store, &read));
    assert_int_equal(2, read.count);
    assert_slice("decision ref=10498 verdict=reject", read.lines[0].text);
    read = (struct store_log_read){ .find = SLICE("reject"), .arena = bench->arena, .count = 2 };
    assert_true(store_log_read(bench->store, &read));
    assert_int_equal(2, read.count);
    assert_slice("decision ref=10496 verdict=reject", read.lines[0].text);
    read = (struct store_log_read){ .arena = bench->arena, .count = 50000 };
    assert_true(store_log_read(bench->store, &read));
    assert_int_equal(STORE_LOG_LINES, read.count);
    assert_slice("decision ref=500 verdict=reject", read.lines[0].text);
    read = (struct store_log_read){ .after = SLICE("x"), .arena = bench->arena, .count = 1 };
    assert_true(store_log_read(bench->store, &read));
    assert_int_equal(STORE_FAILED, read.call.result);
}

static void long_lines_push_out_more_of_the_log(void **state)
{
    struct bench *bench = *state;
    static char line[STORE_LOG_LINE_MAX + 100];
    struct store_log_read read = { .arena = bench->arena, .count = STORE_LOG_LINES };

    memset(line, 'x', sizeof line);
    for (unsigned n = 0; n < 1000; n++)
        store_log(bench->store, (struct slice){ line, sizeof line });
    assert_true(store_log_read(bench->store, &read));
    assert_true(read.count > 200 && read.count < 260); /* 1 MiB */
    assert_int_equal(STORE_LOG_LINE_MAX, read.lines[0].text.len);
}

static void tells_its_state(void **state)
{
    struct bench *bench = *state;
    struct store_status status;

    assert_true(charge(bench, 0, "alice", 1));
    store_status(bench->store, &status);
    assert_int_equal(STORE_UP, status.state);
    assert_string_equal("memory", status.kind);
    assert_string_equal("1 counters, 0 of 16384 KiB", status.detail);
    struct store_call idle = { .pending = NULL };
    store_abandon(bench->store, &idle); /* nothing is ever under way */
}

/* ---- the shadow of Redis ---- */

static void applies_what_redis_admitted_once(void **state)
{
    struct bench *bench = *state;
    struct limit_use use = use_of(bench, 0, "alice", 4);
    struct store_charge done = { .uses = &use, .use_count = 1, .admitted = true };
    uint64_t owed;

    store_memory_set_time(bench->memory, 77 * DAY);
    assert_true(store_memory_time(bench->memory) == 77 * DAY);
    use.rate = limit_default_rate(use.limit);
    use.bucket = window_bucket(HOUR, 77 * DAY);
    done.once = SLICE("name");
    store_memory_apply(bench->memory, &done);
    store_memory_apply(bench->memory, &done); /* the same name: the same charge */
    assert_true(used(bench, 0, "alice") == 4);
    struct store_charge again = { .uses = &use, .use_count = 1, .once = SLICE("name") };
    store_memory_decide(bench->memory, &again, &owed);
    assert_true(again.repeated && again.admitted && owed == 0);
    use.bucket -= 25; /* has left the window: ignored */
    done.once.ptr = NULL;
    store_memory_apply(bench->memory, &done);
    assert_true(used(bench, 0, "alice") == 4);
    done.admitted = false;
    use.bucket += 25;
    store_memory_apply(bench->memory, &done);
    assert_true(used(bench, 0, "alice") == 4);
}

static uint64_t decide(struct bench *bench, const char *user, uint64_t amount, const char *once)
{
    struct limit_use use = use_of(bench, 1, user, amount);
    struct store_charge charge = { .uses = &use, .use_count = 1, .once = slice_of(once) };
    uint64_t id;

    charge.call.result = STORE_FAILED;
    store_memory_decide(bench->memory, &charge, &id);
    assert_int_equal(STORE_OK, charge.call.result);
    assert_int_equal(charge.admitted && amount > 0, id != 0);
    return id;
}

static void the_journal_gives_each_charge_to_one_taker(void **state)
{
    struct bench *bench = *state;
    struct store_owed owed;
    uint64_t first = decide(bench, "alice", 4, "one"), second = decide(bench, "bob", 2, NULL);

    assert_true(decide(bench, "alice", 7, "two") == 0); /* refused */
    assert_true(decide(bench, "alice", 0, "three") == 0); /* adds nothing */
    assert_true(stats(bench).owed == 2);
    assert_true(store_memory_owed_take(bench->memory, bench->arena, &owed));
    assert_true(owed.id == first && owed.count == 1 && owed.uses[0].amount == 4);
    assert_slice("one", owed.once);
    assert_slice("b", owed.uses[0].limit);
    assert_slice("t:alice", owed.uses[0].subject);
    assert_true(owed.uses[0].window_ms == HOUR);
    assert_true(owed.uses[0].bucket == window_bucket(HOUR, store_memory_time(bench->memory)));
    store_memory_owed_settle(bench->memory, second); /* a late success */
    assert_false(store_memory_owed_take(bench->memory, bench->arena, &owed));
    store_memory_owed_return(bench->memory, first);
    assert_true(store_memory_owed_take(bench->memory, bench->arena, &owed));
    assert_true(owed.id == first);
    store_memory_owed_settle(bench->memory, first);
    store_memory_owed_settle(bench->memory, first);
    store_memory_owed_return(bench->memory, first);
    store_memory_owed_settle(bench->memory, 0);
    assert_false(store_memory_owed_take(bench->memory, bench->arena, &owed));
    assert_true(stats(bench).owed == 0 && stats(bench).owed_lost == 0);
}

static void the_journal_is_bounded_and_forgets_old_windows(void **state)
{
    struct bench *bench = *state;
    struct store_owed owed;
    char name[40];
    uint64_t last = 0;

    for (size_t n = 0; n < 20000; n++) {
        snprintf(name, sizeof name, "user%zu", n);
        last = decide(bench, name, 1, NULL);
    }
    struct store_memory_stats now = stats(bench);
    assert_true(now.owed_lost > 0 && now.owed + now.owed_lost == 20000);
    assert_true(store_memory_owed_take(bench->memory, bench->arena, &owed));
    assert_true(owed.id == now.owed_lost + 1); /* the oldest fell off */
    fake_clock_advance(&bench->clock, 2 * HOUR);
    assert_false(store_memory_owed_take(bench->memory, bench->arena, &owed));
    assert_true(stats(bench).owed == 1); /* the one that is taken */
    store_memory_owed_settle(bench->memory, owed.id);
    assert_true(decide(bench, "alice", 1, NULL) == last + 1);
    assert_true(stats(bench).owed == 1);
}

static void decides_with_the_fields_last_seen(void **state)
{
    struct bench *bench = *state;
    struct slice key = SLICE("limit:b"), field = SLICE("user:alice"), none = { NULL, 0 };

    store_memory_note(bench->memory, key, field, none);
    assert_true(stats(bench).live_used == 0);
    store_memory_note(bench->memory, key, field, SLICE("1/1h"));
    assert_true(decide(bench, "alice", 2, NULL) == 0);
    store_memory_note(bench->memory, key, field, none);
    assert_true(decide(bench, "alice", 2, NULL) != 0);
    assert_true(stats(bench).live_used == 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(admits_n_and_frees_them_after_the_window),
        TEST(charges_all_or_nothing),
        TEST(counts_a_limit_that_is_there_twice_twice),
        TEST(looks_forces_and_peeks),
        TEST(a_name_is_charged_once_for_a_minute),
        TEST(a_wall_clock_that_is_set_changes_no_window),
        TEST(refuses_too_many_uses_at_once),
        TEST(live_values_are_in_force_at_once),
        TEST(another_window_starts_a_new_count),
        TEST(hashes_are_written_read_and_polled),
        TEST(live_hashes_are_bounded_and_lose_what_expired),
        TEST(a_flood_of_subjects_is_bounded),
        TEST(names_make_room_for_counters_at_the_bound),
        TEST(a_known_subject_is_counted_without_room),
        TEST(lists_the_highest_first),
        TEST(keeps_the_last_decision_lines),
        TEST(long_lines_push_out_more_of_the_log),
        TEST(tells_its_state),
        TEST(applies_what_redis_admitted_once),
        TEST(the_journal_gives_each_charge_to_one_taker),
        TEST(the_journal_is_bounded_and_forgets_old_windows),
        TEST(decides_with_the_fields_last_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
