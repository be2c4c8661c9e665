/* tests/unit/signd/test_claims.c - what a DKIM-Signature field claims, and why some are not worth a look at their key. */
#include "signd/claims.h"

#include "tests/fakes/raw_message.h"
#include "tests/unit/unit.h"

enum { NOW = 1000 };

#define START "v=1; a=rsa-sha256; s=sel; h=from:to; bh=AAAA; b=Q UJD\r\n\tREVG; "

static const struct {
    const char *field; /* behind the colon */
    enum dkim_result result; /* DKIM_NONE: worth a look */
    const char *comment;
} cases[] = {
    { START "d=example.com", DKIM_NONE, NULL },
    /* i= lies in d= */
    { START "d=example.com; i=@example.com", DKIM_NONE, NULL },
    { START "d=example.com; i=joe@example.com", DKIM_NONE, NULL },
    { START "d=example.com; i=joe@A.Example.COM", DKIM_NONE, NULL },
    { START "d=example.com; i=\"a@b\"@example.com", DKIM_NONE, NULL },
    { START "d=example.com; i=joe@badexample.com", DKIM_PERMERROR, "i= is not in d=" },
    { START "d=example.com; i=joe@-example.com", DKIM_PERMERROR, "i= is not in d=" },
    { START "d=example.com; i=joe@ample.com", DKIM_PERMERROR, "i= is not in d=" },
    { START "d=example.com; i=joe@com", DKIM_PERMERROR, "i= is not in d=" },
    { START "d=example.com; i=joe@example.org", DKIM_PERMERROR, "i= is not in d=" },
    { START "d=example.com; i=example.com", DKIM_PERMERROR, "i= is not in d=" },
    { START "d=example.com; i=joe@", DKIM_PERMERROR, "i= is not in d=" },
    /* times */
    { START "d=example.com; t=900", DKIM_NONE, NULL },
    { START "d=example.com; t=900; x=1000", DKIM_NONE, NULL },
    { START "d=example.com; t=900; x=999", DKIM_FAIL, "signature expired" },
    { START "d=example.com; x=999", DKIM_FAIL, "signature expired" },
    { START "d=example.com; t=2000; x=2001", DKIM_NONE, NULL },
    { START "d=example.com; t=2000; x=2000", DKIM_PERMERROR, "it expires before it was made" },
    { START "d=example.com; t=soon", DKIM_NEUTRAL, "a number that is none" },
    { START "d=example.com; x=never", DKIM_NEUTRAL, "a number that is none" },
    { START "d=example.com; l=-1", DKIM_NEUTRAL, "a number that is none" },
    /* names */
    { START "d=[192.0.2.1]", DKIM_PERMERROR, "no proper domain or selector" },
    { START "d=a..b", DKIM_PERMERROR, "no proper domain or selector" },
    { "v=1; a=rsa-sha256; s=..; h=from; bh=AAAA; b=A; d=example.com", DKIM_PERMERROR,
      "no proper domain or selector" },
    /* what it is made with */
    { "v=1; a=rsa-sha512; s=s; h=from; bh=AAAA; b=A; d=example.com", DKIM_PERMERROR,
      "unknown algorithm" },
    { "v=1; a=ED25519-SHA256; s=s; h=from; bh=AAAA; b=A; d=example.com", DKIM_NONE, NULL },
    { "v=1; a=rsa-sha1; s=s; h=from; bh=AAAA; b=A; d=example.com", DKIM_POLICY, "SHA-1" },
    { "v=2; a=rsa-sha256; s=s; h=from; bh=AAAA; b=A; d=example.com", DKIM_PERMERROR,
      "unknown version" },
    { "v=1; a=rsa-sha256; s=s; h=to; bh=AAAA; b=A; d=example.com", DKIM_PERMERROR,
      "From is not signed" },
    { "v=1; a=rsa-sha256; s=s; h=From; bh=AAAA; b=A; d=example.com", DKIM_NONE, NULL },
    { "a=rsa-sha256; s=s; h=from; bh=AAAA; b=A; d=example.com", DKIM_PERMERROR, "missing" },
    { "v=1; s=s; h=from; bh=AAAA; b=A; d=example.com", DKIM_PERMERROR, "missing" },
    { "v=1; a=rsa-sha256; h=from; bh=AAAA; b=A; d=example.com", DKIM_PERMERROR, "missing" },
    { "v=1; a=rsa-sha256; s=s; bh=AAAA; b=A; d=example.com", DKIM_PERMERROR, "missing" },
    { "v=1; a=rsa-sha256; s=s; h=from; b=A; d=example.com", DKIM_PERMERROR, "missing" },
    { "v=1; a=rsa-sha256; s=s; h=from; bh=AAAA; d=example.com", DKIM_PERMERROR, "missing" },
    { "v=1; a=rsa-sha256; s=s; h=from; bh=AAAA; b=A", DKIM_PERMERROR, "missing" },
};

