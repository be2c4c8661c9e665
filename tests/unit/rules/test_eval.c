#include "common/rules/rules.h"

#include "tests/fakes/fake_rules.h"
#include "tests/unit/unit.h"

/* A rule set, facts and the verdict on them. */
struct world {
    struct rule_set *set;
    struct fake_facts facts;
    struct arena *arena;
    struct verdict verdict;
};

static void world_init(struct world *world, const struct rule_source *sources, size_t count)
{
    struct fake_errors errors;

    fake_errors_init(&errors);
    world->set = rule_set_new(&fake_schema, sources, count, &errors.errors);
    if (errors.count > 0)
        fail_msg("%s at %zu", errors.first.text, errors.first.offset);
    world->arena = arena_new(1 << 20);
    fake_facts_init(&world->facts, world->set);
}

static void world_free(struct world *world)
{
    rule_set_free(&world->set);
    arena_free(&world->arena);
}

static enum eval_result world_eval(struct world *world, enum stage stage)
{
    return rules_eval(world->set, stage, &world->facts.source, world->arena, &world->verdict, NULL);
}

static void set_fact(struct world *world, const char *name, const char *text)
{
    fake_facts_set(&world->facts, name, text);
    fake_facts_find(&world->facts, slice_of(name))->is_late = strcmp(text, "late") == 0;
}

/* T, F, U (unknown), M (missing): what a condition comes to. `facts` are name, text, ..., NULL. */
static char outcome(const char *when, const char *const *facts)
{
    struct rule_source source = { .name = SLICE("r"),
                                  .when = slice_of(when),
                                  .then = SLICE("reject") };
    struct world world;
    char result;

    world_init(&world, &source, 1);
    for (; *facts != NULL; facts += 2)
        set_fact(&world, facts[0], facts[1]);
    if (world_eval(&world, STAGE_DATA) == EVAL_WAIT)
        result = 'M';
    else
        result = world.verdict.final != NULL ? 'T' : world.verdict.troubled_count > 0 ? 'U' : 'F';
    world_free(&world);
    return result;
}

static void is_kleene_logic(UNUSED void **state)
{
    static const char *const values[] = { "yes", "no", "?", "late" };
    /* rows: left side; columns: right side, in the order of `values` */
    static const struct {
        const char *when;
        const char *want[4];
    } cases[] = {
        { "authenticated and encrypted", { "TFUM", "FFFF", "UFUM", "MFMM" } },
        { "authenticated or encrypted", { "TTTT", "TFUM", "TUUM", "TMMM" } },
        { "not authenticated", { "FFFF", "TTTT", "UUUU", "MMMM" } },
        { "authenticated = encrypted", { "TFUM", "FTUM", "UUUM", "MMMM" } },
        { "not (authenticated and not encrypted)", { "TFUM", "TTTT", "TUUM", "TMMM" } },
    };

    for (size_t c = 0; c < COUNT(cases); c++)
        for (size_t a = 0; a < 4; a++)
            for (size_t b = 0; b < 4; b++) {
                const char *facts[] = { "authenticated", values[a], "encrypted", values[b], NULL };
                char got = outcome(cases[c].when, facts);
                if (got != cases[c].want[a][b])
                    fail_msg("%s with %s, %s: %c", cases[c].when, values[a], values[b], got);
            }
}

static void binds_not_then_and_then_or(UNUSED void **state)
{
    /* a: authenticated, b: encrypted, c: greylisted stands in as spf = pass */
    static const struct {
        const char *when;
        const char *want; /* for abc = 000, 001, ... 111 */
    } cases[] = {
        { "authenticated or encrypted and spf = pass", "FFFTTTTT" },
        { "(authenticated or encrypted) and spf = pass", "FFFTFTFT" },
        { "authenticated and encrypted or spf = pass", "FTFTFTTT" },
        { "authenticated and (encrypted or spf = pass)", "FFFFFTTT" },
        { "not authenticated or encrypted", "TTTTFFTT" },
        { "not authenticated and encrypted", "FFTTFFFF" },
        { "not (authenticated and encrypted)", "TTTTTTFF" },
        { "not not authenticated and not encrypted or spf = pass", "FTFTTTFT" },
    };

    for (size_t c = 0; c < COUNT(cases); c++)
        for (unsigned bits = 0; bits < 8; bits++) {
            const char *facts[] = {
                "authenticated", bits & 4 ? "yes" : "no",    "encrypted", bits & 2 ? "yes" : "no",
                "spf",           bits & 1 ? "pass" : "none", NULL
            };
            if (outcome(cases[c].when, facts) != cases[c].want[bits])
                fail_msg("%s with %u", cases[c].when, bits);
        }
}

