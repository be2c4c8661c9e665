/* policyd/policy.h - what is in force: the configuration and the live state, compiled. Immutable and shared by all
 * workers; made when the file is read, and made again, from the same parts, when a list, a map, a class or a live rule
 * has changed. The parts are shared between the old and the new one, so a change costs what has changed. */
#ifndef GATEHOUSE_POLICYD_POLICY_H
#define GATEHOUSE_POLICYD_POLICY_H

#include "common/base/shared.h"
#include "common/limits/classes.h"
#include "common/limits/limit_config.h"
#include "common/policy/rule_book.h"
#include "policyd/actions.h"
#include "policyd/config.h"
#include "policyd/facts/dnsbl_list.h"
#include "policyd/facts/facts.h"
#include "policyd/facts/geoip.h"
#include "policyd/metrics.h"

/* What a policy is made of. Everything but `config` is counted: a policy holds references. */
struct policy_parts {
    struct policy_core core; /* first member */
    const struct policyd_config *config;
    struct shared *limits; /* struct limit_set */
    struct shared *classes_file, *classes_live; /* struct classes; NULL: none */
    struct shared *dnsbls; /* struct dnsbl_set */
    struct geoip *geoip; /* NULL: no database configured */
};

/* Frees a struct classes: for shared_new(). */
void policy_classes_drop(void *classes);

struct policy_limit {
    const struct limit *limit;
    size_t key_slots[LIMIT_KEY_FACTS_MAX]; /* in policy.book.rules */
    struct rule_set *over; /* one rule: what happens over the limit */
    metric_id exceeded;
};

struct policy {
    struct policy_parts parts; /* first member */
    struct rules_schema schema;
    const char **own_facts; /* that policyd asks for whatever the rules name; schema.extra_facts */
    size_t spf_slot, spf_domain_slot; /* in policy.book.rules, for greylisting */
    struct rule_book book;
    struct policy_limit *limits; /* in the file's order */
    size_t limit_count;
    bool reads_context; /* a rule names policy_context */
};

/* Of policyd_kind (live.h): */
void policy_parts_share(void *parts);
void policy_parts_drop(void *parts);
bool policy_build(void *policy, const struct rule_hearers *hearers); /* limits and rules */
void policy_unbuild(void *policy);

const struct policy_limit *policy_limit_find(const struct policy *policy, struct slice name);
struct mailbox_settings policy_attributes(const struct policy *policy);

#endif
