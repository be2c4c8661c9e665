/* tests/unit/contentd/test_parties.c - who is dealt with alike, and what rules say of each party. */
#include "contentd/actions.h"
#include "contentd/parties.h"
#include "tests/fakes/contentd_load.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/mail_message.h"
#include "tests/unit/unit.h"

#define CHAINS "[chain full]\n[chain light]\n[chain unused]\n"
#define APPLY CHAINS "[apply]\n* = full\n@light.example = light\n"

enum { MANY = 300, ARENA_MAX = 16 << 20 };

struct bench {
    struct contentd_loaded loaded;
    struct message *message;
    struct arena *arena;
    struct parties parties;
    struct fake_clock clock;
    struct worker *worker;
    struct party_rules rules;
    size_t done; /* how often */
    bool came_between; /* another call, before the rules were done */
    bool is_good;
};

static void begin(struct bench *bench, const char *conf, const char *recipients)
{
    *bench = (struct bench){ .message = mail_message_new(SLICE("Subject: hi\n\nx\n"), recipients),
                             .arena = arena_new(ARENA_MAX) };
    fake_clock_init(&bench->clock);
    bench->worker = worker_new(1, "test", &bench->clock.clock, NULL);
    contentd_load_text(&bench->loaded, conf);
    if (bench->loaded.error_count > 0)
        fail_msg("%s", buf_text(&bench->loaded.errors));
    assert_non_null(bench->message);
    assert_true(
        parties_make(&bench->parties, bench->loaded.setup, bench->message, 0, bench->arena));
}

static void end(struct bench *bench)
{
    party_rules_end(&bench->rules);
    party_rules_end(&bench->rules); /* idempotent */
    worker_free(&bench->worker);
    contentd_loaded_free(&bench->loaded);
    message_unref(&bench->message);
    arena_free(&bench->arena);
}

/* ---- who is dealt with alike ---- */

static const struct alike {
    const char *conf, *recipients;
    const char *chains; /* of the parties, in order; -: the one without scanners */
    size_t first[4], members[4], party_of[4];
} alike[] = {
    { APPLY,
      "a@x.example b@light.example c@y.example d@light.example",
      "full light",
      { 0, 1 },
      { 2, 2 },
      { 0, 1, 0, 1 } },
    { APPLY, "a@light.example b@light.example", "light", { 0 }, { 2 }, { 0, 0 } },
    /* There are no chains: all have the one without scanners. */
    { "", "a@x.example b@light.example", "-", { 0 }, { 2 }, { 0, 0 } },
    /* A rule names the recipient: everybody alone. */
    { APPLY "[rule r]\nwhen = recipient = a@x.example\nthen = discard\n",
      "a@x.example b@x.example c@light.example",
      "full full light",
      { 0, 1, 2 },
      { 1, 1, 1 },
      { 0, 1, 2 } },
};

static void check_alike(const struct alike *row, struct bench *bench)
{
    const struct parties *parties = &bench->parties;
    struct slice rest = slice_of(row->chains), name;
    size_t count = 0;

    while (slice_next(&rest, ' ', &name)) {
        const struct party *party = &parties->parties[count];
        if (slice_equal(name, SLICE("-")))
            name = setup_scan(bench->loaded.setup)->no_chain->name;
        if (count >= parties->count || !slice_equal(party->chain->name, name) ||
            party->first != row->first[count] || party->count != row->members[count])
            fail_msg("\"%s\": party %zu", row->recipients, count);
        count++;
    }
    assert_int_equal(count, parties->count);
    for (size_t i = 0; i < bench->message->recipient_count; i++)
        assert_int_equal(row->party_of[i], parties->party_of[i]);
}

static void those_of_one_chain_are_a_party(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(alike); i++) {
        struct bench bench;
        begin(&bench, alike[i].conf, alike[i].recipients);
        check_alike(&alike[i], &bench);
        end(&bench);
    }
}

/* ---- rules ---- */

static void done(void *owner, bool ok)
{
    struct bench *bench = owner;

    bench->done++;
    bench->is_good = ok;
    worker_stop(bench->worker);
}

static void start(UNUSED struct worker *worker, void *arg)
{
    struct bench *bench = arg;

    if (party_rules_start(&bench->rules))
        done(bench, !bench->rules.failed);
}

static void come_between(UNUSED struct worker *worker, void *arg)
{
    struct bench *bench = arg;

    bench->came_between = bench->done == 0;
}

