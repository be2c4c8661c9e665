/* tests/unit/policyd/test_inquiry.c - a request from its rules to the reply: what is fetched and charged, what happens when
 * the store does not answer, and what is remembered and logged. */
#include "tests/fakes/policyd_case.h"
#include "tests/unit/unit.h"

#include "common/net/dns.h"
#include "common/rules/trace.h"
#include "tests/fakes/dns_server.h"
#include "tests/fakes/shown_metric.h"

#define RCPT                                                                                       \
    "protocol_state=RCPT\nclient_address=192.0.2.7\nclient_port=4711\nserver_address=192.0.2.1\n"  \
    "server_port=25\nsender=alice@example.com\nrecipient=bob@example.org\n"                        \
    "sasl_username=alice@example.com\n"
#define DATA                                                                                       \
    "protocol_state=DATA\nclient_address=192.0.2.7\nsender=alice@example.com\n"                    \
    "recipient=bob@example.org\nrecipient_count=1\nsasl_username=alice@example.com\n"

static struct policyd_case test;

static void open_case(const char *config)
{
    policyd_case_open(&test, config);
}

static int close_case(UNUSED void **state)
{
    policyd_case_close(&test);
    return 0;
}

static const char *ask(const char *lines)
{
    return policyd_case_ask(&test, lines);
}

/* The reply without its reference. */
static void assert_reply(const char *want, const char *reply)
{
    size_t len = strlen(want);

    if (strncmp(want, reply, len) != 0 || (reply[len] != '\0' && reply[len] != ','))
        fail_msg("want \"%s\", got \"%s\"", want, reply);
}

static void assert_logged(const char *want)
{
    if (strstr(buf_text(&test.store->log), want) == NULL)
        fail_msg("want \"%s\", got \"%s\"", want, buf_text(&test.store->log));
}

/* ---- charging ---- */

#define TWO_LIMITS                                                                                 \
    "[limit wide]\nkey = sasl_username\nrate = 3/1h\nover = defer 4.7.1 Wide\n"                    \
    "[limit narrow]\nkey = sender\nrate = 1/1h\nover = reject 5.7.1 Narrow\n"                      \
    "[rule quota]\nthen = limit wide, narrow\n"

static void charges_all_limits_or_none(UNUSED void **state)
{
    open_case(TWO_LIMITS);
    assert_string_equal("DUNNO", ask(DATA "instance=1\n"));
    assert_int_equal(1, test.store->charges);
    assert_int_equal(2, test.store->use_count);
    for (unsigned i = 2; i < 9; i++) {
        char lines[500];
        snprintf(lines, sizeof lines, DATA "instance=%u\n", i);
        assert_reply("554 5.7.1 Narrow", ask(lines));
        assert_logged("rule=quota ");
        assert_logged("limit=narrow");
    }
    /* wide was charged once: two are left for another recipient */
    assert_string_equal("DUNNO", ask("protocol_state=DATA\nsasl_username=alice@example.com\n"
                                     "sender=c@example.org\ninstance=20\n"));
    assert_string_equal("DUNNO", ask("protocol_state=DATA\nsasl_username=alice@example.com\n"
                                     "sender=d@example.org\ninstance=21\n"));
    assert_reply("DEFER_IF_PERMIT 4.7.1 Wide",
                 ask("protocol_state=DATA\nsasl_username=alice@example.com\n"
                     "sender=e@example.org\ninstance=22\n"));
}

static void charges_a_limit_once_that_two_rules_name(UNUSED void **state)
{
    open_case("[limit a]\nrate = 2/1h\n[rule one]\nthen = limit a\n[rule two]\nthen = limit a\n");
    assert_string_equal("DUNNO", ask(DATA "instance=1\n"));
    assert_int_equal(1, test.store->use_count);
}

static void names_the_charge_by_the_request_when_it_has_an_instance(UNUSED void **state)
{
    char first[FAKE_STORE_NAME_MAX];

    open_case(TWO_LIMITS);
    ask(DATA "instance=1\npolicy_context=one list\n");
    snprintf(first, sizeof first, "%s", test.store->once);
    assert_int_equal(32, strlen(first));
    ask(DATA "instance=1\npolicy_context=another list\n");
    assert_string_equal(first, test.store->once);
    ask(DATA "instance=2\n");
    assert_string_not_equal(first, test.store->once);
    ask(DATA "instance=\n");
    assert_string_equal("", test.store->once);
}

