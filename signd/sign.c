/* signd/sign.c - see sign.h. */
#include "signd/sign.h"

#include <stdlib.h>
#include <string.h>

#include "signd/long_lines.h"

enum {
    FIELD_MAX = 64 << 10, /* bytes of a DKIM-Signature field */
    LINE_MAX_COLUMNS = 76,
};

/* ---- the body's hash ---- */

struct body_hash {
    struct dkim_digest *digest;
    struct line_cutter cutter;
    struct body_canon canon;
};

static void hash_bytes(void *arg, const void *bytes, size_t len)
{
    dkim_digest_add(arg, bytes, len);
}

struct body_hash *body_hash_new(enum canonicalization mode, size_t line_max)
{
    struct body_hash *hash = malloc(sizeof *hash);

    if (hash == NULL)
        return NULL;
    hash->digest = dkim_digest_new();
    if (hash->digest == NULL) {
        free(hash);
        return NULL;
    }
    hash->cutter = (struct line_cutter){ .limit = line_max };
    body_canon_start(&hash->canon, mode, hash_bytes, hash->digest);
    return hash;
}

void body_hash_free(struct body_hash **hash)
{
    if (*hash == NULL)
        return;
    dkim_digest_free(&(*hash)->digest);
    free(*hash);
    *hash = NULL;
}

void body_hash_add(struct body_hash *hash, struct slice bytes)
{
    bool is_cut;

    while (bytes.len > 0) {
        size_t len = line_cutter_next(&hash->cutter, bytes, &is_cut);
        body_canon_add(&hash->canon, slice_part(bytes, 0, len));
        if (is_cut)
            body_canon_add(&hash->canon, SLICE(LINE_CUT));
        bytes = slice_skip(bytes, len);
    }
}

int body_hash_finish(struct body_hash *hash, unsigned char digest[DKIM_DIGEST_LEN],
                     bool *has_bare_cr)
{
    body_canon_finish(&hash->canon);
    *has_bare_cr = body_canon_has_bare_cr(&hash->canon);
    return dkim_digest_finish(hash->digest, digest);
}

bool body_hash_has_cr_line(const struct body_hash *hash)
{
    return body_canon_has_cr_line(&hash->canon);
}

/* ---- the hash of the header section ---- */

/* The next field of this name, from the last one up; `used` marks those taken. NULL: none is left, which signs that there
 * is none. */
static const struct message_header *take_field(const struct message *message, struct slice name,
                                               bool *used)
{
    for (size_t i = message->header_count; i-- > 0;) {
        if (used[i] || !message_header_is(&message->headers[i], name))
            continue;
        used[i] = true;
        return &message->headers[i];
    }
    return NULL;
}

/* What stands after the colon as the MTA sends it: one that keeps the blank there to itself will write one, and long lines are
 * cut. */
static int put_value(struct buf *out, const struct message *message, size_t line_max,
                     const struct message_header *field)
{
    struct line_cutter cutter = { line_max, field->name.len + field->blanks + 1 };
    struct slice rest = field->value;
    bool is_cut;
    int rc = 0;

    if (!message->has_leading_space) {
        rc = buf_put(out, " ");
        cutter.column++;
    }
    while (rest.len > 0 && rc == 0) {
        size_t len = line_cutter_next(&cutter, rest, &is_cut);
        rc = buf_add(out, slice_part(rest, 0, len));
        if (rc == 0 && is_cut)
            rc = buf_put(out, LINE_CUT);
        rest = slice_skip(rest, len);
    }
    return rc;
}

static int put_field(struct buf *out, const struct message *message, enum canonicalization mode,
                     size_t line_max, const struct message_header *field)
{
    AUTO_BUF value = BUF_INIT(MESSAGE_HEADER_BYTES_MAX * (size_t)2);

    if (put_value(&value, message, line_max, field) != 0)
        return -1;
    return header_canon(out, mode, message_header_label(field), buf_slice(&value), true);
}

