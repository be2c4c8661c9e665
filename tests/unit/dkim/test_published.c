/* tests/unit/dkim/test_published.c - what answers of the DNS say of a key: none, one, several, what is no key record. */
#include "common/dkim/published.h"

#include "common/dkim/record.h"
#include "tests/unit/unit.h"

enum { TEXTS = 2, RECORD_MAX = 600 };

static const struct {
    const char *what;
    enum dns_status status;
    enum dns_failure failure;
    const char *texts[TEXTS]; /* "own": the key's record */
    enum dkim_visibility want;
    const char *problem; /* a part of it; NULL: none */
} cases[] = {
    { "its record", DNS_DATA, DNS_FAILURE_NONE, { "own" }, DKIM_VISIBLE, NULL },
    { "beside another text",
      DNS_DATA,
      DNS_FAILURE_NONE,
      { "v=spf1 -all", "own" },
      DKIM_VISIBLE,
      NULL },
    { "before another text",
      DNS_DATA,
      DNS_FAILURE_NONE,
      { "own", "v=spf1 -all" },
      DKIM_VISIBLE,
      NULL },
    { "of another key",
      DNS_DATA,
      DNS_FAILURE_NONE,
      { "v=DKIM1; k=ed25519; p=21qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" },
      DKIM_OTHER_VISIBLE,
      "another one" },
    { "its own and another",
      DNS_DATA,
      DNS_FAILURE_NONE,
      { "own", "v=DKIM1; k=ed25519; p=" },
      DKIM_OTHER_VISIBLE,
      "revoked" },
    { "no key record",
      DNS_DATA,
      DNS_FAILURE_NONE,
      { "hello world" },
      DKIM_OTHER_VISIBLE,
      "without `=`" },
    { "no text at all", DNS_DATA, DNS_FAILURE_NONE, { NULL }, DKIM_OTHER_VISIBLE, "no key record" },
    { "no name", DNS_NO_DOMAIN, DNS_FAILURE_NONE, { NULL }, DKIM_NOT_VISIBLE, "no such name" },
    { "no text record",
      DNS_NO_DATA,
      DNS_FAILURE_NONE,
      { NULL },
      DKIM_NOT_VISIBLE,
      "no TXT record" },
    { "no answer",
      DNS_FAILED,
      DNS_FAILURE_TIMEOUT,
      { NULL },
      DKIM_VISIBILITY_UNKNOWN,
      "does not answer" },
    { "a failure",
      DNS_FAILED,
      DNS_FAILURE_GARBLED,
      { NULL },
      DKIM_VISIBILITY_UNKNOWN,
      "could not tell" },
};

static void says_what_is_seen_and_why(UNUSED void **state)
{
    struct dkim_key *key = dkim_key_generate(DKIM_ED25519, 0);
    AUTO_BUF own = BUF_INIT(RECORD_MAX);

    assert_int_equal(0, dkim_record_print(key, &own));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dns_record records[TEXTS] = { { .preference = 0 } };
        struct dns_answer answer = { .status = cases[i].status,
                                     .failure = cases[i].failure,
                                     .records = records };
        for (; answer.count < TEXTS && cases[i].texts[answer.count] != NULL; answer.count++)
            records[answer.count].text = strcmp(cases[i].texts[answer.count], "own") == 0
                                             ? buf_slice(&own)
                                             : slice_of(cases[i].texts[answer.count]);
        struct dkim_published said = dkim_published_judge(&answer, key);
        if (said.visibility != cases[i].want ||
            (said.problem == NULL) != (cases[i].problem == NULL) ||
            (said.problem != NULL && strstr(said.problem, cases[i].problem) == NULL))
            fail_msg("%s: %d, %s", cases[i].what, (int)said.visibility,
                     said.problem == NULL ? "no problem" : said.problem);
    }
    dkim_key_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(says_what_is_seen_and_why) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
