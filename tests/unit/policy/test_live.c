/* tests/unit/policy/test_live.c - rounds of poll, read and publish over a store in memory, on a loop of its own. */
#include "tests/unit/policy/policy_case.h"

#include "common/policy/live.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_store.h"

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#define RULES "[rule r]\nwhen = sasl_username in list:l\nthen = accept\n"

/* What a daemon puts in force. */
struct parts {
    struct policy_core core; /* first member */
    char word[16]; /* of a hash of its own */
};

struct data {
    struct parts parts; /* first member */
    struct rule_book book;
    bool live_were_new;
};

static struct policy_case loaded, reloaded;
static struct fake_clock ticking;
static struct fake_store *store;
static struct event_base *base;
static struct data *now;
static struct live *live;
static size_t published;

static bool load_parts(UNUSED void *parts, UNUSED const struct daemon_load *load)
{
    return false; /* no file is read here */
}

static void has_no_own_parts(UNUSED void *parts)
{
}

static bool build(void *built, const struct rule_hearers *hearers)
{
    struct data *data = built;

    data->live_were_new = hearers->live_are_new;
    return rule_book_make(&data->book, &loaded.schema, &data->parts.core, hearers);
}

static void unbuild(void *built)
{
    rule_book_free(&((struct data *)built)->book);
}

static void take_word(struct live *of, void *parts, size_t index, struct store_read *read)
{
    struct parts *next = parts;

    assert_int_equal(7, index);
    next->word[0] = '\0';
    for (size_t i = 0; i < read->count; i++)
        if (read->fields[i].text.len >= sizeof next->word)
            live_bad_value(of, read->fields[i].name, "too long");
        else
            snprintf(next->word, sizeof next->word, "%.*s", SLICE_ARG(read->fields[i].text));
}

static bool watch(struct live *of, const void *data)
{
    assert_ptr_equal(now, data);
    return live_watch(of, "word:", SLICE("x"), take_word, 7);
}

static const struct policy_kind kind = {
    .data_size = sizeof(struct data),
    .parts_size = sizeof(struct parts),
    .book_offset = offsetof(struct data, book),
    .load = load_parts,
    .share = has_no_own_parts,
    .drop = has_no_own_parts,
    .build = build,
    .unbuild = unbuild,
    .watch = watch,
};

static const void *data_now(UNUSED void *arg)
{
    return now;
}

static int publish(UNUSED void *arg, void *data)
{
    policy_kind_free(&kind, now);
    now = data;
    published++;
    return 0;
}

static void put_in_force(struct policy_case *from)
{
    struct data *data = calloc(1, sizeof *data);

    data->parts.core = from->core;
    from->core.sets = (struct sets){ .lists = NULL };
    from->core.live_rules = NULL;
    if (now != NULL)
        policy_kind_free(&kind, now);
    now = data;
}

static int open_case(UNUSED void **state)
{
    fake_clock_init(&ticking);
    store = fake_store_new(&ticking.clock);
    base = event_base_new();
    case_load(&loaded, "[list l]\n[map m]\n" RULES);
    now = NULL;
    put_in_force(&loaded);
    loaded.schema.list_exists = loaded.schema.map_exists = NULL; /* the context has moved */
    loaded.schema.name_at = NULL;
    published = 0;
    live = live_start_in(&kind, &(struct live_host){ .base = base,
                                                     .clock = &ticking.clock,
                                                     .store = &store->store,
                                                     .data = data_now,
                                                     .publish = publish });
    return live == NULL ? -1 : 0;
}

static int close_case(UNUSED void **state)
{
    live_stop(&live);
    assert_null(live);
    policy_kind_free(&kind, now);
    case_unload(&loaded);
    fake_store_free(&store);
    event_base_free(base);
    return 0;
}

/* Some rounds; a timer is all that the loop has. */
static void rounds(size_t count)
{
    for (size_t i = 0; i < count; i++)
        event_base_loop(base, EVLOOP_ONCE);
}

static bool in_list(const char *word)
{
    struct value value = case_word(word);

    return named_list_has(&now->parts.core.sets.lists[0], &value, FAKE_CLOCK_WALL);
}

static void nothing_live_is_no_change(UNUSED void **state)
{
    rounds(2);
    assert_int_equal(0, published);
}

