/* policyd/facts/dns_checks.h - facts about names: can mail to a domain be delivered, does the HELO name lead to the client,
 * has the client a name. */
#ifndef GATEHOUSE_POLICYD_DNS_CHECKS_H
#define GATEHOUSE_POLICYD_DNS_CHECKS_H

#include "policyd/facts/request.h"

/* FACT_SENDER_MX, FACT_RECIPIENT_MX, FACT_SENDER_DOMAIN_EXISTS, FACT_HELO_DNS. A failed look-up makes them unknown. */
enum fetch_result dns_check_fact(struct evaluation *evaluation, size_t slot,
                                 const struct fact_ref *ref, struct value *out);

/* FACT_CLIENT_RDNS: what Postfix found out; no look-up. */
void client_rdns_fact(const struct policy_request *req, struct value *out);

/* ---- pure; for tests ---- */

enum { MX_HOSTS_MAX = 10 }; /* of one domain are looked up, the most preferred */

/* What the addresses of the hosts that take a domain's mail amount to. */
struct mx_addresses {
    bool has_public, has_private, has_loop;
};
void mx_addresses_add(struct mx_addresses *addresses, const struct ip_address *address);
/* "ok": one can be reached from the Internet; "private": none can; "loop": all lead back to this host (loopback or
 * unspecified); "none": there are none. */
const char *mx_addresses_word(const struct mx_addresses *addresses);

/* The most preferred exchanges, the null MX left out; returns how many. */
size_t mx_hosts(const struct dns_answer *answer, struct slice out[MX_HOSTS_MAX]);

#endif
