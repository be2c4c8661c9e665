/* tests/unit/signd/test_key_cycle.c - keys change over: two resolvers that see the same or not, or say nothing, states that change
 * meanwhile, a store that fails; that a key begins to sign and the other
 * one ceases to in one step. */
#include "signd/key_cycle.h"

#include "tests/fakes/fake_store.h"
#include "tests/fakes/key_directory.h"
#include "tests/fakes/key_records.h"
#include "tests/fakes/worker_loop.h"
#include "tests/unit/unit.h"

enum {
    SHOWN = KEY_RECORD_TEXT | KEY_RECORD_OWN,
    MISSING = 0,
    OTHER = KEY_RECORD_OTHER,
    BROKEN = KEY_RECORD_BROKEN,
};

struct fixture {
    struct key_records records; /* of the key new */
    unsigned shows[KEY_RESOLVERS];
    struct fake_store *store;
    struct key_directory keys;
    struct shared *files;
    struct key_cycle *cycle;
};

static struct fixture f;

static unsigned shown(size_t resolver, const char *name)
{
    assert_string_equal("new._domainkey.example.com", name); /* nobody asks for another key */
    return f.shows[resolver];
}

static int setup(UNUSED void **state)
{
    size_t first;

    f = (struct fixture){ .shows = { SHOWN, SHOWN } };
    key_records_open(&f.records);
    f.records.shown = shown;
    f.store = fake_store_new(&f.records.clock.clock);
    key_directory_make(&f.keys);
    key_directory_domain(&f.keys, "example.com");
    key_directory_put_key(&f.keys, "example.com/new.key", DKIM_ED25519, 0);
    key_directory_put_key(&f.keys, "example.com/old.key", DKIM_ED25519, 0);
    key_directory_put_key(&f.keys, "example.com/rsa.key", DKIM_RSA, 1024);
    key_directory_read(&f.keys, &f.files);
    assert_int_equal(3, key_set_find(shared_get(f.files), SLICE("example.com"), &first));
    key_records_of(&f.records, key_set_at(shared_get(f.files), first)->key);
    const struct conf_list list = key_records_resolvers(&f.records);
    const struct key_cycle_spec spec = { .worker = f.records.worker,
                                         .store = &f.store->store,
                                         .resolvers = &list };
    f.cycle = key_cycle_new(&spec);
    return f.cycle == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    key_cycle_free(&f.cycle);
    shared_unref(&f.files);
    key_directory_remove(&f.keys);
    fake_store_free(&f.store);
    key_records_close(&f.records);
    return 0;
}

static void say(const char *selector, const char *text)
{
    char field[64];
    struct store_write write = { .key = SLICE("dkim"), .text = slice_of(text) };

    snprintf(field, sizeof field, "example.com/%s", selector);
    write.field = slice_of(field);
    assert_true(store_write(&f.store->store, &write));
    assert_int_equal(STORE_OK, write.call.result);
}

static struct key_lives *lives_now(struct arena *arena)
{
    struct store_read read = { .key = SLICE("dkim"), .arena = arena };

    assert_true(store_read(&f.store->store, &read));
    struct key_lives_builder *builder = key_lives_builder_new(read.count);
    for (size_t i = 0; i < read.count; i++)
        assert_null(key_lives_add(builder, read.fields[i].name, read.fields[i].text));
    return key_lives_finish(&builder);
}

/* What signd goes by: the store, and that all other keys are active. */
static struct key_lives *known_now(struct arena *arena)
{
    static const struct dkim_life active = { .state = DKIM_ACTIVE };
    const struct key_set *files = shared_get(f.files);
    struct key_lives *said = lives_now(arena);
    struct key_lives_builder *builder =
        key_lives_builder_new(key_lives_count(said) + key_set_count(files));
    struct slice domain, selector;

