/* tests/unit/message/test_described.c - a message as an operator describes it. */
#include "common/message/described.h"
#include "tests/fakes/mail_message.h"
#include "tests/unit/unit.h"

static const struct spool_bounds bounds = { "/tmp", 1 << 20, 1 << 20 };

/* ---- what the MTA would say ---- */

static void an_envelope_is_what_is_said(UNUSED void **state)
{
    struct described described;
    AUTO_BUF error = BUF_INIT(200);

    assert_true(described_read(
        SLICE("client_address=192.0.2.7\nclient_name=mx.example.net\nclient_port=25000\n"
              "helo_name=helo.example\ndaemon_port=587\nencryption_protocol=TLSv1.3\n"
              "sasl_username=alice\nqueue_id=4ABC\nsender=<A@Example.net>\nsmtputf8=yes\n"
              "recipient=b@example.org\r\nrecipient=C@Example.com\n\nSubject: x\n\nbody"),
        NULL, &described, &error));
    const struct message *message = described.message;
    assert_true(message->client.has_address);
    assert_int_equal(25000, message->client.port);
    assert_slice("mx.example.net", message->client.name);
    assert_slice("helo.example", message->client.helo);
    assert_slice("587", message->client.daemon_port);
    assert_slice("TLSv1.3", message->client.tls_version);
    assert_slice("alice", message->sasl_username);
    assert_slice("4ABC", message->queue_id);
    assert_slice("A@Example.net", message->sender);
    assert_slice("a@example.net", message->sender_normal);
    assert_true(message->is_smtputf8);
    assert_int_equal(0, message->recipient_count); /* they come one by one */
    assert_int_equal(2, described.recipient_count);
    assert_slice("b@example.org", described.recipients[0]);
    assert_slice("C@Example.com", described.recipients[1]);
    assert_slice("Subject: x\n\nbody", described.content);
    assert_false(described.has_record);
    message_unref(&described.message);
}

static void what_is_left_out_is_absent(UNUSED void **state)
{
    struct described described;
    AUTO_BUF error = BUF_INIT(200);

    assert_true(described_read(SLICE(""), NULL, &described, &error));
    assert_false(described.message->client.has_address);
    assert_int_equal(0, described.message->sender.len);
    assert_int_equal(0, described.message->sasl_username.len);
    assert_int_equal(0, described.content.len);
    message_unref(&described.message);
}

static void policyd_may_have_recorded_something(UNUSED void **state)
{
    struct described described;
    AUTO_BUF error = BUF_INIT(200);

    assert_true(described_read(SLICE("policy.spf=pass\npolicy.spf_domain=example.net\n"
                                     "policy.spf_helo=none\npolicy.score=2.5\npolicy.rule=allow\n"
                                     "sender=a@example.net\n"),
                               NULL, &described, &error));
    assert_true(described.has_record);
    assert_slice("pass", described.record.spf.result);
    assert_slice("example.net", described.record.spf.domain);
    assert_slice("none", described.record.spf_helo.result);
    assert_true(described.record.has_score && described.record.score > 2.4);
    assert_slice("allow", described.record.rule);
    assert_slice("a@example.net", described.record.sender);
    message_unref(&described.message);
}

static void mistakes_are_named(UNUSED void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "client_adress=192.0.2.1\n",
          "there is no attribute \"client_adress\"; did you mean \"client_address\"?" },
        { "client_address=192.0.2\n", "client_address: no IP address" },
        { "client_port=65536\n", "client_port: no port" },
        { "recipient=\n", "recipient: nobody is named" },
        { "smtputf8=perhaps\n", "smtputf8: yes or no" },
        { "policy.spf=good\n", "policy.spf: no result of SPF" },
        { "policy.score=high\n", "policy.score: no number" },
        { "From: a@example.net\n", "NAME=VALUE is expected" },
        { "=x\n", "there is no attribute \"\"" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct described described;
        AUTO_BUF error = BUF_INIT(200);
        if (described_read(slice_of(rows[i].text), NULL, &described, &error))
            fail_msg("%s: taken", rows[i].text);
        if (strstr(buf_text(&error), rows[i].want) == NULL)
            fail_msg("%s: %s", rows[i].text, buf_text(&error));
    }
}

static void recipients_and_lines_are_bounded(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(1 << 16);
    AUTO_BUF error = BUF_INIT(200);
    struct described described;

    for (int i = 0; i < DESCRIBED_RECIPIENTS_MAX; i++)
        buf_put(&text, "recipient=a@example.org\n");
    assert_true(described_read(buf_slice(&text), NULL, &described, &error));
    message_unref(&described.message);
    buf_put(&text, "recipient=a@example.org\n");
    assert_false(described_read(buf_slice(&text), NULL, &described, &error));
    buf_clear(&text);
    for (int i = 0; i <= DESCRIBED_LINES_MAX; i++)
        buf_put(&text, "sender=a@example.org\n");
    assert_false(described_read(buf_slice(&text), NULL, &described, &error));
}

