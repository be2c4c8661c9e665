/* common/mime/mime.c - see mime.h. Structure: mime_walk.c; decoding of single fields: mime_decode.c. */
#include "common/mime/mime.h"

#include "common/mail/address.h"
#include "common/mime/mime_decode.h"
#include "common/observe/metrics.h"

enum { CHUNK = 64 << 10 };
enum { READ, BROKEN, LIMITED };

enum { QUICK_BYTES = 64 << 10, QUICK_FIELDS = 500 }; /* mime_is_quick() */

static struct metric metrics[] = {
    [READ] = METRIC("gatehouse_mime_read_total", METRIC_COUNTER,
                    "Messages whose MIME structure was read for rules."),
    [BROKEN] = METRIC("gatehouse_mime_broken_total", METRIC_COUNTER,
                      "Messages whose MIME structure is against the rules."),
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

/* ---- parts ---- */

struct reading {
    struct arena *arena;
    struct mime_facts *facts;
    struct mime_attachment **end; /* of the list */
    struct mime_attachment *open; /* the part under way; NULL: it is no attachment */
};

/* The next field of this name in a block of fields: its value, folds and all. *rest is what comes after it. */
static struct slice next_value(struct slice *rest, struct slice name)
{
    struct slice line;

    while (rest->len > 0) {
        struct slice whole = *rest;
        if (!slice_cut(rest, '\n', &line))
            *rest = slice_skip(*rest, rest->len);
        while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t'))
            if (!slice_cut(rest, '\n', &line))
                *rest = slice_skip(*rest, rest->len);
        whole.len -= rest->len;
        size_t colon = slice_find(whole, ':');
        if (colon != SIZE_MAX && slice_equal_nocase(slice_trim(slice_part(whole, 0, colon)), name))
            return slice_trim(slice_skip(whole, colon + 1));
    }
    return (struct slice){ NULL, 0 };
}

/* The only one. Of several the first counts here, and another one elsewhere: the structure is broken then. */
static struct slice field_value(struct reading *reading, struct slice fields, struct slice name)
{
    struct slice value = next_value(&fields, name);

    if (value.ptr != NULL && next_value(&fields, name).ptr != NULL)
        reading->facts->is_broken = true;
    return value;
}

/* By the first word: a comment or a parameter after it, which must not be there, changes nothing. */
static enum mime_encoding encoding_of(struct reading *reading, struct slice fields)
{
    struct slice word = field_value(reading, fields, SLICE("content-transfer-encoding"));

    for (size_t i = 0; i < word.len; i++)
        if (strchr(" \t\r\n(;", word.ptr[i]) != NULL)
            word.len = i;
    if (slice_equal_nocase(word, SLICE("base64")))
        return MIME_BASE64;
    return slice_equal_nocase(word, SLICE("quoted-printable")) ? MIME_QUOTED_PRINTABLE
                                                               : MIME_IDENTITY;
}

/* Without directories, and without the dots and blanks at the end that Windows does not see. */
static struct slice file_name(struct slice name)
{
    for (size_t i = name.len; i-- > 0;)
        if (name.ptr[i] == '/' || name.ptr[i] == '\\') {
            name = slice_skip(name, i + 1);
            break;
        }
    name = slice_trim(name);
    while (name.len > 0 && strchr(". \t", name.ptr[name.len - 1]) != NULL)
        name.len--;
    return name.len == 0 ? (struct slice){ NULL, 0 } : name;
}

static bool set_name(struct mime_attachment *attachment, size_t n, struct slice name,
                     struct arena *arena)
{
    size_t dot;

