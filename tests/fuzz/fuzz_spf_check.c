/* tests/fuzz/fuzz_spf_check.c - check_host() against a DNS that says anything: it ends, keeps its limits, and says the same
 * whether answers come at once or late.
 *
 * Input: lines; the first three are sender, HELO name and client, the others are records NAME \t TYPE DATA with a letter
 * for the type: T M P (text, exchanger, client name), 4 6 (addresses), C (alias), F (failure). */
#include <assert.h>

#include "policyd/spf/received_spf.h"

#include "tests/fakes/spf_zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 64, ARENA_MAX = 16 << 20, HEADER_MAX = 380 };

static bool read_record(struct slice line, struct zone_record *out)
{
    static const char letters[] = "46MPTCF";
    struct slice name;

    if (!slice_cut(&line, '\t', &name) || line.len == 0)
        return false;
    const char *letter = memchr(letters, line.ptr[0], sizeof letters - 1);
    if (letter == NULL)
        return false;
    *out = (struct zone_record){ .name = name,
                                 .kind = *letter == 'C'   ? ZONE_ALIAS
                                         : *letter == 'F' ? ZONE_FAILS
                                                          : ZONE_DATA,
                                 .type = (enum spf_rr)((letter - letters) % (SPF_RR_TXT + 1)),
                                 .data = slice_skip(line, 1) };
    return true;
}

static struct spf_outcome check(const struct zone_record *records, size_t count,
                                const struct spf_query *query, bool is_slow, struct arena *arena)
{
    static struct spf_zone zone;
    AUTO_BUF header = BUF_INIT(HEADER_MAX);

    if (!spf_zone_init(&zone, records, count))
        abort();
    zone.is_slow = is_slow;
    struct spf_outcome outcome = *spf_zone_check(&zone, arena, query);
    assert(outcome.lookups <= SPF_LOOKUPS_MAX && outcome.voids <= SPF_VOIDS_MAX);
    size_t most = 2 + SPF_LOOKUPS_MAX * (2 + SPF_MX_MAX + SPF_PTR_MAX) + SPF_PTR_MAX;
    assert(zone.asked_count <= most);
    assert(outcome.explanation.len == 0 || outcome.result == SPF_FAIL);
    int rc = spf_received_print(&header, query, &outcome);
    assert(rc == 0);
    (void)rc;
    spf_zone_free(&zone);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = { (const char *)data, size }, line;
    struct zone_record records[RECORDS_MAX];
    struct spf_query query = { .default_explanation = SLICE("no") };
    size_t count = 0;

    if (!slice_cut(&rest, '\n', &query.sender) || !slice_cut(&rest, '\n', &query.helo_name) ||
        !slice_cut(&rest, '\n', &line) || !ip_address_parse(line, &query.client))
        return 0;
    while (count < RECORDS_MAX && slice_next(&rest, '\n', &line))
        count += read_record(line, &records[count]);
    struct arena *arena = arena_new(ARENA_MAX);
    if (arena == NULL)
        abort();
    struct spf_outcome fast = check(records, count, &query, false, arena);
    struct spf_outcome slow = check(records, count, &query, true, arena);
    assert(fast.result == slow.result && fast.lookups == slow.lookups);
    assert(slice_equal(fast.explanation, slow.explanation));
    arena_free(&arena);
    return 0;
}
