/* policyd/facts/dnsbl.h - DNS block and allow lists (RFC 5782): is the client, the sender's domain, the HELO name or the
 * client's name listed. All lists that a fact needs are asked side by side.
 *
 * A list that gives no answer counts as one that does not list. When no list has answered, or an allow list has not and the
 * others would refuse, the facts are unknown: a failed look-up alone never refuses mail. */
#ifndef GATEHOUSE_POLICYD_DNSBL_H
#define GATEHOUSE_POLICYD_DNSBL_H

#include "policyd/facts/request.h"

enum { DNSBL_TEXT_MAX = 200 }; /* bytes of dnsbl.text */

/* FACT_DNSBL_... and FACT_RHSBL_... */
enum fetch_result dnsbl_fact(struct evaluation *evaluation, size_t slot, const struct fact_ref *ref,
                             struct value *out);

#endif
