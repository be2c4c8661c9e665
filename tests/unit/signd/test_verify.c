/* tests/unit/signd/test_verify.c - the example of RFC 8463 verifies, and nothing that was changed in it; each reason
 * not to verify is told from the others; what the library stumbles over does not reach it. */
#include "signd/verify.h"

#include "signd/sign.h"
#include "tests/fakes/raw_message.h"
#include "tests/unit/unit.h"

#define ED25519_FIELD                                                                              \
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"                                \
    " d=football.example.com; i=@football.example.com;\r\n"                                        \
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"                                      \
    " subject : date : message-id : from : subject : date;\r\n"                                    \
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"                                        \
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"                              \
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
#define TEN_FIELDS ":a:b:c:d:e:f:g:h:i:j"
#define FIFTY_FIELDS TEN_FIELDS TEN_FIELDS TEN_FIELDS TEN_FIELDS TEN_FIELDS
#define RSA_FIELD                                                                                  \
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"                                    \
    " d=football.example.com; i=@football.example.com;\r\n"                                        \
    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"                                \
    " date : message-id : from : subject : date;\r\n"                                              \
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"                                        \
    " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"                              \
    " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"                              \
    " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
#define FIELDS                                                                                     \
    "From: Joe SixPack <joe@football.example.com>\r\n"                                             \
    "To: Suzie Q <suzie@shopping.example.net>\r\n"                                                 \
    "Subject: Is dinner ready?\r\n"                                                                \
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                                              \
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
#define BODY "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"

#define ED25519_KEY "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define RSA_PUBLIC                                                                                 \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQ"      \
    "iY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZ"     \
    "yVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
#define RSA_KEY "v=DKIM1; k=rsa; p=" RSA_PUBLIC

enum { CLAIMS_MAX = 20, NOW = 1528637910 };

/* The results of a message's signatures, the keys of the RFC at hand; `key` stands in for that of RSA when given. */
struct judged {
    struct message *message;
    struct arena *arena;
    struct dkim_claim *claims;
    size_t count, over;
};

static void judge_with(struct judged *judged, struct slice text, const char *rsa_key)
{
    struct verifier *verifier = verifier_new();

    assert_non_null(verifier);
    judged->message = raw_message(text);
    judged->arena = arena_new(1 << 20);
    assert_non_null(judged->message);
    assert_int_equal(0, claims_read(judged->message, CLAIMS_MAX, NOW, judged->arena,
                                    &judged->claims, &judged->count, &judged->over));
    for (size_t i = 0; i < judged->count; i++) {
        struct dkim_claim *claim = &judged->claims[i];
        bool is_rsa = slice_equal(claim->selector, SLICE("test"));
        claim->key_state =
            rsa_key != NULL && rsa_key[0] == '\0' && is_rsa ? CLAIM_KEY_NONE : CLAIM_KEY_FOUND;
        claim->key = is_rsa ? slice_of(rsa_key == NULL ? RSA_KEY : rsa_key) : SLICE(ED25519_KEY);
    }
    assert_int_equal(0, verify_claims(verifier, judged->message, judged->claims, judged->count));
    verifier_free(&verifier);
}

static void judged_free(struct judged *judged)
{
    message_unref(&judged->message);
    arena_free(&judged->arena);
}

static void the_example_of_rfc_8463_verifies(UNUSED void **state)
{
    struct judged judged;

    judge_with(&judged, SLICE(ED25519_FIELD RSA_FIELD FIELDS "\r\n" BODY), NULL);
    assert_int_equal(2, judged.count);
    assert_int_equal(DKIM_PASS, judged.claims[0].result);
    assert_int_equal(DKIM_PASS, judged.claims[1].result);
    assert_int_equal(1024, judged.claims[1].key_bits);
    assert_string_equal("/gCrinpc", judged.claims[0].signature);
    assert_true(slice_equal(judged.claims[0].domain, SLICE("football.example.com")));
    assert_true(slice_equal(judged.claims[0].identity, SLICE("@football.example.com")));
    judged_free(&judged);
}