static void tells_contexts_apart_where_anything_reads_them(UNUSED void **state)
{
    static const char *const configs[] = {
        "[limit a]\nrate = 9/1h\n[rule r]\nwhen = policy_context != x\nthen = limit a\n",
        "[limit a]\nkey = policy_context\nrate = 9/1h\n[rule r]\nthen = limit a\n",
        "[limit a]\nrate = 9/1h\nover = defer Full, {policy_context}\n[rule r]\nthen = limit a\n",
    };

    for (size_t i = 0; i < COUNT(configs); i++) {
        char first[FAKE_STORE_NAME_MAX];
        open_case(configs[i]);
        assert_true(policyd_case_policy(&test)->reads_context);
        ask(DATA "instance=1\npolicy_context=a\n");
        snprintf(first, sizeof first, "%s", test.store->once);
        ask(DATA "instance=1\npolicy_context=b\n");
        assert_string_not_equal(first, test.store->once);
        if (i + 1 < COUNT(configs))
            policyd_case_close(&test);
    }
}

static void charges_nothing_for_refused_mail(UNUSED void **state)
{
    open_case("[limit a]\nrate = 1/1h\n[rule q]\nthen = limit a\n"
              "[rule r]\nwhen = sender = bad@example.com\nthen = reject No\n");
    for (unsigned i = 0; i < 3; i++)
        assert_reply("554 5.7.1 No",
                     ask("protocol_state=DATA\nsender=bad@example.com\ninstance=1\n"));
    assert_int_equal(0, test.store->charges);
    assert_logged("rule=r verdict=reject");
    assert_string_equal("DUNNO", ask(DATA "instance=2\n"));
}

static void charges_under_accept(UNUSED void **state)
{
    open_case("[limit a]\nrate = 1/1h\n[rule q]\nthen = limit a\n[rule ok]\nthen = accept\n"
              "[rule never]\nthen = reject No\n");
    assert_string_equal("DUNNO", ask(DATA "instance=1\n"));
    assert_reply("DEFER_IF_PERMIT 4.7.1 Limit reached", ask(DATA "instance=2\n"));
}

static void shadow_rules_charge_nothing(UNUSED void **state)
{
    open_case("[limit a]\nrate = 0/1h\n[rule q]\nmode = shadow\nthen = limit a\n"
              "[rule r]\nmode = shadow\nthen = reject No\n");
    assert_string_equal("DUNNO", ask(DATA "instance=1\n"));
    assert_int_equal(0, test.store->charges);
    assert_logged("shadow=q:limit,r:reject");
}

static void charges_at_the_stages_of_the_limit(UNUSED void **state)
{
    open_case("[limit m]\nrate = 9/1h\n[limit b]\ncount = bytes\nrate = 100/1h\n"
              "[rule q]\nthen = limit m, b\n");
    ask(RCPT "instance=1\n");
    assert_int_equal(0, test.store->charges);
    ask(DATA "instance=1\n");
    assert_int_equal(1, test.store->charges);
    assert_string_equal("DUNNO", ask("protocol_state=END-OF-MESSAGE\nsize=100\ninstance=1\n"));
    assert_reply("421 4.7.1 Limit reached",
                 ask("protocol_state=END-OF-MESSAGE\nsize=1\ninstance=2\n"));
}

static void an_empty_key_is_no_ones_quota(UNUSED void **state)
{
    open_case(TWO_LIMITS);
    ask("protocol_state=DATA\nsender=x@example.org\nsasl_username=\ninstance=1\n");
    assert_int_equal(1, test.store->use_count);
}

/* ---- counted once ---- */

static void counts_a_message_once_for_each_subject_at_rcpt(UNUSED void **state)
{
    open_case("[limit m]\nkey = recipient_domain\ncharge = rcpt\nrate = 1/1h\n"
              "[limit other]\nkey = recipient\ncharge = rcpt\nrate = 1/1h\n"
              "[rule q]\nthen = limit m\n"
              "[rule o]\nwhen = recipient = other@example.org\nthen = limit other\n");
    assert_string_equal("DUNNO", ask("protocol_state=RCPT\nrecipient=a@example.org\ninstance=1\n"));
    assert_string_equal("DUNNO", ask("protocol_state=RCPT\nrecipient=b@example.org\ninstance=1\n"));
    assert_int_equal(1, test.store->charges);
    /* another domain, and another limit: neither has seen the message */
    ask("protocol_state=RCPT\nrecipient=b@example.net\ninstance=1\n");
    assert_int_equal(2, test.store->charges);
    ask("protocol_state=RCPT\nrecipient=other@example.org\ninstance=1\n");
    assert_int_equal(3, test.store->charges);
    assert_reply("DEFER_IF_PERMIT 4.7.1 Limit reached",
                 ask("protocol_state=RCPT\nrecipient=a@example.org\ninstance=2\n"));
}