static const char *take_own(void *arg, struct slice name, struct slice value, bool *is_known)
{
    *is_known = slice_starts_with(name, SLICE("own"));
    *(struct slice *)arg = value;
    return value.len > 0 ? NULL : "it is empty";
}

static void a_daemon_has_names_of_its_own(UNUSED void **state)
{
    struct slice value;
    const struct described_own own = { take_own, &value };
    struct described described;
    AUTO_BUF error = BUF_INIT(200);

    assert_true(described_read(SLICE("own=x\n"), &own, &described, &error));
    assert_slice("x", value);
    message_unref(&described.message);
    assert_false(described_read(SLICE("own=\n"), &own, &described, &error));
    assert_string_equal("own: it is empty", buf_text(&error));
    buf_clear(&error);
    assert_false(described_read(SLICE("other=1\n"), &own, &described, &error));
    assert_non_null(strstr(buf_text(&error), "there is no attribute \"other\""));
    AUTO_BUF text = BUF_INIT(400);
    buf_printf(&text, "own%0300d=\n", 0);
    buf_clear(&error);
    assert_false(described_read(buf_slice(&text), &own, &described, &error));
    assert_non_null(strstr(buf_text(&error), "000: it is empty"));
}

/* ---- header fields and body ---- */

static void a_file_becomes_what_an_mta_would_send(UNUSED void **state)
{
    static const struct {
        const char *what, *text, *want; /* as bytes over SMTP */
        size_t fields;
    } rows[] = {
        { "line ends", "Subject: x\n\none\ntwo\n", "Subject: x\r\n\r\none\r\ntwo\r\n", 1 },
        { "CRLF stays, and so does what is odd", "Subject: x\r\n\r\none\ntwo\r\n",
          "Subject: x\r\n\r\none\ntwo\r\n", 1 },
        { "both in one file of LF", "Subject: x\n\none\r\ntwo\n",
          "Subject: x\r\n\r\none\r\ntwo\r\n", 1 },
        { "no line end at the end", "A: 1\n\nbody", "A: 1\r\n\r\nbody", 1 },
        { "folds", "A: 1\n\t2\n 3\nB:4\n\n", "A: 1\r\n\t2\r\n 3\r\nB:4\r\n\r\n", 2 },
        { "from a mailbox", "From a@example.net Mon Nov 22 12:00:00 2026\nA: 1\n\nx",
          "A: 1\r\n\r\nx", 1 },
        { "a blank before the colon is no mailbox", "From : a@example.net\n\nx",
          "From : a@example.net\r\n\r\nx", 1 },
        { "what is no field begins the body", "A: 1\nno field here\n",
          "A: 1\r\n\r\nno field here\r\n", 1 },
        { "a name with a blank is none", "A: 1\nno field: here\n", "A: 1\r\n\r\nno field: here\r\n",
          1 },
        { "a header alone", "A: 1\n", "A: 1\r\n\r\n", 1 },
        { "without its last line end", "A: 1", "A: 1\r\n\r\n", 1 },
        { "no header", "\nbody\n", "\r\nbody\r\n", 0 },
        { "nothing", "", "\r\n", 0 },
        { "an empty value", "A:\nB: 2\n\n", "A:\r\nB: 2\r\n\r\n", 2 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUF text = BUF_INIT(1000);
        AUTO_BUF got = BUF_INIT(1000);
        AUTO_BUF error = BUF_INIT(200);
        struct described described;
        buf_printf(&text, "sender=a@example.net\n\n%s", rows[i].text);
        assert_true(described_read(buf_slice(&text), NULL, &described, &error));
        assert_int_equal(MESSAGE_OK, described_fill(&described, &bounds));
        assert_true(message_is_whole(described.message));
        assert_true(mail_message_bytes(described.message, &got));
        if (strcmp(rows[i].want, buf_text(&got)) != 0 ||
            described.message->header_count != rows[i].fields)
            fail_msg("%s: %zu fields, \"%s\"", rows[i].what, described.message->header_count,
                     buf_text(&got));
        message_unref(&described.message);
    }
}

static void what_is_too_large_is_told(UNUSED void **state)
{
    static const struct spool_bounds small = { "/tmp", 100, 3 };
    struct described described;
    AUTO_BUF error = BUF_INIT(200);

    assert_true(described_read(SLICE("\nA: 1\n\nbody\n"), NULL, &described, &error));
    assert_int_equal(MESSAGE_TOO_MUCH, described_fill(&described, &small));
    message_unref(&described.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_is_what_is_said),
        cmocka_unit_test(what_is_left_out_is_absent),
        cmocka_unit_test(policyd_may_have_recorded_something),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(recipients_and_lines_are_bounded),
        cmocka_unit_test(a_daemon_has_names_of_its_own),
        cmocka_unit_test(a_file_becomes_what_an_mta_would_send),
        cmocka_unit_test(what_is_too_large_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