    for (size_t i = 0; i < key_lives_count(said); i++) {
        const struct dkim_life *life = key_lives_at(said, i, &domain, &selector);
        assert_null(key_lives_put(builder, domain, selector, life));
    }
    for (size_t i = 0; i < key_set_count(files); i++)
        if (key_lives_find(said, SLICE("example.com"), key_set_at(files, i)->selector) == NULL)
            assert_null(key_lives_put(builder, SLICE("example.com"), key_set_at(files, i)->selector,
                                      &active));
    key_lives_free(said);
    return key_lives_finish(&builder);
}

/* The state's word; "-": nothing is said. */
static const char *state_in(const char *domain, const char *selector)
{
    struct arena *arena = arena_new(1 << 20);
    struct key_lives *lives = lives_now(arena);
    const struct dkim_life *life = key_lives_find(lives, slice_of(domain), slice_of(selector));
    const char *word = life == NULL ? "-" : dkim_state_words[life->state];

    key_lives_free(lives);
    arena_free(&arena);
    return word;
}

static const char *state_of(const char *selector)
{
    return state_in("example.com", selector);
}

static void begin(void)
{
    struct arena *arena = arena_new(1 << 20);
    struct shared *lives = shared_new(known_now(arena), key_lives_free);
    const struct key_cycle_input input = {
        .files = f.files, .lives = lives, .rotation = { 3600, 7 * 86400 }, .dns_timeout_ms = 1000
    };

    key_cycle_run(f.cycle, &input);
    shared_unref(&lives);
    arena_free(&arena);
}

static bool is_running(UNUSED void *arg)
{
    return key_cycle_is_running(f.cycle);
}

static void loop_until_idle(void)
{
    worker_loop_while(f.records.worker, is_running, NULL);
}

static void run(void)
{
    begin();
    loop_until_idle();
}

static const struct {
    const char *what, *before;
    unsigned first, second;
    const char *after, *old; /* of new, and of old afterwards */
} cases[] = {
    { "both show it", "pending since=1", SHOWN, SHOWN, "seen", "-" },
    { "one does not yet", "pending since=1", SHOWN, MISSING, "pending", "-" },
    { "one has another key", "pending since=1", SHOWN, OTHER, "pending", "-" },
    { "one cannot say", "pending since=1", SHOWN, BROKEN, "pending", "-" },
    { "seen long enough", "seen since=1", SHOWN, SHOWN, "active", "retiring" },
    { "not long enough", "seen since=1795314800", SHOWN, SHOWN, "seen", "-" },
    { "it has gone", "seen since=1", SHOWN, MISSING, "pending", "-" },
    { "nobody can say", "seen since=1", BROKEN, BROKEN, "seen", "-" },
    { "it signs already", "active since=1", MISSING, MISSING, "active", "-" },
    { "its time has come", "retiring since=1", SHOWN, SHOWN, "retired", "-" },
};

static void goes_from_state_to_state(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(0, setup(NULL));
        f.shows[0] = cases[i].first;
        f.shows[1] = cases[i].second;
        say("new", cases[i].before);
        run();
        if (strcmp(cases[i].after, state_of("new")) != 0 ||
            strcmp(cases[i].old, state_of("old")) != 0 || strcmp("-", state_of("rsa")) != 0)
            fail_msg("%s: new is %s, old %s, rsa %s", cases[i].what, state_of("new"),
                     state_of("old"), state_of("rsa"));
        teardown(NULL);
    }
}

static void asks_nobody_when_nothing_waits(UNUSED void **state)
{
    run();
    say("old", "active since=1");
    say("gone", "pending since=1"); /* a key that this host does not have */
    run();
    assert_int_equal(0, key_records_queries(&f.records));
    assert_string_equal("pending", state_of("gone"));
}

static void a_second_cycle_waits_for_the_first(UNUSED void **state)
{
    say("new", "pending since=1");
    begin();
    assert_true(key_cycle_is_running(f.cycle));
    begin();
    loop_until_idle();
    assert_int_equal(1, f.records.resolvers[0].server.queries);
    assert_string_equal("seen", state_of("new"));
}