static void counts_every_message_without_an_instance(UNUSED void **state)
{
    open_case("[limit m]\ncharge = rcpt\nrate = 2/1h\n[rule q]\nthen = limit m\n");
    assert_string_equal("DUNNO", ask(RCPT));
    assert_string_equal("DUNNO", ask(RCPT));
    assert_reply("DEFER_IF_PERMIT 4.7.1 Limit reached", ask(RCPT));
}

static void counts_a_connection_once(UNUSED void **state)
{
    open_case("[limit c]\nkey = client_address\ncount = connections\nrate = 1/1h\n"
              "over = defer 421 4.7.0 Too many connections\n[rule q]\nthen = limit c\n");
    assert_string_equal("DUNNO", ask(RCPT "instance=1\n"));
    assert_string_equal("DUNNO", ask(RCPT "instance=2\n"));
    assert_int_equal(1, test.store->charges);
    for (unsigned i = 0; i < 2; i++) /* one that was not admitted is asked about again */
        assert_reply("421 4.7.0 Too many connections",
                     ask("protocol_state=CONNECT\nclient_address=192.0.2.7\nclient_port=4712\n"
                         "server_address=192.0.2.1\nserver_port=25\n"));
    fake_clock_advance(&test.clock, 10 * MINUTE);
    assert_reply("421 4.7.0 Too many connections", ask(RCPT "instance=3\n"));
}

#define CONNECTION(client, port, server, server_port, instance)                                    \
    "protocol_state=RCPT\nclient_address=" client "\nclient_port=" port "\nserver_address=" server \
    "\nserver_port=" server_port "\ninstance=" instance "\n"

static void tells_connections_apart_by_both_ends(UNUSED void **state)
{
    static const struct {
        const char *lines;
        size_t charges; /* after it */
    } rows[] = {
        { CONNECTION("192.0.2.7", "4711", "192.0.2.1", "25", "1"), 1 },
        { CONNECTION("192.0.2.7", "4711", "192.0.2.1", "25", "2"), 1 },
        { CONNECTION("192.0.2.8", "4711", "192.0.2.1", "25", "3"), 2 },
        { CONNECTION("192.0.2.7", "4712", "192.0.2.1", "25", "4"), 3 },
        { CONNECTION("192.0.2.7", "4711", "192.0.2.2", "25", "5"), 4 },
        { CONNECTION("192.0.2.7", "4711", "192.0.2.1", "587", "6"), 5 },
        { CONNECTION("192.0.2.8", "4711", "192.0.2.1", "25", "7"), 5 },
        /* without a port each message counts, at each of its recipients once */
        { CONNECTION("192.0.2.7", "", "192.0.2.1", "25", "8"), 6 },
        { CONNECTION("192.0.2.7", "", "192.0.2.1", "25", "8") "recipient=x@example.org\n", 6 },
        { CONNECTION("192.0.2.7", "", "192.0.2.1", "25", "9"), 7 },
    };

    open_case("[limit c]\ncount = connections\nrate = 99/1h\n[rule q]\nthen = limit c\n");
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal("DUNNO", ask(rows[i].lines));
        if (test.store->charges != rows[i].charges)
            fail_msg("row %zu: %zu charges", i, test.store->charges);
    }
}

static void counts_refusals_and_refuses_who_has_too_many(UNUSED void **state)
{
    open_case("[limit r]\nkey = client_address\ncount = refused\nrate = 2/1h\n"
              "over = reject 5.7.1 Too many refusals\n[rule q]\nthen = limit r\n"
              "[rule bad]\nwhen = sender = bad@example.com\nthen = reject No\n");
    assert_string_equal("DUNNO", ask(RCPT "instance=1\n"));
    for (unsigned i = 0; i < 2; i++) {
        char lines[200];
        snprintf(lines, sizeof lines,
                 "protocol_state=RCPT\nclient_address=192.0.2.7\nsender=bad@example.com\n"
                 "instance=r%u\n",
                 i);
        assert_reply("554 5.7.1 No", ask(lines));
        assert_logged("rule=bad ");
    }
    size_t charges = test.store->charges;
    assert_reply("554 5.7.1 Too many refusals", ask(RCPT "instance=2\n"));
    /* its own refusal is not counted in it: else it would never end */
    assert_int_equal(charges + 1, test.store->charges);
    assert_string_equal("DUNNO",
                        ask("protocol_state=RCPT\nclient_address=192.0.2.8\ninstance=3\n"));
}

