/* contentd/scanners/received.h - the fields that the MTA will put on top of the message when it delivers it, made
 * beforehand: from them a spam filter that sees nothing but the message learns who has sent it from where. Pure. */
#ifndef GATEHOUSE_CONTENTD_RECEIVED_H
#define GATEHOUSE_CONTENTD_RECEIVED_H

#include "common/base/buf.h"
#include "common/milter/message.h"

/* `Return-Path` and `Received` as Postfix writes them (RFC 5321 4.4), with the envelope sender and whether the client has
 * logged in; lines end with CRLF. What the client chose itself cannot break out of its place. 0, or -1 when the buffer
 * is full. */
int received_print(struct buf *out, const struct message *message, uint64_t wall_ms);

#endif
