/* tests/unit/spf/test_spf.c - check_host() beyond the suite of RFC 7208 (tests/integration/test_rfc7208.py): hostile
 * records, limits, what is asked and when. */
#include "tests/unit/unit.h"

#include "policyd/spf/spf.h"

#include "tests/fakes/spf_zone.h"

enum { ARENA_MAX = 16 << 20, LONGEST_TXT = 65535 };

/* One zone, one check at a time. */
struct bed {
    struct arena *arena;
    struct spf_zone zone;
    struct spf_query query;
};

static void bed_open(struct bed *bed, const struct zone_record *records, size_t count)
{
    *bed = (struct bed){ .arena = arena_new(ARENA_MAX) };
    bed->query = (struct spf_query){ .helo_name = SLICE("mail.example.org"),
                                     .sender = SLICE("a@example.com"),
                                     .default_explanation = SLICE("DEFAULT") };
    assert_true(ip_address_parse(SLICE("192.0.2.1"), &bed->query.client));
    assert_non_null(bed->arena);
    assert_true(spf_zone_init(&bed->zone, records, count));
}

static void bed_close(struct bed *bed)
{
    spf_zone_free(&bed->zone);
    arena_free(&bed->arena);
}

static const struct spf_outcome *bed_check(struct bed *bed)
{
    bed->zone.asked_count = 0;
    return spf_zone_check(&bed->zone, bed->arena, &bed->query);
}

static size_t count_asked(const struct bed *bed, enum spf_rr type)
{
    size_t count = 0;

    for (size_t i = 0; i < bed->zone.asked_count; i++)
        count += bed->zone.asked[i].type == type;
    return count;
}

/* ---- one record ---- */

