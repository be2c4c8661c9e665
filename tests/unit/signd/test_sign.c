/* tests/unit/signd/test_sign.c - the example of RFC 8463 appendix A byte for byte; which fields are signed; what cannot
 * be signed says why. */
#include "signd/sign.h"

#include "tests/unit/unit.h"

static const char ed25519_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

static struct message_header fields[] = {
    { SLICE_INIT("From"), SLICE_INIT(" Joe SixPack <joe@football.example.com>"), 0 },
    { SLICE_INIT("To"), SLICE_INIT(" Suzie Q <suzie@shopping.example.net>"), 0 },
    { SLICE_INIT("Subject"), SLICE_INIT(" Is dinner ready?"), 0 },
    { SLICE_INIT("Date"), SLICE_INIT(" Fri, 11 Jul 2003 21:00:37 -0700 (PDT)"), 0 },
    { SLICE_INIT("Message-ID"), SLICE_INIT(" <20030712040037.46341.5F8J@football.example.com>"),
      0 },
};
static const struct message joe = { .headers = fields,
                                    .header_count = COUNT(fields),
                                    .has_leading_space = true };
static const struct slice body =
    SLICE_INIT("Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n");
static const struct slice signed_names[] = {
    SLICE_INIT("from"),       SLICE_INIT("to"),   SLICE_INIT("subject"), SLICE_INIT("date"),
    SLICE_INIT("message-id"), SLICE_INIT("from"), SLICE_INIT("subject"), SLICE_INIT("date"),
};

static struct dkim_key *key_of(const char *pem)
{
    char error[DKIM_KEY_ERROR_MAX] = "";
    struct dkim_key *key = dkim_key_parse(slice_of(pem), error);

    if (key == NULL)
        fail_msg("%s", error);
    return key;
}

static void digest_of_body(enum canonicalization mode, unsigned char digest[DKIM_DIGEST_LEN])
{
    struct body_hash *hash = body_hash_new(mode, 0);
    bool has_bare_cr = true;

    assert_non_null(hash);
    body_hash_add(hash, body);
    assert_int_equal(0, body_hash_finish(hash, digest, &has_bare_cr));
    assert_false(has_bare_cr);
    body_hash_free(&hash);
}

static void hashes_the_body_of_rfc_8463(UNUSED void **state)
{
    unsigned char digest[DKIM_DIGEST_LEN];
    AUTO_BUF text = BUF_INIT(100);

    digest_of_body(CANONICAL_RELAXED, digest);
    assert_int_equal(0, base64_print(&text, digest, sizeof digest));
    assert_string_equal("2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=", buf_text(&text));
}

static void makes_the_signature_of_rfc_8463(UNUSED void **state)
{
    const struct slice value =
        SLICE("v=1; a=ed25519-sha256; c=relaxed/relaxed;\n d=football.example.com; "
              "i=@football.example.com;\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\n "
              "subject : date : message-id : from : subject : date;\n "
              "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n b=");
    unsigned char digest[DKIM_DIGEST_LEN], signature[DKIM_SIGNATURE_MAX];
    size_t len = sizeof signature;
    struct dkim_key *key = key_of(ed25519_pem);
    AUTO_BUF text = BUF_INIT(200);

    assert_int_equal(0, sign_digest(&joe, CANONICAL_RELAXED, 0, signed_names, COUNT(signed_names),
                                    value, digest));
    assert_int_equal(0, dkim_key_sign(key, digest, signature, &len));
    assert_int_equal(0, base64_print(&text, signature, len));
    assert_string_equal("/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus"
                        "Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==",
                        buf_text(&text));
    assert_true(dkim_key_check(key, digest, signature, len));
    signature[3] ^= 1;
    assert_false(dkim_key_check(key, digest, signature, len));
    dkim_key_free(&key);
}