/* Somebody has decided otherwise while the resolvers were asked. */
static void what_was_changed_meanwhile_counts(UNUSED void **state)
{
    say("new", "seen since=1");
    begin();
    say("new", "retired since=2");
    loop_until_idle();
    assert_string_equal("retired", state_of("new"));
    assert_string_equal("-", state_of("old"));
}

static void a_store_that_fails_ends_the_cycle(UNUSED void **state)
{
    say("new", "seen since=1");
    begin();
    f.store->fails = true;
    loop_until_idle();
    f.store->fails = false;
    assert_string_equal("seen", state_of("new"));
    run();
    assert_string_equal("active", state_of("new"));
}

static bool is_nothing_held(UNUSED void *arg)
{
    return f.store->held_count == 0;
}

/* A cycle whose `swaps`-th change is on its way; what came before has ended. */
static void begin_until_swap(size_t swaps)
{
    begin();
    f.store->holds = true;
    worker_loop_while(f.records.worker, is_nothing_held, NULL); /* until the states are read */
    for (size_t i = 0; i < swaps; i++)
        fake_store_release_one(f.store);
    f.store->holds = false;
    assert_int_equal(1, f.store->held_count);
    assert_int_equal(FAKE_SWAP, f.store->held[0].kind);
}

/* What is on its way ends, and nothing else yet. */
static void end_one_swap(void)
{
    f.store->holds = true;
    fake_store_release_one(f.store);
    f.store->holds = false;
}

/* What breaks off: the store fails, or signd ends. */
static void changes_over_in_one_step_or_not_at_all(UNUSED void **state)
{
    say("new", "seen since=1");
    begin_until_swap(1);
    assert_string_equal("seen", state_of("new"));
    f.store->fails = true;
    fake_store_release(f.store);
    assert_false(key_cycle_is_running(f.cycle));
    f.store->fails = false;
    assert_string_equal("seen", state_of("new"));
    assert_string_equal("-", state_of("old"));
    begin_until_swap(1);
    end_one_swap();
    assert_false(key_cycle_is_running(f.cycle)); /* it was the only one */
    assert_string_equal("active", state_of("new"));
    assert_string_equal("retiring", state_of("old"));
    assert_string_equal("-", state_of("rsa"));
    say("new", "seen since=1");
    say("old", "active since=1");
    begin_until_swap(1);
    key_cycle_free(&f.cycle);
    assert_string_equal("seen", state_of("new"));
    assert_string_equal("active", state_of("old"));
}

static const struct {
    const char *selector, *text; /* what somebody says when the change is on its way */
    const char *new, *old; /* after that cycle */
    const char *next_new, *next_old; /* after the next one */
} last_moments[] = {
    { "new", "retired since=2", "retired", "-", "retired", "-" },
    { "new", "seen since=1 note=wait", "seen", "-", "active", "retiring" },
    { "old", "active since=2 by=root", "seen", "active", "active", "retiring" },
    { "old", "retired since=2", "seen", "retired", "active", "retired" },
    { "other", "active since=2", "active", "retiring", "active", "retiring" },
};

static void what_is_said_at_the_last_moment_counts(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(last_moments); i++) {
        assert_int_equal(0, setup(NULL));
        say("new", "seen since=1");
        begin_until_swap(1);
        say(last_moments[i].selector, last_moments[i].text);
        fake_store_release(f.store);
        assert_false(key_cycle_is_running(f.cycle));
        if (strcmp(last_moments[i].new, state_of("new")) != 0 ||
            strcmp(last_moments[i].old, state_of("old")) != 0)
            fail_msg("row %zu: new is %s, old %s", i, state_of("new"), state_of("old"));
        run();
        if (strcmp(last_moments[i].next_new, state_of("new")) != 0 ||
            strcmp(last_moments[i].next_old, state_of("old")) != 0)
            fail_msg("row %zu, later: new is %s, old %s", i, state_of("new"), state_of("old"));
        teardown(NULL);
    }
}

