/* tests/unit/net/test_dns.c - lookups through libunbound against a server of our own: what is answered, cached, shared,
 * and that each lookup ends once and in time whatever the server does. */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "common/net/dns.h"
#include "tests/fakes/dns_server.h"
#include "tests/fakes/own_time.h"
#include "tests/fakes/shown_metric.h"
#include "tests/fakes/worker_loop.h"

enum { TIMEOUT_MS = 400, WAIT_MS = 30000, STEP_MS = 5, LOOKUPS_MOST = 64 };

struct fixture {
    struct worker *worker;
    struct dns_server server;
    struct dns *dns;
    struct arena *arena;
    size_t waiting; /* lookups whose end has not come */
    bool is_asking;
    bool is_deaf; /* the server */
};

struct lookup {
    struct dns_ask ask; /* first member */
    struct fixture *fixture;
    unsigned ended;
};

static uint64_t now_ms(void)
{
    return clock_system.now_ms(&clock_system);
}

/* Until all lookups have ended. */
static void run(struct fixture *fixture)
{
    uint64_t start = now_ms();

    while (fixture->waiting > 0) {
        if (now_ms() - start > WAIT_MS)
            fail_msg("%zu lookups never end", fixture->waiting);
        worker_loop_for(fixture->worker, STEP_MS);
    }
}

/* ---- what the server knows ---- */

static void answer_positive(const struct dns_query *query, struct dns_message *message)
{
    struct slice name = slice_of(query->name);

    if (query->type == RR_A && slice_starts_with(name, SLICE("flat")))
        dns_message_add_a(message, query->name, 0, "192.0.2.7");
    else if (query->type == RR_A)
        dns_message_add_a(message, query->name, 300, "192.0.2.1");
    else if (query->type == RR_AAAA)
        dns_message_add_aaaa(message, query->name, 300, "2001:db8::1");
    else if (query->type == RR_MX)
        for (unsigned i = 0; i < 100; i++) {
            char exchange[32];
            snprintf(exchange, sizeof exchange, "MX%u.example.org", i);
            dns_message_add_mx(message, query->name, 300, i, exchange);
        }
    else if (query->type == RR_TXT)
        dns_message_add_txt(message, query->name, 300, SLICE("v=spf1 \0 -all"));
    else if (query->type == RR_PTR)
        dns_message_add_name(message, query->name, RR_PTR, 300, "Mail.Example.Org");
}

static void set_rcode(struct dns_message *message, enum dns_rcode rcode)
{
    dns_message_set_u16(message, 2, 0x8180u | rcode);
}

/* More than fits into a UDP answer. */
static void answer_huge(const struct dns_query *query, struct dns_reply *reply)
{
    static char text[63 * 1024];

    if (!query->is_tcp) {
        dns_message_set_u16(&reply->message, 2, 0x8380u); /* TC */
        return;
    }
    memset(text, 'x', sizeof text);
    dns_message_add_txt(&reply->message, query->name, 300, (struct slice){ text, sizeof text });
}

/* What is done is in the first label: "nxdomain3.example" does as "nxdomain.example". */
static bool does(const struct dns_query *query, const char *what)
{
    return slice_starts_with(slice_of(query->name), slice_of(what));
}

static void answer_hostile(const struct dns_query *query, struct dns_reply *reply)
{
    struct dns_message *message = &reply->message;

    if (does(query, "wrong-id")) {
        answer_positive(query, message);
        message->bytes[0] ^= 0x55;
    } else if (does(query, "wrong-question")) {
        unsigned char id[] = { message->bytes[0], message->bytes[1] };
        dns_message_begin(message, "other.example", query->type, RCODE_OK);
        memcpy(message->bytes, id, sizeof id);
        dns_message_add_a(message, "other.example", 300, "192.0.2.66");
    } else if (does(query, "loop")) {
        answer_positive(query, message);
        dns_message_begin_record(message, DNS_SECTION_ANSWER, "", RR_MX, 300);
        dns_message_put_u16(message, 10);
        dns_message_put_u16(message, 0xc000u | (unsigned)message->len);
        dns_message_set_u16(message, message->len - 6, 4);
    } else if (does(query, "counts")) {
        answer_positive(query, message);
        dns_message_set_u16(message, DNS_SECTION_ANSWER, 0xffff);
    } else if (does(query, "long-data")) {
        answer_positive(query, message);
        dns_message_set_u16(message, message->len - 6, 400);
    } else if (does(query, "short")) {
        message->len = 5;
    } else if (does(query, "flood")) {
        answer_positive(query, message);
        reply->copies = 500;
    } else if (does(query, "cname-loop")) {
        dns_message_add_name(message, query->name, RR_CNAME, 300,
                             does(query, "cname-loop-a") ? "cname-loop-b.example"
                                                         : "cname-loop-a.example");
    }
}

