/* contentd/scanners/milter_macros.h - macros that an MTA tells a milter, made of what we know of the message. Pure. */
#ifndef GATEHOUSE_CONTENTD_MILTER_MACROS_H
#define GATEHOUSE_CONTENTD_MILTER_MACROS_H

#include "common/milter/message.h"
#include "common/milter/wire.h"

/* Adds the packet with the macros of this place for the command that follows it; none when no value is known. `wanted`: the
 * names that the milter has listed, separated by blanks or commas; absent: those that Postfix sends by default. `recipient`
 * counts in message->recipients (at RCPT). -1: the buffer is full, or the macros do not fit into a packet. */
int milter_put_macros(struct buf *out, char command, enum milter_place place, struct slice wanted,
                      const struct message *message, size_t recipient);

#endif
