/* tests/unit/spf/test_record.c - the grammar of records. */
#include "tests/unit/unit.h"

#include "policyd/spf/record.h"

static const struct {
    struct slice txt;
    bool want;
} versions[] = {
    { SLICE_INIT("v=spf1"), true },        { SLICE_INIT("V=SPF1 "), true },
    { SLICE_INIT("v=spf1 -all"), true },   { SLICE_INIT("v=spf10"), false },
    { SLICE_INIT("v=spf1\t-all"), false }, { SLICE_INIT(" v=spf1"), false },
    { SLICE_INIT("v=spf"), false },        { SLICE_INIT(""), false },
    { SLICE_INIT("spf2.0/pra"), false },
};

static void knows_a_record_by_its_version(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        if (spf_record_is_spf1(versions[i].txt) != versions[i].want)
            fail_msg("%.*s", SLICE_ARG(versions[i].txt));
    }
}

#define V "v=spf1 "
static const struct {
    struct slice txt;
    const char *want; /* NULL: right */
    const char *where;
} records[] = {
    { SLICE_INIT("v=spf1"), NULL, NULL },
    { SLICE_INIT("v=spf1    "), NULL, NULL },
    { SLICE_INIT(V "A +mX ?PTR ~Ip4:192.0.2.1 -aLL"), NULL, NULL },
    { SLICE_INIT(V "a/0 a//0 a/32//128 a:example.com/24//64 mx:%{d}/24"), NULL, NULL },
    { SLICE_INIT(V "ip4:0.0.0.0/0 ip6:::/0 ip6:2001:db8::1/128 ip6:::ffff:192.0.2.1"), NULL, NULL },
    { SLICE_INIT(V "exp=%{d} redirect=example.com"), NULL, NULL },
    { SLICE_INIT(V "x=y a.b-c_d=%{d}/:= empty= ip4=1"), NULL, NULL },
    { SLICE_INIT(V "all all -all"), NULL, NULL },
    { SLICE_INIT(V "-all moo"), "unknown mechanism", "moo" },
    { SLICE_INIT(V "+"), "unknown mechanism", "+" },
    { SLICE_INIT(V "++a"), "unknown mechanism", "++a" },
    { SLICE_INIT(V "=all"), "unknown mechanism", "=all" },
    { SLICE_INIT(V "1up=foo"), "unknown mechanism", "1up=foo" },
    { SLICE_INIT(V "+exp=a.b"), "unknown mechanism", "+exp=a.b" },
    { SLICE_INIT(V "a=b/c a/b=c"), "malformed argument", "a/b=c" },
    { SLICE_INIT(V "redirect:example.com"), "unknown mechanism", "redirect:example.com" },
    { SLICE_INIT(V "-all."), "unknown mechanism", "-all." },
    { SLICE_INIT(V "a\tmx"), "unknown mechanism", "a\tmx" },
    { SLICE_INIT(V "all:foo"), "argument where none is allowed", "all:foo" },
    { SLICE_INIT(V "all/8"), "malformed argument", "all/8" },
    { SLICE_INIT(V "ptr/8"), "malformed argument", "ptr/8" },
    { SLICE_INIT(V "include"), "missing domain", "include" },
    { SLICE_INIT(V "include:"), "missing domain", "include:" },
    { SLICE_INIT(V "exists"), "missing domain", "exists" },
    { SLICE_INIT(V "a:"), "missing domain", "a:" },
    { SLICE_INIT(V "a:/24"), "missing domain", "a:/24" },
    { SLICE_INIT(V "redirect="), "missing domain", "redirect=" },
    { SLICE_INIT(V "include:example.com/24"), "domain without a top-level domain",
      "include:example.com/24" },
    { SLICE_INIT(V "a/33"), "bad prefix length", "a/33" },
    { SLICE_INIT(V "a//129"), "bad prefix length", "a//129" },
    { SLICE_INIT(V "a/024"), "bad prefix length", "a/024" },
    { SLICE_INIT(V "a/4294967320"), "bad prefix length", "a/4294967320" },
    { SLICE_INIT(V "a/"), "malformed argument", "a/" },
    { SLICE_INIT(V "a//"), "malformed argument", "a//" },
    { SLICE_INIT(V "a/24/64"), "bad prefix length", "a/24/64" },
    { SLICE_INIT(V "a/24/32"), "malformed argument", "a/24/32" },
    { SLICE_INIT(V "a//64/24"), "malformed argument", "a//64/24" },
    { SLICE_INIT(V "a//64//64"), "prefix length given twice", "a//64//64" },
    { SLICE_INIT(V "ip4"), "missing address", "ip4" },
    { SLICE_INIT(V "ip4/24"), "malformed argument", "ip4/24" },
    { SLICE_INIT(V "ip4:"), "bad address", "ip4:" },
    { SLICE_INIT(V "ip4:192.0.2"), "bad address", "ip4:192.0.2" },
    { SLICE_INIT(V "ip4:192.0.02.1"), "bad address", "ip4:192.0.02.1" },
    { SLICE_INIT(V "ip4:192.0.2.1:25"), "bad address", "ip4:192.0.2.1:25" },
    { SLICE_INIT(V "ip4:2001:db8::1"), "bad address", "ip4:2001:db8::1" },
    { SLICE_INIT(V "ip4:::ffff:192.0.2.1"), "bad address", "ip4:::ffff:192.0.2.1" },
    { SLICE_INIT(V "ip4:192.0.2.1/33"), "bad prefix length", "ip4:192.0.2.1/33" },
    { SLICE_INIT(V "ip4:192.0.2.1/"), "bad prefix length", "ip4:192.0.2.1/" },
    { SLICE_INIT(V "ip4:192.0.2.1//32"), "bad prefix length", "ip4:192.0.2.1//32" },
    { SLICE_INIT(V "ip6:192.0.2.1"), "bad address", "ip6:192.0.2.1" },
    { SLICE_INIT(V "ip6::2001::db8"), "bad address", "ip6::2001::db8" },
    { SLICE_INIT(V "ip6:fe80::1%eth0"), "bad address", "ip6:fe80::1%eth0" },
    { SLICE_INIT(V "ip6:2001:db8::/129"), "bad prefix length", "ip6:2001:db8::/129" },
    { SLICE_INIT(V "exp=a.b -all EXP=c.d"), "modifier given twice", "EXP=c.d" },
    { SLICE_INIT(V "redirect=a.b redirect=a.b"), "modifier given twice", "redirect=a.b" },
    { SLICE_INIT(V "exp=%{c}.example.com"), "macro that is for explanations only",
      "exp=%{c}.example.com" },
    { SLICE_INIT(V "moo=%abc"), "% that begins no macro", "moo=%abc" },
    { SLICE_INIT(V "a:\xef\xbb\xbf.example.com"), "character that is not allowed",
      "a:\xef\xbb\xbf.example.com" },
};

