/* tests/bench/bench_spf.c - SPF evaluation with all answers at hand: microseconds per check of a record with 10 look-ups, of
 * a short one, and of the longest ones that somebody could publish; for the first two also what libspf2 takes for the same,
 * in process and with the same answers (the others it cannot do, or does not survive). */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <time.h>

/* These need the ones above. */
#include <spf2/spf.h>
#include <spf2/spf_dns_zone.h>

#include "policyd/spf/spf.h"

enum {
    SECONDS_NS = 1000 * 1000 * 1000,
    RECORDS_MAX = 32,
    LONGEST_TXT = 65535,
    ARENA_MAX = 4 << 20
};

/* ---- the zone ---- */

static char networks[LONGEST_TXT], macros[LONGEST_TXT];

static struct {
    const char *name;
    enum spf_rr type;
    const char *data;
    /* the same, as an answer */
    struct ip_address address;
    struct slice text;
} zone[] = {
    { "short.example", SPF_RR_TXT, "v=spf1 mx -all", .text = { NULL, 0 } },
    { "short.example", SPF_RR_MX, "mail.short.example", .text = { NULL, 0 } },
    { "mail.short.example", SPF_RR_A, "192.0.2.1", .text = { NULL, 0 } },
    { "long.example", SPF_RR_TXT,
      "v=spf1 a mx include:_a.long.example include:_b.long.example exists:%{ir}.ok.long.example "
      "include:_d.long.example -all",
      .text = { NULL, 0 } },
    { "long.example", SPF_RR_A, "203.0.113.1", .text = { NULL, 0 } },
    { "long.example", SPF_RR_MX, "mx.long.example", .text = { NULL, 0 } },
    { "mx.long.example", SPF_RR_A, "203.0.113.2", .text = { NULL, 0 } },
    { "_a.long.example", SPF_RR_TXT,
      "v=spf1 ip4:198.51.100.0/28 ip4:198.51.100.64/28 ip6:2001:db8:1::/48 ip4:198.51.100.128/28 "
      "include:_c.long.example ~all",
      .text = { NULL, 0 } },
    { "_b.long.example", SPF_RR_TXT,
      "v=spf1 a:mx.long.example mx:long.example ip4:203.0.113.128/25 ?all", .text = { NULL, 0 } },
    { "_c.long.example", SPF_RR_TXT, "v=spf1 ip4:203.0.113.64/26 ip4:198.51.100.32/28 -all",
      .text = { NULL, 0 } },
    { "_d.long.example", SPF_RR_TXT, "v=spf1 ip4:203.0.113.16/28 ip4:192.0.2.0/24 ~all",
      .text = { NULL, 0 } },
    { "1.2.0.192.ok.long.example", SPF_RR_A, "", .text = { NULL, 0 } },
    { "networks.example", SPF_RR_TXT, networks, .text = { NULL, 0 } },
    { "macros.example", SPF_RR_TXT, macros, .text = { NULL, 0 } },
};

static void zone_make(void)
{
    size_t len = (size_t)snprintf(networks, sizeof networks, "v=spf1");

    while (len + 30 < sizeof networks)
        len += (size_t)snprintf(networks + len, sizeof networks - len, " ip4:203.0.113.%zu",
                                len % 200);
    snprintf(networks + len, sizeof networks - len, " -all");
    len = (size_t)snprintf(macros, sizeof macros, "v=spf1 exists:");
    while (len + 30 < sizeof macros)
        len += (size_t)snprintf(macros + len, sizeof macros - len, "%%{S1r-}");
    snprintf(macros + len, sizeof macros - len, ".x.example -all");
    for (size_t i = 0; i < COUNT(zone); i++) {
        zone[i].text = slice_of(zone[i].data);
        if (zone[i].type == SPF_RR_A)
            ip_address_parse(zone[i].text, &zone[i].address);
    }
}

