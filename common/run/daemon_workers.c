/* common/run/daemon_workers.c - the threads of a daemon: workers, each with what the daemon keeps there, and the one that accepts. */
#include <sched.h>

#include "common/observe/log.h"
#include "common/run/acceptor.h"
#include "common/run/daemon_private.h"

enum { WORKERS_MAX = 128 };

int daemon_worker_start(struct worker *worker)
{
    const struct daemon_spec *spec = worker_daemon(worker)->spec;

    return spec->worker_start == NULL ? 0 : spec->worker_start(worker);
}

void daemon_worker_stop(struct worker *worker)
{
    const struct daemon_spec *spec = worker_daemon(worker)->spec;

    if (spec->worker_stop != NULL)
        spec->worker_stop(worker);
}

int daemon_workers_start(struct daemon *daemon)
{
    uint64_t now = daemon->clock->now_ms(daemon->clock);

    for (size_t i = 0; i < daemon->worker_count; i++) {
        if (worker_start(daemon->workers[i])) {
            log_error("worker %zu of %zu cannot start", i + 1, daemon->worker_count);
            return -1;
        }
        atomic_store(&daemon->health[i].answered_ms, now);
    }
    return 0;
}

void daemon_workers_stop(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->worker_count; i++)
        worker_stop(daemon->workers[i]);
    for (size_t i = 0; i < daemon->worker_count; i++)
        worker_join(daemon->workers[i]);
}

/* The accepting thread's hooks. */
static int start_acceptor(struct worker *worker)
{
    struct daemon *daemon = worker_daemon(worker);

    daemon->acceptor = acceptor_new(worker, daemon->workers, daemon->worker_count,
                                    daemon_common(daemon)->max_connections, daemon->spec->accept);
    if (daemon->acceptor == NULL)
        return -1;
    for (size_t i = 0; i < daemon->listener_count; i++)
        if (acceptor_add(daemon->acceptor, daemon->listeners[i].fd, daemon->listener_numbers[i])) {
            acceptor_free(&daemon->acceptor);
            return -1;
        }
    return 0;
}

static void stop_acceptor(struct worker *worker)
{
    acceptor_free(&worker_daemon(worker)->acceptor);
}

int daemon_accepting_start(struct daemon *daemon)
{
    static const struct worker_hooks hooks = { start_acceptor, stop_acceptor };

    if (daemon->listener_count == 0)
        return 0;
    daemon->accept_worker =
        worker_new((unsigned)daemon->worker_count + 1, "accept", daemon->clock, &hooks);
    if (daemon->accept_worker == NULL)
        return -1;
    worker_set_daemon(daemon->accept_worker, daemon);
    return worker_start(daemon->accept_worker);
}

void daemon_accepting_end(struct daemon *daemon)
{
    if (daemon->accept_worker == NULL)
        return;
    worker_stop(daemon->accept_worker);
    worker_join(daemon->accept_worker);
    worker_free(&daemon->accept_worker);
}

static const struct worker_hooks worker_hooks = { daemon_worker_start, daemon_worker_stop };

static struct worker *new_worker(struct daemon *daemon, unsigned id,
                                 const struct worker_hooks *hooks)
{
    char name[16];

    snprintf(name, sizeof name, "worker-%u", id);
    struct worker *worker = worker_new(id, name, daemon->clock, hooks);
    if (worker == NULL)
        return NULL;
    worker_set_daemon(worker, daemon);
    worker_set_snapshot(worker, daemon->snapshot);
    return worker;
}

static size_t cpu_count(void)
{
    cpu_set_t cpus;

    if (sched_getaffinity(0, sizeof cpus, &cpus) < 0)
        return 1;
    return (size_t)CPU_COUNT(&cpus);
}

int daemon_workers_make(struct daemon *daemon, const struct worker_hooks *main_hooks)
{
    size_t count = daemon_common(daemon)->workers;

    if (count == 0)
        count = cpu_count();
    if (count > WORKERS_MAX)
        count = WORKERS_MAX;
    daemon->workers = calloc(count, sizeof *daemon->workers);
    daemon->health = calloc(count, sizeof *daemon->health);
    daemon->main_worker = new_worker(daemon, 0, main_hooks);
    if (daemon->workers == NULL || daemon->health == NULL || daemon->main_worker == NULL)
        return -1;
    while (daemon->worker_count < count) {
        struct worker *worker =
            new_worker(daemon, (unsigned)daemon->worker_count + 1, &worker_hooks);
        if (worker == NULL)
            return -1;
        daemon->workers[daemon->worker_count++] = worker;
    }
    return 0;
}

void daemon_workers_free(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->worker_count; i++)
        worker_free(&daemon->workers[i]);
    worker_free(&daemon->main_worker);
    free(daemon->workers);
    free(daemon->health);
}
