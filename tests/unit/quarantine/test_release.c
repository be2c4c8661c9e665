/* tests/unit/quarantine/test_release.c - a kept message goes on its way, whatever the listener does. */
#include "common/quarantine/release.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/fakes/smtp_server.h"
#include "tests/unit/unit.h"

enum { RECIPIENTS = 3, TIMEOUT_MS = 20000 };

static const char text[] = "Subject: x\r\n\r\n.dot\r\n\xff end\r\n";

static int read_text(const struct source *source, uint64_t offset, size_t max, UNUSED char *space,
                     struct slice *out)
{
    *out = slice_part(source->head, (size_t)offset, max < 5 ? max : 5);
    return 0;
}

static int read_fails(UNUSED const struct source *source, uint64_t offset, UNUSED size_t max,
                      UNUSED char *space, struct slice *out)
{
    *out = SLICE("half of it");
    return offset == 0 ? 0 : -1;
}

static const struct source source = { .size = sizeof text - 1,
                                      .read = read_text,
                                      .head = SLICE_INIT(text) };

static void set_recipients(struct release_recipient recipients[RECIPIENTS])
{
    static const char *const addresses[RECIPIENTS] = { "a@x.example", "b@x.example",
                                                       "c@x.example" };

    for (size_t i = 0; i < RECIPIENTS; i++)
        recipients[i] = (struct release_recipient){ .to = { slice_of(addresses[i]), SLICE("") } };
}

/* One answer is another than the usual one. */
struct twist {
    const char *line, *reply;
};

static const char *twisted(void *arg, const char *line)
{
    const struct twist *twist = arg;

    return strcmp(twist->line, line) == 0 ? twist->reply : NULL;
}

static const struct {
    const char *what;
    struct twist twist;
    const char *states; /* T, R or L for each */
    const char *reply; /* part of the first one's */
} cases[] = {
    { "taken", { "-", NULL }, "TTT", "queued as ABC" },
    { "one is refused", { "RCPT TO:<a@x.example>", "550 5.1.1 no such user\r\n" }, "RTT", "5.1.1" },
    { "one later", { "RCPT TO:<b@x.example>", "450 4.2.0 later\r\n" }, "TLT", "queued" },
    { "no banner", { "", "554 5.7.1 go away\r\n" }, "RRR", "go away" },
    { "banner 421", { "", "421 busy\r\n" }, "LLL", "busy" },
    { "no SMTP", { "", "hello\r\n" }, "LLL", "no SMTP server" },
    { "closes at once", { "", "" }, "LLL", "closed" },
    { "MAIL refused", { "MAIL FROM:<s@x.example> SIZE=27", "550 no\r\n" }, "RRR", "no" },
    { "MAIL later", { "MAIL FROM:<s@x.example> SIZE=27", "452 full\r\n" }, "LLL", "full" },
    { "closes at RCPT", { "RCPT TO:<b@x.example>", "" }, "LLL", "closed" },
    { "DATA later", { "DATA", "451 not now\r\n" }, "LLL", "not now" },
    { "DATA refused", { "DATA", "554 no\r\n" }, "RRR", "554 no" },
    { "no go-ahead", { "DATA", "250 2.0.0 queued already?\r\n" }, "LLL", "queued already" },
    { "a go-ahead too early",
      { "MAIL FROM:<s@x.example> SIZE=27", "354 go on\r\n" },
      "LLL",
      "go on" },
    { "closes at DATA", { "DATA", "" }, "LLL", "closed" },
    { "text refused", { ".", "550 5.6.0 bad text\r\n" }, "RRR", "bad text" },
    { "text later", { ".", "451 4.3.0 disk\r\n" }, "LLL", "disk" },
    { "closes after the text", { ".", "" }, "LLL", "closed" },
    { "several lines", { ".", "250-2.0.0 a\r\n250 2.0.0 b\r\n" }, "TTT", "2.0.0 b" },
    { "QUIT unheard", { "QUIT", "" }, "TTT", "queued" },
};

