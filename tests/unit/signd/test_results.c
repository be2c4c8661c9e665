/* tests/unit/signd/test_results.c - signatures, SPF and policies together: the best result, DMARC with and without SPF, several From
 * domains, Received-SPF, the list for Authentication-Results. */
#include "signd/results.h"

#include "tests/unit/unit.h"

enum { CLAIMS_MAX = 3, DOMAINS_MAX = 2 };

static const struct dmarc_record reject = { DMARC_REJECT, DMARC_REJECT, false, false, 100 };
static const struct dmarc_record quarantine = { DMARC_QUARANTINE, DMARC_QUARANTINE, false, false,
                                                100 };

static const struct {
    const char *what;
    struct {
        enum dkim_result result;
        const char *domain;
    } claims[CLAIMS_MAX];
    size_t claim_count;
    bool spf_is_known;
    const char *spf, *spf_domain, *sender_domain;
    struct {
        const char *domain;
        enum dmarc_lookup lookup;
        const struct dmarc_record *record;
    } from[DOMAINS_MAX];
    size_t from_count;
    bool has_more;
    /* wanted */
    enum dkim_result dkim;
    bool is_aligned;
    enum dmarc_result dmarc;
    enum dmarc_policy policy;
    const char *dmarc_domain;
} cases[] = {
    { "nothing at all",
      { { 0 } },
      0,
      true,
      "",
      "",
      "a.example",
      { { "a.example", DMARC_LOOKUP_NONE, NULL } },
      1,
      false,
      DKIM_NONE,
      false,
      DMARC_RESULT_NONE,
      DMARC_NONE,
      "a.example" },
    { "a good signature",
      { { DKIM_FAIL, "a.example" }, { DKIM_PASS, "m.a.example" } },
      2,
      true,
      "fail",
      "a.example",
      "a.example",
      { { "a.example", DMARC_LOOKUP_FOUND, &reject } },
      1,
      false,
      DKIM_PASS,
      true,
      DMARC_PASS,
      DMARC_NONE,
      "a.example" },
    { "a good one of somebody else",
      { { DKIM_PASS, "b.example" } },
      1,
      true,
      "fail",
      "a.example",
      "a.example",
      { { "a.example", DMARC_LOOKUP_FOUND, &reject } },
      1,
      false,
      DKIM_PASS,
      false,
      DMARC_FAIL,
      DMARC_REJECT,
      "a.example" },
    { "SPF alone",
      { { 0 } },
      0,
      true,
      "pass",
      "a.example",
      "a.example",
      { { "a.example", DMARC_LOOKUP_FOUND, &reject } },
      1,
      false,
      DKIM_NONE,
      false,
      DMARC_PASS,
      DMARC_NONE,
      "a.example" },
    { "SPF of another domain",
      { { 0 } },
      0,
      true,
      "pass",
      "b.example",
      "b.example",
      { { "a.example", DMARC_LOOKUP_FOUND, &reject } },
      1,
      false,
      DKIM_NONE,
      false,
      DMARC_FAIL,
      DMARC_REJECT,
      "a.example" },
    { "SPF not known, and it could have passed",
      { { 0 } },
      0,
      false,
      "",
      "",
      "a.example",
      { { "a.example", DMARC_LOOKUP_FOUND, &reject } },
      1,
      false,
      DKIM_NONE,
      false,
      DMARC_TEMPERROR,
      DMARC_NONE,
      "a.example" },
    { "SPF not looked up, and it could have passed",
      { { 0 } },
      0,
      true,
      "",
      "",
      "m.a.example",
      { { "a.example", DMARC_LOOKUP_FOUND, &reject } },
      1,
      false,
      DKIM_NONE,
      false,
      DMARC_TEMPERROR,
      DMARC_NONE,
      "a.example" },
    { "SPF not known, and it could not",
      { { 0 } },
      0,
      false,
      "",
      "",
      "b.example",
      { { "a.example", DMARC_LOOKUP_FOUND, &reject } },
      1,
      false,
      DKIM_NONE,
      false,
      DMARC_FAIL,
      DMARC_REJECT,
      "a.example" },
    { "a key that could not be had",
      { { DKIM_FAIL, "b.example" }, { DKIM_TEMPERROR, "a.example" } },
      2,
      true,
      "fail",
      "a.example",
      "a.example",
      { { "a.example", DMARC_LOOKUP_FOUND, &reject } },
      1,
      false,
      DKIM_TEMPERROR,
      false,
      DMARC_TEMPERROR,
      DMARC_NONE,
      "a.example" },
    { "weak is not good",
      { { DKIM_POLICY, "a.example" }, { DKIM_PERMERROR, "a.example" } },
      2,
      true,
      "fail",
      "a.example",
      "a.example",
      { { "a.example", DMARC_LOOKUP_FOUND, &reject } },
      1,
      false,
      DKIM_POLICY,
      false,
      DMARC_FAIL,
      DMARC_REJECT,
      "a.example" },
    { "of two authors the stricter",
      { { DKIM_PASS, "a.example" } },
      1,
      true,
      "fail",
      "a.example",
      "a.example",
      { { "a.example", DMARC_LOOKUP_FOUND, &reject },
        { "b.example", DMARC_LOOKUP_FOUND, &quarantine } },
      2,
      false,
      DKIM_PASS,
      true,
      DMARC_FAIL,
      DMARC_QUARANTINE,
      "b.example" },
    { "more authors than are looked at",
      { { DKIM_PASS, "a.example" } },
      1,
      true,
      "pass",
      "a.example",
      "a.example",
      { { "a.example", DMARC_LOOKUP_FOUND, &reject } },
      1,
      true,
      DKIM_PASS,
      true,
      DMARC_PERMERROR,
      DMARC_NONE,
      "a.example" },
    { "no author",
      { { DKIM_PASS, "a.example" } },
      1,
      true,
      "pass",
      "a.example",
      "a.example",
      { { 0 } },
      0,
      false,
      DKIM_PASS,
      false,
      DMARC_RESULT_NONE,
      DMARC_NONE,
      "" },
};

