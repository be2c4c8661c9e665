/* gatectl/dkim_dns.h - what the DNS says of a key, asked of each configured resolver for itself, past its cache where it is
 * ours. Waits; a loop of its own. */
#ifndef GATEHOUSE_GATECTL_DKIM_DNS_H
#define GATEHOUSE_GATECTL_DKIM_DNS_H

#include "gatectl/gatectl.h"

struct dkim_dns; /* opaque */

/* With the resolvers of signd's configuration, or those of resolv.conf together as one. NULL after a message. */
struct dkim_dns *dkim_dns_new(struct gatectl *ctl);
void dkim_dns_free(struct dkim_dns **dns); /* NULL-safe; clears *dns */

size_t dkim_dns_count(const struct dkim_dns *dns); /* resolvers */
struct slice dkim_dns_name(const struct dkim_dns *dns, size_t n); /* "127.0.0.1@5353" */

/* The key records at `name`, from the n-th resolver. NULL: *text is the record (in the run's arena); else why there is none, a
 * constant text. */
const char *dkim_dns_record(struct dkim_dns *dns, size_t n, struct slice name, struct slice *text);

#endif