static const struct {
    const char *what;
    struct slice text;
    const char *rsa_key; /* NULL: the right one; "": none */
    enum dkim_result want; /* of the first signature */
    const char *comment;
} cases[] = {
    { "another body", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY "P.S.\r\n"), NULL, DKIM_FAIL,
      "body hash" },
    { "another subject", SLICE_INIT(RSA_FIELD "Subject: x\r\n" FIELDS "\r\n" BODY), NULL, DKIM_FAIL,
      "verification failed" },
    { "another field", SLICE_INIT("X-Other: x\r\n" RSA_FIELD FIELDS "X-More: y\r\n\r\n" BODY), NULL,
      DKIM_PASS, NULL },
    { "blank lines at the end", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY "\r\n\r\n"), NULL,
      DKIM_PASS, NULL },
    { "no mailbox in From", SLICE_INIT(RSA_FIELD "From: nobody at all\r\n\r\n" BODY), NULL,
      DKIM_PERMERROR, "no From field with a mailbox" },
    { "no From", SLICE_INIT(RSA_FIELD "To: x@example.com\r\n\r\n" BODY), NULL, DKIM_PERMERROR,
      "no From field with a mailbox" },
    { "another key", SLICE_INIT(ED25519_FIELD FIELDS "\r\n" BODY), NULL, DKIM_PASS, NULL },
    { "no key", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY), "", DKIM_PERMERROR, "no key" },
    { "revoked", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY), "v=DKIM1; p=", DKIM_PERMERROR,
      "revoked" },
    { "no key record", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY), "hello", DKIM_PERMERROR,
      "of no use" },
    { "a key for something else", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY),
      "v=DKIM1; s=tlsrpt; p=" RSA_PUBLIC, DKIM_PERMERROR, "of no use" },
    { "the key of another algorithm", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY), ED25519_KEY,
      DKIM_PERMERROR, NULL },
    { "garbage for a key", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY), "v=DKIM1; p=AAAA",
      DKIM_PERMERROR, NULL },
    { "a record with notes and blanks", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY),
      "k=rsa; t=y; n=a long note; p= MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQ iY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZ\r\n yVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
      DKIM_PASS, NULL },
    { "SHA-1",
      SLICE_INIT(
          "DKIM-Signature: v=1; a=rsa-sha1; d=example.com; s=test; h=from; bh=AAAA; b=AAAA\r\n" FIELDS
          "\r\n" BODY),
      NULL, DKIM_POLICY, "SHA-1" },
    { "more fields in h= than anybody signs",
      SLICE_INIT("DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=test; h=from" FIFTY_FIELDS
                     FIFTY_FIELDS FIFTY_FIELDS FIFTY_FIELDS "; bh=AAAA; b=AAAA\r\n" FIELDS
                 "\r\n" BODY),
      NULL, DKIM_POLICY, "too many" },
    { "From not signed",
      SLICE_INIT(
          "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=test; h=to; bh=AAAA; b=AAAA\r\n" FIELDS
          "\r\n" BODY),
      NULL, DKIM_PERMERROR, "From is not signed" },
    { "no tags", SLICE_INIT("DKIM-Signature: hello\r\n" FIELDS "\r\n" BODY), NULL, DKIM_NEUTRAL,
      "without `=`" },
    { "empty", SLICE_INIT("DKIM-Signature:\r\n" FIELDS "\r\n" BODY), NULL, DKIM_NEUTRAL,
      "no tags" },
    { "without b=",
      SLICE_INIT(
          "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=test; h=from; bh=AAAA\r\n" FIELDS
          "\r\n" BODY),
      NULL, DKIM_PERMERROR, "missing" },
    { "version 2",
      SLICE_INIT(
          "DKIM-Signature: v=2; a=rsa-sha256; d=example.com; s=test; h=from; bh=AAAA; b=AAAA\r\n" FIELDS
          "\r\n" BODY),
      NULL, DKIM_PERMERROR, "version" },
    { "i= elsewhere",
      SLICE_INIT(
          "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; i=a@badexample.com; s=test; h=from; bh=AAAA; b=AAAA\r\n" FIELDS
          "\r\n" BODY),
      NULL, DKIM_PERMERROR, "i= is not in d=" },
    { "expired",
      SLICE_INIT(
          "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=test; t=1000; x=2000; h=from; bh=AAAA; b=AAAA\r\n" FIELDS
          "\r\n" BODY),
      NULL, DKIM_FAIL, "expired" },
    { "expired before it was made",
      SLICE_INIT(
          "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=test; t=2000; x=1000; h=from; bh=AAAA; b=AAAA\r\n" FIELDS
          "\r\n" BODY),
      NULL, DKIM_PERMERROR, "before" },
    { "odd domain",
      SLICE_INIT(
          "DKIM-Signature: v=1; a=rsa-sha256; d=-..; s=test; h=from; bh=AAAA; b=AAAA\r\n" FIELDS
          "\r\n" BODY),
      NULL, DKIM_PERMERROR, "domain" },
};