/* ---- trouble ---- */

static const struct {
    const char *trouble, *reply, *log;
} troubles[] = {
    { "skip", "DUNNO", "rule= verdict=dunno" },
    { "match", "DEFER_IF_PERMIT 4.7.1 Full", "rule=q verdict=defer" },
    { "defer", "451 4.3.0 Temporary lookup problem", "rule=q verdict=defer" },
};

static void follows_trouble_when_the_charge_fails(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(troubles); i++) {
        char config[400];
        snprintf(config, sizeof config,
                 "[limit a]\nrate = 5/1h\nover = defer Full\n[rule first]\nwhen = size > 5\n"
                 "then = reject No\n[rule q]\nthen = limit a\ntrouble = %s\n",
                 troubles[i].trouble);
        open_case(config);
        test.store->fails = true;
        assert_reply(troubles[i].reply, ask(DATA "instance=1\n"));
        assert_logged(troubles[i].log);
        if (i + 1 < COUNT(troubles))
            policyd_case_close(&test);
    }
}

static void follows_trouble_when_a_key_is_unknown(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(troubles); i++) {
        char config[400];
        snprintf(config, sizeof config,
                 "[limit a]\nkey = country\nrate = 5/1h\nover = defer Full\n"
                 "[rule first]\nwhen = size > 5\nthen = reject No\n"
                 "[rule q]\nthen = limit a\ntrouble = %s\n",
                 troubles[i].trouble);
        open_case(config);
        assert_reply(troubles[i].reply, ask(DATA "instance=1\n"));
        assert_logged(troubles[i].log);
        assert_int_equal(0, test.store->charges);
        if (i + 1 < COUNT(troubles))
            policyd_case_close(&test);
    }
}

static void an_unknown_key_does_not_take_a_refusal_from_its_rule(UNUSED void **state)
{
    open_case("[limit r]\nkey = country\ncount = refused\nrate = 5/1h\nover = defer Full\n"
              "[rule q]\nthen = limit r\n[rule bad]\nthen = reject No\n");
    assert_reply("554 5.7.1 No", ask(RCPT "instance=1\n"));
    assert_logged("rule=bad verdict=reject");
    assert_null(strstr(buf_text(&test.store->log), "limit="));
}

static void a_rule_in_trouble_defers_or_not(UNUSED void **state)
{
    open_case("[rule c]\nwhen = country = KP\nthen = reject No\n");
    assert_string_equal("DUNNO", ask(RCPT "instance=1\n"));
    assert_logged("trouble=c");
    policyd_case_load(&test, "[rule c]\nwhen = country = KP\nthen = reject No\ntrouble = defer\n");
    assert_reply("451 4.3.0 Temporary lookup problem", ask(RCPT "instance=1\n"));
    assert_reply("421 4.3.0 Temporary lookup problem", ask("protocol_state=END-OF-MESSAGE\n"));
    policyd_case_load(&test, "[rule c]\nwhen = country = KP\nthen = reject No\ntrouble = match\n");
    assert_reply("554 5.7.1 No", ask(RCPT "instance=1\n"));
}

/* ---- what an exceeded limit says ---- */

static void says_how_much_is_used(UNUSED void **state)
{
    open_case("[limit a]\nkey = sasl_username\nrate = 2/1h\n"
              "over = reject 5.7.1 Full, used={limit.a.used} left={limit.a.left} {sasl_username}\n"
              "[rule q]\nthen = limit a\n");
    ask(DATA "instance=1\n");
    ask(DATA "instance=2\n");
    assert_reply("554 5.7.1 Full, used=2 left=0 alice@example.com", ask(DATA "instance=3\n"));
    assert_int_equal(0, test.store->peeks); /* it was just told */
}

static void usage_is_not_known_when_the_charge_failed(UNUSED void **state)
{
    open_case("[limit a]\nrate = 2/1h\nover = reject Full, used={limit.a.used}\n"
              "[rule q]\nthen = limit a\ntrouble = match\n");
    test.store->fails = true;
    assert_reply("554 5.7.1 Full, used=unknown", ask(DATA "instance=1\n"));
}

