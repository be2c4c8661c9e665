/* signd/dmarc.h - DMARC (RFC 7489): records, alignment, and what the owner of the From domain asks for. Pure: DNS answers,
 * SPF and DKIM results come in.
 *
 * Records are read here and not by libopendmarc: of what RFC 7489 6.3 and 6.6.3 say, that one (1.4.2) takes a record whose
 * v= does not come first, reads pct=abc as 0 (the policy would never count), lets a second p= override the first, and
 * refuses whole records for what is to be ignored. Tests compare both where they must agree. */
#ifndef GATEHOUSE_SIGND_DMARC_H
#define GATEHOUSE_SIGND_DMARC_H

#include "common/base/slice.h"

/* In the order of the words of the fact dmarc.policy. */
enum dmarc_policy { DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT };
extern const char *const dmarc_policy_words[];

/* ---- records ---- */

struct dmarc_record {
    enum dmarc_policy policy; /* p= */
    enum dmarc_policy subdomain_policy; /* sp=, or p= */
    bool strict_dkim, strict_spf; /* adkim=s, aspf=s */
    unsigned percent; /* pct=, 0 to 100 */
};

/* Whether a TXT record is one of DMARC at all: it begins with v=DMARC1 (6.6.3, step 2). */
bool dmarc_is_record(struct slice text);
/* False: no policy can be had from it (6.6.3, step 6): p= is missing or odd, or sp= is, and there is no rua=. Other odd tags
 * have their defaults (6.3). */
bool dmarc_record_parse(struct slice text, struct dmarc_record *out);

/* ---- the public suffix list ---- */

/* The organizational domain (3.2) of a domain in A-labels and lower case: the name under its public suffix; the domain itself
 * when it is a suffix, or has none. A part of `domain`. Any thread. */
struct slice dmarc_organizational_domain(struct slice domain);

/* Whether a domain that was authenticated stands for the From domain: it is the same, or unless strict of the same
 * organizational domain (3.1). */
bool dmarc_is_aligned(struct slice from, struct slice domain, bool is_strict);

/* ---- evaluation ---- */

/* In the order of the words of the fact dmarc. */
enum dmarc_result { DMARC_RESULT_NONE, DMARC_PASS, DMARC_FAIL, DMARC_TEMPERROR, DMARC_PERMERROR };
extern const char *const dmarc_result_words[];

/* What one of SPF or DKIM said about a domain. */
enum dmarc_evidence_result { EVIDENCE_FAIL, EVIDENCE_PASS, EVIDENCE_TEMPERROR };
struct dmarc_evidence {
    /* SPF of the envelope sender, or of HELO for the null sender; else a DKIM signature's d=. */
    bool is_spf;
    enum dmarc_evidence_result result;
    struct slice domain; /* A-labels, lower case */
};

enum dmarc_lookup {
    DMARC_LOOKUP_FOUND,
    DMARC_LOOKUP_NONE,
    DMARC_LOOKUP_TEMPERROR,
    DMARC_LOOKUP_BAD
};

struct dmarc_input {
    struct slice from_domain; /* A-labels, lower case */
    enum dmarc_lookup lookup; /* BAD: a record without a policy, or several records */
    const struct dmarc_record *record; /* FOUND */
    /* The record is that of the organizational domain, from_domain is below it. */
    bool is_organizational;
    const struct dmarc_evidence *evidence;
    size_t evidence_count;
    unsigned draw; /* 0 to 99, at random: with pct= the policy counts if it is less (6.6.4) */
};

struct dmarc_verdict {
    enum dmarc_result result;
    enum dmarc_policy published; /* p= or sp=, whichever applies; NONE without a record */
    /* What the owner asks for with this message: NONE unless it fails; pct= has its say. */
    enum dmarc_policy policy;
    bool spf_aligned, dkim_aligned; /* passed with an aligned domain */
};

void dmarc_evaluate(const struct dmarc_input *input, struct dmarc_verdict *verdict);

/* Of several From domains (6.6.1) the one whose owner asks for more counts. */
bool dmarc_is_stricter(const struct dmarc_verdict *verdict, const struct dmarc_verdict *than);

#endif