static void tells_the_reasons_apart(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct judged judged;
        judge_with(&judged, cases[i].text, cases[i].rsa_key);
        const struct dkim_claim *claim = &judged.claims[0];
        if (judged.count != 1 || claim->result != cases[i].want ||
            (cases[i].comment != NULL &&
             (claim->comment == NULL || strstr(claim->comment, cases[i].comment) == NULL)))
            fail_msg("%s: %s, %s", cases[i].what, dkim_result_words[claim->result], claim->comment);
        judged_free(&judged);
    }
}

#define SUBDOMAIN_FIELD                                                                            \
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=football.example.com;\r\n"            \
    " i=joe@a.football.example.com; s=test; h=from;\r\n"                                           \
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=F45dVWDfMbQDGHJFlXUN\r\n"
/* What the owner says of a key besides. */
static const struct {
    const char *what;
    struct slice text;
    const char *key;
    enum dkim_result want;
    const char *comment;
    bool is_testing;
} notes[] = {
    { "nothing", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY), "v=DKIM1; p=" RSA_PUBLIC, DKIM_PASS,
      NULL, false },
    { "testing", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY), "v=DKIM1; t=y; p=" RSA_PUBLIC, DKIM_PASS,
      NULL, true },
    { "not for subdomains", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY), "v=DKIM1; t=s; p=" RSA_PUBLIC,
      DKIM_PASS, NULL, false },
    { "both", SLICE_INIT(RSA_FIELD FIELDS "\r\n" BODY), "v=DKIM1; t=s:y; p=" RSA_PUBLIC, DKIM_PASS,
      NULL, true },
    { "a subdomain, and any may be", SLICE_INIT(SUBDOMAIN_FIELD FIELDS "\r\n" BODY),
      "v=DKIM1; p=" RSA_PUBLIC, DKIM_FAIL, "verification failed", false },
    { "a subdomain, and none may be", SLICE_INIT(SUBDOMAIN_FIELD FIELDS "\r\n" BODY),
      "v=DKIM1; t=s; p=" RSA_PUBLIC, DKIM_PERMERROR, "not for subdomains", false },
    { "a subdomain, testing, and none may be", SLICE_INIT(SUBDOMAIN_FIELD FIELDS "\r\n" BODY),
      "v=DKIM1; t=y:s; p=" RSA_PUBLIC, DKIM_PERMERROR, "not for subdomains", true },
};

static void heeds_what_is_said_of_a_key(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(notes); i++) {
        struct judged judged;
        judge_with(&judged, notes[i].text, notes[i].key);
        const struct dkim_claim *claim = &judged.claims[0];
        if (judged.count != 1 || claim->result != notes[i].want ||
            claim->is_testing != notes[i].is_testing ||
            (notes[i].comment != NULL &&
             (claim->comment == NULL || strstr(claim->comment, notes[i].comment) == NULL)))
            fail_msg("%s: %s, %s, testing %d", notes[i].what, dkim_result_words[claim->result],
                     claim->comment, claim->is_testing);
        judged_free(&judged);
    }
}