static const struct {
    const char *client, *record;
    enum spf_result want;
    const char *mechanism; /* or the beginning of the reason of an error */
    unsigned lookups, voids;
} records[] = {
    { "192.0.2.1", "v=spf1", SPF_NEUTRAL, "default", 0, 0 },
    { "192.0.2.1", "v=spf1 ?ip4:192.0.2.0/24 -all", SPF_NEUTRAL, "?ip4:192.0.2.0/24", 0, 0 },
    { "::ffff:192.0.2.1", "v=spf1 ip4:192.0.2.1 -all", SPF_PASS, "ip4:192.0.2.1", 0, 0 },
    { "::ffff:192.0.2.1", "v=spf1 ip6:::ffff:192.0.2.1 -all", SPF_FAIL, "-all", 0, 0 },
    { "127.0.0.1", "v=spf1 -ip4:127.0.0.0/8 all", SPF_FAIL, "-ip4:127.0.0.0/8", 0, 0 },
    { "::1", "v=spf1 -ip6:::1 all", SPF_FAIL, "-ip6:::1", 0, 0 },
    { "10.0.0.1", "v=spf1 ~all", SPF_SOFTFAIL, "~all", 0, 0 },
    { "203.0.113.9", "v=spf1 ip4:192.0.2.0/0 -all", SPF_PASS, "ip4:192.0.2.0/0", 0, 0 },
    { "203.0.113.9", "v=spf1 ip4:192.0.2.0/1 ip6:::/0 -all", SPF_PASS, "ip4:192.0.2.0/1", 0, 0 },
    { "203.0.113.9", "v=spf1 ip4:64.0.0.0/1 -all", SPF_FAIL, "-all", 0, 0 },
    { "2001:db8::1", "v=spf1 ip6:::ffff:1.2.3.4/0 -all", SPF_PASS, "ip6:::ffff:1.2.3.4/0", 0, 0 },
    { "2001:db8::1", "v=spf1 ip6:2001:db8:8000::/32 -all", SPF_PASS, "ip6:2001:db8:8000::/32", 0,
      0 },
    { "2001:db8::1", "v=spf1 ip6:2001:db8:8000::/33 -all", SPF_FAIL, "-all", 0, 0 },
    { "2001:db8::1", "v=spf1 ip4:0.0.0.0/0 -all", SPF_FAIL, "-all", 0, 0 },
    { "192.0.2.77", "v=spf1 a:host.example.net/24 -all", SPF_PASS, "a:host.example.net/24", 1, 0 },
    { "192.0.2.77", "v=spf1 a:host.example.net/29 -all", SPF_FAIL, "-all", 1, 0 },
    { "2001:db8::77", "v=spf1 a:host.example.net/24 -all", SPF_FAIL, "-all", 1, 0 },
    { "2001:db8::77", "v=spf1 a:host.example.net//64 -all", SPF_PASS, "a:host.example.net//64", 1,
      0 },
    { "192.0.2.1", "v=spf1 a:nothing.example.net exists:none.example.net -all", SPF_FAIL, "-all", 2,
      2 },
    { "192.0.2.1", "v=spf1 a:n.example.net mx:n.example.net exists:n.example.net all",
      SPF_PERMERROR, "too many lookups without an answer: exists:n.example.net", 3, 2 },
    { "192.0.2.1", "v=spf1 mx:half.example.net -all", SPF_FAIL, "-all", 1, 1 },
    { "192.0.2.1", "v=spf1 mx:null.example.net -all", SPF_FAIL, "-all", 1, 0 },
    { "192.0.2.1", "v=spf1 a:fails.example.net all", SPF_TEMPERROR,
      "lookup of addresses failed: fails.example.net", 1, 0 },
    { "192.0.2.1", "v=spf1 mx:fails.example.net all", SPF_TEMPERROR,
      "lookup of mail exchangers failed: fails.example.net", 1, 0 },
    { "192.0.2.1", "v=spf1 mx:shaky.example.net all", SPF_TEMPERROR,
      "lookup of addresses failed: fails.example.net", 1, 0 },
    { "192.0.2.5", "v=spf1 mx:shaky.example.net -all", SPF_PASS, "mx:shaky.example.net", 1, 0 },
    { "192.0.2.1", "v=spf1 exists:fails.example.net all", SPF_TEMPERROR,
      "lookup of an address failed: fails.example.net", 1, 0 },
    { "192.0.2.9", "v=spf1 ptr -all", SPF_FAIL, "-all", 1, 0 }, /* its PTR look-up fails */
    { "192.0.2.8", "v=spf1 ptr -all", SPF_FAIL, "-all", 1, 1 },
    { "192.0.2.5", "v=spf1 ptr:example.net -all", SPF_PASS, "ptr:example.net", 1, 0 },
    { "192.0.2.5", "v=spf1 exists:%{p}.seen.example.net -all", SPF_PASS,
      "exists:%{p}.seen.example.net", 1, 0 },
    { "192.0.2.1", "v=spf1 include:nothing.example.net all", SPF_PERMERROR,
      "include of a domain without SPF: nothing.example.net", 1, 0 },
    { "192.0.2.1", "v=spf1 include:%{h1} all", SPF_PERMERROR,
      "include of a domain without SPF: org", 1, 0 },
    { "192.0.2.1", "v=spf1 redirect=nothing.example.net", SPF_PERMERROR,
      "redirect to a domain without SPF: nothing.example.net", 1, 0 },
    { "192.0.2.1", "v=spf1 include:fails.example.net all", SPF_TEMPERROR,
      "lookup of the record failed: fails.example.net", 1, 0 },
    { "192.0.2.1", "v=spf1 include:two.example.net all", SPF_PERMERROR,
      "more than one SPF record: two.example.net", 1, 0 },
    { "192.0.2.1", "v=spf1 include:bad.example.net all", SPF_PERMERROR,
      "unknown mechanism: moo in bad.example.net", 1, 0 },
    { "192.0.2.1", "v=spf1 -include:pass.example.net all", SPF_FAIL, "-include:pass.example.net", 1,
      0 },
    { "192.0.2.1", "v=spf1 include:deep.example.net -all", SPF_PASS, "include:deep.example.net", 2,
      0 },
    { "192.0.2.1", "v=spf1 redirect=pass.example.net ?all", SPF_NEUTRAL, "?all", 0, 0 },
    { "192.0.2.1", "v=spf1 include:turn.example.net -all", SPF_PASS, "include:turn.example.net", 2,
      0 },
};

