/* contentd/scanners/icap_request.h - the head of a RESPMOD request (RFC 3507 4.9): the message as the content of an HTTP
 * answer that was fetched from nowhere. Pure.
 *
 * Of the mail only its queue id is told, in the URL, whose name ends in `.eml`: engines look at such names. */
#ifndef GATEHOUSE_CONTENTD_ICAP_REQUEST_H
#define GATEHOUSE_CONTENTD_ICAP_REQUEST_H

#include "common/base/buf.h"
#include "contentd/scanners/scanner.h"

enum { ICAP_HEAD_MAX = 8192 };

/* Adds all up to the body, which follows in chunks. `length` of the message; UINT64_MAX: not known yet. -1: `out` is full. */
int icap_request(struct buf *out, const struct scanner *scanner, const struct message *message,
                 const char *host, uint64_t length);

#endif