static void one_domain_does_not_hold_up_another(UNUSED void **state)
{
    say("new", "seen since=1");
    fake_store_set(f.store, "dkim", "before.example/x", "retiring since=1");
    fake_store_set(f.store, "dkim", "later.example/x", "retiring since=1");
    begin_until_swap(2); /* before.example is done, example.com on its way */
    assert_string_equal("retired", state_in("before.example", "x"));
    assert_string_equal("retiring", state_in("later.example", "x"));
    say("new", "retired since=2");
    fake_store_release(f.store);
    assert_string_equal("retired", state_of("new"));
    assert_string_equal("-", state_of("old"));
    assert_string_equal("retired", state_in("later.example", "x"));
}

/* More keys of a domain than one step takes. */
static void many_keys_take_several_steps(UNUSED void **state)
{
    char field[64];

    for (unsigned i = 0; i <= STORE_CHANGES_MAX; i++) {
        snprintf(field, sizeof field, "example.com/k%u", i);
        fake_store_set(f.store, "dkim", field, "retiring since=1");
    }
    say("new", "seen since=1");
    begin_until_swap(1);
    end_one_swap();
    assert_string_equal("active", state_of("new"));
    assert_string_equal("retiring", state_of("old"));
    assert_int_equal(1, f.store->held_count);
    fake_store_release(f.store);
    assert_false(key_cycle_is_running(f.cycle));
    for (unsigned i = 0; i <= STORE_CHANGES_MAX; i++) {
        snprintf(field, sizeof field, "k%u", i);
        assert_string_equal("retired", state_of(field));
    }
}

static void it_can_be_ended_at_any_time(UNUSED void **state)
{
    say("new", "seen since=1");
    begin();
    key_cycle_free(&f.cycle);
    assert_string_equal("seen", state_of("new"));
}

/* The store has lost everything: what this host knows is written there, as it was. */
static void what_the_store_has_lost_is_written_again(UNUSED void **state)
{
    struct key_lives_builder *builder = key_lives_builder_new(3);
    struct arena *arena = arena_new(1 << 20);

    assert_null(key_lives_add(builder, SLICE("example.com/new"), SLICE("pending since=77")));
    assert_null(key_lives_add(builder, SLICE("example.com/old"), SLICE("active since=5")));
    assert_null(key_lives_add(builder, SLICE("example.com/rsa"), SLICE("retired since=6")));
    struct shared *lives = shared_new(key_lives_finish(&builder), key_lives_free);
    const struct key_cycle_input input = { .files = f.files,
                                           .lives = lives,
                                           .is_lost = true,
                                           .rotation = { 3600, 7 * 86400 },
                                           .dns_timeout_ms = 1000 };
    f.shows[0] = f.shows[1] = MISSING;
    key_cycle_run(f.cycle, &input);
    loop_until_idle();
    struct key_lives *now = lives_now(arena);
    const struct dkim_life *new = key_lives_find(now, SLICE("example.com"), SLICE("new"));
    assert_int_equal(DKIM_PENDING, new->state);
    assert_int_equal(77, new->since_s);
    assert_int_equal(6, key_lives_find(now, SLICE("example.com"), SLICE("rsa"))->since_s);
    assert_string_equal("-", state_of("old")); /* as it is without a word */
    key_lives_free(now);
    shared_unref(&lives);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_from_state_to_state),
        cmocka_unit_test_setup_teardown(asks_nobody_when_nothing_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_cycle_waits_for_the_first, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_changed_meanwhile_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_that_fails_ends_the_cycle, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_over_in_one_step_or_not_at_all, setup, teardown),
        cmocka_unit_test(what_is_said_at_the_last_moment_counts),
        cmocka_unit_test_setup_teardown(one_domain_does_not_hold_up_another, setup, teardown),
        cmocka_unit_test_setup_teardown(many_keys_take_several_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_store_has_lost_is_written_again, setup, teardown),
        cmocka_unit_test_setup_teardown(it_can_be_ended_at_any_time, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
