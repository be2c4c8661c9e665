/* policyd/actions.h - what policyd's rules can do, and how Postfix is told (access(5), SMTPD_POLICY_README). Pure. */
#ifndef GATEHOUSE_POLICYD_ACTIONS_H
#define GATEHOUSE_POLICYD_ACTIONS_H

#include "common/rules/rules.h"

enum policyd_action {
    ACTION_ACCEPT,
    ACTION_REJECT,
    ACTION_DEFER,
    ACTION_HOLD,
    ACTION_DISCARD,
    ACTION_REDIRECT,
    ACTION_FILTER,
    ACTION_RESTRICT,
    ACTION_LIMIT,
    ACTION_GREYLIST,
    ACTION_SCORE,
    ACTION_PREPEND,
    ACTION_BCC,
    ACTION_WARN,
    POLICYD_ACTIONS
};

extern const struct action_type policyd_actions[POLICYD_ACTIONS]; /* by their number */

/* What Postfix is told about a verdict: one action, the final one; under accept or without a final one the first of
 * prepend, bcc and warn. NULL: DUNNO. `*dropped`: continuing actions that the one reply has no room for. */
const struct action *verdict_spoken(const struct verdict *verdict, size_t *dropped);

bool verdict_refuses(const struct verdict *verdict);

/* The action as Postfix takes it, without "action=". `reference` is appended to texts that clients or the log see. At
 * END-OF-MESSAGE, where Postfix before 3.12 leaves the transaction open after a refusal, a defer is sent as 421 and a
 * reject as 521. `is_trouble`: 451 4.3.0, whatever the action says. 0, or -1 when the buffer is full. */
int action_print(struct buf *out, const struct action *action, enum stage stage, bool is_trouble,
                 struct slice reference);

/* The decision line's word for it: dunno, reject, defer, prepend, ... */
const char *action_word(const struct action *action);

#endif