static int put_own_field(struct buf *out, enum canonicalization mode, struct slice value)
{
    AUTO_BUF spaced = BUF_INIT(FIELD_MAX + 2);

    if (buf_put(&spaced, " ") != 0 || buf_add(&spaced, value) != 0)
        return -1;
    return header_canon(out, mode, SLICE("DKIM-Signature"), buf_slice(&spaced), false);
}

int sign_digest(const struct message *message, enum canonicalization mode, size_t line_max,
                const struct slice *names, size_t count, struct slice value,
                unsigned char digest[DKIM_DIGEST_LEN])
{
    AUTO_BUF text = BUF_INIT(2 * (size_t)MESSAGE_HEADER_BYTES_MAX);
    bool *used = calloc(message->header_count + 1, sizeof *used);
    struct dkim_digest *sha256 = dkim_digest_new();
    int rc = used == NULL || sha256 == NULL ? -1 : 0;

    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct message_header *field = take_field(message, names[i], used);
        if (field != NULL)
            rc = put_field(&text, message, mode, line_max, field);
    }
    if (rc == 0)
        rc = put_own_field(&text, mode, value);
    if (rc == 0) {
        dkim_digest_add(sha256, text.data, text.len);
        rc = dkim_digest_finish(sha256, digest);
    }
    dkim_digest_free(&sha256);
    free(used);
    return rc;
}

/* ---- the field ---- */

/* The names of h=, in order. */
struct names {
    struct slice items[SIGN_FIELDS_MAX];
    size_t count;
    bool is_over;
};

static size_t fields_of(const struct message *message, struct slice name)
{
    size_t count = 0;

    for (size_t i = 0; i < message->header_count; i++)
        count += message_header_is(&message->headers[i], name);
    return count;
}

static void add_names(struct names *names, struct slice name, size_t times)
{
    for (; times > 0; times--) {
        if (names->count == COUNT(names->items)) {
            names->is_over = true;
            return;
        }
        names->items[names->count++] = name;
    }
}

static bool has_name(const struct slice *names, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(names[i], name))
            return true;
    return false;
}

static bool has_odd_space(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] == '\v' || value.ptr[i] == '\f' ||
            (value.ptr[i] == '\r' && (i + 1 == value.len || value.ptr[i + 1] != '\n')))
            return true;
    return false;
}

static bool is_any(const struct message_header *field, const struct slice *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (message_header_is(field, names[i]))
            return true;
    return false;
}

bool sign_needs_simple(const struct message *message, const struct sign_settings *settings)
{
    for (size_t i = 0; i < message->header_count; i++) {
        const struct message_header *field = &message->headers[i];
        if (has_odd_space(field->value) &&
            (is_any(field, settings->names, settings->name_count) ||
             is_any(field, settings->oversigned, settings->oversigned_count)))
            return true;
    }
    return false;
}

static void select_names(const struct sign_request *request, struct names *names)
{
    const struct sign_settings *settings = request->settings;

    names->count = 0;
    names->is_over = false;
    for (size_t i = 0; i < settings->oversigned_count; i++)
        add_names(names, settings->oversigned[i],
                  fields_of(request->message, settings->oversigned[i]) + 1);
    for (size_t i = 0; i < settings->name_count; i++)
        if (!has_name(settings->oversigned, settings->oversigned_count, settings->names[i]))
            add_names(names, settings->names[i], fields_of(request->message, settings->names[i]));
}

/* A field under way, folded as it grows. */
struct field {
    struct buf text;
    size_t column;
    int rc;
};

static void put_word(struct field *field, struct slice word)
{
    field->rc |= buf_add(&field->text, word);
    field->column += word.len;
}

/* Before `next` more bytes: a new line, if they do not fit on this one. */
static void fold_for(struct field *field, size_t next, const char *otherwise)
{
    if (field->column + strlen(otherwise) + next > LINE_MAX_COLUMNS) {
        field->rc |= buf_put(&field->text, "\n\t");
        field->column = 8;
    } else {
        put_word(field, slice_of(otherwise));
    }
}

static void put_tag(struct field *field, const char *name, struct slice value)
{
    fold_for(field, strlen(name) + 1 + value.len + 1, " ");
    put_word(field, slice_of(name));
    put_word(field, SLICE("="));
    put_word(field, value);
    put_word(field, SLICE(";"));
}

