/* policyd/inquiry.h - one request being decided: rules evaluated, facts fetched, limits charged, the reply made, the
 * decision logged. Goes on also when the client has gone, for its retry finds the answer. On one worker's thread. */
#ifndef GATEHOUSE_POLICYD_INQUIRY_H
#define GATEHOUSE_POLICYD_INQUIRY_H

#include "policyd/server.h"

struct inquiry; /* opaque */

/* What an inquiry came to. Borrowed: valid during the call that is given it. */
struct decided {
    const struct policy *policy;
    const struct policy_request *req;
    const struct verdict *verdict; /* final: the rule's, or that of the limit exceeded */
    const struct action *spoken; /* what Postfix is told; NULL: DUNNO */
    struct slice rule; /* the one that spoke; empty without */
    const struct limit_use *uses; /* limits checked */
    size_t use_count;
    const struct policy_limit *exceeded; /* NULL: none */
    const struct store_greylist *greylist; /* NULL: not greylisted, or the store could not say */
    struct slice reply, reference;
    struct slice reason; /* for the log; empty: the text of the reply */
    uint64_t duration_ms;
    bool is_degraded; /* without the store: limits by the local copy, greylisting passed */
    bool is_late; /* the budget was used up */
};

/* The action for Postfix; `reply` is valid during the call. Called once, from the loop, unless abandoned. */
typedef void inquiry_done(void *owner, struct slice reply);

/* Starts deciding `req` (copied). `key`, if not NULL, is what answers_ask() called ANSWER_NEW: the answer is remembered
 * there. NULL: it was decided at once, and the reply is in `reply`; otherwise `done` will be called. */
struct inquiry *inquiry_start(struct server *server, const struct policy_request *req,
                              const struct answer_key *key, struct buf *reply, inquiry_done *done,
                              void *owner);

/* The owner does not want to know any more; the inquiry goes on by itself. */
void inquiry_abandon(struct inquiry *inquiry);

/* Decides without any effect: nothing is charged, remembered, logged or counted. `trace` (may be NULL) records every
 * rule. `explained` is called once, perhaps before this returns; with NULL when memory is out, or the end comes first. */
void inquiry_explain(struct server *server, const struct policy_request *req, struct trace *trace,
                     void (*explained)(void *arg, const struct decided *decided), void *arg);

void inquiries_free(struct server *server); /* all, those under way too: `done` is not called */

#endif