/* Makes the field of `message` with from oversigned, to and list-id signed. */
static struct slice sign(const struct message *message, const struct dkim_key *key,
                         struct arena *arena, const char **error)
{
    static const struct slice names[] = { SLICE_INIT("To"), SLICE_INIT("List-Id"),
                                          SLICE_INIT("Received") };
    static const struct slice oversigned[] = { SLICE_INIT("From") };
    static const struct sign_settings settings = { .header = CANONICAL_RELAXED,
                                                   .body = CANONICAL_SIMPLE,
                                                   .names = names,
                                                   .name_count = COUNT(names),
                                                   .oversigned = oversigned,
                                                   .oversigned_count = COUNT(oversigned),
                                                   .expire_s = 100 };
    unsigned char digest[DKIM_DIGEST_LEN];
    digest_of_body(CANONICAL_SIMPLE, digest);
    const struct sign_request request = { .message = message,
                                          .settings = &settings,
                                          .key = key,
                                          .domain = SLICE("football.example.com"),
                                          .selector = SLICE("brisbane"),
                                          .body_digest = digest,
                                          .now_s = 1528637909 };

    bool is_final;

    return sign_field(&request, arena, &is_final, error);
}

static void writes_the_field(UNUSED void **state)
{
    struct dkim_key *key = key_of(ed25519_pem);
    struct arena *arena = arena_new(1 << 16);
    const char *error = NULL;
    const struct slice want = SLICE(
        "v=1; a=ed25519-sha256; c=relaxed/simple;\n\td=football.example.com; s=brisbane; t=1528637909; x=1528638009;\n\th=From:From:To; bh=");
    struct slice value = sign(&joe, key, arena, &error);

    assert_null(error);
    if (!slice_starts_with(value, want))
        fail_msg("%.*s", SLICE_ARG(value));
    for (struct slice rest = value, line; slice_cut(&rest, '\n', &line);)
        assert_true(line.len <= 78);
    arena_free(&arena);
    dkim_key_free(&key);
}

static void says_why_it_does_not_sign(UNUSED void **state)
{
    static struct message_header many[SIGN_FIELDS_MAX];
    struct message without_from = { .headers = fields + 1, .header_count = COUNT(fields) - 1 };
    struct message with_many = { .headers = many, .header_count = COUNT(many) };
    struct dkim_key *key = key_of(ed25519_pem);
    struct arena *arena = arena_new(1 << 16);
    const char *error = NULL;

    assert_null(sign(&without_from, key, arena, &error).ptr);
    assert_string_equal("the message has no From field, which every signature must cover", error);
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = (struct message_header){ i == 0 ? SLICE("From") : SLICE("To"), SLICE(" x"), 0 };
    assert_null(sign(&with_many, key, arena, &error).ptr);
    assert_string_equal("too many header fields to sign", error);
    arena_free(&arena);
    dkim_key_free(&key);
}

/* A field whose value is as it comes, and as the MTA sends it once it has cut lines after `limit` bytes. */
static const struct {
    const char *what;
    size_t limit;
    bool has_leading_space;
    const char *came, *sent;
} lines[] = {
    { "as long as may be", 20, true, " 5678901234567890", " 5678901234567890" },
    { "one more", 20, true, " 56789012345678901", " 5678901234567890\r\n 1" },
    { "the blank is the MTA's", 20, false, "5678901234567890", " 5678901234567890" },
    { "the blank is the MTA's, one more", 20, false, "56789012345678901",
      " 5678901234567890\r\n 1" },
    { "in its second line", 20, true, " 5\r\n 1234567890123456789x",
      " 5\r\n 1234567890123456789\r\n x" },
    { "cut twice", 20, true, " 5678901234567890abcdefghijklmnopqrstuvw",
      " 5678901234567890\r\n abcdefghijklmnopqrs\r\n tuvw" },
    { "not cut", 0, true, " 56789012345678901", " 56789012345678901" },
};