static void has_a_text_where_the_limits_own_cannot_be_said(UNUSED void **state)
{
    open_case(
        "[limit a]\nrate = 0/1h\nover = reject Full, {recipient}\n[rule q]\nthen = limit a\n");
    assert_reply("554 5.7.1 Full, bob@example.org", ask(DATA "instance=1\n"));
    assert_reply("DEFER_IF_PERMIT 4.7.1 Limit reached, try again later",
                 ask("protocol_state=DATA\nrecipient_count=2\ninstance=2\n"));
}

static void an_over_that_accepts_lets_pass(UNUSED void **state)
{
    open_case("[limit a]\nrate = 0/1h\nover = hold Too much\n[rule q]\nthen = limit a\n"
              "[limit r]\ncount = refused\nrate = 5/1h\n[rule r]\nthen = limit r\n");
    assert_reply("HOLD Too much", ask(DATA "instance=1\n"));
    assert_int_equal(1, test.store->charges); /* no refusal to count */
}

/* ---- waiting ---- */

#define KEYED_LIST                                                                                 \
    "[list block]\nentries = 198.51.100.0/24\n"                                                    \
    "[rule b]\nwhen = sender in list:block/{recipient}\nthen = reject No\n"                        \
    "[rule n]\nwhen = client_address in list:block/{recipient_domain}\nthen = reject Net\n"

static void fetches_side_by_side_and_goes_on(UNUSED void **state)
{
    struct policyd_answer answer;

    open_case(KEYED_LIST);
    fake_store_set(test.store, "list:block/bob@example.org", "alice@example.com", "by=bob");
    test.store->holds = true;
    policyd_case_start(&test, RCPT "instance=1\n", NULL, &answer);
    assert_int_equal(0, answer.count);
    assert_int_equal(2, test.store->held_count);
    fake_store_release(test.store);
    assert_int_equal(1, answer.count);
    assert_reply("554 5.7.1 No", answer.reply);
    assert_null(test.server->active);
}

static void decides_with_what_is_known_when_the_budget_is_over(UNUSED void **state)
{
    struct policyd_answer answer;

    open_case("budget = 100ms\n" KEYED_LIST);
    test.store->holds = true;
    uint64_t late = metric_read(test.policyd.metrics.late);
    policyd_case_start(&test, RCPT "instance=1\n", NULL, &answer);
    assert_int_equal(0, answer.count);
    policyd_case_run(&test, 150);
    assert_int_equal(1, answer.count);
    assert_string_equal("DUNNO", answer.reply);
    assert_int_equal(2, test.store->abandoned);
    assert_logged("trouble=b,n");
    assert_logged("budget=over");
    assert_int_equal(late + 1, metric_read(test.policyd.metrics.late));
}

static void gives_a_charge_up_when_the_budget_is_over(UNUSED void **state)
{
    struct policyd_answer answer;

    open_case(
        "budget = 100ms\n[limit a]\nrate = 9/1h\n[rule q]\nthen = limit a\ntrouble = defer\n");
    test.store->holds = true;
    policyd_case_start(&test, DATA "instance=1\n", NULL, &answer);
    assert_int_equal(1, test.store->held_count);
    policyd_case_run(&test, 150);
    assert_int_equal(1, answer.count);
    assert_reply("451 4.3.0 Temporary lookup problem", answer.reply);
    assert_int_equal(1, test.store->abandoned);
}

static void goes_on_without_its_owner(UNUSED void **state)
{
    struct policyd_answer answer;
    const struct answer_key key = { 7, 1, true };
    const struct answer_key retry = { 7, 2, true };
    AUTO_BUF reply = BUF_INIT(POLICY_REPLY_MAX);

    open_case("[limit a]\nrate = 0/1h\n[rule q]\nthen = limit a\n");
    test.store->holds = true;
    assert_int_equal(
        ANSWER_NEW, answers_ask(test.policyd.answers, &key, server_now(test.server), NULL, &reply));
    policyd_case_start(&test, DATA "instance=1\n", &key, &answer);
    inquiry_abandon(answer.inquiry);
    fake_store_release(test.store);
    assert_int_equal(0, answer.count);
    assert_null(test.server->active);
    /* the retry finds the answer */
    assert_int_equal(ANSWER_KNOWN, answers_ask(test.policyd.answers, &retry,
                                               server_now(test.server), NULL, &reply));
    assert_reply("DEFER_IF_PERMIT 4.7.1 Limit reached", buf_text(&reply));
}

static void ends_with_the_server(UNUSED void **state)
{
    struct policyd_answer answers[3];

    open_case(KEYED_LIST);
    test.store->holds = true;
    for (size_t i = 0; i < COUNT(answers); i++)
        policyd_case_start(&test, RCPT "instance=1\n", NULL, &answers[i]);
    inquiries_free(test.server);
    assert_int_equal(0, test.store->held_count);
    assert_int_equal(0, answers[0].count + answers[1].count + answers[2].count);
}

