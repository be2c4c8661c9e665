/* signd/server.h - what one worker of signd has, and what all of them share. */
#ifndef GATEHOUSE_SIGND_SERVER_H
#define GATEHOUSE_SIGND_SERVER_H

#include "common/message/record.h"
#include "common/net/dns.h"
#include "common/run/daemon.h"
#include "common/run/snapshot_cell.h"
#include "common/store/stores.h"
#include "signd/key_cycle.h"
#include "signd/key_shelf.h"
#include "signd/metrics.h"
#include "signd/setup.h"
#include "signd/verify.h"

enum { SIGND_HOSTNAME_MAX = 255 };

struct control_service;

/* Shared by the workers and the milter's threads. */
struct signd {
    struct stores *stores;
    struct signd_metrics metrics;
    struct verifier *verifier;
    struct key_shelf *shelf;
    struct snapshot_cell in_force; /* for the milter's threads */
    char hostname[SIGND_HOSTNAME_MAX + 1]; /* where neither authserv_id nor the MTA says one */
    /* the main worker's: */
    struct live *live;
    struct control_service *control;
    struct event *shelf_timer, *cycle_timer;
    struct key_cycle *cycle;
};

/* One worker's own; also of the main worker. */
struct server {
    struct worker *worker;
    struct signd *signd;
    struct store *store;
    struct dns *dns;
    struct record_teller teller;
};

extern const struct daemon_spec signd_spec;

#endif