static void says_what_became_of_each(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct twist twist = cases[i].twist;
        const struct smtp_script script = { NULL, twisted, &twist };
        struct smtp_server *server = smtp_server_start(&script);
        AUTO_BUF error = BUF_INIT(400);
        struct release *release = release_new(smtp_server_place(server), SLICE("me"), &error);
        struct release_recipient recipients[RECIPIENTS];
        struct kept kept = { .sender = SLICE("s@x.example"), .sender_arguments = SLICE("") };
        char got[RECIPIENTS + 1] = "";
        size_t taken = 0;
        set_recipients(recipients);
        size_t said = release_send(release, &kept, &source, recipients, RECIPIENTS, TIMEOUT_MS, -1);
        for (size_t n = 0; n < RECIPIENTS; n++) {
            got[n] = "LRT"[recipients[n].state];
            taken += recipients[n].state == RELEASE_TAKEN;
        }
        if (strcmp(cases[i].states, got) != 0 || taken != said ||
            strstr(recipients[0].reply, cases[i].reply) == NULL)
            fail_msg("%s: %s %s", cases[i].what, got, recipients[0].reply);
        if (smtp_server_count(server) != (taken > 0))
            fail_msg("%s: %zu messages", cases[i].what, smtp_server_count(server));
        release_free(&release);
        smtp_server_stop(&server);
    }
}

static void sends_every_byte(UNUSED void **state)
{
    struct smtp_server *server = smtp_server_start(NULL);
    AUTO_BUF error = BUF_INIT(400);
    struct release *release = release_new(smtp_server_place(server), SLICE("me.example"), &error);
    struct release_recipient recipient = { .to = { SLICE_INIT("a@x.example"),
                                                   SLICE_INIT("NOTIFY=NEVER") } };
    struct kept kept = { .sender = SLICE(""), .sender_arguments = SLICE("BODY=8BITMIME") };

    assert_int_equal(1, release_send(release, &kept, &source, &recipient, 1, TIMEOUT_MS, -1));
    AUTO_BUF message = smtp_server_message(server, 0);
    assert_string_equal(text, buf_text(&message));
    release_free(&release);
    AUTO_BUF lines = smtp_server_lines(server);
    assert_non_null(strstr(buf_text(&lines), "EHLO me.example\n"
                                             "MAIL FROM:<> SIZE=27 BODY=8BITMIME\n"
                                             "RCPT TO:<a@x.example> NOTIFY=NEVER\nDATA\n"));
    smtp_server_stop(&server);
}

static void never_ends_half_a_message(UNUSED void **state)
{
    struct smtp_server *server = smtp_server_start(NULL);
    AUTO_BUF error = BUF_INIT(400);
    struct release *release = release_new(smtp_server_place(server), SLICE(""), &error);
    struct release_recipient recipients[RECIPIENTS];
    struct kept kept = { .sender = SLICE(""), .sender_arguments = SLICE("") };
    const struct source broken = { .size = 100, .read = read_fails };

    set_recipients(recipients);
    assert_int_equal(0,
                     release_send(release, &kept, &broken, recipients, RECIPIENTS, TIMEOUT_MS, -1));
    assert_int_equal(RELEASE_LATER, recipients[0].state);
    assert_string_equal("the message cannot be read", recipients[0].reply);
    release_free(&release);
    smtp_server_stop(&server);
}

static void needs_smtputf8_for_such_mail(UNUSED void **state)
{
    const struct smtp_script script = { "250 mx\r\n", NULL, NULL };
    struct smtp_server *server = smtp_server_start(&script);
    AUTO_BUF error = BUF_INIT(400);
    struct release *release = release_new(smtp_server_place(server), SLICE(""), &error);
    struct release_recipient recipients[RECIPIENTS];
    struct kept kept = { .sender = SLICE(""), .sender_arguments = SLICE(""), .is_smtputf8 = true };

    set_recipients(recipients);
    assert_int_equal(0,
                     release_send(release, &kept, &source, recipients, RECIPIENTS, TIMEOUT_MS, -1));
    assert_int_equal(RELEASE_LATER, recipients[2].state);
    assert_non_null(strstr(recipients[2].reply, "SMTPUTF8"));
    release_free(&release);
    smtp_server_stop(&server);
}

