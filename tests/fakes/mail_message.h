/* tests/fakes/mail_message.h - a message made of its text, as the MTA would have given it. */
#ifndef GATEHOUSE_TESTS_MAIL_MESSAGE_H
#define GATEHOUSE_TESTS_MAIL_MESSAGE_H

#include "common/base/buf.h"
#include "common/milter/message.h"

/* From <me@example.com> to `recipients` ("a@x.example b@x.example"), whole. `text`: header fields, a blank line, the body; line ends are
 * kept in the body, in the header they may be LF or CRLF. NULL: it passes a bound of message.h. */
struct message *mail_message_new(struct slice text, const char *recipients);

/* All its bytes as they go over the wire. False: they cannot be read, or `out` is full. */
bool mail_message_bytes(const struct message *message, struct buf *out);

#endif
