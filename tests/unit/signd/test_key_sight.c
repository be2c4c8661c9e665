/* tests/unit/signd/test_key_sight.c - one look at the records of several keys, as two resolvers show them; a look that is ended while
 * it waits; resolvers of resolv.conf, and none. */
#include "signd/key_sight.h"

#include "tests/fakes/key_records.h"
#include "tests/fakes/worker_loop.h"
#include "tests/unit/unit.h"

enum {
    OWN = KEY_RECORD_OWN,
    OTHER = KEY_RECORD_OTHER,
    MISSING = 0,
    BROKEN = KEY_RECORD_BROKEN,
    TEXT = KEY_RECORD_TEXT,
};

/* What each resolver shows of a key, by the first letter of its selector. */
static const struct {
    const char *selector;
    unsigned shown[KEY_RESOLVERS];
    enum dkim_visibility want;
    int says; /* the number of the resolver whose word counts; -1: there is no problem */
} cases[] = {
    { "a", { OWN, OWN }, DKIM_VISIBLE, -1 },
    { "b", { OWN, MISSING }, DKIM_NOT_VISIBLE, 1 },
    { "c", { OWN, OTHER }, DKIM_OTHER_VISIBLE, 1 },
    { "d", { OWN, BROKEN }, DKIM_VISIBILITY_UNKNOWN, 1 },
    { "e", { BROKEN, MISSING }, DKIM_NOT_VISIBLE, 1 },
    { "f", { OWN, OWN | OTHER }, DKIM_OTHER_VISIBLE, 1 },
    { "g", { TEXT, OWN }, DKIM_OTHER_VISIBLE, 0 },
    { "h", { OTHER, MISSING }, DKIM_OTHER_VISIBLE, 0 },
};

static struct key_records records;
static struct dkim_key *key;
static bool is_done;

static unsigned shown(size_t resolver, const char *name)
{
    size_t i = (size_t)(name[0] - 'a');

    assert_true(i < COUNT(cases));
    return cases[i].shown[resolver];
}

static int setup(UNUSED void **state)
{
    key_records_open(&records);
    records.shown = shown;
    key = dkim_key_generate(DKIM_ED25519, 0);
    key_records_of(&records, key);
    is_done = false;
    return 0;
}

static int teardown(UNUSED void **state)
{
    dkim_key_free(&key);
    key_records_close(&records);
    return 0;
}

static void done(UNUSED void *arg)
{
    assert_false(is_done); /* once */
    is_done = true;
}

static struct key_sight *begin(struct arena *arena)
{
    const struct conf_list list = key_records_resolvers(&records);
    struct key_sight *sight = key_sight_new(records.worker, &list, NULL);

    assert_non_null(sight);
    assert_true(key_sight_begin(sight, arena));
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_true(key_sight_add(sight, SLICE("example.com"), slice_of(cases[i].selector), key));
    return sight;
}

static bool is_waiting(UNUSED void *arg)
{
    return !is_done;
}

static void wait_until_done(void)
{
    worker_loop_while(records.worker, is_waiting, NULL);
}

static enum dkim_visibility visibility(const struct key_sight *sight, const char *domain,
                                       const char *selector)
{
    return key_sight_of(sight, slice_of(domain), slice_of(selector)).published.visibility;
}

static void a_key_is_visible_when_all_show_it_and_nothing_else(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct key_sight *sight = begin(arena);

    assert_int_equal(KEY_SIGHT_ASKED, key_sight_ask(sight, 1000, done, NULL));
    wait_until_done();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct key_sighting seen =
            key_sight_of(sight, SLICE("example.com"), slice_of(cases[i].selector));
        AUTO_BUF words = BUF_INIT(KEY_SIGHTING_TEXT_MAX);
        key_sighting_print(&seen, &words);
        bool is_said =
            cases[i].says < 0
                ? buf_slice(&words).len == 0
                : slice_starts_with(buf_slice(&words),
                                    slice_of(records.resolvers[cases[i].says].server.text));
        if (seen.published.visibility != cases[i].want || !is_said)
            fail_msg("%s: %d %s", cases[i].selector, (int)seen.published.visibility,
                     buf_text(&words));
    }
    assert_int_equal(DKIM_VISIBILITY_UNKNOWN, visibility(sight, "example.com", "z"));
    assert_int_equal(DKIM_VISIBILITY_UNKNOWN, visibility(sight, "example.net", "a"));
    key_sight_end(sight);
    assert_int_equal(DKIM_VISIBILITY_UNKNOWN, visibility(sight, "example.com", "a"));
    key_sight_free(&sight);
    arena_free(&arena);
}

static void a_look_that_waits_can_be_ended(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct key_sight *sight = begin(arena);

    assert_int_equal(KEY_SIGHT_ASKED, key_sight_ask(sight, 1000, done, NULL));
    key_sight_free(&sight);
    key_sight_free(&sight); /* nothing there any more */
    arena_free(&arena);
    assert_false(is_done);
}

static void without_a_resolver_nobody_can_say(UNUSED void **state)
{
    const struct conf_list none = { NULL, 0 };
    struct arena *arena = arena_new(1 << 20);
    struct key_sight *sight = key_sight_new(records.worker, &none, "/nonexistent/resolv.conf");

    assert_true(key_sight_begin(sight, arena));
    assert_true(key_sight_add(sight, SLICE("example.com"), SLICE("a"), key));
    if (key_sight_ask(sight, 100, done, NULL) == KEY_SIGHT_ASKED)
        wait_until_done(); /* the address that is taken where the file names none */
    assert_int_equal(DKIM_VISIBILITY_UNKNOWN, visibility(sight, "example.com", "a"));
    key_sight_free(&sight);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_is_visible_when_all_show_it_and_nothing_else, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_look_that_waits_can_be_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_resolver_nobody_can_say, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
