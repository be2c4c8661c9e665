/* tests/unit/net/test_dns_packet.c - DNS answers good and bad, and names. */
#include "tests/unit/unit.h"

#include "common/net/dns_packet.h"
#include "tests/fakes/dns_message.h"

static struct dns_message message;

static struct arena *arena;

static int setup(UNUSED void **state)
{
    arena = arena_new(1 << 24);
    return arena == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    arena_free(&arena);
    return 0;
}

static struct dns_answer parse(enum dns_type type)
{
    struct dns_answer answer;

    dns_packet_parse((struct slice){ (const char *)message.bytes, message.len }, type, arena,
                     &answer);
    return answer;
}

static void assert_address(const char *want, const struct ip_address *got)
{
    char text[IP_ADDRESS_TEXT_MAX];

    ip_address_print(got, text);
    assert_string_equal(want, text);
}

/* ---- good answers ---- */

static void reads_addresses(UNUSED void **state)
{
    dns_message_begin(&message, "Example.ORG", RR_A, RCODE_OK);
    dns_message_add_a(&message, "example.org", 300, "192.0.2.1");
    dns_message_add_a(&message, "EXAMPLE.org", 200, "192.0.2.2");
    struct dns_answer got = parse(RR_A);
    assert_int_equal(DNS_DATA, got.status);
    assert_int_equal(2, got.count);
    assert_int_equal(200, got.ttl_s);
    assert_slice("example.org", got.name);
    assert_address("192.0.2.2", &got.records[1].address);

    dns_message_begin(&message, "example.org", RR_AAAA, RCODE_OK);
    dns_message_add_aaaa(&message, "example.org", 300, "2001:db8::1");
    got = parse(RR_AAAA);
    assert_int_equal(1, got.count);
    assert_address("2001:db8::1", &got.records[0].address);
}

static void reads_exchanges(UNUSED void **state)
{
    dns_message_begin(&message, "example.org", RR_MX, RCODE_OK);
    dns_message_add_mx(&message, "example.org", 300, 10, "MX1.example.org");
    dns_message_add_mx(&message, "example.org", 300, 0, "");
    struct dns_answer got = parse(RR_MX);
    assert_int_equal(2, got.count);
    assert_int_equal(10, got.records[0].preference);
    assert_slice("mx1.example.org", got.records[0].text);
    assert_int_equal(0, got.records[1].preference);
    assert_slice("", got.records[1].text); /* the null MX */
    assert_non_null(got.records[1].text.ptr);
}

static void joins_the_strings_of_a_text(UNUSED void **state)
{
    static const unsigned char strings[] = "\5v=spf\0\3 \0\xff\0";

    dns_message_begin(&message, "example.org", RR_TXT, RCODE_OK);
    dns_message_add(&message, "example.org", RR_TXT, 300, strings, sizeof strings - 1);
    dns_message_add(&message, "example.org", RR_TXT, 300, "", 1);
    struct dns_answer got = parse(RR_TXT);
    assert_int_equal(2, got.count);
    assert_true(slice_equal(SLICE("v=spf \0\xff"), got.records[0].text));
    assert_slice("", got.records[1].text);
}

static void reads_texts_of_any_size(UNUSED void **state)
{
    static char text[64 * 1024 - 512];

    memset(text, 'x', sizeof text);
    dns_message_begin(&message, "example.org", RR_TXT, RCODE_OK);
    dns_message_add_txt(&message, "example.org", 300, (struct slice){ text, sizeof text });
    struct dns_answer got = parse(RR_TXT);
    assert_int_equal(1, got.count);
    assert_true(slice_equal((struct slice){ text, sizeof text }, got.records[0].text));
}

