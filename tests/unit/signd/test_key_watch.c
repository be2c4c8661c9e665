/* tests/unit/signd/test_key_watch.c - records of active keys are looked at: what is seen of them, when the next look is due,
 * keys that come, change and go, many of them; a look that is ended while it waits. */
#include "signd/key_watch.h"

#include "tests/fakes/key_directory.h"
#include "tests/fakes/key_records.h"
#include "tests/fakes/shown_metric.h"
#include "tests/fakes/worker_loop.h"
#include "tests/unit/unit.h"

enum { MANY = KEY_WATCH_LOOK_MAX + 50 };

#define INTERVAL_MS HOUR

enum { SHOWN = KEY_RECORD_OWN, MISSING = 0, OTHER = KEY_RECORD_OTHER, BROKEN = KEY_RECORD_BROKEN };

struct fixture {
    struct key_records records; /* of the key one */
    struct key_directory keys;
    struct shared *files, *lives;
    struct key_watch *watch;
};

static struct fixture f;

static void read_files(void)
{
    key_directory_read(&f.keys, &f.files);
}

/* `texts`: fields and their texts in turn. */
static void say_states(const char *const *texts, size_t count)
{
    struct key_lives_builder *builder = key_lives_builder_new(count);

    for (size_t i = 0; i < count; i += 2)
        assert_null(key_lives_add(builder, slice_of(texts[i]), slice_of(texts[i + 1])));
    shared_unref(&f.lives);
    f.lives = shared_new(key_lives_finish(&builder), key_lives_free);
}

#define STATES(...)                                                                                \
    say_states((const char *const[]){ __VA_ARGS__ }, COUNT(((const char *const[]){ __VA_ARGS__ })))

static int setup(UNUSED void **state)
{
    size_t first;

    f = (struct fixture){ 0 };
    key_records_open(&f.records);
    key_directory_make(&f.keys);
    key_directory_domain(&f.keys, "example.com");
    key_directory_put_key(&f.keys, "example.com/one.key", DKIM_ED25519, 0);
    read_files();
    assert_int_equal(1, key_set_find(shared_get(f.files), SLICE("example.com"), &first));
    key_records_of(&f.records, key_set_at(shared_get(f.files), first)->key);
    STATES("example.com/one", "active");
    const struct conf_list list = key_records_resolvers(&f.records);
    const struct key_watch_spec spec = { .worker = f.records.worker,
                                         .clock = &f.records.clock.clock,
                                         .resolvers = &list };
    f.watch = key_watch_new(&spec);
    return f.watch == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    key_watch_free(&f.watch);
    shared_unref(&f.files);
    shared_unref(&f.lives);
    key_directory_remove(&f.keys);
    key_records_close(&f.records);
    return 0;
}

static void show(unsigned first, unsigned second)
{
    f.records.resolvers[0].shows = first;
    f.records.resolvers[1].shows = second;
}

static void begin(uint64_t interval_ms)
{
    const struct key_watch_input input = {
        .files = f.files, .lives = f.lives, .interval_ms = interval_ms, .dns_timeout_ms = 1000
    };

    key_watch_run(f.watch, &input);
}

static bool is_looking(UNUSED void *arg)
{
    return key_watch_is_looking(f.watch);
}

static void run(uint64_t interval_ms)
{
    begin(interval_ms);
    worker_loop_while(f.records.worker, is_looking, NULL);
}

static size_t asked(void)
{
    return f.records.resolvers[0].server.queries;
}

static const struct key_watch_report *of(const char *selector)
{
    return key_watch_of(f.watch, SLICE("example.com"), slice_of(selector));
}

/* The word for what is known of a key; "-": it is not watched. */
static const char *word_of(const char *selector)
{
    const struct key_watch_report *report = of(selector);

    return report == NULL ? "-" : dkim_visibility_words[report->seen.published.visibility];
}

static bool is_counted(const char *word, size_t keys)
{
    char series[80];

    snprintf(series, sizeof series, "gatehouse_key_records{record=\"%s\"}", word);
    return metric_is_shown(series, keys);
}

static const struct {
    unsigned first, second;
    const char *want;
} cases[] = {
    { SHOWN, SHOWN, "good" },      { MISSING, MISSING, "missing" }, { SHOWN, MISSING, "missing" },
    { OTHER, OTHER, "differs" },   { SHOWN, OTHER, "differs" },     { SHOWN, BROKEN, "unknown" },
    { BROKEN, BROKEN, "unknown" },
};

static void says_what_the_resolvers_show(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(0, setup(NULL));
        show(cases[i].first, cases[i].second);
        begin(INTERVAL_MS);
        assert_string_equal("unknown", word_of("one"));
        assert_int_equal(0, of("one")->looked_s);
        run(INTERVAL_MS);
        if (strcmp(cases[i].want, word_of("one")) != 0)
            fail_msg("%zu: want %s, is %s", i, cases[i].want, word_of("one"));
        assert_int_equal(FAKE_CLOCK_WALL / SECOND, of("one")->looked_s);
        assert_int_equal(strcmp(cases[i].want, "good") != 0,
                         of("one")->seen.published.problem != NULL);
        for (size_t n = 0; n < COUNT(cases); n++)
            if (!is_counted(cases[n].want, strcmp(cases[n].want, cases[i].want) == 0))
                fail_msg("%zu: %s is counted wrongly", i, cases[n].want);
        teardown(NULL);
    }
}

