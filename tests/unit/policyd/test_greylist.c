/* tests/unit/policyd/test_greylist.c - the action `greylist`: when the store is asked, what is asked, and what becomes of
 * the answer. */
#include "policyd/greylist.h"
#include "tests/fakes/dns_server.h"
#include "tests/fakes/policyd_case.h"
#include "tests/fakes/shown_metric.h"
#include "tests/unit/unit.h"

#define FROM(address, sender, recipient)                                                           \
    "protocol_state=RCPT\nclient_address=" address "\nsender=" sender "\nrecipient=" recipient     \
    "\ninstance=1\n"
#define RCPT FROM("192.0.2.7", "alice@example.com", "bob@example.org")
#define ALWAYS "[rule grey]\nthen = greylist 5m\n"

static struct policyd_case test;

static int close_case(UNUSED void **state)
{
    policyd_case_close(&test);
    return 0;
}

static void open_case(const char *config)
{
    policyd_case_open(&test, config);
}

static const char *ask(const char *lines)
{
    return policyd_case_ask(&test, lines);
}

/* The reply without its reference. */
static void assert_reply(const char *want, const char *reply)
{
    const char *reference = strstr(reply, ", ref=");
    size_t len = reference == NULL ? strlen(reply) : (size_t)(reference - reply);

    if (strlen(want) != len || strncmp(want, reply, len) != 0)
        fail_msg("want \"%s\", got \"%s\"", want, reply);
}

static void assert_logged(const char *want)
{
    if (strstr(buf_text(&test.store->log), want) == NULL)
        fail_msg("want \"%s\", got \"%s\"", want, buf_text(&test.store->log));
}

static uint64_t triplets(void)
{
    struct store_memory_stats stats;

    store_memory_stats(test.store->memory, &stats);
    return stats.triplets;
}

/* ---- what it does ---- */

static void defers_until_the_delay_has_passed(UNUSED void **state)
{
    open_case(ALWAYS);
    assert_reply("DEFER_IF_PERMIT 4.7.1 Greylisted, try again in 300 s", ask(RCPT));
    assert_logged("rule=grey verdict=defer ref=");
    assert_logged("reason=\"new triplet, 5m left\"");
    assert_logged("greylist=new");
    fake_clock_advance(&test.clock, 59500);
    assert_reply("DEFER_IF_PERMIT 4.7.1 Greylisted, try again in 241 s", ask(RCPT));
    assert_logged("reason=\"too early, 241s left\"");
    fake_clock_advance(&test.clock, 240500);
    assert_string_equal("DUNNO", ask(RCPT));
    assert_logged("rule= verdict=dunno");
    assert_logged("greylist=passed");
}

static void goes_by_network_sender_and_recipient(UNUSED void **state)
{
    static const struct {
        const char *lines;
        bool is_known;
    } cases[] = {
        { FROM("192.0.2.200", "alice@example.com", "bob@example.org"), true },
        { FROM("192.0.2.7", "Alice@EXAMPLE.com", "Bob@Example.ORG"), true },
        { FROM("192.0.3.7", "alice@example.com", "bob@example.org"), false },
        { FROM("192.0.2.7", "eve@example.com", "bob@example.org"), false },
        { FROM("192.0.2.7", "alice@example.com", "carol@example.org"), false },
        { FROM("192.0.2.7", "", "bob@example.org"), false },
        { FROM("2001:db8:1:2::1", "", "bob@example.org"), false },
        { FROM("2001:db8:1:2:ffff::1", "", "bob@example.org"), true },
    };

    open_case(ALWAYS);
    ask(RCPT);
    for (size_t i = 0; i < COUNT(cases); i++) {
        ask(cases[i].lines);
        assert_logged(cases[i].is_known ? "greylist=early" : "greylist=new");
    }
}

static void knows_a_network_after_enough_mail(UNUSED void **state)
{
    open_case("greylist_allow_after = 2\ngreylist_allow_expiry = 1h\n" ALWAYS);
    for (unsigned i = 0; i < 2; i++) {
        char lines[200];
        snprintf(lines, sizeof lines, FROM("192.0.2.7", "sender%u@example.com", "b@example.org"),
                 i);
        ask(lines);
        fake_clock_advance(&test.clock, 5 * MINUTE);
        assert_string_equal("DUNNO", ask(lines));
    }
    assert_string_equal("DUNNO", ask(RCPT));
    assert_logged("greylist=known");
    fake_clock_advance(&test.clock, HOUR);
    assert_reply("DEFER_IF_PERMIT 4.7.1 Greylisted, try again in 300 s", ask(RCPT));
}