static void follows_aliases_and_leaves_out_what_is_not_asked_for(UNUSED void **state)
{
    dns_message_begin(&message, "www.example.org", RR_A, RCODE_OK);
    dns_message_add_a(&message, "other.example", 5, "192.0.2.66");
    dns_message_add_name(&message, "www.example.org", RR_CNAME, 60, "a.example.net");
    dns_message_add_a(&message, "www.example.org", 5, "192.0.2.66");
    dns_message_add_name(&message, "A.example.net", RR_CNAME, 100, "b.example.net");
    dns_message_add_aaaa(&message, "b.example.net", 5, "2001:db8::66");
    dns_message_add_a(&message, "b.example.net", 300, "192.0.2.1");
    struct dns_answer got = parse(RR_A);
    assert_int_equal(1, got.count);
    assert_address("192.0.2.1", &got.records[0].address);
    assert_slice("b.example.net", got.name);
    assert_int_equal(60, got.ttl_s);
}

static void keeps_negative_answers_as_long_as_the_soa_says(UNUSED void **state)
{
    static const struct {
        enum dns_rcode rcode;
        uint32_t alias_ttl_s, soa_ttl_s, minimum_s, want;
    } cases[] = {
        { RCODE_NXDOMAIN, 0, 300, 60, 60 }, { RCODE_NXDOMAIN, 0, 60, 300, 60 },
        { RCODE_OK, 0, 300, 0, 0 },         { RCODE_OK, 50, 300, 60, 50 },
        { RCODE_NXDOMAIN, 50, 10, 60, 10 }, { RCODE_NXDOMAIN, 0, UINT32_MAX, 60, 0 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        dns_message_begin(&message, "example.org", RR_A, cases[i].rcode);
        if (cases[i].alias_ttl_s > 0)
            dns_message_add_name(&message, "example.org", RR_CNAME, cases[i].alias_ttl_s, "x.org");
        dns_message_add_soa(&message, "org", cases[i].soa_ttl_s, cases[i].minimum_s);
        struct dns_answer got = parse(RR_A);
        enum dns_status want = cases[i].rcode == RCODE_OK ? DNS_NO_DATA : DNS_NO_DOMAIN;
        if (got.status != want || got.ttl_s != cases[i].want || got.count != 0)
            fail_msg("row %zu: status %d ttl %u", i, (int)got.status, got.ttl_s);
    }
    dns_message_begin(&message, "example.org", RR_A, RCODE_NXDOMAIN);
    assert_int_equal(0, parse(RR_A).ttl_s); /* no SOA: not kept */
}

static void bounds_the_records(UNUSED void **state)
{
    dns_message_begin(&message, "m.org", RR_MX, RCODE_OK);
    for (unsigned i = 0; i < DNS_RECORDS_MAX + 10; i++)
        dns_message_add_mx(&message, "m.org", 300, i, "mx.m.org");
    struct dns_answer got = parse(RR_MX);
    assert_int_equal(DNS_RECORDS_MAX, got.count);
    assert_true(got.is_cut);
    assert_int_equal(DNS_RECORDS_MAX - 1, got.records[DNS_RECORDS_MAX - 1].preference);
}

static void shows_odd_bytes_of_names(UNUSED void **state)
{
    dns_message_begin(&message, "example.org", RR_PTR, RCODE_OK);
    size_t record =
        dns_message_begin_record(&message, DNS_SECTION_ANSWER, "example.org", RR_PTR, 1);
    dns_message_put(&message, "\7a.B\\ \0\xff\3org", 13);
    dns_message_end_record(&message, record);
    assert_slice("a\\046b\\092\\032\\000\\255.org", parse(RR_PTR).records[0].text);
}

/* ---- bad packets: each is made by spoiling a good one ---- */

enum { OWNER_A = 29 }; /* where the first answer to "example.org" begins */

static void put_mx(const void *data, size_t len)
{
    dns_message_begin(&message, "example.org", RR_MX, RCODE_OK);
    dns_message_add(&message, "example.org", RR_MX, 300, data, len);
}

static void long_name(void)
{
    unsigned char data[2 + 5 * 64 + 1] = { 0 };

    for (size_t i = 0; i < 5; i++) {
        data[2 + i * 64] = 63;
        memset(data + 2 + i * 64 + 1, 'x', 63);
    }
    put_mx(data, sizeof data);
}

static void points_to_itself(void)
{
    unsigned char data[] = { 0, 10, 0xc0, OWNER_A + 13 + 10 + 2 };

    put_mx(data, sizeof data);
}

static void points_ahead(void)
{
    unsigned char data[] = { 0, 10, 0xc0, 0xff };

    put_mx(data, sizeof data);
}

static void points_to_one_another(void)
{
    unsigned char at = OWNER_A + 13 + 10 + 2;
    unsigned char data[] = { 0, 10, 1, 'a', 0xc0, at };

    put_mx(data, sizeof data);
}

static void odd_label(void)
{
    put_mx("\0\12\x41x", 5);
}

static void name_leaves_the_data(void)
{
    put_mx("\0\12\3abc", 6);
    dns_message_add_mx(&message, "example.org", 300, 10, "mx.example.org");
}

static void data_after_the_name(void)
{
    put_mx("\0\12\1a\0x", 6);
}

static void no_name(void)
{
    put_mx("\0\12", 2);
}

static void data_leave_the_packet(void)
{
    put_mx("\0\12\1a\0", 5);
    dns_message_set_u16(&message, message.len - 7, 6);
}

static void too_many_answers(void)
{
    put_mx("\0\12\1a\0", 5);
    dns_message_set_u16(&message, DNS_SECTION_ANSWER, 0xffff);
}

static void two_questions(void)
{
    put_mx("\0\12\1a\0", 5);
    dns_message_set_u16(&message, 4, 2);
}

static void no_question(void)
{
    put_mx("\0\12\1a\0", 5);
    dns_message_set_u16(&message, 4, 0);
}

static void other_type(void)
{
    dns_message_begin(&message, "example.org", RR_A, RCODE_OK);
}

static void truncated(void)
{
    put_mx("\0\12\1a\0", 5);
    dns_message_set_u16(&message, 2, 0x8380);
}

static void empty(void)
{
    message.len = 0;
}

static void header_only(void)
{
    message.len = DNS_HEADER_SIZE;
    memset(message.bytes, 0, message.len);
}

static void alias_of_itself(void)
{
    dns_message_begin(&message, "example.org", RR_MX, RCODE_OK);
    dns_message_add_name(&message, "example.org", RR_CNAME, 300, "Example.Org");
}

static void aliases_in_a_circle(void)
{
    dns_message_begin(&message, "example.org", RR_MX, RCODE_OK);
    dns_message_add_name(&message, "example.org", RR_CNAME, 300, "a");
    dns_message_add_name(&message, "a", RR_CNAME, 300, "b");
    dns_message_add_name(&message, "b", RR_CNAME, 300, "a");
}

static void aliases_without_end(void)
{
    char from[8] = "a", to[8];

    dns_message_begin(&message, "a", RR_MX, RCODE_OK);
    for (unsigned i = 0; i <= DNS_CHAIN_MAX; i++) {
        snprintf(to, sizeof to, "b%u", i);
        dns_message_add_name(&message, from, RR_CNAME, 300, to);
        memcpy(from, to, sizeof to);
    }
}

static void bad_soa(void)
{
    dns_message_begin(&message, "example.org", RR_MX, RCODE_NXDOMAIN);
    dns_message_add_soa(&message, "org", 300, 60);
    message.len -= 2;
}

static const struct {
    const char *what;
    void (*make)(void);
} bad[] = {
    { "long name", long_name },
    { "points to itself", points_to_itself },
    { "points ahead", points_ahead },
    { "points in a circle", points_to_one_another },
    { "label type 01", odd_label },
    { "name leaves the data", name_leaves_the_data },
    { "data after the name", data_after_the_name },
    { "no name", no_name },
    { "data leave the packet", data_leave_the_packet },
    { "too many answers", too_many_answers },
    { "two questions", two_questions },
    { "no question", no_question },
    { "another type", other_type },
    { "truncated", truncated },
    { "empty", empty },
    { "header only", header_only },
    { "alias of itself", alias_of_itself },
    { "aliases in a circle", aliases_in_a_circle },
    { "aliases without end", aliases_without_end },
    { "bad soa", bad_soa },
};

static void refuses_what_makes_no_sense(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        bad[i].make();
        struct dns_answer got = parse(RR_MX);
        if (got.status != DNS_FAILED || got.failure != DNS_FAILURE_GARBLED || got.count != 0)
            fail_msg("%s: status %d failure %d", bad[i].what, (int)got.status, (int)got.failure);
    }
}

