/* common/mime/mime.c - see mime.h. Parts: mime_parts.c, over mime_walk.c; decoding of single fields: mime_decode.c. */
#include "common/mime/mime.h"

#include "common/mail/address.h"
#include "common/mime/mime_decode.h"
#include "common/mime/mime_parts.h"
#include "common/observe/metrics.h"

enum { READ, BROKEN, AMBIGUOUS, LIMITED };

enum { QUICK_BYTES = 64 << 10, QUICK_FIELDS = 500 }; /* mime_is_quick() */

static struct metric metrics[] = {
    [READ] = METRIC("gatehouse_mime_read_total", METRIC_COUNTER,
                    "Messages whose MIME structure was read for rules."),
    [BROKEN] = METRIC("gatehouse_mime_broken_total", METRIC_COUNTER,
                      "Messages whose MIME structure is against the rules."),
    [AMBIGUOUS] = METRIC("gatehouse_mime_ambiguous_total", METRIC_COUNTER,
                         "Messages of which readers may show other parts than rules see."),
    [LIMITED] = METRIC("gatehouse_mime_limited_total", METRIC_COUNTER,
                       "Messages with more or deeper parts than are looked at."),
};

void mime_init(void)
{
    mime_decode_init();
    metrics_register(metrics, COUNT(metrics));
}

/* ---- From: ---- */

struct from {
    struct mime_facts *facts;
    struct arena *arena;
    bool is_full;
};

static void note_domain(struct mime_facts *facts, struct slice domain)
{
    for (size_t i = 0; i < facts->from_domain_count; i++)
        if (slice_equal(facts->from_domains[i], domain))
            return;
    if (facts->from_domain_count == MIME_FROM_DOMAINS_MAX)
        facts->has_more_from_domains = true;
    else if (domain.len > 0)
        facts->from_domains[facts->from_domain_count++] = domain;
}

/* An encoded word, which may not stand in an address (RFC 2047 5). */
static bool is_encoded(struct slice address)
{
    for (size_t i = 0; i + 1 < address.len; i++)
        if (address.ptr[i] == '=' && address.ptr[i + 1] == '?')
            return true;
    return false;
}

static void see_from(void *arg, struct slice address, struct slice name)
{
    struct from *from = arg;
    struct slice mailbox = { NULL, 0 };

    if (address.ptr == NULL)
        return;
    if (is_encoded(address)) { /* none, but mail programs show what it says */
        if (from->facts->from_name.ptr == NULL)
            from->facts->from_name = mime_decode_text(from->arena, address);
        return;
    }
    from->is_full |= address_normalise_mailbox(address, from->arena, &mailbox) == ADDRESS_NO_MEMORY;
    note_domain(from->facts, address_domain(mailbox));
    if (from->facts->from.ptr != NULL)
        return;
    from->facts->from = mailbox;
    from->facts->from_domain = address_domain(mailbox);
    from->facts->from_name = name;
}

/* May it stand in a mailbox that somebody would read as one? */
static bool is_mailbox_byte(char c)
{
    return ascii_is_alnum(c) || (c != '\0' && strchr(".-_+", c) != NULL) ||
           (unsigned char)c >= 0x80;
}

/* With @ for the characters that look like it: U+FF20, U+FE6B. Absent: memory is out, or there is no name. */
static struct slice with_plain_at(struct slice name, struct arena *arena)
{
    static const struct slice others[] = { SLICE_INIT("\xef\xbc\xa0"), SLICE_INIT("\xef\xb9\xab") };
    char *text = name.ptr == NULL ? NULL : arena_alloc(arena, name.len);
    size_t len = 0;

    while (text != NULL && name.len > 0) {
        bool is_at = slice_starts_with(name, others[0]) || slice_starts_with(name, others[1]);
        text[len++] = is_at ? '@' : name.ptr[0];
        name = slice_skip(name, is_at ? others[0].len : 1);
    }
    return (struct slice){ text, len };
}

/* The first thing in the display name that reads like a mailbox and is not the mailbox. */
static bool find_name_address(struct mime_facts *facts, struct arena *arena)
{
    struct slice name = with_plain_at(facts->from_name, arena), found;

    if (name.ptr == NULL)
        return facts->from_name.ptr == NULL;

    for (size_t at = 0; at < name.len; at++) {
        size_t begin = at, end = at + 1;
        if (name.ptr[at] != '@')
            continue;
        while (begin > 0 && is_mailbox_byte(name.ptr[begin - 1]))
            begin--;
        while (end < name.len && is_mailbox_byte(name.ptr[end]))
            end++;
        while (end > at + 1 && name.ptr[end - 1] == '.') /* of the sentence */
            end--;
        if (begin == at || slice_find(slice_part(name, at, end - at), '.') == SIZE_MAX)
            continue;
        if (address_normalise_mailbox(slice_part(name, begin, end - begin), arena, &found) ==
            ADDRESS_NO_MEMORY)
            return false;
        if (address_is_valid_mailbox(found) && !slice_equal(found, facts->from)) {
            facts->from_name_address = found;
            return true;
        }
    }
    return true;
}

