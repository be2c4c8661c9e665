/* tests/unit/limits/test_limit.c - what a limit costs, where its rate comes from. */
#include "tests/unit/unit.h"

#include "common/limits/limit_impl.h"
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

static void fail_on(UNUSED void *arg, const struct limit_error *error)
{
    fail_msg("%s", error->text);
}

static struct limit_set *make(struct limit_text text)
{
    const struct limit_errors errors = { .add = fail_on };

    text.name = SLICE("test");
    if (text.rate.ptr == NULL)
        text.rate = SLICE("5/1h");
    return limit_set_new(fake_limit_facts, fake_limit_fact_count, &text, 1, &errors);
}

/* ---- cost ---- */

#define OLD_MESSAGE 1
#define OLD_CONNECTION 2
#define REFUSED 4

static const struct {
    const char *count, *charge;
    enum stage stage;
    unsigned flags;
    uint64_t recipients, size;
    bool is_due;
    uint64_t amount;
} costs[] = {
    { "messages", NULL, STAGE_RCPT, 0, 0, 0, false, 0 },
    { "messages", NULL, STAGE_DATA, 0, 1, 0, true, 1 },
    { "messages", NULL, STAGE_DATA_MANY, 0, 50, 0, true, 1 },
    { "messages", NULL, STAGE_DATA, OLD_MESSAGE, 1, 0, true, 1 },
    { "messages", NULL, STAGE_END, 0, 1, 9, false, 0 },
    { "messages", "rcpt", STAGE_RCPT, 0, 0, 0, true, 1 },
    { "messages", "rcpt", STAGE_RCPT, OLD_MESSAGE, 0, 0, false, 0 },
    { "messages", "rcpt", STAGE_DATA, 0, 1, 0, false, 0 },
    { "recipients", NULL, STAGE_DATA_MANY, 0, 50, 0, true, 50 },
    { "recipients", NULL, STAGE_DATA_MANY, 0, 2, 0, true, 2 },
    { "recipients", NULL, STAGE_DATA, 0, 0, 0, true, 1 },
    { "recipients", NULL, STAGE_DATA, 0, 1, 0, true, 1 },
    { "recipients", "rcpt", STAGE_RCPT, OLD_MESSAGE, 0, 0, true, 1 },
    { "recipients", "end-of-message", STAGE_END_MANY, 0, 3, 9, true, 3 },
    { "bytes", NULL, STAGE_DATA, 0, 1, 9, false, 0 },
    { "bytes", NULL, STAGE_END_MANY, 0, 2, 12345, true, 12345 },
    { "connections", NULL, STAGE_CONNECT, 0, 0, 0, true, 1 },
    { "connections", NULL, STAGE_RCPT, OLD_CONNECTION, 0, 0, false, 0 },
    { "connections", NULL, STAGE_OTHER, 0, 0, 0, true, 1 },
    { "connections", "helo", STAGE_RCPT, 0, 0, 0, false, 0 },
    { "refused", NULL, STAGE_RCPT, 0, 0, 0, true, 0 },
    { "refused", NULL, STAGE_HELO, REFUSED, 0, 0, true, 1 },
};

static void costs_by_count_and_stage(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(costs); i++) {
        struct limit_set *set = make((struct limit_text){ .count = slice_of(costs[i].count),
                                                          .charge = slice_of(costs[i].charge) });
        struct limit_event event = { costs[i].stage,
                                     costs[i].recipients,
                                     costs[i].size,
                                     (costs[i].flags & OLD_MESSAGE) == 0,
                                     (costs[i].flags & OLD_CONNECTION) == 0,
                                     (costs[i].flags & REFUSED) != 0 };
        uint64_t amount = 0;
        bool force, is_due = limit_cost(limit_set_at(set, 0), &event, &amount, &force);
        if (is_due != costs[i].is_due || (is_due && amount != costs[i].amount) ||
            force != event.is_refused)
            fail_msg("row %zu: due %d, costs %llu", i, is_due, (unsigned long long)amount);
        limit_set_free(&set);
    }
}

/* ---- whose rate ---- */

