/* tests/unit/dkim/test_record.c - what is published fits the key, or the difference is named. */
#include "common/dkim/record.h"

#include "tests/unit/unit.h"

/* RFC 8463 A.2 */
#define PUBLIC "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
static const struct slice pem =
    SLICE_INIT("-----BEGIN PRIVATE KEY-----\n"
               "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
               "-----END PRIVATE KEY-----\n");

static const struct {
    const char *text;
    const char *problem; /* of the record or of the pair; NULL: they fit */
} cases[] = {
    { "v=DKIM1; k=ed25519; p=" PUBLIC, NULL },
    { "k=ed25519; p=" PUBLIC, NULL },
    { "v=DKIM1; k=ed25519; t=y:s; s=email; h=sha1:sha256; n=note; p=11qYAYKxCrfVS/7T "
      "yWQHOg7hcvPapiMlrwIaaPcHURo=;",
      NULL },
    { "v=DKIM1; k=ed25519; p=", "revoked" },
    { "v=DKIM1; p=" PUBLIC, "lacks k=ed25519" },
    { "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7h", "cut off" },
    { "v=DKIM1; k=ed25519; p=21qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "another one" },
    { "v=DKIM1; k=ed25519; p=" PUBLIC "AAAA", "another one" },
    { "v=DKIM1; k=ed25519; s=other; p=" PUBLIC, "s= excludes" },
    { "v=DKIM1; k=ed25519; h=sha1; p=" PUBLIC, "h= excludes" },
    { "v=DKIM2; k=ed25519; p=" PUBLIC, "v=DKIM1" },
    { "k=ed25519; v=DKIM1; p=" PUBLIC, "v=DKIM1" },
    { "v=DKIM1; k=ed25519", "no p=" },
    { "hello world", "without `=`" },
};

static void names_the_difference(UNUSED void **state)
{
    char why[DKIM_KEY_ERROR_MAX];
    struct dkim_key *key = dkim_key_parse(pem, why);

    assert_non_null(key);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dkim_record record;
        const char *problem = NULL;
        if (dkim_record_parse(slice_of(cases[i].text), &record, &problem))
            problem = dkim_record_difference(&record, key);
        if ((problem == NULL) != (cases[i].problem == NULL) ||
            (problem != NULL && strstr(problem, cases[i].problem) == NULL))
            fail_msg("%s: %s", cases[i].text, problem);
    }
    dkim_key_free(&key);
}

static void reads_the_flags(UNUSED void **state)
{
    struct dkim_record record;
    const char *error = NULL;

    assert_true(dkim_record_parse(SLICE("p=x; t=s : y"), &record, &error));
    assert_true(record.is_testing && record.is_strict);
    assert_true(slice_equal(record.key_type, SLICE("rsa")));
    assert_true(dkim_record_parse(SLICE("p=x"), &record, &error));
    assert_false(record.is_testing || record.is_strict);
}

static void what_is_printed_fits(UNUSED void **state)
{
    struct dkim_key *key = dkim_key_generate(DKIM_RSA, 1024);
    struct dkim_record record;
    const char *error = NULL;
    AUTO_BUF text = BUF_INIT(DKIM_PEM_MAX);

    assert_non_null(key);
    assert_int_equal(0, dkim_record_print(key, &text));
    assert_true(slice_starts_with(buf_slice(&text), SLICE("v=DKIM1; k=rsa; p=MI")));
    assert_true(dkim_record_parse(buf_slice(&text), &record, &error));
    assert_null(dkim_record_difference(&record, key));
    dkim_key_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_difference),
        cmocka_unit_test(reads_the_flags),
        cmocka_unit_test(what_is_printed_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
