/* contentd/explain_impl.h - one explanation, for explain*.c alone. */
#ifndef GATEHOUSE_CONTENTD_EXPLAIN_IMPL_H
#define GATEHOUSE_CONTENTD_EXPLAIN_IMPL_H

#include "common/message/described.h"
#include "contentd/explain.h"
#include "contentd/inspection.h"
#include "contentd/server.h"

struct explanation {
    struct explaining *explaining;
    struct contentd *contentd;
    struct snapshot *snapshot;
    const struct setup *setup;
    struct described described;
    struct connection_counts connections;
    struct finding found[SCANNERS_MAX]; /* as given; FINDING_NONE: nothing was said */
    uint64_t wall_ms;
    json_t *stages, *recipients; /* of the answer, as far as they have come */
};

/* explain_given.c: the names of contentd's own. */
const char *explain_take_own(void *explanation, struct slice name, struct slice value,
                             bool *is_known);

/* explain_answer.c. The whole answer; takes `stages` and `recipients`. `decided` NULL: it was refused before its header fields,
 * as `refusal` says. NULL: out of memory. */
json_t *explain_answer(struct explanation *explanation, const struct decided *decided,
                       const struct milter_reply *refusal);
/* {"recipient", "chain"}: who has which chain, and why. */
json_t *explain_recipient(const struct explanation *explanation,
                          const struct message_recipient *recipient);

#endif
