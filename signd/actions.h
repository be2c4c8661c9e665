/* signd/actions.h - what signd's rules can do, and what they have done to one message. Pure. */
#ifndef GATEHOUSE_SIGND_ACTIONS_H
#define GATEHOUSE_SIGND_ACTIONS_H

#include "common/mail/reply.h"
#include "common/milter/edits.h"
#include "common/rules/rules.h"

enum signd_action {
    ACTION_ACCEPT,
    ACTION_REJECT,
    ACTION_TEMPFAIL,
    ACTION_DISCARD,
    ACTION_HOLD,
    ACTION_SIGN,
    ACTION_VERIFY,
    ACTION_NONE,
    ACTION_ADD_HEADER,
    ACTION_WARN,
    SIGND_ACTIONS
};

extern const struct action_type signd_actions[SIGND_ACTIONS]; /* by their number */

/* What is done with a message. */
enum task { TASK_NONE, TASK_SIGN, TASK_VERIFY, TASKS };
extern const char *const task_words[]; /* none, sign, verify */

/* What becomes of it, in the order of the words. */
enum fate { FATE_ACCEPT, FATE_REJECT, FATE_TEMPFAIL, FATE_DISCARD, FATE_HOLD, FATES };
extern const char *const fate_words[];

/* What rules have said of a message, at all stages so far. Texts lie in the evaluation's arena or the rule set. */
struct rule_outcome {
    bool has_task; /* one of sign, verify and none was reached */
    enum task task;
    bool has_final;
    enum fate fate; /* ACCEPT as long as nothing final was reached */
    struct slice rule; /* the one with the final action */
    struct slice reason; /* its text */
    struct reply reply; /* REJECT, TEMPFAIL */
    struct slice warning;
    struct edits edits; /* EDIT_ADD_HEADER alone */
};
void rule_outcome_init(struct rule_outcome *outcome);

/* Adds what an evaluation said. Of sign, verify and none the first that is reached counts. A final action of an earlier stage
 * stays, but for an accept, after which another may come. False: out of memory, or more edits than EDITS_MAX. */
bool actions_take(const struct rule_set *rules, const struct verdict *verdict, struct arena *arena,
                  struct rule_outcome *outcome);

#endif
