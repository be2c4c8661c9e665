/* contentd/verdict_edits.h - what a verdict changes in a message: what the scanners of the chain want, the fields that tell what
 * they found, what rules say. Pure; private to verdict.c. */
#ifndef GATEHOUSE_CONTENTD_VERDICT_EDITS_H
#define GATEHOUSE_CONTENTD_VERDICT_EDITS_H

#include "contentd/verdict.h"

/* Adds to out->edits; the rest of *out is set already. False: out of memory, or more than EDITS_MAX. */
bool verdict_edits_make(const struct verdict_input *input, const struct chain *chain,
                        const struct rule_outcome *rules, struct recipient_verdict *out);

#endif
