/* tests/unit/mail/test_address.c - the normal form of mailboxes and domains, their parts, their validity. */
#include "tests/unit/unit.h"

#include "common/base/buf.h"
#include "common/mail/address.h"

static struct arena *arena;

static int arena_up(UNUSED void **state)
{
    arena = arena_new(1 << 20);
    return arena == NULL ? -1 : 0;
}

static int arena_down(UNUSED void **state)
{
    arena_free(&arena);
    return 0;
}

static const struct {
    const char *text, *want;
    enum address_form form;
} mailboxes[] = {
    { "bob@example.com", "bob@example.com", ADDRESS_NORMAL },
    { "Bob+News@Example.COM", "bob+news@example.com", ADDRESS_NORMAL },
    { "bob@example.com.", "bob@example.com", ADDRESS_NORMAL },
    { "bob@example.com..", "bob@example.com..", ADDRESS_NORMAL },
    { "", "", ADDRESS_NORMAL },
    { "Alice", "alice", ADDRESS_NORMAL },
    { "postmaster", "postmaster", ADDRESS_NORMAL },
    { "a@b@Example.com", "a@b@example.com", ADDRESS_NORMAL },
    { "\"a b\"@example.com", "a b@example.com", ADDRESS_NORMAL },
    { "\"a@b\"@example.com", "a@b@example.com", ADDRESS_NORMAL },
    { "\"a\\\"b\"@example.com", "a\"b@example.com", ADDRESS_NORMAL },
    { "\"a\\\"@example.com", "\"a\\\"@example.com", ADDRESS_NORMAL }, /* the quote is not closed */
    { "\"\"@example.com", "\"\"@example.com",
      ADDRESS_NORMAL }, /* not the list entry @example.com */
    { "\"\\\"a\\\"\"@example.com", "\"\\\"a\\\"\"@example.com", ADDRESS_NORMAL },
    { "\"a@b\"", "\"a@b\"", ADDRESS_NORMAL },
    { "bob@[192.0.2.1]", "bob@[192.0.2.1]", ADDRESS_NORMAL },
    { "bob@[IPv6:2001:DB8::0:1]", "bob@[ipv6:2001:db8::1]", ADDRESS_NORMAL },
    { "bob@[IPv6:::ffff:192.0.2.1]", "bob@[192.0.2.1]", ADDRESS_NORMAL },
    { "bob@[Nonsense]", "bob@[nonsense]", ADDRESS_NORMAL },
    { "bob@B\xc3\x9c"
      "CHER.example",
      "bob@xn--bcher-kva.example", ADDRESS_NORMAL },
    { "bob@bu\xcc\x88"
      "cher.example",
      "bob@xn--bcher-kva.example", ADDRESS_NORMAL },
    { "bob@fa\xc3\x9f.example", "bob@xn--fa-hia.example", ADDRESS_NORMAL },
    { "bob@XN--bcher-kva.example", "bob@xn--bcher-kva.example", ADDRESS_NORMAL },
    { "J\xc3\xb6rg@Example.com", "j\xc3\xb6rg@example.com", ADDRESS_NORMAL },
    { "Jo\xcc\x88rg@Example.com", "j\xc3\xb6rg@example.com", ADDRESS_NORMAL }, /* composed */
    { "A\xcc\x8a@example.com", "\xc3\x85@example.com", ADDRESS_NORMAL }, /* only ASCII is lowered */
    { "H\xcc\xb1@example.com", "\xe1\xba\x96@example.com", ADDRESS_NORMAL },
    { "\xe2\x84\xaa@example.com", "k@example.com", ADDRESS_NORMAL }, /* KELVIN SIGN */
    { "Bob\xff@Example.com", "bob\xff@example.com", ADDRESS_ODD },
    { "Bob@\xff.Example.com", "bob@\xff.example.com", ADDRESS_ODD },
    /* a full-width @ in a domain must not move the domain */
    { "x@a\xef\xbc\xa0victim.example", "x@a\xef\xbc\xa0victim.example", ADDRESS_ODD },
    { "Z@example.com", "z@example.com", ADDRESS_NORMAL },
    { "z@Z.example", "z@z.example", ADDRESS_NORMAL },
    { "\x80@example.com", "\x80@example.com", ADDRESS_ODD },
    { "x@\x80", "x@\x80", ADDRESS_ODD },
    { "x@a.", "x@a", ADDRESS_NORMAL },
    { "x@.", "x@.", ADDRESS_NORMAL },
    /* nor may full-width brackets make an address of it */
    { "x@\xef\xbc\xbb"
      "192.0.2.1\xef\xbc\xbd",
      "x@\xef\xbc\xbb"
      "192.0.2.1\xef\xbc\xbd",
      ADDRESS_ODD },
    { "x@\xc3\xa9.example.", "x@xn--9ca.example", ADDRESS_NORMAL },
};