    attachment->name[n] = name = file_name(name);
    dot = name.ptr == NULL ? SIZE_MAX : slice_rfind(name, '.');
    if (dot == SIZE_MAX)
        return true;
    struct slice extension = slice_skip(name, dot + 1);
    char *lower = arena_alloc(arena, extension.len + 1);
    if (lower == NULL)
        return false;
    for (size_t i = 0; i < extension.len; i++)
        lower[i] = ascii_lower(extension.ptr[i]);
    attachment->extension[n] = (struct slice){ lower, extension.len };
    return true;
}

/* Clients take the one name or the other: rules see both. */
static bool attach(struct reading *reading, const struct mime_type *type,
                   const struct mime_disposition *disposition)
{
    struct mime_attachment *attachment = arena_alloc(reading->arena, sizeof *attachment);

    if (attachment == NULL)
        return false;
    attachment->type = type->type;
    bool has_two = disposition->name.ptr != NULL && type->name.ptr != NULL &&
                   !slice_equal(disposition->name, type->name);
    struct slice first = disposition->name.ptr != NULL ? disposition->name : type->name;
    if (!set_name(attachment, 0, first, reading->arena) ||
        (has_two && !set_name(attachment, 1, type->name, reading->arena)))
        return false;
    *reading->end = attachment;
    reading->end = &attachment->next;
    reading->open = attachment;
    reading->facts->attachment_count++;
    return true;
}

static void set_structure(const struct mime_type *type, struct mime_entity *out)
{
    if (slice_starts_with(type->type, SLICE("multipart/"))) {
        out->kind = MIME_MULTIPART;
        out->is_digest = slice_equal(type->type, SLICE("multipart/digest"));
        if (type->boundary.len <= sizeof out->boundary) {
            out->boundary_len = type->boundary.len;
            if (out->boundary_len > 0)
                memcpy(out->boundary, type->boundary.ptr, out->boundary_len);
        }
    } else if (out->encoding == MIME_IDENTITY &&
               (slice_equal(type->type, SLICE("message/rfc822")) ||
                slice_equal(type->type, SLICE("message/global")))) {
        out->kind = MIME_MESSAGE;
    }
}

static bool part_begins(void *arg, struct slice fields, bool in_digest, struct mime_entity *out)
{
    struct reading *reading = arg;
    struct slice type_field = field_value(reading, fields, SLICE("content-type"));
    struct slice disposition_field = field_value(reading, fields, SLICE("content-disposition"));
    struct mime_type type = { .type = { NULL, 0 } };
    struct mime_disposition disposition = { .is_attachment = false };

    if (type_field.len > MIME_VALUE_MAX || disposition_field.len > MIME_VALUE_MAX)
        reading->facts->is_limited = true;
    reading->open = NULL;
    if (type_field.ptr != NULL)
        mime_decode_type(reading->arena, type_field, &type);
    if (type.type.ptr == NULL)
        type.type = in_digest ? SLICE("message/rfc822") : SLICE("text/plain");
    if (disposition_field.ptr != NULL)
        mime_decode_disposition(reading->arena, disposition_field, &disposition);
    out->encoding = encoding_of(reading, fields);
    set_structure(&type, out);
    if (type.boundary.len > sizeof out->boundary)
        reading->facts->is_limited = true;
    if (out->kind == MIME_MULTIPART)
        return true;
    if (disposition.is_attachment || disposition.name.ptr != NULL || type.name.ptr != NULL ||
        !slice_starts_with(type.type, SLICE("text/")))
        return attach(reading, &type, &disposition);
    return true;
}

static void part_ends(void *arg, uint64_t size)
{
    struct reading *reading = arg;

    reading->facts->part_count++;
    if (reading->open != NULL)
        reading->open->size = size;
    reading->open = NULL;
}

/* The message's own Content-* fields, as they stand in a part. */
static bool own_fields(const struct message *message, struct buf *out)
{
    for (size_t i = 0; i < message->header_count; i++) {
        const struct message_header *field = &message->headers[i];
        if (slice_equal_nocase(slice_part(field->name, 0, 8), SLICE("content-")) &&
            (buf_add(out, field->name) || buf_put(out, ": ") || buf_add(out, field->value) ||
             buf_put(out, "\r\n")))
            return false;
    }
    return true;
}

/* False: the body cannot be read, or the walk has ended. */
static bool walk_body(const struct message *message, struct mime_walk *walk)
{
    char *space = malloc(CHUNK);
    struct slice bytes = SLICE("");
    uint64_t offset = message->head.len;
    bool ok = space != NULL;

    while (ok) {
        ok = message_read(message, offset, CHUNK, space, &bytes) == 0;
        if (!ok || bytes.len == 0)
            break;
        offset += bytes.len;
        ok = mime_walk_feed(walk, bytes) == 0;
    }
    free(space);
    return ok;
}

static bool read_structure(const struct message *message, struct arena *arena,
                           struct mime_facts *out)
{
    AUTO_BUF fields = BUF_INIT(MIME_HEADER_MAX);
    struct reading reading = { .arena = arena, .facts = out, .end = &out->attachments };
    const struct mime_visitor visitor = { part_begins, part_ends, &reading };
    struct mime_walk *walk = malloc(sizeof *walk);
    bool ok;

    if (walk == NULL)
        return false;
    out->is_limited |= !own_fields(message, &fields);
    ok = mime_walk_init(walk, &visitor, buf_slice(&fields)) == 0;
    if (ok)
        ok = walk_body(message, walk);
    mime_walk_end(walk);
    out->depth = walk->depth;
    out->is_broken |= walk->is_broken;
    out->is_limited |= walk->is_limited;
    ok = ok || (walk->is_limited && walk->parts == MIME_PARTS_MAX);
    free(walk);
    return ok;
}

int mime_read(const struct message *message, unsigned wanted, struct arena *arena,
              struct mime_facts *out)
{
    bool ok = true;

    *out = (struct mime_facts){ .from_count = 0 };
    if ((wanted & (MIME_HEADERS | MIME_FROM)) != 0)
        ok = read_headers(message, (wanted & MIME_HEADERS) == 0, arena, out);
    if ((wanted & MIME_STRUCTURE) == 0)
        return ok ? 0 : -1;
    ok = ok && read_structure(message, arena, out);
    metric_add(metric_of(&metrics[READ]), 1);
    metric_add(metric_of(&metrics[BROKEN]), out->is_broken);
    metric_add(metric_of(&metrics[LIMITED]), out->is_limited);
    return ok ? 0 : -1;
}

bool mime_is_quick(const struct message *message, unsigned wanted)
{
    return (wanted & MIME_STRUCTURE) == 0 && message->head.len <= QUICK_BYTES &&
           message->header_count <= QUICK_FIELDS;
}
