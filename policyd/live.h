/* policyd/live.h - what policyd has in its snapshots beside rules, lists and maps, kept up to date: live classes and limits,
 * the country database. On the main worker's thread; see common/policy/live.h. */
#ifndef GATEHOUSE_POLICYD_LIVE_H
#define GATEHOUSE_POLICYD_LIVE_H

#include "common/policy/live.h"
#include "policyd/policy.h"

extern const struct live_spec policyd_live;

/* Once a second: reads the country database anew when it has changed. */
void policyd_check_geoip(const struct policy *policy);

#endif
