/* tests/unit/store/test_stores.c - the store that a configuration names, or what is wrong with it. */
#include "common/store/stores.h"

#include <event2/event.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_limits.h"
#include "tests/fakes/shown_metric.h"
#include "tests/fakes/test_store.h"
#include "tests/unit/unit.h"

static struct fake_clock fake;
static char directory[] = "/tmp/gatehouse-stores-XXXXXX";

static int make_directory(UNUSED void **state)
{
    fake_clock_init(&fake);
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(UNUSED void **state)
{
    return rmdir(directory);
}

static struct stores *open_stores(const char *url, const char *password_file, struct buf *error)
{
    const struct stores_options options = {
        .url = slice_of(url),
        .password_file = slice_of(password_file),
        .memory_limit = 1 << 20,
        .clock = &fake.clock,
    };

    return stores_new(&options, error);
}

static void opens_what_the_url_names(UNUSED void **state)
{
    static const struct {
        const char *url, *kind;
    } cases[] = {
        { "memory", "memory" },
        { "redis://127.0.0.1:1", "redis" },
        { "redis+unix:///nonexistent/redis.sock?db=1", "redis" },
        { "redis+sentinel://127.0.0.1:1/mymaster", "redis" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF error = BUF_INIT(500);
        struct event_base *base = event_base_new();
        struct store_status status;
        struct stores *stores = open_stores(cases[i].url, NULL, &error);
        if (stores == NULL)
            fail_msg("%s: %s", cases[i].url, buf_text(&error));
        struct store *store = stores_open(stores, base);
        store_status(store, &status);
        assert_string_equal(cases[i].kind, status.kind);
        store_free(&store);
        stores_free(&stores);
        assert_null(stores);
        stores_free(&stores);
        event_base_free(base);
    }
}

static void workers_share_the_memory(UNUSED void **state)
{
    AUTO_BUF error = BUF_INIT(500);
    struct stores *stores = open_stores("memory", NULL, &error);
    struct store *one = stores_open(stores, NULL), *two = stores_open(stores, NULL);
    struct store_write write = { .key = SLICE("list:x"), .field = SLICE("a"), .text = SLICE("b") };
    struct arena *arena = arena_new(1 << 16);
    struct store_read read = { .key = SLICE("list:x"), .arena = arena };

    assert_true(store_write(one, &write));
    assert_true(store_read(two, &read));
    assert_int_equal(1, read.count);
    store_free(&one);
    store_free(&two);
    stores_free(&stores);
    arena_free(&arena);
}

/* What the bound of memory takes away is on the page of metrics, and counted once however often that is read. */
static void tells_what_the_bound_takes_away(UNUSED void **state)
{
    static const char *const counters[] = { "gatehouse_store_uncounted_total",
                                            "gatehouse_store_forgotten_total",
                                            "gatehouse_store_evicted_total" };
    AUTO_BUF error = BUF_INIT(500);
    struct stores *stores = open_stores("memory", NULL, &error); /* of 1 MiB */
    struct store *store = stores_open(stores, NULL);
    struct limit_set *set = fake_limit("hourly", "10/1h");
    struct arena *arena = arena_new(1 << 20);
    uint64_t before[COUNT(counters)];
    char login[32], once[33];

    for (size_t i = 0; i < COUNT(counters); i++)
        before[i] = shown_metric(counters[i]);
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(login, sizeof login, "user%u@example.com", i);
        snprintf(once, sizeof once, "%032u", i);
        arena_reset(arena);
        struct limit_use use = test_store_use(arena, limit_set_at(set, 0), login, 1);
        struct store_charge charge = { .uses = &use, .use_count = 1, .once = slice_of(once) };
        assert_true(store_charge(store, &charge));
        assert_true(charge.admitted);
    }
    assert_in_range(shown_metric("gatehouse_store_memory_bytes"), 1 << 18, 1 << 20);
    assert_in_range(shown_metric("gatehouse_store_counters"), 1000, 19999);
    for (size_t i = 0; i < COUNT(counters); i++) {
        uint64_t now = shown_metric(counters[i]);
        if (now <= before[i] || now != shown_metric(counters[i]))
            fail_msg("%s: %u, then %u", counters[i], (unsigned)before[i], (unsigned)now);
    }
    store_free(&store);
    stores_free(&stores);
    (void)shown_metric(counters[0]); /* nobody asks what is gone: the address sanitizer watches */
    limit_set_free(&set);
    arena_free(&arena);
}

static void says_what_is_wrong_with_a_url(UNUSED void **state)
{
    static const char *const urls[] = {
        "",
        "mem",
        "Memory",
        "redis",
        "redis:",
        "redis://",
        "redis://host:0",
        "redis://host:65536",
        "redis://user:secret@host",
        "redis://host/x",
        "redis+unix://",
        "redis+unix://relative/path",
        "redis+sentinel://host:1",
        "http://host",
    };

    for (size_t i = 0; i < COUNT(urls); i++) {
        AUTO_BUF error = BUF_INIT(500);
        struct stores *stores = open_stores(urls[i], NULL, &error);
        if (stores != NULL)
            fail_msg("\"%s\" is taken", urls[i]);
        assert_true(slice_starts_with(buf_slice(&error), SLICE("store: ")));
        assert_int_equal(SIZE_MAX, slice_find(buf_slice(&error), '\n'));
        assert_null(strstr(buf_text(&error), "secret"));
    }
}

/* ---- password files ---- */

static const char *password_path(void)
{
    static char path[100];

    snprintf(path, sizeof path, "%s/password", directory);
    return path;
}

static void write_password(struct slice text)
{
    FILE *file = fopen(password_path(), "w");

    assert_non_null(file);
    assert_int_equal(text.len, fwrite(text.ptr, 1, text.len, file));
    fclose(file);
}

static void takes_or_refuses_password_files(UNUSED void **state)
{
    static char longest[4097];
    const struct {
        const char *what;
        struct slice text;
        bool is_taken;
    } cases[] = {
        { "a password", SLICE_INIT("secret\n"), true },
        { "without a newline", SLICE_INIT("secret"), true },
        { "empty", SLICE_INIT(""), true },
        { "with Sentinel's", SLICE_INIT("secret\nsentinel_user = u\nsentinel_password = p\n"),
          true },
        { "something else", SLICE_INIT("secret\nother = p\n"), false },
        { "a long line", { longest, 130 }, false },
        { "too long a file", { longest, sizeof longest }, false },
    };

    memset(longest, '\n', sizeof longest); /* of nothing but empty lines */
    memset(longest, 'x', 130);
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF error = BUF_INIT(500);
        if (i + 1 == COUNT(cases))
            memset(longest, '\n', 130); /* its length alone is wrong with it */
        write_password(cases[i].text);
        struct stores *stores = open_stores("redis://127.0.0.1:1", password_path(), &error);
        if ((stores != NULL) != cases[i].is_taken)
            fail_msg("%s: %s", cases[i].what, buf_text(&error));
        if (stores == NULL)
            assert_non_null(strstr(buf_text(&error), password_path()));
        assert_null(strstr(buf_text(&error), "secret"));
        stores_free(&stores);
    }
    unlink(password_path());
}

static void says_which_password_file_cannot_be_read(UNUSED void **state)
{
    AUTO_BUF error = BUF_INIT(500), is_directory = BUF_INIT(500), ignored = BUF_INIT(500);

    assert_null(open_stores("redis://127.0.0.1:1", "/nonexistent/password", &error));
    assert_string_equal("store_password_file /nonexistent/password: No such file or directory",
                        buf_text(&error));
    assert_null(open_stores("redis://127.0.0.1:1", "/tmp", &is_directory));
    assert_string_equal("store_password_file /tmp: Is a directory", buf_text(&is_directory));
    struct stores *stores = open_stores("memory", "/nonexistent/password", &ignored);
    assert_non_null(stores); /* it needs none */
    stores_free(&stores);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_what_the_url_names),
        cmocka_unit_test(workers_share_the_memory),
        cmocka_unit_test(tells_what_the_bound_takes_away),
        cmocka_unit_test(says_what_is_wrong_with_a_url),
        cmocka_unit_test(takes_or_refuses_password_files),
        cmocka_unit_test(says_which_password_file_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
