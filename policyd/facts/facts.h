/* policyd/facts/facts.h - the facts policyd's rules can name: what Postfix sent, what follows from it, and what has to be
 * looked up. One provider file for each kind; this table is the whole truth about names, types and stages. */
#ifndef GATEHOUSE_POLICYD_FACTS_H
#define GATEHOUSE_POLICYD_FACTS_H

#include "common/policy/values.h"
#include "common/rules/fact.h"
#include "policyd/policy_proto.h"

/* Facts that are attributes have the attribute's number; the others follow. */
enum policyd_fact {
    FACT_SENDER_DOMAIN = POLICY_ATTRIBUTES,
    FACT_RECIPIENT_DOMAIN,
    FACT_SASL_DOMAIN,
    FACT_CLIENT_NET,
    FACT_HELO_IS_ADDRESS,
    FACT_AUTHENTICATED,
    FACT_ENCRYPTED,
    FACT_HOUR,
    FACT_WEEKDAY,
    FACT_SCORE,
    FACT_COUNTRY,
    FACT_CONTINENT,
    FACT_ASN,
    FACT_SENDER_MX,
    FACT_SENDER_DOMAIN_EXISTS,
    FACT_HELO_DNS,
    FACT_CLIENT_RDNS,
    FACT_RECIPIENT_MX,
    FACT_DNSBL_SCORE,
    FACT_DNSBL_ZONES,
    FACT_DNSBL_TEXT,
    FACT_DNSBL_WEIGHT,
    FACT_RHSBL_SCORE,
    FACT_RHSBL_ZONES,
    FACT_LIMIT_USED,
    FACT_LIMIT_LEFT,
    FACT_SPF,
    FACT_SPF_HELO,
    FACT_SPF_EXPLANATION,
    FACT_SPF_DOMAIN,
    FACT_SPF_HEADER,
};

extern const struct fact_type policyd_facts[];
extern const size_t policyd_fact_count;

/* The value of a fact that follows from the request (and the time) alone: ids up to FACT_WEEKDAY. False: out of memory,
 * or not such a fact. Texts borrow from the request or live in `arena`. Pure. */
bool attribute_fact(const struct policy_request *req, const struct mailbox_settings *settings,
                    uint64_t wall_ms, int id, struct arena *arena, struct value *out);

#endif
