/* common/dkim/key.h - keys of DKIM: RSA with SHA-256 (RFC 6376 3.3.1) and Ed25519 (RFC 8463). The only user of OpenSSL's
 * keys and digests for DKIM. A key is parsed once and then used by any number of threads at the same time. */
#ifndef GATEHOUSE_DKIM_KEY_H
#define GATEHOUSE_DKIM_KEY_H

#include "common/base/base64.h"

enum dkim_key_type { DKIM_RSA, DKIM_ED25519 };

/* The `a=` and `k=` of a type: "rsa-sha256" and "rsa", "ed25519-sha256" and "ed25519". */
struct slice dkim_algorithm_name(enum dkim_key_type type);
struct slice dkim_key_type_name(enum dkim_key_type type);

enum {
    DKIM_RSA_BITS_MIN = 1024, /* shorter ones prove nothing: RFC 8301 3.2 */
    DKIM_RSA_BITS_GOOD = 2048,
    DKIM_RSA_BITS_MAX = 8192, /* what a signature may cost */
    DKIM_SIGNATURE_MAX = DKIM_RSA_BITS_MAX / 8, /* bytes */
    DKIM_DIGEST_LEN = 32,
    DKIM_PEM_MAX = 16384, /* bytes */
    DKIM_KEY_ERROR_MAX = 160,
};

struct dkim_key; /* opaque: a private key */

/* A private key in PEM, PKCS#8 or PKCS#1, without a passphrase. NULL: *error says why (one line, without a byte of the
 * key): not PEM, encrypted, a public key, another kind of key, too short, too long. */
struct dkim_key *dkim_key_parse(struct slice pem, char error[DKIM_KEY_ERROR_MAX]);
/* A new one; `bits` of RSA only. NULL: no memory or no randomness. */
struct dkim_key *dkim_key_generate(enum dkim_key_type type, unsigned bits);
void dkim_key_free(struct dkim_key **key); /* NULL-safe; clears *key */

enum dkim_key_type dkim_key_type(const struct dkim_key *key);
unsigned dkim_key_bits(const struct dkim_key *key); /* RSA: of the modulus; Ed25519: 256 */

/* The private key as PKCS#8 PEM. -1: the buffer is full or memory is out. */
int dkim_key_print(const struct dkim_key *key, struct buf *out);
/* The public key as `p=` of a key record has it: base64 of SubjectPublicKeyInfo, or of the 32 bytes of Ed25519. */
int dkim_key_print_public(const struct dkim_key *key, struct buf *out);

/* Signs the SHA-256 digest of a header section. *len in: room; out: bytes written. -1: out of memory, or the library
 * failed. Any thread. */
int dkim_key_sign(const struct dkim_key *key, const unsigned char digest[DKIM_DIGEST_LEN],
                  unsigned char signature[DKIM_SIGNATURE_MAX], size_t *len);
/* Whether the signature is this key's for the digest: the self-test of a new key. Any thread. */
bool dkim_key_check(const struct dkim_key *key, const unsigned char digest[DKIM_DIGEST_LEN],
                    const unsigned char *signature, size_t len);

/* ---- SHA-256, piece by piece; one thread ---- */

struct dkim_digest; /* opaque */
struct dkim_digest *dkim_digest_new(void); /* started; NULL: out of memory */
void dkim_digest_free(struct dkim_digest **digest); /* NULL-safe; clears *digest */
void dkim_digest_add(struct dkim_digest *digest, const void *bytes, size_t len);
/* The digest; it is started anew then. -1: the library failed at some time. */
int dkim_digest_finish(struct dkim_digest *digest, unsigned char out[DKIM_DIGEST_LEN]);

#endif
