/* contentd/facts/provider.h - where contentd's facts come from. All but per-recipient lists are known when rules run: what has to
 * be fetched (the transaction record, the message's structure, the findings) is fetched before. On the worker's thread. */
#ifndef GATEHOUSE_CONTENTD_PROVIDER_H
#define GATEHOUSE_CONTENTD_PROVIDER_H

#include "common/mime/mime.h"
#include "common/policy/membership.h"
#include "contentd/facts/facts.h"
#include "contentd/setup.h"

/* Connections at the same time, when this one began. */
struct connection_counts {
    bool is_known;
    uint64_t address, net, all; /* 0: not counted */
    /* Of the clients in lists: those that rules named then. The names go with the numbers, for rules may name others now. */
    const struct connection_list {
        struct slice name;
        uint64_t count;
        bool is_known;
    } * lists;
    size_t list_count;
};

/* A copy that lives as long as `arena`. Without memory the lists are not known. */
struct connection_counts connection_counts_copy(const struct connection_counts *counts,
                                                struct arena *arena);

/* What one evaluation is about: `request` of it. Borrowed; NULL: not known, or not there yet. */
struct fact_subject {
    struct message_subject of; /* what every milter knows */
    const struct setup *setup;
    const struct message_recipient *recipient; /* NULL: none yet */
    const struct chain *chain;
    const struct finding *findings; /* of all scanners */
    scanner_set skipped; /* those that were not asked for this recipient */
    struct connection_counts connections;
    struct membership membership;
};

/* The fact_fetch of contentd. */
enum fetch_result content_fact(struct evaluation *evaluation, size_t slot,
                               const struct fact_ref *ref, struct value *out);

#endif