static const struct {
    const char *when, *fact, *text;
    char want;
} comparisons[] = {
    /* text: in any case, as in lists, but in a regular expression */
    { "helo_name = Foo", "helo_name", "Foo", 'T' },
    { "helo_name = Foo", "helo_name", "foo", 'T' },
    { "helo_name != Foo", "helo_name", "foo", 'F' },
    { "helo_name = Foo", "helo_name", "fool", 'F' },
    { "helo_name in (bar, FOO)", "helo_name", "Foo", 'T' },
    { "helo_name matches \"*FOO*\"", "helo_name", "a fool", 'T' },
    { "helo_name matches \"/FOO/\"", "helo_name", "a fool", 'F' },
    { "helo_name matches \"/FOO/i\"", "helo_name", "a fool", 'T' },
    { "helo_name = \"GR\xc3\x9cN\"", "helo_name", "gr\xc3\x9cn", 'T' },
    { "helo_name = \"GR\xc3\x9cN\"", "helo_name", "gr\xc3\xbcn", 'F' }, /* ASCII's alone */
    { "helo_name = \"a \\\"b\\\" \\\\ \\c\"", "helo_name", "a \"b\" \\ \\c", 'T' },
    /* word: in any case */
    { "country in (KP, ru)", "country", "RU", 'T' },
    { "country not in (KP, RU)", "country", "DE", 'T' },
    { "spf = Fail", "spf", "fail", 'T' },
    /* number */
    { "size > 10K", "size", "10240", 'F' },
    { "size >= 10K", "size", "10240", 'T' },
    { "size < 1.5K", "size", "1535", 'T' },
    { "size <= 1M", "size", "1048577", 'F' },
    { "size = 1G", "size", "1073741824", 'T' },
    { "dnsbl.score = 0.3", "dnsbl.score", "0.3", 'T' },
    { "dnsbl.score < -0.5", "dnsbl.score", "-0.501", 'T' },
    { "dnsbl.score in (1, 2)", "dnsbl.score", "2", 'T' },
    { "dnsbl.score not in (1, 2)", "dnsbl.score", "2.01", 'T' },
    { "dnsbl.score >= 0.001", "dnsbl.score", "0", 'F' },
    /* boolean */
    { "authenticated = no", "authenticated", "no", 'T' },
    { "authenticated != yes", "authenticated", "yes", 'F' },
    /* address: lies in */
    { "client_address = 192.0.2.0/24", "client_address", "192.0.2.77", 'T' },
    { "client_address = 192.0.2.0/24", "client_address", "192.0.3.1", 'F' },
    { "client_address != 192.0.2.0/24", "client_address", "192.0.3.1", 'T' },
    { "client_address = 192.0.2.1", "client_address", "::ffff:192.0.2.1", 'T' },
    { "client_address in (10.0.0.0/8, 2001:db8::/32)", "client_address", "2001:db8::1", 'T' },
    { "client_address in (::/0)", "client_address", "10.0.0.1", 'F' },
    /* domain */
    { "sender_domain = EXAMPLE.com", "sender_domain", "example.com", 'T' },
    { "sender_domain = example.com", "sender_domain", "a.example.com", 'F' },
    { "sender_domain = .example.com", "sender_domain", "a.example.com", 'T' },
    { "sender_domain = .example.com", "sender_domain", "example.com", 'T' },
    { "sender_domain = .example.com", "sender_domain", "badexample.com", 'F' },
    { "sender_domain = b\xc3\xbc"
      "cher.example",
      "sender_domain", "xn--bcher-kva.example", 'T' },
    /* mailbox */
    { "sender = Alice@Example.COM", "sender", "alice@example.com", 'T' },
    { "sender in (@example.com, x@y.example)", "sender", "bob@example.com", 'T' },
    { "sender = @example.com", "sender", "bob@a.example.com", 'F' },
    { "sender = @.example.com", "sender", "bob@a.example.com", 'T' },
    { "sender = @.EXAMPLE.com", "sender", "bob@a.example.com", 'T' },
    { "sender = @EXAMPLE.com", "sender", "bob@example.com", 'T' },
    { "sender_domain = .EXAMPLE.com", "sender_domain", "a.example.com", 'T' },
    { "sender = @.example.com", "sender", "bob@example.com", 'T' },
    { "sender = @.example.com", "sender", "bob@badexample.com", 'F' },
    { "sasl_username = alice", "sasl_username", "alice", 'T' },
    { "sasl_username = @example.com", "sasl_username", "alice", 'F' },
    /* empty: = is false, != is true, no order, in nothing */
    { "helo_name = x", "helo_name", "", 'F' },
    { "helo_name != x", "helo_name", "", 'T' },
    { "size < 1", "size", "", 'F' },
    { "size >= 0", "size", "", 'F' },
    { "size = 0", "size", "", 'F' },
    { "size != 0", "size", "", 'T' },
    { "sender in (@example.com)", "sender", "", 'F' },
    { "sender not in (@example.com)", "sender", "", 'T' },
    { "client_address != 192.0.2.0/24", "client_address", "", 'T' },
    { "sender in list:block", "sender", "", 'F' },
    { "helo_name matches \"a*\"", "helo_name", "", 'F' },
    { "helo_name matches \"*\"", "helo_name", "", 'T' },
    { "sender is empty", "sender", "", 'T' },
    { "sender is set", "sender", "", 'F' },
    { "sender is not empty", "sender", "a@b.example", 'T' },
    { "sender is not set", "sender", "a@b.example", 'F' },
    { "size is empty", "size", "0", 'F' },
    { "client_address is set", "client_address", "192.0.2.1", 'T' },
    /* unknown */
    { "sender is empty", "sender", "?", 'U' },
    { "sender is not set", "sender", "?", 'U' },
    { "spf != fail", "spf", "?", 'U' },
    { "spf not in (fail)", "spf", "?", 'U' },
    { "size > 1", "size", "?", 'U' },
    { "sender in list:block", "sender", "?", 'U' },
    { "helo_name not matches \"a\"", "helo_name", "?", 'U' },
    /* patterns */
    { "helo_name matches \"mx?.example.*\"", "helo_name", "mx1.example.com", 'T' },
    { "helo_name matches \"mx?.example.*\"", "helo_name", "MX1.example.com", 'T' },
    { "helo_name not matches \"*.com\"", "helo_name", "mx1.example.com", 'F' },
    { "helo_name matches \"/^MX\\d\\./i\"", "helo_name", "mx1.example.com", 'T' },
    { "client_name matches \"*.EXAMPLE.com\"", "client_name", "a.example.com", 'T' },
    { "helo_name matches \"/(a+)+$/\"", "helo_name", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 'U' },
    /* lists and maps */
    { "sender in list:block", "list:block", "x@example.com, me@example.com", 'T' },
    { "sender not in list:block", "list:block", "x@example.com, me@example.com", 'F' },
    { "sender in list:block", "list:block", "?", 'U' },
    { "sender in list:allow/{recipient}", "list:allow/you@example.org", "me@example.com", 'T' },
    { "sender in list:allow/{recipient}", "list:allow/her@example.org", "me@example.com", 'F' },
    { "sender in list:allow/{recipient}", "list:allow", "me@example.com", 'F' },
    { "sasl_username not in map:owners/{sender}", "map:owners/me@example.com", "login", 'F' },
    { "sasl_username not in map:owners/{sender}", "map:owners/me@example.com", "other", 'T' },
    { "sasl_username in map:owners/{sender}", "sender", "", 'F' },
    { "sasl_username in map:owners/{sender}", "sender", "?", 'U' },
    /* several values: any; negated: none */
    { "helo_name = b", "helo_name", "a|b", 'T' },
    { "helo_name = c", "helo_name", "a|b", 'F' },
    { "helo_name != b", "helo_name", "a|b", 'F' },
    { "helo_name != c", "helo_name", "a|b", 'T' },
    { "not helo_name = b", "helo_name", "a|b", 'F' },
    { "helo_name in (x, b)", "helo_name", "a|b", 'T' },
    { "helo_name not in (x, b)", "helo_name", "a|b", 'F' },
    { "helo_name not in (x, y)", "helo_name", "a|b", 'T' },
    { "helo_name matches \"*.exe\"", "helo_name", "a.txt|b.exe|c.txt", 'T' },
    { "helo_name not matches \"*.exe\"", "helo_name", "a.txt|b.exe", 'F' },
    { "helo_name not matches \"*.exe\"", "helo_name", "a.txt|b.txt", 'T' },
    { "helo_name matches \"/(a+)+$/\"", "helo_name", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab|x",
      'U' },
    { "helo_name matches \"/(a+)+$/\"", "helo_name", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab|a",
      'T' },
    { "helo_name is set", "helo_name", "a|b", 'T' },
    { "size > 5", "size", "1|9", 'T' },
    { "size > 5", "size", "1|5", 'F' },
    { "size != 5", "size", "1|5", 'F' },
};

