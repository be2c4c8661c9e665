/* tests/unit/store/test_swap.c - several fields in one step through store.h, if they are as they were read: the same in memory
 * and in Redis, so most of these tests run with both. */
#include "tests/unit/unit.h"

#include "tests/fakes/both_stores.h"

enum { FIELDS = 3 };

/* ---- calls ---- */

static void write_text(const char *field, const char *text)
{
    struct store_write write = { .key = SLICE("dkim"),
                                 .field = slice_of(field),
                                 .text = slice_of(text) };

    both_stores_finish(store_write(both.store, &write), &write.call);
    assert_int_equal(STORE_OK, write.call.result);
}

static void swap(const struct store_change *changes, size_t count, struct store_swap *out)
{
    *out = (struct store_swap){ .key = SLICE("dkim"), .changes = changes, .count = count };
    both_stores_finish(store_swap(both.store, out), &out->call);
}

/* "a=1 c=", by name; "?": the store does not answer. */
static const char *texts_now(void)
{
    static const char *const names[FIELDS] = { "a", "b", "c" };
    struct slice fields[FIELDS], texts[FIELDS];
    struct store_fetch fetch = {
        .key = SLICE("dkim"), .fields = fields, .count = FIELDS, .texts = texts, .arena = both.arena
    };
    const char *all = "";

    for (size_t i = 0; i < FIELDS; i++)
        fields[i] = slice_of(names[i]);
    both_stores_finish(store_fetch(both.store, &fetch), &fetch.call);
    if (fetch.call.result != STORE_OK)
        return "?";
    for (size_t i = 0; i < FIELDS; i++)
        if (texts[i].ptr != NULL)
            all = arena_printf(both.arena, "%s%s%s=%.*s", all, *all == '\0' ? "" : " ", names[i],
                               SLICE_ARG(texts[i]))
                      .ptr;
    return all;
}

/* ---- the same in both stores ---- */

static const struct {
    const char *what;
    const char *a, *b; /* before; NULL: not there */
    const char *was[FIELDS], *text[FIELDS]; /* text NULL: this one is not changed */
    bool is_written;
    const char *after;
} cases[] = {
    { "both as read", "1", "2", { "1", "2" }, { "3", "4" }, true, "a=3 b=4" },
    { "one alone", "1", "2", { "1" }, { "3" }, true, "a=3 b=2" },
    { "none was there", NULL, NULL, { NULL }, { "3", "4", "5" }, true, "a=3 b=4 c=5" },
    { "one comes, one changes", "1", NULL, { "1" }, { "3", "4" }, true, "a=3 b=4" },
    { "the first differs", "9", "2", { "1", "2" }, { "3", "4" }, false, "a=9 b=2" },
    { "the last differs", "1", "9", { "1", "2" }, { "3", "4" }, false, "a=1 b=9" },
    { "one has come", "1", "9", { "1", NULL }, { "3", "4" }, false, "a=1 b=9" },
    { "one has gone", "1", NULL, { "1", "2" }, { "3", "4" }, false, "a=1" },
    { "all have gone", NULL, NULL, { "1", "2" }, { "3", "4" }, false, "" },
    { "empty, not absent", "", NULL, { "" }, { "3", "4" }, true, "a=3 b=4" },
    { "empty where none was", "", NULL, { NULL }, { "3", "4" }, false, "a=" },
    { "none where it was empty", NULL, "2", { "", "2" }, { "3", "4" }, false, "b=2" },
    { "longer than what was read", "1 note=x", NULL, { "1" }, { "3" }, false, "a=1 note=x" },
    { "to nothing", "1", "2", { "1", "2" }, { "", "" }, true, "a= b=" },
    { "told twice", "3", "4", { "1", "2" }, { "3", "4" }, true, "a=3 b=4" },
    { "told twice, changed since", "3", "9", { "1", "2" }, { "3", "4" }, false, "a=3 b=9" },
    { "the same text", "1", "2", { "1", "2" }, { "1", "2" }, true, "a=1 b=2" },
};

static size_t changes_of(size_t row, struct store_change changes[FIELDS])
{
    static const char *const names[FIELDS] = { "a", "b", "c" };
    size_t count = 0;

    for (size_t i = 0; i < FIELDS; i++)
        if (cases[row].text[i] != NULL)
            changes[count++] = (struct store_change){ .field = slice_of(names[i]),
                                                      .was = slice_of(cases[row].was[i]),
                                                      .text = slice_of(cases[row].text[i]) };
    return count;
}

static void writes_all_or_nothing(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct store_change changes[FIELDS];
        struct store_swap call;

        write_text(NULL, NULL); /* the whole hash goes */
        if (cases[i].a != NULL)
            write_text("a", cases[i].a);
        if (cases[i].b != NULL)
            write_text("b", cases[i].b);
        swap(changes, changes_of(i, changes), &call);
        if (call.call.result != STORE_OK || call.is_written != cases[i].is_written ||
            strcmp(cases[i].after, texts_now()) != 0)
            fail_msg("%s: result %d, written %d, then \"%s\"", cases[i].what, (int)call.call.result,
                     call.is_written, texts_now());
    }
}

