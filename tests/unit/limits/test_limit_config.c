/* tests/unit/limits/test_limit_config.c - limits from texts; every mistake with its place. */
#include "tests/unit/unit.h"

#include "tests/fakes/fake_limits.h"

struct seen {
    struct limit_error errors[20];
    size_t count;
};

static void see(void *arg, const struct limit_error *error)
{
    struct seen *seen = arg;

    assert_true(seen->count < COUNT(seen->errors));
    seen->errors[seen->count++] = *error;
}

/* Absent ones are filled in so that each row has one mistake. */
static const struct {
    const char *name, *key, *count, *rate, *charge, *over, *override, *override_rate;
    enum limit_field field;
    size_t offset;
    const char *text; /* a part of it */
} mistakes[] = {
    { .name = "a b", .text = "letters, digits" },
    { .name = "", .text = "letters, digits" },
    { .key = "sasl_usrname", .field = LIMIT_FIELD_KEY, .text = "did you mean sasl_username?" },
    { .key = "sender, wat_is_this",
      .field = LIMIT_FIELD_KEY,
      .offset = 8,
      .text = "there is no fact wat_is_this" },
    { .key = "sender, ", .field = LIMIT_FIELD_KEY, .offset = 8, .text = "missing here" },
    { .key = " ", .field = LIMIT_FIELD_KEY, .text = "names no fact" },
    { .key = "sender,sender",
      .field = LIMIT_FIELD_KEY,
      .offset = 7,
      .text = "sender is there twice" },
    { .key = "limit.*.used", .field = LIMIT_FIELD_KEY, .text = "cannot be the key" },
    { .key = "sender,sender_domain,country,client_net,client_address",
      .field = LIMIT_FIELD_KEY,
      .offset = 40,
      .text = "at most 4" },
    { .count = "-", .field = LIMIT_FIELD_NAME, .text = "count is missing" },
    { .count = "recipient", .field = LIMIT_FIELD_COUNT, .text = "did you mean recipients?" },
    { .count = "x", .field = LIMIT_FIELD_COUNT, .text = "connections or refused" },
    { .rate = "-", .field = LIMIT_FIELD_NAME, .text = "rate is missing" },
    { .rate = "200", .field = LIMIT_FIELD_RATE, .text = "as in 200/1h" },
    { .charge = "rcptt", .field = LIMIT_FIELD_CHARGE, .text = "charge is a stage" },
    { .charge = "rcpt data", .field = LIMIT_FIELD_CHARGE, .text = "charged at one stage" },
    { .charge = "any", .field = LIMIT_FIELD_CHARGE, .text = "charged at one stage" },
    { .charge = "helo", .field = LIMIT_FIELD_CHARGE, .text = "not known at that stage" },
    { .count = "recipients",
      .charge = "mail",
      .field = LIMIT_FIELD_CHARGE,
      .text = "not known at that stage" },
    { .key = "sender, recipient",
      .field = LIMIT_FIELD_KEY,
      .text = "recipient is not known there" },
    { .key = "recipient", .field = LIMIT_FIELD_KEY, .text = "set charge = rcpt" },
    { .key = "sender",
      .count = "connections",
      .charge = "connect",
      .field = LIMIT_FIELD_KEY,
      .text = "not known where" },
    { .over = "", .field = LIMIT_FIELD_OVER, .text = "over is empty" },
    { .override = "rate.usr.alice", .field = LIMIT_FIELD_OVERRIDE, .text = "rate.user.WHO" },
    { .override = "rate.user.", .field = LIMIT_FIELD_OVERRIDE, .offset = 10, .text = "missing" },
    { .override = "rate.class.a b",
      .field = LIMIT_FIELD_OVERRIDE,
      .offset = 11,
      .text = "name of a class" },
    { .override = "rate.user.alice",
      .override_rate = "1/1y",
      .field = LIMIT_FIELD_OVERRIDE_RATE,
      .text = "from 24ms to 366d" },
};

/* "-": not given. */
static struct slice given(const char *text, const char *otherwise)
{
    if (text == NULL)
        text = otherwise;
    return text == NULL || strcmp(text, "-") == 0 ? (struct slice){ NULL, 0 } : slice_of(text);
}

