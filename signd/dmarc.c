/* signd/dmarc.c - see dmarc.h. */
#include "signd/dmarc.h"

#include <string.h>

#include <libpsl.h>

#include "common/mail/address.h"

const char *const dmarc_policy_words[] = { "none", "quarantine", "reject", NULL };
const char *const dmarc_result_words[] = { "none", "pass", "fail", "temperror", "permerror", NULL };

/* ---- records ---- */

/* `name = value` without white space around them. */
static bool read_tag(struct slice item, struct slice *name, struct slice *value)
{
    *value = item;
    if (!slice_cut(value, '=', name))
        return false;
    *name = slice_trim(*name);
    *value = slice_trim(*value);
    return true;
}

static bool next_item(struct slice *rest, struct slice *item)
{
    if (rest->len == 0)
        return false;
    if (slice_cut(rest, ';', item))
        return true;
    *item = *rest;
    rest->len = 0;
    return true;
}

bool dmarc_is_record(struct slice text)
{
    struct slice rest = text, item, name, value;

    return next_item(&rest, &item) && read_tag(item, &name, &value) &&
           slice_equal_nocase(name, SLICE("v")) && slice_equal(value, SLICE("DMARC1"));
}

/* The first tag of this name; absent: there is none. */
static struct slice tag_value(struct slice text, struct slice wanted)
{
    struct slice item, name, value;

    while (next_item(&text, &item))
        if (read_tag(item, &name, &value) && slice_equal_nocase(name, wanted))
            return value;
    return (struct slice){ NULL, 0 };
}

static bool read_policy(struct slice value, enum dmarc_policy *out)
{
    for (size_t i = 0; dmarc_policy_words[i] != NULL; i++) {
        if (!slice_equal_nocase(value, slice_of(dmarc_policy_words[i])))
            continue;
        *out = (enum dmarc_policy)i;
        return true;
    }
    return false;
}

/* At least one address that a report could be sent to. */
static bool has_report_address(struct slice rua)
{
    struct slice uri;

    while (slice_next(&rua, ',', &uri)) {
        struct slice scheme = slice_part(uri, 0, strlen("mailto:"));
        if (slice_equal_nocase(scheme, SLICE("mailto:")) && slice_find(uri, '@') != SIZE_MAX)
            return true;
    }
    return false;
}

static unsigned read_percent(struct slice value)
{
    uint64_t percent;

    return value.ptr != NULL && slice_to_u64(value, &percent) && percent <= 100 ? (unsigned)percent
                                                                                : 100;
}

bool dmarc_record_parse(struct slice text, struct dmarc_record *out)
{
    struct slice sp = tag_value(text, SLICE("sp"));
    struct dmarc_record record = {
        .strict_dkim = slice_equal_nocase(tag_value(text, SLICE("adkim")), SLICE("s")),
        .strict_spf = slice_equal_nocase(tag_value(text, SLICE("aspf")), SLICE("s")),
        .percent = read_percent(tag_value(text, SLICE("pct"))),
    };

    bool is_good = read_policy(tag_value(text, SLICE("p")), &record.policy);
    record.subdomain_policy = record.policy;
    if (is_good && sp.ptr != NULL)
        is_good = read_policy(sp, &record.subdomain_policy);
    if (!is_good) {
        if (!has_report_address(tag_value(text, SLICE("rua"))))
            return false;
        record.policy = record.subdomain_policy = DMARC_NONE;
    }
    *out = record;
    return true;
}

/* ---- the public suffix list ---- */

struct slice dmarc_organizational_domain(struct slice domain)
{
    char text[ADDRESS_DOMAIN_MAX + 1];
    const psl_ctx_t *list = psl_builtin();

    if (list == NULL || domain.len == 0 || domain.len >= sizeof text)
        return domain;
    memcpy(text, domain.ptr, domain.len);
    text[domain.len] = '\0';
    const char *registrable = psl_registrable_domain(list, text);
    return registrable == NULL ? domain : slice_skip(domain, (size_t)(registrable - text));
}

/* ---- evaluation ---- */

bool dmarc_is_aligned(struct slice from, struct slice domain, bool is_strict)
{
    if (domain.len == 0)
        return false;
    return slice_equal(from, domain) ||
           (!is_strict &&
            slice_equal(dmarc_organizational_domain(from), dmarc_organizational_domain(domain)));
}

/* Sets the two `aligned`; true: something that could have passed could not be looked up. */
static bool weigh(const struct dmarc_input *input, struct dmarc_verdict *verdict)
{
    bool in_doubt = false;

    for (size_t i = 0; i < input->evidence_count; i++) {
        const struct dmarc_evidence *one = &input->evidence[i];
        bool is_strict = one->is_spf ? input->record->strict_spf : input->record->strict_dkim;
        if (one->result == EVIDENCE_FAIL ||
            !dmarc_is_aligned(input->from_domain, one->domain, is_strict))
            continue;
        if (one->result == EVIDENCE_TEMPERROR)
            in_doubt = true;
        else if (one->is_spf)
            verdict->spf_aligned = true;
        else
            verdict->dkim_aligned = true;
    }
    return in_doubt;
}

/* Out of the sample the next milder policy counts (6.6.4). */
static enum dmarc_policy sampled(enum dmarc_policy policy, unsigned percent, unsigned draw)
{
    if (draw < percent || policy == DMARC_NONE)
        return policy;
    return policy == DMARC_REJECT ? DMARC_QUARANTINE : DMARC_NONE;
}

void dmarc_evaluate(const struct dmarc_input *input, struct dmarc_verdict *verdict)
{
    static const enum dmarc_result without[] = {
        [DMARC_LOOKUP_NONE] = DMARC_RESULT_NONE,
        [DMARC_LOOKUP_TEMPERROR] = DMARC_TEMPERROR,
        [DMARC_LOOKUP_BAD] = DMARC_PERMERROR,
    };

    *verdict = (struct dmarc_verdict){ .result = DMARC_RESULT_NONE };
    if (input->lookup != DMARC_LOOKUP_FOUND) {
        verdict->result = without[input->lookup];
        return;
    }
    verdict->published =
        input->is_organizational ? input->record->subdomain_policy : input->record->policy;
    bool in_doubt = weigh(input, verdict);
    if (verdict->spf_aligned || verdict->dkim_aligned) {
        verdict->result = DMARC_PASS;
    } else if (in_doubt) {
        verdict->result = DMARC_TEMPERROR;
    } else {
        verdict->result = DMARC_FAIL;
        verdict->policy = sampled(verdict->published, input->record->percent, input->draw);
    }
}

bool dmarc_is_stricter(const struct dmarc_verdict *verdict, const struct dmarc_verdict *than)
{
    static const unsigned severity[] = {
        [DMARC_PASS] = 0,      [DMARC_RESULT_NONE] = 1, [DMARC_PERMERROR] = 2,
        [DMARC_TEMPERROR] = 3, [DMARC_FAIL] = 4,
    };

    return verdict->policy != than->policy ? verdict->policy > than->policy
                                           : severity[verdict->result] > severity[than->result];
}
