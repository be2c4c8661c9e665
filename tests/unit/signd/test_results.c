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
        const char *domain; /* NULL: no more */
    } claims[CLAIMS_MAX];
    const char *spf, *spf_domain; /* NULL: not known; "": not looked up */
    const char *sender_domain; /* NULL: a.example */
    struct {
        const char *domain; /* NULL: no more */
        enum dmarc_lookup lookup;
        const struct dmarc_record *record;
    } from[DOMAINS_MAX];
    bool has_more;
    /* wanted */
    enum dkim_result dkim;
    bool is_aligned;
    enum dmarc_result dmarc;
    enum dmarc_policy policy;
    const char *dmarc_domain; /* NULL: a.example */
} cases[] = {
/* clang-format off */
#define SPF(result, domain) .spf = (result), .spf_domain = (domain)
#define OF_A { "a.example", DMARC_LOOKUP_FOUND, &reject }
#define REFUSED .dmarc = DMARC_FAIL, .policy = DMARC_REJECT
    { "nothing at all", SPF("", ""), .from = { { "a.example", DMARC_LOOKUP_NONE, NULL } } },
    { "a good signature", { { DKIM_FAIL, "a.example" }, { DKIM_PASS, "m.a.example" } }, SPF("fail", "a.example"),
      .from = { OF_A }, .dkim = DKIM_PASS, .is_aligned = true, .dmarc = DMARC_PASS },
    { "a good one of somebody else", { { DKIM_PASS, "b.example" } }, SPF("fail", "a.example"),
      .from = { OF_A }, .dkim = DKIM_PASS, REFUSED },
    { "SPF alone", SPF("pass", "a.example"), .from = { OF_A }, .dmarc = DMARC_PASS },
    { "SPF of another domain", SPF("pass", "b.example"), .sender_domain = "b.example", .from = { OF_A }, REFUSED },
    { "SPF not known, and it could have passed", .from = { OF_A }, .dmarc = DMARC_TEMPERROR },
    { "SPF not looked up, and it could have passed", SPF("", ""), .sender_domain = "m.a.example", .from = { OF_A },
      .dmarc = DMARC_TEMPERROR },
    { "SPF not known, and it could not", .sender_domain = "b.example", .from = { OF_A }, REFUSED },
    { "a key that could not be had", { { DKIM_FAIL, "b.example" }, { DKIM_TEMPERROR, "a.example" } },
      SPF("fail", "a.example"), .from = { OF_A }, .dkim = DKIM_TEMPERROR, .dmarc = DMARC_TEMPERROR },
    { "weak is not good", { { DKIM_POLICY, "a.example" }, { DKIM_PERMERROR, "a.example" } },
      SPF("fail", "a.example"), .from = { OF_A }, .dkim = DKIM_POLICY, REFUSED },
    { "of two authors the stricter", { { DKIM_PASS, "a.example" } }, SPF("fail", "a.example"),
      .from = { OF_A, { "b.example", DMARC_LOOKUP_FOUND, &quarantine } }, .dkim = DKIM_PASS, .is_aligned = true,
      .dmarc = DMARC_FAIL, .policy = DMARC_QUARANTINE, .dmarc_domain = "b.example" },
    { "more authors than are looked at", { { DKIM_PASS, "a.example" } }, SPF("pass", "a.example"), .from = { OF_A },
      .has_more = true, .dkim = DKIM_PASS, .is_aligned = true, .dmarc = DMARC_PERMERROR },
    { "no author who can be read", { { DKIM_PASS, "a.example" } }, SPF("pass", "a.example"), .dkim = DKIM_PASS,
      .dmarc = DMARC_PERMERROR, .dmarc_domain = "" },
    /* clang-format on */
};

static struct slice or_a(const char *domain)
{
    return domain == NULL ? SLICE("a.example") : slice_of(domain);
}

static void fill(size_t n, struct results *results, struct dkim_claim *claims,
                 struct from_policy *policies)
{
    bool spf_is_known = cases[n].spf != NULL;

