/* tests/unit/milter/test_commands.c - commands as packets: what is malformed ends the connection, what is said of client and
 * envelope arrives, answers are packets. */
#include "tests/unit/unit.h"

#include "common/milter/milter_private.h"
#include "common/milter/wire.h"

static struct milter_reply said;
static struct milter_shared shared;
static struct commands *commands;
static char client_text[200], envelope[200], answer_text[200];

static struct milter_reply on_connect(struct milter_session *session)
{
    const struct message_client *client = milter_session_client(session);
    char address[IP_ADDRESS_TEXT_MAX] = "-";

    if (client->has_address)
        ip_address_print(&client->address, address);
    snprintf(client_text, sizeof client_text, "%.*s %s %u", SLICE_ARG(client->name), address,
             client->port);
    return said;
}

static struct milter_reply on_helo(UNUSED struct milter_session *session)
{
    return said;
}

static struct milter_reply on_sender(struct milter_session *session)
{
    const struct message *message = milter_session_message(session);

    snprintf(envelope, sizeof envelope, "%.*s", SLICE_ARG(message->sender));
    return said;
}

static struct milter_reply on_recipient(struct milter_session *session, size_t n)
{
    const struct message *message = milter_session_message(session);

    snprintf(envelope, sizeof envelope, "%.*s", SLICE_ARG(message->recipients[n].address));
    return said;
}

static struct milter_reply on_end(struct milter_session *session)
{
    const struct message *message = milter_session_message(session);
    struct slice body;
    char space[100];

    assert_int_equal(0, spool_read(message->body, 0, sizeof space, space, &body));
    snprintf(envelope, sizeof envelope, "%.*s %zu %.*s", SLICE_ARG(message->queue_id),
             message->header_count, SLICE_ARG(body));
    return said;
}

static const struct milter_hooks hooks = { .connect = on_connect,
                                           .helo = on_helo,
                                           .sender = on_sender,
                                           .recipient = on_recipient,
                                           .end = on_end };

static int copy_settings(UNUSED struct arena *arena, struct milter_settings *out)
{
    *out = (struct milter_settings){ .spool_directory = SLICE("/tmp"),
                                     .message_memory = 1000,
                                     .message_size_max = 20000,
                                     .max_sessions = 10 };
    return 0;
}

static int progress(UNUSED void *carrier, UNUSED bool may_say)
{
    return 0;
}

static void wake(UNUSED void *carrier)
{
}

static const struct commands_link link_of = { progress, wake };

static enum commands_state run(char command, struct slice data)
{
    return commands_run(commands, &(struct milter_packet){ command, data });
}

/* The command of the answer, its data in `answer_text`; `-`: there is none. */
static char answered(void)
{
    struct buf *output = commands_output(commands);
    struct milter_packet packet = { .command = '-', .data = SLICE("") };
    size_t used = 0;

    if (output->len > 0) {
        assert_int_equal(WIRE_DONE, milter_packet_read(buf_slice(output), &packet, &used));
        assert_int_equal(output->len, used);
    }
    snprintf(answer_text, sizeof answer_text, "%.*s", SLICE_ARG(packet.data));
    buf_clear(output);
    return packet.command;
}

/* An MTA of version 6 that waits for every answer. */
static void negotiate(void)
{
    assert_int_equal(COMMANDS_GO_ON, run('O', SLICE("\0\0\0\6\0\0\1\xff\0\0\0\0")));
    assert_int_equal('O', answered());
}

static void connect_client(void)
{
    negotiate();
    assert_int_equal(COMMANDS_GO_ON, run('C', SLICE("mx\0U")));
    assert_int_equal('c', answered());
}

static int open_case(UNUSED void **state)
{
    shared = (struct milter_shared){ .hooks = &hooks,
                                     .admission = admission_new(),
                                     .settings = copy_settings };
    milter_metrics_register(&shared.metrics);
    said = (struct milter_reply){ .action = MILTER_CONTINUE };
    client_text[0] = envelope[0] = '\0';
    commands = commands_new(&shared, NULL, &link_of, NULL);
    return commands == NULL ? -1 : 0;
}

static int close_case(UNUSED void **state)
{
    commands_free(&commands);
    assert_int_equal(0, admission_count(shared.admission));
    admission_free(&shared.admission);
    return 0;
}

static void nothing_goes_before_the_negotiation(UNUSED void **state)
{
    assert_int_equal(COMMANDS_CLOSE, run('C', SLICE("a\0U")));
    negotiate();
    assert_int_equal(COMMANDS_CLOSE, run('O', SLICE("\0\0\0\6\0\0\1\xff\0\0\0\0")));
}

static const struct {
    struct slice data;
    const char *client; /* NULL: malformed */
} clients[] = {
    { SLICE_INIT("mx.example\0004\x12\x34"
                 "192.0.2.7\0"),
      "mx.example 192.0.2.7 4660" },
    { SLICE_INIT("mx.example\0006\0\x19"
                 "2001:db8::1\0"),
      "mx.example 2001:db8::1 25" },
    { SLICE_INIT("mx.example\0006\0\x19"
                 "IPv6:2001:db8::1\0"),
      "mx.example 2001:db8::1 25" },
    { SLICE_INIT("localhost\0U"), "localhost - 0" },
    { SLICE_INIT("localhost\0L\0\0/tmp/x\0"), "localhost - 0" },
    { SLICE_INIT(""), NULL },
    { SLICE_INIT("mx.example"), NULL },
    { SLICE_INIT("mx.example\0"), NULL },
    { SLICE_INIT("mx.example\0004"), NULL },
    { SLICE_INIT("mx.example\0004\x12"), NULL },
    { SLICE_INIT("mx.example\0004\x12\x34"), NULL },
    { SLICE_INIT("mx.example\0004\x12\x34"
                 "192.0.2.7"),
      NULL },
    { SLICE_INIT("mx.example\0X\x12\x34"
                 "192.0.2.7\0"),
      NULL },
    { SLICE_INIT("mx.example\0\0\x12\x34"
                 "192.0.2.7\0"),
      NULL },
};

