/* tests/unit/quarantine/test_smtp_reply.c - what an SMTP server says and is told. */
#include "common/quarantine/smtp_reply.h"

#include "tests/unit/unit.h"

static const struct {
    const char *what;
    struct slice in;
    enum smtp_parse want;
    size_t used;
    unsigned code;
    const char *text;
} replies[] = {
    { "one line", SLICE_INIT("250 2.1.0 Ok\r\n"), SMTP_DONE, 14, 250, "2.1.0 Ok" },
    { "more behind it", SLICE_INIT("250 Ok\r\n220 x"), SMTP_DONE, 8, 250, "Ok" },
    { "LF alone", SLICE_INIT("354 go\n"), SMTP_DONE, 7, 354, "go" },
    { "no text", SLICE_INIT("250\r\n"), SMTP_DONE, 5, 250, "" },
    { "several lines", SLICE_INIT("250-a\r\n250-b\r\n250 c\r\n"), SMTP_DONE, 21, 250, "c" },
    { "not all of it", SLICE_INIT("250-a\r\n250-b\r\n"), SMTP_MORE, 0, 0, NULL },
    { "not all of a line", SLICE_INIT("25"), SMTP_MORE, 0, 0, NULL },
    { "nothing", SLICE_INIT(""), SMTP_MORE, 0, 0, NULL },
    { "codes that differ", SLICE_INIT("250-a\r\n550 b\r\n"), SMTP_BAD, 0, 0, NULL },
    { "no code", SLICE_INIT("hello\r\n"), SMTP_BAD, 0, 0, NULL },
    { "no reply code", SLICE_INIT("100 x\r\n"), SMTP_BAD, 0, 0, NULL },
    { "the lowest code", SLICE_INIT("200 x\r\n"), SMTP_DONE, 7, 200, "x" },
    { "below it", SLICE_INIT("199 x\r\n"), SMTP_BAD, 0, 0, NULL },
    { "the highest code", SLICE_INIT("599 x\r\n"), SMTP_DONE, 7, 599, "x" },
    { "above it", SLICE_INIT("600 x\r\n"), SMTP_BAD, 0, 0, NULL },
    { "two digits", SLICE_INIT("25\r\n"), SMTP_BAD, 0, 0, NULL },
    { "four digits alone", SLICE_INIT("2500\r\n"), SMTP_BAD, 0, 0, NULL },
    { "four digits", SLICE_INIT("2500 x\r\n"), SMTP_BAD, 0, 0, NULL },
    { "an empty line", SLICE_INIT("\r\n"), SMTP_BAD, 0, 0, NULL },
};

static void tells_whole_partial_and_bad_replies_apart(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(replies); i++) {
        struct smtp_reply reply = { .code = 0 };
        size_t used = 0;
        if (smtp_reply_parse(replies[i].in, &reply, &used) != replies[i].want ||
            used != replies[i].used || reply.code != replies[i].code ||
            (replies[i].text != NULL && !slice_equal(reply.text, slice_of(replies[i].text))))
            fail_msg("%s: %u %.*s", replies[i].what, reply.code, SLICE_ARG(reply.text));
    }
}

static void bounds_replies(UNUSED void **state)
{
    AUTO_BUF in = BUF_INIT(1 << 20);
    struct smtp_reply reply;
    size_t used;

    while (in.len <= SMTP_LINE_MAX)
        buf_put(&in, "250 long ");
    assert_int_equal(SMTP_BAD, smtp_reply_parse(buf_slice(&in), &reply, &used));
    buf_clear(&in);
    while (in.len <= SMTP_REPLY_MAX)
        buf_put(&in, "250-x\r\n");
    assert_int_equal(SMTP_BAD, smtp_reply_parse(buf_slice(&in), &reply, &used));
}