/* The claims of fields with these values, one a line. */
struct reading {
    struct message *message;
    struct arena *arena;
    struct dkim_claim *claims;
    size_t count, over;
};

static void read_fields(struct reading *reading, const char *const *values, size_t count,
                        size_t most)
{
    AUTO_BUF text = BUF_INIT(1 << 16);

    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "DKIM-Signature: %s\r\n", values[i]);
    buf_put(&text, "From: a@example.com\r\n\r\nbody\r\n");
    reading->message = raw_message(buf_slice(&text));
    reading->arena = arena_new(1 << 20);
    assert_int_equal(0, claims_read(reading->message, most, NOW, reading->arena, &reading->claims,
                                    &reading->count, &reading->over));
}

static void reading_free(struct reading *reading)
{
    message_unref(&reading->message);
    arena_free(&reading->arena);
}

static void tells_what_is_worth_a_look(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reading reading;
        read_fields(&reading, &cases[i].field, 1, 10);
        const struct dkim_claim *claim = &reading.claims[0];
        if (reading.count != 1 || claim->result != cases[i].result ||
            claim->is_ready != (cases[i].result == DKIM_NONE) ||
            (claim->comment == NULL) != (cases[i].comment == NULL) ||
            (claim->comment != NULL && strstr(claim->comment, cases[i].comment) == NULL))
            fail_msg("%s: %s, %s", cases[i].field, dkim_result_words[claim->result],
                     claim->comment);
        reading_free(&reading);
    }
}

static void reads_what_is_claimed(UNUSED void **state)
{
    static const char *const values[] = { START "d=Example.COM; i=joe@a.example.com; l=7",
                                          START "d=example.com" };
    struct reading reading;
    char name[CLAIM_NAME_MAX + 1];

    read_fields(&reading, values, COUNT(values), 10);
    assert_int_equal(2, reading.count);
    assert_int_equal(0, reading.over);
    assert_slice("example.com", reading.claims[0].domain);
    assert_slice("sel", reading.claims[0].selector);
    assert_slice("joe@a.example.com", reading.claims[0].identity);
    assert_slice("rsa-sha256", reading.claims[0].algorithm);
    assert_string_equal("QUJDREVG", reading.claims[0].signature); /* without its blanks */
    assert_true(reading.claims[0].has_length);
    assert_false(reading.claims[1].has_length);
    claim_key_name(&reading.claims[0], name);
    assert_string_equal("sel._domainkey.example.com", name);
    reading_free(&reading);
}

#define HASH "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* bytes 0 to 31 */

static const struct {
    const char *tags;
    bool has_body_hash;
    enum canonicalization body;
} hashes[] = {
    { "bh=" HASH, true, CANONICAL_SIMPLE },
    { "bh=" HASH "; c=relaxed", true, CANONICAL_SIMPLE },
    { "bh=" HASH "; c=simple/simple", true, CANONICAL_SIMPLE },
    { "bh=" HASH "; c=relaxed/simple", true, CANONICAL_SIMPLE },
    { "bh=" HASH "; c=simple/relaxed", true, CANONICAL_RELAXED },
    { "bh=" HASH "; c=simple/RELAXED", true, CANONICAL_RELAXED },
    { "bh=" HASH "; c=relaxed/odd", false, CANONICAL_SIMPLE },
    { "bh=" HASH "; c=relaxed/", false, CANONICAL_SIMPLE },
    { "bh=AAEC AwQFBgcICQoL\r\n\tDA0ODxAREhMUFRYXGBkaGxwdHh8=", true, CANONICAL_SIMPLE },
    { "bh=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", false, CANONICAL_SIMPLE },
    { "bh=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", false, CANONICAL_SIMPLE },
    { "bh=%%%%", false, CANONICAL_SIMPLE },
    { "bh=" HASH HASH HASH, false, CANONICAL_SIMPLE },
};

