/* tests/fakes/spf_zone.h - the DNS of SPF tests: a table of records in memory, which can be slow to answer. */
#ifndef GATEHOUSE_TESTS_SPF_ZONE_H
#define GATEHOUSE_TESTS_SPF_ZONE_H

#include "policyd/spf/spf.h"

enum zone_kind {
    ZONE_DATA,
    ZONE_ALIAS, /* `data` is the canonical name */
    ZONE_FAILS, /* what the name has no records of fails to be looked up */
};

struct zone_record {
    struct slice name; /* of any case, without a final dot */
    enum zone_kind kind;
    enum spf_rr type; /* of ZONE_DATA */
    struct slice data; /* TXT: its strings joined; A, AAAA: an address; MX, PTR: a name */
};

#define ZONE_A(name, data)                                                                         \
    {                                                                                              \
        SLICE_INIT(name), ZONE_DATA, SPF_RR_A, SLICE_INIT(data)                                    \
    }
#define ZONE_AAAA(name, data)                                                                      \
    {                                                                                              \
        SLICE_INIT(name), ZONE_DATA, SPF_RR_AAAA, SLICE_INIT(data)                                 \
    }
#define ZONE_MX(name, data)                                                                        \
    {                                                                                              \
        SLICE_INIT(name), ZONE_DATA, SPF_RR_MX, SLICE_INIT(data)                                   \
    }
#define ZONE_PTR(name, data)                                                                       \
    {                                                                                              \
        SLICE_INIT(name), ZONE_DATA, SPF_RR_PTR, SLICE_INIT(data)                                  \
    }
#define ZONE_TXT(name, data)                                                                       \
    {                                                                                              \
        SLICE_INIT(name), ZONE_DATA, SPF_RR_TXT, SLICE_INIT(data)                                  \
    }
#define ZONE_FAILURE(name)                                                                         \
    {                                                                                              \
        SLICE_INIT(name), ZONE_FAILS, SPF_RR_TXT,                                                  \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }

struct zone_question {
    char name[256];
    size_t len;
    enum spf_rr type;
    bool is_answered;
};

struct spf_zone {
    struct spf_dns dns; /* `arg` is the zone; set by spf_zone_init() */
    const struct zone_record *records; /* borrowed */
    size_t count;
    struct arena *arena; /* owned; answers */
    bool is_slow; /* a new question waits for spf_zone_arrive() */
    struct zone_question asked[256]; /* different questions, in order; more than these fail */
    size_t asked_count;
};

/* False: out of memory. */
bool spf_zone_init(struct spf_zone *zone, const struct zone_record *records, size_t count);
void spf_zone_free(struct spf_zone *zone);
void spf_zone_arrive(struct spf_zone *zone); /* all that has been asked is answered */

/* Runs a check to its end. */
const struct spf_outcome *spf_zone_check(struct spf_zone *zone, struct arena *arena,
                                         const struct spf_query *query);

#endif
