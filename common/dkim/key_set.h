/* common/dkim/key_set.h - the private keys as they lie on the disk: DIRECTORY/DOMAIN/SELECTOR.key. A set is immutable and shared
 * by threads; it is made anew when a file has changed, with the keys of the files that have not.
 *
 * A key that cannot be used stays in the set with the reason: mail of its domain must wait for it, and no other mail. */
#ifndef GATEHOUSE_DKIM_KEY_SET_H
#define GATEHOUSE_DKIM_KEY_SET_H

#include <sys/types.h>

#include "common/base/shared.h"
#include "common/dkim/key.h"

enum {
    KEY_SET_KEYS_MAX = 100000,
    KEY_SELECTOR_MAX = 63,
    KEY_REASON_MAX = DKIM_KEY_ERROR_MAX + 64,
};

/* One file. */
struct key_file {
    struct slice domain; /* A-labels, lower case: the directory's name */
    /* Lower case: the file's name without `.key`; empty: of a directory that cannot be read. */
    struct slice selector;
    const struct dkim_key *key; /* NULL: it cannot be used */
    char reason[KEY_REASON_MAX]; /* why not; or, with a key, a warning; "" when all is well */
    uint64_t seen_ms; /* wall clock: when this content was read first */
};

struct key_set; /* opaque; in a struct shared */

/* Who may read a key file besides its owner, who must be root or us: the group `gid` and nobody else; only we and root may
 * write it. */
struct key_rules {
    uid_t uid;
    gid_t gid;
};

/* Reads the directory. `before` (may be NULL) is the set of the last time: what has not changed is taken from it, and when
 * nothing has, the result is another reference to it. A directory that cannot be read gives a set without keys whose
 * key_set_error() says why (nobody knows then who has keys: what is to be signed must wait), or, if there is one before,
 * that one's keys with the error. NULL: out of memory. */
struct shared *key_set_read(const char *directory, const struct key_rules *rules, uint64_t wall_ms,
                            struct shared *before);
const char *key_set_error(const struct key_set *set); /* "" when the directory could be read */

size_t key_set_count(const struct key_set *set);
const struct key_file *key_set_at(const struct key_set *set, size_t n); /* by domain, selector */

/* The keys of a domain: so many, from the *first-th on; 0: it has none. */
size_t key_set_find(const struct key_set *set, struct slice domain, size_t *first);

#endif
