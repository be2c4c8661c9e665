/* signd/results.h - what verifying one message has found, all of it together: its signatures, SPF, DMARC. Pure. */
#ifndef GATEHOUSE_SIGND_RESULTS_H
#define GATEHOUSE_SIGND_RESULTS_H

#include "common/message/facts.h"
#include "signd/auth_results.h"
#include "signd/claims.h"
#include "signd/evidence_dns.h"

/* SPF of the envelope sender; of the HELO name for the null sender. */
struct spf_finding {
    bool is_known; /* somebody has looked */
    struct slice result; /* a result of RFC 7208 2.6; empty: not looked up */
    struct slice domain; /* A-labels, lower case */
};

struct results {
    /* in */
    struct dkim_claim *claims; /* judged (verify.h) */
    size_t claim_count, claims_over; /* looked at; beyond max_signatures */
    struct spf_finding spf;
    struct slice sender_domain; /* whose SPF would count if it were known */
    struct from_policy *policies; /* of each From domain; looked up */
    size_t policy_count;
    bool has_more_domains; /* From domains that were not looked at */
    unsigned draw; /* dmarc_input.draw */
    /* out, by results_judge() */
    enum dkim_result dkim; /* the best one */
    /* A signature that passes is of a From domain, or of its organizational domain. */
    bool is_aligned;
    bool is_testing; /* the key of one that passes says t=y */
    bool has_length; /* one that passes has l= */
    struct dmarc_verdict dmarc; /* of the From domain whose owner asks for most */
    struct slice dmarc_domain; /* that one; absent: there is none */
};

/* False: out of memory. Without SPF (it is not known, or nobody has looked) DMARC does not fail where SPF could have made it
 * pass: it is a temperror. */
bool results_judge(struct results *results, struct arena *arena);

/* Received-SPF (RFC 7208 9.1), to be believed only when the field is known to be ours: `receiver` is its receiver=. False: it is
 * none, or of somebody else. Slices borrow from `value`, the domain may be in `arena`. */
bool results_spf_of_field(struct slice value, struct slice receiver, struct arena *arena,
                          struct spf_finding *out);

/* What Authentication-Results say beside them. */
struct auth_envelope {
    struct slice login; /* of a client that has logged in, else empty */
    struct slice sender, helo; /* of the envelope; HELO counts when the sender is empty */
};
/* The results in the order of the field; *out and what it refers to in `arena`. `results` NULL: nothing was verified. False: out
 * of memory. */
bool results_list(const struct results *results, const struct auth_envelope *envelope,
                  struct arena *arena, struct auth_result **out, size_t *count);

#endif