static void keeps_the_policy_it_began_with(UNUSED void **state)
{
    struct policyd_answer answer;

    open_case(KEYED_LIST);
    fake_store_set(test.store, "list:block/bob@example.org", "alice@example.com", "by=bob");
    test.store->holds = true;
    policyd_case_start(&test, RCPT "instance=1\n", NULL, &answer);
    policyd_case_load(&test, "[rule other]\nthen = accept\n");
    fake_store_release(test.store);
    assert_reply("554 5.7.1 No", answer.reply);
    assert_logged("rule=b ");
}

/* ---- DNS ---- */

/* Of two exchangers the first is the client; the second's name server is silent. */
static void answer_with_two_exchangers(UNUSED void *arg, const struct dns_query *query,
                                       struct dns_reply *reply)
{
    struct dns_message *message = &reply->message;

    if (query->type == RR_TXT) {
        dns_message_add_txt(message, query->name, 60, SLICE("v=spf1 mx -all"));
    } else if (query->type == RR_MX) {
        dns_message_add_mx(message, query->name, 60, 10, "first.example.com");
        dns_message_add_mx(message, query->name, 60, 20, "second.example.com");
    } else if (strcmp(query->name, "first.example.com") == 0) {
        dns_message_add_a(message, query->name, 60, "192.0.2.7");
        reply->delay_ms = 20; /* both have been asked for */
    } else {
        reply->is_silent = true;
    }
}

static void ends_lookups_that_the_verdict_does_not_need(UNUSED void **state)
{
    enum { TIMEOUT_MS = 3000 }; /* a busy machine is in time, too */
    struct dns_server names;
    struct policyd_answer answer;
    AUTO_BUF before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);

    open_case("[rule r]\nwhen = spf = pass\nthen = reject No\n");
    dns_server_init(&names, worker_base(test.worker), answer_with_two_exchangers, NULL);
    dns_server_start(&names);
    test.server->dns = dns_server_dns(&names, test.worker, TIMEOUT_MS);
    policyd_case_start(&test, RCPT "instance=1\n", NULL, &answer);
    for (unsigned i = 0; answer.count == 0 && i < 1000; i++)
        policyd_case_run(&test, 10);
    assert_reply("554 5.7.1 No", answer.reply);
    assert_int_equal(4, names.queries);
    struct dns_status_report report;
    dns_report(test.server->dns, &report);
    assert_int_equal(1, report.in_flight); /* the question goes on, nobody waits for it */
    assert_int_equal(0, metrics_print(&before));
    policyd_case_run(&test, TIMEOUT_MS + 100);
    assert_int_equal(0, metrics_print(&after));
    assert_string_equal(buf_text(&before), buf_text(&after)); /* no lookup has timed out */
    dns_free(&test.server->dns);
    dns_server_stop(&names);
}

/* ---- explaining ---- */

struct explained {
    size_t count;
    char reply[200], rule[40];
    bool is_exceeded;
};

static void keep_explained(void *arg, const struct decided *decided)
{
    struct explained *explained = arg;

    explained->count++;
    snprintf(explained->reply, sizeof explained->reply, "%.*s", SLICE_ARG(decided->reply));
    snprintf(explained->rule, sizeof explained->rule, "%.*s", SLICE_ARG(decided->rule));
    explained->is_exceeded = decided->exceeded != NULL;
}

static struct explained explain(const char *lines)
{
    struct explained explained = { .count = 0 };
    AUTO_BUF bytes = BUF_INIT(0);
    struct policy_request req = policyd_request(&bytes, lines);
    struct arena *arena = arena_new(1 << 20);

    inquiry_explain(test.server, &req, trace_new(arena), keep_explained, &explained);
    arena_free(&arena);
    assert_int_equal(1, explained.count);
    return explained;
}

