/* tests/unit/dkim/test_key.c - keys are made, written, read back, judged; what they sign they know again. */
#include "common/dkim/key.h"

#include "tests/unit/unit.h"

static struct dkim_key *parse(struct slice pem, char error[DKIM_KEY_ERROR_MAX])
{
    error[0] = '\0';
    return dkim_key_parse(pem, error);
}

static void check_round_trip(enum dkim_key_type type, unsigned bits)
{
    struct dkim_key *made = dkim_key_generate(type, bits), *read = NULL;
    unsigned char digest[DKIM_DIGEST_LEN] = { 1, 2, 3 }, signature[DKIM_SIGNATURE_MAX];
    size_t len = sizeof signature;
    char error[DKIM_KEY_ERROR_MAX];
    AUTO_BUF pem = BUF_INIT(DKIM_PEM_MAX);
    AUTO_BUF public_made = BUF_INIT(DKIM_PEM_MAX);
    AUTO_BUF public_read = BUF_INIT(DKIM_PEM_MAX);

    assert_non_null(made);
    assert_int_equal(0, dkim_key_print(made, &pem));
    read = parse(buf_slice(&pem), error);
    if (read == NULL)
        fail_msg("%s", error);
    assert_int_equal(type, dkim_key_type(read));
    assert_int_equal(bits, dkim_key_bits(read));
    assert_int_equal(0, dkim_key_print_public(made, &public_made));
    assert_int_equal(0, dkim_key_print_public(read, &public_read));
    assert_string_equal(buf_text(&public_made), buf_text(&public_read));
    assert_int_equal(0, dkim_key_sign(made, digest, signature, &len));
    assert_true(dkim_key_check(read, digest, signature, len));
    digest[0] = 9;
    assert_false(dkim_key_check(read, digest, signature, len));
    dkim_key_free(&made);
    dkim_key_free(&read);
}

static void keys_survive_being_written_and_read(UNUSED void **state)
{
    check_round_trip(DKIM_RSA, 2048);
    check_round_trip(DKIM_ED25519, 256);
}

/* The example of RFC 8463 A.2. */
static void prints_the_public_key(UNUSED void **state)
{
    char error[DKIM_KEY_ERROR_MAX];
    struct dkim_key *key =
        parse(SLICE("-----BEGIN PRIVATE KEY-----\n"
                    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                    "-----END PRIVATE KEY-----\n"),
              error);
    AUTO_BUF text = BUF_INIT(100);

    assert_non_null(key);
    assert_int_equal(0, dkim_key_print_public(key, &text));
    assert_string_equal("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", buf_text(&text));
    dkim_key_free(&key);
}

static const struct {
    const char *what, *pem, *error;
} bad[] = {
    { "empty", "", "it is no PEM file" },
    { "text", "hello\n", "it is no PEM file" },
    { "cut", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIE\n", "damaged" },
    { "not base64", "-----BEGIN PRIVATE KEY-----\n%%%%\n-----END PRIVATE KEY-----\n", "damaged" },
    { "encrypted",
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
      "passphrase" },
    { "public", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "public key" },
    { "certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      "certificate" },
    { "X25519",
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VuBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
      "-----END PRIVATE KEY-----\n",
      "DKIM knows RSA and Ed25519" },
};

static void says_why_a_key_is_of_no_use(UNUSED void **state)
{
    char error[DKIM_KEY_ERROR_MAX];

    for (size_t i = 0; i < COUNT(bad); i++)
        if (parse(slice_of(bad[i].pem), error) != NULL || strstr(error, bad[i].error) == NULL)
            fail_msg("%s: \"%s\"", bad[i].what, error);
}

static void refuses_short_rsa_keys(UNUSED void **state)
{
    assert_null(dkim_key_generate(DKIM_RSA, 768));
}

static void digests_in_pieces(UNUSED void **state)
{
    struct dkim_digest *digest = dkim_digest_new();
    unsigned char whole[DKIM_DIGEST_LEN], pieces[DKIM_DIGEST_LEN];

    assert_non_null(digest);
    dkim_digest_add(digest, "abc", 3);
    assert_int_equal(0, dkim_digest_finish(digest, whole));
    dkim_digest_add(digest, "a", 1);
    dkim_digest_add(digest, "bc", 2);
    assert_int_equal(0, dkim_digest_finish(digest, pieces));
    assert_memory_equal(whole, pieces, sizeof whole);
    assert_int_equal(0xba, whole[0]); /* FIPS 180-2 B.1 */
    assert_int_equal(0xad, whole[31]);
    dkim_digest_free(&digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_survive_being_written_and_read),
        cmocka_unit_test(prints_the_public_key),
        cmocka_unit_test(says_why_a_key_is_of_no_use),
        cmocka_unit_test(refuses_short_rsa_keys),
        cmocka_unit_test(digests_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
