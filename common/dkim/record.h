/* common/dkim/record.h - key records in the DNS, SELECTOR._domainkey.DOMAIN (RFC 6376 3.6.1): written for the operator,
 * and read to see whether what is published fits the key. Pure. */
#ifndef GATEHOUSE_DKIM_RECORD_H
#define GATEHOUSE_DKIM_RECORD_H

#include "common/dkim/key.h"

/* The record of a key: "v=DKIM1; k=rsa; p=...". -1: the buffer is full. */
int dkim_record_print(const struct dkim_key *key, struct buf *out);

/* What a published record says. Slices borrow from its text. */
struct dkim_record {
    struct slice public_key; /* p=, with white space in it perhaps; empty: revoked */
    struct slice key_type; /* k=, "rsa" without one */
    bool is_testing; /* t=y */
    bool is_strict; /* t=s: i= must be in d= itself */
    bool is_for_email; /* s=* or s=email */
    bool allows_sha256; /* no h=, or one with sha256 */
};
/* False, with a constant text in *error: not a key record. */
bool dkim_record_parse(struct slice text, struct dkim_record *out, const char **error);

/* How a published record and a key differ, as one line for the operator; NULL: they fit, mail signed with the key
 * verifies. Constant texts. */
const char *dkim_record_difference(const struct dkim_record *record, const struct dkim_key *key);

#endif
