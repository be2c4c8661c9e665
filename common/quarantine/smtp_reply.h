/* common/quarantine/smtp_reply.h - what an SMTP server says, and what it is told (RFC 5321, 1870, 3461, 6152, 6531). Pure. */
#ifndef GATEHOUSE_QUARANTINE_SMTP_REPLY_H
#define GATEHOUSE_QUARANTINE_SMTP_REPLY_H

#include "common/base/buf.h"
#include "common/quarantine/kept.h"

enum { SMTP_LINE_MAX = 2048, SMTP_REPLY_MAX = 64 << 10, SMTP_COMMAND_MAX = 4096 };

enum smtp_parse {
    SMTP_MORE, /* not all of it is there */
    SMTP_DONE,
    SMTP_BAD, /* this is no SMTP server, or it says too much */
};

struct smtp_reply {
    unsigned code; /* 200 to 599 */
    struct slice lines; /* all of them, with codes and line ends; borrowed */
    struct slice text; /* of the last line */
};

/* Reads a whole reply off the beginning of `in`; *used: its bytes. */
enum smtp_parse smtp_reply_parse(struct slice in, struct smtp_reply *out, size_t *used);

enum smtp_offer {
    SMTP_OFFERS_SIZE = 1,
    SMTP_OFFERS_8BITMIME = 2,
    SMTP_OFFERS_SMTPUTF8 = 4,
    SMTP_OFFERS_DSN = 8,
};
unsigned smtp_offers(const struct smtp_reply *ehlo); /* set of enum smtp_offer */

/* MAIL and RCPT with their line end; of the parameters those that the server offers. False: it cannot be said in SMTP (a
 * control byte, a blank or bracket outside quotes), or is too long. */
bool smtp_put_mail(struct buf *out, const struct kept *kept, uint64_t size, unsigned offers);
bool smtp_put_rcpt(struct buf *out, const struct kept_recipient *recipient, unsigned offers);

/* The text of a message as DATA wants it: a dot at the beginning of a line is doubled. A line also begins after a bare LF:
 * Postfix counts it as a line end, and an end of the data must not come from the message. */
struct smtp_data {
    char last[2]; /* of what has been put; begins as CR LF */
};
void smtp_data_init(struct smtp_data *data);
int smtp_data_put(struct smtp_data *data, struct slice text, struct buf *out);
/* The line end if it lacks one, the dot. */
int smtp_data_end(struct smtp_data *data, struct buf *out);

#endif
