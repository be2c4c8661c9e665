/* tests/unit/limits/test_limit_key.c - values and subjects of keys. */
#include "tests/unit/unit.h"

#include "tests/fakes/fake_limits.h"

static struct arena *arena;

static int setup(UNUSED void **state)
{
    arena = arena_new(1 << 20);
    return 0;
}

static int teardown(UNUSED void **state)
{
    arena_free(&arena);
    return 0;
}

static struct limit_set *keyed_by(const char *key)
{
    const struct limit_text text = { .name = SLICE_INIT("test"),
                                     .key = slice_of(key),
                                     .count = SLICE_INIT("messages"),
                                     .rate = SLICE_INIT("5/1h"),
                                     .charge = SLICE_INIT("rcpt") };

    return limit_set_new(fake_limit_facts, fake_limit_fact_count, &text, 1, NULL);
}

static struct value value_of(const struct fact_type *type, const char *text)
{
    struct value value = { .type = type->type, .text = slice_of(text) };

    value.is_empty = *text == '\0';
    if (type->type == VALUE_ADDRESS && !value.is_empty)
        assert_true(ipnet_parse(value.text, &value.net, NULL));
    if (type->type == VALUE_NUMBER)
        assert_true(slice_to_double(value.text, &value.number));
    value.boolean = type->type == VALUE_BOOLEAN && *text == 'y';
    return value;
}

#define LONG "a-login-that-is-so-long-that-it-would-fill-the-memory-of-a-store@example.com"

#define LONGEST "a-login-of-sixty-four-bytes-which-is-as-much-as-is-kept-as-it-is"

static const struct {
    const char *key, *parts[2], *value, *subject; /* no subject: empty */
} keys[] = {
    { NULL, { "" }, "", "*" },
    { "sasl_username", { "alice" }, "alice", "t:alice" },
    { "sasl_username", { "" }, NULL, NULL },
    { "sasl_username", { "a b" }, "a b", "t:c8687a08aa5d6ed2044328fa6a697ab8" },
    { "sasl_username", { "{x}" }, "{x}", "t:d3ebeaf9670d728f594bccba06375837" },
    { "sasl_username", { LONGEST }, LONGEST, "t:" LONGEST },
    { "sasl_username", { LONGEST "x" }, LONGEST "x", "t:?" },
    { "sasl_username", { LONG }, LONG, "t:?" },
    { "sasl_username",
      { "c8687a08aa5d6ed2044328fa6a697ab8" },
      "c8687a08aa5d6ed2044328fa6a697ab8",
      "t:?" },
    { "sender", { "alice@example.com" }, "alice@example.com", "m:alice@example.com" },
    { "sender", { "" }, NULL, NULL },
    { "sender_domain", { "example.com" }, "example.com", "d:example.com" },
    { "client_address", { "192.0.2.1" }, "192.0.2.1", "a:192.0.2.1" },
    { "client_address", { "2001:db8:1:2:3::4" }, "2001:db8:1:2::/64", "n:2001:db8:1:2::/64" },
    { "client_net", { "192.0.2.0/24" }, "192.0.2.0/24", "n:192.0.2.0/24" },
    { "client_net", { "2001:db8:1:2:3::/80" }, "2001:db8:1:2:3::/80", "n:2001:db8:1:2:3::/80" },
    { "country", { "DE" }, "DE", "t:DE" },
    { "encryption_keysize", { "256" }, "256", "t:256" },
    { "authenticated", { "yes" }, "yes", "t:yes" },
    { "authenticated", { "no" }, "no", "t:no" },
    { "sender_domain, client_net",
      { "example.com", "192.0.2.0/24" },
      "example.com,192.0.2.0/24",
      "c:example.com,192.0.2.0/24" },
    { "client_address, sender",
      { "2001:db8::1", "a@b.example" },
      "2001:db8::/64,a@b.example",
      "c:2001:db8::/64,a@b.example" },
    { "sender_domain, client_net", { "", "192.0.2.0/24" }, NULL, NULL },
    { "sender_domain, client_net", { "example.com", "" }, NULL, NULL },
};

static void makes_value_and_subject(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct limit_set *set = keyed_by(keys[i].key);
        const struct limit *limit = limit_set_at(set, 0);
        struct value parts[2];
        struct slice value = { NULL, 0 }, subject = { NULL, 0 };
        for (size_t n = 0; n < limit_key_count(limit); n++)
            parts[n] = value_of(limit_key_type(limit, n), keys[i].parts[n]);
        enum limit_key_result result = limit_key(limit, parts, arena, &value, &subject);
        assert_int_equal(keys[i].subject == NULL ? LIMIT_KEY_EMPTY : LIMIT_KEY_OK, result);
        if (keys[i].subject == NULL) {
            assert_null(subject.ptr);
            limit_set_free(&set);
            continue;
        }
        assert_slice(keys[i].value, value);
        if (strcmp(keys[i].subject, "t:?") == 0) {
            assert_int_equal(2 + 32, subject.len);
            assert_false(slice_equal(slice_skip(subject, 2), value));
        } else {
            assert_slice(keys[i].subject, subject);
        }
        assert_true(slice_equal(subject, limit_key_subject(limit, value, arena)));
        limit_set_free(&set);
    }
}

static const struct {
    const char *key, *typed, *value;
} typed[] = {
    { "sender", "Alice@Example.COM", "alice@example.com" },
    { "sender_domain", "EXAMPLE.com.", "example.com" },
    { "client_address", "::ffff:192.0.2.1", "192.0.2.1" },
    { "client_address", "2001:DB8:0:0::1", "2001:db8::/64" },
    { "client_address", "2001:db8::/64", "2001:db8::/64" },
    { "client_address", "what", "what" },
    { "sasl_username", "Alice", "Alice" }, /* compared byte by byte */
    { "sender_domain, client_net", "Example.com, 192.0.2.0/24", "example.com,192.0.2.0/24" },
    { "sender_domain, client_net", "example.com", "example.com" },
    { NULL, "anything", "" },
};

static void normalises_what_people_type(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(typed); i++) {
        struct limit_set *set = keyed_by(typed[i].key);
        assert_slice(typed[i].value,
                     limit_key_typed(limit_set_at(set, 0), slice_of(typed[i].typed), arena));
        limit_set_free(&set);
    }
}

static void says_when_memory_is_out(UNUSED void **state)
{
    struct limit_set *set = keyed_by("sender");
    struct arena *small = arena_new(8);
    struct value value = value_of(limit_key_type(limit_set_at(set, 0), 0), "alice@example.com");
    struct slice text, subject;

    assert_int_equal(LIMIT_KEY_NO_MEMORY,
                     limit_key(limit_set_at(set, 0), &value, small, &text, &subject));
    arena_free(&small);
    limit_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_value_and_subject),
        cmocka_unit_test(normalises_what_people_type),
        cmocka_unit_test(says_when_memory_is_out),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