static void answer(void *arg, const struct dns_query *query, struct dns_reply *reply)
{
    const struct fixture *fixture = arg;
    struct dns_message *message = &reply->message;

    if (fixture->is_deaf || does(query, "silent")) {
        reply->is_silent = true;
    } else if (does(query, "servfail")) {
        set_rcode(message, RCODE_SERVFAIL);
    } else if (does(query, "refused")) {
        set_rcode(message, RCODE_REFUSED);
    } else if (does(query, "nxdomain")) {
        set_rcode(message, RCODE_NXDOMAIN);
        dns_message_add_soa(message, "example", 300, does(query, "nxdomain-brief") ? 1 : 600);
    } else if (does(query, "nodata")) {
        dns_message_add_soa(message, "example", 300, 60);
    } else if (does(query, "huge")) {
        answer_huge(query, reply);
    } else if (does(query, "alias")) {
        dns_message_add_name(message, query->name, RR_CNAME, 200, "plain.example");
        dns_message_add_a(message, "plain.example", 100, "192.0.2.66"); /* nobody asked */
    } else if (does(query, "late")) {
        answer_positive(query, message);
        reply->delay_ms = TIMEOUT_MS + 150;
    } else if (does(query, "slow")) {
        answer_positive(query, message);
        reply->delay_ms = 50;
    } else if (does(query, "wrong") || does(query, "loop") || does(query, "counts") ||
               does(query, "long-data") || does(query, "short") || does(query, "flood") ||
               does(query, "cname-loop")) {
        answer_hostile(query, reply);
    } else {
        answer_positive(query, message);
    }
}

/* ---- asking ---- */

static void lookup_done(struct dns_ask *ask)
{
    struct lookup *lookup = (struct lookup *)ask;

    assert_false(lookup->fixture->is_asking);
    lookup->ended++;
    lookup->fixture->waiting--;
}

/* True: it has ended already. */
static bool start(struct fixture *fixture, struct lookup *lookup, const char *name,
                  enum dns_type type)
{
    *lookup = (struct lookup){ .ask = { .arena = fixture->arena, .done = lookup_done },
                               .fixture = fixture };
    fixture->is_asking = true;
    bool is_known = dns_ask(fixture->dns, &lookup->ask, slice_of(name), type);
    fixture->is_asking = false;
    fixture->waiting += !is_known;
    return is_known;
}

static const struct dns_answer *ask(struct fixture *fixture, const char *name, enum dns_type type)
{
    static _Thread_local struct lookup lookup;

    if (!start(fixture, &lookup, name, type)) {
        run(fixture);
        assert_int_equal(1, lookup.ended);
    }
    return &lookup.ask.answer;
}

/* ---- setting up ---- */

static struct dns *make_dns(struct fixture *fixture, struct dns_options options)
{
    const struct slice resolver = slice_of(fixture->server.text);
    AUTO_BUF error = BUF_INIT(200);

    options.resolvers = &resolver;
    options.resolver_count = 1;
    if (options.timeout_ms == 0)
        options.timeout_ms = TIMEOUT_MS;
    struct dns *dns = dns_new(fixture->worker, &options, &error);
    assert_string_equal("", buf_text(&error));
    assert_non_null(dns);
    return dns;
}

