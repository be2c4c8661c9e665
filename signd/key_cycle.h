/* signd/key_cycle.h - keys change over by themselves (common/dkim/rotation.h): now and then each configured resolver is asked, past
 * any cache, for the records of the keys that wait, and what follows is written to gh:dkim: all of a domain in one step, if
 * nobody has changed it since it was read; otherwise the next cycle looks again. All hosts do it and come to the same.
 * On the main worker's thread. */
#ifndef GATEHOUSE_SIGND_KEY_CYCLE_H
#define GATEHOUSE_SIGND_KEY_CYCLE_H

#include "common/config/param.h"
#include "common/net/dns.h"
#include "common/store/store.h"
#include "signd/key_ring.h"

struct key_cycle; /* opaque */

struct key_cycle_spec {
    struct worker *worker;
    struct store *store; /* the worker's */
    const struct conf_list *resolvers; /* none: those of resolv.conf; borrowed for the call */
    const char *resolv_conf; /* NULL: /etc/resolv.conf */
};

/* NULL: out of memory. */
struct key_cycle *key_cycle_new(const struct key_cycle_spec *spec);
void key_cycle_free(struct key_cycle **cycle); /* ends what is under way; NULL-safe; clears */

/* Begins a cycle, unless one is under way: `files` (struct key_set) and `lives` (struct key_lives; key_states_take()) are what is in
 * force; references are taken. Without a key that waits nothing is asked. What `lives` knows of a key, and gh:dkim does not any more, is
 * written there again. */
struct key_cycle_input {
    struct shared *files, *lives;
    bool is_lost; /* gh:dkim lacks states: key_states_are_lost() */
    struct dkim_rotation rotation;
    uint64_t dns_timeout_ms;
};
void key_cycle_run(struct key_cycle *cycle, const struct key_cycle_input *input);
bool key_cycle_is_running(const struct key_cycle *cycle);

#endif
