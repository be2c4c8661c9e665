/* tests/unit/policyd/test_attributes.c - facts that follow from a request and the time, as rules see them. */
#include "policyd/facts/facts.h"

#include <time.h>

#include "common/base/clock.h"
#include "tests/unit/unit.h"

enum { MEMORY = 1 << 20 };

struct facts_case {
    struct arena *arena;
    struct buf bytes;
    struct policy_request req;
};

static int setup(void **state)
{
    struct facts_case *facts = calloc(1, sizeof *facts);

    facts->arena = arena_new(MEMORY);
    facts->bytes = (struct buf)BUF_INIT(POLICY_REQUEST_MAX);
    *state = facts;
    return 0;
}

static int teardown(void **state)
{
    struct facts_case *facts = *state;

    arena_free(&facts->arena);
    buf_free(&facts->bytes);
    free(facts);
    return 0;
}

static void request(struct facts_case *facts, const char *lines)
{
    size_t used;

    buf_clear(&facts->bytes);
    buf_printf(&facts->bytes, "request=smtpd_access_policy\n%s\n", lines);
    if (policy_parse(buf_slice(&facts->bytes), &facts->req, &used) != PROTO_DONE)
        fail_msg("not a request: %s", lines);
}

static int id_of(const char *name)
{
    for (size_t i = 0; i < policyd_fact_count; i++)
        if (strcmp(policyd_facts[i].name, name) == 0)
            return policyd_facts[i].id;
    fail_msg("no fact %s", name);
    return -1;
}

/* As a text: "-" is empty. */
static const char *value_text(const struct value *value, char out[300])
{
    char net[IPNET_TEXT_MAX];

    if (value->type == VALUE_BOOLEAN)
        return value->boolean ? "yes" : "no";
    if (value->is_empty)
        return "-";
    if (value->type == VALUE_NUMBER)
        snprintf(out, 300, "%.17g", value->number);
    else if (value->type == VALUE_ADDRESS)
        snprintf(out, 300, "%.*s", (int)ipnet_print(&value->net, net), net);
    else
        snprintf(out, 300, "%.*s", SLICE_ARG(value->text));
    return out;
}

static const char *fact(struct facts_case *facts, const char *name, bool strips, uint64_t wall_ms)
{
    static char text[300];
    const struct mailbox_settings settings = { strips, SLICE("+-") };
    struct value value;

    if (!attribute_fact(&facts->req, &settings, wall_ms, id_of(name), facts->arena, &value))
        return "unknown";
    return value_text(&value, text);
}

