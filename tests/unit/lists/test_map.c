/* tests/unit/lists/test_map.c - maps: keys, their specificity, their values. */
#include "tests/unit/unit.h"

#include "common/base/buf.h"
#include "common/lists/map.h"

#define NOW_MS UINT64_C(1000000) /* second 1000 */

static const struct {
    const char *key, *want; /* NULL: refused */
    const char *error; /* part of it */
} keys[] = {
    { "User@Example.com", "user@example.com", NULL },
    { "User+X@Example.com.", "user+x@example.com", NULL },
    { "User@", "user@", NULL },
    { "@Example.com", "@example.com", NULL },
    { "@.Example.com", "@.example.com", NULL },
    { "@B\xc3\xbc"
      "cher.example",
      "@xn--bcher-kva.example", NULL },
    { "Alice", "alice", NULL },
    { "::FFFF:192.0.2.1", "192.0.2.1", NULL },
    { "2001:DB8::0:1", "2001:db8::1", NULL },
    { "", NULL, "missing" },
    { "@", NULL, "not a key" },
    { "@.", NULL, "not a key" },
    { "user@a..b", NULL, "not a key" },
    { "j\xffrg@example.com", NULL, "not a key" },
    { "a\x01", NULL, "control bytes" },
};

static void has_one_spelling_for_a_key(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 16);

    assert_non_null(arena);
    for (size_t i = 0; i < COUNT(keys); i++) {
        const char *error = "";
        struct slice got = map_key_normalise(slice_of(keys[i].key), arena, &error);
        if (!slice_equal(got, slice_of(keys[i].want)) ||
            (got.ptr == NULL) != (keys[i].want == NULL))
            fail_msg("\"%s\" gives \"%.*s\"", keys[i].key, SLICE_ARG(got));
        if (got.ptr == NULL && strstr(error, keys[i].error) == NULL)
            fail_msg("\"%s\" gives the error \"%s\"", keys[i].key, error);
    }
    arena_free(&arena);
}

/* From keys with values joined by `;`: "a x, y; b z until=5". */
static struct map *map_of(const char *text)
{
    struct map_builder *builder = map_builder_new(1000);
    struct slice rest = slice_of(text), line, key;

    assert_non_null(builder);
    while (slice_next(&rest, ';', &line)) {
        assert_true(slice_cut(&line, ' ', &key));
        const char *error = map_builder_add(builder, key, line, NULL);
        if (error != NULL)
            fail_msg("%.*s: %s", SLICE_ARG(line), error);
    }
    struct map *map = map_builder_finish(&builder);
    assert_non_null(map);
    assert_null(builder);
    return map;
}

#define ALL                                                                                         \
    "bob+x@a.example 1; bob@a.example 2; bob@ 3; @a.example 4; @.a.example 5; @.example 6; bob 7; " \
    "bob+z@ 8"

static const struct {
    const char *map;
    enum value_type type;
    const char *subject, *key, *values; /* NULL: not found */
} lookups[] = {
    { ALL, VALUE_MAILBOX, "bob+x@a.example", "bob+x@a.example", "1" },
    { ALL, VALUE_MAILBOX, "bob+y@a.example", "bob@a.example", "2" },
    { ALL, VALUE_MAILBOX, "bob@a.example", "bob@a.example", "2" },
    { ALL, VALUE_MAILBOX, "bob@b.example", "bob@", "3" },
    { ALL, VALUE_MAILBOX, "bob+y@b.example", "bob@", "3" },
    { ALL, VALUE_MAILBOX, "bob+z@b.example", "bob+z@", "8" },
    { ALL, VALUE_MAILBOX, "eve@a.example", "@a.example", "4" },
    { ALL, VALUE_MAILBOX, "eve@b.a.example", "@.a.example", "5" },
    { ALL, VALUE_MAILBOX, "eve@c.b.a.example", "@.a.example", "5" },
    { ALL, VALUE_MAILBOX, "eve@b.example", "@.example", "6" },
    { ALL, VALUE_MAILBOX, "eve@other", NULL, NULL },
    { ALL, VALUE_MAILBOX, "bob@b", "bob@", "3" },
    { ALL, VALUE_MAILBOX, "bob@", NULL, NULL },
    { ALL, VALUE_MAILBOX, "bob", "bob", "7" },
    { ALL, VALUE_MAILBOX, "bob+y", "bob", "7" },
    { ALL, VALUE_MAILBOX, "", NULL, NULL },
    { "@.a.example 1", VALUE_MAILBOX, "eve@a.example", "@.a.example", "1" },
    { "a.example 1", VALUE_MAILBOX, "eve@a.example", NULL, NULL },
    { "a.example 1", VALUE_DOMAIN, "a.example", "a.example", "1" },
    { "KP 1", VALUE_WORD, "kP", "kp", "1" },
    { "192.0.2.1 1", VALUE_ADDRESS, "192.0.2.1", "192.0.2.1", "1" },
    { "192.0.2.1 1", VALUE_TEXT, "192.0.2.1", "192.0.2.1", "1" },
    { "192.0.2.1 1", VALUE_ADDRESS, "192.0.2.2", NULL, NULL },
    /* only the values of the most specific key that has not expired */
    { "bob@a.example 1 until=1000; @a.example 2", VALUE_MAILBOX, "bob@a.example", "@a.example",
      "2" },
    { "bob@a.example 1 until=1001; @a.example 2", VALUE_MAILBOX, "bob@a.example", "bob@a.example",
      "1" },
    /* values: by commas or blanks, normalised */
    { "a Bob@Example.com,ALICE  carol ,,dave by=root note=x", VALUE_WORD, "a", "a",
      "bob@example.com,alice,carol,dave" },
};