static const struct zone_record surroundings[] = {
    { SLICE_INIT("example.com"), ZONE_DATA, SPF_RR_TXT, { NULL, 0 } }, /* the row's record */
    ZONE_A("host.example.net", "192.0.2.64"),
    ZONE_AAAA("host.example.net", "2001:db8::1"),
    ZONE_MX("half.example.net", "host.example.net."),
    ZONE_MX("half.example.net", "nothing.example.net."),
    ZONE_MX("null.example.net", "."),
    ZONE_MX("shaky.example.net", "fails.example.net"),
    ZONE_MX("shaky.example.net", "five.example.net"),
    ZONE_A("five.example.net", "192.0.2.5"),
    ZONE_A("five.example.net.seen.example.net", "127.0.0.2"),
    ZONE_FAILURE("fails.example.net"),
    ZONE_FAILURE("9.2.0.192.in-addr.arpa"),
    ZONE_PTR("5.2.0.192.in-addr.arpa", "fails.example.net."),
    ZONE_PTR("5.2.0.192.in-addr.arpa", "Five.Example.Net."),
    ZONE_TXT("two.example.net", "v=spf1 all"),
    ZONE_TXT("two.example.net", "v=spf1 all"),
    ZONE_TXT("bad.example.net", "v=spf1 all moo"),
    ZONE_TXT("pass.example.net", "v=spf1 ip4:192.0.2.1 -all"),
    ZONE_TXT("deep.example.net", "v=spf1 include:pass.example.net -all"),
    ZONE_TXT("turn.example.net", "v=spf1 redirect=pass.example.net"),
};

static void evaluates_records(UNUSED void **state)
{
    for (size_t i = 0; i < 2 * COUNT(records); i++) {
        size_t at = i / 2;
        struct zone_record zone[COUNT(surroundings)];
        struct bed bed;
        memcpy(zone, surroundings, sizeof zone);
        zone[0].data = slice_of(records[at].record);
        bed_open(&bed, zone, COUNT(zone));
        assert_true(ip_address_parse(slice_of(records[at].client), &bed.query.client));
        bed.zone.is_slow = i % 2;
        const struct spf_outcome *got = bed_check(&bed);
        struct slice text = got->mechanism.ptr != NULL ? got->mechanism : got->reason;
        if (got->result != records[at].want || got->lookups != records[at].lookups ||
            got->voids != records[at].voids || !slice_equal(text, slice_of(records[at].mechanism)))
            fail_msg("%s: %s, \"%.*s\", %u lookups, %u void", records[at].record,
                     spf_result_word(got->result), SLICE_ARG(text), got->lookups, got->voids);
        bed_close(&bed);
    }
}

/* ---- identities ---- */

static const struct {
    enum spf_identity identity;
    const char *helo_name, *sender, *checked, *domain;
} identities[] = {
    { SPF_MAILFROM, "mail.example.org", "a@example.com", "a@example.com", "example.com" },
    { SPF_MAILFROM, "mail.example.org", "", "postmaster@mail.example.org", "mail.example.org" },
    { SPF_MAILFROM, "mail.example.org", "@example.com", "postmaster@example.com", "example.com" },
    { SPF_MAILFROM, "mail.example.org", "example.com", "postmaster@example.com", "example.com" },
    { SPF_MAILFROM, "mail.example.org", "a@b@example.com", "a@b@example.com", "example.com" },
    { SPF_MAILFROM, "mail.example.org", "a@example.com.", "a@example.com.", "example.com" },
    { SPF_MAILFROM, "mail.example.org", "a@[192.0.2.1]", "a@[192.0.2.1]", "" },
    { SPF_MAILFROM, "mail.example.org", "a@localhost", "a@localhost", "" },
    { SPF_MAILFROM, "", "", "postmaster@", "" },
    { SPF_HELO, "mail.example.org", "a@example.com", "postmaster@mail.example.org",
      "mail.example.org" },
    { SPF_HELO, "[192.0.2.1]", "a@example.com", "postmaster@[192.0.2.1]", "" },
};

