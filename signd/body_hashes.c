/* signd/body_hashes.c - see body_hashes.h. */
#include "signd/body_hashes.h"

#include <stdlib.h>
#include <string.h>

#include "signd/sign.h"

enum { READ_MAX = 64 << 10 };

int body_read(const struct message *message, body_take *take, void *arg)
{
    char *space = malloc(READ_MAX);
    uint64_t at = 0;
    struct slice piece;
    int rc = space == NULL ? -1 : 0;

    while (rc == 0) {
        rc = spool_read(message->body, at, READ_MAX, space, &piece);
        if (rc != 0 || piece.len == 0)
            break;
        rc = take(arg, piece);
        at += piece.len;
    }
    free(space);
    return rc;
}

bool body_hashes_suffice(struct dkim_claim *const *claims, size_t count, struct body_hashes *out)
{
    *out = (struct body_hashes){ .is_wanted = { false, false } };
    for (size_t i = 0; i < count; i++) {
        if (!claims[i]->has_body_hash || claims[i]->has_length)
            return false;
        out->is_wanted[claims[i]->body] = true;
    }
    return true;
}

static int hash_piece(void *arg, struct slice piece)
{
    struct body_hash *const *hashes = arg;

    for (size_t i = 0; i < 2; i++)
        if (hashes[i] != NULL)
            body_hash_add(hashes[i], piece);
    return 0;
}

int body_hashes_make(const struct message *message, struct body_hashes *out)
{
    struct body_hash *hashes[2] = { NULL, NULL };
    bool has_bare_cr;
    int rc = 0;

    for (unsigned mode = 0; mode < 2; mode++) {
        if (out->is_wanted[mode])
            hashes[mode] = body_hash_new((enum canonicalization)mode, 0);
        if (out->is_wanted[mode] && hashes[mode] == NULL)
            rc = -1;
    }
    if (rc == 0)
        rc = body_read(message, hash_piece, hashes);
    for (unsigned mode = 0; mode < 2; mode++) {
        if (rc == 0 && out->is_wanted[mode])
            rc = body_hash_finish(hashes[mode], out->digests[mode], &has_bare_cr);
        body_hash_free(&hashes[mode]);
    }
    return rc;
}

bool body_hashes_fit(const struct body_hashes *hashes, const struct dkim_claim *claim)
{
    return memcmp(hashes->digests[claim->body], claim->body_hash, DKIM_DIGEST_LEN) == 0;
}