static void use(struct fixture *fixture, struct dns_options options)
{
    dns_free(&fixture->dns);
    fixture->dns = make_dns(fixture, options);
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
    fixture->dns = make_dns(fixture, (struct dns_options){ .cache_size = 0 });
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

/* ---- answers ---- */

static const struct {
    const char *name;
    enum dns_type type;
    enum dns_status status;
    enum dns_failure failure;
    size_t count;
    const char *text; /* of the first record; an address is printed */
    uint32_t ttl_s;
} cases[] = {
    { "plain.example", RR_A, DNS_DATA, 0, 1, "192.0.2.1", 300 },
    { "Plain.Example.", RR_AAAA, DNS_DATA, 0, 1, "2001:db8::1", 300 },
    { "plain.example", RR_MX, DNS_DATA, 0, 100, "mx0.example.org", 300 },
    { "1.2.0.192.in-addr.arpa", RR_PTR, DNS_DATA, 0, 1, "mail.example.org", 300 },
    { "alias.example", RR_A, DNS_DATA, 0, 1, "192.0.2.1", 200 },
    { "nxdomain.example", RR_A, DNS_NO_DOMAIN, 0, 0, NULL, 300 },
    { "nodata.example", RR_MX, DNS_NO_DATA, 0, 0, NULL, 60 },
    { "servfail.example", RR_A, DNS_FAILED, DNS_FAILURE_SERVER, 0, NULL, 0 },
    { "refused.example", RR_A, DNS_FAILED, DNS_FAILURE_SERVER, 0, NULL, 0 },
    { "silent.example", RR_A, DNS_FAILED, DNS_FAILURE_TIMEOUT, 0, NULL, 0 },
    { "two..dots", RR_A, DNS_NO_DOMAIN, 0, 0, NULL, 0 },
    { "odd \\ bytes\tin.it", RR_A, DNS_DATA, 0, 1, "192.0.2.1", 300 },
    /* libunbound knows these by itself unless it is told otherwise */
    { "name.test", RR_A, DNS_DATA, 0, 1, "192.0.2.1", 300 },
    { "name.invalid", RR_A, DNS_DATA, 0, 1, "192.0.2.1", 300 },
    { "localhost", RR_A, DNS_DATA, 0, 1, "192.0.2.1", 300 },
    { "name.onion", RR_A, DNS_DATA, 0, 1, "192.0.2.1", 300 },
    { "name.home.arpa", RR_A, DNS_DATA, 0, 1, "192.0.2.1", 300 },
    { "1.0.0.127.in-addr.arpa", RR_PTR, DNS_DATA, 0, 1, "mail.example.org", 300 },
    { "1.0.0.10.in-addr.arpa", RR_PTR, DNS_DATA, 0, 1, "mail.example.org", 300 },
    { "1.1.168.192.in-addr.arpa", RR_PTR, DNS_DATA, 0, 1, "mail.example.org", 300 },
    { "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", RR_PTR, DNS_DATA,
      0, 1, "mail.example.org", 300 },
};

static void check_first(const struct dns_answer *answer, enum dns_type type, const char *want,
                        const char *name)
{
    char address[IP_ADDRESS_TEXT_MAX] = "";
    struct slice got = answer->records[0].text;

    if (type == RR_A || type == RR_AAAA)
        got = (struct slice){ address, ip_address_print(&answer->records[0].address, address) };
    if (!slice_equal(got, slice_of(want)))
        fail_msg("%s: %.*s", name, SLICE_ARG(got));
}

static void tells_what_is_there_what_is_not_and_what_failed(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct dns_answer *got = ask(fixture, cases[i].name, cases[i].type);
        if (got->status != cases[i].status || got->failure != cases[i].failure ||
            got->count != cases[i].count || got->ttl_s != cases[i].ttl_s)
            fail_msg("%s: status %d failure %d count %zu ttl %u", cases[i].name, (int)got->status,
                     (int)got->failure, got->count, got->ttl_s);
        if (got->count > 0)
            check_first(got, cases[i].type, cases[i].text, cases[i].name);
    }
}

static void goes_to_tcp_for_what_does_not_fit(void **state)
{
    struct fixture *fixture = *state;
    const struct dns_answer *got = ask(fixture, "huge.example", RR_TXT);

    assert_int_equal(DNS_DATA, got->status);
    assert_int_equal(63 * 1024, got->records[0].text.len);
    assert_true(fixture->server.tcp_queries > 0);
}