static void put_number(struct field *field, const char *name, uint64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%llu", (unsigned long long)number);

    put_tag(field, name, (struct slice){ text, (size_t)len });
}

static void put_names(struct field *field, const struct names *names)
{
    fold_for(field, 2 + names->items[0].len, " ");
    put_word(field, SLICE("h="));
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0) {
            put_word(field, SLICE(":"));
            fold_for(field, names->items[i].len + 1, "");
        }
        put_word(field, names->items[i]);
    }
    put_word(field, SLICE(";"));
}

static void put_base64(struct field *field, const unsigned char *bytes, size_t len)
{
    AUTO_BUF text = BUF_INIT(DKIM_SIGNATURE_MAX * 2);

    field->rc |= base64_print(&text, bytes, len);
    for (size_t at = 0; field->rc == 0 && at < text.len;) {
        if (field->column >= LINE_MAX_COLUMNS)
            fold_for(field, 1, "");
        struct slice piece = slice_part(buf_slice(&text), at, LINE_MAX_COLUMNS - field->column);
        put_word(field, piece);
        at += piece.len;
    }
}

static const char *canonical_words(const struct sign_settings *settings)
{
    static const char *const words[2][2] = { { "simple/simple", "simple/relaxed" },
                                             { "relaxed/simple", "relaxed/relaxed" } };

    return words[settings->header][settings->body];
}

/* All but the signature: it ends with "b=". */
static void put_unsigned(struct field *field, const struct sign_request *request,
                         const struct names *names)
{
    const struct sign_settings *settings = request->settings;

    field->column = strlen("DKIM-Signature: ");
    put_word(field, SLICE("v=1;"));
    put_tag(field, "a", dkim_algorithm_name(dkim_key_type(request->key)));
    put_tag(field, "c", slice_of(canonical_words(settings)));
    put_tag(field, "d", request->domain);
    put_tag(field, "s", request->selector);
    put_number(field, "t", request->now_s);
    if (settings->expire_s > 0)
        put_number(field, "x", request->now_s + settings->expire_s);
    put_names(field, names);
    fold_for(field, 3 + 44 + 1, " ");
    put_word(field, SLICE("bh="));
    put_base64(field, request->body_digest, DKIM_DIGEST_LEN);
    put_word(field, SLICE(";"));
    field->rc |= buf_put(&field->text, "\n\tb=");
    field->column = 8 + 2;
}

static struct slice field_sign(struct field *field, const struct sign_request *request,
                               const struct names *names, struct arena *arena, const char **error)
{
    unsigned char digest[DKIM_DIGEST_LEN], signature[DKIM_SIGNATURE_MAX];
    size_t len = sizeof signature;
    struct slice absent = { NULL, 0 };

    put_unsigned(field, request, names);
    if (field->rc != 0 ||
        sign_digest(request->message, request->settings->header, request->settings->line_max,
                    names->items, names->count, buf_slice(&field->text), digest) != 0) {
        *error = "out of memory";
        return absent;
    }
    if (dkim_key_sign(request->key, digest, signature, &len) != 0) {
        *error = "the key made no signature";
        return absent;
    }
    put_base64(field, signature, len);
    struct slice value = field->rc == 0 ? arena_copy(arena, buf_slice(&field->text)) : absent;
    if (value.ptr == NULL)
        *error = "out of memory";
    return value;
}

struct slice sign_field(const struct sign_request *request, struct arena *arena, bool *is_final,
                        const char **error)
{
    struct names names;
    struct field field = { .text = BUF_INIT(FIELD_MAX) };
    struct slice value = { NULL, 0 };

    select_names(request, &names);
    *is_final = true;
    if (!has_name(names.items, names.count, SLICE("From")) ||
        fields_of(request->message, SLICE("From")) == 0)
        *error = "the message has no From field, which every signature must cover";
    else if (names.is_over)
        *error = "too many header fields to sign";
    else
        *is_final = false;
    if (!*is_final)
        value = field_sign(&field, request, &names, arena, error);
    buf_free(&field.text);
    return value;
}
