/* tests/fuzz/fuzz_spf_record.c - SPF records and macros: any bytes are a record or have an error inside of them, its terms
 * are read again as they were checked, and their domains expand to something short. */
#include <assert.h>

#include "policyd/spf/macro.h"
#include "policyd/spf/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct spf_macro_values values = {
    .sender = SLICE_INIT("a-b.\xff@example.com"),
    .local = SLICE_INIT("a-b.\xff"),
    .sender_domain = SLICE_INIT("example.com"),
    .domain = SLICE_INIT("x.example.com"),
    .helo_name = SLICE_INIT("\n."),
    .client = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } },
};

static void expand(struct slice spec)
{
    char room[SPF_EXPANSION_MAX];

    if (spec.ptr == NULL)
        return;
    assert(spf_domain_spec_check(spec) == NULL);
    struct slice name = spf_macro_domain(spec, &values, room);
    assert(name.len <= SPF_NAME_MAX);
    assert(name.len == 0 || (name.ptr >= room && name.ptr + name.len <= room + sizeof room));
}

static void explain(struct slice text)
{
    char room[SPF_EXPANSION_MAX];

    if (spf_explain_string_check(text) != NULL)
        return;
    struct slice got = spf_macro_explain(text, &values, room);
    assert(got.len <= sizeof room);
    for (size_t i = 0; i < got.len; i++)
        assert(ascii_is_print(got.ptr[i]));
}

static bool is_inside(struct slice inner, struct slice outer)
{
    return inner.ptr >= outer.ptr && inner.ptr + inner.len <= outer.ptr + outer.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice txt = { (const char *)data, size };
    struct spf_record record;
    struct spf_syntax_error error;
    struct spf_term term;

    explain(txt);
    if (!spf_record_is_spf1(txt))
        return 0;
    if (!spf_record_parse(txt, &record, &error)) {
        assert(error.what != NULL && error.where.len > 0 && is_inside(error.where, txt));
        return 0;
    }
    expand(record.redirect);
    expand(record.exp);
    struct slice rest = record.terms;
    while (spf_record_next(&rest, &term)) {
        assert(is_inside(term.text, txt) && term.text.len > 0);
        assert(term.ip4_bits <= 32 && term.ip6_bits <= 128);
        expand(term.domain_spec);
    }
    assert(rest.len == 0);
    return 0;
}
