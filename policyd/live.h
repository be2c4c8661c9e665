/* policyd/live.h - a policy's life: made when the file is read, and again when lists, maps, rules, classes or limits have
 * changed; and the country database, which is kept up to date. On the main thread; see common/policy/kind.h and live.h. */
#ifndef GATEHOUSE_POLICYD_LIVE_H
#define GATEHOUSE_POLICYD_LIVE_H

#include "common/policy/live.h"
#include "policyd/policy.h"

extern const struct policy_kind policyd_kind;

/* daemon_spec.load and .unload. */
void *policy_load(const struct daemon_load *load);
void policy_free(void *policy); /* NULL-safe */

/* Once a second: reads the country database anew when it has changed. */
void policyd_check_geoip(const struct policy *policy);

#endif
