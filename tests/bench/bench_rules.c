/* tests/bench/bench_rules.c - how long one evaluation of 20 rules takes, facts at hand: prints nanoseconds for a request
 * that passes them all, with and without a trace, and for one with two patterns. */

#include "common/rules/trace.h"
#include "tests/bench/measure/measure.h"

enum { RUNS = 200000, FACTS = 8 };

static const struct fact_type facts[FACTS] = {
    { .name = "client_address", .type = VALUE_ADDRESS, .stages = STAGE_ALL },
    { .name = "helo_name", .type = VALUE_TEXT, .stages = STAGE_ALL },
    { .name = "sender", .type = VALUE_MAILBOX, .stages = STAGE_ALL },
    { .name = "recipient", .type = VALUE_MAILBOX, .stages = STAGE_ALL },
    { .name = "sasl_username", .type = VALUE_MAILBOX, .stages = STAGE_ALL },
    { .name = "size", .type = VALUE_NUMBER, .stages = STAGE_ALL },
    { .name = "country", .type = VALUE_WORD, .stages = STAGE_ALL },
    { .name = "encrypted", .type = VALUE_BOOLEAN, .stages = STAGE_ALL },
};

static const struct action_type actions[] = {
    { .name = "reject",
      .argument = ARG_REPLY,
      .kind = ACTION_FINAL,
      .reply_class = "45",
      .default_text = "No" },
    { .name = "score", .argument = ARG_NUMBER, .kind = ACTION_CONTINUES },
    { .name = "limit", .argument = ARG_LIMITS, .kind = ACTION_CONTINUES },
};

static const struct rules_schema schema = {
    .facts = facts, .fact_count = COUNT(facts), .actions = actions, .action_count = COUNT(actions)
};

static const char *const plain[20][2] = {
    { "client_address in (10.0.0.0/8, 172.16.0.0/12, 2001:db8::/32)", "reject" },
    { "sender in list:block", "reject" },
    { "client_address in list:block", "reject" },
    { "country in (KP, RU, IR, SY) and sasl_username is empty", "reject" },
    { "sasl_username is set and not encrypted", "reject" },
    { "size > 50M", "reject" },
    { "sender = @bad.example or sender = @.worse.example", "reject" },
    { "recipient = nobody@example.org and sender is empty", "reject" },
    { "helo_name = localhost", "reject" },
    { "helo_name is empty", "score +2" },
    { "sasl_username is set and sender != sasl_username", "reject" },
    { "sasl_username not in map:owners/{sender} and sasl_username is set", "reject" },
    { "country not in (DE, AT, CH)", "score +1" },
    { "size > 10M and country != DE", "score +1" },
    { "score >= 5", "reject Score is {score}" },
    { "sender in list:allow/{recipient} and score > 1", "score -1" },
    { "recipient in (a@example.org, b@example.org, c@example.org)", "reject" },
    { "encrypted or size < 1K or sasl_username is empty", "score +1" },
    { NULL, "limit hourly, daily" },
    { "score >= 4", "reject" },
};

struct source {
    struct fact_source source; /* first member */
    struct value values[RULE_SLOTS_MAX];
};

static enum fact_state get(struct fact_source *source, size_t slot, UNUSED bool ask,
                           struct value *out)
{
    *out = ((struct source *)(void *)source)->values[slot];
    return FACT_KNOWN;
}

static void fill(struct source *source, const struct rule_set *set)
{
    for (size_t i = 0; i < rule_set_slots(set); i++) {
        const struct fact_ref *ref = rule_set_ref(set, i);
        struct value *value = &source->values[i];
        *value = (struct value){ .type = VALUE_BOOLEAN };
        if (ref->kind != FACT_PLAIN)
            continue;
        value->type = ref->type->type;
        value->text = value->type == VALUE_MAILBOX ? SLICE("alice.somebody@mail.example.com")
                      : value->type == VALUE_WORD  ? SLICE("DE")
                                                   : SLICE("mail.example.com");
        value->number = 20000;
        value->boolean = true;
        value->is_empty = slice_equal(ref->name, SLICE("sasl_username"));
        ipnet_parse(SLICE("192.0.2.1"), &value->net, NULL);
    }
}

static void measure(const char *what, const struct rule_source *rules, size_t count, bool traced)
{
    struct rule_set *set = rule_set_new(&schema, rules, count, NULL);
    struct source *source = calloc(1, sizeof *source);
    struct arena *arena = arena_new(1 << 20);
    struct verdict verdict = { .final = NULL };

    if (set == NULL || source == NULL || arena == NULL || rule_set_count(set) != count)
        abort();
    source->source.get = get;
    fill(source, set);
    double begin = (double)bench_now_ns();
    for (size_t i = 0; i < RUNS; i++) {
        struct trace *trace = traced ? trace_new(arena) : NULL;
        rules_eval(set, STAGE_RCPT, &source->source, arena, &verdict, trace);
        arena_reset(arena);
    }
    printf("rules=%zu what=%s ns_per_evaluation=%.0f final=%d\n", count, what,
           ((double)bench_now_ns() - begin) / RUNS, verdict.final != NULL);
    arena_free(&arena);
    free(source);
    rule_set_free(&set);
}

int main(void)
{
    struct rule_source rules[COUNT(plain) + 2];
    char names[COUNT(rules)][8];

    for (size_t i = 0; i < COUNT(rules); i++) {
        snprintf(names[i], sizeof names[i], "r%zu", i);
        rules[i] = (struct rule_source){ .name = slice_of(names[i]), .then = SLICE("reject") };
    }
    for (size_t i = 0; i < COUNT(plain); i++) {
        rules[i].when = slice_of(plain[i][0]);
        rules[i].then = slice_of(plain[i][1]);
    }
    rules[COUNT(plain)].when = SLICE("helo_name matches \"/^(dsl|cable|dyn)[0-9.-]+/i\"");
    rules[COUNT(plain) + 1].when = SLICE("sender matches \"*@*.bad.example\"");
    measure("plain", rules, COUNT(plain), false);
    measure("traced", rules, COUNT(plain), true);
    measure("patterns", rules, COUNT(rules), false);
    return 0;
}
