/* signd/seal.c - see seal.h. */
#include "signd/seal.h"

#include <stdlib.h>

enum { READ_MAX = 64 << 10 };

/* 0, or -1: memory is out, or the body cannot be read. */
static int hash_with(const struct message *message, enum canonicalization mode, char *space,
                     unsigned char digest[DKIM_DIGEST_LEN], bool *has_bare_cr)
{
    struct body_hash *hash = body_hash_new(mode);
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
    if (rc == 0)
        rc = body_hash_finish(hash, digest, has_bare_cr);
    body_hash_free(&hash);
    return rc;
}

static int hash_body(const struct message *message, struct sign_settings *settings,
                     unsigned char digest[DKIM_DIGEST_LEN])
{
    char *space = malloc(READ_MAX);
    bool has_bare_cr = false;
    int rc = space == NULL ? -1 : hash_with(message, settings->body, space, digest, &has_bare_cr);

    if (rc == 0 && has_bare_cr && settings->body == CANONICAL_RELAXED) {
        settings->body = CANONICAL_SIMPLE;
        rc = hash_with(message, settings->body, space, digest, &has_bare_cr);
    }
    free(space);
    return rc;
}

bool seal(const struct message *message, const struct chosen_keys *keys,
          const struct sign_settings *settings, uint64_t now_s, struct arena *arena,
          struct edits *edits, const char **error)
{
    struct sign_settings used = *settings;
    unsigned char digest[DKIM_DIGEST_LEN];
    struct slice values[KEYS_OF_A_MESSAGE_MAX];

    *error = "out of memory, or the body cannot be read";
    if (hash_body(message, &used, digest) != 0)
        return false;
    for (size_t i = 0; i < keys->count; i++) {
        const struct sign_request request = { .message = message,
                                              .settings = &used,
                                              .key = keys->keys[i]->key,
                                              .domain = keys->domain,
                                              .selector = keys->keys[i]->selector,
                                              .body_digest = digest,
                                              .now_s = now_s };
        values[i] = sign_field(&request, arena, error);
        if (values[i].ptr == NULL)
            return false;
    }
    for (size_t i = keys->count; i-- > 0;) /* each before the one after it */
        if (!edits_add(edits, arena,
                       &(struct edit){ .kind = EDIT_INSERT_HEADER,
                                       .name = SLICE("DKIM-Signature"),
                                       .text = values[i] }))
            return false;
    return true;
}
