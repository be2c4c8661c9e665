/* common/dkim/key.c - see key.h. */
#include "common/dkim/key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

struct dkim_key {
    EVP_PKEY *pkey;
    enum dkim_key_type type;
    unsigned bits;
};

struct slice dkim_algorithm_name(enum dkim_key_type type)
{
    return type == DKIM_RSA ? SLICE("rsa-sha256") : SLICE("ed25519-sha256");
}

struct slice dkim_key_type_name(enum dkim_key_type type)
{
    return type == DKIM_RSA ? SLICE("rsa") : SLICE("ed25519");
}

/* ---- parsing ---- */

/* No terminal is asked for a passphrase: an encrypted key cannot be read. */
static int no_passphrase(UNUSED char *space, UNUSED int size, UNUSED int writing, UNUSED void *arg)
{
    return -1;
}

static bool contains(struct slice text, const char *what)
{
    return memmem(text.ptr, text.len, what, strlen(what)) != NULL;
}

static const char *why_unreadable(struct slice pem)
{
    if (!contains(pem, "-----BEGIN "))
        return "it is no PEM file: the line -----BEGIN PRIVATE KEY----- is missing";
    if (contains(pem, "ENCRYPTED"))
        return "the key has a passphrase; store it without one (openssl pkey -in OLD -out NEW)";
    if (contains(pem, "-----BEGIN PUBLIC KEY-----") ||
        contains(pem, "-----BEGIN RSA PUBLIC KEY-----"))
        return "it is a public key; the private one is needed";
    if (contains(pem, "-----BEGIN CERTIFICATE-----"))
        return "it is a certificate; a private key is needed";
    return "the private key is damaged or of an unknown kind";
}

static EVP_PKEY *read_pem(struct slice pem)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *pkey = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);

    BIO_free(bio);
    ERR_clear_error();
    return pkey;
}

/* What kind it is, and whether DKIM may use it. False: *error says why not. */
static bool judge(struct dkim_key *key, char error[DKIM_KEY_ERROR_MAX])
{
    int id = EVP_PKEY_get_base_id(key->pkey);

    key->bits = (unsigned)EVP_PKEY_get_bits(key->pkey);
    if (id == EVP_PKEY_ED25519) {
        key->type = DKIM_ED25519;
        key->bits = 256;
        return true;
    }
    key->type = DKIM_RSA;
    if (id != EVP_PKEY_RSA)
        snprintf(error, DKIM_KEY_ERROR_MAX, "a key of kind %s; DKIM knows RSA and Ed25519",
                 OBJ_nid2sn(id));
    else if (key->bits < DKIM_RSA_BITS_MIN)
        snprintf(error, DKIM_KEY_ERROR_MAX,
                 "an RSA key of %u bits; verifiers refuse those under %d (RFC 8301)", key->bits,
                 DKIM_RSA_BITS_MIN);
    else if (key->bits > DKIM_RSA_BITS_MAX)
        snprintf(error, DKIM_KEY_ERROR_MAX, "an RSA key of %u bits; at most %d are of use",
                 key->bits, DKIM_RSA_BITS_MAX);
    else
        return true;
    return false;
}

/* Takes `pkey`. */
static struct dkim_key *key_of(EVP_PKEY *pkey, char error[DKIM_KEY_ERROR_MAX])
{
    struct dkim_key *key = calloc(1, sizeof *key);

    if (key == NULL) {
        EVP_PKEY_free(pkey);
        snprintf(error, DKIM_KEY_ERROR_MAX, "out of memory");
        return NULL;
    }
    key->pkey = pkey;
    if (!judge(key, error))
        dkim_key_free(&key);
    return key;
}

struct dkim_key *dkim_key_parse(struct slice pem, char error[DKIM_KEY_ERROR_MAX])
{
    if (pem.len > DKIM_PEM_MAX) {
        snprintf(error, DKIM_KEY_ERROR_MAX, "more than %d bytes: this is no key", DKIM_PEM_MAX);
        return NULL;
    }
    EVP_PKEY *pkey = read_pem(pem);
    if (pkey == NULL) {
        snprintf(error, DKIM_KEY_ERROR_MAX, "%s", why_unreadable(pem));
        return NULL;
    }
    return key_of(pkey, error);
}

struct dkim_key *dkim_key_generate(enum dkim_key_type type, unsigned bits)
{
    char error[DKIM_KEY_ERROR_MAX];
    EVP_PKEY *pkey = type == DKIM_RSA ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits)
                                      : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    return pkey == NULL ? NULL : key_of(pkey, error);
}

void dkim_key_free(struct dkim_key **key)
{
    if (*key == NULL)
        return;
    EVP_PKEY_free((*key)->pkey);
    free(*key);
    *key = NULL;
}

