/* contentd/server.h - what one worker of contentd has, and what all of them share. */
#ifndef GATEHOUSE_CONTENTD_SERVER_H
#define GATEHOUSE_CONTENTD_SERVER_H

#include "common/message/record.h"
#include "common/service/milter_service.h"
#include "contentd/effects.h"
#include "contentd/metrics.h"
#include "contentd/setup.h"

struct explainer;
struct keeper;
struct places_opener;

/* Shared by the workers and the milter's threads. */
struct contentd {
    struct milter_service service; /* first member */
    struct contentd_metrics metrics;
    struct release *release; /* NULL: no release listener */
    struct effects_places places;
    /* the main thread's: */
    struct places_opener *opener; /* of `places` */
    struct explainer *explainer;
    struct keeper *keeper; /* NULL: there is no quarantine yet */
};

/* One worker's own; also of the main worker. */
struct server {
    struct worker *worker;
    struct contentd *contentd;
    struct store *store;
    struct record_teller teller;
};

extern const struct daemon_spec contentd_spec;

#endif
