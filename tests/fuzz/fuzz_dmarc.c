/* tests/fuzz/fuzz_dmarc.c - any bytes as a DMARC record, and as the domains that it is about: what comes out lies in its bounds. The
 * first line is the record, the next ones are domains. */
#include "signd/dmarc.h"

#include "common/mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(const struct dmarc_record *record)
{
    if (record->percent > 100 || record->policy > DMARC_REJECT ||
        record->subdomain_policy > DMARC_REJECT)
        abort();
}

/* As callers have them: A-labels in lower case. */
static bool is_domain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != ascii_lower(text.ptr[i]))
            return false;
    return address_is_valid_domain(text) && text.ptr[0] != '[';
}

static void check_domain(struct slice domain)
{
    struct slice organizational = dmarc_organizational_domain(domain);

    if (!slice_ends_with(domain, organizational) || !dmarc_is_aligned(domain, domain, true) ||
        !dmarc_is_aligned(domain, domain, false))
        abort();
    if (!slice_equal(dmarc_organizational_domain(organizational), organizational))
        abort(); /* it is its own */
}

static void check_verdict(const struct dmarc_record *record, struct slice from, struct slice signer)
{
    const struct dmarc_evidence evidence = { false, EVIDENCE_PASS, signer };
    struct dmarc_input input = { from, DMARC_LOOKUP_FOUND, record, false, &evidence, 1, 50 };
    struct dmarc_verdict verdict;

    dmarc_evaluate(&input, &verdict);
    if ((verdict.result == DMARC_PASS) != dmarc_is_aligned(from, signer, record->strict_dkim) ||
        (verdict.result == DMARC_PASS && verdict.policy != DMARC_NONE))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = { (const char *)data, size }, text, from, signer;
    struct dmarc_record record;

    if (!slice_cut(&rest, '\n', &text) || !slice_cut(&rest, '\n', &from))
        return 0;
    signer = rest;
    if (dmarc_is_record(text) && dmarc_record_parse(text, &record)) {
        check_record(&record);
        if (is_domain(from) && is_domain(signer))
            check_verdict(&record, from, signer);
    }
    if (is_domain(from))
        check_domain(from);
    if (is_domain(signer))
        check_domain(signer);
    return 0;
}
