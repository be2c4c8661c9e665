/* tests/unit/mail/test_ipnet.c - addresses and networks: spelling, containment, private space. */
#include "tests/unit/unit.h"

#include "common/mail/ipnet.h"

static const struct {
    const char *text;
    const char *want; /* as printed; NULL: refused */
    const char *error; /* part of the message */
} nets[] = {
    { "192.0.2.1", "192.0.2.1", NULL },
    { "192.0.2.0/24", "192.0.2.0/24", NULL },
    { "192.0.2.1/32", "192.0.2.1", NULL },
    { "0.0.0.0/0", "0.0.0.0/0", NULL },
    { "::/0", "::/0", NULL },
    { "::ffff:192.0.2.1", "192.0.2.1", NULL },
    { "::ffff:c000:201", "192.0.2.1", NULL },
    { "::ffff:192.0.2.0/120", "192.0.2.0/24", NULL },
    { "2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", NULL }, /* RFC 5952 4.2.3: the first run */
    { "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", NULL }, /* 4.2.2: not one group alone */
    { "2001:0db8::0001", "2001:db8::1", NULL },
    { "2001:db8::/32", "2001:db8::/32", NULL },
    { "fe80::/10", "fe80::/10", NULL },
    { "2001:db8::/127", "2001:db8::/127", NULL },
    { "2001:db8::1/128", "2001:db8::1", NULL },
    { "0.0.0.0/00", NULL, "0 to 32" },
    { "0000:0000:0000:0000:0000:0000:192.000.002.0001", NULL, "not an IPv4 or IPv6 address" },
    { "192.0.2.1/24", NULL, "the network is 192.0.2.0/24" },
    { "2001:db8::1/64", NULL, "the network is 2001:db8::/64" },
    { "::ffff:192.0.2.0/24", NULL, "bits set" },
    { "192.0.2.0/33", NULL, "0 to 32" },
    { "192.0.2.0/024", NULL, "0 to 32" },
    { "192.0.2.0/", NULL, "0 to 32" },
    { "192.0.2.0/-1", NULL, "0 to 32" },
    { "2001:db8::/129", NULL, "0 to 128" },
    { "2001:db8::/18446744073709551616", NULL, "0 to 128" },
    { "192.0.2", NULL, "not an IPv4 or IPv6 address" },
    { "192.0.2.01", NULL, "not an IPv4 or IPv6 address" },
    { "192.0.2.256", NULL, "not an IPv4 or IPv6 address" },
    { " 192.0.2.1", NULL, "not an IPv4 or IPv6 address" },
    { "fe80::1%eth0", NULL, "not an IPv4 or IPv6 address" },
    { "1:2:3:4:5:6:7:8:9", NULL, "not an IPv4 or IPv6 address" },
    { "", NULL, "not an IPv4 or IPv6 address" },
    { "/", NULL, "not an IPv4 or IPv6 address" },
};

static void reads_networks_and_prints_them_normalised(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(nets); i++) {
        struct ipnet net = { .bits = 0 };
        char error[IPNET_ERROR_MAX] = "", text[IPNET_TEXT_MAX];
        bool ok = ipnet_parse(slice_of(nets[i].text), &net, error);
        size_t len = ipnet_print(&net, text);
        if (len != strlen(text) || strcmp(text, ok ? nets[i].want : "") != 0 ||
            ok != (nets[i].want != NULL))
            fail_msg("\"%s\" gives \"%s\"", nets[i].text, text);
        if (!ok && strstr(error, nets[i].error) == NULL)
            fail_msg("\"%s\" gives the error \"%s\"", nets[i].text, error);
    }
}

static void refuses_a_nul_inside(UNUSED void **state)
{
    struct ip_address address;

    assert_false(ip_address_parse(SLICE("192.0.2.1\0"), &address));
    assert_false(ip_address_parse((struct slice){ NULL, 0 }, &address));
}

static const struct {
    const char *text, *want;
} literals[] = {
    { "[192.0.2.1]", "192.0.2.1" },
    { "[IPv6:2001:db8::1]", "2001:db8::1" },
    { "[ipv6:::1]", "::1" },
    { "[IPv6:192.0.2.1]", NULL },
    { "[2001:db8::1]", NULL },
    { "192.0.2.1", NULL },
    { "[192.0.2.1", NULL },
    { "[192.0.2.1x", NULL },
    { "x192.0.2.1]", NULL },
    { "[]", NULL },
    { "[", NULL },
    { "", NULL },
};

