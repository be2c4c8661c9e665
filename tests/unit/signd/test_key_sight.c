/* tests/unit/signd/test_key_sight.c - one look at the records of several keys, as two resolvers show them; a look that is ended while
 * it waits; resolvers of resolv.conf, and none. */
#include "signd/key_sight.h"

#include "common/dkim/record.h"
#include "tests/fakes/dns_server.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/unit.h"

enum { RESOLVERS = 2, WAIT_MS = 5000, RECORD_MAX = 600 };

/* What each resolver shows of a key, by the first letter of its selector. */
static const struct {
    const char *selector;
    /* "own", "other", "both", "" (no such name), "broken", "text" (no key record) */
    const char *shown[RESOLVERS];
    enum dkim_visibility want;
    int says; /* the number of the resolver whose word counts; -1: there is no problem */
} cases[] = {
    { "a", { "own", "own" }, DKIM_VISIBLE, -1 },
    { "b", { "own", "" }, DKIM_NOT_VISIBLE, 1 },
    { "c", { "own", "other" }, DKIM_OTHER_VISIBLE, 1 },
    { "d", { "own", "broken" }, DKIM_VISIBILITY_UNKNOWN, 1 },
    { "e", { "broken", "" }, DKIM_NOT_VISIBLE, 1 },
    { "f", { "own", "both" }, DKIM_OTHER_VISIBLE, 1 },
    { "g", { "text", "own" }, DKIM_OTHER_VISIBLE, 0 },
    { "h", { "other", "" }, DKIM_OTHER_VISIBLE, 0 },
};

static struct fake_clock ticking;
static struct worker *worker;
static struct dns_server servers[RESOLVERS];
static size_t numbers[RESOLVERS];
static struct slice texts[RESOLVERS];
static struct dkim_key *key;
static char record[RECORD_MAX];
static bool is_done;

static void answer(void *arg, const struct dns_query *query, struct dns_reply *reply)
{
    size_t n = *(size_t *)arg, i = (size_t)(query->name[0] - 'a');

    if (query->name[0] == '\0')
        return; /* a probe: is anybody there? */
    assert_true(i < COUNT(cases));
    const char *shown = cases[i].shown[n];
    if (strcmp(shown, "own") == 0 || strcmp(shown, "both") == 0)
        dns_message_add_txt(&reply->message, query->name, 300, slice_of(record));
    if (strcmp(shown, "other") == 0 || strcmp(shown, "both") == 0)
        dns_message_add_txt(&reply->message, query->name, 300, SLICE("v=DKIM1; k=ed25519; p=AAAA"));
    if (strcmp(shown, "text") == 0)
        dns_message_add_txt(&reply->message, query->name, 300, SLICE("v=spf1 -all"));
    if (strcmp(shown, "broken") == 0)
        dns_message_set_u16(&reply->message, 2, 0x8180u | RCODE_SERVFAIL);
    if (shown[0] == '\0') {
        dns_message_set_u16(&reply->message, 2, 0x8180u | RCODE_NXDOMAIN);
        dns_message_add_soa(&reply->message, "example.com", 300, 60);
    }
}

static int setup(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(RECORD_MAX);

    fake_clock_init(&ticking);
    worker = worker_new(0, "main", &ticking.clock, NULL);
    for (size_t n = 0; n < RESOLVERS; n++) {
        numbers[n] = n;
        dns_server_init(&servers[n], worker_base(worker), answer, &numbers[n]);
        dns_server_start(&servers[n]);
        texts[n] = slice_of(servers[n].text);
    }
    key = dkim_key_generate(DKIM_ED25519, 0);
    assert_int_equal(0, dkim_record_print(key, &text));
    snprintf(record, sizeof record, "%s", buf_text(&text));
    is_done = false;
    return 0;
}

static int teardown(UNUSED void **state)
{
    dkim_key_free(&key);
    for (size_t n = 0; n < RESOLVERS; n++)
        dns_server_stop(&servers[n]);
    worker_free(&worker);
    return 0;
}

static void done(UNUSED void *arg)
{
    assert_false(is_done); /* once */
    is_done = true;
}

static struct key_sight *begin(struct arena *arena)
{
    const struct conf_list list = { texts, RESOLVERS };
    struct key_sight *sight = key_sight_new(worker, &list, NULL);

    assert_non_null(sight);
    assert_true(key_sight_begin(sight, arena));
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_true(key_sight_add(sight, SLICE("example.com"), slice_of(cases[i].selector), key));
    return sight;
}

static void wait_until_done(void)
{
    uint64_t start = clock_system.now_ms(&clock_system);
    struct timeval space;

    while (!is_done) {
        if (clock_system.now_ms(&clock_system) - start > WAIT_MS)
            fail_msg("it never ends");
        event_base_loopexit(worker_base(worker), worker_timeout(worker, 5, &space));
        event_base_dispatch(worker_base(worker));
    }
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
        bool is_said = cases[i].says < 0
                           ? buf_slice(&words).len == 0
                           : slice_starts_with(buf_slice(&words), texts[cases[i].says]);
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
    struct key_sight *sight = key_sight_new(worker, &none, "/nonexistent/resolv.conf");

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
