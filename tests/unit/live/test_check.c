/* tests/unit/live/test_check.c - what may be written into the live state, and in which spelling. */
#include "tests/unit/unit.h"

#include "common/live/check.h"

static bool is_declared(UNUSED const void *context, const char *kind, struct slice name)
{
    return (strcmp(kind, "limit") == 0 && slice_equal(name, SLICE("user-hourly"))) ||
           (strcmp(kind, "list") == 0 && slice_equal(name, SLICE("block"))) ||
           (strcmp(kind, "map") == 0 && slice_equal(name, SLICE("owners")));
}

static struct slice name_at(UNUSED const void *context, const char *kind, size_t n)
{
    if (strcmp(kind, "chain") == 0 && n < 2)
        return n == 0 ? SLICE("full") : SLICE("boss");
    if (n > 0)
        return (struct slice){ NULL, 0 };
    return strcmp(kind, "limit") == 0 ? SLICE("user-hourly") : SLICE("block");
}

static bool rule_compiles(UNUSED const void *context, UNUSED struct slice name, struct slice text,
                          const char **where, size_t *offset, char error[200])
{
    if (slice_ends_with(text, SLICE("then=accept")))
        return true;
    *where = "then";
    *offset = 3;
    snprintf(error, 200, "no such action");
    return false;
}

static const struct live_names names = { is_declared, name_at, rule_compiles, NULL };