static void compares_by_type(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(comparisons); i++) {
        const char *facts[] = { "sender",
                                "me@example.com",
                                "recipient",
                                "you@example.org",
                                "sasl_username",
                                "login",
                                comparisons[i].fact,
                                comparisons[i].text,
                                NULL };
        char got = outcome(comparisons[i].when, facts);
        if (got != comparisons[i].want)
            fail_msg("%s with %s=%s: %c", comparisons[i].when, comparisons[i].fact,
                     comparisons[i].text, got);
    }
}

static void compares_facts(UNUSED void **state)
{
    static const struct {
        const char *when, *a, *b;
        char want;
    } cases[] = {
        { "sender = sasl_username", "a@x.example", "a@x.example", 'T' },
        { "sender = sasl_username", "a@x.example", "b@x.example", 'F' },
        { "sender != sasl_username", "a@x.example", "b@x.example", 'T' },
        { "sender = sasl_username", "", "", 'T' },
        { "sender != sasl_username", "", "", 'F' },
        { "sender = sasl_username", "", "a@x.example", 'F' },
        { "sender != sasl_username", "a@x.example", "", 'T' },
        { "sender = sasl_username", "?", "a@x.example", 'U' },
        { "sender = sasl_username", "", "?", 'U' },
        { "helo_name = client_name", "MX.example", "mx.example", 'T' },
        { "client_address = server_address", "192.0.2.1", "192.0.2.1", 'T' },
        { "client_address = server_address", "192.0.2.1", "192.0.2.2", 'F' },
        { "size < recipient_count", "1", "2", 'T' },
        { "size >= recipient_count", "2", "2", 'T' },
        { "size > recipient_count", "", "", 'F' },
        { "size <= recipient_count", "", "2", 'F' },
        { "size != score", "0", "", 'F' },
        { "helo_name = client_name", "a|b", "c|B", 'T' },
        { "helo_name = client_name", "a|b", "c|d", 'F' },
        { "helo_name != client_name", "a|b", "c|b", 'F' },
        { "helo_name != client_name", "a|b", "c|d", 'T' },
        { "size < recipient_count", "3|9", "1|4", 'T' },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char left[32], right[32];
        const char *at = strrchr(cases[i].when, ' ') + 1;

        snprintf(left, sizeof left, "%.*s", (int)strcspn(cases[i].when, " "), cases[i].when);
        snprintf(right, sizeof right, "%s", at);
        const char *facts[] = { left, cases[i].a, right, cases[i].b, NULL };
        char got = outcome(cases[i].when, facts);
        if (got != cases[i].want)
            fail_msg("%s with %s, %s: %c", cases[i].when, cases[i].a, cases[i].b, got);
    }
}