/* What is malformed, or refused by the library, does not take the good ones with it. */
static void bad_signatures_do_not_hurt_good_ones(UNUSED void **state)
{
    struct judged judged;

    judge_with(
        &judged,
        SLICE("DKIM-Signature: hello\r\n"
              "DKIM-Signature: v=1; a=rsa-sha256; c=odd/odd; d=football.example.com; s=test; "
              "h=from; bh=AAAA; b=AAAA\r\n" RSA_FIELD
              "DKIM-Signature: v=1; a=rsa-sha256; d=football.example.com; s=test; h=from; "
              "bh=%%%%; b=????\r\n" ED25519_FIELD FIELDS "\r\n" BODY),
        NULL);
    assert_int_equal(5, judged.count);
    assert_int_equal(DKIM_NEUTRAL, judged.claims[0].result);
    assert_true(judged.claims[1].result != DKIM_PASS && judged.claims[1].result != DKIM_NONE);
    assert_int_equal(DKIM_PASS, judged.claims[2].result);
    assert_true(judged.claims[3].result != DKIM_PASS && judged.claims[3].result != DKIM_NONE);
    assert_int_equal(DKIM_PASS, judged.claims[4].result);
    judged_free(&judged);
}

static void looks_at_so_many_and_counts_the_rest(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(1 << 20);
    struct judged judged;

    for (int i = 0; i < 300; i++)
        assert_int_equal(0, buf_put(&text, RSA_FIELD));
    assert_int_equal(0, buf_put(&text, FIELDS "\r\n" BODY));
    judge_with(&judged, buf_slice(&text), NULL);
    assert_int_equal(CLAIMS_MAX, judged.count);
    assert_int_equal(300 - CLAIMS_MAX, judged.over);
    assert_int_equal(DKIM_PASS, judged.claims[CLAIMS_MAX - 1].result);
    judged_free(&judged);
}

static void a_key_not_looked_up_is_a_temperror(UNUSED void **state)
{
    struct verifier *verifier = verifier_new();
    struct message *message = raw_message(SLICE(RSA_FIELD FIELDS "\r\n" BODY));
    struct arena *arena = arena_new(1 << 16);
    struct dkim_claim *claims;
    size_t count, over;

    assert_int_equal(0, claims_read(message, CLAIMS_MAX, NOW, arena, &claims, &count, &over));
    assert_int_equal(0, verify_claims(verifier, message, claims, count));
    assert_int_equal(DKIM_TEMPERROR, claims[0].result);
    claims[0].key_state = CLAIM_KEY_TEMPERROR;
    assert_int_equal(0, verify_claims(verifier, message, claims, count));
    assert_int_equal(DKIM_TEMPERROR, claims[0].result);
    arena_free(&arena);
    message_unref(&message);
    verifier_free(&verifier);
}

/* ---- the library verifies what signd signs ---- */

static const char *const nasty[] = {
    "From: a@example.com\r\n\r\nHello\r\n",
    "From: a@example.com\r\n\r\n",
    "From: a@example.com\r\n\r\n\r\n\r\n\r\n",
    "From: a@example.com\r\n\r\n \r\n\t\r\n",
    "From: a@example.com\r\n\r\nno line end",
    "From: a@example.com\r\n\r\n  leading\t\ttabs \r\n\r\ntrailing \t \r\n\r\n\r\n",
    "From:a@example.com\r\nSubject:\r\nTo:   x\r\n\r\nno blanks\r\n",
    "From: a@example.com\r\nSubject: folded\r\n  twice\r\n\there\r\n\r\nbody\r\n",
    "From: a@example.com\r\nFrom: b@example.com\r\nTo: x\r\nTo: y\r\n\r\ntwice\r\n",
    "From: \"J\xc3\xb6\" <j\xc3\xb6@example.com>\r\nSubject: \xff\xfe\r\n\r\n8-bit \xff\xfe\x80\r\n",
    "From: a@example.com\r\nSUBJECT: Case\r\nsubject: other case\r\n\r\n.\r\n..\r\n",
    "DKIM-Signature: hello\r\nFrom: a@example.com\r\n\r\nmalformed one there\r\n",
    "From: a@example.com\r\nSubject: x \r\n\r\n--\r\n=20\r\n",
};

