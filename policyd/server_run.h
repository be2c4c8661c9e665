/* policyd/server_run.h - policyd as a daemon: what is shared, what each worker has, and when they begin and end. */
#ifndef GATEHOUSE_POLICYD_SERVER_RUN_H
#define GATEHOUSE_POLICYD_SERVER_RUN_H

#include "common/run/daemon.h"

extern const struct daemon_spec policyd_spec;

#endif