/* ---- rules together ---- */

#define RULE(rule_name, rule_when, rule_then)                                                      \
    {                                                                                              \
        .name = SLICE_INIT(rule_name), .when = SLICE_INIT(rule_when),                              \
        .then = SLICE_INIT(rule_then)                                                              \
    }
#define ALWAYS(rule_name, rule_then)                                                               \
    {                                                                                              \
        .name = SLICE_INIT(rule_name), .then = SLICE_INIT(rule_then)                               \
    }

static void ends_at_the_first_final_action(UNUSED void **state)
{
    static const struct rule_source rules[] = {
        ALWAYS("first", "score +1"),
        RULE("second", "authenticated", "accept"),
        ALWAYS("third", "score +2"),
        ALWAYS("fourth", "reject 550 5.7.1 No"),
    };
    struct world world;

    world_init(&world, rules, COUNT(rules));
    assert_int_equal(EVAL_DONE, world_eval(&world, STAGE_RCPT));
    assert_string_equal("reject", world.verdict.final->type->name);
    assert_int_equal(550, world.verdict.final->code);
    assert_slice("5.7.1", world.verdict.final->enhanced);
    assert_slice("No", world.verdict.final->text);
    assert_int_equal(3, world.verdict.final->rule);
    assert_int_equal(2, world.verdict.continuing_count);
    assert_int_equal(0, world.verdict.continuing[0].rule);
    assert_int_equal(2, world.verdict.continuing[1].rule);
    assert_true(world.verdict.score == 3);
    set_fact(&world, "authenticated", "yes");
    assert_int_equal(EVAL_DONE, world_eval(&world, STAGE_RCPT));
    assert_string_equal("accept", world.verdict.final->type->name);
    assert_int_equal(1, world.verdict.continuing_count);
    world_free(&world);
}