/* ---- the cache ---- */

static size_t queries_for(struct fixture *fixture, const char *name, enum dns_type type)
{
    size_t before = fixture->server.queries;

    ask(fixture, name, type);
    return fixture->server.queries - before;
}

static void remembers_what_is_there_and_what_is_not(void **state)
{
    static const char *const names[] = { "plain.example", "nxdomain.example", "nodata.example",
                                         "alias.example" };
    struct fixture *fixture = *state;
    struct lookup lookup;

    for (size_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(1, queries_for(fixture, names[i], RR_A));
        if (!start(fixture, &lookup, names[i], RR_A))
            fail_msg("%s: not known at once", names[i]);
    }
    assert_int_equal(COUNT(names), fixture->server.queries);
}

static void forgets_when_the_ttl_is_over(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(1, queries_for(fixture, "flat.example", RR_A));
    assert_int_equal(1, queries_for(fixture, "flat.example", RR_A));
    assert_int_equal(1, queries_for(fixture, "nxdomain-brief.example", RR_A));
    assert_int_equal(0, queries_for(fixture, "nxdomain-brief.example", RR_A));
    worker_loop_for(fixture->worker, 2100);
    assert_int_equal(1, queries_for(fixture, "nxdomain-brief.example", RR_A));
}

static void asks_every_time_without_a_cache(void **state)
{
    struct fixture *fixture = *state;

    use(fixture, (struct dns_options){ .no_cache = true });
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(1, queries_for(fixture, "plain.example", RR_A));
        assert_int_equal(2, queries_for(fixture, "alias.example", RR_A)); /* and where it leads */
        assert_int_equal(1, queries_for(fixture, "nxdomain.example", RR_A));
        assert_int_equal(1, queries_for(fixture, "nodata.example", RR_A));
    }
}

/* ---- side by side ---- */

static void asks_equal_questions_once(void **state)
{
    struct fixture *fixture = *state;
    struct lookup lookups[LOOKUPS_MOST];

    use(fixture, (struct dns_options){ .timeout_ms = WAIT_MS });
    for (size_t i = 0; i < COUNT(lookups); i++)
        assert_false(start(fixture, &lookups[i], i % 2 == 0 ? "slow.example" : "SLOW.example",
                           i % 4 < 2 ? RR_A : RR_AAAA));
    run(fixture);
    assert_int_equal(2, fixture->server.queries);
    for (size_t i = 0; i < COUNT(lookups); i++) {
        assert_int_equal(1, lookups[i].ended);
        assert_int_equal(DNS_DATA, lookups[i].ask.answer.status);
    }
}

static void asks_different_questions_side_by_side(void **state)
{
    struct fixture *fixture = *state;
    struct lookup lookups[LOOKUPS_MOST];
    uint64_t started = own_ms();

    use(fixture, (struct dns_options){ .timeout_ms = WAIT_MS });
    for (size_t i = 0; i < COUNT(lookups); i++) {
        char name[32];
        snprintf(name, sizeof name, "slow%zu.example", i);
        start(fixture, &lookups[i], name, RR_A);
    }
    run(fixture);
    assert_true(own_ms_since(started) < TIMEOUT_MS); /* one after the other: 64 * 50 ms */
    for (size_t i = 0; i < COUNT(lookups); i++)
        assert_int_equal(DNS_DATA, lookups[i].ask.answer.status);
}

static void refuses_more_than_may_be_in_flight(void **state)
{
    enum { MOST = 8 };
    struct fixture *fixture = *state;
    struct lookup lookups[MOST + 1];
    struct dns_status_report report;

    use(fixture, (struct dns_options){ .in_flight_max = MOST, .timeout_ms = WAIT_MS });
    for (size_t i = 0; i < MOST; i++) {
        char name[32];
        snprintf(name, sizeof name, "slow%zu.example", i);
        assert_false(start(fixture, &lookups[i], name, RR_A));
    }
    assert_true(start(fixture, &lookups[MOST], "plain.example", RR_A));
    assert_int_equal(DNS_FAILED, lookups[MOST].ask.answer.status);
    assert_int_equal(DNS_FAILURE_OVERLOAD, lookups[MOST].ask.answer.failure);
    dns_report(fixture->dns, &report);
    assert_int_equal(MOST, report.in_flight);
    run(fixture);
    assert_int_equal(DNS_DATA, ask(fixture, "plain.example", RR_A)->status);
    dns_report(fixture->dns, &report);
    assert_int_equal(0, report.in_flight);
}