static const struct {
    const char *what;
    enum dns_type type;
    struct slice data;
} bad_data[] = {
    { "short address", RR_A, SLICE_INIT("\300\0\2") },
    { "long address", RR_A, SLICE_INIT("\300\0\2\1\1") },
    { "IPv4 for IPv6", RR_AAAA, SLICE_INIT("\300\0\2\1") },
    { "no string", RR_TXT, SLICE_INIT("") },
    { "string leaves the data", RR_TXT, SLICE_INIT("\3ab") },
    { "no preference", RR_MX, SLICE_INIT("\0") },
    { "empty name", RR_PTR, SLICE_INIT("") },
};

static void refuses_data_that_are_not_of_their_type(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(bad_data); i++) {
        dns_message_begin(&message, "example.org", (uint16_t)bad_data[i].type, RCODE_OK);
        dns_message_add(&message, "example.org", (uint16_t)bad_data[i].type, 300,
                        bad_data[i].data.ptr, bad_data[i].data.len);
        if (parse(bad_data[i].type).failure != DNS_FAILURE_GARBLED)
            fail_msg("%s", bad_data[i].what);
    }
}

static void refuses_every_packet_that_is_cut(UNUSED void **state)
{
    dns_message_begin(&message, "example.org", RR_MX, RCODE_OK);
    dns_message_add_name(&message, "example.org", RR_CNAME, 300, "a.example");
    dns_message_add_mx(&message, "a.example", 300, 10, "mx.example");
    size_t len = message.len;
    assert_int_equal(DNS_DATA, parse(RR_MX).status);
    for (message.len = 0; message.len < len; message.len++)
        assert_int_equal(DNS_FAILURE_GARBLED, parse(RR_MX).failure);
}