static void the_most_specific_key_decides(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(lookups); i++) {
        struct map *map = map_of(lookups[i].map);
        struct value key = { .type = lookups[i].type, .text = slice_of(lookups[i].subject) };
        struct map_match match;
        key.is_empty = key.text.len == 0;
        if (key.type == VALUE_ADDRESS)
            assert_true(ipnet_parse(key.text, &key.net, NULL));
        bool found = map_lookup(map, &key, NOW_MS, &match);
        if (found != match.found || found != (lookups[i].key != NULL) ||
            !slice_equal(match.key, slice_of(lookups[i].key)) ||
            !slice_equal(match.values, slice_of(lookups[i].values)))
            fail_msg("\"%s\" in \"%s\" gives \"%.*s\": \"%.*s\"", lookups[i].subject,
                     lookups[i].map, SLICE_ARG(match.key), SLICE_ARG(match.values));
        map_free(&map);
    }
}

static void tells_who_owns_a_mailbox(UNUSED void **state)
{
    struct map *map = map_of("bob@a.example bob, Alice; @a.example carol");
    struct value bob = { .type = VALUE_MAILBOX, .text = SLICE_INIT("bob@a.example") };

    assert_true(map_has(map, &bob, SLICE("bob"), NOW_MS));
    assert_true(map_has(map, &bob, SLICE("aLICE"), NOW_MS));
    assert_false(map_has(map, &bob, SLICE("carol"), NOW_MS));
    assert_false(map_has(map, &bob, SLICE("bo"), NOW_MS));
    assert_false(map_has(map, &bob, SLICE(""), NOW_MS));
    assert_false(map_has(NULL, &bob, SLICE("bob"), NOW_MS));
    assert_int_equal(2, map_count(map));
    assert_int_equal(0, map_count(NULL));
    map_free(&map);
}

static const struct {
    const char *key, *values;
    const char *error; /* part of it */
    bool in_values;
} mistakes[] = {
    { "b", "", "no value", true },
    { "b", " , ,", "no value", true },
    { "b", "until=5", "no value", true },
    { "b", "x until=soon", "Unix seconds", true },
    { "b", "x by=a stray", "only until=, by= and note=", true },
    { "@b..c", "x", "not a key", false },
    { "A", "x", "there already", false },
};

static void says_what_is_wrong_and_takes_the_rest(UNUSED void **state)
{
    struct map_builder *builder = map_builder_new(2);
    struct value key = { .type = VALUE_WORD, .text = SLICE_INIT("a") };
    bool in_values = true;

    assert_null(map_builder_add(builder, SLICE("a"), SLICE("x"), &in_values));
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        const char *error = map_builder_add(builder, slice_of(mistakes[i].key),
                                            slice_of(mistakes[i].values), &in_values);
        if (error == NULL || strstr(error, mistakes[i].error) == NULL ||
            in_values != mistakes[i].in_values)
            fail_msg("\"%s %s\": %s", mistakes[i].key, mistakes[i].values,
                     error == NULL ? "taken" : error);
    }
    assert_false(map_builder_is_full(builder));
    assert_null(map_builder_add(builder, SLICE("c"), SLICE("x"), NULL));
    assert_true(map_builder_is_full(builder));
    assert_non_null(map_builder_add(builder, SLICE("d"), SLICE("x"), NULL));
    struct map *map = map_builder_finish(&builder);
    assert_int_equal(2, map_count(map));
    assert_true(map_has(map, &key, SLICE("x"), NOW_MS));
    map_free(&map);
}

