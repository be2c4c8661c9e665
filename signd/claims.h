/* signd/claims.h - the DKIM-Signature fields of a message (RFC 6376 3.5) as they claim to be: who says to have signed, and
 * where the key is. What is malformed is known here and never given to the library, which would refuse the whole message for
 * it. Pure. */
#ifndef GATEHOUSE_SIGND_CLAIMS_H
#define GATEHOUSE_SIGND_CLAIMS_H

#include "common/dkim/key.h"
#include "common/milter/message.h"
#include "signd/canonical.h"

/* RFC 8601 2.7.1, in the order of the words of the fact dkim. */
enum dkim_result {
    DKIM_NONE,
    DKIM_PASS,
    DKIM_FAIL,
    DKIM_POLICY, /* it verifies, but not with what we accept: a short key, SHA-1 */
    DKIM_NEUTRAL, /* the field cannot be read */
    DKIM_TEMPERROR,
    DKIM_PERMERROR, /* no key, a revoked one, a field that lacks something */
};
extern const char *const dkim_result_words[];

enum claim_key { CLAIM_KEY_UNASKED, CLAIM_KEY_FOUND, CLAIM_KEY_NONE, CLAIM_KEY_TEMPERROR };

struct dkim_claim {
    const struct message_header *field;
    /* d= and s=, A-labels in lower case; absent when they cannot be had. */
    struct slice domain, selector;
    struct slice identity; /* i=; absent: not given */
    struct slice algorithm; /* a= */
    char signature[9]; /* b=: its first 8 characters, for header.b (RFC 6008) */
    /* Of c= and bh=; false: the library has to make something of them. */
    bool has_body_hash;
    enum canonicalization body;
    unsigned char body_hash[DKIM_DIGEST_LEN];
    bool has_length; /* l=: what comes after so many bytes is not signed */
    bool is_ready; /* well-formed: the key is wanted, verify.h can judge it */
    /* of the key; by whoever looks it up */
    enum claim_key key_state;
    struct slice key; /* FOUND: the text of the record */
    /* the result; final when not is_ready */
    enum dkim_result result;
    const char *comment; /* why; a constant text; NULL: nothing to say */
    unsigned key_bits; /* 0: not known */
    bool is_testing; /* t=y in the key's record */
};

/* Where the key is: "sel._domainkey.example.com" and a NUL. */
enum { CLAIM_NAME_MAX = 255, CLAIM_FIELDS_MAX = 200 /* named in h=; good ones name 20 */ };
void claim_key_name(const struct dkim_claim *claim, char out[CLAIM_NAME_MAX + 1]);

/* The claims of a message, the first `max` of them from the top; *over: how many more there are. `now_s`: Unix time. In
 * `arena`. NULL with *count 0 when there are none; -1 when memory is out. */
int claims_read(const struct message *message, size_t max, uint64_t now_s, struct arena *arena,
                struct dkim_claim **out, size_t *count, size_t *over);

#endif
