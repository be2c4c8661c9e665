/* policyd/facts/dnsbl_list.h - the DNS lists of a configuration, and which of them work. A set is immutable; the health of
 * its lists is shared by all workers, and by the sets of later configurations that have the same list. Any thread. */
#ifndef GATEHOUSE_POLICYD_DNSBL_LIST_H
#define GATEHOUSE_POLICYD_DNSBL_LIST_H

#include "common/base/shared.h"
#include "common/observe/metrics.h"
#include "policyd/config.h"
#include "policyd/facts/dnsbl_replies.h"

struct dnsbl_series {
    metric_id listed, skipped, failed, off;
};

struct dnsbl {
    struct slice name, zone; /* borrowed from the configuration */
    enum dnsbl_kind kind;
    bool has_test_entry;
    bool can_lower; /* a reply has a negative weight */
    struct dnsbl_reply *replies; /* owned */
    size_t reply_count;
    struct shared *health; /* struct dnsbl_health */
    struct dnsbl_series series;
};

struct dnsbl_set {
    struct dnsbl *lists; /* in the file's order */
    size_t count;
};

/* Lists that `before` (NULL: none) has with the same name, zone and kind keep their health. Replies that do not parse have
 * been reported and are left out. The sections must outlive it. NULL: out of memory. */
struct dnsbl_set *dnsbl_set_new(const struct dnsbl_section *sections, size_t count,
                                const struct dnsbl_set *before);
void dnsbl_set_free(void *set); /* NULL-safe */
const struct dnsbl *dnsbl_find(const struct dnsbl_set *set, struct slice name); /* NULL: none */

/* Is dnsbl.NAME a fact of all lists? */
bool dnsbl_name_is_taken(struct slice name);

/* ---- health: a list begins as one that works ---- */

bool dnsbl_is_off(const struct dnsbl *list);
/* Whether the caller is to test it now: once in dnsbl_retry while it is off or was not tested, else once an hour. True for
 * one caller at a time; one that gives up loses nothing but time. */
bool dnsbl_claim_test(const struct dnsbl *list, uint64_t now_ms, uint64_t retry_ms);
void dnsbl_passed_test(const struct dnsbl *list, uint64_t now_ms);
/* Logged and counted when it was on; tried again after `retry_ms`. The zone may hold a key and is not logged. */
void dnsbl_switch_off(const struct dnsbl *list, uint64_t now_ms, uint64_t retry_ms,
                      const char *why);

/* A look-up that has waited for the list in vain. Those in a row switch it off, for each request waits as long: when there
 * were DNSBL_SILENT_MAX of them, each begun after the one before had ended, and between any two a resolver has answered
 * something (so it is the list that is away). */
struct dnsbl_silence {
    uint64_t begun_ms, now_ms;
    uint64_t resolver_ms; /* when a resolver answered last */
};
enum { DNSBL_SILENT_MAX = 3 };
void dnsbl_was_silent(const struct dnsbl *list, const struct dnsbl_silence *silence,
                      uint64_t retry_ms);
/* It has answered, not from a cache: the row ends. */
void dnsbl_has_answered(const struct dnsbl *list);

#endif
