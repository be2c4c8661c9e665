/* contentd/scanners/rspamd_request.h - the head of a request to rspamd: what it is to know about the message beside its
 * bytes. Pure. */
#ifndef GATEHOUSE_CONTENTD_RSPAMD_REQUEST_H
#define GATEHOUSE_CONTENTD_RSPAMD_REQUEST_H

#include "common/base/buf.h"
#include "contentd/scanners/scanner.h"

/* rspamd closes the connection when a head has more than 80 KiB. */
enum { RSPAMD_HEAD_MAX = 64 << 10 };

/* Adds the head to `out` (empty, with RSPAMD_HEAD_MAX as its ceiling). `length` of the message; UINT64_MAX: not known yet, it
 * is sent in chunks. *untold: how many recipients found no room. -1: even without recipients it does not fit. */
int rspamd_request(struct buf *out, const struct scanner *scanner, const struct message *message,
                   const char *host, uint64_t length, size_t *untold);

#endif