static void adds_scores_as_it_goes(UNUSED void **state)
{
    static const struct rule_source rules[] = {
        RULE("early", "score >= 1", "reject 5.7.1 Too early"),
        ALWAYS("a", "score +2.5"),
        ALWAYS("b", "score -1"),
        { .name = SLICE_INIT("shadow"),
          .then = SLICE_INIT("score +100"),
          .mode = SLICE_INIT("shadow") },
        RULE("late", "score = 1.5", "reject 5.7.1 Score is {score}"),
    };
    struct world world;

    world_init(&world, rules, COUNT(rules));
    assert_int_equal(EVAL_DONE, world_eval(&world, STAGE_MAIL));
    assert_int_equal(4, world.verdict.final->rule);
    assert_slice("Score is 1.5", world.verdict.final->text);
    assert_true(world.verdict.score == 1.5);
    world_free(&world);
}

static void keeps_shadow_rules_apart(UNUSED void **state)
{
    static const struct rule_source rules[] = {
        { .name = SLICE_INIT("s1"),
          .then = SLICE_INIT("reject 5.7.1 Shadow of {client_address}"),
          .mode = SLICE_INIT("shadow") },
        { .name = SLICE_INIT("s2"),
          .when = SLICE_INIT("encrypted"),
          .then = SLICE_INIT("reject"),
          .mode = SLICE_INIT("shadow"),
          .trouble = SLICE_INIT("defer") },
        ALWAYS("real", "limit hourly"),
    };
    struct world world;

    world_init(&world, rules, COUNT(rules));
    set_fact(&world, "client_address", "192.0.2.1");
    set_fact(&world, "encrypted", "?");
    assert_int_equal(EVAL_DONE, world_eval(&world, STAGE_DATA));
    assert_null(world.verdict.final);
    assert_int_equal(2, world.verdict.shadow_count);
    assert_slice("Shadow of 192.0.2.1", world.verdict.shadow[0].text);
    assert_string_equal("defer", world.verdict.shadow[1].type->name);
    assert_false(world.verdict.is_trouble);
    assert_int_equal(1, world.verdict.continuing_count);
    assert_int_equal(1, world.verdict.continuing[0].limit_count);
    assert_slice("hourly", world.verdict.continuing[0].limits[0]);
    world_free(&world);
}

