/* gatectl/dkim_dns.h - what the DNS says of a key, asked of each configured resolver for itself, past its cache where it is
 * ours. Waits; a loop of its own. */
#ifndef GATEHOUSE_GATECTL_DKIM_DNS_H
#define GATEHOUSE_GATECTL_DKIM_DNS_H

#include "common/dkim/key.h"
#include "gatectl/gatectl.h"

struct dkim_dns; /* opaque */

/* With the resolvers of signd's configuration, or those of resolv.conf together as one. NULL after a message. */
struct dkim_dns *dkim_dns_new(struct gatectl *ctl);
void dkim_dns_free(struct dkim_dns **dns); /* NULL-safe; clears *dns */

size_t dkim_dns_count(const struct dkim_dns *dns); /* resolvers */
struct slice dkim_dns_name(const struct dkim_dns *dns, size_t n); /* "127.0.0.1@5353" */

/* What the n-th resolver's TXT records at `name` say of the key. NULL: they fit; else what is wrong, a constant text. */
const char *dkim_dns_problem(struct dkim_dns *dns, size_t n, struct slice name,
                             const struct dkim_key *key);

#endif
