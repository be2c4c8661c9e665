/* policyd/policy.h - what is in force: the configuration and the live state, compiled. Immutable and shared by all
 * workers; made when the file is read, and made again, from the same parts, when a list, a map, a class or a live rule
 * has changed. The parts are shared between the old and the new one, so a change costs what has changed. */
#ifndef GATEHOUSE_POLICYD_POLICY_H
#define GATEHOUSE_POLICYD_POLICY_H

#include "common/base/shared.h"
#include "common/limits/classes.h"
#include "common/limits/limit_config.h"
#include "common/lists/list.h"
#include "common/lists/map.h"
#include "common/rules/rules.h"
#include "policyd/actions.h"
#include "policyd/config.h"
#include "policyd/facts/dnsbl_list.h"
#include "policyd/facts/facts.h"
#include "policyd/facts/geoip.h"
#include "policyd/metrics.h"

/* A list or map: what stands in the configuration itself, in its file, and in the store. Any may be NULL: empty. */
struct policy_list {
    struct slice name; /* borrowed from the configuration */
    struct shared *source; /* struct list_source: where `file` came from; for the main thread */
    struct list *entries, *file, *live;
};
struct policy_map {
    struct slice name;
    struct shared *source;
    struct map *entries, *file, *live;
};

/* What a policy is made of. Everything but `config` and `conf` is counted: a policy holds references. */
struct policy_parts {
    const struct policyd_config *config;
    const struct conf *conf;
    struct shared *limits; /* struct limit_set */
    struct policy_list *lists; /* config->list_count of them; the array is owned */
    struct policy_map *maps; /* config->map_count of them; the array is owned */
    struct shared *classes_file, *classes_live; /* struct classes; NULL: none */
    struct shared *live_rules; /* struct live_rules; NULL: none */
    struct shared *dnsbls; /* struct dnsbl_set */
    struct geoip *geoip; /* NULL: no database configured */
};

/* Live rules as they are in the store, parsed: sources whose texts live in `arena`. */
struct live_rules {
    struct arena *arena;
    struct rule_source *sources;
    size_t count;
};
void live_rules_free(void *live_rules);

/* Frees a struct classes: for shared_new(). */
void policy_classes_drop(void *classes);

struct policy_limit {
    const struct limit *limit;
    size_t key_slots[LIMIT_KEY_FACTS_MAX]; /* in policy.rules */
    struct rule_set *over; /* one rule: what happens over the limit */
    metric_id exceeded;
};

struct policy {
    struct policy_parts parts;
    struct rules_schema schema;
    const char **own_facts; /* that policyd asks for whatever the rules name; schema.extra_facts */
    size_t spf_slot, spf_domain_slot; /* in policy.rules, for greylisting */
    struct rule_set *rules;
    metric_id *rule_matches, *rule_shadow_matches; /* by rule */
    struct policy_limit *limits; /* in the file's order */
    size_t limit_count;
    bool reads_context; /* a rule names policy_context */
};

/* Compiles. Takes the references in `parts` (also on failure). Mistakes in rules and limits of the file are reported to
 * `errors` with their places; those in live rules go to the log, and the rule is left out. `errors` may be NULL: the
 * file has been judged before. NULL: out of memory. */
struct policy *policy_new(const struct policy_parts *parts, struct conf_errors *errors);
void policy_free(void *policy); /* NULL-safe */

/* The same parts once more, each with a reference: to change some and make a new policy of them. */
bool policy_parts_copy(const struct policy_parts *from, struct policy_parts *to);
void policy_parts_free(struct policy_parts *parts);

const struct policy_limit *policy_limit_find(const struct policy *policy, struct slice name);
const struct policy_list *policy_list_find(const struct policy *policy, struct slice name);
const struct policy_map *policy_map_find(const struct policy *policy, struct slice name);
struct attribute_settings policy_attributes(const struct policy *policy);

#endif
