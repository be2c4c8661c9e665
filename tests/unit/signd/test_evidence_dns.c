/* tests/unit/signd/test_evidence_dns.c - keys and DMARC records from a DNS server of our own: policy discovery of RFC 7489
 * 6.6.3, several records, none, no answer. */
#include "signd/evidence_dns.h"

#include "tests/fakes/dns_server.h"
#include "tests/fakes/worker_loop.h"
#include "tests/unit/unit.h"

struct fixture {
    struct worker *worker;
    struct dns_server server;
    struct dns *dns;
    struct arena *arena;
    bool is_done;
};

/* ---- what the server knows ---- */

static const struct {
    const char *name, *text; /* NULL: the server is in trouble */
} zone[] = {
    { "_dmarc.example.com", "v=DMARC1; p=reject; sp=quarantine" },
    { "_dmarc.own.example.com", "v=DMARC1; p=none" },
    { "_dmarc.two.example", "v=DMARC1; p=reject" },
    { "_dmarc.two.example", "v=DMARC1; p=none" },
    { "_dmarc.mixed.example", "v=spf1 -all" },
    { "_dmarc.mixed.example", "v=DMARC1; p=quarantine" },
    { "_dmarc.other.example", "v=spf1 -all" },
    { "_dmarc.bad.example", "v=DMARC1; p=bob" },
    { "_dmarc.down.example", NULL },
    { "good._domainkey.example.com", "v=DKIM1; p=AAAA" },
    { "several._domainkey.example.com", "no key" },
    { "several._domainkey.example.com", "v=DKIM1; p=BBBB" },
    { "down._domainkey.example.com", NULL },
};

static void answer(UNUSED void *arg, const struct dns_query *query, struct dns_reply *reply)
{
    bool is_there = false;

    for (size_t i = 0; i < COUNT(zone); i++) {
        if (strcasecmp(zone[i].name, query->name) != 0)
            continue;
        is_there = true;
        if (zone[i].text == NULL)
            dns_message_set_u16(&reply->message, 2, 0x8180u | RCODE_SERVFAIL);
        else
            dns_message_add_txt(&reply->message, query->name, 300, slice_of(zone[i].text));
    }
    if (!is_there) {
        dns_message_set_u16(&reply->message, 2, 0x8180u | RCODE_NXDOMAIN);
        dns_message_add_soa(&reply->message, "example", 300, 60);
    }
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    if (fixture == NULL)
        return -1;
    *state = fixture;
    fixture->worker = worker_new(0, "main", &clock_system, NULL);
    fixture->arena = arena_new(1 << 22);
    dns_server_init(&fixture->server, worker_base(fixture->worker), answer, fixture);
    dns_server_start(&fixture->server);
    fixture->dns = dns_server_dns(&fixture->server, fixture->worker, 1500);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    dns_free(&fixture->dns);
    dns_server_stop(&fixture->server);
    arena_free(&fixture->arena);
    worker_free(&fixture->worker);
    free(fixture);
    return 0;
}

static void done(void *arg)
{
    struct fixture *fixture = arg;

    assert_false(fixture->is_done);
    fixture->is_done = true;
}

static bool is_waiting(void *arg)
{
    const struct fixture *fixture = arg;

    return !fixture->is_done;
}

static void run(struct fixture *fixture)
{
    worker_loop_while(fixture->worker, is_waiting, fixture);
}

static void look_up(struct fixture *fixture, struct dkim_claim *claims, size_t claim_count,
                    struct from_policy *policies, size_t policy_count)
{
    struct evidence_dns *evidence;

    fixture->is_done = evidence_dns_start(fixture->dns, fixture->arena, claims, claim_count,
                                          policies, policy_count, done, fixture, &evidence);
    run(fixture);
}

/* ---- tests ---- */