static void reads_address_literals(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(literals); i++) {
        struct ip_address address;
        char text[IP_ADDRESS_TEXT_MAX] = "";
        bool ok = ip_address_parse_literal(slice_of(literals[i].text), &address);
        if (ok)
            ip_address_print(&address, text);
        if (ok != (literals[i].want != NULL) || (ok && strcmp(text, literals[i].want) != 0))
            fail_msg("\"%s\" gives \"%s\"", literals[i].text, text);
    }
}

static struct ipnet net_of(const char *text)
{
    struct ipnet net = { .bits = 0 };

    if (text[0] != '\0')
        assert_true(ipnet_parse(slice_of(text), &net, NULL));
    return net;
}

static const struct {
    const char *outer, *inner;
    bool want;
} pairs[] = {
    { "192.0.2.0/24", "192.0.2.255", true },
    { "192.0.2.0/24", "192.0.3.0", false },
    { "192.0.2.0/25", "192.0.2.128", false },
    { "192.0.2.0/24", "192.0.2.0/24", true },
    { "192.0.2.0/24", "192.0.0.0/16", false },
    { "0.0.0.0/0", "192.0.2.1", true },
    { "::/0", "192.0.2.1", false },
    { "0.0.0.0/0", "2001:db8::1", false },
    { "::/0", "2001:db8::1", true },
    { "2001:db8::/33", "2001:db8:8000::", false },
    { "2001:db8::/33", "2001:db8:7fff::", true },
    { "", "192.0.2.1", false },
    { "::/0", "", false },
    { "", "", false },
};

static void knows_what_lies_in_a_network(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(pairs); i++) {
        struct ipnet outer = net_of(pairs[i].outer), inner = net_of(pairs[i].inner);
        if (ipnet_contains(&outer, &inner) != pairs[i].want)
            fail_msg("\"%s\" in \"%s\"", pairs[i].inner, pairs[i].outer);
    }
}

static const struct {
    const char *net;
    unsigned ipv4_bits, ipv6_bits;
    const char *want;
} masks[] = {
    { "192.0.2.77", 24, 64, "192.0.2.0/24" },
    { "192.0.2.77", 32, 64, "192.0.2.77" },
    { "192.0.2.77", 31, 64, "192.0.2.76/31" },
    { "192.0.2.77", 33, 64, "192.0.2.77" },
    { "192.0.2.77", 0, 64, "0.0.0.0/0" },
    { "192.0.0.0/16", 24, 64, "192.0.0.0/16" },
    { "2001:db8:1:2:3::4", 24, 64, "2001:db8:1:2::/64" },
    { "2001:db8:1:2:3::4", 24, 128, "2001:db8:1:2:3::4" },
    { "2001:db8:ffff::", 24, 33, "2001:db8:8000::/33" },
    { "", 24, 64, "" },
};

static void masks_to_a_network(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(masks); i++) {
        struct ipnet net = net_of(masks[i].net);
        char text[IPNET_TEXT_MAX];
        net = ipnet_mask(&net, masks[i].ipv4_bits, masks[i].ipv6_bits);
        ipnet_print(&net, text);
        if (strcmp(text, masks[i].want) != 0)
            fail_msg("\"%s\" gives \"%s\"", masks[i].net, text);
    }
}

static const struct {
    const char *address;
    bool is_private, is_internal;
} reach[] = {
    { "10.255.255.255", true, true },
    { "11.0.0.0", false, false },
    { "172.15.255.255", false, false },
    { "172.31.255.255", true, true },
    { "172.32.0.0", false, false },
    { "192.168.0.1", true, true },
    { "127.0.0.53", true, true },
    { "169.254.1.1", true, true },
    { "100.64.0.1", true, true },
    { "100.128.0.0", false, false },
    { "0.0.0.0", true, true },
    { "192.0.2.1", true, false },
    { "198.51.100.1", true, false },
    { "203.0.113.1", true, false },
    { "198.19.255.255", true, false },
    { "224.0.0.1", true, false },
    { "255.255.255.255", true, false },
    { "9.9.9.9", false, false },
    { "::", true, true },
    { "::1", true, true },
    { "::2", false, false },
    { "2001:db8::1", true, false },
    { "2001:db9::1", false, false },
    { "fd00::1", true, true },
    { "fe80::1", true, true },
    { "fec0::1", false, false },
    { "ff02::1", true, false },
    { "2a00::1", false, false },
    { "::ffff:10.0.0.1", true, true },
    { "64:ff9b::1", false, false },
};

