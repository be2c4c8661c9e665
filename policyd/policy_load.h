/* policyd/policy_load.h - from a configuration as read to the parts of a policy: limits, lists, maps, classes and the
 * country database are made, mistakes reported with their places. Main thread; reads files. */
#ifndef GATEHOUSE_POLICYD_POLICY_LOAD_H
#define GATEHOUSE_POLICYD_POLICY_LOAD_H

#include "common/run/daemon.h"
#include "policyd/policy.h"

/* Of policyd_kind (live.h): a struct policy_parts. What is live is taken over from the policy in force. */
bool policy_parts_load(void *parts, const struct daemon_load *load);

#endif
