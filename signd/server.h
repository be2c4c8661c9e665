/* signd/server.h - what one worker of signd has, and what all of them share. */
#ifndef GATEHOUSE_SIGND_SERVER_H
#define GATEHOUSE_SIGND_SERVER_H

#include "common/message/record.h"
#include "common/net/dns.h"
#include "common/service/milter_service.h"
#include "signd/key_cycle.h"
#include "signd/key_shelf.h"
#include "signd/key_states.h"
#include "signd/key_watch.h"
#include "signd/metrics.h"
#include "signd/setup.h"
#include "signd/verify.h"

enum { SIGND_HOSTNAME_MAX = 255 };

struct explainer;

/* Shared by the workers and the milter's threads. */
struct signd {
    struct milter_service service; /* first member */
    struct signd_metrics metrics;
    struct verifier *verifier;
    struct key_shelf *shelf;
    struct key_states *states;
    char hostname[SIGND_HOSTNAME_MAX + 1]; /* where neither authserv_id nor the MTA says one */
    /* the main worker's: */
    struct explainer *explainer;
    struct event *shelf_timer, *cycle_timer;
    bool states_were_lost;
    struct key_cycle *cycle;
    struct key_watch *watch;
};

/* One worker's own; also of the main worker. */
struct server {
    struct worker *worker;
    struct signd *signd;
    struct store *store;
    struct dns *dns;
    struct record_teller teller;
};

/* References to the keys and states in force. A key that became active when its file had been read is never without it. Any
 * thread. */
void signd_keys_take(struct signd *signd, struct shared **keys, struct shared **states);

extern const struct daemon_spec signd_spec;

#endif