static void reports_each_mistake_with_its_place(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        struct seen seen = { .count = 0 };
        const struct limit_errors errors = { see, &seen };
        const struct limit_override override = { given(mistakes[i].override, "rate.user.x"),
                                                 given(mistakes[i].override_rate, "1/1h") };
        const struct limit_text text = { .name = given(mistakes[i].name, "test"),
                                         .key = given(mistakes[i].key, NULL),
                                         .count = given(mistakes[i].count, "messages"),
                                         .rate = given(mistakes[i].rate, "5/1h"),
                                         .charge = given(mistakes[i].charge, NULL),
                                         .over = given(mistakes[i].over, NULL),
                                         .overrides = &override,
                                         .override_count = 1 };
        struct limit_set *set =
            limit_set_new(fake_limit_facts, fake_limit_fact_count, &text, 1, &errors);
        if (seen.count != 1 || seen.errors[0].field != mistakes[i].field ||
            seen.errors[0].offset != mistakes[i].offset ||
            strstr(seen.errors[0].text, mistakes[i].text) == NULL)
            fail_msg("row %zu: %zu mistakes, field %d, offset %zu: %s", i, seen.count,
                     (int)seen.errors[0].field, seen.errors[0].offset, seen.errors[0].text);
        assert_int_equal(0, limit_set_count(set));
        limit_set_free(&set);
    }
}

static void reports_all_mistakes_of_all_limits(UNUSED void **state)
{
    static const struct limit_override overrides[] = {
        { SLICE_INIT("rate.domain.example.com"), SLICE_INIT("1/1h") },
        { SLICE_INIT("rate.user.x"), SLICE_INIT("never") },
        { SLICE_INIT("rate.domain.Example.COM"), SLICE_INIT("2/1h") },
    };
    static const struct limit_text texts[] = {
        { .name = SLICE_INIT("one"), .key = SLICE_INIT("nobody"), .rate = SLICE_INIT("x") },
        { .name = SLICE_INIT("two"),
          .key = SLICE_INIT("sender"),
          .count = SLICE_INIT("messages"),
          .rate = SLICE_INIT("1/1h"),
          .overrides = overrides,
          .override_count = 3 },
        { .name = SLICE_INIT("good"), .count = SLICE_INIT("bytes"), .rate = SLICE_INIT("1G/1d") },
        { .name = SLICE_INIT("good"), .count = SLICE_INIT("bytes"), .rate = SLICE_INIT("1G/1d") },
    };
    static const struct {
        size_t limit, override;
        enum limit_field field;
    } want[] = {
        { 0, 0, LIMIT_FIELD_KEY },      { 0, 0, LIMIT_FIELD_NAME },
        { 0, 0, LIMIT_FIELD_RATE },     { 1, 1, LIMIT_FIELD_OVERRIDE_RATE },
        { 1, 2, LIMIT_FIELD_OVERRIDE }, { 3, 0, LIMIT_FIELD_NAME },
    };
    struct seen seen = { .count = 0 };
    const struct limit_errors errors = { see, &seen };
    struct limit_set *set =
        limit_set_new(fake_limit_facts, fake_limit_fact_count, texts, COUNT(texts), &errors);

    assert_int_equal(COUNT(want), seen.count);
    for (size_t i = 0; i < COUNT(want); i++)
        if (seen.errors[i].limit != want[i].limit || seen.errors[i].field != want[i].field ||
            seen.errors[i].override != want[i].override)
            fail_msg("mistake %zu: limit %zu, field %d: %s", i, seen.errors[i].limit,
                     (int)seen.errors[i].field, seen.errors[i].text);
    assert_int_equal(1, limit_set_count(set));
    assert_true(limit_set_knows(set, SLICE("one")) && limit_set_knows(set, SLICE("two")));
    assert_false(limit_set_knows(set, SLICE("three")));
    assert_null(limit_set_find(set, SLICE("one")));
    limit_set_free(&set);
    assert_null(set);
    limit_set_free(&set);
}

