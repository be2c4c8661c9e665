/* contentd/actions.h - what contentd's rules can do, and what they have done to one recipient. Pure. */
#ifndef GATEHOUSE_CONTENTD_ACTIONS_H
#define GATEHOUSE_CONTENTD_ACTIONS_H

#include "common/rules/rules.h"
#include "contentd/verdict.h"

enum contentd_action {
    ACTION_ACCEPT,
    ACTION_REJECT,
    ACTION_TEMPFAIL,
    ACTION_DISCARD,
    ACTION_QUARANTINE,
    ACTION_REDIRECT,
    ACTION_TAG,
    ACTION_ADD_HEADER,
    ACTION_REMOVE_HEADER,
    ACTION_SKIP,
    ACTION_SCORE,
    ACTION_WARN,
    CONTENTD_ACTIONS
};

extern const struct action_type contentd_actions[CONTENTD_ACTIONS]; /* by their number */

struct action_context {
    const struct rule_set *rules;
    const struct message *message;
    /* The number of a scanner, SIZE_MAX: there is none. */
    size_t (*scanner_number)(const void *scanners, struct slice name);
    const void *scanners;
    struct arena *arena;
};

/* Adds to *outcome what an evaluation said; `base` is what its score began with. A final action of an earlier stage stays, but
 * for an accept, after which another may come. False: out of memory, or more edits than EDITS_MAX. */
bool actions_take(const struct action_context *context, const struct verdict *verdict, double base,
                  struct rule_outcome *outcome);

#endif
