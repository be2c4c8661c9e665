/* policyd/facts/dnsbl_replies.h - what the answers of a DNS list mean (RFC 5782): masks with weights, as in Postfix'
 * postscreen_dnsbl_sites. Pure.
 *
 *     reply  = 127 "." part "." part "." part [ "*" weight ]
 *     part   = number / "[" range *( ";" range ) "]"
 *     range  = number [ ".." number ] */
#ifndef GATEHOUSE_POLICYD_DNSBL_REPLIES_H
#define GATEHOUSE_POLICYD_DNSBL_REPLIES_H

#include "common/config/param.h"
#include "common/net/dns_packet.h"

enum { DNSBL_REPLIES_MAX = 64, DNSBL_WEIGHT_MAX = 1000 };

struct dnsbl_reply {
    uint64_t octets[4][4]; /* by octet of the address: which of its 256 values */
    double weight; /* -DNSBL_WEIGHT_MAX to DNSBL_WEIGHT_MAX, not 0 */
};

/* False, with *error when it is not NULL: where it is wrong, and how it would be right. */
bool dnsbl_reply_parse(struct slice text, struct dnsbl_reply *out, struct conf_complaint *error);
bool dnsbl_reply_fits(const struct dnsbl_reply *reply, const struct ip_address *address);

/* The same, and of a zone, as checks of parameters. */
bool dnsbl_check_reply(struct slice text, struct conf_complaint *out);
bool dnsbl_check_zone(struct slice text, struct conf_complaint *out);

enum dnsbl_meaning {
    DNSBL_CLEAN, /* not listed, or for a reason that no reply names */
    DNSBL_LISTED,
    DNSBL_ERROR, /* the list says that it does not answer us, or answers what no list may */
    DNSBL_NO_ANSWER,
};

/* What the answer to an A question means. DNSBL_LISTED: *weight is the sum of the replies' weights; each record counts for
 * the first reply that it fits, each reply once. DNSBL_ERROR: *culprit is the record that is none. */
enum dnsbl_meaning dnsbl_judge(const struct dnsbl_reply *replies, size_t count,
                               const struct dns_answer *answer, double *weight,
                               const struct ip_address **culprit);

#endif
