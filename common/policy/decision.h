/* common/policy/decision.h - what all daemons write about a decision: the extra fields of its line that come from the
 * rules, and its way to the log and to the store's stream gh:log. On a worker's thread. */
#ifndef GATEHOUSE_POLICY_DECISION_H
#define GATEHOUSE_POLICY_DECISION_H

#include "common/observe/log.h"
#include "common/rules/rules.h"
#include "common/store/store.h"

enum { DECISION_EXTRAS_MAX = 16, DECISION_EXTRA_TEXT_MAX = 1024 };

/* The fields after ms=, in the order in which they are added. Zeroed at first; freed at the end. */
struct decision_extras {
    struct log_field fields[DECISION_EXTRAS_MAX];
    size_t count;
    struct buf shadow, trouble, score;
};
void decision_extras_free(struct decision_extras *extras);
#define AUTO_EXTRAS __attribute__((cleanup(decision_extras_free))) struct decision_extras

/* All leave out what is empty. A value is borrowed until the line is written; past DECISION_EXTRAS_MAX none is added. */
void decision_extra(struct decision_extras *extras, const char *name, struct slice value);
/* `shadow=country:reject,quota:limit`: what shadow rules would have done. */
void decision_extra_shadow(struct decision_extras *extras, const struct rule_set *rules,
                           const struct verdict *verdict);
/* `trouble=country,spf`: rules that could not be decided. */
void decision_extra_trouble(struct decision_extras *extras, const struct rule_set *rules,
                            const struct verdict *verdict);
/* `score=2.5`, unless it is 0. */
void decision_extra_score(struct decision_extras *extras, double score);

/* Writes the line and hands it to the store; waits for neither. decision->extra is set here. */
void decision_write(struct decision *decision, const struct decision_extras *extras,
                    struct store *store);

#endif
