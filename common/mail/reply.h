/* common/mail/reply.h - SMTP replies as operators write them and clients get them (RFC 5321 4.2, RFC 3463). Pure.
 *
 *     [4NN|5NN] [X.Y.Z] text          550 5.7.1 Mail from here is not accepted */
#ifndef GATEHOUSE_MAIL_REPLY_H
#define GATEHOUSE_MAIL_REPLY_H

#include "common/base/buf.h"

#define REPLY_MAX 400 /* bytes of codes and text together; an SMTP reply line holds 512 */

struct reply {
    unsigned code; /* 400 to 599; 0: not given */
    struct slice enhanced; /* "5.7.1"; absent: not given */
    struct slice text; /* trimmed; may be empty */
};

/* Borrows from `text`. `classes` are the first digits allowed, "45", "4" or "5". False, with a constant text in *error, when
 * a code is malformed, of another class, or the two codes are of different classes. A number that is no code is an error
 * too, not text: "250 messages are enough" would be read as a code by whoever gets it. */
bool reply_parse(struct slice text, const char *classes, struct reply *out, const char **error);

/* "X.Y.Z" of RFC 3463 section 2, class 2, 4 or 5. */
bool reply_is_enhanced_code(struct slice text);

/* Adds `text`, every byte that is not printable ASCII as `?` (as Postfix does). What would pass the buffer's ceiling is
 * dropped, and the result is -1. */
int reply_escape(struct buf *out, struct slice text);

#endif