static void follows_the_rules_trouble(UNUSED void **state)
{
    static const struct {
        const char *trouble, *final; /* NULL: none */
        bool is_trouble;
    } cases[] = {
        { NULL, NULL, false },
        { "skip", NULL, false },
        { "match", "reject", false },
        { "defer", "defer", true },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rule_source rule = RULE("r", "spf = fail", "reject 5.7.23 SPF is {spf}");
        struct world world;

        rule.trouble = slice_of(cases[i].trouble);
        world_init(&world, &rule, 1);
        set_fact(&world, "spf", "?");
        assert_int_equal(EVAL_DONE, world_eval(&world, STAGE_MAIL));
        assert_int_equal(1, world.verdict.troubled_count);
        assert_int_equal(0, world.verdict.troubled[0]);
        assert_int_equal(cases[i].is_trouble, world.verdict.is_trouble);
        if (cases[i].final == NULL)
            assert_null(world.verdict.final);
        else
            assert_string_equal(cases[i].final, world.verdict.final->type->name);
        if (cases[i].is_trouble) {
            assert_int_equal(451, world.verdict.final->code);
            assert_slice("4.3.0", world.verdict.final->enhanced);
            assert_slice("Temporary lookup problem", world.verdict.final->text);
        } else if (cases[i].final != NULL) {
            assert_slice("SPF is unknown", world.verdict.final->text);
        }
        world_free(&world);
    }
}

static void runs_rules_where_all_their_facts_exist(UNUSED void **state)
{
    static const struct rule_source rules[] = {
        RULE("recipient", "recipient is set", "score +1"),
        RULE("count", "recipient_count >= 0 or encrypted", "score +2"),
        ALWAYS("text", "warn From {sender}"),
        ALWAYS("limit", "limit hourly, bytes"),
        ALWAYS("greylist", "greylist 5m"),
        { .name = SLICE_INIT("stage"),
          .then = SLICE_INIT("score +4"),
          .stage = SLICE_INIT("connect, helo") },
    };
    static const struct {
        enum stage stage;
        const char *ran; /* first letters */
    } cases[] = {
        { STAGE_CONNECT, "s" }, { STAGE_HELO, "s" },       { STAGE_MAIL, "t" },
        { STAGE_RCPT, "rtg" },  { STAGE_DATA, "rctl" },    { STAGE_DATA_MANY, "ctl" },
        { STAGE_END, "rctl" },  { STAGE_END_MANY, "ctl" }, { STAGE_OTHER, "" },
    };
    struct world world;

    world_init(&world, rules, COUNT(rules));
    set_fact(&world, "recipient", "a@example.com");
    set_fact(&world, "encrypted", "yes");
    for (size_t i = 0; i < COUNT(cases); i++) {
        char ran[8] = "";
        assert_int_equal(EVAL_DONE, world_eval(&world, cases[i].stage));
        for (size_t n = 0; n < world.verdict.continuing_count; n++)
            ran[n] = rules[world.verdict.continuing[n].rule].name.ptr[0];
        assert_string_equal(cases[i].ran, ran);
    }
    world_free(&world);
}

/* An action that needs a mailbox and gets none follows `trouble`. */
static void takes_no_bad_mailbox(UNUSED void **state)
{
    static const struct {
        const char *sender;
        bool acts;
    } cases[] = {
        { "a@example.com", true },
        { "", false },
        { "?", false },
        { "no mailbox", false },
        { "a@example.com, b@example.com", false },
        { "\"a b\"@example.com", false },
    };
    static const struct rule_source rules[] = {
        { .name = SLICE_INIT("r"),
          .then = SLICE_INIT("redirect {sender}"),
          .trouble = SLICE_INIT("match") },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world world;

        world_init(&world, rules, 1);
        set_fact(&world, "sender", cases[i].sender);
        assert_int_equal(EVAL_DONE, world_eval(&world, STAGE_DATA));
        assert_int_equal(cases[i].acts, world.verdict.final != NULL);
        assert_int_equal(!cases[i].acts, world.verdict.troubled_count);
        world_free(&world);
    }
}