static void keeps_to_the_window_and_the_expiry_of_the_file(UNUSED void **state)
{
    open_case("greylist_window = 1h\ngreylist_expiry = 2h\n" ALWAYS);
    ask(RCPT);
    fake_clock_advance(&test.clock, HOUR + 5 * MINUTE);
    ask(RCPT);
    assert_logged("greylist=new");
    fake_clock_advance(&test.clock, 5 * MINUTE);
    assert_string_equal("DUNNO", ask(RCPT));
    fake_clock_advance(&test.clock, 2 * HOUR);
    ask(RCPT);
    assert_logged("greylist=new");
}

static void the_longest_delay_counts(UNUSED void **state)
{
    open_case("[rule short]\nthen = greylist 1m\n[rule long]\nwhen = sender = alice@example.com\n"
              "then = greylist 10m\n[rule middle]\nthen = greylist 5m\n");
    assert_reply("DEFER_IF_PERMIT 4.7.1 Greylisted, try again in 600 s", ask(RCPT));
    assert_logged("rule=long verdict=defer");
    assert_int_equal(1, test.store->greylists);
}

static void acts_at_rcpt_unless_told_otherwise(UNUSED void **state)
{
    open_case(ALWAYS "[rule late]\nwhen = sender = late@example.com\nthen = greylist 1m\n"
                     "stage = end-of-message\n");
    assert_string_equal("DUNNO", ask("protocol_state=DATA\nclient_address=192.0.2.7\n"
                                     "sender=alice@example.com\nrecipient_count=2\n"));
    assert_int_equal(0, test.store->greylists);
    assert_reply("421 4.7.1 Greylisted, try again in 60 s",
                 ask("protocol_state=END-OF-MESSAGE\nclient_address=192.0.2.7\n"
                     "sender=late@example.com\nrecipient_count=2\n"));
}

static void a_client_without_an_address_passes(UNUSED void **state)
{
    open_case(ALWAYS);
    assert_string_equal("DUNNO", ask(FROM("unknown", "alice@example.com", "bob@example.org")));
    assert_int_equal(0, test.store->greylists);
}

/* ---- SPF in place of the network ---- */

static void answer_spf(void *arg, const struct dns_query *query, struct dns_reply *reply)
{
    const char *record = arg;

    if (query->type == RR_TXT && record != NULL)
        dns_message_add_txt(&reply->message, query->name, 60, slice_of(record));
}

static void ask_dns(const char *lines)
{
    struct policyd_answer answer;

    policyd_case_start(&test, lines, NULL, &answer);
    for (unsigned i = 0; answer.count == 0 && i < 1000; i++)
        policyd_case_run(&test, 10);
    assert_reply("DEFER_IF_PERMIT 4.7.1 Greylisted, try again in 300 s", answer.reply);
}

static void a_domain_stands_for_its_hosts_where_spf_passes(UNUSED void **state)
{
    static const struct {
        const char *config, *record; /* NULL: none */
        bool is_known, is_asked;
    } cases[] = {
        { "", "v=spf1 ip4:192.0.2.7 ip4:198.51.100.7 -all", true, true },
        { "greylist_by_spf = yes\n", "v=spf1 +all", true, true },
        { "greylist_by_spf = no\n", "v=spf1 ip4:192.0.2.7 ip4:198.51.100.7 -all", false, false },
        { "", "v=spf1 ip4:192.0.2.7 -all", false, true },
        { "", "v=spf1 ip4:198.51.100.7 -all", false, true },
        { "", "v=spf1 ~all", false, true },
        { "", "v=spf1 ?all", false, true },
        { "", "v=spf1 no-term", false, true },
        { "", NULL, false, true },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dns_server names;
        char config[200];
        snprintf(config, sizeof config, "budget = 60s\n%s" ALWAYS, cases[i].config);
        open_case(config);
        dns_server_init(&names, worker_base(test.worker), answer_spf,
                        (void *)(uintptr_t)cases[i].record);
        dns_server_start(&names);
        test.server->dns = dns_server_dns(&names, test.worker, 30 * SECOND);
        ask_dns(RCPT);
        assert_logged("greylist=new");
        ask_dns(FROM("198.51.100.7", "alice@example.com", "bob@example.org"));
        assert_logged(cases[i].is_known ? "greylist=early" : "greylist=new");
        if ((names.queries > 0) != cases[i].is_asked)
            fail_msg("case %zu: %zu questions to DNS", i, names.queries);
        dns_free(&test.server->dns);
        dns_server_stop(&names);
        if (i + 1 < COUNT(cases))
            policyd_case_close(&test);
    }
}