static void knows_what_is_offered(UNUSED void **state)
{
    static const struct {
        struct slice in;
        unsigned want;
    } cases[] = {
        { SLICE_INIT("250 mx\r\n"), 0 },
        { SLICE_INIT("250-mx\r\n250-size 1000\r\n250 8BitMime\r\n"),
          SMTP_OFFERS_SIZE | SMTP_OFFERS_8BITMIME },
        { SLICE_INIT("250-mx\r\n250-DSN\r\n250 SMTPUTF8\r\n"),
          SMTP_OFFERS_DSN | SMTP_OFFERS_SMTPUTF8 },
        { SLICE_INIT("250-mx\r\n250-DSNX\r\n250 XSIZE\r\n"), 0 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct smtp_reply reply;
        size_t used;
        assert_int_equal(SMTP_DONE, smtp_reply_parse(cases[i].in, &reply, &used));
        assert_int_equal(cases[i].want, smtp_offers(&reply));
    }
}

enum { ALL = SMTP_OFFERS_SIZE | SMTP_OFFERS_8BITMIME | SMTP_OFFERS_SMTPUTF8 | SMTP_OFFERS_DSN };

static void says_mail(UNUSED void **state)
{
    static const struct {
        const char *sender, *arguments;
        bool is_smtputf8;
        unsigned offers;
        const char *want; /* NULL: it cannot be said */
    } cases[] = {
        { "", "", false, 0, "MAIL FROM:<>\r\n" },
        { "a@x.example", "", false, ALL, "MAIL FROM:<a@x.example> SIZE=42\r\n" },
        { "a@x.example", "SIZE=7 BODY=8BITMIME RET=HDRS ENVID=+2B", true, ALL,
          "MAIL FROM:<a@x.example> SIZE=42 SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=+2B\r\n" },
        { "a@x.example", "body=8bitmime ret=hdrs AUTH=<> X=1", false, SMTP_OFFERS_8BITMIME,
          "MAIL FROM:<a@x.example> body=8bitmime\r\n" },
        { "\xc3\xa4@x.example", "", true, SMTP_OFFERS_SMTPUTF8,
          "MAIL FROM:<\xc3\xa4@x.example> SMTPUTF8\r\n" },
        { "\"a b>\\\"\"@x.example", "", false, 0, "MAIL FROM:<\"a b>\\\"\"@x.example>\r\n" },
        { "a> X=<@x.example", "", false, 0, NULL },
        { "a\r\nRCPT TO:<b>", "", false, 0, NULL },
        { "\"a\r\nRCPT TO:<b>\"@x", "", false, 0, NULL },
        { "\"a\\\n\"@x", "", false, 0, NULL },
        { "a\x1f@x", "", false, 0, NULL },
        { "a\x7f@x", "", false, 0, NULL },
        { "a~\xc2\x80@x", "", true, 0, "MAIL FROM:<a~\xc2\x80@x>\r\n" },
        { "a b@x", "", false, 0, NULL },
        { "a<b@x", "", false, 0, NULL },
        { "\"a", "", false, 0, NULL },
        { "a@x.example", "ENVID=a\rb", false, ALL, NULL },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(SMTP_COMMAND_MAX);
        struct kept kept = { .sender = slice_of(cases[i].sender),
                             .sender_arguments = slice_of(cases[i].arguments),
                             .is_smtputf8 = cases[i].is_smtputf8 };
        bool said = smtp_put_mail(&out, &kept, 42, cases[i].offers);
        if (said != (cases[i].want != NULL) || (said && strcmp(cases[i].want, buf_text(&out)) != 0))
            fail_msg("%s: %s", cases[i].sender, buf_text(&out));
    }
}

static void says_rcpt(UNUSED void **state)
{
    static const struct {
        const char *address, *arguments;
        unsigned offers;
        const char *want;
    } cases[] = {
        { "a@x.example", "NOTIFY=NEVER ORCPT=rfc822;a@x", 0, "RCPT TO:<a@x.example>\r\n" },
        { "a@x.example", "NOTIFY=NEVER ORCPT=rfc822;a@x", SMTP_OFFERS_DSN,
          "RCPT TO:<a@x.example> NOTIFY=NEVER ORCPT=rfc822;a@x\r\n" },
        { "postmaster", "", 0, "RCPT TO:<postmaster>\r\n" },
        { "a", "", 0, "RCPT TO:<a>\r\n" },
        { "", "", 0, NULL },
        { "a@x.example>", "", 0, NULL },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(SMTP_COMMAND_MAX);
        struct kept_recipient to = { slice_of(cases[i].address), slice_of(cases[i].arguments) };
        bool said = smtp_put_rcpt(&out, &to, cases[i].offers);
        if (said != (cases[i].want != NULL) || (said && strcmp(cases[i].want, buf_text(&out)) != 0))
            fail_msg("%s: %s", cases[i].address, buf_text(&out));
    }
}

/* Half a command, or half a line of the message, is never sent. */
static void says_nothing_that_does_not_fit(UNUSED void **state)
{
    static const struct slice text = SLICE_INIT(".a\r\n.b\r\n");
    const struct kept kept = { .sender = SLICE("a@x.example"),
                               .sender_arguments = SLICE("RET=HDRS BODY=8BITMIME"),
                               .is_smtputf8 = true };
    const struct kept_recipient to = { SLICE("a@x.example"), SLICE("NOTIFY=NEVER") };

    for (size_t i = 0; i < 3; i++) {
        bool fits = false;
        size_t max = 0;
        for (; !fits && max < 100; max++) {
            AUTO_BUF out = BUF_INIT(max);
            struct smtp_data data;
            smtp_data_init(&data);
            fits = i == 0   ? smtp_put_mail(&out, &kept, 42, ALL)
                   : i == 1 ? smtp_put_rcpt(&out, &to, ALL)
                            : smtp_data_put(&data, text, &out) == 0;
            if (fits && out.len != max)
                fail_msg("%zu: %zu bytes are said as \"%s\"", i, max, buf_text(&out));
        }
        assert_true(fits);
    }
}

static const struct {
    const char *text, *want;
} data_cases[] = {
    { "", ".\r\n" },
    { "a\r\n", "a\r\n.\r\n" },
    { "a", "a\r\n.\r\n" },
    { ".\r\n", "..\r\n.\r\n" },
    { "..a\r\n.\r\nb.c\r\n", "...a\r\n..\r\nb.c\r\n.\r\n" },
    { "a\n.\nb\n", "a\n..\nb\n\r\n.\r\n" },
    { "a\n.\r\nMAIL FROM:<>\r\n", "a\n..\r\nMAIL FROM:<>\r\n.\r\n" },
    { "a\r", "a\r\r\n.\r\n" },
    { "\r\n", "\r\n.\r\n" },
    { "\n", "\n\r\n.\r\n" },
};

static void ends_where_we_end_it(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(data_cases); i++)
        for (size_t piece = 1; piece < 5; piece++) {
            AUTO_BUF out = BUF_INIT(1000);
            struct smtp_data data;
            struct slice text = slice_of(data_cases[i].text);
            smtp_data_init(&data);
            for (size_t at = 0; at < text.len; at += piece)
                assert_int_equal(0, smtp_data_put(&data, slice_part(text, at, piece), &out));
            assert_int_equal(0, smtp_data_end(&data, &out));
            if (strcmp(data_cases[i].want, buf_text(&out)) != 0)
                fail_msg("%s by %zu: %s", data_cases[i].text, piece, buf_text(&out));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_whole_partial_and_bad_replies_apart),
        cmocka_unit_test(bounds_replies),
        cmocka_unit_test(knows_what_is_offered),
        cmocka_unit_test(says_mail),
        cmocka_unit_test(says_rcpt),
        cmocka_unit_test(says_nothing_that_does_not_fit),
        cmocka_unit_test(ends_where_we_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
