#include "common/rules/trace.h"

#include "tests/fakes/fake_rules.h"
#include "tests/unit/unit.h"

static const struct rule_source rules[] = {
    { .name = SLICE_INIT("bounces"),
      .when = SLICE_INIT("sender is empty"),
      .then = SLICE_INIT("accept"),
      .stage = SLICE_INIT("mail, rcpt, data") },
    { .name = SLICE_INIT("late"),
      .when = SLICE_INIT("recipient_count > 10"),
      .then = SLICE_INIT("score +1") },
    { .name = SLICE_INIT("spf"),
      .when = SLICE_INIT("spf = fail"),
      .then = SLICE_INIT("reject 5.7.23 SPF") },
    { .name = SLICE_INIT("try"),
      .when = SLICE_INIT("size > 1"),
      .then = SLICE_INIT("reject Size {size}"),
      .mode = SLICE_INIT("shadow") },
    { .name = SLICE_INIT("header"),
      .then = SLICE_INIT("prepend X-Seen: yes"),
      .stage = SLICE_INIT("rcpt") },
    { .name = SLICE_INIT("count"),
      .then = SLICE_INIT("limit hourly, bytes"),
      .stage = SLICE_INIT("rcpt, data, end-of-message") },
    { .name = SLICE_INIT("grey"), .then = SLICE_INIT("greylist 5m") },
    { .name = SLICE_INIT("points"), .then = SLICE_INIT("score -1.5") },
    { .name = SLICE_INIT("block"),
      .when = SLICE_INIT(
          "(country in (KP, RU) or sender in list:block/{recipient}) and not authenticated"),
      .then = SLICE_INIT("reject 550 5.7.1 Not from {country}") },
    { .name = SLICE_INIT("end"), .then = SLICE_INIT("accept") },
};

struct world {
    struct rule_set *set;
    struct fake_facts facts;
    struct arena *arena;
    struct trace *trace;
    struct verdict verdict;
};

static void world_init(struct world *world)
{
    struct fake_errors errors;

    fake_errors_init(&errors);
    world->set = rule_set_new(&fake_schema, rules, COUNT(rules), &errors.errors);
    if (errors.count > 0)
        fail_msg("%s", errors.first.text);
    world->arena = arena_new(1 << 20);
    world->trace = trace_new(world->arena);
    fake_facts_init(&world->facts, world->set);
    fake_facts_set(&world->facts, "sender", "a\n@example.com");
    fake_facts_set(&world->facts, "recipient", "b@example.org");
    fake_facts_set(&world->facts, "spf", "?");
    fake_facts_set(&world->facts, "size", "100");
    fake_facts_set(&world->facts, "country", "DE");
}

static void world_free(struct world *world)
{
    rule_set_free(&world->set);
    arena_free(&world->arena);
}

static void prints_what_each_rule_saw_and_did(UNUSED void **state)
{
    static const char want[] =
        "100 bounces: false\n"
        "    false   sender is empty\n"
        "      sender = \"a?@example.com\"\n"
        "200 late: other stage\n"
        "300 spf: unknown\n"
        "    unknown spf = fail\n"
        "      spf is unknown\n"
        "400 try (shadow): true, would reject Size 100\n"
        "    true    size > 1\n"
        "      size = \"100\"\n"
        "500 header: true, prepend X-Seen: yes\n"
        "600 count: true, limit hourly, bytes\n"
        "700 grey: true, greylist 5m\n"
        "800 points: true, score -1.5\n"
        "900 block: true, reject 550 5.7.1 Not from DE\n"
        "    true    (country in (KP, RU) or sender in list:block/{recipient}) and not authenticated\n"
        "    true      country in (KP, RU) or sender in list:block/{recipient}\n"
        "    false       country in (KP, RU)\n"
        "    true        sender in list:block/{recipient}\n"
        "    true      not authenticated\n"
        "    false       authenticated\n"
        "      country = \"DE\"\n"
        "      sender = \"a?@example.com\"\n"
        "      recipient = \"b@example.org\"\n"
        "      list:block/{recipient} = \"yes\"\n"
        "      authenticated = \"no\"\n"
        "1000 end: not reached\n";
    AUTO_BUF out = BUF_INIT(4000);
    struct world world;

    world_init(&world);
    fake_facts_set(&world.facts, "list:block/b@example.org", "a\n@example.com");
    assert_int_equal(EVAL_DONE, rules_eval(world.set, STAGE_RCPT, &world.facts.source, world.arena,
                                           &world.verdict, world.trace));
    assert_int_equal(0, trace_print(world.trace, &out));
    assert_string_equal(want, buf_text(&out));
    world_free(&world);
}

