/* signd/sign.h - makes DKIM-Signature fields (RFC 6376 section 5, RFC 8463): which header fields are signed, the field
 * itself, its hash. libopendkim verifies; it does not sign, because it parses the key for every message, stumbles over
 * malformed signatures that are there already, and signs with a key of the wrong type what nobody can verify.
 *
 *     hash the body (struct body_hash) -> for each key: sign_field()
 *
 * No I/O. Any thread; one body_hash per message. */
#ifndef GATEHOUSE_SIGND_SIGN_H
#define GATEHOUSE_SIGND_SIGN_H

#include "common/dkim/key.h"
#include "common/milter/message.h"
#include "signd/canonical.h"

/* ---- the body's hash ---- */

struct body_hash; /* opaque */
/* `line_max`: sign_settings.line_max. NULL: out of memory. */
struct body_hash *body_hash_new(enum canonicalization mode, size_t line_max);
void body_hash_free(struct body_hash **hash); /* NULL-safe; clears *hash */
void body_hash_add(struct body_hash *hash, struct slice bytes); /* as they arrive, cut anywhere */
/* -1: the library failed. *has_bare_cr: verifiers would not agree about a relaxed hash. */
int body_hash_finish(struct body_hash *hash, unsigned char digest[DKIM_DIGEST_LEN],
                     bool *has_bare_cr);
/* Verifiers would not agree about this body at all (canonical.h). After finish. */
bool body_hash_has_cr_line(const struct body_hash *hash);

/* ---- the field ---- */

enum {
    SIGN_NAMES_MAX = 64, /* of the header fields to sign */
    SIGN_FIELDS_MAX = 500, /* names in h=; more is refused */
};

struct sign_settings {
    enum canonicalization header, body;
    const struct slice *names; /* header fields to sign, where they are there */
    size_t name_count;
    /* Named once more than they are there, so that none can be added (RFC 6376 8.15). Signed, too. */
    const struct slice *oversigned;
    size_t oversigned_count;
    uint64_t expire_s; /* x= this long after t=; 0: none */
    size_t
        line_max; /* longer lines are signed as the MTA cuts them (long_lines.h); 0: it does not */
};

struct sign_request {
    const struct message *message; /* its header fields have ended */
    const struct sign_settings *settings;
    const struct dkim_key *key;
    struct slice domain, selector; /* d=, s=: A-labels, lower case */
    const unsigned char *body_digest; /* DKIM_DIGEST_LEN bytes, of settings->body */
    uint64_t now_s; /* t=: Unix time */
};

/* The value of the DKIM-Signature field, folded with "\n" and a tab, without the blank after the colon; in `arena`. Absent:
 * *error says why (a constant text), *is_final whether that will be so whenever it is tried. */
struct slice sign_field(const struct sign_request *request, struct arena *arena, bool *is_final,
                        const char **error);

/* A signed field has a byte that verifiers take for white space or do not (a bare CR, a form feed, a vertical tab; RFC 6376
 * 2.8 has blanks and tabs alone): they agree about it under `simple` only. */
bool sign_needs_simple(const struct message *message, const struct sign_settings *settings);

/* The hash that a signature signs: of the header fields that `names` (the h= list, in its order) selects, the last one of a
 * name first, and of the DKIM-Signature field itself, whose `value` has an empty b= (RFC 6376 3.7, 5.4.2). -1: out of
 * memory. */
int sign_digest(const struct message *message, enum canonicalization mode, size_t line_max,
                const struct slice *names, size_t count, struct slice value,
                unsigned char digest[DKIM_DIGEST_LEN]);

#endif
