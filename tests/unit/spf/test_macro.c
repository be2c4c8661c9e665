/* tests/unit/spf/test_macro.c - macros: syntax, and what they expand to. */
#include "tests/unit/unit.h"

#include "policyd/spf/macro.h"

/* RFC 7208 7.4 */
static struct spf_macro_values example(const char *client)
{
    struct spf_macro_values values = {
        .sender = SLICE("strong-bad@email.example.com"),
        .local = SLICE("strong-bad"),
        .sender_domain = SLICE("email.example.com"),
        .domain = SLICE("email.example.com"),
        .validated = SLICE("mx.example.org"),
        .helo_name = SLICE("mail.example.org"),
        .receiver = SLICE("mx.example.net"),
        .wall_s = 1795314861,
    };

    assert_true(ip_address_parse(slice_of(client), &values.client));
    return values;
}

static const struct {
    const char *client, *text, *want;
} expansions[] = {
    { "192.0.2.3", "%{s}", "strong-bad@email.example.com" },
    { "192.0.2.3", "%{o}", "email.example.com" },
    { "192.0.2.3", "%{d}", "email.example.com" },
    { "192.0.2.3", "%{d4}", "email.example.com" },
    { "192.0.2.3", "%{d3}", "email.example.com" },
    { "192.0.2.3", "%{d2}", "example.com" },
    { "192.0.2.3", "%{d1}", "com" },
    { "192.0.2.3", "%{dr}", "com.example.email" },
    { "192.0.2.3", "%{d2r}", "example.email" },
    { "192.0.2.3", "%{l}", "strong-bad" },
    { "192.0.2.3", "%{l-}", "strong.bad" },
    { "192.0.2.3", "%{lr}", "strong-bad" },
    { "192.0.2.3", "%{lr-}", "bad.strong" },
    { "192.0.2.3", "%{l1r-}", "strong" },
    { "192.0.2.3", "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com" },
    { "192.0.2.3", "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
    { "192.0.2.3", "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
      "bad.strong.lp.3.2.0.192.in-addr._spf.example.com" },
    { "192.0.2.3", "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
      "3.2.0.192.in-addr.strong.lp._spf.example.com" },
    { "192.0.2.3", "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net" },
    { "2001:db8::cb01", "%{ir}.%{v}._spf.%{d2}",
      "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com" },
    { "::ffff:192.0.2.3", "%{i} %{c} %{v}", "192.0.2.3 192.0.2.3 in-addr" },
    { "2001:db8::cb01", "%{c}", "2001:db8::cb01" },
    { "192.0.2.3", "%{h} %{p} %{r} %{t}",
      "mail.example.org mx.example.org mx.example.net 1795314861" },
    { "192.0.2.3", "100%%%_%-", "100% %20" },
    { "192.0.2.3", "%{S}", "strong-bad%40email.example.com" },
    { "192.0.2.3", "%{D2R}", "example.email" },
    { "192.0.2.3", "%{d2R}", "example.email" },
    { "192.0.2.3", "%{d0002}", "example.com" },
    { "192.0.2.3", "%{d99999999999999999999999999999999}", "email.example.com" },
    { "192.0.2.3", "%{d.}", "email.example.com" },
    { "192.0.2.3", "%{s@}", NULL },
    { "192.0.2.3", "%{s.-+,/_=}", "strong.bad@email.example.com" },
};

static void expands_as_the_examples_of_the_rfc(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(expansions); i++) {
        struct spf_macro_values values = example(expansions[i].client);
        struct slice text = slice_of(expansions[i].text), got;
        char room[SPF_EXPANSION_MAX];

        const char *error = spf_explain_string_check(text);
        if (expansions[i].want == NULL) {
            if (error == NULL)
                fail_msg("\"%s\" was taken", expansions[i].text);
            continue;
        }
        if (error != NULL)
            fail_msg("\"%s\": %s", expansions[i].text, error);
        got = spf_macro_explain(text, &values, room);
        if (!slice_equal(got, slice_of(expansions[i].want)))
            fail_msg("\"%s\" is \"%.*s\"", expansions[i].text, SLICE_ARG(got));
    }
}