/* ---- beside other rules ---- */

static void makes_no_triplet_for_refused_mail(UNUSED void **state)
{
    open_case(ALWAYS "[rule bad]\nwhen = sender = alice@example.com\nthen = reject No\n");
    assert_reply("554 5.7.1 No", ask(RCPT));
    assert_logged("rule=bad verdict=reject");
    assert_int_equal(0, test.store->greylists);
    assert_int_equal(0, triplets());
}

static void is_reached_in_order(UNUSED void **state)
{
    open_case("[rule friend]\nwhen = sender = friend@example.com\nthen = accept\n" ALWAYS
              "[rule rest]\nthen = accept\n");
    assert_string_equal("DUNNO", ask(FROM("192.0.2.7", "friend@example.com", "bob@example.org")));
    assert_int_equal(0, test.store->greylists);
    assert_reply("DEFER_IF_PERMIT 4.7.1 Greylisted, try again in 300 s", ask(RCPT));
    assert_int_equal(1, test.store->greylists);
}

static void charges_no_limit_for_what_has_to_wait(UNUSED void **state)
{
    open_case("[limit a]\nkey = recipient\ncharge = rcpt\nrate = 1/1h\n"
              "[limit refused]\nkey = client_address\ncount = refused\nrate = 1/1h\n"
              "[rule q]\nthen = limit a, refused\n" ALWAYS);
    for (unsigned i = 0; i < 5; i++)
        ask(RCPT);
    assert_int_equal(0, test.store->charges);
    fake_clock_advance(&test.clock, 5 * MINUTE);
    assert_string_equal("DUNNO", ask(RCPT));
    assert_int_equal(1, test.store->charges);
    assert_reply("DEFER_IF_PERMIT 4.7.1 Limit reached, try again later",
                 ask("protocol_state=RCPT\nclient_address=192.0.2.7\nsender=alice@example.com\n"
                     "recipient=bob@example.org\ninstance=2\n"));
}

static void a_shadow_rule_greylists_nobody(UNUSED void **state)
{
    open_case("[rule grey]\nmode = shadow\nthen = greylist 5m\n");
    assert_string_equal("DUNNO", ask(RCPT));
    assert_logged("shadow=grey:greylist");
    assert_int_equal(0, test.store->greylists);
    assert_int_equal(0, triplets());
}

static void a_retry_gets_the_same_answer(UNUSED void **state)
{
    const struct answer_key key = { 7, 1, true }, retry = { 7, 2, true };
    AUTO_BUF reply = BUF_INIT(POLICY_REPLY_MAX);
    struct policyd_answer answer;

    open_case(ALWAYS);
    answers_ask(test.policyd.answers, &key, server_now(test.server), NULL, &reply);
    policyd_case_start(&test, RCPT, &key, &answer);
    fake_clock_advance(&test.clock, 30 * SECOND);
    assert_int_equal(ANSWER_KNOWN, answers_ask(test.policyd.answers, &retry,
                                               server_now(test.server), NULL, &reply));
    assert_string_equal(answer.reply, buf_text(&reply));
    assert_int_equal(1, test.store->greylists);
}

/* ---- without an effect, without an answer ---- */

static void note_reply(void *arg, const struct decided *decided)
{
    snprintf(arg, POLICY_REPLY_MAX, "%.*s", SLICE_ARG(decided->reply));
}

static const char *explain(const char *lines)
{
    static char reply[POLICY_REPLY_MAX];
    AUTO_BUF bytes = BUF_INIT(0);
    struct policy_request req = policyd_request(&bytes, lines);

    inquiry_explain(test.server, &req, NULL, note_reply, reply);
    return reply;
}

