/* tests/unit/signd/test_sign_oracle.c - random messages signed by libopendkim and by signd: the same body hash and the same
 * signature, byte for byte. GATEHOUSE_ORACLE_MESSAGES says how many (2000). Header fields are signed `relaxed`: under `simple`
 * the library folds its own field as it is with the signature and signs it folded as it is without, so what it signs verifies
 * nowhere; test_verify.c has it verify ours. */
#include "signd/sign.h"

#include <stdlib.h>
#include <string.h>

#include <sys/types.h>

#include <dkim.h>

#include "common/dkim/tags.h"
#include "tests/fakes/raw_message.h"
#include "tests/unit/unit.h"

/* libopendkim loses its Ed25519 keys; nothing of it is in signd, which does not sign with it. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libopendkim\nleak:dkim_privkey_load\nleak:CRYPTO_zalloc\nleak:OPENSSL_\n";
}

enum { MESSAGE_MAX = 64 << 10, NAMES_MAX = 200 };

/* A generator of its own: the same messages in every run. */
static uint64_t seed = 42;

static unsigned draw(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

static void put(struct buf *out, const char *text)
{
    assert_int_equal(0, buf_put(out, text));
}

static void put_some(struct buf *out, const char *const *pieces, unsigned count, unsigned most)
{
    for (unsigned n = draw(most + 1); n > 0; n--)
        put(out, pieces[draw(count)]);
}

/* ---- messages ---- */

static void put_value(struct buf *out)
{
    static const char *const pieces[] = { "word",  " ",      "\t",       "  ",
                                          "\r\n ", "\r\n\t", "a:b",      "=?utf-8?q?x?=",
                                          "<a@b>", ";",      "\xc3\xa4", "\xff",
                                          "(c)",   "\"q\"",  ",",        "." };

    put_some(out, pieces, COUNT(pieces), 12);
    put(out, "x"); /* what ends with a fold alone is another story: RFC 5322 has no such field */
}

static void put_field(struct buf *out, const char *name)
{
    put(out, name);
    put(out, draw(4) == 0 ? ":" : ": ");
    put_value(out);
    put(out, "\r\n");
}

static void put_head(struct buf *out)
{
    static const char *const names[] = {
        "To",         "Cc",       "Subject", "Reply-To", "Date",
        "Message-ID", "Received", "X-Odd",   "Sender",   "List-Id"
    };

    put_field(out, "From");
    for (unsigned n = draw(12); n > 0; n--)
        put_field(out, names[draw(COUNT(names))]);
    put(out, "\r\n");
}

static void put_body(struct buf *out)
{
    static const char *const pieces[] = { "line",     " ",     "\t",      "\r\n",
                                          "\r\n\r\n", " \r\n", "\t \r\n", "two  words",
                                          "\xe4",     "=20",   "--b",     ".",
                                          "..",       "\r\n",  "x",       "a\tb" };

    put_some(out, pieces, COUNT(pieces), draw(10) == 0 ? 2000 : 30);
    put(out, draw(8) == 0 ? "" : "\r\n");
    if (out->data[out->len - 1] != '\n')
        put(out, "\r\n"); /* as SMTP has it; the library is at a loss without */
}

/* ---- the library ---- */

struct oracle {
    DKIM_LIB *library;
    struct dkim_key *key;
    struct buf pem;
    dkim_alg_t algorithm;
};

static void oracle_open(struct oracle *oracle, enum dkim_key_type type)
{
    *oracle = (struct oracle){ .library = dkim_init(NULL, NULL),
                               .key = dkim_key_generate(type, 1024),
                               .pem = BUF_INIT(DKIM_PEM_MAX),
                               .algorithm = type == DKIM_RSA ? DKIM_SIGN_RSASHA256
                                                             : DKIM_SIGN_ED25519SHA256 };
    assert_non_null(oracle->library);
    assert_non_null(oracle->key);
    assert_int_equal(0, dkim_key_print(oracle->key, &oracle->pem));
}

static void oracle_close(struct oracle *oracle)
{
    dkim_close(oracle->library);
    dkim_key_free(&oracle->key);
    buf_free(&oracle->pem);
}

static void feed(DKIM *dkim, struct slice text)
{
    struct slice rest = text, body = { NULL, 0 };
    const char *end = memmem(text.ptr, text.len, "\r\n\r\n", 4);

    rest.len = (size_t)(end - text.ptr) + 2;
    body = slice_skip(text, rest.len + 2);
    while (rest.len > 0) { /* field by field, without its line end */
        size_t len = 0;
        while (len + 2 < rest.len && !(rest.ptr[len] == '\r' && rest.ptr[len + 1] == '\n' &&
                                       rest.ptr[len + 2] != ' ' && rest.ptr[len + 2] != '\t'))
            len++;
        assert_int_equal(DKIM_STAT_OK, dkim_header(dkim, (u_char *)(uintptr_t)rest.ptr, len));
        rest = slice_skip(rest, len + 2);
    }
    assert_int_equal(DKIM_STAT_OK, dkim_eoh(dkim));
    if (body.len > 0)
        assert_int_equal(DKIM_STAT_OK, dkim_body(dkim, (u_char *)(uintptr_t)body.ptr, body.len));
    assert_int_equal(DKIM_STAT_OK, dkim_eom(dkim, NULL));
}

/* The value of the field that the library makes, in `out`. */
static void oracle_sign(struct oracle *oracle, struct slice text, enum canonicalization body,
                        char *out, size_t room)
{
    static const dkim_canon_t canons[] = { DKIM_CANON_SIMPLE, DKIM_CANON_RELAXED };
    DKIM_STAT status;
    DKIM *dkim = dkim_sign(oracle->library, (const u_char *)"id", NULL,
                           (dkim_sigkey_t)(uintptr_t)buf_text(&oracle->pem), (const u_char *)"sel",
                           (const u_char *)"example.com", DKIM_CANON_RELAXED, canons[body],
                           oracle->algorithm, -1, &status);

    assert_non_null(dkim);
    feed(dkim, text);
    assert_int_equal(DKIM_STAT_OK,
                     dkim_getsighdr(dkim, (u_char *)out, room, strlen("DKIM-Signature: ")));
    dkim_free(dkim);
}

/* ---- both ---- */

static void put_without_blanks(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_space(text.ptr[i]))
            assert_int_equal(0, buf_put_char(out, text.ptr[i]));
}

