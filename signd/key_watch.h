/* signd/key_watch.h - the records of active keys are looked at once in a while, as those of keys that wait are (key_sight.h):
 * nobody can verify what a key signs whose record has been withdrawn or broken. It is only said (log, metric, status): the
 * record may be out of sight from here alone, so signing goes on. On the main worker's thread. */
#ifndef GATEHOUSE_SIGND_KEY_WATCH_H
#define GATEHOUSE_SIGND_KEY_WATCH_H

#include "common/base/clock.h"
#include "signd/key_ring.h"
#include "signd/key_sight.h"

struct key_watch; /* opaque */

enum { KEY_WATCH_LOOK_MAX = 100 }; /* keys that are asked for at the same time */

struct key_watch_spec {
    struct worker *worker;
    const struct clock *clock;
    const struct conf_list *resolvers; /* as key_sight_new() has them */
    const char *resolv_conf;
};

/* NULL: out of memory. */
struct key_watch *key_watch_new(const struct key_watch_spec *spec);
void key_watch_free(struct key_watch **watch); /* ends what is under way; NULL-safe; clears */

struct key_watch_input {
    /* What is in force (struct key_set, struct key_lives); references are taken. */
    struct shared *files, *lives;
    /* Between two looks at a key, a quarter more or less; a twelfth of it as long as its record is not seen to be good, but
     * at least a second. 0: nobody is asked. */
    uint64_t interval_ms;
    uint64_t dns_timeout_ms; /* of one look */
};
/* To be called once in a while. Begins a look at those whose time has come, unless one is under way; a key that is new among
 * the active ones is looked at at once. */
void key_watch_run(struct key_watch *watch, const struct key_watch_input *input);
bool key_watch_is_looking(const struct key_watch *watch);

/* What is known of a key's record. NULL: it is not watched (not active, no key here, or nothing is). Borrowed until the watch
 * runs again. */
struct key_watch_report {
    struct key_sighting seen; /* at the last look */
    uint64_t looked_s; /* Unix time of it; 0: there was none yet */
};
const struct key_watch_report *key_watch_of(const struct key_watch *watch, struct slice domain,
                                            struct slice selector);

#endif