static void knows_private_space(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(reach); i++) {
        struct ip_address address;
        assert_true(ip_address_parse(slice_of(reach[i].address), &address));
        if (ip_address_is_private(&address) != reach[i].is_private ||
            ip_address_is_internal(&address) != reach[i].is_internal)
            fail_msg("%s", reach[i].address);
    }
}

#define ONES(from) from ":ffff:ffff:ffff:ffff"

static const struct {
    const char *before, *first, *last, *after; /* of one network; "" nothing is there */
    bool is_internal;
} spaces[] = {
    { "", "0.0.0.0", "0.255.255.255", "1.0.0.0", true },
    { "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", true },
    { "100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0", true },
    { "126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0", true },
    { "169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0", true },
    { "172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", true },
    { "191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0", false },
    { "192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0", false },
    { "192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0", false },
    { "192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0", true },
    { "198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0", false },
    { "198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0", false },
    { "203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0", false },
    { "223.255.255.255", "224.0.0.0", "239.255.255.255", "", false },
    { "", "240.0.0.0", "255.255.255.255", "", false },
    { "", "::", "::1", "::2", true },
    { ONES("64:ff9b:0:ffff"), "64:ff9b:1::", ONES("64:ff9b:1:ffff"), "64:ff9b:2::", false },
    { ONES("ff:ffff:ffff:ffff"), "100::", ONES("100:0:0:0"), "100:0:0:1::", false },
    { ONES("2001:1:ffff:ffff"), "2001:2::", ONES("2001:2:0:ffff"), "2001:2:1::", false },
    { ONES("2001:db7:ffff:ffff"), "2001:db8::", ONES("2001:db8:ffff:ffff"), "2001:db9::", false },
    { ONES("3ffe:ffff:ffff:ffff"), "3fff::", ONES("3fff:fff:ffff:ffff"), "3fff:1000::", false },
    { ONES("fbff:ffff:ffff:ffff"), "fc00::", ONES("fdff:ffff:ffff:ffff"), "fe00::", true },
    { ONES("fe7f:ffff:ffff:ffff"), "fe80::", ONES("febf:ffff:ffff:ffff"), "fec0::", true },
    { ONES("feff:ffff:ffff:ffff"), "ff00::", ONES("ffff:ffff:ffff:ffff"), "", false },
};

static void expect_reach(const char *text, bool is_private, bool is_internal)
{
    struct ip_address address;

    if (text[0] == '\0')
        return;
    assert_true(ip_address_parse(slice_of(text), &address));
    if (ip_address_is_private(&address) != is_private ||
        ip_address_is_internal(&address) != is_internal)
        fail_msg("%s", text);
}

static void knows_where_private_space_begins_and_ends(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(spaces); i++) {
        expect_reach(spaces[i].before, false, false);
        expect_reach(spaces[i].first, true, spaces[i].is_internal);
        expect_reach(spaces[i].last, true, spaces[i].is_internal);
        expect_reach(spaces[i].after, false, false);
    }
}

static void an_address_is_the_network_of_itself_alone(UNUSED void **state)
{
    struct ipnet wide = net_of("10.0.0.0/8"), narrow = net_of("10.0.0.0/9"), none = net_of("");
    struct ipnet other = net_of("11.0.0.0/8"), one = net_of("10.0.0.0");
    struct ipnet of = ipnet_of(&wide.address);

    assert_true(ipnet_equal(&of, &one));
    assert_true(of.is_set);
    assert_int_equal(128, of.bits);
    assert_true(ipnet_equal(&wide, &wide));
    assert_true(ipnet_equal(&none, &none));
    assert_false(ipnet_equal(&wide, &narrow));
    assert_false(ipnet_equal(&wide, &other));
    none.bits = wide.bits;
    none.address = wide.address;
    assert_false(ipnet_equal(&wide, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_networks_and_prints_them_normalised),
        cmocka_unit_test(refuses_a_nul_inside),
        cmocka_unit_test(reads_address_literals),
        cmocka_unit_test(knows_what_lies_in_a_network),
        cmocka_unit_test(masks_to_a_network),
        cmocka_unit_test(knows_private_space),
        cmocka_unit_test(knows_where_private_space_begins_and_ends),
        cmocka_unit_test(an_address_is_the_network_of_itself_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