static void bounds_the_values_of_a_key(UNUSED void **state)
{
    AUTO_BUF values = BUF_INIT(2 * MAP_VALUES_MAX);
    struct map_builder *builder = map_builder_new(10);

    for (size_t i = 0; i < MAP_VALUES_MAX / 4; i++)
        assert_int_equal(0, buf_put(&values, "bob,"));
    assert_null(map_builder_add(builder, SLICE("a"), buf_slice(&values), NULL));
    values.data[values.len - 1] = 'x';
    assert_null(map_builder_add(builder, SLICE("most"), buf_slice(&values), NULL));
    assert_int_equal(0, buf_put(&values, "x"));
    assert_non_null(map_builder_add(builder, SLICE("b"), buf_slice(&values), NULL));
    buf_clear(&values);
    for (size_t i = 0; i < MAP_VALUES_MAX / 2; i++) /* as many as can be, each in need of a copy */
        assert_int_equal(0, buf_put(&values, "A,"));
    assert_null(map_builder_add(builder, SLICE("c"), buf_slice(&values), NULL));
    map_builder_free(&builder);
    assert_null(builder);
}

static void bounds_a_key(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 16), *none = arena_new(0);
    const char *error = "";
    char text[321];

    memset(text, 'a', sizeof text);
    assert_int_equal(320, map_key_normalise((struct slice){ text, 320 }, arena, &error).len);
    assert_null(map_key_normalise((struct slice){ text, 321 }, arena, &error).ptr);
    assert_string_equal("the key is longer than 320 bytes", error);
    assert_null(map_key_normalise(SLICE("192.0.2.1"), none, &error).ptr);
    assert_string_equal("out of memory", error);
    assert_null(map_key_normalise(SLICE("@Example.com"), none, &error).ptr);
    assert_string_equal("out of memory", error);
    arena_free(&arena);
    arena_free(&none);
}

/* Of a file and of live state the one with the extension decides. */
static void a_user_with_the_extension_is_more_specific(UNUSED void **state)
{
    struct value eve = { .type = VALUE_MAILBOX, .text = SLICE_INIT("eve+x@a.example") };
    struct map *one = map_of("eve+x@ 1"), *other = map_of("eve@ 2");
    struct map_match with, without;

    assert_true(map_lookup(one, &eve, NOW_MS, &with));
    assert_true(map_lookup(other, &eve, NOW_MS, &without));
    assert_ptr_equal(&with, map_pick(&with, &without));
    assert_ptr_equal(&with, map_pick(&without, &with));
    map_free(&one);
    map_free(&other);
}

static void of_file_and_live_the_more_specific_decides(UNUSED void **state)
{
    struct map_match none = { .found = false };
    struct map_match low = { .found = true, .specificity = 10 };
    struct map_match high = { .found = true, .specificity = 11 };
    struct map_match same = { .found = true, .specificity = 11 };

    assert_ptr_equal(&high, map_pick(&low, &high));
    assert_ptr_equal(&high, map_pick(&high, &low));
    assert_ptr_equal(&same, map_pick(&high, &same)); /* equal: live */
    assert_ptr_equal(&low, map_pick(&low, &none));
    assert_ptr_equal(&low, map_pick(&none, &low));
}

static void lives_until_its_last_owner_is_done(UNUSED void **state)
{
    struct map *map = map_of("a x"), *other = map_share(map);
    struct value key = { .type = VALUE_WORD, .text = SLICE_INIT("a") };

    map_free(&map);
    assert_null(map);
    assert_true(map_has(other, &key, SLICE("x"), NOW_MS));
    map_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_one_spelling_for_a_key),
        cmocka_unit_test(the_most_specific_key_decides),
        cmocka_unit_test(tells_who_owns_a_mailbox),
        cmocka_unit_test(says_what_is_wrong_and_takes_the_rest),
        cmocka_unit_test(bounds_the_values_of_a_key),
        cmocka_unit_test(bounds_a_key),
        cmocka_unit_test(a_user_with_the_extension_is_more_specific),
        cmocka_unit_test(of_file_and_live_the_more_specific_decides),
        cmocka_unit_test(lives_until_its_last_owner_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