static void has_one_spelling_for_a_mailbox(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(mailboxes); i++) {
        struct slice got = { NULL, 0 }, again = { NULL, 0 };
        enum address_form form =
            address_normalise_mailbox(slice_of(mailboxes[i].text), arena, &got);
        if (form != mailboxes[i].form || !slice_equal(got, slice_of(mailboxes[i].want)))
            fail_msg("\"%s\" gives \"%.*s\" (%d)", mailboxes[i].text, SLICE_ARG(got), form);
        address_normalise_mailbox(got, arena, &again);
        if (form == ADDRESS_NORMAL && !slice_equal(got, again))
            fail_msg("\"%.*s\" is not normal: \"%.*s\"", SLICE_ARG(got), SLICE_ARG(again));
    }
}

static void does_not_copy_what_is_normal(UNUSED void **state)
{
    struct slice text = SLICE("bob@example.com"), domain = SLICE("example.com"), got;

    assert_int_equal(ADDRESS_NORMAL, address_normalise_mailbox(text, arena, &got));
    assert_ptr_equal(text.ptr, got.ptr);
    assert_int_equal(ADDRESS_NORMAL, address_normalise_domain(domain, arena, &got));
    assert_ptr_equal(domain.ptr, got.ptr);
    assert_int_equal(ADDRESS_NORMAL,
                     address_normalise_mailbox((struct slice){ NULL, 0 }, arena, &got));
    assert_null(got.ptr);
}

/* 400 times `c`, then `tail`. */
static struct slice long_text(char c, const char *tail)
{
    char fill[401];

    memset(fill, c, 400);
    fill[400] = '\0';
    return arena_printf(arena, "%s%s", fill, tail);
}

static void bounds_what_is_too_long_and_keeps_the_domain_true(UNUSED void **state)
{
    struct slice got;

    assert_int_equal(ADDRESS_ODD,
                     address_normalise_mailbox(long_text('A', "@Example.com"), arena, &got));
    assert_int_equal(ADDRESS_MAX, got.len);
    assert_slice("example.com", address_domain(got));

    struct slice text = arena_printf(arena, "bob@%.*s", SLICE_ARG(long_text('A', ".Example.com")));
    assert_int_equal(ADDRESS_ODD, address_normalise_mailbox(text, arena, &got));
    assert_int_equal(4 + ADDRESS_DOMAIN_MAX, got.len);
    assert_true(slice_starts_with(got, SLICE("bob@aaa")));
    assert_true(slice_ends_with(got, SLICE("aaa.example.com")));

    assert_int_equal(ADDRESS_ODD, address_normalise_mailbox(long_text('A', ""), arena, &got));
    assert_int_equal(ADDRESS_MAX, got.len);
    assert_int_equal(ADDRESS_ODD, address_normalise_domain(long_text('A', ".com"), arena, &got));
    assert_int_equal(ADDRESS_DOMAIN_MAX, got.len);
}

