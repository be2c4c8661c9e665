/* common/store/store_memory.h - the store inside this process: counters, live hashes and the decision log, shared by all
 * workers. The default back end, and, beside Redis, its local copy (the *shadow*).
 *
 * All functions take any thread. Counters lie in 64 shards with a mutex each; a charge locks all shards it touches, in
 * order, so it is all or nothing. Nothing here waits for anything else.
 *
 * Time: windows are counted on the monotonic clock, from the wall clock's reading at the start on, so a wall clock that
 * is set gives nobody more; `until` is compared with the wall clock.
 *
 * Memory: counters and greylisting are bounded by `memory_limit`. Each call frees a few entries that have expired. At the
 * bound a call looks further for expired ones, then drops what may be dropped (enum entry_kind in memory_entries.h has the
 * order: greylisting first), and then a subject that is not known yet passes uncounted, a triplet unlisted, which is
 * counted. Known subjects are always counted. */
#ifndef GATEHOUSE_STORE_STORE_MEMORY_H
#define GATEHOUSE_STORE_STORE_MEMORY_H

#include "common/store/store.h"

#define STORE_ONCE_MS (60 * SECOND) /* how long a charge with a name is remembered */
#define STORE_LOG_LINES 10000u /* decision lines kept, also bounded in bytes */

struct store_memory; /* opaque */

/* `memory_limit` in bytes, at least 1 MiB is taken. `clock` must outlive it. NULL: out of memory. */
struct store_memory *store_memory_new(const struct clock *clock, uint64_t memory_limit);
void store_memory_free(struct store_memory **memory); /* NULL-safe; clears *memory */

/* The back end of one worker; every call of it is done at once. Ended by store_free(), before the memory is freed.
 * NULL: out of memory. */
struct store *store_memory_open(struct store_memory *memory);

/* What happened since the start, and what there is; for metrics and status. */
struct store_memory_stats {
    uint64_t memory_limit, memory_used; /* bytes; used: counters, remembered charges, greylisting */
    uint64_t live_used; /* bytes of live hashes; at most a quarter of memory_limit */
    uint64_t counters, remembered; /* entries */
    uint64_t triplets, origins; /* entries of greylisting */
    uint64_t expired; /* entries freed after their time */
    uint64_t evicted; /* remembered charges dropped before their time, at the bound */
    uint64_t greylist_evicted; /* entries of greylisting dropped before their time, at the bound */
    uint64_t uncounted; /* charges of new subjects that passed uncounted, at the bound */
    /* Counters that lost precision at the bound: slots free later, never earlier. */
    uint64_t squeezed;
    uint64_t forgotten; /* charges whose name could not be remembered, at the bound */
    uint64_t unlisted; /* triplets that passed because there was no room for them, at the bound */
    uint64_t leases; /* subjects that have connections */
    /* Connections not counted in a subject: there were too many subjects. */
    uint64_t leases_refused;
    uint64_t log_dropped; /* decision lines that were too long or found no memory */
    uint64_t owed; /* charges in the journal */
    uint64_t owed_lost; /* charges that fell off the full journal */
};
void store_memory_stats(struct store_memory *memory, struct store_memory_stats *out);

/* ---- the shadow of Redis: what store_redis.c needs ---- */

struct leases *store_memory_leases(struct store_memory *memory); /* leases.h */

/* Redis' clock, from each answer that carries it: the windows are counted on it from then on. */
void store_memory_set_time(struct store_memory *memory, uint64_t redis_ms);
/* The time that windows are counted on, Unix ms. */
uint64_t store_memory_time(struct store_memory *memory);

/* A charge that Redis has decided, applied here too. If it was admitted, each use's `amount` is added to its `bucket`
 * and window (use->rate.window_ms) without a check; buckets that have left the window are ignored. Its result is
 * remembered under `once`; nothing is added when that name is remembered already (it was decided here before). */
void store_memory_apply(struct store_memory *memory, const struct store_charge *charge);

/* Decides here what Redis has not answered: as store_charge() of the memory store, with the fields last noted. If it is
 * admitted, adds anything and is no repetition, it is entered in the journal and *owed_id is its number; otherwise 0. */
void store_memory_decide(struct store_memory *memory, struct store_charge *charge,
                         uint64_t *owed_id);

/* The journal of charges that only this copy has: at most 65,536 charges and memory_limit/16 bytes; the oldest fall off. */
struct store_owed_use {
    struct slice limit, subject; /* names */
    uint64_t window_ms, bucket, amount;
};
struct store_owed {
    uint64_t id;
    struct slice once; /* absent: the charge had no name */
    struct store_owed_use *uses;
    size_t count;
};
/* Takes the oldest charge that nobody has taken, in `arena`; the others do not see it until it is returned. Charges whose
 * buckets have all left their windows are dropped on the way. False: there is none, or the arena is full. */
bool store_memory_owed_take(struct store_memory *memory, struct arena *arena,
                            struct store_owed *out);
/* It could not be written. */
void store_memory_owed_return(struct store_memory *memory, uint64_t id);
/* Written back, or Redis has it after all (a late success). 0 and unknown numbers are ignored. */
void store_memory_owed_settle(struct store_memory *memory, uint64_t id);

/* What Redis was last seen to hold in a field of a hash, e.g. `user:x` of `limit:NAME`; absent `text`: nothing. Read by
 * store_memory_decide() and by fetch and read of store_memory_open(). Past the bound of live hashes it is ignored. */
void store_memory_note(struct store_memory *memory, struct slice key, struct slice field,
                       struct slice text);

#endif