static void takes_as_much_as_it_says(UNUSED void **state)
{
    static char bytes[STORE_TEXT_MAX];
    static struct store_change changes[STORE_CHANGES_MAX];
    struct store_swap call;

    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < COUNT(changes); i++)
        changes[i] = (struct store_change){ .field = arena_printf(both.arena, "f%zu", i),
                                            .text = SLICE("old") };
    changes[0].field = (struct slice){ bytes, STORE_FIELD_MAX };
    changes[0].text = (struct slice){ bytes, sizeof bytes };
    swap(changes, COUNT(changes), &call);
    assert_int_equal(STORE_OK, call.call.result);
    assert_true(call.is_written);
    for (size_t i = 0; i < COUNT(changes); i++) {
        changes[i].was = changes[i].text;
        changes[i].text = SLICE("new");
    }
    changes[1].field = SLICE("b");
    changes[1].was = SLICE("old");
    swap(changes, COUNT(changes), &call);
    assert_int_equal(STORE_OK, call.call.result);
    assert_false(call.is_written); /* there is no b */
    changes[1].was = (struct slice){ NULL, 0 };
    swap(changes, COUNT(changes), &call);
    assert_true(call.is_written);
    assert_string_equal("b=new", texts_now());
}

static void a_poll_sees_it(UNUSED void **state)
{
    const struct store_change change = { SLICE("a"), { NULL, 0 }, SLICE("1") };
    const struct slice key = SLICE("dkim");
    char versions[1][48] = { "" };
    bool changed = false;
    struct store_poll poll = {
        .keys = &key, .count = 1, .versions = versions, .changed = &changed
    };
    struct store_swap call;

    both_stores_finish(store_poll(both.store, &poll), &poll.call);
    swap(&change, 1, &call);
    both_stores_finish(store_poll(both.store, &poll), &poll.call);
    assert_true(changed);
    swap(&(struct store_change){ SLICE("a"), SLICE("2"), SLICE("3") }, 1, &call);
    both_stores_finish(store_poll(both.store, &poll), &poll.call);
    assert_false(changed);
}

/* ---- memory alone ---- */

static void what_has_no_room_changes_nothing(UNUSED void **state)
{
    static char bytes[STORE_TEXT_MAX];
    const struct slice much = { bytes, sizeof bytes };
    struct store_change changes[8];
    struct store_memory_stats before, after;
    struct store_swap call;

    memset(bytes, 'x', sizeof bytes);
    for (size_t with_hash = 0; with_hash < 2; with_hash++) {
        if (with_hash == 1)
            write_text("a", "1");
        store_memory_stats(both.memory, &before);
        for (size_t i = 0; i < COUNT(changes); i++)
            changes[i] =
                (struct store_change){ .field = arena_printf(both.arena, "f%zu", i), .text = much };
        changes[0] = (struct store_change){ SLICE("a"), SLICE("1"), SLICE("2") };
        if (with_hash == 0)
            changes[0].was = (struct slice){ NULL, 0 };
        swap(changes, COUNT(changes), &call); /* 7 * 64 KiB in a quarter of 1 MiB */
        assert_int_equal(STORE_FAILED, call.call.result);
        assert_false(call.is_written);
        assert_string_equal(with_hash == 1 ? "a=1" : "", texts_now());
        store_memory_stats(both.memory, &after);
        assert_true(before.live_used == after.live_used);
    }
    swap(changes, 3, &call);
    assert_true(call.is_written);
    assert_string_equal("a=2", texts_now());
}

/* ---- Redis alone ---- */

static void a_flushed_script_is_sent_again(UNUSED void **state)
{
    const struct store_change change = { SLICE("a"), { NULL, 0 }, SLICE("1") };
    struct store_swap call;

    redis_server_ask(&both.server, "SCRIPT FLUSH");
    swap(&change, 1, &call);
    assert_true(call.is_written);
    assert_string_equal("1", redis_server_ask(&both.server, "GET gh:gen"));
    swap(&(struct store_change){ SLICE("a"), SLICE("2"), SLICE("3") }, 1, &call);
    assert_string_equal("1", redis_server_ask(&both.server, "GET gh:gen"));
}

static const struct {
    const char *make, *undo, *after;
} troubles[] = {
    { "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "a=1 b=2" },
    { "DEL gh:dkim;SET gh:dkim text", "DEL gh:dkim;HSET gh:dkim a 1 b 2", "a=1 b=2" },
    { "CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "a=1 b=2" },
    { "SET gh:gen text", "DEL gh:gen", "a=3 b=4" }, /* no reason to fail */
};

static void what_redis_refuses_changes_nothing(UNUSED void **state)
{
    const struct store_change changes[] = { { SLICE("a"), SLICE("1"), SLICE("3") },
                                            { SLICE("b"), SLICE("2"), SLICE("4") } };

    for (size_t i = 0; i < COUNT(troubles); i++) {
        struct store_swap call;
        write_text("a", "1");
        write_text("b", "2");
        redis_server_ask_words(&both.server, troubles[i].make);
        swap(changes, COUNT(changes), &call);
        redis_server_ask_words(&both.server, troubles[i].undo);
        if (call.is_written != (call.call.result == STORE_OK) ||
            strcmp(troubles[i].after, texts_now()) != 0)
            fail_msg("%s: result %d, written %d, then \"%s\"", troubles[i].make,
                     (int)call.call.result, call.is_written, texts_now());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BOTH(writes_all_or_nothing),
        IN_BOTH(takes_as_much_as_it_says),
        IN_BOTH(a_poll_sees_it),
        IN_MEMORY(what_has_no_room_changes_nothing),
        IN_REDIS(a_flushed_script_is_sent_again),
        IN_REDIS(what_redis_refuses_changes_nothing),
    };

    both.memory_limit = 1 << 20;
    return cmocka_run_group_tests(tests, both_stores_start, both_stores_end);
}
