/* common/mime/mime_parts.c - see mime_parts.h. mime_walk.c finds the parts; here is said what their header fields mean. */
#include "common/mime/mime_parts.h"

#include <stdlib.h>
#include <string.h>

#include "common/mime/mime_names.h"
#include "common/mime/mime_params.h"

enum { CHUNK = 64 << 10, SCRATCH_MAX = 4 << 20 };

struct reading {
    struct arena *arena; /* of what is found */
    struct arena *scratch; /* of one part */
    bool is_full; /* `arena` */
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

/* By the first word: a comment or a parameter after it, which must not be there, changes nothing. */
static enum mime_encoding encoding_in(struct slice field)
{
    struct slice word = field;

    for (size_t i = 0; i < word.len; i++)
        if (strchr(" \t\r\n(;", word.ptr[i]) != NULL)
            word.len = i;
    if (slice_equal_nocase(word, SLICE("base64")))
        return MIME_BASE64;
    return slice_equal_nocase(word, SLICE("quoted-printable")) ? MIME_QUOTED_PRINTABLE
                                                               : MIME_IDENTITY;
}

static struct slice type_word(struct slice field)
{
    return slice_trim(slice_part(field, 0, slice_find(field, ';')));
}

/* The type's word, however it is written, says multipart. */
static bool says_multipart(struct slice field)
{
    static const struct slice word = SLICE_INIT("multipart");

    for (struct slice head = type_word(field); head.len >= word.len; head = slice_skip(head, 1))
        if (slice_equal_nocase(slice_part(head, 0, word.len), word))
            return true;
    return false;
}

/* Another charset is no other part: many programs that write mail give two types. */
static bool is_other_type(struct slice one, struct slice other)
{
    return !slice_equal_nocase(type_word(one), type_word(other)) ||
           (says_multipart(one) && !slice_equal(one, other));
}

static bool is_other_encoding(struct slice one, struct slice other)
{
    return encoding_in(one) != encoding_in(other);
}

/* Names are told of all of them. */
static bool is_other_disposition(UNUSED struct slice one, UNUSED struct slice other)
{
    return false;
}

/* The only one. Of several the first counts here, and another one elsewhere: the structure is broken then, and when they say different
 * things nobody knows what the part is. */
static struct slice field_value(struct reading *reading, struct slice fields, struct slice name,
                                bool (*is_other)(struct slice one, struct slice other))
{
    struct slice value = next_value(&fields, name), other;

    while (value.ptr != NULL && (other = next_value(&fields, name)).ptr != NULL) {
        reading->facts->is_broken = true;
        reading->facts->is_ambiguous |= is_other(value, other);
    }
    return value;
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

static struct slice extension_of(struct slice name)
{
    size_t dot = slice_rfind(name, '.');
    struct slice extension = slice_skip(name, dot == SIZE_MAX ? name.len : dot + 1);

    return slice_part(extension, 0,
                      slice_find(extension, ':')); /* "x.exe::$DATA" is x.exe to Windows */
}

/* As far as there is memory: what lies beyond the arena is beyond a bound. */
static bool keep_name(struct reading *reading, struct mime_attachment *attachment,
                      struct slice decoded)
{
    struct slice name = file_name(decoded);
    size_t n = 0;

    while (n < MIME_NAMES_MAX && attachment->name[n].ptr != NULL)
        n++;
    if (name.ptr == NULL || n == MIME_NAMES_MAX)
        return true;
    struct slice kept = arena_copy(reading->arena, name), extension = extension_of(kept);
    char *lower = arena_alloc(reading->arena, extension.len + 1);
    if (kept.ptr == NULL || lower == NULL)
        return false;
    for (size_t i = 0; i < extension.len; i++)
        lower[i] = ascii_lower(extension.ptr[i]);
    attachment->name[n] = kept;
    if (extension.len > 0)
        attachment->extension[n] = (struct slice){ lower, extension.len };
    return true;
}

/* NULL: the arena is full, which ends the walk. */
static struct mime_attachment *attach(struct reading *reading, struct slice type,
                                      const struct mime_names *names)
{
    struct mime_attachment *attachment = arena_alloc(reading->arena, sizeof *attachment);
    bool ok = attachment != NULL;

    if (ok) {
        attachment->type = arena_copy(reading->arena, type);
        ok = attachment->type.ptr != NULL;
    }
    for (size_t i = 0; ok && i < names->count; i++)
        ok = keep_name(reading, attachment, names->names[i]);
    if (!ok) {
        reading->is_full = true;
        return NULL;
    }
    *reading->end = attachment;
    reading->end = &attachment->next;
    reading->facts->attachment_count++;
    return attachment;
}

/* ---- what a part is ---- */

/* Reports are no messages: what they begin with are fields, but not those of one. */
static bool is_message(struct slice type)
{
    static const struct slice others[] = {
        SLICE_INIT("external-body"),
        SLICE_INIT("delivery-status"),
        SLICE_INIT("global-delivery-status"),
        SLICE_INIT("disposition-notification"),
        SLICE_INIT("global-disposition-notification"),
        SLICE_INIT("feedback-report"),
    };

    if (!slice_starts_with(type, SLICE("message/")))
        return false;
    for (size_t i = 0; i < COUNT(others); i++)
        if (slice_equal(slice_skip(type, strlen("message/")), others[i]))
            return false;
    return true;
}

/* Whether readers may take another boundary than this from the field: another parameter of that name, or another end of it. */
static bool is_boundary_unsure(struct slice field, struct slice boundary)
{
    bool is_plain = false, is_extended = false, is_unsure = false;
    struct mime_param param;

    while (mime_param_next(&field, &param)) {
        if (!mime_param_is(&param, "boundary"))
            continue;
        if (mime_param_is_extended(&param)) {
            is_extended = true;
            continue;
        }
        struct slice value = slice_part(param.value, 0, MIME_VALUE_MAX);
        while (value.len > 0 && value.ptr[value.len - 1] == ' ')
            value.len--;
        is_unsure |= param.is_odd || !slice_equal(value, boundary);
        is_plain = true;
    }
    return is_unsure || (is_plain && is_extended);
}

static void set_structure(struct reading *reading, struct slice field, const struct mime_type *type,
                          struct mime_entity *out)
{
    struct mime_facts *facts = reading->facts;

    if (slice_starts_with(type->type, SLICE("multipart/"))) {
        out->kind = MIME_MULTIPART;
        out->is_digest = slice_equal(type->type, SLICE("multipart/digest"));
        facts->is_limited |= type->boundary.len > sizeof out->boundary;
        facts->is_ambiguous |= type->boundary.len == 0 || is_boundary_unsure(field, type->boundary);
        if (type->boundary.len > 0 && type->boundary.len <= sizeof out->boundary) {
            out->boundary_len = type->boundary.len;
            memcpy(out->boundary, type->boundary.ptr, out->boundary_len);
        }
        return;
    }
    facts->is_ambiguous |= says_multipart(field);
    if (!is_message(type->type))
        return;
    if (out->encoding == MIME_IDENTITY)
        out->kind = MIME_MESSAGE;
    else
        facts->is_limited = true;
}

/* All names that the part has in its fields. False: memory is out. */
static bool read_names(struct reading *reading, struct slice fields, struct mime_names *names)
{
    static const struct slice kinds[] = { SLICE_INIT("content-disposition"),
                                          SLICE_INIT("content-type") };

    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct slice rest = fields, field;
        while ((field = next_value(&rest, kinds[i])).ptr != NULL) {
            reading->facts->is_limited |= field.len > MIME_VALUE_MAX;
            if (!mime_names_add(names, reading->scratch, field))
                return false;
        }
    }
    reading->facts->is_limited |= names->has_more;
    return true;
}

static bool part_begins(void *arg, struct slice fields, bool in_digest, struct mime_entity *out)
{
    struct reading *reading = arg;
    struct slice type_field = field_value(reading, fields, SLICE("content-type"), is_other_type);
    struct slice disposition_field =
        field_value(reading, fields, SLICE("content-disposition"), is_other_disposition);
    struct mime_type type = { .type = { NULL, 0 } };
    struct mime_disposition disposition = { .is_attachment = false };
    struct mime_names names = { .count = 0 };

    arena_reset(reading->scratch);
    reading->open = NULL;
    if ((type_field.ptr != NULL && !mime_decode_type(reading->scratch, type_field, &type)) ||
        (disposition_field.ptr != NULL &&
         !mime_decode_disposition(reading->scratch, disposition_field, &disposition)) ||
        !read_names(reading, fields, &names))
        return false;
    if (arena_has_failed(reading->scratch))
        return false;
    if (type.type.ptr == NULL)
        type.type = in_digest ? SLICE("message/rfc822") : SLICE("text/plain");
    out->encoding = encoding_in(
        field_value(reading, fields, SLICE("content-transfer-encoding"), is_other_encoding));
    set_structure(reading, type_field, &type, out);
    if (out->kind == MIME_MULTIPART || (!disposition.is_attachment && names.count == 0 &&
                                        slice_starts_with(type.type, SLICE("text/"))))
        return true;
    reading->open = attach(reading, type.type, &names);
    return reading->open != NULL;
}

static void part_ends(void *arg, uint64_t size)
{
    struct reading *reading = arg;

    reading->facts->part_count++;
    if (reading->open != NULL)
        reading->open->size = size;
    reading->open = NULL;
}

/* "begin 644 x.exe": what follows is a file to some readers, though it stands in a text. */
static bool uuencoded(void *arg, struct slice line)
{
    static const struct slice type = SLICE_INIT("application/x-uuencode");
    struct reading *reading = arg;
    struct mime_names names = { .count = 1 };
    struct slice rest = slice_skip(line, strlen("begin ")), mode;

    if (!slice_cut(&rest, ' ', &mode) || mode.len < 3 || mode.len > 4 || slice_trim(rest).len == 0)
        return true;
    for (size_t i = 0; i < mode.len; i++)
        if (mode.ptr[i] < '0' || mode.ptr[i] > '7')
            return true;
    if (reading->facts->attachment_count >= MIME_PARTS_MAX) {
        reading->facts->is_limited = true;
        return true;
    }
    arena_reset(reading->scratch);
    names.names[0] = mime_decode_text(reading->scratch, rest);
    return attach(reading, type, &names) != NULL;
}

/* A CR that no LF follows: some readers end a line there. */
static bool has_bare_cr(struct slice text)
{
    for (size_t at; (at = slice_find(text, '\r')) != SIZE_MAX; text = slice_skip(text, at + 1))
        if (at + 1 == text.len || text.ptr[at + 1] != '\n')
            return true;
    return false;
}

/* The message's own Content-* fields, as they stand in a part. */
static bool own_fields(const struct message *message, struct buf *out, struct mime_facts *facts)
{
    for (size_t i = 0; i < message->header_count; i++) {
        const struct message_header *field = &message->headers[i];
        if (!slice_equal_nocase(slice_part(field->name, 0, 8), SLICE("content-")))
            continue;
        facts->is_ambiguous |= has_bare_cr(field->value);
        if ((buf_add(out, field->name) || buf_put(out, ": ") || buf_add(out, field->value) ||
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

bool mime_parts_read(const struct message *message, struct arena *arena, struct mime_facts *out)
{
    AUTO_BUF fields = BUF_INIT(MIME_HEADER_MAX);
    struct reading reading = {
        .arena = arena, .scratch = arena_new(SCRATCH_MAX), .facts = out, .end = &out->attachments
    };
    const struct mime_visitor visitor = { part_begins, part_ends, uuencoded, &reading };
    struct mime_walk *walk = malloc(sizeof *walk);
    bool ok = walk != NULL && reading.scratch != NULL;

    if (ok) {
        out->is_limited |= !own_fields(message, &fields, out);
        ok = mime_walk_init(walk, &visitor, buf_slice(&fields)) == 0 && walk_body(message, walk);
        mime_walk_end(walk);
        out->depth = walk->depth;
        out->is_broken |= walk->is_broken;
        out->is_ambiguous |= walk->is_ambiguous;
        out->is_limited |= walk->is_limited || reading.is_full;
        ok = ok || reading.is_full || (walk->is_limited && walk->parts == MIME_PARTS_MAX);
    }
    arena_free(&reading.scratch);
    free(walk);
    return ok;
}
