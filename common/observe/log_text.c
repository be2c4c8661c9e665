/* common/observe/log_text.c - see log_text.h and log.h. What comes from the network cannot end a line, open or close a
 * quoted text, or look like another field; and no value is so long that it pushes the fields after it off the line. */
#include "common/observe/log_text.h"

#include "common/base/hash.h"

enum {
    MAILBOX_MAX = 320, /* bytes as written, escapes included */
    WORD_MAX = 128,
    REASON_MAX = 480,
    MASK_DIGITS = 16,
};

/* How a byte is written depends on where it stands. */
enum place { IN_LINE, IN_VALUE, IN_QUOTES };

#define LOW(c) (UINT64_C(1) << (c))
#define HIGH(c) (UINT64_C(1) << ((c)-64))
#define PRINTABLE_LOW (~(LOW(' ') - 1))
#define PRINTABLE_HIGH (HIGH(0x7f) - 1)
/* A bit for each ASCII byte that stays as it is. */
static const uint64_t plain_bytes[][2] = {
    [IN_LINE] = { PRINTABLE_LOW, PRINTABLE_HIGH },
    [IN_VALUE] = { PRINTABLE_LOW & ~(LOW(' ') | LOW('"') | LOW('<') | LOW('>')),
                   PRINTABLE_HIGH & ~HIGH('\\') },
    [IN_QUOTES] = { PRINTABLE_LOW & ~LOW('"'), PRINTABLE_HIGH & ~HIGH('\\') },
};

static bool is_plain(char c, const uint64_t plain[2])
{
    unsigned char byte = (unsigned char)c;

    return byte < 128 && (plain[byte >> 6] >> (byte & 63) & 1) != 0;
}

/* Most values are plain, and then copied as they are. */
static bool is_all_plain(struct slice text, const uint64_t plain[2])
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_plain(text.ptr[i], plain))
            return false;
    return true;
}

static int put_hex(struct buf *out, char c)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char byte = (unsigned char)c;
    const char code[] = { '\\', 'x', digits[byte >> 4], digits[byte & 15] };

    return buf_add(out, (struct slice){ code, sizeof code });
}

/* At most `most` bytes are added: what does not fit is replaced by `...`. */
static int put_escaped(struct buf *out, struct slice text, enum place place, size_t most)
{
    const uint64_t *plain = plain_bytes[place];
    size_t used = 0;

    if (text.len <= most && is_all_plain(text, plain))
        return buf_add(out, text);
    for (size_t i = 0; i < text.len; i++) {
        bool stays = is_plain(text.ptr[i], plain);
        size_t width = stays ? 1 : 4;
        size_t dots = i + 1 < text.len ? 3 : 0;
        if (width + dots > most - used)
            return buf_put(out, "...");
        int rc = stays ? buf_put_char(out, text.ptr[i]) : put_hex(out, text.ptr[i]);
        if (rc)
            return -1;
        used += width;
    }
    return 0;
}

int log_put_line(struct buf *out, struct slice text)
{
    return put_escaped(out, text, IN_LINE, LOG_LINE_MAX);
}

int log_put_value(struct buf *out, struct slice value)
{
    return put_escaped(out, value, IN_VALUE, MAILBOX_MAX);
}

int log_put_quoted(struct buf *out, struct slice text)
{
    return buf_put_char(out, '"') || put_escaped(out, text, IN_QUOTES, REASON_MAX) ||
           buf_put_char(out, '"');
}

/* ---- mailboxes as log_addresses says ---- */

static int put_hash(struct buf *out, struct slice mailbox)
{
    char hex[HASH_HEX_LEN + 1];

    hash_hex128(mailbox, hex);
    return buf_add(out, (struct slice){ hex, MASK_DIGITS });
}

/* The mailbox or login as it may be shown, not escaped. */
static int mask_mailbox(struct buf *out, struct slice mailbox, enum log_addresses addresses)
{
    size_t at = slice_rfind(mailbox, '@');

    if (addresses == LOG_ADDRESSES_FULL || mailbox.len == 0)
        return buf_add(out, mailbox);
    if (addresses == LOG_ADDRESSES_HASH || at == SIZE_MAX)
        return put_hash(out, mailbox);
    return buf_add(out, slice_skip(mailbox, at));
}

static bool ends_word(char c)
{
    return strchr(" ,;:=<>()[]\"'", c) != NULL; /* the NUL byte too */
}