static void makes_what_the_texts_say(UNUSED void **state)
{
    static const struct limit_override overrides[] = {
        { SLICE_INIT("rate.user.Bob@Example.com"), SLICE_INIT("unlimited") },
        { SLICE_INIT("rate.class.gold"), SLICE_INIT("9/1d") },
    };
    static const struct limit_text texts[] = {
        { .name = SLICE_INIT("user-hourly"),
          .key = SLICE_INIT("sender , client_net"),
          .count = SLICE_INIT("recipients"),
          .rate = SLICE_INIT("200/1h"),
          .over = SLICE_INIT("reject 5.7.1 Too much"),
          .overrides = overrides,
          .override_count = 2 },
        { .name = SLICE_INIT("all"), .count = SLICE_INIT("bytes"), .rate = SLICE_INIT("1G/1d") },
        { .name = SLICE_INIT("to-one"),
          .key = SLICE_INIT("recipient"),
          .count = SLICE_INIT("messages"),
          .rate = SLICE_INIT("5/1m"),
          .charge = SLICE_INIT("data") },
        { .name = SLICE_INIT("refusals"),
          .key = SLICE_INIT("sender"),
          .count = SLICE_INIT("refused"),
          .rate = SLICE_INIT("5/1m") },
    };
    struct limit_set *set =
        limit_set_new(fake_limit_facts, fake_limit_fact_count, texts, COUNT(texts), NULL);
    struct slice field;
    struct rate rate;

    assert_int_equal(4, limit_set_count(set));
    const struct limit *limit = limit_set_find(set, SLICE("user-hourly"));
    assert_ptr_equal(limit, limit_set_at(set, 0));
    assert_slice("user-hourly", limit_name(limit));
    assert_int_equal(COUNT_RECIPIENTS, limit_counts(limit));
    assert_int_equal(STAGES_DATA, limit_stages(limit));
    assert_int_equal(2, limit_key_count(limit));
    assert_string_equal("client_net", limit_key_fact(limit, 1));
    assert_slice("reject 5.7.1 Too much", limit_over(limit));
    assert_true(limit_override_at(limit, 0, &field, &rate));
    assert_slice("class:gold", field);
    assert_true(limit_override_at(limit, 1, &field, &rate));
    assert_true(rate.most == RATE_UNLIMITED);
    assert_false(limit_override_at(limit, 2, &field, &rate));
    limit = limit_set_find(set, SLICE("all"));
    assert_int_equal(0, limit_key_count(limit));
    assert_int_equal(STAGES_END, limit_stages(limit));
    assert_slice("defer 4.7.1 Limit reached, try again later", limit_over(limit));
    /* said explicitly: only messages to one recipient */
    assert_int_equal(STAGE_DATA, limit_stages(limit_set_find(set, SLICE("to-one"))));
    assert_int_equal(STAGE_MAIL | STAGE_RCPT | STAGES_DATA | STAGES_END,
                     limit_stages(limit_set_find(set, SLICE("refusals"))));
    assert_null(limit_set_at(set, 4));
    limit_set_free(&set);
}

static void bounds_their_number(UNUSED void **state)
{
    static struct limit_text texts[LIMITS_MAX + 5];
    static char names[LIMITS_MAX + 5][16];
    struct seen seen = { .count = 0 };
    const struct limit_errors errors = { see, &seen };

    for (size_t i = 0; i < COUNT(texts); i++) {
        snprintf(names[i], sizeof names[i], "limit%zu", i);
        texts[i] = (struct limit_text){ .name = slice_of(names[i]),
                                        .count = SLICE("messages"),
                                        .rate = SLICE("1/1h") };
    }
    struct limit_set *set =
        limit_set_new(fake_limit_facts, fake_limit_fact_count, texts, COUNT(texts), &errors);
    assert_int_equal(LIMITS_MAX, limit_set_count(set));
    assert_int_equal(1, seen.count);
    assert_int_equal(LIMITS_MAX, seen.errors[0].limit);
    limit_set_free(&set);
    set = limit_set_new(fake_limit_facts, fake_limit_fact_count, NULL, 0, NULL);
    assert_int_equal(0, limit_set_count(set));
    assert_null(limit_set_find(set, SLICE("x")));
    limit_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_each_mistake_with_its_place),
        cmocka_unit_test(reports_all_mistakes_of_all_limits),
        cmocka_unit_test(makes_what_the_texts_say),
        cmocka_unit_test(bounds_their_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
