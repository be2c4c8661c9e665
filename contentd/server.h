/* contentd/server.h - what one worker of contentd has, and what all of them share. */
#ifndef GATEHOUSE_CONTENTD_SERVER_H
#define GATEHOUSE_CONTENTD_SERVER_H

#include <pthread.h>

#include "common/run/daemon.h"
#include "common/store/stores.h"
#include "contentd/effects.h"
#include "contentd/metrics.h"
#include "contentd/setup.h"

struct control_service;
struct keeper;
struct settlement;

/* Shared by the workers and the milter's threads. */
struct contentd {
    struct stores *stores;
    struct contentd_metrics metrics;
    struct release *release; /* NULL: no release listener */
    struct effects_places places;
    pthread_mutex_t mutex;
    struct snapshot *snapshot; /* in force, for the milter's threads; with the mutex */
    /* the main worker's: */
    struct live *live;
    struct control_service *control;
    struct keeper *keeper; /* NULL: there is no quarantine */
};

/* One worker's own; also of the main worker. */
struct server {
    struct worker *worker;
    struct contentd *contentd;
    struct store *store;
    struct settlement *settlements; /* messages that are being written down */
};

/* The configuration in force, with a reference. Any thread. */
struct snapshot *contentd_snapshot(struct contentd *contentd);

void settlements_free(struct server *server); /* settlement.c: all that are under way */

extern const struct daemon_spec contentd_spec;

#endif