static const struct {
    const char *from;
    enum dmarc_lookup want;
    bool is_organizational;
    enum dmarc_policy policy; /* p= of the record found */
} cases[] = {
    { "example.com", DMARC_LOOKUP_FOUND, false, DMARC_REJECT },
    { "sub.example.com", DMARC_LOOKUP_FOUND, true, DMARC_REJECT },
    { "a.b.sub.example.com", DMARC_LOOKUP_FOUND, true, DMARC_REJECT },
    { "own.example.com", DMARC_LOOKUP_FOUND, false, DMARC_NONE },
    { "two.example", DMARC_LOOKUP_BAD, false, 0 },
    { "mixed.example", DMARC_LOOKUP_FOUND, false, DMARC_QUARANTINE },
    { "other.example", DMARC_LOOKUP_NONE, false, 0 },
    { "bad.example", DMARC_LOOKUP_BAD, false, 0 },
    { "nothing.example", DMARC_LOOKUP_NONE, false, 0 },
    { "sub.nothing.example", DMARC_LOOKUP_NONE, true, 0 },
    { "down.example", DMARC_LOOKUP_TEMPERROR, false, 0 },
    { "sub.down.example", DMARC_LOOKUP_TEMPERROR, true, 0 },
};

static void finds_the_policy_of_each_domain(void **state)
{
    struct fixture *fixture = *state;
    struct from_policy policies[COUNT(cases)];

    for (size_t i = 0; i < COUNT(cases); i++)
        policies[i] = (struct from_policy){ .domain = slice_of(cases[i].from) };
    look_up(fixture, NULL, 0, policies, COUNT(policies));
    for (size_t i = 0; i < COUNT(cases); i++)
        if (policies[i].lookup != cases[i].want ||
            policies[i].is_organizational != cases[i].is_organizational ||
            (policies[i].lookup == DMARC_LOOKUP_FOUND &&
             policies[i].record.policy != cases[i].policy))
            fail_msg("%s: %d, %d", cases[i].from, (int)policies[i].lookup,
                     (int)policies[i].record.policy);
}

static struct dkim_claim claim(const char *selector)
{
    return (struct dkim_claim){ .domain = SLICE("example.com"),
                                .selector = slice_of(selector),
                                .is_ready = true };
}

static void finds_keys(void **state)
{
    struct dkim_claim claims[] = {
        claim("good"), claim("several"), claim("none"), claim("down"), { .is_ready = false }
    };

    look_up(*state, claims, COUNT(claims), NULL, 0);
    assert_int_equal(CLAIM_KEY_FOUND, claims[0].key_state);
    assert_true(slice_equal(claims[0].key, SLICE("v=DKIM1; p=AAAA")));
    assert_int_equal(CLAIM_KEY_FOUND, claims[1].key_state);
    assert_true(slice_equal(claims[1].key, SLICE("v=DKIM1; p=BBBB")));
    assert_int_equal(CLAIM_KEY_NONE, claims[2].key_state);
    assert_int_equal(CLAIM_KEY_TEMPERROR, claims[3].key_state);
    assert_int_equal(CLAIM_KEY_UNASKED, claims[4].key_state);
}

static void what_is_abandoned_is_a_temperror(void **state)
{
    struct fixture *fixture = *state;
    struct dkim_claim claims[] = { claim("good") };
    struct from_policy policy = { .domain = SLICE("example.com") };
    struct evidence_dns *evidence;

    assert_false(evidence_dns_start(fixture->dns, fixture->arena, claims, 1, &policy, 1, done,
                                    fixture, &evidence));
    evidence_dns_abandon(&evidence);
    assert_null(evidence);
    assert_int_equal(CLAIM_KEY_TEMPERROR, claims[0].key_state);
    assert_int_equal(DMARC_LOOKUP_TEMPERROR, policy.lookup);
    evidence_dns_abandon(&evidence);
}

static void nothing_to_ask_is_known_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct evidence_dns *evidence;

    assert_true(evidence_dns_start(fixture->dns, fixture->arena, NULL, 0, NULL, 0, done, fixture,
                                   &evidence));
    assert_null(evidence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_the_policy_of_each_domain, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_abandoned_is_a_temperror, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_to_ask_is_known_at_once, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