static void checks_the_sender_or_the_helo_name(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(identities); i++) {
        struct bed bed;
        bed_open(&bed, NULL, 0);
        bed.query.identity = identities[i].identity;
        bed.query.helo_name = slice_of(identities[i].helo_name);
        bed.query.sender = slice_of(identities[i].sender);
        const struct spf_outcome *got = bed_check(&bed);
        assert_int_equal(SPF_NONE, got->result);
        assert_slice(identities[i].checked, got->sender);
        assert_slice(identities[i].domain, got->domain);
        assert_int_equal(got->domain.len > 0,
                         bed.zone.asked_count); /* what cannot exist is not asked for */
        bed_close(&bed);
    }
}

static void does_not_ask_for_names_that_cannot_exist(UNUSED void **state)
{
    static const struct zone_record zone[] = {
        ZONE_TXT("example.com",
                 "v=spf1 a:%{l}.example.com mx:a..b.c exists:%{h}.example.com ptr:%{l}.c -all"),
    };
    struct bed bed;

    bed_open(&bed, zone, COUNT(zone));
    bed.query.sender =
        SLICE("\xc3\xa4\n@example.com"); /* RFC 8616: terms with such names do not match */
    bed.query.helo_name = SLICE("bell\a");
    const struct spf_outcome *got = bed_check(&bed);
    assert_int_equal(SPF_FAIL, got->result);
    assert_int_equal(4, got->lookups);
    assert_int_equal(0, got->voids);
    assert_int_equal(1, bed.zone.asked_count);
    bed_close(&bed);
}

/* ---- limits ---- */

static void ends_loops_and_fans_after_ten_lookups(UNUSED void **state)
{
    static const struct {
        const char *record;
        size_t most; /* TXT questions */
    } rows[] = {
        { "v=spf1 include:example.com all", 1 },
        { "v=spf1 redirect=example.com", 1 },
        { "v=spf1 include:%{l}.%{d} all", 11 },
        { "v=spf1 include:b.example.com include:b.example.com all", 2 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct zone_record zone[] = {
            ZONE_TXT("example.com", ""),
            ZONE_TXT("b.example.com", "v=spf1 include:example.com -all"),
            ZONE_TXT("a.example.com", "v=spf1 include:%{l}.%{d} include:%{l}.%{d} all"),
            ZONE_TXT("a.a.example.com", "v=spf1 include:example.com include:example.com all"),
        };
        struct bed bed;
        zone[0].data = slice_of(rows[i].record);
        bed_open(&bed, zone, COUNT(zone));
        const struct spf_outcome *got = bed_check(&bed);
        assert_int_equal(SPF_PERMERROR, got->result);
        assert_int_equal(SPF_LOOKUPS_MAX, got->lookups);
        assert_true(slice_starts_with(got->reason, SLICE("too many terms that need lookups: ")));
        assert_true(bed.zone.asked_count <= rows[i].most);
        bed_close(&bed);
    }
}

/* Every record includes 100 others: without a limit for all together that would never end. */
static void evaluates_a_wide_tree_only_as_far_as_allowed(UNUSED void **state)
{
    char wide[8192] = "v=spf1";
    size_t len = 6;

    for (unsigned i = 0; i < 100; i++)
        len += (size_t)snprintf(wide + len, sizeof wide - len, " include:n%u.example.com", i);
    struct zone_record zone[101] = { ZONE_TXT("example.com", "") };
    char names[100][32];
    zone[0].data = (struct slice){ wide, len };
    for (unsigned i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "n%u.example.com", i);
        zone[i + 1] = (struct zone_record){
            slice_of(names[i]), ZONE_DATA, SPF_RR_TXT, { wide, i == 50 ? 6 : len }
        };
    }
    struct bed bed;
    bed_open(&bed, zone, COUNT(zone));
    assert_int_equal(SPF_PERMERROR, bed_check(&bed)->result);
    assert_true(bed.zone.asked_count <= 1 + SPF_LOOKUPS_MAX);
    bed_close(&bed);
}