static void takes_refusals_for_failures(UNUSED void **state)
{
    dns_message_begin(&message, "example.org", RR_A, RCODE_REFUSED);
    struct dns_answer got = parse(RR_A);
    assert_int_equal(DNS_FAILED, got.status);
    assert_int_equal(DNS_FAILURE_SERVER, got.failure);
}

static void says_when_memory_is_out(UNUSED void **state)
{
    struct arena *small = arena_new(64);
    struct dns_answer got;

    dns_message_begin(&message, "example.org", RR_TXT, RCODE_OK);
    dns_message_add_txt(&message, "example.org", 300, SLICE("some text that has to go somewhere"));
    dns_packet_parse((struct slice){ (const char *)message.bytes, message.len }, RR_TXT, small,
                     &got);
    assert_int_equal(DNS_FAILED, got.status);
    assert_int_equal(DNS_FAILURE_MEMORY, got.failure);
    arena_free(&small);
}

/* ---- names ---- */

#define LABEL_63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    struct slice name;
    const char *want; /* escaped; NULL: it cannot exist */
} names[] = {
    { SLICE_INIT(""), "" },
    { SLICE_INIT("."), "" },
    { SLICE_INIT("org"), "org" },
    { SLICE_INIT("Example.ORG."), "example.org" },
    { SLICE_INIT("_a-1.b"), "_a-1.b" },
    { SLICE_INIT("a b\\.c\0\xff"), "a\\032b\\092.c\\000\\255" },
    { SLICE_INIT(".."), NULL },
    { SLICE_INIT(".a"), NULL },
    { SLICE_INIT("a..b"), NULL },
    { SLICE_INIT("a.."), NULL },
    { SLICE_INIT(LABEL_63 ".org"), LABEL_63 ".org" },
    { SLICE_INIT("x" LABEL_63 ".org"), NULL },
    { SLICE_INIT("org.x" LABEL_63), NULL },
    { SLICE_INIT(LABEL_63 "." LABEL_63 "." LABEL_63
                          ".1234567890123456789012345678901234567890123456789012345678901"),
      LABEL_63 "." LABEL_63 "." LABEL_63
               ".1234567890123456789012345678901234567890123456789012345678901" },
    { SLICE_INIT(LABEL_63 "." LABEL_63 "." LABEL_63
                          ".12345678901234567890123456789012345678901234567890123456789012"),
      NULL },
};

