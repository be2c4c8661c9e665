/* common/message/described.h - a message as an operator describes it, to have explained what would become of it: what the MTA
 * would say, a line each, an empty line, then header fields and body as in a file.
 *
 *     client_address=192.0.2.7
 *     sender=a@example.net
 *     recipient=b@example.org
 *
 *     From: a@example.net
 *     ...
 *
 * Names are those of facts (common/message/facts.h), policy.* too: what policyd would have recorded. `recipient` may be
 * repeated. Without client_address it is mail of this host, as what sendmail(1) takes. */
#ifndef GATEHOUSE_MESSAGE_DESCRIBED_H
#define GATEHOUSE_MESSAGE_DESCRIBED_H

#include "common/milter/message.h"
#include "common/store/transaction.h"

enum { DESCRIBED_RECIPIENTS_MAX = 100, DESCRIBED_LINES_MAX = 1000 };

/* Names of a daemon's own. NULL: taken; else a constant text: what is wrong. *is_known false: there is no such name. */
struct described_own {
    const char *(*take)(void *arg, struct slice name, struct slice value, bool *is_known);
    void *arg;
};

struct described {
    struct message *message; /* with client, login and sender; the caller's */
    /* In the message's arena, in the order given; not in the message yet. */
    struct slice *recipients;
    size_t recipient_count;
    struct slice content; /* header fields and body; borrowed from the text */
    bool has_record; /* a policy.* was given: `record` stands for policyd's */
    struct transaction record; /* in the message's arena */
};

/* `own` may be NULL: none. False with one line (at most 200 bytes) in *error: what is wrong, or that memory is out. */
bool described_read(struct slice text, const struct described_own *own, struct described *out,
                    struct buf *error);

/* Gives the message the header fields and body: it is whole then. A file whose first line ends in LF alone gets CRLF line ends, as
 * over SMTP; a line `From ` before the header, as in a mailbox, is left out; the first line that is no header field begins
 * the body. */
enum message_fill described_fill(const struct described *described,
                                 const struct spool_bounds *bounds);

#endif
