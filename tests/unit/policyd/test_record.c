/* tests/unit/policyd/test_record.c - transaction records: which requests leave one, under which key, and what is in it. */
#include "tests/fakes/policyd_case.h"
#include "tests/unit/unit.h"

#include "common/net/dns.h"
#include "common/rules/trace.h"
#include "tests/fakes/dns_server.h"

#define CLIENT "client_address=192.0.2.7\nclient_port=4711\nserver_address=192.0.2.1\n"
#define RCPT                                                                                       \
    "protocol_state=RCPT\n" CLIENT "sender=Alice@Example.com\nrecipient=bob@example.org\n"         \
    "sasl_username=alice@example.com\n"
#define DATA                                                                                       \
    "protocol_state=DATA\n" CLIENT "queue_id=4Xk2Lq\nsender=Alice@Example.com\n"                   \
    "recipient=bob@example.org\nrecipient_count=1\nsasl_username=alice@example.com\n"
#define END                                                                                        \
    "protocol_state=END-OF-MESSAGE\n" CLIENT "queue_id=4Xk2Lq\nsender=Alice@Example.com\n"         \
    "recipient_count=2\nsize=2000\nsasl_username=alice@example.com\n"
#define QUEUED "tx:{4Xk2Lq/192.0.2.7/4711/192.0.2.1} tx:{1.2/192.0.2.1} "
#define EARLY "tx:{1.2/192.0.2.1} - "
#define WHO "sender=alice@example.com instance=1.2"
#define LIMIT "[limit a]\nkey = sasl_username\nrate = 3/1h\n[rule quota]\nthen = limit a\n"

static struct policyd_case test;

