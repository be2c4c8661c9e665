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

static bool is_plain(char c, enum place place)
{
    if (!ascii_is_print(c))
        return false;
    if (place == IN_LINE)
        return true;
    if (c == '"' || c == '\\')
        return false;
    return place == IN_QUOTES || (c != ' ' && c != '<' && c != '>');
}

/* At most `most` bytes are added: what does not fit is replaced by `...`. */
static int put_escaped(struct buf *out, struct slice text, enum place place, size_t most)
{
    size_t used = 0;

    for (size_t i = 0; i < text.len; i++) {
        bool plain = is_plain(text.ptr[i], place);
        size_t width = plain ? 1 : 4;
        size_t dots = i + 1 < text.len ? 3 : 0;
        if (width + dots > most - used)
            return buf_put(out, "...");
        int rc = plain ? buf_put_char(out, text.ptr[i])
                       : buf_printf(out, "\\x%02x", (unsigned char)text.ptr[i]);
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
    const char *name;
    const char *journal_name;
    size_t offset; /* of the slice in struct decision */
    enum shape shape;
} fields[] = {
#define FIELD(field, journal, shape)                                                               \
    {                                                                                              \
#field, journal, offsetof(struct decision, field), shape                                   \
    }
    FIELD(queue_id, "GATEHOUSE_QUEUE_ID", WORD),
    FIELD(client_address, "GATEHOUSE_CLIENT_ADDRESS", WORD),
    FIELD(sasl_username, "GATEHOUSE_SASL_USERNAME", LOGIN),
    FIELD(sender, "GATEHOUSE_SENDER", ENVELOPE),
    FIELD(recipient, "GATEHOUSE_RECIPIENT", ENVELOPE),
    FIELD(rule, "GATEHOUSE_RULE", WORD),
    FIELD(verdict, "GATEHOUSE_VERDICT", WORD),
    FIELD(ref, "GATEHOUSE_REF", WORD),
    FIELD(reason, "GATEHOUSE_REASON", QUOTED),
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

static int put_named(struct buf *out, size_t field, struct slice value,
                     enum log_addresses addresses)
{
    static const struct {
        const char *open, *close;
    } marks[] = { [WORD] = { "", "" },
                  [LOGIN] = { "", "" },
                  [ENVELOPE] = { "<", ">" },
                  [QUOTED] = { "\"", "\"" } };
    enum shape shape = fields[field].shape;

    return buf_printf(out, " %s=%s", fields[field].name, marks[shape].open) |
           put_field(out, value, shape, addresses) | buf_put(out, marks[shape].close);
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
    rc |= buf_printf(out, " %s=%s", extra->name, mark);
    rc |= put_escaped(out, buf_slice(&shown), has_blank ? IN_QUOTES : IN_VALUE, MAILBOX_MAX);
    return rc | buf_put(out, mark);
}

int decision_print(struct buf *out, const struct decision *decision, enum log_addresses addresses)
{
    int rc = buf_put(out, "decision");

    for (size_t i = 0; i < COUNT(fields); i++)
        rc |= put_named(out, i, field_value(decision, i), addresses);
    rc |= buf_printf(out, " ms=%llu", (unsigned long long)decision->ms);
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
        rc |= buf_printf(out, "%s=", fields[i].journal_name);
        rc |= put_field(out, value, fields[i].shape, addresses) | buf_put_char(out, '\0');
    }
    return rc | buf_printf(out, "GATEHOUSE_MS=%llu%c", (unsigned long long)decision->ms, 0);
}