static void fill(size_t n, struct results *results, struct dkim_claim *claims,
                 struct from_policy *policies)
{
    for (size_t i = 0; i < cases[n].claim_count; i++)
        claims[i] = (struct dkim_claim){ .result = cases[n].claims[i].result,
                                         .domain = slice_of(cases[n].claims[i].domain) };
    for (size_t i = 0; i < cases[n].from_count; i++) {
        policies[i] = (struct from_policy){ .domain = slice_of(cases[n].from[i].domain),
                                            .lookup = cases[n].from[i].lookup };
        if (cases[n].from[i].record != NULL)
            policies[i].record = *cases[n].from[i].record;
    }
    *results = (struct results){ .claims = claims,
                                 .claim_count = cases[n].claim_count,
                                 .spf = { cases[n].spf_is_known, slice_of(cases[n].spf),
                                          slice_of(cases[n].spf_domain) },
                                 .sender_domain = slice_of(cases[n].sender_domain),
                                 .policies = policies,
                                 .policy_count = cases[n].from_count,
                                 .has_more_domains = cases[n].has_more };
}

static void judges_all_of_it_together(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_new(1 << 20);
        struct dkim_claim claims[CLAIMS_MAX];
        struct from_policy policies[DOMAINS_MAX];
        struct results results;
        fill(i, &results, claims, policies);
        assert_true(results_judge(&results, arena));
        if (results.dkim != cases[i].dkim || results.is_aligned != cases[i].is_aligned ||
            results.dmarc.result != cases[i].dmarc || results.dmarc.policy != cases[i].policy ||
            !slice_equal(results.dmarc_domain, slice_of(cases[i].dmarc_domain)))
            fail_msg("%s: dkim %d, aligned %d, dmarc %d, policy %d, of %.*s", cases[i].what,
                     results.dkim, results.is_aligned, results.dmarc.result, results.dmarc.policy,
                     SLICE_ARG(results.dmarc_domain));
        arena_free(&arena);
    }
}

static void only_good_signatures_are_of_testing_or_of_a_part(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct dkim_claim claims[] = { { .result = DKIM_FAIL, .is_testing = true, .has_length = true },
                                   { .result = DKIM_PASS, .is_testing = false } };
    struct results results = { .claims = claims, .claim_count = 2 };

    assert_true(results_judge(&results, arena));
    assert_false(results.is_testing || results.has_length);
    claims[1].is_testing = claims[1].has_length = true;
    assert_true(results_judge(&results, arena));
    assert_true(results.is_testing && results.has_length);
    arena_free(&arena);
}

