/* common/store/memory_greylist.c - see memory_greylist.h; greylist.lua does the same in Redis.
 *
 * An entry of an origin has what was seen of it; one of a triplet whether it has passed, and when it came first. What has
 * not passed yet is unproven: at the bound of memory it gives way before anything else, so a flood of invented senders
 * costs the waiting their time, and nobody else anything. */
#include "common/store/memory_greylist.h"

#include "common/store/store_impl.h"

struct origin {
    uint64_t passed, passed_until_ms; /* triplets that passed, and when that is forgotten */
    uint64_t seen, seen_until_ms; /* new triplets in this window, and when it ends */
};

struct triplet {
    uint64_t first_ms;
    uint64_t has_passed;
};

/* One call under way. */
struct seen {
    struct entries *entries;
    struct store_greylist *call;
    struct entry_key origin_key, triplet_key, shared_key;
    uint64_t origin_hash, triplet_hash, shared_hash;
    uint64_t now_ms;
};

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t key_make(struct entry_key *key, enum entry_kind kind,
                         const struct greylist_name *name)
{
    *key = (struct entry_key){ kind, SLICE(""), { name->text, name->len }, 0 };
    return entry_key_hash(key);
}

/* ---- the origin ---- */

/* What is known of it; zero when nothing is. */
static struct origin origin_read(const struct seen *seen)
{
    const struct entry *entry = entry_find(seen->entries, &seen->origin_key, seen->origin_hash);
    struct origin origin = { 0 };

    if (entry != NULL)
        memcpy(&origin, entry_data(entry), sizeof origin);
    if (origin.passed_until_ms <= seen->now_ms)
        origin.passed = 0;
    if (origin.seen_until_ms <= seen->now_ms) {
        origin.seen = 0;
        origin.seen_until_ms = seen->now_ms + seen->call->window_ms;
    }
    return origin;
}

/* Without room for it nothing is known of it: it never becomes known, and its triplets are not counted. */
static void origin_write(const struct seen *seen, const struct origin *origin)
{
    struct entry *entry = entry_find(seen->entries, &seen->origin_key, seen->origin_hash);

    if (entry == NULL)
        entry = entry_add(seen->entries, &seen->origin_key, seen->origin_hash, sizeof *origin,
                          origin->passed == 0, seen->now_ms);
    if (entry == NULL)
        return;
    entry->is_unproven = origin->passed == 0;
    entry->expires_ms = later(origin->passed > 0 ? origin->passed_until_ms : 0,
                              origin->seen > 0 ? origin->seen_until_ms : 0);
    memcpy(entry_data(entry), origin, sizeof *origin);
}

static void origin_passed(const struct seen *seen, struct origin *origin, uint64_t more)
{
    origin->passed += more;
    origin->passed_until_ms = seen->now_ms + seen->call->allow_expiry_ms;
    origin_write(seen, origin);
}

/* ---- the triplet ---- */

static bool is_over(const struct seen *seen, const struct entry *entry)
{
    const struct triplet *triplet = entry_data(entry);
    uint64_t most = seen->call->delay_ms + seen->call->window_ms;

    if (triplet->has_passed)
        return entry->expires_ms <= seen->now_ms;
    return seen->now_ms > triplet->first_ms && seen->now_ms - triplet->first_ms >= most;
}

/* NULL: not seen, or too long ago. */
static struct entry *triplet_find(const struct seen *seen, const struct entry_key *key,
                                  uint64_t hash)
{
    struct entry *entry = entry_find(seen->entries, key, hash);

    return entry == NULL || is_over(seen, entry) ? NULL : entry;
}

static void triplet_pass(const struct seen *seen, struct entry *entry)
{
    struct triplet *triplet = entry_data(entry);

    triplet->has_passed = 1;
    entry->is_unproven = false;
    entry->expires_ms = seen->now_ms + seen->call->expiry_ms;
}

