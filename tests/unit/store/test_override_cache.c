#include "tests/unit/unit.h"

#include "common/store/override_cache.h"

static const struct slice absent = { NULL, 0 };

static struct slice get(struct override_cache *cache, const char *limit, const char *field)
{
    return override_cache_get(cache, slice_of(limit), slice_of(field));
}

static void set(struct override_cache *cache, const char *limit, const char *field,
                const char *text)
{
    override_cache_set(cache, slice_of(limit), slice_of(field), slice_of(text));
}

static void keeps_replaces_and_removes(UNUSED void **state)
{
    struct override_cache *cache = override_cache_new(100);

    assert_null(get(cache, "a", "user:x").ptr);
    set(cache, "a", "user:x", "1/1h");
    set(cache, "ab", "user:x", "2/1h");
    set(cache, "a", "user:xy", "");
    assert_slice("1/1h", get(cache, "a", "user:x"));
    assert_slice("2/1h", get(cache, "ab", "user:x"));
    assert_non_null(get(cache, "a", "user:xy").ptr);
    assert_null(get(cache, "abu", "ser:x").ptr); /* the same bytes, cut elsewhere */
    set(cache, "a", "user:x", "3/1h");
    assert_slice("3/1h", get(cache, "a", "user:x"));
    override_cache_set(cache, SLICE("a"), SLICE("user:x"), absent);
    assert_null(get(cache, "a", "user:x").ptr);
    assert_int_equal(2, override_cache_count(cache));
    override_cache_free(&cache);
    assert_null(cache);
}

static void forgets_what_was_not_used_for_longest(UNUSED void **state)
{
    struct override_cache *cache = override_cache_new(1000);
    char field[32];

    for (unsigned i = 0; i < 2000; i++) {
        snprintf(field, sizeof(field), "user:%u", i);
        set(cache, "a", field, field);
        assert_slice("user:0", get(cache, "a", "user:0")); /* used all the time */
    }
    assert_int_equal(1000, override_cache_count(cache));
    assert_null(get(cache, "a", "user:1000").ptr);
    assert_slice("user:1001", get(cache, "a", "user:1001"));
    override_cache_free(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_replaces_and_removes),
        cmocka_unit_test(forgets_what_was_not_used_for_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
