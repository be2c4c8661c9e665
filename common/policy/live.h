/* common/policy/live.h - keeps what is in force up to date with what changes while a daemon runs: live lists, maps and
 * rules in the store, list and map files, and further hashes that the daemon watches. On the main worker's thread.
 *
 * One poll of the store every 400 ms asks which hashes have changed and only these are read, so a change is in force
 * within a second; files are looked at once a second. Each change makes new data for a snapshot of the old one's parts. What it
 * is made of, and which hashes are watched, is the daemon's struct policy_kind:
 *
 *     static bool watch(struct live *live, const void *data)
 *     {
 *         return live_watch(live, "class", SLICE(""), take_classes, 0);
 *     } */
#ifndef GATEHOUSE_POLICY_LIVE_H
#define GATEHOUSE_POLICY_LIVE_H

#include "common/policy/kind.h"

struct live; /* opaque */

/* Starts polling. `store` is the main worker's. NULL: out of memory. */
struct live *live_start(const struct policy_kind *kind, struct daemon *daemon, struct store *store);
void live_stop(struct live **live); /* NULL-safe; clears *live */
void live_reloaded(struct live *live); /* `apply` on the main worker: other names to poll */
void live_check_files(struct live *live); /* once a second */

/* ---- for a daemon's own hashes ---- */

/* A hash that has changed has been read: puts what it says into the parts to be. May keep read->arena (and set it to
 * NULL). */
typedef void live_take(struct live *live, void *parts, size_t index, struct store_read *read);

/* The hash gh:PREFIXNAME; `take` gets `index`. False: out of memory. Only from `watch`. */
bool live_watch(struct live *live, const char *prefix, struct slice name, live_take *take,
                size_t index);
/* Looks at once whether something has changed: somebody has just changed it here. */
void live_look(struct live *live);
/* Reads this hash once more, changed or not, as soon as the store can be asked: what `take` gets then was read after this call. */
void live_again(struct live *live, struct slice key);
/* How many hashes have begun to be read so far; for `take`: the number of the read that it gets. */
uint64_t live_reads(const struct live *live);
/* For `take`: a field of this hash makes no sense and is ignored. Logged, up to a bound, and counted. */
void live_bad_value(struct live *live, struct slice field, const char *error);
/* Counts live values that were found bad elsewhere, where they are read with each request. Any thread. */
void live_count_bad(uint64_t n);

/* ---- where it runs, for tests; live_start() fills it in from the daemon ---- */
struct live_host {
    struct event_base *base;
    const struct clock *clock;
    struct store *store;
    const void *(*data)(void *arg); /* in force now */
    int (*publish)(void *arg, void *data); /* takes `data`; -1: out of memory */
    void *arg;
};
struct live *live_start_in(const struct policy_kind *kind, const struct live_host *host);

#endif