static void each_hash_is_taken(UNUSED void **state)
{
    fake_store_set(store, "list:l", "bob", "");
    fake_store_set(store, "map:m", "a@example.com", "carol");
    fake_store_set(store, "rule", "urgent", "order=10 then=accept");
    fake_store_set(store, "word:x", "a", "hello");
    fake_store_set(store, "list:other", "x", "");
    rounds(1);
    assert_int_equal(1, published); /* all in one */
    assert_true(in_list("bob"));
    assert_int_equal(1, map_count(now->parts.core.sets.maps[0].live));
    assert_int_equal(2, rule_set_count(now->book.rules));
    assert_true(now->live_were_new);
    assert_string_equal("hello", now->parts.word);
    rounds(1);
    assert_int_equal(1, published);
    fake_store_set(store, "list:l", "bob", NULL);
    rounds(1);
    assert_int_equal(2, published);
    assert_false(in_list("bob"));
    assert_int_equal(2, rule_set_count(now->book.rules));
    assert_false(now->live_were_new); /* the same rules again: nobody is told once more */
    assert_string_equal("hello", now->parts.word);
}

static void a_live_rule_expires(UNUSED void **state)
{
    char text[80];

    snprintf(text, sizeof text, "order=10 then=accept until=%llu",
             (unsigned long long)(FAKE_CLOCK_WALL / SECOND + 60));
    fake_store_set(store, "rule", "urgent", text);
    rounds(1);
    assert_int_equal(2, rule_set_count(now->book.rules));
    fake_clock_advance(&ticking, 61 * SECOND);
    rounds(1);
    assert_int_equal(1, rule_set_count(now->book.rules));
    assert_int_equal(2, published);
}

static void what_makes_no_sense_is_left_out(UNUSED void **state)
{
    fake_store_set(store, "rule", "bad", "order=10 when=\"sendr is set\" then=accept");
    fake_store_set(store, "rule", "worse", "then=");
    fake_store_set(store, "list:l", "bob", "until=x");
    fake_store_set(store, "word:x", "a", "much too long for this");
    rounds(1);
    assert_int_equal(1, rule_set_count(now->book.rules));
    assert_int_equal(1, now->book.left_out);
    assert_false(in_list("bob"));
    assert_string_equal("", now->parts.word);
}

static void a_degraded_store_changes_nothing(UNUSED void **state)
{
    store->is_degraded = true;
    fake_store_set(store, "list:l", "bob", "");
    rounds(1);
    assert_int_equal(0, published);
    store->is_degraded = false;
    store->fails = true;
    rounds(1);
    assert_int_equal(0, published);
    store->fails = false;
    rounds(1);
    assert_true(in_list("bob"));
}

static void a_reload_watches_other_names(UNUSED void **state)
{
    fake_store_set(store, "list:l", "bob", "");
    rounds(1);
    assert_true(in_list("bob"));
    case_load_with(&reloaded, "[list n]\n" RULES, CONF_ENFORCE, &now->parts.core, NULL);
    put_in_force(&reloaded);
    fake_store_set(store, "list:n", "carol", "");
    rounds(1); /* not told yet: what it reads is not of this configuration */
    assert_false(in_list("carol"));
    live_reloaded(live);
    rounds(1);
    assert_true(in_list("carol") && !in_list("bob"));
    live_stop(&live);
    policy_kind_free(&kind, now);
    now = NULL;
    case_unload(&reloaded);
    put_in_force(&loaded);
}

/* Another configuration, with the list n, comes into force while the store is being asked; live_reloaded() is told only
 * after the store has answered, or before. */
static void reload_while_asked(bool told_before)
{
    fake_store_set(store, "list:l", "bob", "");
    fake_store_set(store, "list:n", "carol", "");
    store->holds = true;
    rounds(1); /* its poll is held */
    case_load_with(&reloaded, "[list n]\n" RULES, CONF_ENFORCE, &now->parts.core, NULL);
    put_in_force(&reloaded);
    published = 0;
    if (told_before) {
        live_reloaded(live);
        assert_int_equal(1, store->abandoned);
    }
    store->holds = false;
    fake_store_release(store);
    assert_int_equal(0, published);
    assert_false(in_list("bob"));
    live_reloaded(live);
    rounds(1);
    assert_int_equal(1, published);
    assert_true(in_list("carol") && !in_list("bob"));
    live_stop(&live);
    policy_kind_free(&kind, now);
    now = NULL;
    case_unload(&reloaded);
    put_in_force(&loaded);
}