/* A text in which every word with an @ is masked. */
static int mask_text(struct buf *out, struct slice text, enum log_addresses addresses)
{
    int rc = 0;

    for (size_t from = 0, to; rc == 0 && from < text.len; from = to) {
        to = from;
        while (to < text.len && !ends_word(text.ptr[to]))
            to++;
        if (to == from) {
            rc = buf_put_char(out, text.ptr[to++]);
            continue;
        }
        struct slice word = slice_part(text, from, to - from);
        rc = slice_find(word, '@') == SIZE_MAX ? buf_add(out, word)
                                               : mask_mailbox(out, word, addresses);
    }
    return rc;
}

/* ---- the fields of a decision ---- */

enum shape { WORD, LOGIN, ENVELOPE, QUOTED };

static const struct {
    struct slice open, close; /* what stands before and after the value */
    struct slice journal_name;
    size_t offset; /* of the slice in struct decision */
    enum shape shape;
} fields[] = {
#define FIELD(field, journal, shape, open, close)                                                  \
    {                                                                                              \
        SLICE_INIT(" " #field "=" open), SLICE_INIT(close), SLICE_INIT("GATEHOUSE_" journal "="),  \
            offsetof(struct decision, field), shape                                                \
    }
    FIELD(queue_id, "QUEUE_ID", WORD, "", ""),
    FIELD(client_address, "CLIENT_ADDRESS", WORD, "", ""),
    FIELD(sasl_username, "SASL_USERNAME", LOGIN, "", ""),
    FIELD(sender, "SENDER", ENVELOPE, "<", ">"),
    FIELD(recipient, "RECIPIENT", ENVELOPE, "<", ">"),
    FIELD(rule, "RULE", WORD, "", ""),
    FIELD(verdict, "VERDICT", WORD, "", ""),
    FIELD(ref, "REF", WORD, "", ""),
    FIELD(reason, "REASON", QUOTED, "\"", "\""),
#undef FIELD
};

static struct slice field_value(const struct decision *decision, size_t field)
{
    struct slice value;

    memcpy(&value, (const char *)decision + fields[field].offset, sizeof value);
    return value;
}

static int put_field(struct buf *out, struct slice value, enum shape shape,
                     enum log_addresses addresses)
{
    AUTO_BUF shown = BUF_INIT(value.len + MASK_DIGITS * (value.len / 2 + 1));
    size_t most = shape == WORD ? WORD_MAX : shape == QUOTED ? REASON_MAX : MAILBOX_MAX;
    int rc = 0;

    if (addresses != LOG_ADDRESSES_FULL && shape != WORD) {
        rc = shape == QUOTED ? mask_text(&shown, value, addresses)
                             : mask_mailbox(&shown, value, addresses);
        value = buf_slice(&shown);
    }
    return rc | put_escaped(out, value, shape == QUOTED ? IN_QUOTES : IN_VALUE, most);
}

/* An extra field's value is a word, or quoted when it has blanks. */
static int put_extra(struct buf *out, const struct log_field *extra, enum log_addresses addresses)
{
    bool has_blank = slice_find(extra->value, ' ') != SIZE_MAX;
    const char *mark = has_blank ? "\"" : "";
    AUTO_BUF shown = BUF_INIT(extra->value.len + MASK_DIGITS * (extra->value.len / 2 + 1));

    if (extra->value.ptr == NULL)
        return 0;
    int rc = mask_text(&shown, extra->value, addresses);
    rc |= buf_put_char(out, ' ') | buf_put(out, extra->name) | buf_put_char(out, '=');
    rc |= buf_put(out, mark);
    rc |= put_escaped(out, buf_slice(&shown), has_blank ? IN_QUOTES : IN_VALUE, MAILBOX_MAX);
    return rc | buf_put(out, mark);
}

int decision_print(struct buf *out, const struct decision *decision, enum log_addresses addresses)
{
    int rc = buf_put(out, "decision");

    for (size_t i = 0; i < COUNT(fields); i++) {
        rc |= buf_add(out, fields[i].open);
        rc |= put_field(out, field_value(decision, i), fields[i].shape, addresses);
        rc |= buf_add(out, fields[i].close);
    }
    rc |= buf_put(out, " ms=") | buf_put_number(out, decision->ms, 1);
    for (size_t i = 0; i < decision->extra_count; i++)
        rc |= put_extra(out, &decision->extra[i], addresses);
    return rc;
}

int decision_fields(struct buf *out, const struct decision *decision, enum log_addresses addresses)
{
    int rc = 0;

    for (size_t i = 0; i < COUNT(fields); i++) {
        struct slice value = field_value(decision, i);
        if (value.len == 0)
            continue;
        rc |= buf_add(out, fields[i].journal_name);
        rc |= put_field(out, value, fields[i].shape, addresses) | buf_put_char(out, '\0');
    }
    return rc | buf_put(out, "GATEHOUSE_MS=") | buf_put_number(out, decision->ms, 1) |
           buf_put_char(out, '\0');
}