static const struct {
    const char *value;
    const char *result, *domain; /* NULL: not ours */
} received[] = {
    { " pass (mx.example.org: a.example designates 192.0.2.1) receiver=mx.example.org; client-ip=192.0.2.1; "
      "envelope-from=\"me@A.example\"; helo=h.example;",
      "pass", "a.example" },
    { "softfail\n\t(x) receiver=mx.example.org; helo=h.example", "softfail", "h.example" },
    { "softfail (x)\n\treceiver=MX.example.org; helo=h.example; envelope-from=\"\"", "softfail",
      "h.example" },
    { "fail receiver=mx.example.org; envelope-from=<b@b.example>", "fail", "b.example" },
    { "pass (x) receiver=mx.example.net; envelope-from=a@a.example", NULL, NULL },
    { "pass (x) envelope-from=a@a.example", NULL, NULL },
    { "maybe (x) receiver=mx.example.org; envelope-from=a@a.example", NULL, NULL },
    { "pass", NULL, NULL },
    { "pass (x receiver=mx.example.org; envelope-from=a@a.example", NULL, NULL },
    { "", NULL, NULL },
};

static void reads_received_spf_of_our_own(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(received); i++) {
        struct arena *arena = arena_new(1 << 16);
        struct spf_finding found = { .is_known = false };
        bool is_ours = results_spf_of_field(slice_of(received[i].value), SLICE("mx.example.org"),
                                            arena, &found);
        if (is_ours != (received[i].result != NULL))
            fail_msg("%s", received[i].value);
        if (received[i].result != NULL) {
            assert_slice(received[i].result, found.result);
            assert_slice(received[i].domain, found.domain);
        }
        arena_free(&arena);
    }
}

static struct slice print(const struct results *results, const struct auth_envelope *envelope,
                          struct arena *arena)
{
    AUTO_BUF text = BUF_INIT(AUTH_FIELD_MAX);
    struct auth_result *list;
    size_t count;

    assert_true(results_list(results, envelope, arena, &list, &count));
    assert_int_equal(0, auth_results_print(&text, SLICE("mx.example.org"), list, count));
    return arena_copy(arena, buf_slice(&text));
}

static void lists_what_was_found(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct dkim_claim claims[] = {
        { .result = DKIM_PASS,
          .domain = SLICE_INIT("a.example"),
          .selector = SLICE_INIT("s"),
          .algorithm = SLICE_INIT("rsa-sha256"),
          .signature = "abcdefgh",
          .key_bits = 2048,
          .is_testing = true,
          .has_length = true },
        { .result = DKIM_FAIL, .domain = SLICE_INIT("b.example"), .comment = "signature expired" },
    };
    struct results results = { .claims = claims,
                               .claim_count = 2,
                               .spf = { true, SLICE_INIT("pass"), SLICE_INIT("a.example") },
                               .dmarc = { DMARC_FAIL, DMARC_REJECT, DMARC_QUARANTINE, false,
                                          false },
                               .dmarc_domain = SLICE_INIT("c.example") };
    const struct auth_envelope envelope = { SLICE("me"), SLICE("x@a.example"), SLICE("h.example") };
    const struct auth_envelope bounce = { SLICE(""), SLICE(""), SLICE("h.example") };

    assert_slice(
        "mx.example.org;\n\tauth=pass smtp.auth=me;\n\tspf=pass smtp.mailfrom=x@a.example;\n\t"
        "dkim=pass (2048-bit key, testing, not all of the body is signed) header.d=a.example header.s=s\n\t "
        "header.a=rsa-sha256 header.b=abcdefgh;\n\tdkim=fail (signature expired) header.d=b.example;\n\t"
        "dmarc=fail (p=reject dis=quarantine) header.from=c.example",
        print(&results, &envelope, arena));
    results = (struct results){ .spf = { true, SLICE_INIT("none"), SLICE_INIT("h.example") } };
    assert_slice("mx.example.org;\n\tspf=none smtp.helo=h.example;\n\tdkim=none",
                 print(&results, &bounce, arena));
    results.spf = (struct spf_finding){ .is_known = false };
    assert_slice("mx.example.org;\n\tdkim=none", print(&results, &bounce, arena));
    assert_slice("mx.example.org;\n\tauth=pass smtp.auth=me", print(NULL, &envelope, arena));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_all_of_it_together),
        cmocka_unit_test(only_good_signatures_are_of_testing_or_of_a_part),
        cmocka_unit_test(reads_received_spf_of_our_own),
        cmocka_unit_test(lists_what_was_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
