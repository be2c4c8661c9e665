/* contentd/setup.h - what is in force: the configuration and the live state, compiled. Immutable and shared by all workers and
 * the milter's threads; made when the file is read, and made again, from the same parts, when a list, a map, a live rule or
 * gh:apply has changed. */
#ifndef GATEHOUSE_CONTENTD_SETUP_H
#define GATEHOUSE_CONTENTD_SETUP_H

#include "common/message/direction.h"
#include "common/message/facts.h"
#include "common/policy/live.h"
#include "common/policy/rule_book.h"
#include "common/policy/values.h"
#include "contentd/actions.h"
#include "contentd/config.h"
#include "contentd/mixed.h"
#include "contentd/scan_set.h"

/* What a setup is made of. Everything but `config` is counted: a setup holds references. */
struct setup_parts {
    struct policy_core core; /* first member */
    const struct contentd_config *config;
    struct shared *scan; /* struct scan_set */
    struct map *apply_live; /* gh:apply; NULL: empty */
};

/* Lists of clients whose connections are counted: so many beside those of address, network and all. */
enum { CONNECTION_LISTS_MAX = STORE_LEASE_SUBJECTS_MAX - 3 };

struct setup {
    struct setup_parts parts; /* first member */
    struct rules_schema schema;
    bool is_taken_over; /* while what was judged before is compiled again */
    struct rule_book book;
    struct direction direction;
    /* What the rules name, all of them together: */
    struct message_names names;
    /* What these find is needed whatever the others say: rules name it, or may skip one of the others at the end. */
    scanner_set named_scanners;
    bool names_connections; /* how many there are at the same time */
    const struct named_list *connection_lists[CONNECTION_LISTS_MAX]; /* of parts.core.sets */
    size_t connection_list_count;
    /* More lists than that are named; the first of them. */
    const struct named_list *connection_list_too_many;
    bool names_recipient; /* they may say something else of each recipient */
};

extern const struct policy_kind contentd_kind;

/* daemon_spec.load and .unload. */
void *setup_load(const struct daemon_load *load);
void setup_free(void *setup); /* NULL-safe */

/* The chain of a recipient (in normal form); one without scanners when no line of [apply] fits. Any thread. */
const struct chain *setup_chain(const struct setup *setup, struct slice recipient,
                                uint64_t wall_ms);
/* The same, and why he has it. */
const struct chain *setup_chain_why(const struct setup *setup, struct slice recipient,
                                    uint64_t wall_ms, struct chain_reason *why);

static inline const struct scan_set *setup_scan(const struct setup *setup)
{
    return shared_get(setup->parts.scan);
}

#endif