static void counts_ten_lookups_in_all_records_together(UNUSED void **state)
{
    static const struct zone_record zone[] = {
        ZONE_TXT("example.com", "v=spf1 include:i.example.com exists:x.example.com -all"),
        ZONE_TXT("i.example.com", "v=spf1 a a a a a a a a"),
        ZONE_A("i.example.com", "203.0.113.1"),
        ZONE_A("x.example.com", "127.0.0.2"),
        ZONE_TXT("over.example.com", "v=spf1 a include:i.example.com exists:x.example.com -all"),
        ZONE_A("over.example.com", "203.0.113.1"),
    };
    struct bed bed;

    bed_open(&bed, zone, COUNT(zone));
    const struct spf_outcome *got = bed_check(&bed);
    assert_int_equal(SPF_PASS, got->result);
    assert_int_equal(10, got->lookups);
    bed.query.sender = SLICE("a@over.example.com");
    assert_int_equal(SPF_PERMERROR, bed_check(&bed)->result);
    bed_close(&bed);
}

static void refuses_many_exchangers_without_asking_for_them(UNUSED void **state)
{
    struct zone_record zone[102] = { ZONE_TXT("example.com", "v=spf1 mx all"),
                                     ZONE_A("mx.example.com", "203.0.113.1") };
    struct bed bed;

    for (size_t i = 2; i < COUNT(zone); i++)
        zone[i] = (struct zone_record)ZONE_MX("example.com", "mx.example.com");
    bed_open(&bed, zone, COUNT(zone));
    const struct spf_outcome *got = bed_check(&bed);
    assert_int_equal(SPF_PERMERROR, got->result);
    assert_slice("too many mail exchangers: example.com", got->reason);
    assert_int_equal(0, count_asked(&bed, SPF_RR_A));
    bed.zone.count = 2 + SPF_MX_MAX;
    assert_int_equal(SPF_PASS, bed_check(&bed)->result);
    bed_close(&bed);
}

static void looks_at_ten_client_names_only(UNUSED void **state)
{
    struct zone_record zone[32] = { ZONE_TXT("example.com", "v=spf1 ptr:example.net -all") };
    char names[31][32];
    struct bed bed;

    for (unsigned i = 1; i < COUNT(zone); i++) {
        snprintf(names[i - 1], sizeof names[0], "n%u.example.net", i);
        zone[i] = (struct zone_record)ZONE_PTR("1.2.0.192.in-addr.arpa", "");
        zone[i].data = slice_of(names[i - 1]);
    }
    bed_open(&bed, zone, COUNT(zone));
    assert_int_equal(SPF_FAIL, bed_check(&bed)->result);
    assert_int_equal(SPF_PTR_MAX, count_asked(&bed, SPF_RR_A));
    bed_close(&bed);
}

static void matches_the_last_of_thousands_of_networks(UNUSED void **state)
{
    static char txt[LONGEST_TXT];
    struct zone_record zone[] = { ZONE_TXT("example.com", "") };
    size_t len = 6;
    struct bed bed;

    memcpy(txt, "v=spf1", 6);
    while (len + 50 < sizeof txt)
        len += (size_t)snprintf(txt + len, sizeof txt - len, " ip4:203.0.113.7 ip6:2001:db8::7");
    len += (size_t)snprintf(txt + len, sizeof txt - len, " ip4:192.0.2.1 -all");
    zone[0].data = (struct slice){ txt, len };
    bed_open(&bed, zone, COUNT(zone));
    assert_int_equal(SPF_PASS, bed_check(&bed)->result);
    assert_true(ip_address_parse(SLICE("192.0.2.2"), &bed.query.client));
    assert_int_equal(SPF_FAIL, bed_check(&bed)->result);
    bed_close(&bed);
}