/* ---- waiting ---- */

static void note_wanted(void *arg, size_t slot)
{
    struct world *world = arg;
    static char names[8][40];
    static size_t next;
    char *name = names[next++ % COUNT(names)];
    struct slice full = rule_set_ref(world->set, slot)->name;

    snprintf(name, sizeof names[0], "%.*s", SLICE_ARG(full));
    fake_facts_set(&world->facts, name, "wanted");
}

static bool is_wanted(struct world *world, const char *name)
{
    struct fake_fact *fact = fake_facts_find(&world->facts, slice_of(name));

    return fact != NULL && slice_equal(fact->text, SLICE("wanted"));
}

static void waits_and_says_what_it_could_need(UNUSED void **state)
{
    static const struct rule_source rules[] = {
        RULE("before", "queue_id = x", "accept"),
        RULE("waits", "spf = fail", "reject 5.7.23 SPF of {helo_name}"),
        RULE("list", "sender in list:allow/{recipient}", "accept"),
        RULE("effect", "greylisted and country = DE", "defer 4.7.1 Come back"),
        RULE("score", "score > 2", "accept"),
        ALWAYS("end", "accept"),
        RULE("after", "size > 1", "reject"),
    };
    struct world world;

    world_init(&world, rules, COUNT(rules));
    set_fact(&world, "spf", "late");
    assert_int_equal(EVAL_WAIT, world_eval(&world, STAGE_RCPT));
    assert_int_equal(1, world.verdict.waits_on);
    assert_int_equal(1, world.facts.asked);
    fake_facts_init(&world.facts, world.set);
    rules_wanted(world.set, STAGE_RCPT, 1, note_wanted, &world);
    assert_int_equal(6, world.facts.count);
    assert_true(is_wanted(&world, "spf") && is_wanted(&world, "helo_name"));
    assert_true(is_wanted(&world, "sender") && is_wanted(&world, "recipient"));
    assert_true(is_wanted(&world, "list:allow") && is_wanted(&world, "country"));
    world_free(&world);
}

static void waits_for_the_facts_of_a_text(UNUSED void **state)
{
    struct rule_source rule = ALWAYS("r", "reject From {sender} in {country}");
    struct world world;

    world_init(&world, &rule, 1);
    set_fact(&world, "sender", "late");
    set_fact(&world, "country", "late");
    assert_int_equal(EVAL_WAIT, world_eval(&world, STAGE_RCPT));
    assert_int_equal(2, world.facts.asked); /* both at once */
    set_fact(&world, "sender", "a@b.example");
    set_fact(&world, "country", "?");
    assert_int_equal(EVAL_DONE, world_eval(&world, STAGE_RCPT));
    assert_slice("From a@b.example in unknown", world.verdict.final->text);
    world_free(&world);
}

/* A fact with a side effect is asked for exactly when everything before it in its condition is known and leaves it open,
 * whatever is known behind it. */
static void asks_for_side_effects_in_their_turn(UNUSED void **state)
{
    static const struct {
        const char *when;
        const char *country, *encrypted;
        bool asked;
    } cases[] = {
        { "country = DE and greylisted and encrypted", "DE", "yes", true },
        { "country = DE and greylisted and encrypted", "DE", "no", true },
        { "country = DE and greylisted and encrypted", "?", "no", true },
        { "country = DE and greylisted and encrypted", "RU", "no", false },
        { "country = DE and greylisted and encrypted", "late", "no", false },
        { "(country = DE or greylisted) and encrypted", "late", "no", false },
        { "(country = DE or greylisted) and encrypted", "RU", "no", true },
        { "not (country = DE or not greylisted) or encrypted", "late", "yes", false },
        { "country = DE and encrypted = greylisted", "DE", "yes", true },
        { "country = DE and encrypted = greylisted", "late", "yes", false },
        { "(country = DE or encrypted = greylisted) and encrypted", "late", "no", false },
        { "(encrypted = greylisted or country = RU) and encrypted", "DE", "yes", true },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rule_source rule = ALWAYS("r", "reject");
        struct world world;

        rule.when = slice_of(cases[i].when);
        world_init(&world, &rule, 1);
        set_fact(&world, "country", cases[i].country);
        set_fact(&world, "encrypted", cases[i].encrypted);
        set_fact(&world, "greylisted", "late");
        enum eval_result result = world_eval(&world, STAGE_RCPT);
        if (fake_facts_find(&world.facts, SLICE("greylisted"))->is_asked != cases[i].asked ||
            (strcmp(cases[i].country, "late") == 0 && result != EVAL_WAIT))
            fail_msg("%s with %s, %s", cases[i].when, cases[i].country, cases[i].encrypted);
        world_free(&world);
    }
}

