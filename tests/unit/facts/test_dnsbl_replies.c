/* tests/unit/facts/test_dnsbl_replies.c - masks of DNS lists, and what answers mean. */
#include "tests/unit/unit.h"

#include "policyd/facts/dnsbl_replies.h"

static struct ip_address address_of(const char *text)
{
    struct ip_address address;

    assert_true(ip_address_parse(slice_of(text), &address));
    return address;
}

static const struct {
    const char *reply, *address;
    bool fits;
} fits[] = {
    { "127.0.0.2", "127.0.0.2", true },
    { "127.0.0.2", "127.0.0.3", false },
    { "127.0.0.2", "::2", false },
    { "127.0.0.[2..11]", "127.0.0.11", true },
    { "127.0.0.[2..11]", "127.0.0.12", false },
    { "127.0.0.[2;4;6..8]*3", "127.0.0.7", true },
    { "127.0.0.[2;4;6..8]*3", "127.0.0.5", false },
    { "127.0.[0..255].[0;63;64;255]", "127.0.200.64", true },
    { "127.0.[0..255].[0;63;64;255]", "127.1.200.64", false },
    { "127.[1].[2].[3]", "127.1.2.3", true },
};

static void fits_numbers_sets_and_ranges(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(fits); i++) {
        struct ip_address address = address_of(fits[i].address);
        struct dnsbl_reply reply;
        if (!dnsbl_reply_parse(slice_of(fits[i].reply), &reply, NULL) ||
            dnsbl_reply_fits(&reply, &address) != fits[i].fits)
            fail_msg("%s and %s", fits[i].reply, fits[i].address);
    }
}

static const struct {
    const char *reply;
    size_t offset;
    const char *text;
} mistakes[] = {
    { "", 0, "begins with 127" },
    { "10.0.0.2", 0, "begins with 127" },
    { "127.0.0", 7, "four parts" },
    { "127.0.0.", 8, "a number from 0 to 255" },
    { "127.0.0.256", 8, "at most 255" },
    { "127.0.0.99999999999999999999", 8, "at most 255" },
    { "127.0.0.[2", 10, "a ] is missing" },
    { "127.0.0.[]", 9, "a number from 0 to 255" },
    { "127.0.0.[2-11]", 10, "two dots" },
    { "127.0.0.[11..2]", 9, "ends before it begins" },
    { "127.0.0.[2..]", 12, "a number from 0 to 255" },
    { "127.0.0.2=3", 9, "*WEIGHT" },
    { "127.0.0.2.3", 9, "*WEIGHT" },
    { "127.0.0.2*", 10, "from -1000 to 1000" },
    { "127.0.0.2*x", 10, "from -1000 to 1000" },
    { "127.0.0.2*1001", 10, "from -1000 to 1000" },
    { "127.0.0.2*0", 10, "counts for nothing" },
    { "127.0.0.1", 0, "never mean listed" },
    { "127.255.255.254*2", 0, "never mean listed" },
};

static void says_what_is_wrong_and_where(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        struct conf_complaint error = { 0 };
        if (dnsbl_check_reply(slice_of(mistakes[i].reply), &error))
            fail_msg("\"%s\" is taken", mistakes[i].reply);
        if (error.offset != mistakes[i].offset || strstr(error.text, mistakes[i].text) == NULL)
            fail_msg("\"%s\": %zu: %s", mistakes[i].reply, error.offset, error.text);
    }
}

static const struct {
    const char *zone;
    bool is_right;
} zones[] = {
    { "zen.spamhaus.org", true }, { "key-1.zen.example.", true }, { ".zen.spamhaus.org", false },
    { "localhost", false },       { "192.0.2.1", false },         { "a..b", false },
};

static void takes_domains_as_zones(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(zones); i++) {
        struct conf_complaint error;
        if (dnsbl_check_zone(slice_of(zones[i].zone), &error) != zones[i].is_right)
            fail_msg("%s", zones[i].zone);
    }
}

enum { RECORDS = 3 };

static const struct {
    const char *what, *records[RECORDS];
    enum dns_status status;
    enum dnsbl_meaning meaning;
    double weight;
} answers[] = {
    { "no such name", { NULL }, DNS_NO_DOMAIN, DNSBL_CLEAN, 0 },
    { "no address", { NULL }, DNS_NO_DATA, DNSBL_CLEAN, 0 },
    { "failed", { NULL }, DNS_FAILED, DNSBL_NO_ANSWER, 0 },
    { "one", { "127.0.0.2" }, DNS_DATA, DNSBL_LISTED, 3 },
    { "two for one reply", { "127.0.0.2", "127.0.0.3" }, DNS_DATA, DNSBL_LISTED, 3 },
    { "two replies", { "127.0.0.2", "127.0.0.10" }, DNS_DATA, DNSBL_LISTED, 4.5 },
    { "the first reply that fits", { "127.0.0.4" }, DNS_DATA, DNSBL_LISTED, 3 },
    { "they cancel each other out", { "127.0.0.2", "127.0.9.9" }, DNS_DATA, DNSBL_LISTED, 0 },
    { "no reply fits", { "127.0.0.77" }, DNS_DATA, DNSBL_CLEAN, 0 },
    { "nobody", { "127.0.0.1" }, DNS_DATA, DNSBL_ERROR, 0 },
    { "refused", { "127.255.255.254" }, DNS_DATA, DNSBL_ERROR, 0 },
    { "refused, behind others", { "127.0.0.2", "127.255.255.0" }, DNS_DATA, DNSBL_ERROR, 3 },
    { "parked", { "192.0.2.1" }, DNS_DATA, DNSBL_ERROR, 0 },
    { "IPv6", { "2001:db8::1" }, DNS_DATA, DNSBL_ERROR, 0 },
};

static void judges_answers(UNUSED void **state)
{
    static const char *const texts[] = { "127.0.0.[2..4]*3", "127.0.0.[4;10]*1.5", "127.0.9.9*-3" };
    struct dnsbl_reply replies[COUNT(texts)];

    for (size_t i = 0; i < COUNT(texts); i++)
        assert_true(dnsbl_reply_parse(slice_of(texts[i]), &replies[i], NULL));
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct dns_record records[RECORDS];
        struct dns_answer answer = { .status = answers[i].status, .records = records };
        const struct ip_address *culprit = NULL;
        double weight;
        for (; answer.count < RECORDS && answers[i].records[answer.count] != NULL; answer.count++)
            records[answer.count] =
                (struct dns_record){ .address = address_of(answers[i].records[answer.count]) };
        enum dnsbl_meaning meaning =
            dnsbl_judge(replies, COUNT(replies), &answer, &weight, &culprit);
        if (meaning != answers[i].meaning || weight < answers[i].weight ||
            weight > answers[i].weight || (culprit != NULL) != (meaning == DNSBL_ERROR))
            fail_msg("%s: %d, %g", answers[i].what, (int)meaning, weight);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits_numbers_sets_and_ranges),
        cmocka_unit_test(says_what_is_wrong_and_where),
        cmocka_unit_test(takes_domains_as_zones),
        cmocka_unit_test(judges_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
