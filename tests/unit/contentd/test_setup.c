/* tests/unit/contentd/test_setup.c - what is in force changes with gh:apply and live rules. */
#include <event2/event.h>

#include "tests/fakes/contentd_load.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_store.h"
#include "tests/unit/unit.h"

#define CONFIG                                                                                     \
    "[chain full]\n[chain light]\n[apply]\n* = full\n@example.com = light\n"                       \
    "[rule r]\nwhen = size > 5\nthen = discard\n[list some]\n"

static struct contentd_loaded loaded;
static struct fake_clock ticking;
static struct fake_store *store;
static struct event_base *base;
static struct live *live;
static struct setup *now; /* in force; the first is loaded.setup */
static size_t published;

static const void *data_now(UNUSED void *arg)
{
    return now;
}

static int publish(UNUSED void *arg, void *data)
{
    if (now != loaded.setup)
        setup_free(now);
    now = data;
    published++;
    return 0;
}

static int begin(UNUSED void **state)
{
    contentd_load_text(&loaded, CONFIG);
    fake_clock_init(&ticking);
    store = fake_store_new(&ticking.clock);
    base = event_base_new();
    now = loaded.setup;
    published = 0;
    live = live_start_in(&contentd_kind, &(struct live_host){ .base = base,
                                                              .clock = &ticking.clock,
                                                              .store = &store->store,
                                                              .data = data_now,
                                                              .publish = publish });
    return live == NULL;
}

static int end(UNUSED void **state)
{
    live_stop(&live);
    event_base_free(base);
    if (now != loaded.setup)
        setup_free(now);
    contentd_loaded_free(&loaded);
    fake_store_free(&store);
    return 0;
}

/* Until another setup has been put in force. */
static void wait_for_change(void)
{
    size_t before = published;

    while (published == before)
        event_base_loop(base, EVLOOP_ONCE);
}

static const char *chain_name(const char *recipient)
{
    const struct clock *clock = &ticking.clock;

    return setup_chain(now, slice_of(recipient), clock->wall_ms(clock))->name.ptr;
}

static void live_entries_come_and_go(UNUSED void **state)
{
    assert_string_equal("full", chain_name("a@example.org"));
    assert_string_equal("light", chain_name("a@example.com"));
    fake_store_set(store, "apply", "@example.com", "full by=root");
    fake_store_set(store, "apply", "a@example.org", "light");
    fake_store_set(store, "apply", "b@example.org", "nowhere"); /* ignored, and said in the log */
    wait_for_change();
    assert_string_equal("full", chain_name("a@example.com"));
    assert_string_equal("light", chain_name("a@example.org"));
    assert_string_equal("full", chain_name("b@example.org"));
    fake_store_set(store, "apply", "@example.com", NULL);
    wait_for_change();
    assert_string_equal("light", chain_name("a@example.com"));
    assert_string_equal("light", chain_name("a@example.org"));
}

static void live_rules_change_what_is_needed(UNUSED void **state)
{
    assert_int_equal(0, now->names.mime);
    assert_int_equal(STAGES_END, now->names.stages);
    fake_store_set(store, "rule", "x",
                   "order=1 stage=mail when=\"connections > 3\" then=\"tempfail\"");
    fake_store_set(store, "rule", "y", "order=2 when=\"from is empty\" then=\"reject\"");
    fake_store_set(store, "rule", "z", "order=3 when=\"nosuchfact is empty\" then=\"reject\"");
    wait_for_change();
    assert_int_equal(1, now->names.mime);
    assert_true(now->names_connections);
    assert_int_equal((unsigned)STAGE_MAIL | STAGES_DATA | STAGES_END, now->names.stages);
    assert_int_equal(3, rule_set_count(now->book.rules)); /* z is left out */
}

/* Of a live list; and what is in force stays so, whatever the list becomes. */
static void connections_of_a_live_list_are_counted(UNUSED void **state)
{
    fake_store_set(store, "rule", "crowd",
                   "order=1 stage=connect when=\"connections.some > 3\" then=\"tempfail\"");
    wait_for_change();
    assert_int_equal(1, now->connection_list_count);
    assert_slice("some", now->connection_lists[0]->name);
    assert_int_equal(2, rule_set_count(now->book.rules));
    fake_store_set(store, "list:some", "192.0.2.0/24", "");
    wait_for_change();
    assert_true(list_networks(now->connection_lists[0]->live) == 1);
    fake_store_set(store, "list:some", "192.0.2.0/24", NULL);
    fake_store_set(store, "list:some", "example.com", "");
    wait_for_change();
    assert_true(named_list_has_names_only(now->connection_lists[0]));
    assert_int_equal(1, now->connection_list_count);
    assert_int_equal(2, rule_set_count(now->book.rules));
    fake_store_set(store, "rule", "crowd", NULL);
    wait_for_change();
    assert_int_equal(0, now->connection_list_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(live_entries_come_and_go, begin, end),
        cmocka_unit_test_setup_teardown(live_rules_change_what_is_needed, begin, end),
        cmocka_unit_test_setup_teardown(connections_of_a_live_list_are_counted, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