/* ---- ends ---- */

static void ends_silence_at_the_deadline(void **state)
{
    struct fixture *fixture = *state;
    uint64_t started = now_ms(), own_started = own_ms();

    assert_int_equal(DNS_FAILURE_TIMEOUT, ask(fixture, "silent.example", RR_A)->failure);
    uint64_t took = now_ms() - started, own = own_ms_since(own_started);
    if (took < TIMEOUT_MS - STEP_MS || own > TIMEOUT_MS + 150)
        fail_msg("%llu ms", (unsigned long long)took);
}

static void keeps_an_answer_that_comes_late(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(DNS_FAILURE_TIMEOUT, ask(fixture, "late.example", RR_A)->failure);
    worker_loop_for(fixture->worker, 1000);
    assert_int_equal(0, queries_for(fixture, "late.example", RR_A));
    assert_int_equal(DNS_DATA, ask(fixture, "late.example", RR_A)->status);
}

static void is_silent_when_abandoned(void **state)
{
    struct fixture *fixture = *state;
    struct lookup lookups[4];

    for (size_t i = 0; i < COUNT(lookups); i++)
        start(fixture, &lookups[i], i < 2 ? "slow.example" : "silent.example", RR_A);
    for (size_t i = 0; i < COUNT(lookups); i += 2) {
        dns_abandon(&lookups[i].ask);
        dns_abandon(&lookups[i].ask);
        fixture->waiting--;
    }
    run(fixture);
    for (size_t i = 0; i < COUNT(lookups); i++)
        assert_int_equal(i % 2, lookups[i].ended);
}

static void may_be_freed_with_questions_in_flight(void **state)
{
    struct fixture *fixture = *state;
    struct lookup lookups[2];

    start(fixture, &lookups[0], "silent.example", RR_A);
    start(fixture, &lookups[1], "slow.example", RR_A);
    for (size_t i = 0; i < COUNT(lookups); i++)
        dns_abandon(&lookups[i].ask);
    dns_free(&fixture->dns);
    worker_loop_for(fixture->worker, 100);
}

static void says_when_the_arena_is_full(void **state)
{
    struct fixture *fixture = *state;
    struct arena *small = arena_new(4096);
    struct lookup lookup = { .ask = { .arena = small, .done = lookup_done }, .fixture = fixture };

    assert_false(dns_ask(fixture->dns, &lookup.ask, SLICE("huge.example"), RR_TXT));
    fixture->waiting++;
    run(fixture);
    assert_int_equal(DNS_FAILURE_MEMORY, lookup.ask.answer.failure);
    arena_free(&small);
}

/* ---- a resolver that is away ---- */

/* Asks for names that nobody has asked for yet and for one that has failed, until both are answered. */
static void check_back_in_a_second(struct fixture *fixture, const char *failed)
{
    uint64_t back = own_ms();
    struct dns_status_report report;
    bool is_back = false;

    for (unsigned i = 0; !is_back; i++) {
        char fresh[32];
        snprintf(fresh, sizeof fresh, "fresh%u.example", i);
        is_back = ask(fixture, failed, RR_A)->status == DNS_DATA &&
                  ask(fixture, fresh, RR_A)->status == DNS_DATA;
        if (own_ms_since(back) > 1000)
            fail_msg("not back after a second");
        worker_loop_for(fixture->worker, STEP_MS);
    }
    dns_report(fixture->dns, &report);
    assert_false(report.is_down);
}

static void keeps_asking(struct fixture *fixture, uint64_t ms)
{
    uint64_t start_ms = now_ms();
    struct lookup lookups[LOOKUPS_MOST];
    size_t count = 0;

    while (now_ms() - start_ms < ms && count < COUNT(lookups)) {
        char name[32];
        snprintf(name, sizeof name, "plain%zu.example", count);
        start(fixture, &lookups[count++], name, RR_A);
        worker_loop_for(fixture->worker, ms / COUNT(lookups));
    }
    run(fixture);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(DNS_FAILED, lookups[i].ask.answer.status);
}