static void explains_without_an_effect(UNUSED void **state)
{
    AUTO_BUF before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);

    open_case(ALWAYS);
    assert_int_equal(0, metrics_print(&before));
    for (unsigned i = 0; i < 2; i++)
        assert_reply("DEFER_IF_PERMIT 4.7.1 Greylisted, try again in 300 s", explain(RCPT));
    assert_int_equal(0, metrics_print(&after));
    assert_string_equal(buf_text(&before), buf_text(&after));
    assert_int_equal(0, triplets());
    assert_int_equal(0, test.store->greylists);
    ask(RCPT);
    fake_clock_advance(&test.clock, 5 * MINUTE);
    assert_string_equal("DUNNO", explain(RCPT));
}

static void follows_trouble_when_the_store_fails(UNUSED void **state)
{
    static const struct {
        const char *trouble, *reply, *log;
    } cases[] = {
        { "skip", "DUNNO", "rule= verdict=dunno" },
        { "match", "DEFER_IF_PERMIT 4.7.1 Greylisted, try again in 300 s",
          "rule=grey verdict=defer" },
        { "defer", "451 4.3.0 Temporary lookup problem", "rule=grey verdict=defer" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char config[200];
        snprintf(config, sizeof config, ALWAYS "trouble = %s\n", cases[i].trouble);
        open_case(config);
        test.store->fails = true;
        assert_reply(cases[i].reply, ask(RCPT));
        assert_logged(cases[i].log);
        if (i + 1 < COUNT(cases))
            policyd_case_close(&test);
    }
}

static void passes_degraded_and_says_so(UNUSED void **state)
{
    open_case(ALWAYS);
    ask(RCPT);
    fake_clock_advance(&test.clock, 5 * MINUTE);
    test.store->is_degraded = true;
    assert_string_equal("DUNNO", ask(RCPT));
    assert_logged("store=degraded");
}

static void waits_for_the_store_and_gives_it_up(UNUSED void **state)
{
    struct policyd_answer answer;

    open_case("budget = 100ms\n" ALWAYS "trouble = defer\n");
    test.store->holds = true;
    policyd_case_start(&test, RCPT, NULL, &answer);
    assert_int_equal(0, answer.count);
    fake_store_release(test.store);
    assert_int_equal(1, answer.count);
    assert_reply("DEFER_IF_PERMIT 4.7.1 Greylisted, try again in 300 s", answer.reply);

    policyd_case_start(&test, RCPT, NULL, &answer);
    policyd_case_run(&test, 150);
    assert_int_equal(1, answer.count);
    assert_reply("451 4.3.0 Temporary lookup problem", answer.reply);
    assert_int_equal(1, test.store->abandoned);

    policyd_case_start(&test, RCPT, NULL, &answer);
    inquiries_free(test.server); /* a server that ends abandons what it has asked */
    assert_int_equal(2, test.store->abandoned);
}

/* ---- counted ---- */

static void counts_each_result(UNUSED void **state)
{
    static const char *const results[] = { "new", "early", "passed", "degraded", "failed" };

    open_case(ALWAYS);
    uint64_t before[COUNT(results)];
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT(results); i++) {
            char series[80];
            snprintf(series, sizeof series, "gatehouse_greylist_total{result=\"%s\"}", results[i]);
            if (round == 1 && !metric_is_shown(series, before[i] + 1))
                fail_msg("%s: %" PRIu64 " after %" PRIu64, results[i], shown_metric(series),
                         before[i]);
            before[i] = shown_metric(series);
        }
        if (round == 1)
            break;
        ask(RCPT);
        ask(RCPT);
        fake_clock_advance(&test.clock, 5 * MINUTE);
        ask(RCPT);
        test.store->is_degraded = true;
        ask(RCPT);
        test.store->fails = true;
        ask(RCPT);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, close_case)
    const struct CMUnitTest tests[] = {
        T(defers_until_the_delay_has_passed),
        T(goes_by_network_sender_and_recipient),
        T(knows_a_network_after_enough_mail),
        T(keeps_to_the_window_and_the_expiry_of_the_file),
        T(the_longest_delay_counts),
        T(acts_at_rcpt_unless_told_otherwise),
        T(a_client_without_an_address_passes),
        T(a_domain_stands_for_its_hosts_where_spf_passes),
        T(makes_no_triplet_for_refused_mail),
        T(is_reached_in_order),
        T(charges_no_limit_for_what_has_to_wait),
        T(a_shadow_rule_greylists_nobody),
        T(a_retry_gets_the_same_answer),
        T(explains_without_an_effect),
        T(follows_trouble_when_the_store_fails),
        T(passes_degraded_and_says_so),
        T(waits_for_the_store_and_gives_it_up),
        T(counts_each_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
