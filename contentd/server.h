/* contentd/server.h - what one worker of contentd has, and what all of them share. */
#ifndef GATEHOUSE_CONTENTD_SERVER_H
#define GATEHOUSE_CONTENTD_SERVER_H

#include "common/run/daemon.h"
#include "contentd/config.h"

/* One worker's own; also of the main worker. */
struct server {
    struct worker *worker;
};

/* What a snapshot holds. */
struct setup {
    const struct contentd_config *config;
};

/* The configuration in force on this worker. */
static inline const struct setup *server_setup(const struct server *server)
{
    return snapshot_data(worker_snapshot(server->worker));
}

extern const struct daemon_spec contentd_spec;

#endif
