/* policyd/policy_load.h - from a configuration as read to a policy in force: limits, lists, maps, classes and the
 * country database are made, mistakes reported with their places. Main thread; reads files. */
#ifndef GATEHOUSE_POLICYD_POLICY_LOAD_H
#define GATEHOUSE_POLICYD_POLICY_LOAD_H

#include "common/run/daemon.h"
#include "policyd/policy.h"

/* daemon_spec's load: a struct policy, or NULL (reported). What is live is taken over from the policy in force. */
void *policy_load(const struct daemon_load *load);

#endif
