/* tests/unit/signd/test_dmarc.c - what RFC 7489 says of each case: records (6.3, 6.6.3), organizational domains (3.2),
 * alignment (3.1), the policy asked for (6.6.2, 6.6.4). */
#include "signd/dmarc.h"

#include "tests/unit/unit.h"

/* ---- records ---- */

static const struct {
    const char *text;
    bool is_record, has_policy;
    enum dmarc_policy policy, subdomain;
    bool strict_dkim, strict_spf;
    unsigned percent;
} records[] = {
    { "v=DMARC1; p=none", true, true, DMARC_NONE, DMARC_NONE, false, false, 100 },
    { "v=DMARC1;p=reject;", true, true, DMARC_REJECT, DMARC_REJECT, false, false, 100 },
    { "v = DMARC1 ; p = quarantine ; pct = 20", true, true, DMARC_QUARANTINE, DMARC_QUARANTINE,
      false, false, 20 },
    { "v=DMARC1; p=REJECT; SP=None", true, true, DMARC_REJECT, DMARC_NONE, false, false, 100 },
    { "v=DMARC1; sp=quarantine; p=reject", true, true, DMARC_REJECT, DMARC_QUARANTINE, false, false,
      100 },
    { "v=DMARC1; p=reject; adkim=s; aspf=s", true, true, DMARC_REJECT, DMARC_REJECT, true, true,
      100 },
    { "v=DMARC1; p=reject; adkim=r; aspf=x", true, true, DMARC_REJECT, DMARC_REJECT, false, false,
      100 },
    /* odd tags have their defaults, unknown ones do not count */
    { "v=DMARC1; p=reject; pct=abc", true, true, DMARC_REJECT, DMARC_REJECT, false, false, 100 },
    { "v=DMARC1; p=reject; pct=101", true, true, DMARC_REJECT, DMARC_REJECT, false, false, 100 },
    { "v=DMARC1; p=reject; pct=-1", true, true, DMARC_REJECT, DMARC_REJECT, false, false, 100 },
    { "v=DMARC1; p=reject; pct=0", true, true, DMARC_REJECT, DMARC_REJECT, false, false, 0 },
    { "v=DMARC1; p=reject; fo=9; ri=x; x=y; ;; z", true, true, DMARC_REJECT, DMARC_REJECT, false,
      false, 100 },
    { "v=DMARC1; p=reject; p=none", true, true, DMARC_REJECT, DMARC_REJECT, false, false, 100 },
    /* without a policy */
    { "v=DMARC1", true, false, DMARC_NONE, DMARC_NONE, false, false, 0 },
    { "v=DMARC1; p=bob", true, false, DMARC_NONE, DMARC_NONE, false, false, 0 },
    { "v=DMARC1; p=rejectfoo", true, false, DMARC_NONE, DMARC_NONE, false, false, 0 },
    { "v=DMARC1; p=r", true, false, DMARC_NONE, DMARC_NONE, false, false, 0 },
    { "v=DMARC1; p=reject; sp=bob", true, false, DMARC_NONE, DMARC_NONE, false, false, 0 },
    { "v=DMARC1; rua=nobody", true, false, DMARC_NONE, DMARC_NONE, false, false, 0 },
    { "v=DMARC1; rua=mailto:nobody", true, false, DMARC_NONE, DMARC_NONE, false, false, 0 },
    { "v=DMARC1; rua=http://a@example.com", true, false, DMARC_NONE, DMARC_NONE, false, false, 0 },
    { "v=DMARC1; rua=mailto:a@example.com", true, true, DMARC_NONE, DMARC_NONE, false, false, 100 },
    { "v=DMARC1; p=bob; rua=x, mailto:a@example.com!10m", true, true, DMARC_NONE, DMARC_NONE, false,
      false, 100 },
    { "v=DMARC1; p=reject; sp=x; rua=mailto:a@example.com", true, true, DMARC_NONE, DMARC_NONE,
      false, false, 100 },
    /* no records of DMARC */
    { "p=reject; v=DMARC1", false, true, DMARC_REJECT, DMARC_REJECT, false, false, 100 },
    { "v=dmarc1; p=reject", false, true, DMARC_REJECT, DMARC_REJECT, false, false, 100 },
    { "v=DMARC10; p=reject", false, true, DMARC_REJECT, DMARC_REJECT, false, false, 100 },
    { "v=DMARC1 p=reject", false, false, DMARC_NONE, DMARC_NONE, false, false, 0 },
    { "v=spf1 -all", false, false, DMARC_NONE, DMARC_NONE, false, false, 0 },
    { "", false, false, DMARC_NONE, DMARC_NONE, false, false, 0 },
    { ";v=DMARC1; p=reject", false, true, DMARC_REJECT, DMARC_REJECT, false, false, 100 },
};

