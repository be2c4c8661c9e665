/* signd/seal.c - see seal.h. */
#include "signd/seal.h"

#include <stdlib.h>

enum { READ_MAX = 64 << 10 };

/* What is found while the body is hashed. */
struct body_finding {
    bool has_bare_cr, has_cr_line;
};

/* 0, or -1: memory is out, or the body cannot be read. */
static int hash_with(const struct message *message, const struct sign_settings *settings,
                     char *space, unsigned char digest[DKIM_DIGEST_LEN],
                     struct body_finding *finding)
{
    struct body_hash *hash = body_hash_new(settings->body, settings->line_max);
    uint64_t at = 0;
    struct slice piece;
    int rc = hash == NULL ? -1 : 0;

    while (rc == 0) {
        rc = spool_read(message->body, at, READ_MAX, space, &piece);
        if (rc != 0 || piece.len == 0)
            break;
        body_hash_add(hash, piece);
        at += piece.len;
    }
    if (rc == 0) {
        rc = body_hash_finish(hash, digest, &finding->has_bare_cr);
        finding->has_cr_line = body_hash_has_cr_line(hash);
    }
    body_hash_free(&hash);
    return rc;
}

static enum seal_result hash_body(const struct message *message, struct sign_settings *settings,
                                  unsigned char digest[DKIM_DIGEST_LEN], const char **error)
{
    char *space = malloc(READ_MAX);
    struct body_finding finding = { false, false };
    int rc = space == NULL ? -1 : hash_with(message, settings, space, digest, &finding);

    if (rc == 0 && finding.has_bare_cr && settings->body == CANONICAL_RELAXED) {
        settings->body = CANONICAL_SIMPLE;
        rc = hash_with(message, settings, space, digest, &finding);
    }
    free(space);
    *error = rc != 0 ? "out of memory, or the body cannot be read"
                     : "the body has a line of a bare CR alone, which verifiers read differently";
    return rc != 0 ? SEAL_FAILED : finding.has_cr_line ? SEAL_REFUSED : SEAL_DONE;
}

/* The values of the fields, in the order of the keys. */
static enum seal_result make_fields(const struct message *message, const struct chosen_keys *keys,
                                    const struct sign_settings *settings, uint64_t now_s,
                                    const unsigned char digest[DKIM_DIGEST_LEN],
                                    struct arena *arena, struct slice *values, const char **error)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct sign_request request = { .message = message,
                                              .settings = settings,
                                              .key = keys->keys[i]->key,
                                              .domain = keys->domain,
                                              .selector = keys->keys[i]->selector,
                                              .body_digest = digest,
                                              .now_s = now_s };
        bool is_final = false;
        values[i] = sign_field(&request, arena, &is_final, error);
        if (values[i].ptr == NULL)
            return is_final ? SEAL_REFUSED : SEAL_FAILED;
    }
    return SEAL_DONE;
}

/* Any white space may stand between a name and its colon (RFC 5322 4.5), but verifiers know a field by its name then only if it is
 * one blank; of a message with more opendkim says nothing. "From " at the beginning of a line is no field for some, who then do not
 * find From. */
static bool has_odd_colon(const struct message *message)
{
    for (size_t i = 0; i < message->header_count; i++) {
        const struct message_header *field = &message->headers[i];
        if (field->blanks > 1 || (field->blanks > 0 && message_header_is(field, SLICE("From"))) ||
            (field->blanks == 1 && field->name.ptr[field->name.len] != ' '))
            return true;
    }
    return false;
}

enum seal_result seal(const struct message *message, const struct chosen_keys *keys,
                      const struct sign_settings *settings, uint64_t now_s, struct arena *arena,
                      struct edits *edits, const char **error)
{
    struct sign_settings used = *settings;
    unsigned char digest[DKIM_DIGEST_LEN];
    struct slice values[KEYS_OF_A_MESSAGE_MAX];

    *error =
        "From has a blank before its colon, or another field more than one, which verifiers read differently";
    if (has_odd_colon(message))
        return SEAL_REFUSED;
    enum seal_result result = hash_body(message, &used, digest, error);

    if (sign_needs_simple(message, &used))
        used.header = CANONICAL_SIMPLE;
    if (result == SEAL_DONE)
        result = make_fields(message, keys, &used, now_s, digest, arena, values, error);
    for (size_t i = keys->count;
         i-- > 0 && result == SEAL_DONE;) { /* each before the one after it */
        const struct edit edit = { .kind = EDIT_INSERT_HEADER,
                                   .name = SLICE("DKIM-Signature"),
                                   .text = values[i] };
        *error = "out of memory";
        if (!edits_add(edits, arena, &edit))
            result = SEAL_FAILED;
    }
    return result;
}
