/* common/base/base64.h - base64 (RFC 4648 section 4): bytes as text. Pure. */
#ifndef GATEHOUSE_BASE_BASE64_H
#define GATEHOUSE_BASE_BASE64_H

#include "common/base/buf.h"

/* No line ends; -1: the buffer is full. */
int base64_print(struct buf *out, const void *bytes, size_t len);
/* The whole of `text`, padded, without blanks. False: it is something else, or the buffer is full. */
bool base64_parse(struct buf *out, struct slice text);

#endif