/* What makes libspf2 abort: as mechanism, as redirect, as explanation. */
static void survives_long_macro_strings(UNUSED void **state)
{
    static const char *const begins[] = { "v=spf1 exists:", "v=spf1 include:", "v=spf1 redirect=",
                                          "v=spf1 -all exp=" };
    static const char *const macros[] = { "%{d}.", "%{S}", "%{ir}-", "%{L1r-+,/_=}", "%%%_%-" };
    static char txt[LONGEST_TXT];
    size_t sizes[] = { 4096, sizeof txt };

    for (size_t i = 0; i < COUNT(begins) * COUNT(macros) * COUNT(sizes); i++) {
        const char *begin = begins[i % COUNT(begins)], *macro = macros[i / 4 % COUNT(macros)];
        size_t most = sizes[i / 20], len = strlen(begin);
        struct zone_record zone[] = { ZONE_TXT("example.com", ""), ZONE_TXT("e.example.com", "") };
        struct bed bed;
        memcpy(txt, begin, len);
        while (len + strlen(macro) + 9 < most) {
            memcpy(txt + len, macro, strlen(macro));
            len += strlen(macro);
        }
        memcpy(txt + len, ".test.org", 9);
        zone[0].data = (struct slice){ txt, len + 9 };
        bed_open(&bed, zone, COUNT(zone));
        enum spf_result got = bed_check(&bed)->result;
        enum spf_result want = i % 4 == 0 ? SPF_NEUTRAL : i % 4 == 3 ? SPF_FAIL : SPF_PERMERROR;
        if (got != want)
            fail_msg("%s%s...: %s", begin, macro, spf_result_word(got));
        zone[0].data = SLICE("v=spf1 -all exp=e.example.com");
        zone[1].data = (struct slice){ txt + 6, len - 6 };
        const struct spf_outcome *outcome = bed_check(&bed);
        assert_int_equal(SPF_FAIL, outcome->result);
        assert_true(outcome->explanation.len > 0 && outcome->explanation.len <= 1024);
        bed_close(&bed);
    }
}

/* ---- waiting ---- */

static void asks_for_all_exchangers_side_by_side(UNUSED void **state)
{
    static const struct zone_record zone[] = {
        ZONE_TXT("example.com", "v=spf1 mx -all"), ZONE_MX("example.com", "a.example.com"),
        ZONE_MX("example.com", "b.example.com"),   ZONE_MX("example.com", "c.example.com"),
        ZONE_A("a.example.com", "203.0.113.1"),    ZONE_A("b.example.com", "203.0.113.2"),
        ZONE_A("c.example.com", "192.0.2.1"),
    };
    static const size_t asked[] = { 1, 2, 5 };
    struct bed bed;

    bed_open(&bed, zone, COUNT(zone));
    bed.zone.is_slow = true;
    struct spf_check *check = spf_check_new(bed.arena, &bed.query, &bed.zone.dns);
    assert_non_null(check);
    for (size_t i = 0; i < COUNT(asked); i++) {
        assert_int_equal(SPF_WAIT, spf_check_run(check));
        assert_int_equal(SPF_WAIT, spf_check_run(check)); /* nothing has come: nothing happens */
        assert_int_equal(asked[i], bed.zone.asked_count);
        spf_zone_arrive(&bed.zone);
    }
    assert_int_equal(SPF_KNOWN, spf_check_run(check));
    assert_int_equal(SPF_KNOWN, spf_check_run(check));
    assert_int_equal(SPF_PASS, spf_check_outcome(check)->result);
    assert_int_equal(1, spf_check_outcome(check)->lookups);
    bed_close(&bed);
}

static void a_match_does_not_wait_for_the_other_exchangers(UNUSED void **state)
{
    static const struct zone_record zone[] = {
        ZONE_TXT("example.com", "v=spf1 mx -all"), ZONE_MX("example.com", "a.example.com"),
        ZONE_MX("example.com", "b.example.com"),   ZONE_A("a.example.com", "203.0.113.1"),
        ZONE_A("b.example.com", "192.0.2.1"),
    };
    struct bed bed;

    bed_open(&bed, zone, COUNT(zone));
    bed.zone.is_slow = true;
    struct spf_check *check = spf_check_new(bed.arena, &bed.query, &bed.zone.dns);
    assert_non_null(check);
    while (bed.zone.asked_count < 4) {
        spf_zone_arrive(&bed.zone);
        assert_int_equal(SPF_WAIT, spf_check_run(check));
    }
    bed.zone.asked[3].is_answered = true; /* b's addresses */
    assert_int_equal(SPF_KNOWN, spf_check_run(check));
    assert_int_equal(SPF_PASS, spf_check_outcome(check)->result);
    bed_close(&bed);
}

