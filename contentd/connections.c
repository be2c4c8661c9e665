/* contentd/connections.c - see connections.h. A lease has two owners: the job that opens it, until it is over, and the
 * connection; it is closed on the worker, where it was opened. */
#include "contentd/connections.h"

#include <stdatomic.h>

#include "common/milter/job.h"
#include "contentd/server.h"

enum { LEASE_MEMORY_MAX = 16384, WAIT_MS = 2000 };
enum { ADDRESS, NETWORK, ALL, FIRST_LIST };

struct connection_lease {
    struct store_lease lease; /* first member */
    struct worker *worker;
    struct job *running; /* the loop's, until the call is done */
    struct arena *arena;
    struct slice subjects[STORE_LEASE_SUBJECTS_MAX]; /* lists that the client is in before others */
    struct connection_list *lists; /* of the subjects from FIRST_LIST on */
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

/* ---- the milter's side ---- */

static void add_subject(struct connection_lease *lease, enum limit_letter letter,
                        struct slice value)
{
    lease->subjects[lease->lease.count++] = limit_subject(letter, value, lease->arena);
}

/* Those that the client is in, or those that it is not in. */
static void add_lists(struct connection_lease *lease, const struct setup *setup,
                      const struct value *address, uint64_t wall_ms, bool is_in)
{
    for (size_t i = 0; i < setup->connection_list_count; i++) {
        const struct named_list *list = setup->connection_lists[i];
        if (named_list_has(list, address, wall_ms) != is_in)
            continue;
        lease->lists[lease->lease.count - FIRST_LIST].name = arena_copy(lease->arena, list->name);
        add_subject(lease, LIMIT_LIST, list->name);
        lease->lease.looked_at += !is_in;
    }
}

static bool lease_fill(struct connection_lease *lease, const struct setup *setup,
                       const struct message_client *client)
{
    char address[IP_ADDRESS_TEXT_MAX], net[IPNET_TEXT_MAX];
    struct ipnet whole = ipnet_of(&client->address), part = ipnet_mask(&whole, 24, 64);
    const struct clock *clock = worker_clock(lease->worker);
    uint64_t now = clock->wall_ms(clock); /* once: nobody is in a list and is not */
    struct value value;

    ip_address_print(&client->address, address);
    ipnet_print(&part, net);
    lease->lists =
        arena_alloc_array(lease->arena, setup->connection_list_count + 1, sizeof *lease->lists);
    if (lease->lists == NULL || !value_of_address(&value, slice_of(address), lease->arena))
        return false;
    lease->lease.subjects = lease->subjects;
    add_subject(lease, LIMIT_ADDRESS, slice_of(address));
    add_subject(lease, LIMIT_NETWORK, slice_of(net));
    add_subject(lease, LIMIT_ALL, SLICE(""));
    add_lists(lease, setup, &value, now, true);
    add_lists(lease, setup, &value, now, false);
    for (size_t i = 0; i < lease->lease.count; i++)
        if (lease->subjects[i].ptr == NULL ||
            (i >= FIRST_LIST && lease->lists[i - FIRST_LIST].name.ptr == NULL))
            return false;
    return true;
}

static struct connection_lease *lease_new(struct worker *worker, const struct setup *setup,
                                          const struct message_client *client)
{
    struct connection_lease *lease = calloc(1, sizeof *lease);

    if (lease == NULL)
        return NULL;
    lease->worker = worker;
    lease->arena = arena_new(LEASE_MEMORY_MAX);
    if (lease->arena == NULL || !lease_fill(lease, setup, client)) {
        arena_free(&lease->arena);
        free(lease);
        return NULL;
    }
    return lease;
}

/* Where it counts but found no room, nothing is known. */
static struct connection_counts counts_of(const struct connection_lease *lease)
{
    const struct store_lease *found = &lease->lease;

    for (size_t i = FIRST_LIST; i < found->count; i++) {
        struct connection_list *list = &lease->lists[i - FIRST_LIST];
        list->count = found->totals[i];
        list->is_known = list->count > 0 || i >= found->count - found->looked_at;
    }
    return (struct connection_counts){
        .is_known = true,
        .address = found->totals[ADDRESS],
        .net = found->totals[NETWORK],
        .all = found->totals[ALL],
        .lists = lease->lists,
        .list_count = found->count - FIRST_LIST,
    };
}

struct connection_lease *connection_lease_open(struct worker *worker, const struct setup *setup,
                                               const struct message_client *client,
                                               struct connection_counts *counts)
{
    struct connection_lease *lease = client->has_address ? lease_new(worker, setup, client) : NULL;

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
        *counts = counts_of(lease);
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