static double base(UNUSED void *owner, const struct party *party)
{
    return party->first == 0 ? 4 : 1;
}

static void run(struct bench *bench, enum stage stage)
{
    party_rules_end(&bench->rules);
    bench->done = 0;
    bench->rules = (struct party_rules){
        .worker = bench->worker,
        .parties = &bench->parties,
        .stage = stage,
        .arena = bench->arena,
        .subject = { .of = { .message = bench->message }, .setup = bench->loaded.setup },
        .base = base,
        .done = done,
        .owner = bench,
    };
    assert_int_equal(0, worker_post(bench->worker, start, bench));
    assert_int_equal(0, worker_post(bench->worker, come_between, bench));
    assert_int_equal(0, worker_run(bench->worker));
    assert_int_equal(1, bench->done);
}

/* Of one and the same rules: the memory of an evaluation is the next party's. */
static void each_has_what_rules_say_of_him(UNUSED void **state)
{
    static const char conf[] = APPLY
        "[rule no]\nwhen = recipient in (a@x.example, z@x.example)\nthen = reject 5.7.1 Not to {recipient}\n"
        "[rule warned]\nwhen = recipient matches \"b*\"\nthen = warn seen {recipient}\n"
        "[rule tagged]\nwhen = recipient matches \"b*\"\nthen = tag [{recipient}]\n"
        "[rule moved]\nwhen = recipient matches \"b*\"\nthen = redirect to.{recipient}\n"
        "[rule kept]\nwhen = recipient matches \"c*\"\nthen = quarantine because of {recipient}\n";
    static const char *const two[] = { "b1@x.example", "b2@x.example" };
    AUTO_BUF want = BUF_INIT(60);
    struct bench bench;

    begin(&bench, conf,
          "a@x.example b1@x.example b2@x.example c1@x.example c2@x.example d@x.example");
    run(&bench, STAGE_END);
    assert_true(bench.is_good);
    const struct party *parties = bench.parties.parties;
    assert_int_equal(RULES_REJECT, parties[0].outcome.final);
    assert_slice("no", parties[0].outcome.rule);
    assert_slice("Not to a@x.example", parties[0].outcome.reply.text);
    for (size_t i = 0; i < COUNT(two); i++) {
        const struct rule_outcome *outcome = &parties[1 + i].outcome;
        const struct slice said[] = { outcome->redirect, outcome->warning,
                                      outcome->subject_prefix };
        static const char *const before[] = { "to.", "seen ", "[" }, *const after[] = { "", "",
                                                                                        "]" };
        assert_int_equal(RULES_ACCEPT, outcome->final);
        assert_true(outcome->is_tagged);
        for (size_t form = 0; form < COUNT(before); form++) {
            buf_clear(&want);
            buf_put(&want, before[form]);
            buf_put(&want, two[i]);
            buf_put(&want, after[form]);
            assert_slice(buf_text(&want), said[form]);
        }
    }
    assert_int_equal(RULES_QUARANTINE, parties[3].outcome.final);
    assert_slice("because of c1@x.example", parties[3].outcome.reason);
    assert_slice("because of c2@x.example", parties[4].outcome.reason);
    assert_int_equal(RULES_SILENT, parties[5].outcome.final);
    assert_null(parties[5].outcome.rule.ptr);
    end(&bench);
}

static void scores_begin_with_what_a_party_has(UNUSED void **state)
{
    static const char conf[] = APPLY "[rule plus]\nwhen = score >= 1\nthen = score +2\n"
                                     "[rule much]\nwhen = score >= 6\nthen = discard\n";
    struct bench bench;

    begin(&bench, conf, "a@x.example b@light.example");
    run(&bench, STAGE_END);
    assert_int_equal(RULES_DISCARD, bench.parties.parties[0].outcome.final);
    assert_int_equal(RULES_SILENT, bench.parties.parties[1].outcome.final);
    for (size_t i = 0; i < 2; i++) /* the rules' own part of it */
        assert_true(bench.parties.parties[i].outcome.score == 2);
    end(&bench);
}