/* ---- header fields ---- */

static void see_first(void *arg, struct slice address, UNUSED struct slice name)
{
    struct slice *first = arg;

    if (first->ptr == NULL)
        *first = address;
}

static struct slice without_brackets(struct slice text)
{
    text = slice_trim(text);
    if (text.len >= 2 && text.ptr[0] == '<' && text.ptr[text.len - 1] == '>')
        return slice_part(text, 1, text.len - 2);
    return text;
}

/* A field of which the first one counts. False: memory is out. */
static bool take_field(const struct message_header *field, struct arena *arena,
                       struct mime_facts *out)
{
    struct slice raw = field->value, text;

    if (slice_equal_nocase(field->name, SLICE("subject")) && out->subject.ptr == NULL) {
        out->subject = mime_decode_text(arena, raw);
    } else if (slice_equal_nocase(field->name, SLICE("message-id")) &&
               out->message_id.ptr == NULL) {
        text = without_brackets(mime_decode_text(arena, raw));
        out->message_id = text;
    } else if (slice_equal_nocase(field->name, SLICE("date")) && out->date_s == 0) {
        out->date_s = mime_decode_date(raw);
    } else if (slice_equal_nocase(field->name, SLICE("received"))) {
        out->received_count++;
    } else if (slice_equal_nocase(field->name, SLICE("reply-to")) && out->reply_to.ptr == NULL) {
        text = (struct slice){ NULL, 0 };
        mime_decode_mailboxes(arena, raw, see_first, &text);
        return address_normalise_mailbox(text, arena, &out->reply_to) != ADDRESS_NO_MEMORY;
    }
    return true;
}

static bool read_headers(const struct message *message, bool only_from, struct arena *arena,
                         struct mime_facts *out)
{
    struct from from = { .facts = out, .arena = arena };

    for (size_t i = 0; i < message->header_count; i++) {
        const struct message_header *field = &message->headers[i];
        bool is_from = slice_equal_nocase(field->name, SLICE("from"));
        if (only_from && !is_from)
            continue;
        if (field->value.len > MIME_VALUE_MAX)
            out->is_limited = true;
        if (is_from) {
            out->from_field_count++;
            if (out->from_count >= MIME_ADDRESSES_MAX) {
                out->is_limited = true;
                continue;
            }
            size_t count = mime_decode_mailboxes(arena, field->value, see_from, &from);
            out->from_count += count == 0 ? 1 : count;
            if (out->from.ptr == NULL && out->from_name.ptr == NULL) /* who is it that is shown? */
                out->from_name = mime_decode_text(arena, field->value);
        } else if (!take_field(field, arena, out)) {
            return false;
        }
    }
    return !from.is_full && find_name_address(out, arena);
}

const char *mime_author_problem(const struct mime_facts *facts)
{
    if (facts->from_field_count > 1)
        return "several From fields";
    if (facts->from_field_count == 0)
        return "no From field";
    return facts->from.len == 0 ? "no mailbox in From" : NULL;
}

/* ---- all of it ---- */

int mime_read(const struct message *message, unsigned wanted, struct arena *arena,
              struct mime_facts *out)
{
    bool ok = true;

    *out = (struct mime_facts){ .from_count = 0 };
    if ((wanted & (MIME_HEADERS | MIME_FROM)) != 0)
        ok = read_headers(message, (wanted & MIME_HEADERS) == 0, arena, out) &&
             !arena_has_failed(arena);
    if ((wanted & MIME_STRUCTURE) == 0)
        return ok ? 0 : -1;
    ok = ok && mime_parts_read(message, arena, out);
    metric_add(metric_of(&metrics[READ]), 1);
    metric_add(metric_of(&metrics[BROKEN]), out->is_broken);
    metric_add(metric_of(&metrics[AMBIGUOUS]), out->is_ambiguous);
    metric_add(metric_of(&metrics[LIMITED]), out->is_limited);
    return ok ? 0 : -1;
}

bool mime_is_quick(const struct message *message, unsigned wanted)
{
    return (wanted & MIME_STRUCTURE) == 0 && message->head.len <= QUICK_BYTES &&
           message->header_count <= QUICK_FIELDS;
}