enum dkim_key_type dkim_key_type(const struct dkim_key *key)
{
    return key->type;
}

unsigned dkim_key_bits(const struct dkim_key *key)
{
    return key->bits;
}

/* ---- printing ---- */

int dkim_key_print(const struct dkim_key *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int rc = -1;

    if (bio != NULL &&
        PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1) {
        char *text = NULL;
        long len = BIO_get_mem_data(bio, &text);
        rc = buf_add(out, (struct slice){ text, (size_t)len });
    }
    BIO_free(bio);
    return rc;
}

int dkim_key_print_public(const struct dkim_key *key, struct buf *out)
{
    unsigned char raw[32], *der = NULL;
    size_t raw_len = sizeof raw;

    if (key->type == DKIM_ED25519)
        return EVP_PKEY_get_raw_public_key(key->pkey, raw, &raw_len) == 1
                   ? base64_print(out, raw, raw_len)
                   : -1;
    int len = i2d_PUBKEY(key->pkey, &der);
    int rc = len > 0 ? base64_print(out, der, (size_t)len) : -1;
    OPENSSL_free(der);
    return rc;
}

/* ---- signing ---- */

static int rsa_sign(EVP_PKEY *pkey, const unsigned char *digest, unsigned char *signature,
                    size_t *len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    int rc = -1;

    if (ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
        EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
        EVP_PKEY_sign(ctx, signature, len, digest, DKIM_DIGEST_LEN) == 1)
        rc = 0;
    EVP_PKEY_CTX_free(ctx);
    return rc;
}

static bool rsa_check(EVP_PKEY *pkey, const unsigned char *digest, const unsigned char *signature,
                      size_t len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    bool is_good = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
                   EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
                   EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
                   EVP_PKEY_verify(ctx, signature, len, digest, DKIM_DIGEST_LEN) == 1;

    EVP_PKEY_CTX_free(ctx);
    return is_good;
}

/* Ed25519 signs the digest as a message (RFC 8463 section 3). */
static int ed25519_sign(EVP_PKEY *pkey, const unsigned char *digest, unsigned char *signature,
                        size_t *len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int rc = -1;

    if (ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
        EVP_DigestSign(ctx, signature, len, digest, DKIM_DIGEST_LEN) == 1)
        rc = 0;
    EVP_MD_CTX_free(ctx);
    return rc;
}

static bool ed25519_check(EVP_PKEY *pkey, const unsigned char *digest,
                          const unsigned char *signature, size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_good = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
                   EVP_DigestVerify(ctx, signature, len, digest, DKIM_DIGEST_LEN) == 1;

    EVP_MD_CTX_free(ctx);
    return is_good;
}

int dkim_key_sign(const struct dkim_key *key, const unsigned char digest[DKIM_DIGEST_LEN],
                  unsigned char signature[DKIM_SIGNATURE_MAX], size_t *len)
{
    int rc = (key->type == DKIM_RSA ? rsa_sign : ed25519_sign)(key->pkey, digest, signature, len);

    if (rc != 0)
        ERR_clear_error();
    return rc;
}

bool dkim_key_check(const struct dkim_key *key, const unsigned char digest[DKIM_DIGEST_LEN],
                    const unsigned char *signature, size_t len)
{
    bool is_good =
        (key->type == DKIM_RSA ? rsa_check : ed25519_check)(key->pkey, digest, signature, len);

    if (!is_good)
        ERR_clear_error();
    return is_good;
}

/* ---- digests ---- */

struct dkim_digest {
    EVP_MD_CTX *ctx;
    bool has_failed;
};

static void digest_start(struct dkim_digest *digest)
{
    digest->has_failed = EVP_DigestInit_ex(digest->ctx, EVP_sha256(), NULL) != 1;
}

struct dkim_digest *dkim_digest_new(void)
{
    struct dkim_digest *digest = calloc(1, sizeof *digest);

    if (digest == NULL)
        return NULL;
    digest->ctx = EVP_MD_CTX_new();
    if (digest->ctx == NULL) {
        free(digest);
        return NULL;
    }
    digest_start(digest);
    return digest;
}

void dkim_digest_free(struct dkim_digest **digest)
{
    if (*digest == NULL)
        return;
    EVP_MD_CTX_free((*digest)->ctx);
    free(*digest);
    *digest = NULL;
}

void dkim_digest_add(struct dkim_digest *digest, const void *bytes, size_t len)
{
    if (EVP_DigestUpdate(digest->ctx, bytes, len) != 1)
        digest->has_failed = true;
}

int dkim_digest_finish(struct dkim_digest *digest, unsigned char out[DKIM_DIGEST_LEN])
{
    int rc = !digest->has_failed && EVP_DigestFinal_ex(digest->ctx, out, NULL) == 1 ? 0 : -1;

    digest_start(digest);
    return rc;
}