static const struct {
    const char *key, *field, *text;
    enum live_result want;
    const char *stored; /* LIVE_OK, LIVE_UNDECLARED: "key field" */
    const char *where; /* of the mistake */
    size_t offset;
} cases[] = {
    /* limits */
    { "limit:user-hourly", "default", "500/1h", LIVE_OK, "limit:user-hourly default", NULL, 0 },
    { "limit:user-hourly", "user:Alice@Example.COM", "500/1h until=1795314861 by=root note=x y",
      LIVE_OK, "limit:user-hourly user:alice@example.com", NULL, 0 },
    { "limit:user-hourly", "user:2001:db8:1:2:3::4", "0/1h", LIVE_OK,
      "limit:user-hourly user:2001:db8:1:2::/64", NULL, 0 },
    { "limit:user-hourly", "user:::ffff:192.0.2.1", "unlimited", LIVE_OK,
      "limit:user-hourly user:192.0.2.1", NULL, 0 },
    { "limit:user-hourly", "user:Example.com, 192.0.2.0/24", "1/1h", LIVE_OK,
      "limit:user-hourly user:example.com,192.0.2.0/24", NULL, 0 },
    { "limit:user-hourly",
      "domain:B\xc3\xbc"
      "cher.example",
      "1/1h", LIVE_OK, "limit:user-hourly domain:xn--bcher-kva.example", NULL, 0 },
    { "limit:user-hourly", "class:gold", "1/1h", LIVE_OK, "limit:user-hourly class:gold", NULL, 0 },
    { "limit:user-hourly", "class:go ld", "1/1h", LIVE_BAD, NULL, "field", 6 },
    { "limit:user-hourly", "user:", "1/1h", LIVE_BAD, NULL, "field", 5 },
    { "limit:user-hourly", "user:a b", "1/1h", LIVE_BAD, NULL, "field", 6 },
    { "limit:user-hourly", "user:192.0.2.1/24", "1/1h", LIVE_BAD, NULL, "field", 5 },
    { "limit:user-hourly", "user:x,192.0.2.1/24", "1/1h", LIVE_BAD, NULL, "field", 7 },
    { "limit:user-hourly", "domain:not a domain", "1/1h", LIVE_BAD, NULL, "field", 7 },
    { "limit:user-hourly", "alice@example.com", "1/1h", LIVE_BAD, NULL, "field", 0 },
    { "limit:user-hourly", "person:alice", "1/1h", LIVE_BAD, NULL, "field", 0 },
    { "limit:user-hourly", "", "1/1h", LIVE_BAD, NULL, "field", 0 },
    { "limit:user-hourly", "user:a\nb", "1/1h", LIVE_BAD, NULL, "field", 6 },
    { "limit:user-hourly", "default", "500", LIVE_BAD, NULL, "text", 0 },
    { "limit:user-hourly", "default", "500/1h until=soon", LIVE_BAD, NULL, "text", 0 },
    { "limit:user-hourly", "default", "", LIVE_BAD, NULL, "text", 0 },
    /* names */
    { "limit:user-hourli", "default", "1/1h", LIVE_UNDECLARED, "limit:user-hourli default", "key",
      6 },
    { "limit:user-hourli", "default", "bad", LIVE_BAD, NULL, "text", 0 },
    { "limit:", "default", "1/1h", LIVE_BAD, NULL, "key", 6 },
    { "limit:a b", "default", "1/1h", LIVE_BAD, NULL, "key", 6 },
    { "limit", "default", "1/1h", LIVE_NO_SUCH_KEY, NULL, "key", 0 },
    { "class:x", "a", "gold", LIVE_NO_SUCH_KEY, NULL, "key", 0 },
    { "q:{m:a}", "1", "1", LIVE_NO_SUCH_KEY, NULL, "key", 0 },
    { "gen", "1", "1", LIVE_NO_SUCH_KEY, NULL, "key", 0 },
    /* classes */
    { "class", "@Shop.Example", "silver by=root", LIVE_OK, "class @shop.example", NULL, 0 },
    { "class", "Alice@Shop.Example", "gold", LIVE_OK, "class alice@shop.example", NULL, 0 },
    { "class", "192.0.2.0/24", "partner", LIVE_OK, "class 192.0.2.0/24", NULL, 0 },
    { "class", "192.0.2.7/24", "partner", LIVE_BAD, NULL, "field", 0 },
    { "class", "@", "gold", LIVE_BAD, NULL, "field", 1 },
    { "class", "alice", "", LIVE_BAD, NULL, "text", 0 },
    { "class", "alice", "two words", LIVE_BAD, NULL, "text", 0 },
    /* chains */
    { "dkim", "Example.com/S1", "active since=5 by=root", LIVE_OK, "dkim example.com/s1", NULL, 0 },
    { "dkim", "example.com", "active", LIVE_BAD, NULL, "field", 0 },
    { "dkim", "example.com/s1", "asleep", LIVE_BAD, NULL, "text", 0 },
    { "apply", "*", "full", LIVE_OK, "apply *", NULL, 0 },
    { "apply", "GM@Domain1.Example", "boss until=1795314861", LIVE_OK, "apply gm@domain1.example",
      NULL, 0 },
    { "apply", "@Domain2.example", "FULL by=root", LIVE_OK, "apply @domain2.example", NULL, 0 },
    { "apply", "@", "full", LIVE_BAD, NULL, "field", 0 },
    { "apply", "*", "fool", LIVE_BAD, NULL, "text", 0 },
    { "apply", "*", "full, boss", LIVE_BAD, NULL, "text", 0 },
    { "apply", "*", "", LIVE_BAD, NULL, "text", 0 },
    { "apply:x", "*", "full", LIVE_NO_SUCH_KEY, NULL, "key", 0 },
    /* lists */
    { "list:block", "192.0.2.0/24", "", LIVE_OK, "list:block 192.0.2.0/24", NULL, 0 },
    { "list:block", "!.Example.com", "by=root", LIVE_OK, "list:block !.example.com", NULL, 0 },
    { "list:block", "192.0.2.0/24", "what", LIVE_BAD, NULL, "text", 0 },
    { "list:block", "192.0.2.1/24", "", LIVE_BAD, NULL, "field", 0 },
    { "list:block", "\" a\"@example.com", "", LIVE_BAD, NULL, "field", 0 },
    { "list:block/Bob@Example.com", "a@b.example", "", LIVE_OK,
      "list:block/bob@example.com a@b.example", NULL, 0 },
    { "list:block/Example.COM", "a@b.example", "", LIVE_OK, "list:block/example.com a@b.example",
      NULL, 0 },
    { "list:block/", "a@b.example", "", LIVE_BAD, NULL, "key", 11 },
    { "list:block/a b", "a@b.example", "", LIVE_BAD, NULL, "key", 11 },
    /* maps */
    { "map:owners", "Sales@example.com", "alice, bob until=1795314861", LIVE_OK,
      "map:owners sales@example.com", NULL, 0 },
    { "map:owners", "@.Example.com", "alice", LIVE_OK, "map:owners @.example.com", NULL, 0 },
    { "map:owners", "sales@example.com", "by=root", LIVE_BAD, NULL, "text", 0 },
    { "map:other", "sales@example.com", "alice", LIVE_UNDECLARED, "map:other sales@example.com",
      "key", 4 },
    /* rules */
    { "rule", "storm", "order=1 then=accept", LIVE_OK, "rule storm", NULL, 0 },
    { "rule", "storm", "order=1 then=acept", LIVE_BAD, NULL, "then", 3 },
    { "rule", "storm", "then=accept", LIVE_BAD, NULL, "text", 11 },
    { "rule", "sto rm", "order=1 then=accept", LIVE_BAD, NULL, "field", 0 },
};