static void reads_who_the_client_is(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(clients); i++) {
        negotiate();
        bool ok = run('C', clients[i].data) == COMMANDS_GO_ON;
        if (ok != (clients[i].client != NULL) || answered() != (ok ? 'c' : '-') ||
            strcmp(client_text, ok ? clients[i].client : "") != 0)
            fail_msg("row %zu: %s", i, client_text);
        close_case(NULL);
        open_case(NULL);
    }
}

static const struct {
    char command;
    struct slice data;
    const char *envelope; /* NULL: malformed */
} commands_of_mail[] = {
    { 'M', SLICE_INIT("<a@x.example>\0"), "a@x.example" },
    { 'M', SLICE_INIT("<>\0SIZE=5\0BODY=8BITMIME\0"), "" },
    { 'M', SLICE_INIT("<a@x.example>"), NULL },
    { 'M', SLICE_INIT("<a@x.example>\0SIZE=5"), NULL },
    { 'M', SLICE_INIT(""), NULL },
    { 'H', SLICE_INIT("mx"), NULL },
    { 'L', SLICE_INIT("Subject\0x"), NULL },
    { 'L', SLICE_INIT("Subject"), NULL },
    { 'L', SLICE_INIT("\0x\0"), NULL },
    { '!', SLICE_INIT(""), NULL },
};

static void what_is_malformed_ends_the_connection(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(commands_of_mail); i++) {
        connect_client();
        bool ok = run(commands_of_mail[i].command, commands_of_mail[i].data) == COMMANDS_GO_ON;
        if (ok != (commands_of_mail[i].envelope != NULL) || answered() != (ok ? 'c' : '-') ||
            (ok && strcmp(envelope, commands_of_mail[i].envelope) != 0))
            fail_msg("row %zu: %s", i, envelope);
        close_case(NULL);
        open_case(NULL);
    }
}

static void a_message_goes_through(UNUSED void **state)
{
    connect_client();
    assert_int_equal(COMMANDS_GO_ON, run('D', SLICE("Mi\0one\0")));
    assert_int_equal('-', answered());
    assert_int_equal(COMMANDS_GO_ON, run('M', SLICE("<a@x.example>\0")));
    assert_int_equal('c', answered());
    assert_false(commands_are_idle(commands));
    assert_int_equal(COMMANDS_GO_ON, run('R', SLICE("<b@x.example>\0")));
    assert_string_equal("b@x.example", envelope);
    assert_int_equal('c', answered());
    assert_int_equal(COMMANDS_GO_ON, run('T', SLICE("")));
    assert_int_equal('c', answered());
    assert_int_equal(COMMANDS_GO_ON, run('L', SLICE("Subject\0 x\0")));
    assert_int_equal('c', answered());
    assert_int_equal(COMMANDS_GO_ON, run('N', SLICE("")));
    assert_int_equal('c', answered());
    assert_int_equal(COMMANDS_GO_ON, run('B', SLICE("Hello\r\n")));
    assert_int_equal('c', answered());
    assert_int_equal(COMMANDS_SENT, run('E', SLICE("the last of it\r\n")));
    assert_string_equal("one 1 Hello\r\nthe last of it\r\n", envelope);
    assert_int_equal('c', answered());
    assert_int_equal(COMMANDS_GO_ON, commands_sent(commands, true));
    assert_true(commands_are_idle(commands));
    assert_int_equal(COMMANDS_CLOSE, run('Q', SLICE("")));
}

static void an_abort_ends_the_message_alone(UNUSED void **state)
{
    connect_client();
    run('M', SLICE("<a@x.example>\0"));
    assert_false(commands_are_idle(commands));
    assert_int_equal(COMMANDS_GO_ON, run('A', SLICE("")));
    assert_true(commands_are_idle(commands));
    answered();
    assert_int_equal(COMMANDS_GO_ON, run('M', SLICE("<c@x.example>\0")));
    assert_string_equal("c@x.example", envelope);
}

/* The MTA would take a % for the beginning of something. */
static void answers_are_packets(UNUSED void **state)
{
    static const struct {
        struct milter_reply reply;
        char answer;
        const char *text;
    } rows[] = {
        { { .action = MILTER_CONTINUE }, 'c', "" },
        { { .action = MILTER_ACCEPT }, 'a', "" },
        { { .action = MILTER_DISCARD }, 'd', "" },
        { { .action = MILTER_REJECT, .reply = { 550, SLICE_INIT("5.7.1"), SLICE_INIT("100% no") } },
          'y',
          "550 5.7.1 100%% no" },
        { { .action = MILTER_TEMPFAIL, .reply = { 451, SLICE_INIT("4.7.1"), SLICE_INIT("Later") } },
          'y',
          "451 4.7.1 Later" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        connect_client();
        said = rows[i].reply;
        assert_int_equal(COMMANDS_GO_ON, run('M', SLICE("<a@x.example>\0")));
        char got = answered();
        if (got != rows[i].answer || strcmp(answer_text, rows[i].text) != 0)
            fail_msg("row %zu: %c %s", i, got, answer_text);
        close_case(NULL);
        open_case(NULL);
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_case, close_case)
    const struct CMUnitTest tests[] = {
        TEST(nothing_goes_before_the_negotiation),   TEST(reads_who_the_client_is),
        TEST(what_is_malformed_ends_the_connection), TEST(a_message_goes_through),
        TEST(an_abort_ends_the_message_alone),       TEST(answers_are_packets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