static void explains_without_an_effect(UNUSED void **state)
{
    open_case("[limit a]\nkey = sasl_username\nrate = 1/1h\n[limit c]\nkey = client_address\n"
              "count = connections\nrate = 9/1h\n[limit r]\ncount = refused\nrate = 9/1h\n"
              "[rule q]\nthen = limit a, c, r\n"
              "[rule bad]\nwhen = sender = bad@example.com\nthen = reject No\n"
              "[rule far]\nwhen = country = KP\nthen = reject Far\n");
    AUTO_BUF before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
    assert_int_equal(0, metrics_print(&before));
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal("DUNNO", explain(DATA "instance=1\n").reply);
    struct explained refused = explain("protocol_state=RCPT\nsender=bad@example.com\n");
    assert_reply("554 5.7.1 No", refused.reply);
    assert_string_equal("bad", refused.rule);
    test.store->fails = true;
    assert_string_equal("DUNNO", explain(DATA "instance=1\n").reply);
    test.store->fails = false;
    assert_int_equal(0, metrics_print(&after));
    assert_string_equal(buf_text(&before), buf_text(&after));
    assert_int_equal(0, test.store->charges);
    assert_int_equal(0, test.store->lines);

    assert_string_equal("DUNNO", ask(DATA "instance=1\n"));
    assert_int_equal(3, test.store->use_count); /* the connection is still a new one */
    struct explained over = explain(DATA "instance=2\n");
    assert_reply("DEFER_IF_PERMIT 4.7.1 Limit reached", over.reply);
    assert_string_equal("q", over.rule);
    assert_true(over.is_exceeded);
}

/* As the charge would be: all or none, in the name of the first that is exceeded. */
static void explains_which_limit_would_be_exceeded(UNUSED void **state)
{
    open_case(TWO_LIMITS);
    assert_string_equal("DUNNO", ask(DATA "instance=1\n"));
    for (unsigned i = 0; i < 3; i++)
        assert_reply("554 5.7.1 Narrow", explain(DATA "instance=2\n").reply);
    assert_string_equal("DUNNO", ask("protocol_state=DATA\nsasl_username=alice@example.com\n"
                                     "sender=c@example.org\ninstance=3\n"));
    assert_string_equal("DUNNO", explain("protocol_state=DATA\nsasl_username=alice@example.com\n"
                                         "sender=d@example.org\ninstance=4\n")
                                     .reply);
    assert_string_equal("DUNNO", ask("protocol_state=DATA\nsasl_username=alice@example.com\n"
                                     "sender=d@example.org\ninstance=4\n"));
    assert_reply("DEFER_IF_PERMIT 4.7.1 Wide", explain(DATA "instance=5\n").reply);
    assert_reply("DEFER_IF_PERMIT 4.7.1 Wide",
                 explain("protocol_state=DATA\nsasl_username=alice@example.com\n"
                         "sender=e@example.org\ninstance=6\n")
                     .reply);
}

/* ---- counts ---- */

/* Every weakening is counted, and so is what limits did. */
static void counts_what_limits_and_troubles_did(UNUSED void **state)
{
    static const struct {
        const char *series;
        uint64_t more;
    } wanted[] = {
        { "gatehouse_limit_charges_total", 2 },
        { "gatehouse_limit_over_total", 1 },
        { "gatehouse_limit_exceeded_total{limit=\"counted\"}", 1 },
        { "gatehouse_limit_charges_failed_total", 1 },
        { "gatehouse_limit_charges_degraded_total", 1 },
        { "gatehouse_policy_trouble_total", 5 }, /* rule far each time, limit unknown once */
    };
    uint64_t before[COUNT(wanted)]; /* others have counted too */

    open_case("[limit counted]\nrate = 2/1h\n[limit unknown]\nkey = country\nrate = 9/1h\n"
              "[rule q]\nthen = limit counted\n[rule far]\nwhen = country = KP\nthen = reject No\n"
              "[rule u]\nwhen = sender = u@example.com\nthen = limit unknown\n");
    for (size_t i = 0; i < COUNT(wanted); i++)
        before[i] = shown_metric(wanted[i].series);
    assert_string_equal("DUNNO", ask(DATA "instance=1\n"));
    test.store->fails = true;
    assert_string_equal("DUNNO", ask(DATA "instance=2\n"));
    test.store->fails = false;
    test.store->is_degraded = true;
    assert_string_equal("DUNNO", ask("protocol_state=DATA\nsender=u@example.com\ninstance=3\n"));
    test.store->is_degraded = false;
    assert_reply("DEFER_IF_PERMIT 4.7.1 Limit reached", ask(DATA "instance=4\n"));
    for (size_t i = 0; i < COUNT(wanted); i++)
        if (!metric_is_shown(wanted[i].series, before[i] + wanted[i].more))
            fail_msg("%s: %" PRIu64, wanted[i].series, shown_metric(wanted[i].series) - before[i]);
}

/* ---- replies ---- */

