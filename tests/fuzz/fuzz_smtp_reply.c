/* tests/fuzz/fuzz_smtp_reply.c - replies of a listener, and what a message makes us say to it: no line, no end of the data and no
 * command comes from a message. */
#include "common/quarantine/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void read_replies(struct slice in)
{
    struct smtp_reply reply;
    size_t used;

    while (smtp_reply_parse(in, &reply, &used) == SMTP_DONE) {
        expect(used > 0 && used <= in.len && reply.code >= 200 && reply.code <= 599);
        expect(reply.lines.len == used && reply.text.len < used);
        smtp_offers(&reply);
        in = slice_skip(in, used);
    }
}

/* One line that ends once. */
static void check_line(const struct buf *line, bool is_said)
{
    if (!is_said)
        return;
    expect(line->len > 2 && line->data[line->len - 1] == '\n' && line->data[line->len - 2] == '\r');
    for (size_t i = 0; i + 2 < line->len; i++)
        expect(line->data[i] != '\r' && line->data[i] != '\n' && line->data[i] != '\0');
}

static void say_commands(struct slice text)
{
    struct slice address, arguments = text;
    AUTO_BUF mail = BUF_INIT(SMTP_COMMAND_MAX);
    AUTO_BUF rcpt = BUF_INIT(SMTP_COMMAND_MAX);

    if (!slice_cut(&arguments, '|', &address))
        address = arguments;
    struct kept kept = { .sender = address, .sender_arguments = arguments, .is_smtputf8 = true };
    struct kept_recipient to = { address, arguments };
    check_line(&mail, smtp_put_mail(&mail, &kept, 1, 15));
    check_line(&rcpt, smtp_put_rcpt(&rcpt, &to, 15));
}

/* As Postfix reads it: lines end with LF, a CR before it goes, a dot before a line goes. The first dot alone is the end. */
static void send_text(struct slice text, size_t piece)
{
    AUTO_BUF out = BUF_INIT(4 << 20);
    AUTO_BUF back = BUF_INIT(4 << 20);
    struct smtp_data state;
    struct slice rest, line;

    smtp_data_init(&state);
    for (size_t at = 0; at < text.len; at += piece)
        expect(smtp_data_put(&state, slice_part(text, at, piece), &out) == 0);
    expect(smtp_data_end(&state, &out) == 0);
    rest = buf_slice(&out);
    while (slice_cut(&rest, '\n', &line)) {
        if (slice_equal(line, SLICE(".\r")) || slice_equal(line, SLICE(".")))
            break;
        buf_add(&back, slice_skip(line, line.len > 0 && line.ptr[0] == '.'));
        buf_put_char(&back, '\n');
    }
    expect(rest.len == 0); /* nothing behind the end: no command */
    expect(back.len >= text.len && (text.len == 0 || memcmp(back.data, text.ptr, text.len) == 0));
    expect(back.len <= text.len + 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };

    if (size == 0)
        return 0;
    read_replies(text);
    say_commands(text);
    send_text(text, size);
    send_text(text, 1);
    send_text(text, 3);
    return 0;
}