static const struct {
    struct slice spec;
    const char *want; /* NULL: right */
} specs[] = {
    { SLICE_INIT("example.com"), NULL },
    { SLICE_INIT("example.com."), NULL },
    { SLICE_INIT("_spf.xn--zckzah.xn--zckzah"), NULL },
    { SLICE_INIT("a.b-c"), NULL },
    { SLICE_INIT("a.1-2"), NULL },
    { SLICE_INIT("a.4u"), NULL },
    { SLICE_INIT("%{d}"), NULL },
    { SLICE_INIT("%{d}.example"), NULL },
    { SLICE_INIT("foo%%"), NULL },
    { SLICE_INIT("foo%_"), NULL },
    { SLICE_INIT("a:b/c&d.example.com"), NULL },
    { SLICE_INIT(".com"), NULL },
    { SLICE_INIT(""), "missing domain" },
    { SLICE_INIT("com"), "domain without a top-level domain" },
    { SLICE_INIT("com."), "domain without a top-level domain" },
    { SLICE_INIT("example.com.."), "domain without a top-level domain" },
    { SLICE_INIT("%{d}."), "domain without a top-level domain" },
    { SLICE_INIT("%{d}com"), "domain without a top-level domain" },
    { SLICE_INIT("192.0.2.1"), "domain without a top-level domain" },
    { SLICE_INIT("example.-com"), "domain without a top-level domain" },
    { SLICE_INIT("example.com-"), "domain without a top-level domain" },
    { SLICE_INIT("example.co_m"), "domain without a top-level domain" },
    { SLICE_INIT("exam ple.com"), "character that is not allowed" },
    { SLICE_INIT("example.com\0"), "character that is not allowed" },
    { SLICE_INIT("example\x7f.com"), "character that is not allowed" },
    { SLICE_INIT("\xc3\xa4.com"), "character that is not allowed" },
    { SLICE_INIT("%"), "% that begins no macro" },
    { SLICE_INIT("%(d).com"), "% that begins no macro" },
    { SLICE_INIT("%{"), "unknown macro letter" },
    { SLICE_INIT("%{}"), "unknown macro letter" },
    { SLICE_INIT("%{x}"), "unknown macro letter" },
    { SLICE_INIT("%{\0}"), "unknown macro letter" },
    { SLICE_INIT("%{d"), "malformed macro" },
    { SLICE_INIT("%{dr2}"), "malformed macro" },
    { SLICE_INIT("%{d.2}"), "malformed macro" },
    { SLICE_INIT("%{d:}"), "malformed macro" },
    { SLICE_INIT("%{d0}"), "macro that keeps 0 parts" },
    { SLICE_INIT("%{d000}"), "macro that keeps 0 parts" },
    { SLICE_INIT("%{c}"), "macro that is for explanations only" },
    { SLICE_INIT("%{R}.example.com"), "macro that is for explanations only" },
    { SLICE_INIT("%{t}"), "macro that is for explanations only" },
};

static void tells_what_is_wrong_with_a_domain(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(specs); i++) {
        const char *got = spf_domain_spec_check(specs[i].spec);
        if (got != specs[i].want &&
            (got == NULL || specs[i].want == NULL || strcmp(got, specs[i].want) != 0))
            fail_msg("%.*s: %s", SLICE_ARG(specs[i].spec), got != NULL ? got : "was taken");
    }
}

static void allows_blanks_in_explanations_alone(UNUSED void **state)
{
    assert_null(spf_explain_string_check(SLICE("Go away, %{c}!")));
    assert_null(spf_explain_string_check(SLICE("")));
    assert_non_null(spf_explain_string_check(SLICE("tab\there")));
    assert_non_null(spf_explain_string_check(SLICE("caf\xc3\xa9")));
    assert_null(spf_macro_string_check(SLICE("a%{d}b")));
    assert_null(spf_macro_string_check(SLICE("")));
    assert_non_null(spf_macro_string_check(SLICE("a b")));
    assert_non_null(spf_macro_string_check(SLICE("%{t}")));
}

static void finds_validated_names(UNUSED void **state)
{
    assert_true(spf_macro_uses_validated(SLICE("a.%{P1r-}.example.com")));
    assert_false(spf_macro_uses_validated(SLICE("p.%{d}.%%{p}.example.com")));
}

static void keeps_the_end_of_a_long_domain(UNUSED void **state)
{
    struct spf_macro_values values = example("192.0.2.3");
    char spec[60000], room[SPF_EXPANSION_MAX];
    size_t len = 0;

    while (len + 20 < sizeof spec) { /* 12,000 times "strong-bad@email.example.com." */
        memcpy(spec + len, "%{s}.", 5);
        len += 5;
    }
    memcpy(spec + len, "the.end", 7);
    struct slice got = spf_macro_domain((struct slice){ spec, len + 7 }, &values, room);
    assert_true(got.len <= SPF_NAME_MAX);
    assert_true(got.len > SPF_NAME_MAX - 29);
    assert_true(slice_ends_with(got, SLICE(".strong-bad@email.example.com.the.end")));
    assert_true(spf_name_is_valid(got));

    memset(spec, 'x', sizeof spec); /* nothing but one label */
    assert_int_equal(0, spf_macro_domain((struct slice){ spec, sizeof spec }, &values, room).len);
}

static void cuts_a_long_explanation(UNUSED void **state)
{
    struct spf_macro_values values = example("192.0.2.3");
    char text[4096], room[SPF_EXPANSION_MAX];

    for (size_t i = 0; i < sizeof text; i += 4)
        memcpy(text + i, "%{L}", 4);
    values.local = SLICE("\xff\n");
    struct slice got = spf_macro_explain((struct slice){ text, sizeof text }, &values, room);
    assert_int_equal(got.len, SPF_EXPANSION_MAX);
    assert_true(slice_starts_with(got, SLICE("%FF%0A%FF")));
    got = spf_macro_explain(SLICE("a%{l}b"), &values, room);
    assert_slice("a??b", got);
}

static void says_unknown_for_what_is_not_there(UNUSED void **state)
{
    struct spf_macro_values values = example("192.0.2.3");
    char room[SPF_EXPANSION_MAX];

    values.validated = values.receiver = (struct slice){ NULL, 0 };
    assert_slice("unknown unknown", spf_macro_explain(SLICE("%{p} %{r}"), &values, room));
    values.helo_name = (struct slice){ NULL, 0 };
    assert_slice("<>", spf_macro_explain(SLICE("<%{h}>"), &values, room));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands_as_the_examples_of_the_rfc),
        cmocka_unit_test(tells_what_is_wrong_with_a_domain),
        cmocka_unit_test(allows_blanks_in_explanations_alone),
        cmocka_unit_test(finds_validated_names),
        cmocka_unit_test(keeps_the_end_of_a_long_domain),
        cmocka_unit_test(cuts_a_long_explanation),
        cmocka_unit_test(says_unknown_for_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
