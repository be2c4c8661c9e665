/* contentd/mixed_groups.h - recipients whose copies of a message are the same, put together. Private to mixed.c. Pure. */
#ifndef GATEHOUSE_CONTENTD_MIXED_GROUPS_H
#define GATEHOUSE_CONTENTD_MIXED_GROUPS_H

#include "contentd/verdict.h"

struct group {
    const struct recipient_verdict *verdict; /* of the first member */
    const size_t *members; /* numbers of recipients, rising; at least one */
    size_t count;
};

struct groups {
    struct group *groups; /* by their first members */
    size_t count;
};

/* Groups the recipients whose verdict is `chosen`: by their edits, those of recipients aside; `by_reason`: by what decided and
 * why, too. O(n log n) in the number of recipients. False: out of memory. */
bool groups_make(struct groups *out, const struct recipient_verdict *const *verdicts, size_t count,
                 bool (*chosen)(const struct recipient_verdict *verdict), bool by_reason,
                 struct arena *arena);

#endif