/* On both sides of a comparison, subject and key of a list or map, in a text; and nothing with a side effect. */
static void wants_each_fact_of_a_rule(UNUSED void **state)
{
    static const struct {
        const char *when, *then, *facts[3];
    } cases[] = {
        { "sender != sasl_username", "reject", { "sender", "sasl_username" } },
        { "sender in list:allow/{recipient}", "reject", { "sender", "recipient", "list:allow" } },
        { "sasl_username in map:owners/{sender}",
          "reject",
          { "sender", "sasl_username", "map:owners" } },
        { "encrypted", "reject No {sender}, {helo_name}", { "encrypted", "sender", "helo_name" } },
        { "encrypted = greylisted and authenticated", "reject", { "encrypted", "authenticated" } },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rule_source rule = ALWAYS("r", "reject");
        struct world world;
        size_t count = 0;
        rule.when = slice_of(cases[i].when);
        rule.then = slice_of(cases[i].then);
        world_init(&world, &rule, 1);
        rules_wanted(world.set, STAGE_RCPT, 0, note_wanted, &world);
        for (; count < 3 && cases[i].facts[count] != NULL; count++)
            if (!is_wanted(&world, cases[i].facts[count]))
                fail_msg("%s: not %s", cases[i].when, cases[i].facts[count]);
        if (world.facts.count != count)
            fail_msg("%s: %zu facts", cases[i].when, world.facts.count);
        world_free(&world);
    }
}

static void decides_without_a_fact_that_cannot_matter(UNUSED void **state)
{
    struct rule_source rule = RULE("r", "spf = fail and not authenticated", "reject");
    struct world world;

    world_init(&world, &rule, 1);
    set_fact(&world, "spf", "late");
    set_fact(&world, "authenticated", "yes");
    assert_int_equal(EVAL_DONE, world_eval(&world, STAGE_RCPT));
    assert_null(world.verdict.final);
    world_free(&world);
}

static void says_when_memory_is_out(UNUSED void **state)
{
    struct rule_source rule = ALWAYS("r", "reject From {sender}");
    struct world world;

    world_init(&world, &rule, 1);
    arena_free(&world.arena);
    world.arena = arena_new(100);
    assert_int_equal(EVAL_NO_MEMORY, world_eval(&world, STAGE_RCPT));
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_kleene_logic),
        cmocka_unit_test(binds_not_then_and_then_or),
        cmocka_unit_test(compares_by_type),
        cmocka_unit_test(compares_facts),
        cmocka_unit_test(ends_at_the_first_final_action),
        cmocka_unit_test(adds_scores_as_it_goes),
        cmocka_unit_test(keeps_shadow_rules_apart),
        cmocka_unit_test(follows_the_rules_trouble),
        cmocka_unit_test(runs_rules_where_all_their_facts_exist),
        cmocka_unit_test(takes_no_bad_mailbox),
        cmocka_unit_test(waits_and_says_what_it_could_need),
        cmocka_unit_test(waits_for_the_facts_of_a_text),
        cmocka_unit_test(asks_for_side_effects_in_their_turn),
        cmocka_unit_test(wants_each_fact_of_a_rule),
        cmocka_unit_test(decides_without_a_fact_that_cannot_matter),
        cmocka_unit_test(says_when_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
