/* policyd/spf/macro.h - macros of SPF records and explanations (RFC 7208 section 7): syntax and expansion. Pure, no
 * allocation: what comes out has a fixed size whatever comes in. */
#ifndef GATEHOUSE_POLICYD_SPF_MACRO_H
#define GATEHOUSE_POLICYD_SPF_MACRO_H

#include "common/mail/ipnet.h"
#include "policyd/spf/name.h"

/* The errors of these are constant texts; NULL: the syntax is right. */

/* domain-spec: macros, and then a macro or a dot and a top-level domain. %{c}, %{r} and %{t} are not for domains. */
const char *spf_domain_spec_check(struct slice spec);
/* macro-string, the value of a modifier that we do not know. */
const char *spf_macro_string_check(struct slice text);
/* explain-string: with blanks, and %{c}, %{r}, %{t}. */
const char *spf_explain_string_check(struct slice text);

/* Whether %{p} is in a text that has been checked. It takes look-ups to know, so nobody should expand it in vain. */
bool spf_macro_uses_validated(struct slice text);

/* What the letters stand for. */
struct spf_macro_values {
    struct slice sender; /* s, always with a local part */
    struct slice local; /* l */
    struct slice sender_domain; /* o */
    struct slice domain; /* d, the one being evaluated */
    struct slice validated; /* p; empty: "unknown" */
    struct slice helo_name; /* h */
    struct slice receiver; /* r; empty: "unknown" */
    struct ip_address client; /* i, c, v */
    uint64_t wall_s; /* t, Unix seconds */
};

/* Expands a domain-spec that has been checked into `out`, without a final dot; of one that is too long the first labels
 * are dropped (7.3). The result lies in `out` and may be a name that the DNS cannot have. */
#define SPF_EXPANSION_MAX 1024
struct slice spf_macro_domain(struct slice spec, const struct spf_macro_values *values,
                              char out[SPF_EXPANSION_MAX]);

/* Expands an explain-string that has been checked; what is not printable ASCII becomes `?`, what passes
 * SPF_EXPANSION_MAX is cut. */
struct slice spf_macro_explain(struct slice text, const struct spf_macro_values *values,
                               char out[SPF_EXPANSION_MAX]);

/* An address for humans' eyes is ip_address_print()'s; this is %{i}: dotted for IPv4, dotted nibbles (upper case) for
 * IPv6. Returns the length; no NUL. */
#define SPF_DOTTED_MAX 63
size_t spf_macro_dotted(const struct ip_address *address, char out[SPF_DOTTED_MAX]);

#endif
