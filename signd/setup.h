/* signd/setup.h - what is in force: the configuration and the live state, compiled. Immutable and shared by all workers and
 * the milter's threads; made when the file is read, and made again, from the same parts, when a list, a map, a live rule or
 * gh:dkim has changed. The keys themselves are not in it: key_shelf.h. */
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

/* What a setup is made of. Everything but `config` is counted: a setup holds references. */
struct setup_parts {
    struct policy_core core; /* first member */
    const struct signd_config *config;
    struct shared *lives; /* struct key_lives: gh:dkim; NULL: empty */
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

/* Who signs what, with these keys. Borrows from both. */
struct key_ring setup_ring(const struct setup *setup, const struct key_set *files);
/* How mail is signed with the keys of this domain. */
const struct sign_settings *setup_sign(const struct setup *setup, struct slice domain);

#endif