    *results = (struct results){ .claims = claims,
                                 .sender_domain = or_a(cases[n].sender_domain),
                                 .policies = policies,
                                 .has_more_domains = cases[n].has_more };
    results->spf =
        (struct spf_finding){ spf_is_known, spf_is_known ? slice_of(cases[n].spf) : SLICE(""),
                              spf_is_known ? slice_of(cases[n].spf_domain) : SLICE("") };
    for (size_t i = 0; i < CLAIMS_MAX && cases[n].claims[i].domain != NULL; i++)
        claims[results->claim_count++] =
            (struct dkim_claim){ .result = cases[n].claims[i].result,
                                 .domain = slice_of(cases[n].claims[i].domain) };
    for (size_t i = 0; i < DOMAINS_MAX && cases[n].from[i].domain != NULL; i++) {
        struct from_policy *policy = &policies[results->policy_count++];
        *policy = (struct from_policy){ .domain = slice_of(cases[n].from[i].domain),
                                        .lookup = cases[n].from[i].lookup };
        if (cases[n].from[i].record != NULL)
            policy->record = *cases[n].from[i].record;
    }
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
            !slice_equal(results.dmarc_domain, or_a(cases[i].dmarc_domain)))
            fail_msg("%s: dkim %d, aligned %d, dmarc %d, policy %d, of %.*s", cases[i].what,
                     results.dkim, results.is_aligned, results.dmarc.result, results.dmarc.policy,
                     SLICE_ARG(results.dmarc_domain));
        arena_free(&arena);
    }
}

/* Of two signatures the better one's result, whichever comes first. */
static void the_best_signature_counts(UNUSED void **state)
{
    static const enum dkim_result rising[] = { DKIM_NONE,   DKIM_PERMERROR, DKIM_NEUTRAL, DKIM_FAIL,
                                               DKIM_POLICY, DKIM_TEMPERROR, DKIM_PASS };
    struct arena *arena = arena_new(1 << 20);

    for (size_t i = 0; i < COUNT(rising); i++)
        for (size_t k = 0; k < COUNT(rising); k++) {
            struct dkim_claim claims[] = { { .result = rising[i] }, { .result = rising[k] } };
            struct results results = { .claims = claims, .claim_count = 2 };
            assert_true(results_judge(&results, arena));
            if (results.dkim != rising[i > k ? i : k])
                fail_msg("%s and %s: %s", dkim_result_words[rising[i]],
                         dkim_result_words[rising[k]], dkim_result_words[results.dkim]);
        }
    arena_free(&arena);
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
        { .result = DKIM_FAIL,
          .domain = SLICE_INIT("b.example"),
          .identity = SLICE_INIT("@m.b.example"),
          .comment = "signature expired" },
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
        "header.a=rsa-sha256 header.b=abcdefgh;\n\tdkim=fail (signature expired) header.d=b.example header.i=@m.b.example;\n\t"
        "dmarc=fail (p=reject dis=quarantine) header.from=c.example",
        print(&results, &envelope, arena));
    results = (struct results){ .spf = { true, SLICE_INIT("none"), SLICE_INIT("h.example") } };
    assert_slice("mx.example.org;\n\tspf=none smtp.helo=h.example;\n\tdkim=none",
                 print(&results, &bounce, arena));
    results.spf = (struct spf_finding){ .is_known = false };
    assert_slice("mx.example.org;\n\tdkim=none", print(&results, &bounce, arena));
    assert_slice("mx.example.org;\n\tauth=pass smtp.auth=me", print(NULL, &envelope, arena));
    results.dmarc_domain = SLICE("c.example");
    results.policy_count = 1;
    assert_slice("mx.example.org;\n\tdkim=none;\n\tdmarc=none header.from=c.example",
                 print(&results, &bounce, arena));
    results.dmarc.result = DMARC_PERMERROR;
    assert_slice("mx.example.org;\n\tdkim=none;\n\tdmarc=permerror header.from=c.example",
                 print(&results, &bounce, arena));
    results.dmarc_domain = SLICE(""); /* no From that could be read */
    assert_slice("mx.example.org;\n\tdkim=none;\n\tdmarc=permerror",
                 print(&results, &bounce, arena));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_all_of_it_together),
        cmocka_unit_test(the_best_signature_counts),
        cmocka_unit_test(only_good_signatures_are_of_testing_or_of_a_part),
        cmocka_unit_test(reads_received_spf_of_our_own),
        cmocka_unit_test(lists_what_was_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