static void tells_what_is_wrong_and_where(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(records); i++) {
        struct spf_record record;
        struct spf_syntax_error error = { NULL, { NULL, 0 } };
        if (spf_record_parse(records[i].txt, &record, &error) != (records[i].want == NULL))
            fail_msg("%.*s: %s", SLICE_ARG(records[i].txt), error.what ? error.what : "was taken");
        if (records[i].want == NULL)
            continue;
        if (strcmp(error.what, records[i].want) != 0)
            fail_msg("%.*s: %s", SLICE_ARG(records[i].txt), error.what);
        assert_slice(records[i].where, error.where);
    }
}

static void reads_terms_with_their_arguments(UNUSED void **state)
{
    struct slice txt = SLICE(V "exp=e.example.com  ?A:a.example.com/24//64 x=y -ip4:192.0.2.77/24 "
                               "~mx REDIRECT=r.example.com ");
    struct spf_record record;
    struct spf_syntax_error error;
    struct spf_term term;

    assert_true(spf_record_parse(txt, &record, &error));
    assert_slice("e.example.com", record.exp);
    assert_slice("r.example.com", record.redirect);
    struct slice rest = record.terms;
    assert_true(spf_record_next(&rest, &term));
    assert_slice("?A:a.example.com/24//64", term.text);
    assert_int_equal(SPF_A, term.mechanism);
    assert_int_equal('?', term.qualifier);
    assert_slice("a.example.com", term.domain_spec);
    assert_int_equal(24, term.ip4_bits);
    assert_int_equal(64, term.ip6_bits);
    assert_true(spf_record_next(&rest, &term));
    assert_int_equal(SPF_IP4, term.mechanism);
    assert_int_equal('-', term.qualifier);
    assert_int_equal(24, term.ip4_bits);
    assert_int_equal(77, term.network.bytes[15]);
    assert_true(spf_record_next(&rest, &term));
    assert_int_equal(SPF_MX, term.mechanism);
    assert_null(term.domain_spec.ptr);
    assert_int_equal(32, term.ip4_bits);
    assert_int_equal(128, term.ip6_bits);
    assert_false(spf_record_next(&rest, &term));
    assert_false(spf_record_next(&rest, &term));
}

static void reads_the_last_term_of_the_longest_record(UNUSED void **state)
{
    static char txt[65535];
    size_t count = 0, len = 6;
    struct spf_record record;
    struct spf_syntax_error error;
    struct spf_term term;

    memcpy(txt, "v=spf1", 6);
    for (; len + 16 <= sizeof txt - 5; len += 16, count++)
        memcpy(txt + len, " ip4:192.0.2.255", 16);
    memcpy(txt + len, " -all", 5);
    assert_true(spf_record_parse((struct slice){ txt, len + 5 }, &record, &error));
    struct slice rest = record.terms;
    for (size_t i = 0; i < count; i++)
        assert_true(spf_record_next(&rest, &term));
    assert_true(spf_record_next(&rest, &term));
    assert_int_equal(SPF_ALL, term.mechanism);
    txt[len + 4] = 'x';
    assert_false(spf_record_parse((struct slice){ txt, len + 5 }, &record, &error));
    assert_slice("-alx", error.where);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_a_record_by_its_version),
        cmocka_unit_test(tells_what_is_wrong_and_where),
        cmocka_unit_test(reads_terms_with_their_arguments),
        cmocka_unit_test(reads_the_last_term_of_the_longest_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