static void takes_no_more_than_a_domain_can_have(UNUSED void **state)
{
    char text[4 * ADDRESS_DOMAIN_MAX + 1];
    struct slice got;

    memset(text, 'A', sizeof text);
    assert_int_equal(ADDRESS_NORMAL,
                     address_normalise_domain((struct slice){ text, 255 }, arena, &got));
    assert_int_equal(255, got.len);
    assert_int_equal(ADDRESS_ODD,
                     address_normalise_domain((struct slice){ text, 256 }, arena, &got));
    assert_int_equal(255, got.len);
    memcpy(text, "\xc3\xa9", 2); /* for libidn2, if it were short enough */
    for (size_t len = sizeof text - 1; len <= sizeof text; len++) {
        assert_int_equal(ADDRESS_ODD,
                         address_normalise_domain((struct slice){ text, len }, arena, &got));
        assert_int_equal(255, got.len);
    }
    /* a NUL does not end it */
    assert_int_equal(ADDRESS_ODD,
                     address_normalise_domain(SLICE("\xc3\xa9.example\0.Com"), arena, &got));
    assert_true(slice_equal(got, SLICE("\xc3\xa9.example\0.com")));
}

static void says_when_memory_is_out(UNUSED void **state)
{
    struct arena *none = arena_new(0);
    struct slice got = SLICE("untouched");

    assert_non_null(none);
    assert_int_equal(ADDRESS_NO_MEMORY, address_normalise_mailbox(SLICE("A@b"), none, &got));
    assert_int_equal(ADDRESS_NO_MEMORY, address_normalise_domain(SLICE("A"), none, &got));
    assert_slice("untouched", got);
    assert_null(address_strip_extension(SLICE("a+b@c"), SLICE("+"), none).ptr);
    arena_free(&none);
}

static const struct {
    const char *mailbox, *local, *domain, *base, *stripped;
} parts[] = {
    { "bob@example.com", "bob", "example.com", "bob", "bob@example.com" },
    { "bob+x+y@example.com", "bob+x+y", "example.com", "bob", "bob@example.com" },
    { "bob-x@example.com", "bob-x", "example.com", "bob", "bob@example.com" },
    { "+x@example.com", "+x", "example.com", "+x", "+x@example.com" },
    { "bob+@example.com", "bob+", "example.com", "bob", "bob@example.com" },
    { "bob@a+b.example", "bob", "a+b.example", "bob", "bob@a+b.example" },
    { "a@b@c", "a@b", "c", "a@b", "a@b@c" },
    { "alice+x", "alice+x", NULL, "alice", "alice" },
    { "@example.com", "", "example.com", "", "@example.com" },
    { "bob@", "bob", "", "bob", "bob@" },
    { "", "", NULL, "", "" },
};

static void takes_a_mailbox_apart(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(parts); i++) {
        struct slice mailbox = slice_of(parts[i].mailbox);
        assert_slice(parts[i].local, address_local(mailbox));
        assert_slice(parts[i].domain, address_domain(mailbox));
        assert_true((parts[i].domain == NULL) == (address_domain(mailbox).ptr == NULL));
        assert_slice(parts[i].base, address_local_base(mailbox, SLICE("+-")));
        assert_slice(parts[i].stripped, address_strip_extension(mailbox, SLICE("+-"), arena));
    }
    assert_slice("bob-x@example.com",
                 address_strip_extension(SLICE("bob-x@example.com"), SLICE("+"), arena));
}

static const struct {
    const char *domain, *parents; /* joined by blanks */
} climbs[] = {
    { "a.b.example.com", "b.example.com example.com com " },
    { "com", "" },
    { "", "" },
    { "com.", "" },
    { "a..b", ".b b " },
    { "[192.0.2.1]", "" },
};

static void climbs_to_the_parents_of_a_domain(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(climbs); i++) {
        AUTO_BUF seen = BUF_INIT(200);
        struct slice domain = slice_of(climbs[i].domain);
        while (address_parent_domain(&domain))
            assert_int_equal(0, buf_printf(&seen, "%.*s ", SLICE_ARG(domain)));
        assert_slice(climbs[i].parents, buf_slice(&seen));
    }
}

#define L60 "123456789.123456789.123456789.123456789.123456789.123456789."
#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A64 A63 "a"