static void knows_what_names_can_exist(UNUSED void **state)
{
    char text[DNS_NAME_TEXT_MAX + 1];

    for (size_t i = 0; i < COUNT(names); i++) {
        if (dns_name_is_valid(names[i].name) != (names[i].want != NULL))
            fail_msg("%.*s", SLICE_ARG(names[i].name));
        if (names[i].want == NULL)
            continue;
        assert_int_equal(strlen(names[i].want), dns_name_escape(names[i].name, text));
        assert_string_equal(names[i].want, text);
    }
}

static const struct {
    const char *address, *zone, *want;
} reversed[] = {
    { "192.0.2.17", "zen.example.org", "17.2.0.192.zen.example.org" },
    { "192.0.2.17", "zen.example.org.", "17.2.0.192.zen.example.org" },
    { "192.0.2.17", "", "17.2.0.192" },
    { "2001:db8::567:89ab", "ip6.arpa",
      "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
    { "192.0.2.17", LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63, "" },
};

static void turns_addresses_round(UNUSED void **state)
{
    char text[DNS_NAME_MAX + 1];
    struct ip_address address;

    for (size_t i = 0; i < COUNT(reversed); i++) {
        assert_true(ip_address_parse(slice_of(reversed[i].address), &address));
        size_t len = dns_reverse_name(&address, slice_of(reversed[i].zone), text);
        assert_int_equal(strlen(reversed[i].want), len);
        if (len > 0)
            assert_string_equal(reversed[i].want, text);
    }
}

/* A name of 253 bytes can be asked for, a longer one not. */
static void reversed_names_are_bounded(UNUSED void **state)
{
    static const struct {
        const char *address;
        size_t zone; /* the longest that fits */
    } rows[] = { { "192.0.2.1", DNS_NAME_MAX - 10 }, { "2001:db8::1", DNS_NAME_MAX - 64 } };
    char zone[DNS_NAME_MAX + 1], text[DNS_NAME_MAX + 1];
    struct ip_address address;

    memset(zone, 'z', sizeof zone);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(ip_address_parse(slice_of(rows[i].address), &address));
        assert_int_equal(DNS_NAME_MAX,
                         dns_reverse_name(&address, (struct slice){ zone, rows[i].zone }, text));
        assert_int_equal(DNS_NAME_MAX, strlen(text));
        assert_int_equal(
            0, dns_reverse_name(&address, (struct slice){ zone, rows[i].zone + 1 }, text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reversed_names_are_bounded),
        cmocka_unit_test(reads_addresses),
        cmocka_unit_test(reads_exchanges),
        cmocka_unit_test(joins_the_strings_of_a_text),
        cmocka_unit_test(reads_texts_of_any_size),
        cmocka_unit_test(follows_aliases_and_leaves_out_what_is_not_asked_for),
        cmocka_unit_test(keeps_negative_answers_as_long_as_the_soa_says),
        cmocka_unit_test(bounds_the_records),
        cmocka_unit_test(shows_odd_bytes_of_names),
        cmocka_unit_test(refuses_what_makes_no_sense),
        cmocka_unit_test(refuses_data_that_are_not_of_their_type),
        cmocka_unit_test(refuses_every_packet_that_is_cut),
        cmocka_unit_test(takes_refusals_for_failures),
        cmocka_unit_test(says_when_memory_is_out),
        cmocka_unit_test(knows_what_names_can_exist),
        cmocka_unit_test(turns_addresses_round),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