static void a_check_out_of_time_is_a_temperror(UNUSED void **state)
{
    static const struct zone_record zone[] = {
        ZONE_TXT("example.com", "v=spf1 -all exp=e.example.com"),
        ZONE_TXT("e.example.com", "go away"),
    };
    struct bed bed;

    bed_open(&bed, zone, COUNT(zone));
    bed.zone.is_slow = true;
    struct spf_check *check = spf_check_new(bed.arena, &bed.query, &bed.zone.dns);
    assert_non_null(check);
    assert_int_equal(SPF_WAIT, spf_check_run(check));
    spf_check_give_up(check, "no time left");
    assert_int_equal(SPF_KNOWN, spf_check_run(check));
    assert_int_equal(SPF_TEMPERROR, spf_check_outcome(check)->result);
    assert_slice("no time left", spf_check_outcome(check)->reason);

    check = spf_check_new(bed.arena, &bed.query, &bed.zone.dns);
    assert_non_null(check);
    spf_zone_arrive(&bed.zone);
    assert_int_equal(SPF_WAIT, spf_check_run(check)); /* for the explanation alone */
    spf_check_give_up(check, "no time left");
    assert_int_equal(SPF_FAIL, spf_check_outcome(check)->result);
    assert_slice("DEFAULT", spf_check_outcome(check)->explanation);
    spf_check_give_up(check, "again");
    assert_int_equal(SPF_FAIL, spf_check_outcome(check)->result);
    bed_close(&bed);
}

static void without_memory_the_result_is_a_temperror(UNUSED void **state)
{
    static char txt[LONGEST_TXT] = "v=spf1 -all";
    struct zone_record zone[] = { ZONE_TXT("example.com", "") };
    struct bed bed;

    memset(txt + 11, ' ', sizeof txt - 11);
    zone[0].data = (struct slice){ txt, sizeof txt };
    bed_open(&bed, zone, COUNT(zone));
    arena_free(&bed.arena);
    bed.arena = arena_new(32 << 10);
    assert_non_null(bed.arena);
    const struct spf_outcome *got = bed_check(&bed);
    assert_int_equal(SPF_TEMPERROR, got->result);
    assert_slice("out of memory", got->reason);
    bed_close(&bed);
}

/* ---- what is told ---- */

static void reasons_and_explanations_are_printable(UNUSED void **state)
{
    struct zone_record zone[] = {
        ZONE_TXT("example.com", "v=spf1 \x01\xff\r\nmoo"),
        ZONE_TXT("example.net", "v=spf1 -all exp=e.example.net"),
        ZONE_TXT("e.example.net", "%{l} is not welcome"),
    };
    struct bed bed;

    bed_open(&bed, zone, COUNT(zone));
    assert_slice("unknown mechanism: ????moo in example.com", bed_check(&bed)->reason);
    bed.query.sender = SLICE("\n\xc3\xa4@example.net");
    assert_slice("??? is not welcome", bed_check(&bed)->explanation);
    bed_close(&bed);
}

static void results_have_words(UNUSED void **state)
{
    static const char *const words[] = { "none",     "neutral",   "pass",     "fail",
                                         "softfail", "temperror", "permerror" };

    for (size_t i = 0; i < SPF_RESULTS; i++)
        assert_string_equal(words[i], spf_result_word((enum spf_result)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluates_records),
        cmocka_unit_test(checks_the_sender_or_the_helo_name),
        cmocka_unit_test(does_not_ask_for_names_that_cannot_exist),
        cmocka_unit_test(ends_loops_and_fans_after_ten_lookups),
        cmocka_unit_test(evaluates_a_wide_tree_only_as_far_as_allowed),
        cmocka_unit_test(counts_ten_lookups_in_all_records_together),
        cmocka_unit_test(refuses_many_exchangers_without_asking_for_them),
        cmocka_unit_test(looks_at_ten_client_names_only),
        cmocka_unit_test(matches_the_last_of_thousands_of_networks),
        cmocka_unit_test(survives_long_macro_strings),
        cmocka_unit_test(asks_for_all_exchangers_side_by_side),
        cmocka_unit_test(a_match_does_not_wait_for_the_other_exchangers),
        cmocka_unit_test(a_check_out_of_time_is_a_temperror),
        cmocka_unit_test(without_memory_the_result_is_a_temperror),
        cmocka_unit_test(reasons_and_explanations_are_printable),
        cmocka_unit_test(results_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
