/* signd/key_shelf.h - the keys in force: the directory is looked at every KEY_SHELF_MS on the main thread, and what has changed is
 * logged, counted and put in force; the milter's threads take the newest set. */
#ifndef GATEHOUSE_SIGND_KEY_SHELF_H
#define GATEHOUSE_SIGND_KEY_SHELF_H

#include "common/base/clock.h"
#include "signd/key_ring.h"

enum {
    KEY_SHELF_MS = 400,
    /* A domain whose last key has gone keeps it so long: whoever replaces a file by removing it and making it anew must not have
     * mail go out unsigned meanwhile. */
    KEY_SHELF_GRACE_MS = 5000,
};

struct key_shelf; /* opaque */

struct key_shelf_spec {
    struct key_rules rules;
    const struct clock *clock; /* must outlive it */
};

/* Empty until it is read. NULL: out of memory. */
struct key_shelf *key_shelf_new(const struct key_shelf_spec *spec);
void key_shelf_free(struct key_shelf **shelf); /* NULL-safe; clears *shelf */

/* Looks at the directory: stats every file, reads those that have changed. One thread. */
void key_shelf_read(struct key_shelf *shelf, const char *directory);

/* struct key_set, with a reference; NULL before the first reading. Any thread. */
struct shared *key_shelf_take(struct key_shelf *shelf);

#endif
