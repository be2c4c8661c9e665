/* tests/unit/facts/test_dns_checks.c - what the hosts that take a domain's mail amount to. */
#include "tests/unit/unit.h"

#include "policyd/facts/dns_checks.h"

static const struct {
    const char *addresses[3], *word;
} cases[] = {
    { { NULL }, "none" },
    { { "8.8.4.4" }, "ok" },
    { { "2a00:1450::1" }, "ok" },
    { { "10.0.0.1", "127.0.0.1", "8.8.4.4" }, "ok" },
    { { "10.0.0.1" }, "private" },
    { { "fd00::1", "192.168.1.1" }, "private" },
    { { "127.0.0.1", "100.64.0.1" }, "private" },
    { { "127.0.0.1" }, "loop" },
    { { "::1", "0.0.0.0", "127.9.9.9" }, "loop" },
    { { "::" }, "loop" },
};

static void judges_addresses(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mx_addresses addresses = { .has_public = false };
        for (size_t k = 0; k < COUNT(cases[i].addresses) && cases[i].addresses[k] != NULL; k++) {
            struct ip_address address;
            assert_true(ip_address_parse(slice_of(cases[i].addresses[k]), &address));
            mx_addresses_add(&addresses, &address);
        }
        if (strcmp(mx_addresses_word(&addresses), cases[i].word) != 0)
            fail_msg("row %zu: %s instead of %s", i, mx_addresses_word(&addresses), cases[i].word);
    }
}

static void takes_the_most_preferred_hosts(UNUSED void **state)
{
    struct dns_record records[30];
    struct slice hosts[MX_HOSTS_MAX];
    char names[COUNT(records)][8];

    for (size_t i = 0; i < COUNT(records); i++) {
        snprintf(names[i], sizeof names[i], "h%zu", i);
        records[i] =
            (struct dns_record){ .preference = (uint16_t)(100 - i), .text = slice_of(names[i]) };
    }
    records[29].text = SLICE(""); /* the null MX is no host */
    struct dns_answer answer = { .status = DNS_DATA, .records = records, .count = COUNT(records) };
    assert_int_equal(MX_HOSTS_MAX, mx_hosts(&answer, hosts));
    assert_slice("h28", hosts[0]);
    assert_slice("h19", hosts[MX_HOSTS_MAX - 1]);
    answer.count = 2;
    assert_int_equal(2, mx_hosts(&answer, hosts));
    assert_slice("h1", hosts[0]);
    assert_slice("h0", hosts[1]);
    answer.records = &records[29];
    answer.count = 1;
    assert_int_equal(0, mx_hosts(&answer, hosts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_addresses),
        cmocka_unit_test(takes_the_most_preferred_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
