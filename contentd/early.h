/* contentd/early.h - rules at the stages before the header fields: connect, helo, mail, rcpt. There they can only accept, reject
 * or tempfail. A thread of the milter's waits for them, and only at stages at which a rule runs. */
#ifndef GATEHOUSE_CONTENTD_EARLY_H
#define GATEHOUSE_CONTENTD_EARLY_H

#include "common/milter/milter.h"
#include "contentd/facts/provider.h"

struct early; /* opaque: one check; holds the texts of its reply */

struct early_request {
    struct worker *worker;
    struct snapshot *snapshot; /* in force; borrowed */
    enum stage stage;
    struct message *message; /* NULL before MAIL */
    const struct message_client *client;
    size_t recipient; /* STAGE_RCPT: the number in the message */
    struct connection_counts connections;
    bool is_explained; /* nothing is counted or logged, and a refusal leads nowhere */
};

bool early_is_needed(const struct setup *setup, enum stage stage); /* a rule runs there */
/* On a thread, which waits. The reply, CONTINUE unless a rule refuses. What it borrows lives in *early, which the caller drops (NULL: nothing to drop). A
 * refusal is logged and counted. Without memory or an answer of the loop in time: TEMPFAIL, with `mode = shadow` CONTINUE. */
struct milter_reply early_check(const struct early_request *request, struct early **early);
/* What each rule saw, when it was explained; NULL: none ran. Lives as long as `early`, which may be NULL. */
const struct trace *early_trace(const struct early *early);
void early_drop(struct early **early); /* NULL-safe; clears *early */

#endif