static void digest_of_field(const char *value, bool has_leading_space, size_t line_max,
                            unsigned char digest[DKIM_DIGEST_LEN])
{
    static const struct slice names[] = { SLICE_INIT("To") };
    struct message_header field = { .name = SLICE("To"), .value = slice_of(value) };
    const struct message message = { .headers = &field,
                                     .header_count = 1,
                                     .has_leading_space = has_leading_space };

    assert_int_equal(
        0, sign_digest(&message, CANONICAL_SIMPLE, line_max, names, 1, SLICE("b="), digest));
}

static void signs_lines_as_they_are_sent(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(lines); i++) {
        unsigned char came[DKIM_DIGEST_LEN], sent[DKIM_DIGEST_LEN];
        digest_of_field(lines[i].came, lines[i].has_leading_space, lines[i].limit, came);
        digest_of_field(lines[i].sent, true, 0, sent);
        if (memcmp(came, sent, sizeof came) != 0)
            fail_msg("%s", lines[i].what);
    }
}

static void needs_simple_for_odd_white_space_in_signed_fields(UNUSED void **state)
{
    static const struct {
        const char *name, *value;
        bool needed;
    } rows[] = {
        { "To", " a b\tc", false }, { "To", " a\r\n b\r\n\tc", false },
        { "To", " a\rb", true },    { "To", " a\r", true },
        { "To", " a\r\rn", true },  { "To", "\ra", true },
        { "To", " a\vb", true },    { "To", " a\fb", true },
        { "From", " a\rb", true },  { "X-Other", " a\rb", false },
        { "X-Other", "\v", false },
    };
    static const struct slice names[] = { SLICE_INIT("To") }, oversigned[] = { SLICE_INIT("From") };
    static const struct sign_settings settings = {
        .names = names, .name_count = 1, .oversigned = oversigned, .oversigned_count = 1
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct message_header field = { .name = slice_of(rows[i].name),
                                        .value = slice_of(rows[i].value) };
        const struct message message = { .headers = &field, .header_count = 1 };
        if (sign_needs_simple(&message, &settings) != rows[i].needed)
            fail_msg("row %zu", i);
    }
}

/* x= and the many names of h= have their places; no line of the field is longer than 78. */
static void the_field_is_folded(UNUSED void **state)
{
    static struct slice names[SIGN_NAMES_MAX];
    static struct message_header given[SIGN_NAMES_MAX];
    static char texts[SIGN_NAMES_MAX][40];
    struct dkim_key *key = key_of(ed25519_pem);
    struct sign_settings settings = { .names = names, .oversigned = names };

    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(texts[i], sizeof texts[i], "%.*s", (int)(4 + i % 33),
                 i == 0 ? "From" : "X-A-Name-Of-A-Header-Field-Which-Is-Long");
        names[i] = slice_of(texts[i]);
        given[i] = (struct message_header){ .name = names[i], .value = SLICE(" x") };
    }
    for (settings.name_count = 1; settings.name_count <= COUNT(names); settings.name_count++) {
        const struct message message = { .headers = given, .header_count = COUNT(given) };
        unsigned char digest[DKIM_DIGEST_LEN] = { 0 };
        struct arena *arena = arena_new(1 << 18);
        const char *error = NULL;
        bool is_final;
        const struct sign_request request = { &message,   &settings, key,       SLICE("a.example"),
                                              SLICE("s"), digest,    1528637909 };
        struct slice value = sign_field(&request, arena, &is_final, &error), line;
        assert_null(error);
        for (struct slice rest = value; slice_cut(&rest, '\n', &line);)
            if (line.len > 78)
                fail_msg("%zu names: %.*s", settings.name_count, SLICE_ARG(line));
        arena_free(&arena);
    }
    dkim_key_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_the_body_of_rfc_8463),
        cmocka_unit_test(makes_the_signature_of_rfc_8463),
        cmocka_unit_test(writes_the_field),
        cmocka_unit_test(says_why_it_does_not_sign),
        cmocka_unit_test(signs_lines_as_they_are_sent),
        cmocka_unit_test(needs_simple_for_odd_white_space_in_signed_fields),
        cmocka_unit_test(the_field_is_folded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