static void a_reload_overtakes_a_round(UNUSED void **state)
{
    reload_while_asked(false);
}

static void a_reload_ends_a_round(UNUSED void **state)
{
    reload_while_asked(true);
}

/* The poll has been answered: a hash is being read. Files that change then wait for the end of the round. */
static void a_reload_overtakes_a_read(UNUSED void **state)
{
    fake_store_set(store, "list:l", "bob", "");
    store->holds = true;
    rounds(1);
    assert_int_equal(FAKE_POLL, store->held[0].kind);
    fake_store_release_one(store);
    assert_int_equal(FAKE_READ, store->held[0].kind);
    live_check_files(live);
    assert_int_equal(0, published);
    case_load_with(&reloaded, "[list n]\n" RULES, CONF_ENFORCE, &now->parts.core, NULL);
    put_in_force(&reloaded);
    fake_store_release_one(store);
    assert_int_equal(0, published);
    assert_false(in_list("bob"));
    store->holds = false;
    fake_store_set(store, "list:n", "carol", "");
    live_reloaded(live);
    rounds(1);
    assert_true(in_list("carol"));
    live_stop(&live);
    policy_kind_free(&kind, now);
    now = NULL;
    case_unload(&reloaded);
    put_in_force(&loaded);
}

static void files_are_looked_at(UNUSED void **state)
{
    char path[] = "/tmp/gatehouse-list-XXXXXX", text[200];

    assert_int_equal(6, write(mkstemp(path), "alice\n", 6));
    snprintf(text, sizeof text, "[list l]\nfile = %s\n" RULES, path);
    case_load(&reloaded, text);
    put_in_force(&reloaded);
    live_check_files(live); /* of another configuration: nothing */
    live_reloaded(live);
    published = 0;
    FILE *file = fopen(path, "a");
    fputs("barbara\n", file);
    fclose(file);
    live_check_files(live);
    live_check_files(live);
    assert_int_equal(1, published);
    assert_true(in_list("alice") && in_list("barbara"));
    unlink(path);
    live_stop(&live);
    policy_kind_free(&kind, now);
    now = NULL;
    case_unload(&reloaded);
    put_in_force(&loaded);
}

/* Changed or not, there or not; what is taken then was read after the call. */
static void a_hash_is_read_again_on_demand(UNUSED void **state)
{
    rounds(2);
    uint64_t reads = live_reads(live);
    live_again(live, SLICE("word:x"));
    live_again(live, SLICE("word:other")); /* nobody's */
    rounds(1);
    assert_int_equal(1, published);
    assert_true(reads + 1 == live_reads(live));
    rounds(2);
    assert_int_equal(1, published);
    store->fails = true;
    live_again(live, SLICE("word:x"));
    rounds(2);
    assert_int_equal(1, published);
    store->fails = false;
    rounds(1);
    assert_int_equal(2, published);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_live_is_no_change, open_case, close_case),
        cmocka_unit_test_setup_teardown(each_hash_is_taken, open_case, close_case),
        cmocka_unit_test_setup_teardown(a_live_rule_expires, open_case, close_case),
        cmocka_unit_test_setup_teardown(what_makes_no_sense_is_left_out, open_case, close_case),
        cmocka_unit_test_setup_teardown(a_degraded_store_changes_nothing, open_case, close_case),
        cmocka_unit_test_setup_teardown(a_reload_watches_other_names, open_case, close_case),
        cmocka_unit_test_setup_teardown(a_reload_overtakes_a_round, open_case, close_case),
        cmocka_unit_test_setup_teardown(a_reload_ends_a_round, open_case, close_case),
        cmocka_unit_test_setup_teardown(a_reload_overtakes_a_read, open_case, close_case),
        cmocka_unit_test_setup_teardown(a_hash_is_read_again_on_demand, open_case, close_case),
        cmocka_unit_test_setup_teardown(files_are_looked_at, open_case, close_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