static const struct {
    const char *text;
    bool is_mailbox, is_domain;
} validity[] = {
    { "example.com", false, true },
    { "localhost", false, true },
    { "_dmarc.example.com", false, true },
    { "xn--bcher-kva.example", false, true },
    { "[192.0.2.1]", false, true },
    { "[IPv6:2001:db8::1]", false, true },
    { "[192.0.2]", false, false },
    { "-a.example", false, false },
    { "a-.example", false, false },
    { "a..example", false, false },
    { ".example", false, false },
    { "example.", false, false },
    { "b\xc3\xbc"
      "cher.example",
      false, false },
    { "a b.example", false, false },
    { "", false, false },
    { A63 ".example", false, true },
    { A64 ".example", false, false },
    { L60 L60 L60 L60 "123456789.123", false, true }, /* 253 */
    { L60 L60 L60 L60 "123456789.1234", false, false },
    { "bob@example.com", true, false },
    { "a b@example.com", true, false },
    { "j\xc3\xb6rg@example.com", true, false },
    { "j\xffrg@example.com", false, false },
    { "bob@[192.0.2.1]", true, false },
    { "bob\n@example.com", false, false },
    { "\x1f@example.com", false, false },
    { "bob\x7f@example.com", false, false },
    { "~ \xc2\x80@example.com", true, false },
    { "bob@", false, false },
    { "@example.com", false, false },
    { A64 "@example.com", true, false },
    { A64 "a@example.com", false, false },
    { "bob@" L60 L60 L60 L60 "1234567890", true, false }, /* 254 */
    { "bob@" L60 L60 L60 L60 "12345678901", false, false },
};

static void knows_valid_mailboxes_and_domains(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(validity); i++) {
        struct slice text = slice_of(validity[i].text);
        if (address_is_valid_mailbox(text) != validity[i].is_mailbox ||
            address_is_valid_domain(text) != validity[i].is_domain)
            fail_msg("\"%s\"", validity[i].text);
    }
}

static const struct {
    const char *text;
    bool want;
} written[] = {
    { "bob@example.com", true },
    { "", true },
    { "postmaster", true },
    { "bob+news=x@example.com", true },
    { "b..o.b.@example.com", true },
    { "j\xc3\xb6rg@b\xc3\xbc.example", true },
    { "\"a b\"@example.com", true },
    { "\"a@b\\\"<,>\"@example.com", true },
    { "\"a\"", true },
    { "bob@[192.0.2.1]", true },
    { "bob@[IPv6:2001:DB8::1]", true },
    { "bob@", false },
    { "bob@@example.com", false },
    { "bob@example.com@", false },
    { "<bob@example.com>", false },
    { "<bob@example.com>,", false },
    { "Bob <bob@example.com>", false },
    { "bob@example.com;", false },
    { "friends:bob@example.com;", false },
    { "bob(bob)@example.com", false },
    { "bob@example.com (Bob)", false },
    { "bob @example.com", false },
    { "bob@\texample.com", false },
    { "b\\ob@example.com", false },
    { "b\"o\"b@example.com", false },
    { "\"bob@example.com", false },
    { "\"bob\\\"@example.com", false },
    { "\"bob\"x@example.com", false },
    { "\"bob\" @example.com", false },
    { "\"\"@example.com", true },
    { "bob@[192.0.2.1<]", false },
    { "bob@[192.0.2.1", false },
    { "bob@[[192.0.2.1]]", false },
    { "@a:bob@example.com", false },
};

static void knows_what_smtp_does_not_write(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(written); i++)
        if (address_is_plainly_written(slice_of(written[i].text)) != written[i].want)
            fail_msg("%s", written[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_one_spelling_for_a_mailbox),
        cmocka_unit_test(does_not_copy_what_is_normal),
        cmocka_unit_test(bounds_what_is_too_long_and_keeps_the_domain_true),
        cmocka_unit_test(takes_no_more_than_a_domain_can_have),
        cmocka_unit_test(says_when_memory_is_out),
        cmocka_unit_test(takes_a_mailbox_apart),
        cmocka_unit_test(climbs_to_the_parents_of_a_domain),
        cmocka_unit_test(knows_valid_mailboxes_and_domains),
        cmocka_unit_test(knows_what_smtp_does_not_write),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
