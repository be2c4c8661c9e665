/* signd/evidence_dns.h - what verifying one message needs from the DNS: the keys of its signatures and the DMARC records of
 * its From domains (RFC 7489 6.6.3), all asked for at once, on a worker's loop. */
#ifndef GATEHOUSE_SIGND_EVIDENCE_DNS_H
#define GATEHOUSE_SIGND_EVIDENCE_DNS_H

#include "common/net/dns.h"
#include "signd/claims.h"
#include "signd/dmarc.h"

/* The DMARC record of one From domain. */
struct from_policy {
    struct slice domain; /* in: A-labels, lower case */
    /* out */
    enum dmarc_lookup lookup; /* TEMPERROR until it is known */
    struct dmarc_record record; /* FOUND */
    bool is_organizational; /* it is the organizational domain's */
};

struct evidence_dns; /* opaque; in the arena */

/* Sets key_state and key of each claim that is ready, and the policies. True: all is there, `done` will not be called. Else it
 * is called once, from the loop. What cannot be looked up for want of memory is a TEMPERROR. `claims` and `policies` stay
 * borrowed until then; `arena` holds what they refer to. */
bool evidence_dns_start(struct dns *dns, struct arena *arena, struct dkim_claim *claims,
                        size_t claim_count, struct from_policy *policies, size_t policy_count,
                        void (*done)(void *arg), void *arg, struct evidence_dns **out);
/* Ends what is under way, without `done`; those claims and policies stay TEMPERROR. NULL-safe; clears. */
void evidence_dns_abandon(struct evidence_dns **evidence);

#endif