static enum spf_dns_status lookup(UNUSED void *arg, struct slice name, enum spf_rr type,
                                  struct spf_answer *out)
{
    for (size_t i = 0; i < COUNT(zone); i++) {
        if (zone[i].type != type || zone[i].text.len == 0 ||
            !slice_equal_nocase(name, slice_of(zone[i].name)))
            continue;
        *out = (struct spf_answer){ 1, &zone[i].address, &zone[i].text };
        return SPF_DNS_FOUND;
    }
    return SPF_DNS_NOTHING;
}

/* ---- the two evaluators ---- */

struct subject {
    const char *what, *sender;
    const char *want; /* the result */
    bool libspf2_too;
};

static const struct spf_dns dns = { lookup, NULL };
static struct arena *arena;
static SPF_server_t *server;

static const char *check_ours(const struct subject *subject)
{
    struct spf_query query = { .helo_name = SLICE("mail.short.example"),
                               .sender = slice_of(subject->sender) };

    arena_reset(arena);
    ip_address_parse(SLICE("192.0.2.1"), &query.client);
    struct spf_check *check = spf_check_new(arena, &query, &dns);
    if (check == NULL || spf_check_run(check) != SPF_KNOWN)
        abort();
    return spf_result_word(spf_check_outcome(check)->result);
}

static const char *check_libspf2(const struct subject *subject)
{
    SPF_request_t *request = SPF_request_new(server);
    SPF_response_t *response = NULL;

    SPF_request_set_ipv4_str(request, "192.0.2.1");
    SPF_request_set_helo_dom(request, "mail.short.example");
    SPF_request_set_env_from(request, subject->sender);
    SPF_request_query_mailfrom(request, &response);
    const char *result = SPF_strresult(SPF_response_result(response));
    SPF_response_free(response);
    SPF_request_free(request);
    return result;
}

static bool libspf2_start(void)
{
    static const ns_type types[] = {
        [SPF_RR_A] = ns_t_a, [SPF_RR_MX] = ns_t_mx, [SPF_RR_TXT] = ns_t_txt
    };
    SPF_dns_server_t *answers = SPF_dns_zone_new(NULL, "bench", 0);

    for (size_t i = 0; answers != NULL && i < COUNT(zone); i++) {
        if (zone[i].text.len > 0 && zone[i].text.len < 1000)
            SPF_dns_zone_add_str(answers, zone[i].name, types[zone[i].type], NETDB_SUCCESS,
                                 zone[i].data);
    }
    server = answers == NULL ? NULL : SPF_server_new_dns(answers, 0);
    return server != NULL && SPF_server_set_rec_dom(server, "mx.example.net") == SPF_E_SUCCESS;
}

/* ---- measuring ---- */

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * SECONDS_NS + now.tv_nsec;
}

/* Microseconds of CPU for one check, over half a second. */
static double measure(const char *check(const struct subject *), const struct subject *subject)
{
    int64_t start = now_ns(), used;
    unsigned done = 0;

    if (strcmp(check(subject), subject->want) != 0) {
        fprintf(stderr, "bench_spf: %s: %s\n", subject->what, check(subject));
        exit(EXIT_FAILURE);
    }
    do {
        check(subject);
        done++;
        used = now_ns() - start;
    } while (used < SECONDS_NS / 2);
    return (double)used / 1000.0 / done;
}

static const struct subject subjects[] = {
    { "mx", "a@short.example", "pass", true },
    { "10 look-ups in 5 records", "a@long.example", "pass", true },
    { "64 KiB of networks", "a@networks.example", "fail", false },
    { "64 KiB of macros", "a@macros.example", "fail", false },
};

int main(void)
{
    arena = arena_new(ARENA_MAX);
    zone_make();
    if (arena == NULL || !libspf2_start())
        return EXIT_FAILURE;
    for (size_t i = 0; i < COUNT(subjects); i++) {
        printf("%-26s %8.2f us", subjects[i].what, measure(check_ours, &subjects[i]));
        if (subjects[i].libspf2_too)
            printf("   libspf2 %8.2f us", measure(check_libspf2, &subjects[i]));
        putchar('\n');
    }
    SPF_server_free(server);
    arena_free(&arena);
    return EXIT_SUCCESS;
}
