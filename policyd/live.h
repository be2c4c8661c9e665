/* policyd/live.h - keeps the policy in force up to date with what changes while policyd runs: live lists, maps, classes,
 * rules and limits in the store, list and map files, the country database. On the main worker's thread.
 *
 * One poll of the store every 400 ms asks which hashes have changed and only these are read, so a change is in force
 * within a second; files are looked at once a second. Each change makes a new policy of the old one's parts. */
#ifndef GATEHOUSE_POLICYD_LIVE_H
#define GATEHOUSE_POLICYD_LIVE_H

#include "common/run/daemon.h"
#include "policyd/server.h"

struct live; /* opaque */

/* Starts polling. `server` is the main worker's. NULL: out of memory. */
struct live *live_start(struct daemon *daemon, struct server *server);
void live_stop(struct live **live); /* NULL-safe; clears *live */
void live_reloaded(struct live *live); /* another configuration is in force: other names to poll */
void live_check_files(struct live *live); /* once a second */

#endif
