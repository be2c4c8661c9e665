/* policyd/spf/record.h - the SPF record (RFC 7208 sections 4.5, 4.6.1, 5, 6, 12): exact, pure, no allocation. A record is
 * checked as a whole, and then read term by term from the text itself, so neither its length nor the number of its terms
 * has a bound here (a TXT record of the DNS has less than 64 KiB). */
#ifndef GATEHOUSE_POLICYD_SPF_RECORD_H
#define GATEHOUSE_POLICYD_SPF_RECORD_H

#include "common/mail/ipnet.h"

enum spf_mechanism {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
};

/* A directive: a mechanism with its qualifier. */
struct spf_term {
    struct slice text; /* as written */
    char qualifier; /* + - ~ ? */
    enum spf_mechanism mechanism;
    struct slice domain_spec; /* syntax checked; absent: the domain itself */
    struct ip_address network; /* ip4, ip6; host bits are as written */
    unsigned ip4_bits, ip6_bits; /* prefix lengths, 32 and 128 unless given */
};

struct spf_record {
    struct slice terms; /* all of the record after the version */
    struct slice redirect, exp; /* domain-specs, syntax checked; absent: no such modifier */
};

struct spf_syntax_error {
    const char *what; /* constant */
    struct slice where; /* the term, borrowed from the record; any bytes */
};

/* Whether a TXT record (its strings joined) is an SPF record: "v=spf1", then a blank or nothing. */
bool spf_record_is_spf1(struct slice txt);

/* `txt` is an SPF record; *out borrows from it. False: a syntax error anywhere, which makes it a permerror (4.6). */
bool spf_record_parse(struct slice txt, struct spf_record *out, struct spf_syntax_error *error);

/* The next directive of a parsed record; begin with *rest = record->terms. False: there are no more. */
bool spf_record_next(struct slice *rest, struct spf_term *out);

#endif