static const struct {
    const char *lines, *fact, *want, *stripped; /* stripped NULL: the same */
} cases[] = {
    { "protocol_state=RCPT\n", "protocol_state", "RCPT", NULL },
    { "protocol_name=ESMTP\n", "protocol_name", "ESMTP", NULL },
    { "helo_name=Mail.EXAMPLE.com\n", "helo_name", "mail.example.com", NULL },
    { "helo_name=b\xc3\xbc"
      "cher.example\n",
      "helo_name", "xn--bcher-kva.example", NULL },
    { "helo_name=[192.0.2.1]\n", "helo_name", "[192.0.2.1]", NULL },
    { "queue_id=4XkTest\n", "queue_id", "4XkTest", NULL },
    { "sender=Alice@Example.COM\n", "sender", "alice@example.com", NULL },
    { "sender=alice+x@example.com\n", "sender", "alice+x@example.com", "alice@example.com" },
    { "sender=+x@example.com\n", "sender", "+x@example.com", NULL },
    { "sender=\n", "sender", "-", NULL },
    { "", "sender", "-", NULL },
    { "recipient=Bob-list@Example.ORG\n", "recipient", "bob-list@example.org", "bob@example.org" },
    { "recipient_count=7\n", "recipient_count", "7", NULL },
    { "recipient_count=\n", "recipient_count", "-", NULL },
    { "client_address=192.0.2.7\n", "client_address", "192.0.2.7", NULL },
    { "client_address=::ffff:192.0.2.7\n", "client_address", "192.0.2.7", NULL },
    { "client_address=2001:DB8:0:0::1\n", "client_address", "2001:db8::1", NULL },
    { "client_address=unknown\n", "client_address", "-", NULL },
    { "client_address=\n", "client_address", "-", NULL },
    { "client_name=Host.Example.net\n", "client_name", "host.example.net", NULL },
    { "client_name=unknown\n", "client_name", "unknown", NULL },
    { "reverse_client_name=A.example\n", "reverse_client_name", "a.example", NULL },
    { "client_port=4711\n", "client_port", "4711", NULL },
    { "client_port=none\n", "client_port", "-", NULL },
    { "instance=1.2.3\n", "instance", "1.2.3", NULL },
    { "sasl_method=PLAIN\n", "sasl_method", "PLAIN", NULL },
    { "sasl_username=Alice\n", "sasl_username", "alice", NULL },
    { "sasl_username=al+x@Example.com\n", "sasl_username", "al+x@example.com", "al@example.com" },
    { "sasl_sender=A@b.example\n", "sasl_sender", "a@b.example", NULL },
    { "size=123456789012\n", "size", "123456789012", NULL },
    { "size=0\n", "size", "0", NULL },
    { "ccert_subject=A B\n", "ccert_subject", "A B", NULL },
    { "ccert_subject=A+20B+2BC\n", "ccert_subject", "A B+C", NULL },
    { "ccert_subject=a+2\n", "ccert_subject", "a+2", NULL },
    { "ccert_subject=a+2g+\n", "ccert_subject", "a+2g+", NULL },
    { "ccert_subject=+C3+BC\n", "ccert_subject", "\xc3\xbc", NULL },
    { "ccert_issuer=CA+20X\n", "ccert_issuer", "CA X", NULL },
    { "ccert_issuer=CA\n", "ccert_issuer", "CA", NULL },
    { "ccert_fingerprint=AA:BB\n", "ccert_fingerprint", "AA:BB", NULL },
    { "ccert_pubkey_fingerprint=CC\n", "ccert_pubkey_fingerprint", "CC", NULL },
    { "encryption_protocol=TLSv1.3\n", "encryption_protocol", "TLSv1.3", NULL },
    { "encryption_cipher=AES\n", "encryption_cipher", "AES", NULL },
    { "encryption_keysize=256\n", "encryption_keysize", "256", NULL },
    { "etrn_domain=Example.com\n", "etrn_domain", "example.com", NULL },
    { "stress=yes\n", "stress", "yes", NULL },
    { "policy_context=Ctx\n", "policy_context", "Ctx", NULL },
    { "server_address=192.0.2.1\n", "server_address", "192.0.2.1", NULL },
    { "server_port=25\n", "server_port", "25", NULL },
    { "compatibility_level=3.6\n", "compatibility_level", "3.6", NULL },
    { "mail_version=3.7.11\n", "mail_version", "3.7.11", NULL },
    { "sender=a@Example.com\n", "sender_domain", "example.com", NULL },
    { "sender=postmaster\n", "sender_domain", "-", NULL },
    { "sender=\n", "sender_domain", "-", NULL },
    { "recipient=\"a@b\"@example.org\n", "recipient_domain", "example.org", NULL },
    { "sasl_username=x@EXAMPLE.net\n", "sasl_domain", "example.net", NULL },
    { "sasl_username=x\n", "sasl_domain", "-", NULL },
    { "client_address=192.0.2.7\n", "client_net", "192.0.2.0/24", NULL },
    { "client_address=2001:db8:1:2:3::4\n", "client_net", "2001:db8:1:2::/64", NULL },
    { "client_address=::ffff:192.0.2.7\n", "client_net", "192.0.2.0/24", NULL },
    { "client_address=unknown\n", "client_net", "-", NULL },
    { "helo_name=[192.0.2.1]\n", "helo_is_address", "yes", NULL },
    { "helo_name=[IPv6:2001:db8::1]\n", "helo_is_address", "yes", NULL },
    { "helo_name=192.0.2.1\n", "helo_is_address", "yes", NULL },
    { "helo_name=2001:db8::1\n", "helo_is_address", "yes", NULL },
    { "helo_name=[192.0.2]\n", "helo_is_address", "no", NULL },
    { "helo_name=[192.0.2.1\n", "helo_is_address", "no", NULL },
    { "helo_name=mail.example.com\n", "helo_is_address", "no", NULL },
    { "", "helo_is_address", "no", NULL },
    { "sasl_username=x\n", "authenticated", "yes", NULL },
    { "sasl_username=\n", "authenticated", "no", NULL },
    { "encryption_protocol=TLSv1.2\n", "encrypted", "yes", NULL },
    { "encryption_protocol=\n", "encrypted", "no", NULL },
};

