/* common/quarantine/smtp_reply.c - see smtp_reply.h. */
#include "common/quarantine/smtp_reply.h"

/* ---- replies ---- */

/* "250-text" or "250 text", "250": the code, and whether it is the last line. */
static bool read_line(struct slice line, unsigned *code, bool *is_last, struct slice *text)
{
    uint64_t number;

    if (line.len < 3 || !slice_to_u64(slice_part(line, 0, 3), &number) || number < 200 ||
        number > 599)
        return false;
    if (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-')
        return false;
    *code = (unsigned)number;
    *is_last = line.len == 3 || line.ptr[3] == ' ';
    *text = slice_skip(line, 4);
    return true;
}

enum smtp_parse smtp_reply_parse(struct slice in, struct smtp_reply *out, size_t *used)
{
    struct slice rest = in, line, text = { NULL, 0 };
    unsigned code = 0, first = 0;
    bool is_last = false;

    while (!is_last && slice_cut(&rest, '\n', &line)) {
        if (line.len > SMTP_LINE_MAX || !read_line(slice_trim(line), &code, &is_last, &text) ||
            (first != 0 && code != first))
            return SMTP_BAD;
        first = code;
    }
    size_t len = in.len - rest.len;
    if (len > SMTP_REPLY_MAX || (!is_last && rest.len > SMTP_LINE_MAX))
        return SMTP_BAD;
    if (!is_last)
        return SMTP_MORE;
    *out = (struct smtp_reply){ code, slice_part(in, 0, len), text };
    *used = len;
    return SMTP_DONE;
}

unsigned smtp_offers(const struct smtp_reply *ehlo)
{
    static const struct {
        const char *word;
        unsigned bit;
    } known[] = {
        { "SIZE", SMTP_OFFERS_SIZE },
        { "8BITMIME", SMTP_OFFERS_8BITMIME },
        { "SMTPUTF8", SMTP_OFFERS_SMTPUTF8 },
        { "DSN", SMTP_OFFERS_DSN },
    };
    struct slice rest = ehlo->lines, line;
    unsigned offers = 0;

    while (slice_cut(&rest, '\n', &line)) {
        struct slice word = slice_trim(slice_skip(line, 4));
        size_t blank = slice_find(word, ' ');
        word = slice_part(word, 0, blank);
        for (size_t i = 0; i < COUNT(known); i++)
            if (slice_equal_nocase(word, slice_of(known[i].word)))
                offers |= known[i].bit;
    }
    return offers;
}

/* ---- commands ---- */

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* May it stand between < and >? Within quotes blanks and brackets may; control bytes end_line() finds. */
static bool is_sayable(struct slice address)
{
    bool is_quoted = false;

    for (size_t i = 0; i < address.len; i++) {
        char c = address.ptr[i];
        if (is_quoted && c == '\\')
            i++;
        else if (c == '"')
            is_quoted = !is_quoted;
        else if (!is_quoted && (c == ' ' || c == '<' || c == '>'))
            return false;
    }
    return !is_quoted;
}

static bool put_path(struct buf *out, const char *verb, struct slice address)
{
    return is_sayable(address) && buf_put(out, verb) == 0 && buf_add(out, address) == 0 &&
           buf_put_char(out, '>') == 0;
}

/* Parameters that go on as they came, if the server offers what they belong to. */
static bool put_arguments(struct buf *out, struct slice arguments, const char *const *names,
                          const unsigned *bits, unsigned offers)
{
    struct slice argument;

    while (slice_next(&arguments, ' ', &argument)) {
        for (size_t i = 0; names[i] != NULL; i++) {
            struct slice name = slice_of(names[i]);
            if ((offers & bits[i]) == 0 || argument.len < name.len ||
                !slice_equal_nocase(slice_part(argument, 0, name.len), name))
                continue;
            if (buf_put_char(out, ' ') || buf_add(out, argument))
                return false;
        }
    }
    return true;
}

/* No byte of the line may end it early. */
static bool end_line(struct buf *out)
{
    for (size_t i = 0; i < out->len; i++)
        if (is_control(out->data[i]))
            return false;
    return buf_put(out, "\r\n") == 0;
}

bool smtp_put_mail(struct buf *out, const struct kept *kept, uint64_t size, unsigned offers)
{
    static const char *const names[] = { "BODY=8BITMIME", "RET=", "ENVID=", NULL };
    static const unsigned bits[] = { SMTP_OFFERS_8BITMIME, SMTP_OFFERS_DSN, SMTP_OFFERS_DSN };

    if (!put_path(out, "MAIL FROM:<", kept->sender))
        return false;
    if ((offers & SMTP_OFFERS_SIZE) != 0 && buf_printf(out, " SIZE=%llu", (unsigned long long)size))
        return false;
    if ((offers & SMTP_OFFERS_SMTPUTF8) != 0 && kept->is_smtputf8 && buf_put(out, " SMTPUTF8"))
        return false;
    return put_arguments(out, kept->sender_arguments, names, bits, offers) && end_line(out);
}

bool smtp_put_rcpt(struct buf *out, const struct kept_recipient *recipient, unsigned offers)
{
    static const char *const names[] = { "NOTIFY=", "ORCPT=", NULL };
    static const unsigned bits[] = { SMTP_OFFERS_DSN, SMTP_OFFERS_DSN };

    return recipient->address.len > 0 && put_path(out, "RCPT TO:<", recipient->address) &&
           put_arguments(out, recipient->arguments, names, bits, offers) && end_line(out);
}

/* ---- data ---- */

void smtp_data_init(struct smtp_data *data)
{
    data->last[0] = '\r';
    data->last[1] = '\n';
}

int smtp_data_put(struct smtp_data *data, struct slice text, struct buf *out)
{
    while (text.len > 0) {
        size_t end = slice_find(text, '\n');
        struct slice line = slice_part(text, 0, end == SIZE_MAX ? text.len : end + 1);
        if ((data->last[1] == '\n' && line.ptr[0] == '.' && buf_put_char(out, '.')) ||
            buf_add(out, line))
            return -1;
        data->last[0] = line.len > 1 ? line.ptr[line.len - 2] : data->last[1];
        data->last[1] = line.ptr[line.len - 1];
        text = slice_skip(text, line.len);
    }
    return 0;
}

int smtp_data_end(struct smtp_data *data, struct buf *out)
{
    bool has_end = data->last[0] == '\r' && data->last[1] == '\n';

    return buf_put(out, has_end ? ".\r\n" : "\r\n.\r\n");
}