static bool equal(const struct dmarc_record *record, size_t i)
{
    return record->policy == records[i].policy &&
           record->subdomain_policy == records[i].subdomain &&
           record->strict_dkim == records[i].strict_dkim &&
           record->strict_spf == records[i].strict_spf && record->percent == records[i].percent;
}

static void reads_records(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(records); i++) {
        struct dmarc_record record;
        struct slice text = slice_of(records[i].text);
        if (dmarc_is_record(text) != records[i].is_record ||
            dmarc_record_parse(text, &record) != records[i].has_policy ||
            (records[i].has_policy && !equal(&record, i)))
            fail_msg("%s", records[i].text);
    }
}

/* ---- organizational domains ---- */

static const struct {
    const char *domain, *organizational;
} domains[] = {
    { "example.com", "example.com" },
    { "a.example.com", "example.com" },
    { "a.b.c.example.com", "example.com" },
    { "example.co.uk", "example.co.uk" },
    { "mail.example.co.uk", "example.co.uk" },
    { "com", "com" },
    { "co.uk", "co.uk" },
    { "user.github.io", "user.github.io" },
    { "a.user.github.io", "user.github.io" },
    { "a.b.ck", "a.b.ck" },
    { "x.a.b.ck", "a.b.ck" },
    { "x.www.ck", "www.ck" },
    { "a.example.unlistedtld", "example.unlistedtld" },
    { "xn--bcher-kva.example.de", "example.de" },
    { "a.xn--85x722f.com.cn", "xn--85x722f.com.cn" },
    { "localhost", "localhost" },
    { "", "" },
};

static void finds_organizational_domains(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(domains); i++) {
        struct slice got = dmarc_organizational_domain(slice_of(domains[i].domain));
        if (!slice_equal(got, slice_of(domains[i].organizational)))
            fail_msg("%s: %.*s", domains[i].domain, SLICE_ARG(got));
    }
}

/* ---- evaluation ---- */

#define NO_EVIDENCE                                                                                \
    {                                                                                              \
        EVIDENCE_FAIL, NULL                                                                        \
    }
#define SPF(result, domain)                                                                        \
    {                                                                                              \
        EVIDENCE_##result, domain                                                                  \
    }
#define DKIM(result, domain) SPF(result, domain)

static const char reject[] = "v=DMARC1; p=reject";
static const char strict[] = "v=DMARC1; p=reject; adkim=s; aspf=s";
static const char subs[] = "v=DMARC1; p=reject; sp=quarantine";
static const char loose[] = "v=DMARC1; p=none; sp=reject";
static const char half[] = "v=DMARC1; p=reject; pct=50";
static const char half_quarantine[] = "v=DMARC1; p=quarantine; pct=50";
static const char never[] = "v=DMARC1; p=quarantine; pct=0";

