/* policyd/server.h - what one worker of policyd has, and what all of them share. */
#ifndef GATEHOUSE_POLICYD_SERVER_H
#define GATEHOUSE_POLICYD_SERVER_H

#include "common/service/service.h"
#include "policyd/answers.h"
#include "policyd/metrics.h"
#include "policyd/policy.h"
#include "policyd/policy_proto.h"
#include "policyd/seen.h"

struct dns;

/* Shared by the workers. */
struct policyd {
    struct service service; /* first member */
    struct answers *answers;
    struct seen *seen;
    struct policy_metrics metrics;
    uint64_t connections; /* atomic: numbers connections for `answers` */
};

enum { SESSIONS_DUE = 6 };

/* One worker's own; also of the main worker, which explains decisions. */
struct server {
    struct worker *worker;
    struct policyd *policyd;
    struct store *store;
    struct dns *dns;
    struct session *sessions;
    struct session *due[SESSIONS_DUE]; /* those that have been served and not answered yet */
    size_t due_count;
    struct event *settle; /* active while any is due */
    struct inquiry *active; /* inquiries under way */
    struct inquiry *spare; /* inquiries to use again */
    size_t spare_count;
    bool is_draining;
    char input
        [POLICY_REQUEST_MAX]; /* what a session has just read; never across a return to the loop */
};

static inline uint64_t server_now(const struct server *server)
{
    const struct clock *clock = worker_clock(server->worker);

    return clock->now_ms(clock);
}

/* The configuration in force on this worker. */
static inline const struct policy *server_policy(const struct server *server)
{
    return snapshot_data(worker_snapshot(server->worker));
}

#endif
