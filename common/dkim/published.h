/* common/dkim/published.h - what a resolver's answer about SELECTOR._domainkey.DOMAIN says of a key (RFC 6376 section 3.6.2).
 * Pure. */
#ifndef GATEHOUSE_DKIM_PUBLISHED_H
#define GATEHOUSE_DKIM_PUBLISHED_H

#include "common/dkim/rotation.h"
#include "common/net/dns_packet.h"

struct dkim_published {
    enum dkim_visibility visibility;
    const char *problem; /* one line, a constant text; NULL: the record is there and fits */
};

/* Of an answer about TXT records. Each key record in it has to fit: a verifier may take any. Both are borrowed for the call. */
struct dkim_published dkim_published_judge(const struct dns_answer *answer,
                                           const struct dkim_key *key);

#endif
