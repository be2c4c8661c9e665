/* contentd/loops.h - addresses of the configuration by which contentd would hand mail to itself. Pure. */
#ifndef GATEHOUSE_CONTENTD_LOOPS_H
#define GATEHOUSE_CONTENTD_LOOPS_H

#include "common/run/daemon.h"

/* Reports a scanner of kind milter, and a release listener, at an address of `listen` (as they are written): each message would
 * make another one until max_sessions. And an outbox in the directory of the quarantine. load->config: struct contentd_config. */
void loops_check(const struct daemon_load *load);

#endif
