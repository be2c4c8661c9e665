/* policyd/facts/limits.h - limits: the use of one by a request, and the facts limit.NAME.used and limit.NAME.left. */
#ifndef GATEHOUSE_POLICYD_LIMITS_H
#define GATEHOUSE_POLICYD_LIMITS_H

#include "policyd/facts/request.h"

enum fetch_result limit_fact(struct evaluation *evaluation, size_t slot, const struct fact_ref *ref,
                             struct value *out);

enum limit_use_result {
    LIMIT_USE_READY,
    LIMIT_USE_NONE, /* its key is empty: it does not apply */
    LIMIT_USE_UNKNOWN, /* a fact of its key is unknown */
    LIMIT_USE_WAITS, /* a fact of its key is on its way */
    LIMIT_USE_NO_MEMORY,
};
/* Fills in limit, subject, fields and amount (which the caller may change). */
enum limit_use_result limit_use_make(struct evaluation *evaluation,
                                     const struct policy_limit *limit, struct limit_use *use);

#endif