static void check_signed(struct slice text, enum dkim_key_type type, enum canonicalization header,
                         enum canonicalization mode)
{
    static const struct slice names[] = { SLICE_INIT("To"), SLICE_INIT("Subject") };
    static const struct slice oversigned[] = { SLICE_INIT("From") };
    const struct sign_settings settings = {
        header, mode, names, COUNT(names), oversigned, 1, 0, 0
    };
    struct message *message = raw_message(text);
    struct arena *arena = arena_new(1 << 20);
    struct dkim_key *key = dkim_key_generate(type, 1024);
    struct body_hash *hash = body_hash_new(mode, 0);
    unsigned char digest[DKIM_DIGEST_LEN];
    char space[4096];
    struct slice body, value;
    bool has_bare_cr, is_final;
    const char *error = NULL;
    AUTO_BUF whole = BUF_INIT(1 << 20);
    AUTO_BUF record = BUF_INIT(1 << 12);

    assert_int_equal(0, spool_read(message->body, 0, sizeof space, space, &body));
    body_hash_add(hash, body);
    assert_int_equal(0, body_hash_finish(hash, digest, &has_bare_cr));
    value = sign_field(&(struct sign_request){ message, &settings, key, SLICE("example.com"),
                                               SLICE("sel"), digest, NOW },
                       arena, &is_final, &error);
    if (value.ptr == NULL)
        fail_msg("%.*s: %s", SLICE_ARG(text), error);
    assert_int_equal(0, buf_put(&whole, "DKIM-Signature: "));
    assert_int_equal(0, buf_add(&whole, value));
    assert_int_equal(0, buf_put(&whole, "\n"));
    assert_int_equal(0, buf_add(&whole, text));
    assert_int_equal(
        0, buf_printf(&record, "v=DKIM1; k=%s; p=", type == DKIM_RSA ? "rsa" : "ed25519"));
    assert_int_equal(0, dkim_key_print_public(key, &record));
    struct message *sent = raw_message(buf_slice(&whole));
    struct verifier *verifier = verifier_new();
    struct dkim_claim *claims;
    size_t count, over;
    assert_int_equal(0, claims_read(sent, CLAIMS_MAX, NOW, arena, &claims, &count, &over));
    claims[0].key_state = CLAIM_KEY_FOUND;
    claims[0].key = buf_slice(&record);
    assert_int_equal(0, verify_claims(verifier, sent, claims, count));
    if (claims[0].result != DKIM_PASS)
        fail_msg("%s, %d/%d: %s, %s", buf_text(&whole), (int)header, (int)mode,
                 dkim_result_words[claims[0].result], claims[0].comment);
    verifier_free(&verifier);
    message_unref(&sent);
    body_hash_free(&hash);
    dkim_key_free(&key);
    arena_free(&arena);
    message_unref(&message);
}

static void what_signd_signs_verifies(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(nasty); i++) {
        for (int header = 0; header < 2; header++) {
            for (int mode = 0; mode < 2; mode++) {
                check_signed(slice_of(nasty[i]), DKIM_RSA, (enum canonicalization)header,
                             (enum canonicalization)mode);
                check_signed(slice_of(nasty[i]), DKIM_ED25519, (enum canonicalization)header,
                             (enum canonicalization)mode);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_rfc_8463_verifies),
        cmocka_unit_test(tells_the_reasons_apart),
        cmocka_unit_test(heeds_what_is_said_of_a_key),
        cmocka_unit_test(bad_signatures_do_not_hurt_good_ones),
        cmocka_unit_test(looks_at_so_many_and_counts_the_rest),
        cmocka_unit_test(a_key_not_looked_up_is_a_temperror),
        cmocka_unit_test(what_signd_signs_verifies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
