/* tests/programs/spf_check.c - runs SPF checks against zones, for test suites. Reads JSON from standard input, writes JSON
 * to standard output:
 *
 *   [ { "zone": [ ["example.com", "TXT", "v=spf1 -all"], ["example.net", "TIMEOUT", ""], ... ],
 *       "checks": [ { "helo": "...", "client": "192.0.2.1", "sender": "...", "explanation": "DEFAULT" }, ... ] }, ... ]
 *   [ [ { "result": "fail", "explanation": "DEFAULT", "reason": "", "header": "fail (...) ..." }, ... ], ... ]
 *
 * Types: A AAAA MX PTR TXT CNAME TIMEOUT. Each check is made twice, with answers at once and with slow ones; an outcome
 * that depends on that is an error. */
#include <assert.h>

#include <jansson.h>

#include "policyd/spf/received_spf.h"

#include "tests/fakes/spf_zone.h"

enum { RECORDS_MAX = 1000, ARENA_MAX = 64 << 20, HEADER_MAX = 380 };

static struct slice text_of(const json_t *value)
{
    return (struct slice){ json_string_value(value), json_string_length(value) };
}

static struct zone_record read_record(const json_t *row)
{
    static const struct {
        struct slice word;
        enum zone_kind kind;
        enum spf_rr type;
    } types[] = {
        { SLICE_INIT("A"), ZONE_DATA, SPF_RR_A },
        { SLICE_INIT("AAAA"), ZONE_DATA, SPF_RR_AAAA },
        { SLICE_INIT("MX"), ZONE_DATA, SPF_RR_MX },
        { SLICE_INIT("PTR"), ZONE_DATA, SPF_RR_PTR },
        { SLICE_INIT("TXT"), ZONE_DATA, SPF_RR_TXT },
        { SLICE_INIT("CNAME"), ZONE_ALIAS, SPF_RR_A },
        { SLICE_INIT("TIMEOUT"), ZONE_FAILS, SPF_RR_A },
    };
    struct slice word = text_of(json_array_get(row, 1));

    for (size_t i = 0; i < COUNT(types); i++) {
        if (slice_equal(word, types[i].word))
            return (struct zone_record){ text_of(json_array_get(row, 0)), types[i].kind,
                                         types[i].type, text_of(json_array_get(row, 2)) };
    }
    fprintf(stderr, "spf_check: unknown type %.*s\n", SLICE_ARG(word));
    exit(1);
}

static json_t *json_text(struct slice text)
{
    return json_stringn(text.len > 0 ? text.ptr : "", text.len);
}

static json_t *run(const struct zone_record *records, size_t count, const json_t *row, bool is_slow)
{
    struct arena *arena = arena_new(ARENA_MAX);
    struct spf_zone zone;
    AUTO_BUF header = BUF_INIT(HEADER_MAX);
    struct spf_query query = {
        .helo_name = text_of(json_object_get(row, "helo")),
        .sender = text_of(json_object_get(row, "sender")),
        .default_explanation = text_of(json_object_get(row, "explanation")),
    };

    if (arena == NULL || !spf_zone_init(&zone, records, count) ||
        !ip_address_parse(text_of(json_object_get(row, "client")), &query.client)) {
        fputs("spf_check: no memory, or a bad client\n", stderr);
        exit(1);
    }
    zone.is_slow = is_slow;
    const struct spf_outcome *outcome = spf_zone_check(&zone, arena, &query);
    int rc = spf_received_print(&header, &query, outcome);
    assert(rc == 0);
    (void)rc;
    json_t *out = json_pack("{s:s, s:o, s:o, s:o}", "result", spf_result_word(outcome->result),
                            "explanation", json_text(outcome->explanation), "reason",
                            json_text(outcome->reason), "header", json_text(buf_slice(&header)));
    spf_zone_free(&zone);
    arena_free(&arena);
    return out;
}

static json_t *run_scenario(const json_t *scenario)
{
    static struct zone_record records[RECORDS_MAX];
    json_t *out = json_array(), *row;
    size_t count = 0, i;

    json_array_foreach (json_object_get(scenario, "zone"), i, row) {
        assert(count < COUNT(records));
        records[count++] = read_record(row);
    }
    json_array_foreach (json_object_get(scenario, "checks"), i, row) {
        json_t *fast = run(records, count, row, false), *slow = run(records, count, row, true);
        if (!json_equal(fast, slow)) {
            fputs("spf_check: slow answers make another outcome\n", stderr);
            exit(1);
        }
        json_decref(slow);
        json_array_append_new(out, fast);
    }
    return out;
}

int main(void)
{
    json_error_t error;
    json_t *in = json_loadf(stdin, JSON_ALLOW_NUL, &error), *out = json_array(), *row;
    size_t i;

    if (in == NULL) {
        fprintf(stderr, "spf_check: %s\n", error.text);
        return 1;
    }
    json_array_foreach (in, i, row)
        json_array_append_new(out, run_scenario(row));
    int rc = json_dumpf(out, stdout, JSON_COMPACT);
    json_decref(out);
    json_decref(in);
    return rc == 0 ? 0 : 1;
}