static void reads_every_fact(void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        request(*state, cases[i].lines);
        const char *want = cases[i].want;
        const char *stripped = cases[i].stripped == NULL ? want : cases[i].stripped;
        const char *got = fact(*state, cases[i].fact, false, 0);
        if (strcmp(got, want) != 0)
            fail_msg("%s of %s: %s", cases[i].fact, cases[i].lines, got);
        got = fact(*state, cases[i].fact, true, 0);
        if (strcmp(got, stripped) != 0)
            fail_msg("%s of %s, stripped: %s", cases[i].fact, cases[i].lines, got);
    }
}

static void an_address_has_one_spelling(void **state)
{
    static const char *const spellings[][2] = {
        { "192.0.2.7", "192.0.2.7" },     { "::ffff:192.0.2.7", "192.0.2.7" },
        { "2001:db8::1", "2001:db8::1" }, { "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
        { "unknown", "unknown" },
    };
    struct facts_case *facts = *state;
    const struct mailbox_settings settings = { false, SLICE("+") };

    for (size_t i = 0; i < COUNT(spellings); i++) {
        char lines[100];
        struct value value;
        snprintf(lines, sizeof lines, "client_address=%s\n", spellings[i][0]);
        request(facts, lines);
        assert_true(
            attribute_fact(&facts->req, &settings, 0, ATTR_CLIENT_ADDRESS, facts->arena, &value));
        assert_slice(spellings[i][1], value.text);
    }
}

/* Each fact of the table that follows from the request has a case above, and the type it says. */
static void no_fact_is_left_out(void **state)
{
    struct facts_case *facts = *state;
    const struct mailbox_settings settings = { false, SLICE("+") };

    request(facts, "");
    for (size_t i = 0; i < policyd_fact_count && policyd_facts[i].id < FACT_HOUR; i++) {
        struct value value;
        bool is_tested = false;
        for (size_t k = 0; k < COUNT(cases); k++)
            is_tested = is_tested || strcmp(cases[k].fact, policyd_facts[i].name) == 0;
        if (!is_tested)
            fail_msg("%s is not tested", policyd_facts[i].name);
        assert_true(
            attribute_fact(&facts->req, &settings, 0, policyd_facts[i].id, facts->arena, &value));
        assert_int_equal(policyd_facts[i].type, value.type);
    }
}

static void tells_the_local_time(void **state)
{
    static const struct {
        const char *zone;
        uint64_t seconds;
        const char *hour, *weekday;
    } times[] = {
        { "UTC", 0, "0", "thu" },
        { "UTC", 86399, "23", "thu" },
        { "UTC", 86400, "0", "fri" },
        { "EST5", 0, "19", "wed" }, /* five hours behind */
        { "LINT-14", 86399, "13", "fri" },
        { "UTC", UINT64_C(1795314861), "2", "sun" },
        { "CET-1CEST,M3.5.0,M10.5.0/3", UINT64_C(1782907200), "14", "wed" }, /* summer time */
    };

    request(*state, "");
    for (size_t i = 0; i < COUNT(times); i++) {
        setenv("TZ", times[i].zone, 1);
        tzset();
        const char *got = fact(*state, "hour", false, times[i].seconds * SECOND + 999);
        if (strcmp(got, times[i].hour) != 0)
            fail_msg("hour %zu: %s", i, got);
        got = fact(*state, "weekday", false, times[i].seconds * SECOND);
        if (strcmp(got, times[i].weekday) != 0)
            fail_msg("weekday %zu: %s", i, got);
    }
    unsetenv("TZ");
    tzset();
}

static void other_facts_are_not_its_own(void **state)
{
    request(*state, "client_address=192.0.2.7\n");
    assert_string_equal("unknown", fact(*state, "country", false, 0));
    assert_string_equal("unknown", fact(*state, "limit.*.used", false, 0));
}

static void without_memory_a_fact_is_unknown(void **state)
{
    struct facts_case *facts = *state;

    request(facts, "sender=A@Example.com\n");
    while (arena_alloc(facts->arena, 16) != NULL)
        ;
    assert_string_equal("unknown", fact(facts, "sender", false, 0));
    assert_string_equal("unknown", fact(facts, "sender_domain", true, 0));
    request(facts, "sender=a+b@example.com\n");
    assert_string_equal("a+b@example.com", fact(facts, "sender", false, 0)); /* needs none */
    assert_string_equal("unknown", fact(facts, "sender", true, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_every_fact, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_has_one_spelling, setup, teardown),
        cmocka_unit_test_setup_teardown(no_fact_is_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_the_local_time, setup, teardown),
        cmocka_unit_test_setup_teardown(other_facts_are_not_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory_a_fact_is_unknown, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