/* clang-format off */
static const struct {
    const char *from, *record; /* no record: `lookup` */
    enum dmarc_lookup lookup;
    bool is_organizational;
    struct {
        enum dmarc_evidence_result result;
        const char *domain; /* NULL: there is none */
    } spf, dkim, dkim2;
    unsigned draw;
    enum dmarc_result want;
    enum dmarc_policy policy;
    bool spf_aligned, dkim_aligned;
} cases[] = {
    /* no record */
    { "example.com", NULL, DMARC_LOOKUP_NONE, false, SPF(PASS, "example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_RESULT_NONE, DMARC_NONE, false, false },
    { "example.com", NULL, DMARC_LOOKUP_NONE, false, SPF(FAIL, "example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_RESULT_NONE, DMARC_NONE, false, false },
    { "example.com", NULL, DMARC_LOOKUP_TEMPERROR, false, SPF(PASS, "example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_TEMPERROR, DMARC_NONE, false, false },
    { "example.com", NULL, DMARC_LOOKUP_BAD, false, SPF(FAIL, "example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_PERMERROR, DMARC_NONE, false, false },
    /* nothing passes */
    { "example.com", reject, 0, false, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", reject, 0, false, SPF(FAIL, "example.com"), DKIM(FAIL, "example.com"), NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", "v=DMARC1; p=none", 0, false, SPF(FAIL, "example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_NONE, false, false },
    { "example.com", "v=DMARC1; p=quarantine", 0, false, NO_EVIDENCE, DKIM(FAIL, "example.com"), NO_EVIDENCE, 0, DMARC_FAIL, DMARC_QUARANTINE, false, false },
    /* relaxed alignment */
    { "example.com", reject, 0, false, SPF(PASS, "example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, true, false },
    { "example.com", reject, 0, false, SPF(PASS, "bounce.example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, true, false },
    { "a.example.com", reject, 0, false, SPF(PASS, "b.example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, true, false },
    { "a.example.com", reject, 0, true, SPF(PASS, "example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, true, false },
    { "example.com", reject, 0, false, SPF(PASS, "example.org"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", reject, 0, false, SPF(PASS, "badexample.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", reject, 0, false, SPF(PASS, "com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.co.uk", reject, 0, false, SPF(PASS, "other.co.uk"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.co.uk", reject, 0, false, SPF(PASS, "co.uk"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "a.github.io", reject, 0, false, NO_EVIDENCE, DKIM(PASS, "b.github.io"), NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "x.a.github.io", reject, 0, false, NO_EVIDENCE, DKIM(PASS, "a.github.io"), NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, false, true },
    { "example.com", reject, 0, false, NO_EVIDENCE, DKIM(PASS, "example.com"), NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, false, true },
    { "example.com", reject, 0, false, NO_EVIDENCE, DKIM(PASS, "mail.example.com"), NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, false, true },
    { "example.com", reject, 0, false, NO_EVIDENCE, DKIM(PASS, "example.org"), NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", reject, 0, false, NO_EVIDENCE, DKIM(PASS, "example.org"), DKIM(PASS, "example.com"), 0, DMARC_PASS, DMARC_NONE, false, true },
    { "example.com", reject, 0, false, NO_EVIDENCE, DKIM(FAIL, "example.com"), DKIM(PASS, "example.com"), 0, DMARC_PASS, DMARC_NONE, false, true },
    { "example.com", reject, 0, false, SPF(PASS, "example.com"), DKIM(PASS, "example.com"), NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, true, true },
    { "example.com", reject, 0, false, SPF(PASS, "example.org"), DKIM(PASS, "example.com"), NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, false, true },
    { "example.com", reject, 0, false, SPF(PASS, "example.com"), DKIM(FAIL, "example.com"), NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, true, false },
    { "example.com", reject, 0, false, SPF(PASS, ""), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    /* strict alignment */
    { "example.com", strict, 0, false, SPF(PASS, "example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, true, false },
    { "example.com", strict, 0, false, SPF(PASS, "a.example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "a.example.com", strict, 0, true, SPF(PASS, "example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", strict, 0, false, NO_EVIDENCE, DKIM(PASS, "a.example.com"), NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", strict, 0, false, NO_EVIDENCE, DKIM(PASS, "example.com"), NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, false, true },
    { "example.com", "v=DMARC1; p=reject; adkim=s", 0, false, SPF(PASS, "a.example.com"), DKIM(PASS, "a.example.com"), NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, true, false },
    { "example.com", "v=DMARC1; p=reject; aspf=s", 0, false, SPF(PASS, "a.example.com"), DKIM(PASS, "a.example.com"), NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, false, true },
    { "example.com", "v=DMARC1; p=reject; aspf=s", 0, false, SPF(PASS, "a.example.com"), DKIM(FAIL, "a.example.com"), NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    /* subdomains */
    { "a.example.com", subs, 0, true, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_QUARANTINE, false, false },
    { "example.com", subs, 0, false, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "a.example.com", subs, 0, false, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "a.example.com", loose, 0, true, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", loose, 0, false, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_NONE, false, false },
    { "a.example.com", reject, 0, true, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    /* pct */
    { "example.com", half, 0, false, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 49, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", half, 0, false, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 50, DMARC_FAIL, DMARC_QUARANTINE, false, false },
    { "example.com", half_quarantine, 0, false, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 49, DMARC_FAIL, DMARC_QUARANTINE, false, false },
    { "example.com", half_quarantine, 0, false, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 99, DMARC_FAIL, DMARC_NONE, false, false },
    { "example.com", never, 0, false, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_NONE, false, false },
    { "example.com", reject, 0, false, NO_EVIDENCE, NO_EVIDENCE, NO_EVIDENCE, 99, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", half, 0, false, SPF(PASS, "example.com"), NO_EVIDENCE, NO_EVIDENCE, 99, DMARC_PASS, DMARC_NONE, true, false },
    /* look-ups that failed */
    { "example.com", reject, 0, false, SPF(TEMPERROR, "example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_TEMPERROR, DMARC_NONE, false, false },
    { "example.com", reject, 0, false, NO_EVIDENCE, DKIM(TEMPERROR, "example.com"), NO_EVIDENCE, 0, DMARC_TEMPERROR, DMARC_NONE, false, false },
    { "example.com", reject, 0, false, SPF(TEMPERROR, "example.org"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", reject, 0, false, NO_EVIDENCE, DKIM(TEMPERROR, "example.org"), NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", reject, 0, false, SPF(TEMPERROR, "example.com"), DKIM(PASS, "example.com"), NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, false, true },
    { "example.com", reject, 0, false, SPF(PASS, "example.com"), DKIM(TEMPERROR, "example.com"), NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, true, false },
    { "example.com", strict, 0, false, SPF(TEMPERROR, "a.example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", reject, 0, false, SPF(FAIL, "example.com"), DKIM(TEMPERROR, "sub.example.com"), NO_EVIDENCE, 0, DMARC_TEMPERROR, DMARC_NONE, false, false },
    /* names that only look alike */
    { "com", reject, 0, false, SPF(PASS, "example.com"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "example.com", reject, 0, false, NO_EVIDENCE, DKIM(PASS, "example.com.evil.example"), NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "xn--exmple-cua.com", reject, 0, false, NO_EVIDENCE, DKIM(PASS, "example.com"), NO_EVIDENCE, 0, DMARC_FAIL, DMARC_REJECT, false, false },
    { "a.b.c.d.example.com", reject, 0, true, NO_EVIDENCE, DKIM(PASS, "z.example.com"), NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, false, true },
    { "localhost", reject, 0, false, SPF(PASS, "localhost"), NO_EVIDENCE, NO_EVIDENCE, 0, DMARC_PASS, DMARC_NONE, true, false },
};
/* clang-format on */

static void add(struct dmarc_evidence *evidence, size_t *count, bool is_spf,
                enum dmarc_evidence_result result, const char *domain)
{
    if (domain != NULL)
        evidence[(*count)++] = (struct dmarc_evidence){ is_spf, result, slice_of(domain) };
}

static void judges_as_the_rfc_says(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dmarc_evidence evidence[3];
        struct dmarc_record record;
        struct dmarc_verdict verdict;
        struct dmarc_input input = { .from_domain = slice_of(cases[i].from),
                                     .lookup = cases[i].lookup,
                                     .is_organizational = cases[i].is_organizational,
                                     .evidence = evidence,
                                     .draw = cases[i].draw };
        if (cases[i].record != NULL) {
            assert_true(dmarc_record_parse(slice_of(cases[i].record), &record));
            input.record = &record;
        }
        add(evidence, &input.evidence_count, true, cases[i].spf.result, cases[i].spf.domain);
        add(evidence, &input.evidence_count, false, cases[i].dkim.result, cases[i].dkim.domain);
        add(evidence, &input.evidence_count, false, cases[i].dkim2.result, cases[i].dkim2.domain);
        dmarc_evaluate(&input, &verdict);
        if (verdict.result != cases[i].want || verdict.policy != cases[i].policy ||
            verdict.spf_aligned != cases[i].spf_aligned ||
            verdict.dkim_aligned != cases[i].dkim_aligned)
            fail_msg("case %zu, From: %s, %s: %s, %s", i, cases[i].from, cases[i].record,
                     dmarc_result_words[verdict.result], dmarc_policy_words[verdict.policy]);
    }
    assert_true(COUNT(cases) >= 60);
}

static void the_stricter_of_several_counts(UNUSED void **state)
{
    static const struct dmarc_verdict rising[] = {
        { .result = DMARC_PASS },
        { .result = DMARC_RESULT_NONE },
        { .result = DMARC_PERMERROR },
        { .result = DMARC_TEMPERROR },
        { .result = DMARC_FAIL },
        { .result = DMARC_FAIL, .policy = DMARC_QUARANTINE },
        { .result = DMARC_FAIL, .policy = DMARC_REJECT },
    };

    for (size_t i = 0; i < COUNT(rising); i++)
        for (size_t k = 0; k < COUNT(rising); k++)
            if (dmarc_is_stricter(&rising[i], &rising[k]) != (i > k))
                fail_msg("%zu and %zu", i, k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_records),
        cmocka_unit_test(finds_organizational_domains),
        cmocka_unit_test(judges_as_the_rfc_says),
        cmocka_unit_test(the_stricter_of_several_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