/* Three quarters to five quarters of the interval. */
static void looks_again_when_the_time_has_come(UNUSED void **state)
{
    run(INTERVAL_MS);
    assert_int_equal(1, asked());
    fake_clock_advance(&f.records.clock, INTERVAL_MS / 4 * 3 - 1);
    run(INTERVAL_MS);
    assert_int_equal(1, asked());
    fake_clock_advance(&f.records.clock, INTERVAL_MS / 2 + 1);
    show(SHOWN, MISSING);
    run(INTERVAL_MS);
    assert_int_equal(2, asked());
    assert_string_equal("missing", word_of("one"));
    /* Sooner now: it is worth knowing when it is mended. */
    fake_clock_advance(&f.records.clock, INTERVAL_MS / 12 / 4 * 3 - 1);
    run(INTERVAL_MS);
    assert_int_equal(2, asked());
    fake_clock_advance(&f.records.clock, INTERVAL_MS / 12 / 2 + 1);
    show(SHOWN, SHOWN);
    run(INTERVAL_MS);
    assert_string_equal("good", word_of("one"));
}

/* At most once a second, however short the interval is. */
static void a_second_passes_between_two_looks(UNUSED void **state)
{
    run(1);
    fake_clock_advance(&f.records.clock, SECOND / 4 * 3 - 1);
    run(1);
    assert_int_equal(1, asked());
    fake_clock_advance(&f.records.clock, SECOND / 2 + 1);
    run(1);
    assert_int_equal(2, asked());
}

static void only_keys_that_sign_are_watched(UNUSED void **state)
{
    static const char *const others[] = { "pending", "seen", "retiring", "retired" };

    for (size_t i = 0; i < COUNT(others); i++) {
        STATES("example.com/one", others[i], "example.com/gone", "active");
        run(INTERVAL_MS);
        assert_string_equal("-", word_of("one"));
        assert_string_equal("-", word_of("gone"));
    }
    key_directory_put(&f.keys, "example.com/bad.key", SLICE("garbage"), 0600);
    read_files();
    STATES("example.com/bad", "active");
    run(INTERVAL_MS);
    assert_string_equal("-", word_of("bad"));
    assert_int_equal(0, asked());
}

static void a_key_that_comes_or_changes_is_looked_at_at_once(UNUSED void **state)
{
    run(INTERVAL_MS);
    fake_clock_advance(&f.records.clock, MINUTE);
    key_directory_put_key(&f.keys, "example.com/two.key", DKIM_ED25519, 0);
    read_files();
    STATES("example.com/one", "active", "example.com/two", "active");
    run(INTERVAL_MS);
    assert_int_equal(2, asked()); /* for that one alone */
    assert_string_equal("good", word_of("one"));
    assert_string_equal("differs", word_of("two"));
    assert_int_equal(FAKE_CLOCK_WALL / SECOND, of("one")->looked_s);
    STATES("example.com/one", "retired", "example.com/two", "active");
    run(INTERVAL_MS);
    assert_int_equal(2, asked());
    assert_string_equal("-", word_of("one"));
    assert_string_equal("differs", word_of("two"));
    assert_true(is_counted("good", 0));
}

static void it_can_be_switched_off_and_on(UNUSED void **state)
{
    run(0);
    assert_string_equal("-", word_of("one"));
    assert_int_equal(0, asked());
    run(INTERVAL_MS);
    assert_string_equal("good", word_of("one"));
    run(0);
    assert_string_equal("-", word_of("one"));
    assert_true(is_counted("good", 0));
    run(INTERVAL_MS / 2); /* another interval: it begins anew */
    assert_int_equal(2, asked());
}

static void many_keys_are_looked_at_in_turn(UNUSED void **state)
{
    const char *texts[2 * MANY];
    char fields[MANY][40];
    size_t seen = 0;

    for (size_t i = 0; i < MANY; i++) {
        char name[40];
        snprintf(name, sizeof name, "example.com/k%zu.key", i);
        snprintf(fields[i], sizeof fields[i], "example.com/k%zu", i);
        key_directory_put_key(&f.keys, name, DKIM_ED25519, 0);
        texts[2 * i] = fields[i];
        texts[2 * i + 1] = "active";
    }
    read_files();
    say_states(texts, 2 * MANY);
    run(INTERVAL_MS);
    assert_int_equal(KEY_WATCH_LOOK_MAX, asked());
    run(INTERVAL_MS);
    assert_int_equal(MANY, asked());
    for (size_t i = 0; i < MANY; i++)
        seen += of(fields[i] + strlen("example.com/"))->looked_s > 0;
    assert_int_equal(MANY, seen);
    assert_true(is_counted("differs", MANY));
    run(INTERVAL_MS);
    assert_int_equal(MANY, asked()); /* each once */
}

static void it_can_be_ended_while_it_looks(UNUSED void **state)
{
    begin(INTERVAL_MS);
    assert_true(key_watch_is_looking(f.watch));
    begin(INTERVAL_MS); /* nothing more */
    key_watch_free(&f.watch);
    key_watch_free(&f.watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_the_resolvers_show),
        cmocka_unit_test_setup_teardown(looks_again_when_the_time_has_come, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_passes_between_two_looks, setup, teardown),
        cmocka_unit_test_setup_teardown(only_keys_that_sign_are_watched, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_that_comes_or_changes_is_looked_at_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_can_be_switched_off_and_on, setup, teardown),
        cmocka_unit_test_setup_teardown(many_keys_are_looked_at_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(it_can_be_ended_while_it_looks, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
