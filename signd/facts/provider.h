/* signd/facts/provider.h - where signd's facts come from. All but per-recipient lists are known when rules run: what has to be
 * fetched (the transaction record, keys, policies) is fetched before. On the worker's thread. */
#ifndef GATEHOUSE_SIGND_PROVIDER_H
#define GATEHOUSE_SIGND_PROVIDER_H

#include "common/policy/membership.h"
#include "signd/facts/facts.h"
#include "signd/results.h"

/* What one evaluation is about: `request` of it. Borrowed. */
struct fact_subject {
    struct message_subject of; /* what every milter knows */
    const struct results *results; /* NULL: it is not verified */
    bool is_signed;
    struct membership membership;
};

/* The fact_fetch of signd. */
enum fetch_result fact_provide(struct evaluation *evaluation, size_t slot,
                               const struct fact_ref *ref, struct value *out);

#endif