static void says_one_thing(UNUSED void **state)
{
    open_case("[rule p]\nthen = prepend X-One: 1\nstage = any\n[rule w]\nthen = warn Two\n"
              "[rule h]\nwhen = sender = hold@example.com\nthen = hold Look at it\n");
    assert_string_equal("PREPEND X-One: 1", ask(RCPT));
    assert_logged("rule=p verdict=prepend");
    assert_reply("HOLD Look at it", ask("protocol_state=RCPT\nsender=hold@example.com\n"));
    assert_logged("rule=h verdict=hold");
}

static void repeats_the_reference_in_the_log(UNUSED void **state)
{
    open_case("[rule r]\nthen = reject No\n");
    const char *ref = strstr(ask(RCPT), "ref=");
    assert_non_null(ref);
    assert_logged(ref);
}

static void answers_even_when_its_memory_is_used_up(UNUSED void **state)
{
    AUTO_BUF lines = BUF_INIT(POLICY_REQUEST_MAX);

    open_case(
        "[rule r]\nwhen = sender matches \"*x*y*z*\" or helo_name in (a, b)\nthen = reject No\n");
    buf_put(&lines, "protocol_state=RCPT\nsender=");
    while (buf_put(&lines, "\xc3\x84\xc3\xa4\xe2\x84\xaa") == 0 && lines.len < 60000)
        ;
    buf_put(&lines, "@example.com\n");
    assert_string_equal("DUNNO", ask(buf_text(&lines)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(charges_all_limits_or_none, close_case),
        cmocka_unit_test_teardown(charges_a_limit_once_that_two_rules_name, close_case),
        cmocka_unit_test_teardown(names_the_charge_by_the_request_when_it_has_an_instance,
                                  close_case),
        cmocka_unit_test_teardown(tells_contexts_apart_where_anything_reads_them, close_case),
        cmocka_unit_test_teardown(charges_nothing_for_refused_mail, close_case),
        cmocka_unit_test_teardown(charges_under_accept, close_case),
        cmocka_unit_test_teardown(shadow_rules_charge_nothing, close_case),
        cmocka_unit_test_teardown(charges_at_the_stages_of_the_limit, close_case),
        cmocka_unit_test_teardown(an_empty_key_is_no_ones_quota, close_case),
        cmocka_unit_test_teardown(counts_a_message_once_for_each_subject_at_rcpt, close_case),
        cmocka_unit_test_teardown(counts_every_message_without_an_instance, close_case),
        cmocka_unit_test_teardown(counts_a_connection_once, close_case),
        cmocka_unit_test_teardown(tells_connections_apart_by_both_ends, close_case),
        cmocka_unit_test_teardown(counts_refusals_and_refuses_who_has_too_many, close_case),
        cmocka_unit_test_teardown(follows_trouble_when_the_charge_fails, close_case),
        cmocka_unit_test_teardown(follows_trouble_when_a_key_is_unknown, close_case),
        cmocka_unit_test_teardown(an_unknown_key_does_not_take_a_refusal_from_its_rule, close_case),
        cmocka_unit_test_teardown(a_rule_in_trouble_defers_or_not, close_case),
        cmocka_unit_test_teardown(says_how_much_is_used, close_case),
        cmocka_unit_test_teardown(usage_is_not_known_when_the_charge_failed, close_case),
        cmocka_unit_test_teardown(has_a_text_where_the_limits_own_cannot_be_said, close_case),
        cmocka_unit_test_teardown(an_over_that_accepts_lets_pass, close_case),
        cmocka_unit_test_teardown(fetches_side_by_side_and_goes_on, close_case),
        cmocka_unit_test_teardown(decides_with_what_is_known_when_the_budget_is_over, close_case),
        cmocka_unit_test_teardown(gives_a_charge_up_when_the_budget_is_over, close_case),
        cmocka_unit_test_teardown(goes_on_without_its_owner, close_case),
        cmocka_unit_test_teardown(ends_with_the_server, close_case),
        cmocka_unit_test_teardown(keeps_the_policy_it_began_with, close_case),
        cmocka_unit_test_teardown(ends_lookups_that_the_verdict_does_not_need, close_case),
        cmocka_unit_test_teardown(explains_without_an_effect, close_case),
        cmocka_unit_test_teardown(explains_which_limit_would_be_exceeded, close_case),
        cmocka_unit_test_teardown(counts_what_limits_and_troubles_did, close_case),
        cmocka_unit_test_teardown(says_one_thing, close_case),
        cmocka_unit_test_teardown(repeats_the_reference_in_the_log, close_case),
        cmocka_unit_test_teardown(answers_even_when_its_memory_is_used_up, close_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