static const struct {
    const char *key, *value, *class_name, *fields; /* separated by blanks */
} candidates[] = {
    { "sasl_username", "alice", NULL, "user:alice default" },
    { "sasl_username", "alice@mail.example.com", "gold",
      "user:alice@mail.example.com domain:mail.example.com domain:example.com domain:com class:gold "
      "default" },
    { "sender", "a@b@example.com", NULL,
      "user:a@b@example.com domain:example.com domain:com default" },
    { "sender", "a@[192.0.2.1]", NULL, "user:a@[192.0.2.1] domain:[192.0.2.1] default" },
    { "sender_domain", "example.com", NULL,
      "user:example.com domain:example.com domain:com default" },
    { "client_address", "192.0.2.1", NULL, "user:192.0.2.1 default" },
    { "sender_domain, client_net", "example.com,192.0.2.0/24", NULL,
      "user:example.com,192.0.2.0/24 domain:example.com domain:com default" },
    { "client_net, sender", "192.0.2.0/24,a@example.com", NULL,
      "user:192.0.2.0/24,a@example.com domain:example.com domain:com default" },
    { "sender_domain", "1.2.3.4.5.6.7.8.9", NULL,
      "user:1.2.3.4.5.6.7.8.9 domain:1.2.3.4.5.6.7.8.9 domain:2.3.4.5.6.7.8.9 "
      "domain:3.4.5.6.7.8.9 domain:4.5.6.7.8.9 domain:5.6.7.8.9 domain:6.7.8.9 domain:7.8.9 "
      "domain:8.9 default" },
    { NULL, "", NULL, "default" },
};

static void names_the_fields_that_can_hold_a_rate(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(candidates); i++) {
        struct limit_set *set = make((struct limit_text){ .key = slice_of(candidates[i].key),
                                                          .count = SLICE("messages"),
                                                          .charge = SLICE("rcpt") });
        const struct slice *fields;
        size_t n = 0, count = limit_candidates(limit_set_at(set, 0), slice_of(candidates[i].value),
                                               slice_of(candidates[i].class_name), arena, &fields);
        struct slice rest = slice_of(candidates[i].fields), want;
        for (; slice_next(&rest, ' ', &want); n++)
            if (n >= count || !slice_equal(want, fields[n]))
                fail_msg("row %zu: field %zu is not %.*s", i, n, SLICE_ARG(want));
        assert_int_equal(n, count);
        limit_set_free(&set);
    }
}

static void finds_each_of_many_overrides(UNUSED void **state)
{
    enum { OVERRIDES = 31 };
    struct limit_override overrides[OVERRIDES];
    char names[OVERRIDES][40], fields[OVERRIDES][40];

    for (size_t i = 0; i < OVERRIDES; i++) {
        snprintf(names[i], sizeof names[i], "rate.user.u%02zu@example.com", i * 7 % OVERRIDES * 2);
        snprintf(fields[i], sizeof fields[i], "user:u%02zu@example.com", i * 2);
        overrides[i] = (struct limit_override){ slice_of(names[i]), SLICE("7/1h") };
    }
    struct limit_set *set = make((struct limit_text){ .key = SLICE("sasl_username"),
                                                      .count = SLICE("messages"),
                                                      .overrides = overrides,
                                                      .override_count = OVERRIDES });
    const struct limit *limit = limit_set_at(set, 0);
    for (size_t i = 0; i < OVERRIDES; i++) {
        const struct limit_rate *rate = limit_override_find(limit, slice_of(fields[i]));
        if (rate == NULL || !slice_equal(rate->field, slice_of(fields[i])))
            fail_msg("%s", fields[i]);
        fields[i][7]++; /* the odd one after it */
        if (limit_override_find(limit, slice_of(fields[i])) != NULL)
            fail_msg("%s", fields[i]);
    }
    assert_null(limit_override_find(limit, SLICE("default")));
    assert_null(limit_override_find(limit, SLICE("user:z@example.com")));
    limit_set_free(&set);
}

static void a_value_too_long_for_a_field_has_no_user_rate(UNUSED void **state)
{
    struct limit_set *set =
        make((struct limit_text){ .key = SLICE("sasl_username"), .count = SLICE("messages") });
    static char value[2000];
    const struct slice *fields;
    struct slice none = { NULL, 0 };

    memset(value, 'x', sizeof value);
    assert_int_equal(1,
                     limit_candidates(limit_set_at(set, 0), (struct slice){ value, sizeof value },
                                      none, arena, &fields));
    assert_slice("default", fields[0]);
    limit_set_free(&set);
}

#define WALL UINT64_C(1795314861000)