static void is_back_when_a_refusing_resolver_is(void **state)
{
    struct fixture *fixture = *state;
    struct dns_status_report report;

    dns_server_stop(&fixture->server);
    assert_int_equal(DNS_FAILED, ask(fixture, "plain0.example", RR_A)->status);
    keeps_asking(fixture, 1000);
    dns_report(fixture->dns, &report);
    assert_true(report.is_down);
    dns_server_start(&fixture->server);
    check_back_in_a_second(fixture, "plain0.example");
}

static void is_back_when_a_silent_resolver_is(void **state)
{
    struct fixture *fixture = *state;

    fixture->is_deaf = true;
    keeps_asking(fixture, 7000); /* libunbound has given up the first ones */
    fixture->is_deaf = false;
    check_back_in_a_second(fixture, "plain0.example");
}

/* Requests have ended before their lookups: nothing has failed, only been waited for in vain. */
static void notices_a_silent_resolver_when_lookups_are_given_up(void **state)
{
    struct fixture *fixture = *state;
    struct lookup lookup;
    struct dns_status_report report;

    use(fixture, (struct dns_options){ .timeout_ms = 5000 });
    fixture->is_deaf = true;
    start(fixture, &lookup, "plain0.example", RR_A);
    worker_loop_for(fixture->worker, 500);
    dns_abandon(&lookup.ask);
    fixture->waiting--;
    worker_loop_for(fixture->worker, 500);
    dns_report(fixture->dns, &report);
    assert_true(report.is_down);
    fixture->is_deaf = false;
    check_back_in_a_second(fixture, "plain0.example");
}

static void asks_again_what_is_still_waited_for(void **state)
{
    struct fixture *fixture = *state;
    struct lookup early, waiting;
    uint64_t back;

    use(fixture, (struct dns_options){ .timeout_ms = 1500 });
    fixture->is_deaf = true;
    start(fixture, &early, "early.example", RR_A);
    worker_loop_for(fixture->worker, 1300);
    start(fixture, &waiting, "waiting.example", RR_A); /* is repeated after 400 and 1200 ms */
    worker_loop_for(fixture->worker, 700); /* down since the early one's end */
    fixture->is_deaf = false;
    back = own_ms();
    run(fixture);
    assert_int_equal(DNS_FAILURE_TIMEOUT, early.ask.answer.failure);
    assert_int_equal(DNS_DATA, waiting.ask.answer.status);
    assert_true(own_ms_since(back) < 450);
}

static void keeps_its_cache_when_only_one_domain_is_silent(void **state)
{
    struct fixture *fixture = *state;

    ask(fixture, "plain.example", RR_A);
    for (size_t i = 0; i < 4; i++)
        ask(fixture, i % 2 == 0 ? "silent.example" : "servfail.example", RR_A);
    worker_loop_for(fixture->worker, 300);
    assert_true(fixture->server.probes > 0);
    assert_int_equal(0, queries_for(fixture, "plain.example", RR_A));
}

/* ---- what is counted ---- */

static void counts_lookups_and_their_ends(void **state)
{
    static const struct {
        const char *series;
        uint64_t want;
    } counts[] = {
        { "gatehouse_dns_lookups_total", 9 },
        { "gatehouse_dns_cache_hits_total", 1 },
        { "gatehouse_dns_shared_total", 2 },
        { "gatehouse_dns_failures_total{kind=\"server\"}", 1 },
        { "gatehouse_dns_failures_total{kind=\"timeout\"}", 3 },
        { "gatehouse_dns_late_total", 1 },
        { "gatehouse_dns_duration_seconds_count", 4 },
    };
    static const char *const names[] = { "plain.example",  "plain.example",  "servfail.example",
                                         "silent.example", "silent.example", "nxdomain.example" };
    struct fixture *fixture = *state;
    struct lookup lookups[2];
    uint64_t before[COUNT(counts)];

    for (size_t i = 0; i < COUNT(counts); i++)
        before[i] = shown_metric(counts[i].series);
    for (size_t i = 0; i < COUNT(lookups); i++)
        start(fixture, &lookups[i], "slow.example", RR_A);
    run(fixture);
    ask(fixture, "late.example", RR_A);
    for (size_t i = 0; i < COUNT(names); i++)
        ask(fixture, names[i], RR_A);
    worker_loop_for(fixture->worker, 1000);
    for (size_t i = 0; i < COUNT(counts); i++)
        if (shown_metric(counts[i].series) - before[i] != counts[i].want)
            fail_msg("%s: %llu", counts[i].series,
                     (unsigned long long)(shown_metric(counts[i].series) - before[i]));
}