static void shows_what_was_decided_without(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(4000);
    struct world world;

    world_init(&world);
    fake_facts_set(&world.facts, "country", "KP");
    assert_int_equal(EVAL_DONE, rules_eval(world.set, STAGE_RCPT, &world.facts.source, world.arena,
                                           &world.verdict, world.trace));
    assert_int_equal(0, trace_print(world.trace, &out));
    assert_non_null(strstr(buf_text(&out), "    true        country in (KP, RU)\n"
                                           "    -           sender in list:block/{recipient}\n"));
    world_free(&world);
}

static void begins_anew_when_evaluation_is_repeated(UNUSED void **state)
{
    AUTO_BUF waiting = BUF_INIT(4000);
    AUTO_BUF done = BUF_INIT(4000);
    struct world world;

    world_init(&world);
    fake_facts_set(&world.facts, "sender", "x@example.com");
    world.facts.facts[0].is_late = true;
    assert_int_equal(EVAL_WAIT, rules_eval(world.set, STAGE_RCPT, &world.facts.source, world.arena,
                                           &world.verdict, world.trace));
    assert_int_equal(0, trace_print(world.trace, &waiting));
    assert_true(slice_starts_with(buf_slice(&waiting), SLICE("100 bounces: waits\n"
                                                             "    waits   sender is empty\n"
                                                             "      sender is not there yet\n"
                                                             "200 late: other stage\n"
                                                             "300 spf: not reached\n"
                                                             "400 try (shadow): not reached\n")));
    world.facts.facts[0].is_late = false;
    assert_int_equal(EVAL_DONE, rules_eval(world.set, STAGE_RCPT, &world.facts.source, world.arena,
                                           &world.verdict, world.trace));
    assert_int_equal(0, trace_print(world.trace, &done));
    assert_null(strstr(buf_text(&done), "not there yet"));
    assert_non_null(strstr(buf_text(&done), "1000 end: true, accept\n"));
    world_free(&world);
}

static void says_when_the_buffer_is_full(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(30);
    struct world world;

    world_init(&world);
    assert_int_equal(EVAL_DONE, rules_eval(world.set, STAGE_RCPT, &world.facts.source, world.arena,
                                           &world.verdict, world.trace));
    assert_int_equal(-1, trace_print(world.trace, &out));
    world_free(&world);
}

static void is_empty_before_the_first_evaluation(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(30);
    struct arena *arena = arena_new(1 << 20);
    struct trace *trace = trace_new(arena);

    assert_int_equal(0, trace_print(trace, &out));
    assert_string_equal("", buf_text(&out));
    arena_free(&arena);
}

/* Nothing but the trace suffers when its memory is out. */
static void does_without_memory(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(4000);
    struct arena *small = arena_new(200);
    struct world world;

    world_init(&world);
    struct trace *trace = trace_new(small);
    assert_non_null(trace);
    assert_int_equal(EVAL_DONE, rules_eval(world.set, STAGE_RCPT, &world.facts.source, world.arena,
                                           &world.verdict, trace));
    assert_non_null(world.verdict.final);
    assert_int_equal(0, trace_print(trace, &out));
    arena_free(&small);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_what_each_rule_saw_and_did),
        cmocka_unit_test(shows_what_was_decided_without),
        cmocka_unit_test(begins_anew_when_evaluation_is_repeated),
        cmocka_unit_test(says_when_the_buffer_is_full),
        cmocka_unit_test(is_empty_before_the_first_evaluation),
        cmocka_unit_test(does_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
