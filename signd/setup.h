/* signd/setup.h - what is in force: the configuration and the live state, compiled. Immutable and shared by all workers and
 * the milter's threads; made when the file is read, and made again, from the same parts, when a list, a map, a live rule or
 * gh:dkim has changed. The keys and their states are not in it: key_shelf.h, key_states.h. */
#ifndef GATEHOUSE_SIGND_SETUP_H
#define GATEHOUSE_SIGND_SETUP_H

#include "common/message/direction.h"
#include "common/message/facts.h"
#include "common/policy/live.h"
#include "common/policy/rule_book.h"
#include "signd/actions.h"
#include "signd/config.h"
#include "signd/key_ring.h"
#include "signd/sign.h"

#define SETUP_LIVES_KEY "dkim" /* gh:dkim */

/* What a setup is made of. Everything but `config` is counted: a setup holds references. */
struct setup_parts {
    struct policy_core core; /* first member */
    const struct signd_config *config;
    /* struct key_lives: gh:dkim, as it was read with this number (live_reads()); NULL, 0: not yet. */
    struct shared *lives;
    uint64_t lives_number;
};

struct setup {
    struct setup_parts parts; /* first member */
    struct rules_schema schema;
    struct rule_book book;
    struct direction direction;
    struct slice *oversigned; /* owned: From, and what the configuration names */
    struct sign_settings sign; /* for domains without a section */
    struct sign_settings *domain_signs; /* owned; of each [domain] */
    struct message_names names; /* by the rules */
};

extern const struct policy_kind signd_kind;

/* daemon_spec.load and .unload. */
void *setup_load(const struct daemon_load *load);
void setup_free(void *setup); /* NULL-safe */

/* ---- asking; any thread ---- */

/* Who signs what, with these keys in these states. Borrows from all. */
struct key_ring setup_ring(const struct setup *setup, const struct key_set *files,
                           const struct key_lives *lives);
/* How mail is signed with the keys of this domain. */
const struct sign_settings *setup_sign(const struct setup *setup, struct slice domain);

#endif