/* Live values of user, domain:example.com, class:gold, default. */
static const struct {
    const char *live[4];
    uint64_t most;
    enum rate_level level;
    bool is_live;
    size_t bad;
} resolutions[] = {
    { { NULL, NULL, NULL, NULL }, 100, RATE_USER, false, SIZE_MAX },
    { { "7/1h", NULL, NULL, NULL }, 7, RATE_USER, true, SIZE_MAX },
    { { NULL, "8/1h", "9/1h", "10/1h" },
      100,
      RATE_USER,
      false,
      SIZE_MAX }, /* level before source */
    { { "7/1h until=1795314862", NULL, NULL, NULL }, 7, RATE_USER, true, SIZE_MAX },
    { { "7/1h until=1795314861", "8/1h", NULL, NULL }, 100, RATE_USER, false, SIZE_MAX },
    { { "0/1h", NULL, NULL, NULL }, 0, RATE_USER, true, SIZE_MAX },
    { { "7", "x", NULL, "y" }, 100, RATE_USER, false, 0 }, /* garbage is no rate, never zero */
    { { "", NULL, NULL, NULL }, 100, RATE_USER, false, 0 },
    { { "unlimited by=x", NULL, NULL, NULL }, RATE_UNLIMITED, RATE_USER, true, SIZE_MAX },
};

static void the_most_specific_rate_wins_and_live_beats_the_file(UNUSED void **state)
{
    static const struct limit_override overrides[] = {
        { SLICE_INIT("rate.user.Alice@Example.com"), SLICE_INIT("100/1h") },
        { SLICE_INIT("rate.domain.example.com"), SLICE_INIT("200/1h") },
    };
    struct limit_set *set = make((struct limit_text){ .key = SLICE("sender"),
                                                      .count = SLICE("messages"),
                                                      .overrides = overrides,
                                                      .override_count = 2 });
    const struct slice fields[] = { SLICE("user:alice@example.com"), SLICE("domain:example.com"),
                                    SLICE("class:gold"), SLICE("default") };

    for (size_t i = 0; i < COUNT(resolutions); i++) {
        struct slice live[4];
        struct rate_source source;
        size_t bad;
        for (size_t n = 0; n < 4; n++)
            live[n] = slice_of(resolutions[i].live[n]);
        struct rate rate =
            limit_resolve(limit_set_at(set, 0), fields, live, 4, WALL, &source, &bad);
        if (rate.most != resolutions[i].most || source.level != resolutions[i].level ||
            source.is_live != resolutions[i].is_live || bad != resolutions[i].bad)
            fail_msg("row %zu: %llu from %.*s", i, (unsigned long long)rate.most,
                     SLICE_ARG(source.field));
    }
    limit_set_free(&set);
}

static void falls_through_domain_class_and_default(UNUSED void **state)
{
    static const struct limit_override overrides[] = {
        { SLICE_INIT("rate.domain.EXAMPLE.com"), SLICE_INIT("200/1h") },
        { SLICE_INIT("rate.class.gold"), SLICE_INIT("300/1h") },
    };
    static const struct {
        const char *value, *class_name;
        uint64_t most;
        enum rate_level level;
    } rows[] = {
        { "a@example.com", "gold", 200, RATE_DOMAIN },
        { "a@deep.below.example.com", NULL, 200, RATE_DOMAIN },
        { "a@notexample.com", "gold", 300, RATE_CLASS },
        { "a@example.org", "silver", 5, RATE_DEFAULT },
        { "a@example.org", NULL, 5, RATE_DEFAULT },
    };
    struct limit_set *set = make((struct limit_text){ .key = SLICE("sender"),
                                                      .count = SLICE("messages"),
                                                      .overrides = overrides,
                                                      .override_count = 2 });
    const struct slice live[16] = { { NULL, 0 } };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct slice *fields;
        struct rate_source source;
        size_t bad, count = limit_candidates(limit_set_at(set, 0), slice_of(rows[i].value),
                                             slice_of(rows[i].class_name), arena, &fields);
        struct rate rate =
            limit_resolve(limit_set_at(set, 0), fields, live, count, WALL, &source, &bad);
        if (rate.most != rows[i].most || source.level != rows[i].level || source.is_live)
            fail_msg("row %zu: %llu", i, (unsigned long long)rate.most);
    }
    limit_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_by_count_and_stage),
        cmocka_unit_test(names_the_fields_that_can_hold_a_rate),
        cmocka_unit_test(finds_each_of_many_overrides),
        cmocka_unit_test(a_value_too_long_for_a_field_has_no_user_rate),
        cmocka_unit_test(the_most_specific_rate_wins_and_live_beats_the_file),
        cmocka_unit_test(falls_through_domain_class_and_default),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