static void reads_the_hash_of_the_body(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(hashes); i++) {
        AUTO_BUF value = BUF_INIT(1000);
        struct reading reading;
        buf_printf(&value, "v=1; a=rsa-sha256; s=s; h=from; b=A; d=example.com; %s",
                   hashes[i].tags);
        const char *text = buf_text(&value);
        read_fields(&reading, &text, 1, 10);
        const struct dkim_claim *claim = &reading.claims[0];
        if (claim->has_body_hash != hashes[i].has_body_hash ||
            (claim->has_body_hash && claim->body != hashes[i].body))
            fail_msg("%s", hashes[i].tags);
        for (unsigned char n = 0; claim->has_body_hash && n < DKIM_DIGEST_LEN; n++)
            assert_int_equal(n, claim->body_hash[n]);
        reading_free(&reading);
    }
}

static void bounds_the_names_of_signed_fields(UNUSED void **state)
{
    for (int names = CLAIM_FIELDS_MAX - 1; names <= CLAIM_FIELDS_MAX + 1; names++) {
        AUTO_BUF value = BUF_INIT(10000);
        struct reading reading;
        buf_put(&value, "v=1; a=rsa-sha256; s=s; bh=AAAA; b=A; d=example.com; h=from");
        for (int i = 1; i < names; i++)
            buf_put(&value, ":x");
        const char *text = buf_text(&value);
        read_fields(&reading, &text, 1, 10);
        assert_int_equal(names <= CLAIM_FIELDS_MAX ? DKIM_NONE : DKIM_POLICY,
                         reading.claims[0].result);
        reading_free(&reading);
    }
}

/* Where the key would be has to be a name of the DNS. */
static void bounds_the_name_of_the_key(UNUSED void **state)
{
    static const char label[] = "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghi"; /* 49 */

    for (int last = 30; last <= 49; last++) {
        AUTO_BUF value = BUF_INIT(1000);
        struct reading reading;
        buf_printf(&value, "v=1; a=rsa-sha256; h=from; bh=AAAA; b=A; s=%s; d=%s.%s.%.*s.com", label,
                   label, label, last, label);
        const char *text = buf_text(&value);
        size_t len = strlen(label) * 3 + 2 + (size_t)last + strlen(".com") + strlen("._domainkey.");
        read_fields(&reading, &text, 1, 10);
        if ((reading.claims[0].result == DKIM_NONE) != (len <= CLAIM_NAME_MAX))
            fail_msg("%zu bytes: %s", len, reading.claims[0].comment);
        reading_free(&reading);
    }
}

static void counts_those_beyond_the_most(UNUSED void **state)
{
    static const char *const values[] = { START "d=a.example", START "d=b.example",
                                          START "d=c.example" };

    for (size_t most = 1; most <= 4; most++) {
        struct reading reading;
        read_fields(&reading, values, COUNT(values), most);
        size_t want = most < COUNT(values) ? most : COUNT(values);
        assert_int_equal(want, reading.count);
        assert_int_equal(COUNT(values) - want, reading.over);
        assert_slice("a.example", reading.claims[0].domain);
        reading_free(&reading);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_is_worth_a_look),
        cmocka_unit_test(reads_what_is_claimed),
        cmocka_unit_test(reads_the_hash_of_the_body),
        cmocka_unit_test(bounds_the_names_of_signed_fields),
        cmocka_unit_test(bounds_the_name_of_the_key),
        cmocka_unit_test(counts_those_beyond_the_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