/* For the decision line; it outlives the evaluation, whose memory the next party's has. */
static void shadow_rules_and_troubled_ones_are_told(UNUSED void **state)
{
    static const char conf[] = APPLY
        "[rule would]\nwhen = size >= 0 and sender = me@example.com\nthen = reject 5.7.1 No\nmode = shadow\n"
        "[rule unknown]\nwhen = policy.spf = pass\nthen = accept\n"
        "[rule wouldnt]\nwhen = sender = you@example.com\nthen = discard\nmode = shadow\n"
        "[rule too]\nthen = tempfail 4.7.1 Later\nmode = shadow\n"
        "[rule name]\nwhen = recipient = z@x.example\nthen = discard\n";
    struct bench bench;

    begin(&bench, conf, "a@x.example b@x.example");
    run(&bench, STAGE_END);
    for (size_t i = 0; i < 2; i++) {
        const struct verdict *said = &bench.parties.parties[i].said;
        assert_int_equal(2, said->shadow_count);
        assert_string_equal("reject", said->shadow[0].type->name);
        assert_int_equal(0, said->shadow[0].rule);
        assert_string_equal("tempfail", said->shadow[1].type->name);
        assert_int_equal(3, said->shadow[1].rule);
        assert_int_equal(1, said->troubled_count);
        assert_int_equal(1, said->troubled[0]);
        assert_null(said->final);
        assert_null(bench.parties.parties[i].trace);
        assert_int_equal(RULES_SILENT, bench.parties.parties[i].outcome.final);
    }
    end(&bench);
}

static void many_let_others_have_the_loop(UNUSED void **state)
{
    static const char conf[] = APPLY
        "[rule odd]\nwhen = recipient matches \"*1@x.example\"\nthen = reject 5.7.1 Not to {recipient}\n";
    AUTO_BUF recipients = BUF_INIT(MANY * 20), want = BUF_INIT(40);
    struct bench bench;

    for (size_t i = 0; i < MANY; i++)
        buf_printf(&recipients, "%sr%zu@x.example", i == 0 ? "" : " ", i);
    begin(&bench, conf, buf_text(&recipients));
    assert_int_equal(MANY, bench.parties.count);
    run(&bench, STAGE_END);
    assert_true(bench.is_good);
    assert_true(bench.came_between);
    for (size_t i = 0; i < MANY; i++) {
        const struct rule_outcome *outcome = &bench.parties.parties[i].outcome;
        assert_int_equal(i % 10 == 1 ? RULES_REJECT : RULES_SILENT, outcome->final);
        buf_clear(&want);
        buf_printf(&want, "Not to r%zu@x.example", i);
        if (i % 10 == 1)
            assert_slice(buf_text(&want), outcome->reply.text);
    }
    end(&bench);
}

static void a_stage_without_rules_says_nothing(UNUSED void **state)
{
    static const char conf[] = APPLY "[rule r]\nthen = discard\nstage = data\n";
    struct bench bench;

    begin(&bench, conf, "a@x.example");
    run(&bench, STAGE_END);
    assert_int_equal(RULES_SILENT, bench.parties.parties[0].outcome.final);
    run(&bench, STAGE_DATA);
    assert_int_equal(RULES_DISCARD, bench.parties.parties[0].outcome.final);
    end(&bench);
}

/* Whatever does not fit: no party is judged by half of it. */
static void too_little_memory_is_said(UNUSED void **state)
{
    static const char conf[] = APPLY
        "[rule r]\nthen = reject 5.7.1 Not {sender}\n[rule name]\nwhen = recipient = z@x.example\nthen = discard\n";
    size_t failed = 0;

    for (size_t room = 64; room < 8192; room += 64) {
        struct bench bench;
        begin(&bench, conf, "a@x.example b@x.example");
        struct arena *whole = bench.arena, *little = arena_new(room);
        bench.arena = little;
        run(&bench, STAGE_END);
        failed += !bench.is_good;
        for (size_t i = 0; i < 2 && bench.is_good; i++)
            assert_slice("Not me@example.com", bench.parties.parties[i].outcome.reply.text);
        party_rules_end(&bench.rules);
        bench.arena = whole;
        arena_free(&little);
        end(&bench);
    }
    assert_true(failed > 0 && failed < 127);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_of_one_chain_are_a_party),
        cmocka_unit_test(each_has_what_rules_say_of_him),
        cmocka_unit_test(scores_begin_with_what_a_party_has),
        cmocka_unit_test(shadow_rules_and_troubled_ones_are_told),
        cmocka_unit_test(many_let_others_have_the_loop),
        cmocka_unit_test(a_stage_without_rules_says_nothing),
        cmocka_unit_test(too_little_memory_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