static void open_case(const char *config)
{
    policyd_case_open(&test, config);
    test.store->ops.is_shared = true;
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

/* The last record is this, and `count` have been written. */
static void assert_record(size_t count, const char *want)
{
    assert_int_equal(count, test.store->records);
    assert_string_equal(want, buf_text(&test.store->record));
}

/* ---- what is written ---- */

static void says_what_rules_say_of_a_message(UNUSED void **state)
{
    open_case("[rule points]\nthen = score +2.5\n[rule ok]\nwhen = sender = alice@example.com\n"
              "then = accept\n[rule never]\nthen = reject No\n");
    assert_string_equal("DUNNO", ask(DATA "instance=1.2\n"));
    assert_record(1, QUEUED WHO " rule=ok score=2.5");
}

static void has_the_reference_of_the_answer(UNUSED void **state)
{
    char want[200];

    open_case("[rule h]\nthen = hold Looked at\n");
    ask(DATA "instance=1.2\n");
    const char *reference = strstr(buf_text(&test.store->log), "ref=");
    assert_non_null(reference);
    snprintf(want, sizeof want, QUEUED WHO " rule=h ref=%.6s", reference + 4);
    assert_record(1, want);
}

static void a_charge_brings_its_record_along(UNUSED void **state)
{
    open_case(LIMIT);
    ask(DATA "instance=1.2\n");
    assert_record(1, QUEUED WHO);
    assert_int_equal(1, test.store->charges);
    ask(END "instance=1.2\n"); /* nothing is due, it is written alone */
    assert_record(2, QUEUED WHO);
    assert_int_equal(1, test.store->charges);
}

static void what_rules_say_of_one_recipient_is_not_said_of_the_message(UNUSED void **state)
{
    open_case("[limit a]\nrate = 9/1h\ncharge = rcpt\n[rule q]\nthen = limit a\n"
              "[rule s]\nthen = score +2\n[rule ok]\nthen = accept\n");
    ask(RCPT "instance=1.2\n");
    assert_record(1, EARLY WHO);
    ask(RCPT
        "queue_id=4Xk2Lq\ninstance=1.2\n"); /* the second recipient: the name stays until DATA */
    assert_int_equal(1, test.store->records); /* equal but for the queue id: another request */
}

/* What counts messages is the message's, unless it counts those of this very recipient. */
static void says_what_is_charged_for_one_recipient_alone(UNUSED void **state)
{
    open_case("[limit a]\nkey = sasl_username\ncount = recipients\ncharge = rcpt\nrate = 9/1h\n"
              "[limit m]\nkey = sasl_username\ncharge = rcpt\nrate = 9/1h\n"
              "[limit r]\nkey = sasl_username, recipient\ncharge = rcpt\nrate = 9/1h\n"
              "[limit d]\nkey = recipient_domain\ncharge = rcpt\nrate = 9/1h\n"
              "[limit c]\nkey = client_address\ncount = connections\nrate = 9/1h\n"
              "[limit whole]\nkey = sasl_username\ncount = recipients\nrate = 9/1h\n"
              "[rule q]\nthen = limit a, m, r, d, c, whole\n");
    ask(RCPT "instance=1.2\n");
    assert_int_equal(5, test.store->use_count);
    assert_string_equal("m:bob@example.org a r", buf_text(&test.store->alone));
    ask(DATA "instance=1.2\n");
    assert_string_equal("", buf_text(&test.store->alone));
}

static void a_recipient_of_which_nothing_is_known_leaves_nothing(UNUSED void **state)
{
    open_case(LIMIT); /* due at DATA */
    ask(RCPT "instance=1.2\n");
    assert_int_equal(0, test.store->records);
}

static void keeps_the_extension_of_the_sender(UNUSED void **state)
{
    open_case("strip_extension = yes\n");
    ask("protocol_state=DATA\nqueue_id=A\nclient_address=::ffff:192.0.2.7\n"
        "sender=Alice+News@Example.com\ninstance=1.2\n");
    assert_record(1, "tx:{A/192.0.2.7/0/} tx:{1.2/} sender=alice+news@example.com instance=1.2");
}

static void a_bounce_is_recorded(UNUSED void **state)
{
    open_case("");
    ask("protocol_state=DATA\nqueue_id=A\n" CLIENT "sender=\ninstance=1.2\n");
    assert_record(1, "tx:{A/192.0.2.7/4711/192.0.2.1} tx:{1.2/192.0.2.1} sender= instance=1.2");
}

/* ---- what is not ---- */

static void what_is_refused_leaves_no_record(UNUSED void **state)
{
    static const struct {
        const char *config, *lines;
    } rows[] = {
        { "[rule r]\nthen = reject No\n", DATA "instance=1.2\n" },
        { "[rule r]\nthen = defer Later\n", END "instance=1.2\n" },
        { "[limit a]\nrate = 0/1h\n[rule q]\nthen = limit a\n", DATA "instance=1.2\n" },
        { "[limit a]\nrate = 9/1h\ncount = refused\n[rule q]\nthen = limit a\n"
          "[rule r]\nthen = reject No\n",
          DATA "instance=1.2\n" },
        { "[rule g]\nthen = greylist 5m\n", RCPT "instance=1.2\n" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        open_case(rows[i].config);
        assert_string_not_equal("DUNNO", ask(rows[i].lines));
        if (test.store->records != 0)
            fail_msg("row %zu: %s", i, buf_text(&test.store->record));
        if (i + 1 < COUNT(rows))
            policyd_case_close(&test);
    }
}

static void a_limit_whose_action_refuses_nothing_is_recorded_without_charge(UNUSED void **state)
{
    open_case("[limit a]\nrate = 0/1h\nover = hold Too much\n[rule q]\nthen = limit a\n");
    ask(DATA "instance=1.2\n");
    assert_int_equal(1, test.store->records);
    assert_non_null(strstr(buf_text(&test.store->record), "rule=q ref="));
}

static void without_a_name_there_is_no_record(UNUSED void **state)
{
    static const char *const rows[] = {
        "protocol_state=DATA\n" CLIENT "sender=a@example.com\ninstance=1.2\n", /* no queue id */
        "protocol_state=DATA\nqueue_id=A\nsender=a@example.com\ninstance=1.2\n", /* no client */
        "protocol_state=MAIL\n" CLIENT "queue_id=A\nsender=a@example.com\ninstance=1.2\n",
        "protocol_state=VRFY\n" CLIENT "queue_id=A\nsender=a@example.com\ninstance=1.2\n",
    };

    open_case("[limit a]\nrate = 9/1h\n[rule q]\nthen = limit a\n");
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal("DUNNO", ask(rows[i]));
        if (test.store->records != 0)
            fail_msg("row %zu: %s", i, buf_text(&test.store->record));
    }
}

static void memory_and_transaction_records_no_write_nothing(UNUSED void **state)
{
    open_case(LIMIT);
    test.store->ops.is_shared = false;
    ask(DATA "instance=1.2\n");
    assert_int_equal(0, test.store->records);
    assert_int_equal(0, metric_read(test.policyd.metrics.records_failed));
    policyd_case_close(&test);
    open_case("transaction_records = no\n" LIMIT);
    ask(DATA "instance=1.2\n");
    assert_int_equal(1, test.store->charges);
    assert_int_equal(0, test.store->records);
}

static void keep(void *arg, const struct decided *decided)
{
    *(bool *)arg = decided != NULL;
}

static void what_is_explained_is_not_recorded(UNUSED void **state)
{
    AUTO_BUF bytes = BUF_INIT(0);
    bool explained = false;

    open_case(LIMIT);
    struct policy_request request = policyd_request(&bytes, DATA "instance=1.2\n");
    inquiry_explain(test.server, &request, NULL, keep, &explained);
    assert_true(explained);
    assert_int_equal(0, test.store->records);
}

static void a_repeated_charge_writes_no_second_record(UNUSED void **state)
{
    open_case(LIMIT);
    uint64_t written = metric_read(test.policyd.metrics.records_written);
    ask(DATA "instance=1.2\n");
    ask(DATA "instance=1.2\n"); /* as from another host: the same charge */
    assert_int_equal(2, test.store->charges);
    assert_int_equal(1, test.store->records);
    assert_int_equal(written + 1, metric_read(test.policyd.metrics.records_written));
}

/* ---- waiting ---- */

static void the_answer_waits_for_the_record(UNUSED void **state)
{
    struct policyd_answer answer;

    open_case("");
    test.store->holds = true;
    policyd_case_start(&test, DATA "instance=1.2\n", NULL, &answer);
    assert_int_equal(0, answer.count);
    assert_int_equal(1, test.store->held_count);
    fake_store_release(test.store);
    assert_int_equal(1, answer.count);
    assert_string_equal("DUNNO", answer.reply);
    assert_record(1, QUEUED WHO);
}

static void a_store_that_does_not_answer_is_counted(UNUSED void **state)
{
    open_case("");
    test.store->fails = true;
    uint64_t failed = metric_read(test.policyd.metrics.records_failed);
    assert_string_equal("DUNNO", ask(DATA "instance=1.2\n"));
    assert_int_equal(failed + 1, metric_read(test.policyd.metrics.records_failed));
}

static void the_budget_ends_the_waiting(UNUSED void **state)
{
    struct policyd_answer answer;

    open_case("budget = 100ms\n");
    test.store->holds = true;
    uint64_t failed = metric_read(test.policyd.metrics.records_failed);
    policyd_case_start(&test, DATA "instance=1.2\n", NULL, &answer);
    assert_int_equal(0, answer.count);
    policyd_case_run(&test, 150);
    assert_int_equal(1, answer.count);
    assert_string_equal("DUNNO", answer.reply);
    assert_int_equal(1, test.store->abandoned);
    assert_int_equal(failed + 1, metric_read(test.policyd.metrics.records_failed));
}

static void ends_with_the_server(UNUSED void **state)
{
    struct policyd_answer answer;

    open_case("");
    test.store->holds = true;
    policyd_case_start(&test, DATA "instance=1.2\n", NULL, &answer);
    inquiries_free(test.server);
    assert_int_equal(0, test.store->held_count);
    assert_int_equal(0, answer.count);
}

/* ---- SPF ---- */

static void answer_spf(UNUSED void *arg, const struct dns_query *query, struct dns_reply *reply)
{
    if (query->type == RR_TXT)
        dns_message_add_txt(&reply->message, query->name, 60, SLICE("v=spf1 ip4:192.0.2.7 -all"));
}

static void spf_that_was_looked_up_is_recorded(UNUSED void **state)
{
    struct dns_server names;
    struct policyd_answer answer;

    open_case("[rule r]\nwhen = spf = fail or spf_helo = fail\nthen = reject No\n");
    dns_server_init(&names, worker_base(test.worker), answer_spf, NULL);
    dns_server_start(&names);
    test.server->dns = dns_server_dns(&names, test.worker, 3000);
    policyd_case_start(&test, RCPT "helo_name=mx.example.net\ninstance=1.2\n", NULL, &answer);
    for (unsigned i = 0; answer.count == 0 && i < 300; i++)
        policyd_case_run(&test, 10);
    assert_string_equal("DUNNO", answer.reply);
    assert_record(1, EARLY WHO " spf=pass spf.domain=example.com spf_helo=pass "
                               "spf_helo.domain=mx.example.net");
    dns_free(&test.server->dns);
    dns_server_stop(&names);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, close_case)
    const struct CMUnitTest tests[] = {
        TEST(says_what_rules_say_of_a_message),
        TEST(has_the_reference_of_the_answer),
        TEST(a_charge_brings_its_record_along),
        TEST(what_rules_say_of_one_recipient_is_not_said_of_the_message),
        TEST(says_what_is_charged_for_one_recipient_alone),
        TEST(a_recipient_of_which_nothing_is_known_leaves_nothing),
        TEST(keeps_the_extension_of_the_sender),
        TEST(a_bounce_is_recorded),
        TEST(what_is_refused_leaves_no_record),
        TEST(a_limit_whose_action_refuses_nothing_is_recorded_without_charge),
        TEST(without_a_name_there_is_no_record),
        TEST(memory_and_transaction_records_no_write_nothing),
        TEST(what_is_explained_is_not_recorded),
        TEST(a_repeated_charge_writes_no_second_record),
        TEST(the_answer_waits_for_the_record),
        TEST(a_store_that_does_not_answer_is_counted),
        TEST(the_budget_ends_the_waiting),
        TEST(ends_with_the_server),
        TEST(spf_that_was_looked_up_is_recorded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
