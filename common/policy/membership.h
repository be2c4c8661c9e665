/* common/policy/membership.h - the facts `subject in list:NAME`, `in list:NAME/{key}` and `in map:NAME/{key}`. */
#ifndef GATEHOUSE_POLICY_MEMBERSHIP_H
#define GATEHOUSE_POLICY_MEMBERSHIP_H

#include "common/policy/lookup.h"
#include "common/policy/sets.h"

/* What they are judged with: one request's, valid as long as its evaluation. */
struct membership {
    const struct sets *sets;
    struct lookups *lookups;
    uint64_t wall_ms; /* when the request began */
};

/* For a provider (fact_fetch): ref->kind is FACT_IN_LIST or FACT_IN_MAP. A list with a fact in its name is not held here
 * but asked of the store, field by field (of a key with several values the first one counts). */
enum fetch_result membership_fact(const struct membership *membership,
                                  struct evaluation *evaluation, size_t slot,
                                  const struct fact_ref *ref, struct value *out);

#endif