static size_t names_of(struct slice list, struct slice *names)
{
    size_t count = 0;

    for (struct slice name; slice_next(&list, ':', &name);) {
        assert_true(count < NAMES_MAX);
        names[count++] = name;
    }
    return count;
}

static void check_body(const struct message *message, enum canonicalization mode, struct slice want)
{
    struct body_hash *hash = body_hash_new(mode, 0);
    unsigned char digest[DKIM_DIGEST_LEN];
    char *space = malloc(MESSAGE_MAX);
    struct slice body = { NULL, 0 };
    bool has_bare_cr;
    AUTO_BUF got = BUF_INIT(100);

    for (uint64_t at = 0; at < spool_size(message->body); at += body.len) {
        assert_int_equal(0, spool_read(message->body, at, MESSAGE_MAX, space, &body));
        body_hash_add(hash, body);
    }
    assert_int_equal(0, body_hash_finish(hash, digest, &has_bare_cr));
    assert_int_equal(0, base64_print(&got, digest, sizeof digest));
    if (!slice_equal(buf_slice(&got), want))
        fail_msg("body hash, mode %d: %.*s", (int)mode, SLICE_ARG(body));
    body_hash_free(&hash);
    free(space);
}

/* The library's field with nothing in b=, signed by signd: the same b=. */
static void check(struct oracle *oracle, struct slice text, enum canonicalization body)
{
    char value[8192];
    struct dkim_tags tags;
    const char *error;
    struct slice names[NAMES_MAX];
    unsigned char digest[DKIM_DIGEST_LEN], signature[DKIM_SIGNATURE_MAX];
    size_t len = sizeof signature;
    struct message *message = raw_message(text);
    AUTO_BUF want = BUF_INIT(2000);
    AUTO_BUF got = BUF_INIT(2000);

    oracle_sign(oracle, text, body, value, sizeof value);
    assert_true(dkim_tags_parse(slice_of(value), &tags, &error));
    check_body(message, body, dkim_tag_value(&tags, "bh"));
    struct slice b = dkim_tag_value(&tags, "b");
    put_without_blanks(&want, b);
    while (b.ptr[-1] != '=') /* b= may begin with a fold */
        b.ptr--;
    struct slice empty = { value, (size_t)(b.ptr - value) };
    assert_int_equal(0, sign_digest(message, CANONICAL_RELAXED, 0, names,
                                    names_of(dkim_tag_value(&tags, "h"), names), empty, digest));
    assert_int_equal(0, dkim_key_sign(oracle->key, digest, signature, &len));
    assert_int_equal(0, base64_print(&got, signature, len));
    if (!slice_equal(buf_slice(&got), buf_slice(&want)))
        fail_msg("signature, body mode %d: DKIM-Signature: %s\n%.*s", (int)body, value,
                 SLICE_ARG(text));
    message_unref(&message);
}

static unsigned long message_count(void)
{
    const char *wanted = getenv("GATEHOUSE_ORACLE_MESSAGES");

    return wanted == NULL ? 2000 : strtoul(wanted, NULL, 10);
}

static void signs_as_the_library_does(UNUSED void **state)
{
    struct oracle oracles[2];
    AUTO_BUF text = BUF_INIT(MESSAGE_MAX);

    oracle_open(&oracles[0], DKIM_RSA);
    oracle_open(&oracles[1], DKIM_ED25519);
    for (unsigned long i = 0; i < message_count(); i++) {
        buf_clear(&text);
        put_head(&text);
        put_body(&text);
        check(&oracles[draw(4) == 0 ? 0 : 1], buf_slice(&text), (enum canonicalization)draw(2));
    }
    oracle_close(&oracles[0]);
    oracle_close(&oracles[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_as_the_library_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