static void judges_a_change_and_places_the_mistake(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_new(1 << 20);
        struct live_place place = { { NULL, 0 }, { NULL, 0 } };
        struct live_error error = { NULL, 0, "" };
        enum live_result got = live_check(slice_of(cases[i].key), slice_of(cases[i].field),
                                          slice_of(cases[i].text), &names, arena, &place, &error);
        if (got != cases[i].want)
            fail_msg("%s %s \"%s\": %d (%s)", cases[i].key, cases[i].field, cases[i].text, got,
                     error.text);
        if (cases[i].stored != NULL) {
            struct slice both =
                arena_printf(arena, "%.*s %.*s", SLICE_ARG(place.key), SLICE_ARG(place.field));
            assert_slice(cases[i].stored, both);
        }
        if (cases[i].where != NULL &&
            (error.where == NULL || strcmp(error.where, cases[i].where) != 0 ||
             error.offset != cases[i].offset || error.text[0] == '\0'))
            fail_msg("%s %s \"%s\": %s at %zu: %s", cases[i].key, cases[i].field, cases[i].text,
                     error.where, error.offset, error.text);
        arena_free(&arena);
    }
}

static void suggests_a_declared_name(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 16);
    struct slice stored;
    struct live_error error;

    assert_int_equal(LIVE_UNDECLARED,
                     live_check_key(SLICE("limit:user-hurly"), &names, arena, &stored, &error));
    assert_string_equal(
        "no limit \"user-hurly\" in the configuration; did you mean \"user-hourly\"?", error.text);
    arena_free(&arena);
}

static void takes_any_name_where_none_are_known(UNUSED void **state)
{
    const struct live_names none = { .context = NULL };
    struct arena *arena = arena_new(1 << 16);
    struct slice stored;
    struct live_error error;

    assert_int_equal(LIVE_OK, live_check_key(SLICE("map:any"), &none, arena, &stored, &error));
    arena_free(&arena);
}

static void bounds_fields_and_texts(UNUSED void **state)
{
    static char field[LIVE_FIELD_MAX + 2], text[LIVE_TEXT_MAX + 2];
    struct arena *arena = arena_new(1 << 20);
    struct live_place place;
    struct live_error error;

    memset(field, 'a', sizeof(field) - 1);
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "by=", 3);
    assert_int_equal(LIVE_BAD, live_check(SLICE("list:block"), slice_of(field), SLICE(""), &names,
                                          arena, &place, &error));
    assert_string_equal("field", error.where);
    assert_int_equal(LIVE_BAD, live_check(SLICE("list:block"), SLICE("example.com"), slice_of(text),
                                          &names, arena, &place, &error));
    assert_string_equal("text", error.where);
    assert_int_equal(LIVE_TEXT_MAX, error.offset);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_a_change_and_places_the_mistake),
        cmocka_unit_test(suggests_a_declared_name),
        cmocka_unit_test(takes_any_name_where_none_are_known),
        cmocka_unit_test(bounds_fields_and_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