static void does_not_wait_for_ever(UNUSED void **state)
{
    struct twist twist = { "DATA", "hang" };
    const struct smtp_script script = { NULL, twisted, &twist };
    struct smtp_server *server = smtp_server_start(&script);
    AUTO_BUF error = BUF_INIT(400);
    struct release *release = release_new(smtp_server_place(server), SLICE(""), &error);
    struct release_recipient recipients[RECIPIENTS];
    struct kept kept = { .sender = SLICE(""), .sender_arguments = SLICE("") };
    int stop = eventfd(1, EFD_CLOEXEC);

    set_recipients(recipients);
    assert_int_equal(0, release_send(release, &kept, &source, recipients, RECIPIENTS, 50, -1));
    assert_non_null(strstr(recipients[0].reply, "no answer in time"));
    assert_int_equal(
        0, release_send(release, &kept, &source, recipients, RECIPIENTS, TIMEOUT_MS, stop));
    assert_non_null(strstr(recipients[0].reply, "broken off"));
    close(stop);
    release_free(&release);
    smtp_server_stop(&server);
}

static void nobody_listens(UNUSED void **state)
{
    struct smtp_server *server = smtp_server_start(NULL);
    AUTO_BUF error = BUF_INIT(400);
    struct release *release = release_new(smtp_server_place(server), SLICE(""), &error);
    struct release_recipient recipients[RECIPIENTS];
    struct kept kept = { .sender = SLICE(""), .sender_arguments = SLICE("") };

    smtp_server_stop(&server);
    set_recipients(recipients);
    assert_int_equal(0,
                     release_send(release, &kept, &source, recipients, RECIPIENTS, TIMEOUT_MS, -1));
    assert_non_null(strstr(recipients[0].reply, "connect: Connection refused"));
    release_free(&release);
}

static void knows_places(UNUSED void **state)
{
    static const struct {
        const char *place;
        bool is_one;
    } places[] = {
        { "inet:127.0.0.1:10026", true },
        { "inet:[::1]:10026", true },
        { "inet:::1:10026", true },
        { "unix:/run/x", true },
        { "inet:localhost:25", false },
        { "inet:127.0.0.1", false },
        { "inet:127.0.0.1:0", false },
        { "inet:127.0.0.1:65536", false },
        { "unix:", false },
        { "127.0.0.1:25", false },
        { "", false },
    };

    for (size_t i = 0; i < COUNT(places); i++) {
        AUTO_BUF error = BUF_INIT(400);
        struct release *release = release_new(slice_of(places[i].place), SLICE(""), &error);
        if ((release != NULL) != places[i].is_one || (error.len == 0) != places[i].is_one)
            fail_msg("%s", places[i].place);
        release_free(&release);
    }
}

static void knows_its_own_connections(UNUSED void **state)
{
    static const struct {
        const char *place, *address, *port;
        bool is_own;
    } connections[] = {
        { "inet:127.0.0.1:10026", "127.0.0.1", "10026", true },
        { "inet:127.0.0.1:10026", "127.0.0.1", "25", false },
        { "inet:127.0.0.1:10026", "192.0.2.1", "10026", false },
        { "inet:127.0.0.1:10026", "127.0.0.1", NULL, false },
        { "inet:127.0.0.1:10026", NULL, "10026", false },
        { "inet:[::1]:10026", "::1", "10026", true },
        { "unix:/run/x", "127.0.0.1", "10026", false },
    };

    for (size_t i = 0; i < COUNT(connections); i++) {
        AUTO_BUF error = BUF_INIT(400);
        struct release *release = release_new(slice_of(connections[i].place), SLICE(""), &error);
        struct message_client client = { .daemon_address = slice_of(connections[i].address),
                                         .daemon_port = slice_of(connections[i].port) };
        if (release_is_own(release, &client) != connections[i].is_own)
            fail_msg("%zu", i);
        release_free(&release);
    }
    assert_false(release_is_own(NULL, &(struct message_client){ .port = 1 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_became_of_each),
        cmocka_unit_test(sends_every_byte),
        cmocka_unit_test(never_ends_half_a_message),
        cmocka_unit_test(needs_smtputf8_for_such_mail),
        cmocka_unit_test(does_not_wait_for_ever),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(knows_places),
        cmocka_unit_test(knows_its_own_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
