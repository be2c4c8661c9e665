/* tests/unit/scanners/test_rspamd_request.c - what rspamd is told beside the message. */
#include "tests/unit/unit.h"

#include "contentd/scanners/rspamd_request.h"
#include "tests/fakes/sample_message.h"

static const struct sample_message full = {
    .address = "192.0.2.7",
    .name = "mail.example.net",
    .helo = "helo.example.net",
    .queue_id = "4Xk2Lq",
    .sasl_username = "alice",
    .sender = "<a@example.net>",
    .recipients = "<b@example.org>,<\"x y\"@example.org>",
    .headers = "Subject: x\n",
};

static void assert_request(const struct scanner *scanner, const struct sample_message *sample,
                           uint64_t length, const char *want)
{
    AUTO_BUF out = BUF_INIT(RSPAMD_HEAD_MAX);
    struct message *message = sample_message(sample);
    size_t untold = 99;

    assert_int_equal(
        0, rspamd_request(&out, scanner, message, "rspamd.example:11333", length, &untold));
    assert_slice(want, buf_slice(&out));
    assert_int_equal(0, untold);
    message_unref(&message);
}

#define BEGIN                                                                                      \
    "Host: rspamd.example:11333\r\nConnection: close\r\nUser-Agent: gatehouse\r\n"                 \
    "Flags: milter\r\n"
#define MTA                                                                                        \
    "MTA-Name: mx.example.org\r\nMTA-Tag: smtpd\r\nTLS-Cipher: TLS_AES_256_GCM_SHA384\r\n"         \
    "TLS-Version: TLSv1.3\r\n"

static void tells_the_whole_envelope(UNUSED void **state)
{
    const struct scanner scanner = { .password = SLICE_INIT("secret") };

    assert_request(&scanner, &full, 1234,
                   "POST /checkv2 HTTP/1.1\r\n" BEGIN "Password: secret\r\nContent-Length: 1234\r\n"
                   "IP: 192.0.2.7\r\nHostname: mail.example.net\r\nHelo: helo.example.net\r\n" MTA
                   "Queue-Id: 4Xk2Lq\r\nUser: alice\r\nFrom: <a@example.net>\r\n"
                   "Rcpt: <b@example.org>\r\nRcpt: <\"x y\"@example.org>\r\n\r\n");
}

static void leaves_out_what_is_not_known(UNUSED void **state)
{
    const struct scanner scanner = { .path = SLICE_INIT("/other") };
    const struct sample_message local = {
        .name = "unknown", .sender = "<>", .recipients = "<b@example.org>", .headers = "A: b\n"
    };

    assert_request(&scanner, &local, UINT64_MAX,
                   "POST /other HTTP/1.1\r\n" BEGIN "Transfer-Encoding: chunked\r\n" MTA
                   "From: <>\r\nRcpt: <b@example.org>\r\n\r\n");
}

static void empty_settings_are_none(UNUSED void **state)
{
    const struct scanner scanner = { .path = SLICE_INIT(""), .password = SLICE_INIT("") };
    const struct sample_message local = { .sender = "<>", .headers = "A: b\n" };

    assert_request(&scanner, &local, 1,
                   "POST /checkv2 HTTP/1.1\r\n" BEGIN "Content-Length: 1\r\n" MTA
                   "From: <>\r\n\r\n");
}

static void an_address_makes_no_field(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(RSPAMD_HEAD_MAX);
    const struct scanner scanner = { 0 };
    struct sample_message evil = full;
    size_t untold;

    evil.helo = "a\r\nSettings: {}";
    evil.sender = "<a\r\nFile: /etc/passwd\r\n@example.net>";
    evil.recipients = "<b\nShm: x@example.org>";
    struct message *message = sample_message(&evil);
    assert_int_equal(0, rspamd_request(&out, &scanner, message, "h", 1, &untold));
    assert_null(memmem(out.data, out.len, "\r\nSettings", 10));
    assert_null(memmem(out.data, out.len, "\nFile", 5));
    assert_null(memmem(out.data, out.len, "\nShm", 4));
    message_unref(&message);
}

static void says_how_many_recipients_found_no_room(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(RSPAMD_HEAD_MAX);
    const struct scanner scanner = { 0 };
    struct message *message = sample_message(&full);
    size_t untold;

    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(MESSAGE_OK,
                         message_add_recipient(message, SLICE("<c@example.org>"), NULL, 0));
    assert_int_equal(0, rspamd_request(&out, &scanner, message, "h", 1, &untold));
    assert_true(out.len <= RSPAMD_HEAD_MAX && out.len > RSPAMD_HEAD_MAX - 30);
    assert_int_equal(0, memcmp(out.data + out.len - 4, "\r\n\r\n", 4));
    assert_in_range(untold, 10000 - RSPAMD_HEAD_MAX / 20, 9999);
    message_unref(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_whole_envelope),
        cmocka_unit_test(leaves_out_what_is_not_known),
        cmocka_unit_test(empty_settings_are_none),
        cmocka_unit_test(an_address_makes_no_field),
        cmocka_unit_test(says_how_many_recipients_found_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