/* ---- hostile servers: nothing but an answer to the question is believed, and every lookup ends in time ---- */

static const struct {
    const char *name;
    enum dns_type type;
    enum dns_status status;
} hostile[] = {
    { "wrong-id.example", RR_A, DNS_FAILED },     { "wrong-question.example", RR_A, DNS_FAILED },
    { "loop.example", RR_MX, DNS_FAILED },        { "counts.example", RR_A, DNS_FAILED },
    { "long-data.example", RR_A, DNS_FAILED },    { "short.example", RR_A, DNS_FAILED },
    { "cname-loop-a.example", RR_A, DNS_FAILED }, { "flood.example", RR_A, DNS_DATA },
    { "plain.example", RR_A, DNS_DATA },
};

static void survives_hostile_servers(void **state)
{
    struct fixture *fixture = *state;
    struct lookup lookups[COUNT(hostile)];
    uint64_t started = own_ms();

    for (size_t i = 0; i < COUNT(hostile); i++)
        start(fixture, &lookups[i], hostile[i].name, hostile[i].type);
    run(fixture);
    assert_true(own_ms_since(started) < TIMEOUT_MS + 200);
    for (size_t i = 0; i < COUNT(hostile); i++)
        if (lookups[i].ask.answer.status != hostile[i].status)
            fail_msg("%s: status %d", hostile[i].name, (int)lookups[i].ask.answer.status);
}

/* ---- several workers in one process ---- */

enum { WORKERS = 4, CONTEXTS = 5, NAMES = 20 };

/* Contexts made, used and freed beside those of other threads. NULL: all was answered. */
static void *work(UNUSED void *arg)
{
    static char is_bad;
    void *state = NULL, *failed = NULL;

    if (setup(&state) != 0)
        return &is_bad;
    struct fixture *fixture = state;
    for (size_t i = 0; i < CONTEXTS * NAMES; i++) {
        char name[32];
        snprintf(name, sizeof name, "plain%zu.example", i / 2);
        if (i % NAMES == 0)
            use(fixture, (struct dns_options){ .no_cache = i % 40 == 0 });
        if (ask(fixture, name, RR_A)->status != DNS_DATA)
            failed = &is_bad;
    }
    teardown(&state);
    return failed;
}

static void serves_workers_that_know_nothing_of_each_other(UNUSED void **state)
{
    pthread_t threads[WORKERS];

    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, work, NULL));
    for (size_t i = 0; i < WORKERS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_what_is_there_what_is_not_and_what_failed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(goes_to_tcp_for_what_does_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(remembers_what_is_there_and_what_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_when_the_ttl_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_every_time_without_a_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_equal_questions_once, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_different_questions_side_by_side, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_more_than_may_be_in_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_silence_at_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_an_answer_that_comes_late, setup, teardown),
        cmocka_unit_test_setup_teardown(is_silent_when_abandoned, setup, teardown),
        cmocka_unit_test_setup_teardown(may_be_freed_with_questions_in_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(says_when_the_arena_is_full, setup, teardown),
        cmocka_unit_test_setup_teardown(is_back_when_a_refusing_resolver_is, setup, teardown),
        cmocka_unit_test_setup_teardown(is_back_when_a_silent_resolver_is, setup, teardown),
        cmocka_unit_test_setup_teardown(notices_a_silent_resolver_when_lookups_are_given_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(asks_again_what_is_still_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_its_cache_when_only_one_domain_is_silent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(counts_lookups_and_their_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_hostile_servers, setup, teardown),
        cmocka_unit_test(serves_workers_that_know_nothing_of_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
