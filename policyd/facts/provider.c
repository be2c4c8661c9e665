/* policyd/facts/provider.c - see provider.h. */
#include "policyd/facts/provider.h"

#include "common/policy/membership.h"
#include "policyd/facts/country.h"
#include "policyd/facts/dns_checks.h"
#include "policyd/facts/dnsbl.h"
#include "policyd/facts/limits.h"
#include "policyd/facts/spf.h"

static enum fetch_result member_fact(struct evaluation *evaluation, size_t slot,
                                     const struct fact_ref *ref, struct value *out)
{
    struct fact_request *request = evaluation->request;
    const struct membership membership = { &request->policy->parts.core.sets, &request->lookups,
                                           request->wall_ms };

    return membership_fact(&membership, evaluation, slot, ref, out);
}

enum fetch_result fact_provide(struct evaluation *evaluation, size_t slot,
                               const struct fact_ref *ref, struct value *out)
{
    struct fact_request *request = evaluation->request;

    if (ref->kind != FACT_PLAIN)
        return member_fact(evaluation, slot, ref, out);
    switch (ref->type->id) {
    case FACT_COUNTRY:
    case FACT_CONTINENT:
    case FACT_ASN:
        return country_fact(request, ref->type->id, out);
    case FACT_LIMIT_USED:
    case FACT_LIMIT_LEFT:
        return limit_fact(evaluation, slot, ref, out);
    case FACT_SPF:
    case FACT_SPF_HELO:
    case FACT_SPF_EXPLANATION:
    case FACT_SPF_DOMAIN:
    case FACT_SPF_HEADER:
        return spf_fact(evaluation, slot, ref, out);
    case FACT_SENDER_MX:
    case FACT_SENDER_DOMAIN_EXISTS:
    case FACT_HELO_DNS:
    case FACT_RECIPIENT_MX:
        return dns_check_fact(evaluation, slot, ref, out);
    case FACT_CLIENT_RDNS:
        client_rdns_fact(request->req, out);
        return FETCH_KNOWN;
    case FACT_DNSBL_SCORE:
    case FACT_DNSBL_ZONES:
    case FACT_DNSBL_TEXT:
    case FACT_DNSBL_WEIGHT:
    case FACT_RHSBL_SCORE:
    case FACT_RHSBL_ZONES:
        return dnsbl_fact(evaluation, slot, ref, out);
    default:
        break;
    }
    struct mailbox_settings settings = policy_attributes(request->policy);
    bool is_known = attribute_fact(request->req, &settings, request->wall_ms, ref->type->id,
                                   request->arena, out);
    return is_known ? FETCH_KNOWN : FETCH_UNKNOWN;
}
