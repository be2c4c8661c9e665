/* policyd/explain_doubts.h - what somebody who asks for an explanation has probably mistyped: Postfix's requests are taken as they
 * are, and what policyd does not know has no effect. Pure. */
#ifndef GATEHOUSE_POLICYD_EXPLAIN_DOUBTS_H
#define GATEHOUSE_POLICYD_EXPLAIN_DOUBTS_H

#include <jansson.h>

#include "common/base/slice.h"

/* Of the lines NAME=VALUE of a request: an array with a sentence for each attribute that there is not, and for each value that
 * counts as empty or as no stage. Caller owns it; NULL: out of memory. */
json_t *explain_doubts(struct slice lines);

#endif
