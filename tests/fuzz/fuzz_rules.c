/* tests/fuzz/fuzz_rules.c - the language of rules: any text compiles or is refused with a place inside of it, and what
 * compiles can be evaluated at every stage, whatever its facts are.
 *
 * Input: one line for each rule, `WHEN \t THEN \t STAGE`; the last line decides the states of facts, byte by slot. */
#include "common/rules/trace.h"

#include "tests/fakes/fake_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RULES_MOST = 8, TEXT_MOST = 1 << 16 };

struct facts {
    struct fact_source source; /* first member */
    const struct rule_set *set;
    struct slice states;
};

/* Same slot, same answer, with texts that have every kind of byte in them. */
static enum fact_state get(struct fact_source *source, size_t slot, UNUSED bool ask,
                           struct value *out)
{
    struct facts *facts = (struct facts *)(void *)source;
    const struct fact_ref *ref = rule_set_ref(facts->set, slot);
    unsigned char state =
        facts->states.len == 0 ? 0 : (unsigned char)facts->states.ptr[slot % facts->states.len];

    if (state % 4 == 1)
        return FACT_UNKNOWN;
    if (state % 16 == 2)
        return FACT_MISSING;
    *out = (struct value){ .type = ref->kind == FACT_PLAIN ? ref->type->type : VALUE_BOOLEAN,
                           .is_empty = state % 4 == 3,
                           .text = facts->states,
                           .number = state,
                           .boolean = (state & 0x20) != 0 };
    ipnet_parse(state & 0x40 ? SLICE("192.0.2.1") : SLICE("2001:db8::1"), &out->net, NULL);
    return FACT_KNOWN;
}

struct sources {
    struct rule_source rules[RULES_MOST];
    size_t count;
};

static void check_error(void *arg, const struct rule_error *error)
{
    const struct sources *sources = arg;
    const struct rule_source *rule = &sources->rules[error->rule];
    size_t len = error->field == RULE_WHEN    ? rule->when.len
                 : error->field == RULE_THEN  ? rule->then.len
                 : error->field == RULE_STAGE ? rule->stage.len
                                              : 0;

    if (error->rule >= sources->count || error->offset > len || error->text[0] == '\0')
        abort();
}

static void read_rule(struct slice line, struct sources *sources)
{
    static const char *const names[RULES_MOST] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    static const char *const troubles[] = { "skip", "match", "defer" };
    struct rule_source *rule = &sources->rules[sources->count];
    struct slice part = { NULL, 0 };

    *rule = (struct rule_source){ .name = slice_of(names[sources->count]),
                                  .trouble = slice_of(troubles[sources->count % 3]) };
    if (slice_cut(&line, '\t', &part) && part.len > 0)
        rule->when = part;
    if (slice_cut(&line, '\t', &part))
        rule->stage = line;
    else
        part = line;
    rule->then = part;
    sources->count++;
}

static void wanted(void *arg, size_t slot)
{
    if (slot >= rule_set_slots(arg))
        abort();
}

static void evaluate(struct rule_set *set, struct slice states)
{
    struct facts facts = { .source.get = get, .set = set, .states = states };
    AUTO_BUF out = BUF_INIT(TEXT_MOST);

    for (unsigned stage = STAGE_CONNECT; stage <= STAGE_OTHER; stage <<= 1) {
        struct arena *arena = arena_new(1 << 20);
        struct trace *trace = arena == NULL ? NULL : trace_new(arena);
        struct verdict verdict;
        if (trace != NULL &&
            rules_eval(set, (enum stage)stage, &facts.source, arena, &verdict, trace) == EVAL_WAIT)
            rules_wanted(set, (enum stage)stage, verdict.waits_on, wanted, set);
        if (trace != NULL)
            trace_print(trace, &out);
        arena_free(&arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = { (const char *)data, size }, line = { NULL, 0 };
    struct sources sources = { .count = 0 };
    struct rule_errors errors = { check_error, &sources };

    if (size == 0)
        return 0;
    while (sources.count < RULES_MOST && slice_cut(&rest, '\n', &line))
        read_rule(line, &sources);
    struct rule_set *set = rule_set_new(&fake_schema, sources.rules, sources.count, &errors);
    if (set != NULL)
        evaluate(set, rest);
    rule_set_free(&set);
    return 0;
}
