/* contentd/connections.c - see connections.h. A lease has two owners: the job that opens it, until it is over, and the
 * connection; it is closed on the worker, where it was opened. */
#include "contentd/connections.h"

#include <stdatomic.h>

#include "common/milter/job.h"
#include "contentd/server.h"

enum { LEASE_MEMORY_MAX = 4096, SUBJECTS = 3, WAIT_MS = 2000 };

struct connection_lease {
    struct store_lease lease; /* first member */
    struct worker *worker;
    struct job *running; /* the loop's, until the call is done */
    struct arena *arena;
    struct slice subjects[SUBJECTS]; /* address, network, all */
    _Atomic unsigned references;
};

static struct server *server_of(const struct connection_lease *lease)
{
    return worker_state(lease->worker);
}

static void lease_unref(struct connection_lease *lease)
{
    if (atomic_fetch_sub(&lease->references, 1) > 1)
        return;
    arena_free(&lease->arena);
    free(lease);
}

/* ---- on the loop ---- */

static void opened(struct store_call *call)
{
    struct job *job = ((struct connection_lease *)call)->running;

    if (job != NULL)
        job_done(job);
}

static void work_start(struct job *job, void *work)
{
    struct connection_lease *lease = work;

    lease->running = job;
    lease->lease.call.done = opened;
    if (store_lease_open(server_of(lease)->store, &lease->lease))
        job_done(job);
}

/* Too late to be waited for; it counts all the same, until it is closed. */
static void work_abandon(void *work)
{
    struct connection_lease *lease = work;

    lease->running = NULL;
}

static void work_release(void *work)
{
    lease_unref(work);
}

static const struct job_kind lease_job = { work_start, work_abandon, work_release };

static void close_lease(UNUSED struct worker *worker, void *arg)
{
    struct connection_lease *lease = arg;

    store_lease_close(server_of(lease)->store, &lease->lease);
    lease_unref(lease);
}

/* The store went with the worker. */
static void close_never(UNUSED struct worker *worker, void *arg)
{
    lease_unref(arg);
}

/* ---- the milter's threads ---- */

static bool lease_fill(struct connection_lease *lease, const struct message_client *client)
{
    char address[IP_ADDRESS_TEXT_MAX], net[IPNET_TEXT_MAX];
    struct ipnet whole = ipnet_of(&client->address), part = ipnet_mask(&whole, 24, 64);

    ip_address_print(&client->address, address);
    ipnet_print(&part, net);
    lease->subjects[0] = limit_subject(LIMIT_ADDRESS, slice_of(address), lease->arena);
    lease->subjects[1] = limit_subject(LIMIT_NETWORK, slice_of(net), lease->arena);
    lease->subjects[2] = limit_subject(LIMIT_ALL, SLICE(""), lease->arena);
    lease->lease.subjects = lease->subjects;
    lease->lease.count = SUBJECTS;
    return lease->subjects[0].ptr != NULL && lease->subjects[1].ptr != NULL &&
           lease->subjects[2].ptr != NULL;
}

static struct connection_lease *lease_new(struct worker *worker,
                                          const struct message_client *client)
{
    struct connection_lease *lease = calloc(1, sizeof *lease);

    if (lease == NULL)
        return NULL;
    lease->worker = worker;
    lease->arena = arena_new(LEASE_MEMORY_MAX);
    if (lease->arena == NULL || !lease_fill(lease, client)) {
        arena_free(&lease->arena);
        free(lease);
        return NULL;
    }
    return lease;
}

struct connection_lease *connection_lease_open(struct worker *worker,
                                               const struct message_client *client,
                                               struct connection_counts *counts)
{
    struct connection_lease *lease = client->has_address ? lease_new(worker, client) : NULL;

    *counts = (struct connection_counts){ .is_known = false };
    if (lease == NULL)
        return NULL;
    atomic_init(&lease->references, 2);
    struct job *job = job_start(worker, &lease_job, lease);
    if (job == NULL) {
        lease_unref(lease); /* the job's was released */
        return NULL;
    }
    if (job_wait(job, WAIT_MS, 0, NULL, NULL) == JOB_DONE && lease->lease.call.result == STORE_OK)
        *counts = (struct connection_counts){ .is_known = true,
                                              .address = lease->lease.totals[0],
                                              .net = lease->lease.totals[1],
                                              .all = lease->lease.totals[2] };
    job_drop(&job);
    return lease;
}

void connection_lease_close(struct connection_lease **lease)
{
    struct connection_lease *gone = *lease;

    *lease = NULL;
    if (gone != NULL && worker_post_or(gone->worker, close_lease, close_never, gone))
        lease_unref(gone);
}