/* False: there is no room. */
static bool triplet_begin(const struct seen *seen, const struct entry_key *key, uint64_t hash)
{
    entry_drop(seen->entries, key, hash); /* one that came too long ago */
    struct entry *entry =
        entry_add(seen->entries, key, hash, sizeof(struct triplet), true, seen->now_ms);

    if (entry == NULL)
        return false;
    struct triplet *triplet = entry_data(entry);
    triplet->first_ms = seen->now_ms;
    entry->expires_ms = seen->now_ms + seen->call->delay_ms + seen->call->window_ms;
    return true;
}

/* It has come again. */
static void judge_known(const struct seen *seen, struct origin *origin, struct entry *entry)
{
    struct store_greylist *call = seen->call;
    const struct triplet *triplet = entry_data(entry);
    uint64_t age = seen->now_ms > triplet->first_ms ? seen->now_ms - triplet->first_ms : 0;
    bool has_passed = triplet->has_passed;

    call->state = has_passed || age >= call->delay_ms ? GREYLIST_PASSED : GREYLIST_EARLY;
    if (call->state == GREYLIST_EARLY)
        call->left_ms = call->delay_ms - age;
    if (call->peek)
        return;
    if (call->state == GREYLIST_EARLY) {
        entry->expires_ms = triplet->first_ms + call->delay_ms + call->window_ms;
        return;
    }
    triplet_pass(seen, entry);
    if (!has_passed && !call->is_crowded && call->allow_after > 0)
        origin_passed(seen, origin, 1);
}

static void judge_new(const struct seen *seen, struct greylist *greylist, struct origin *origin)
{
    struct store_greylist *call = seen->call;
    bool crowded = call->is_crowded;

    call->state = GREYLIST_NEW;
    call->left_ms = call->delay_ms;
    if (call->peek)
        return;
    if (!triplet_begin(seen, crowded ? &seen->shared_key : &seen->triplet_key,
                       crowded ? seen->shared_hash : seen->triplet_hash)) {
        call->state = GREYLIST_PASSED; /* who cannot be remembered would wait for ever */
        call->left_ms = 0;
        entries_bump(&greylist->unlisted);
    } else if (!crowded) {
        origin->seen++;
        origin_write(seen, origin);
    }
}

static void judge(struct seen *seen, struct greylist *greylist)
{
    struct store_greylist *call = seen->call;
    struct origin origin = origin_read(seen);

    if (call->allow_after > 0 && origin.passed >= call->allow_after) {
        call->state = GREYLIST_KNOWN;
        if (!call->peek)
            origin_passed(seen, &origin, 0);
        return;
    }
    struct entry *entry = triplet_find(seen, &seen->triplet_key, seen->triplet_hash);
    call->is_crowded = entry == NULL && origin.seen >= STORE_TRIPLETS_MAX;
    if (call->is_crowded)
        entry = triplet_find(seen, &seen->shared_key, seen->shared_hash);
    if (entry != NULL)
        judge_known(seen, &origin, entry);
    else
        judge_new(seen, greylist, &origin);
}

bool greylist_see(struct greylist *greylist, struct store_greylist *call,
                  uint64_t (*now_ms)(const void *arg), const void *arg)
{
    struct seen seen = { .entries = greylist->entries, .call = call };
    struct greylist_names names;

    if (!greylist_names(call, &names))
        return false;
    seen.origin_hash = key_make(&seen.origin_key, ENTRY_ORIGIN, &names.origin);
    seen.triplet_hash = key_make(&seen.triplet_key, ENTRY_TRIPLET, &names.triplet);
    seen.shared_hash = key_make(&seen.shared_key, ENTRY_TRIPLET, &names.shared);
    uint64_t shards =
        shard_bit(seen.origin_hash) | shard_bit(seen.triplet_hash) | shard_bit(seen.shared_hash);
    shards_lock(seen.entries, shards);
    seen.now_ms = now_ms(arg);
    judge(&seen, greylist);
    shards_unlock(seen.entries, shards, seen.now_ms);
    return true;
}
