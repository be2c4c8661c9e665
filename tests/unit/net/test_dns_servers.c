/* tests/unit/net/test_dns_servers.c - resolvers as the configuration and resolv.conf name them. */
#include "tests/unit/unit.h"

#include "common/net/dns_servers.h"

static void assert_servers(const char *want, const struct dns_servers *servers)
{
    AUTO_BUF text = BUF_INIT(1000);

    for (size_t i = 0; i < servers->count; i++) {
        assert_int_equal(0, i == 0 ? 0 : buf_put_char(&text, ' '));
        assert_int_equal(0, dns_servers_print(servers, i, &text));
    }
    assert_string_equal(want, buf_text(&text));
}

static const struct {
    const char *text, *want; /* NULL: refused */
} written[] = {
    { "127.0.0.1", "127.0.0.1@53" },
    { "127.0.0.1@5353", "127.0.0.1@5353" },
    { "2001:db8::1@53", "2001:db8::1@53" },
    { "::1", "::1@53" },
    { "localhost", NULL },
    { "127.0.0.1@", NULL },
    { "127.0.0.1@0", NULL },
    { "127.0.0.1@65536", NULL },
    { "127.0.0.1@99999999", NULL },
    { "@53", NULL },
    { "", NULL },
};

static void reads_addresses_with_and_without_port(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(written); i++) {
        struct dns_servers servers = { .count = 0 };
        if (dns_servers_add(&servers, slice_of(written[i].text)) != (written[i].want != NULL))
            fail_msg("%s", written[i].text);
        assert_servers(written[i].want == NULL ? "" : written[i].want, &servers);
    }
}

static void takes_so_many_and_no_more(UNUSED void **state)
{
    struct dns_servers servers = { .count = 0 };

    for (size_t i = 0; i < DNS_SERVERS_MAX; i++)
        assert_true(dns_servers_add(&servers, SLICE("127.0.0.1")));
    assert_false(dns_servers_add(&servers, SLICE("127.0.0.1")));
}

static const struct {
    const char *text, *want;
} files[] = {
    { "nameserver 192.0.2.1\n", "192.0.2.1@53" },
    { "# nameserver 192.0.2.9\nsearch example.org\nnameserver\t192.0.2.1 # first\r\n"
      "nameserver 2001:db8::1",
      "192.0.2.1@53 2001:db8::1@53" },
    { "nameserver nonsense\nnameservers 192.0.2.1\nnameserver\n", "127.0.0.1@53" },
    { "", "127.0.0.1@53" },
};

static void reads_resolv_conf(UNUSED void **state)
{
    struct dns_servers servers;

    for (size_t i = 0; i < COUNT(files); i++) {
        dns_servers_parse(&servers, slice_of(files[i].text));
        assert_servers(files[i].want, &servers);
    }
}

static void does_without_a_file(UNUSED void **state)
{
    struct dns_servers servers;

    dns_servers_read(&servers, "/nonexistent/resolv.conf");
    assert_servers("127.0.0.1@53", &servers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_addresses_with_and_without_port),
        cmocka_unit_test(takes_so_many_and_no_more),
        cmocka_unit_test(reads_resolv_conf),
        cmocka_unit_test(does_without_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
