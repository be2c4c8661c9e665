/* common/policy/core.h - what the policy of every daemon with rules is made of: the sections of its file, its lists and
 * maps, the live rules. A daemon's snapshot data, and the parts that it is made of, begin with a struct policy_core, so
 * rule_book.h, kind.h and live.h can work on both. Each part is counted: a copy shares them, and changes some. */
#ifndef GATEHOUSE_POLICY_CORE_H
#define GATEHOUSE_POLICY_CORE_H

#include "common/policy/sets.h"
#include "common/rules/rules.h"
#include "common/run/daemon.h"

struct policy_core {
    const struct policy_sections *sections; /* borrowed from the configuration, as is `conf` */
    const struct conf *conf;
    bool is_shadow; /* mode = shadow: every rule only logs and counts */
    struct sets sets;
    struct shared *live_rules; /* struct live_rules (rule_book.h); NULL: none */
};

/* From a daemon's load(): lists and maps are made, mistakes reported; what is live is taken over from the core of
 * load->previous. False: out of memory; *core is to be freed all the same. Main thread; reads files. */
bool policy_core_load(struct policy_core *core, const struct daemon_load *load,
                      const struct policy_sections *sections, enum conf_run_mode mode);
/* False: out of memory, nothing to free. */
bool policy_core_copy(const struct policy_core *from, struct policy_core *to);
void policy_core_free(struct policy_core *core); /* what is zeroed, too */

/* Sets what the core knows in the schema for its rules: list_exists, map_exists, name_at. Its context must begin with
 * the policy_core. A daemon with more kinds of names sets a name_at of its own, which calls sets_name_at(). */
void policy_core_schema(struct rules_schema *schema, const void *context);

#endif
