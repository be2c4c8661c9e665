/* common/run/daemon.h - what every daemon does alike: options, configuration, workers, listeners, signals, systemd,
 * metrics and health over HTTP, reload, drain. A daemon is a table of what it does differently (struct daemon_spec).
 *
 * Threads: the main one (signals, HTTP, reload), one that accepts, the workers, the log's writer.
 * Start: load -> start -> worker_start on every worker (the main one, id 0, first) -> accept ... ; SIGHUP or SIGUSR1
 * (one that comes earlier waits until then): load -> apply on every worker; SIGTERM or SIGINT: drain on every worker, until
 * all connections are closed or 5 s (drain_ms) are over -> worker_stop on every worker (the main one last) -> stop -> unload. */
#ifndef GATEHOUSE_RUN_DAEMON_H
#define GATEHOUSE_RUN_DAEMON_H

#include "common/config/common_params.h"
#include "common/config/usage.h"
#include "common/net/http.h"
#include "common/run/acceptor.h"
#include "common/run/snapshot.h"
#include "common/run/worker.h"

#define DRAIN_MS (5 * SECOND)

struct daemon; /* opaque: one per process */

/* A configuration as read, for the daemon to judge further and to make of it what its workers need. */
struct daemon_load {
    const struct conf *conf; /* for positions: conf_where() */
    const void *config; /* the program's struct, filled in by conf_load() */
    struct arena *arena; /* all of this, and what load() adds, lives as long as the snapshot */
    struct conf_errors *errors; /* load() reports every mistake here */
    const void *previous; /* data in force, to take over what is expensive; NULL at start */
};

enum readiness { READY_OK, READY_DEGRADED, READY_DOWN };

/* Members marked optional may be NULL. What takes a worker runs on that worker's thread, all else on the main one. */
struct daemon_spec {
    const struct usage_program *program; /* names, -h, the parameters */
    const char *config_path; /* `/etc/gatehouse/policyd.conf` */
    size_t common_offset; /* of `struct common_config` in the program's struct */

    /* Makes the data of a snapshot. Called even when the file has mistakes already (defaults stand in for them), so that
     * all are found in one run; the result is then thrown away. NULL: reported. With -t nothing else is called. */
    void *(*load)(const struct daemon_load *load);
    void (*unload)(void *data); /* optional; any thread */

    int (*start)(struct daemon *daemon); /* optional: what workers share; -1, logged: it ends */
    void (*stop)(struct daemon *daemon); /* optional: when no worker runs any more */

    int (*worker_start)(struct worker *worker); /* optional; -1, logged: the daemon ends */
    void (*worker_stop)(struct worker *worker); /* optional: closes what is left */
    void (*apply)(struct worker *worker); /* optional: worker_snapshot() is a new one */
    accept_call *accept; /* not on the main worker; `listener` counts in the order of `listen` */
    /* Closes idle connections now and the others after their answer; none is handed over after it. */
    void (*drain)(struct worker *worker); /* optional */
    uint64_t drain_ms; /* how long the others may take; 0: DRAIN_MS */
    /* Connections are also in the hands of threads that cannot be told to end: when some are still busy after drain_ms the
     * process ends with them, without worker_stop, stop and unload. */
    bool has_threads;

    void (*tick)(struct daemon *daemon); /* optional: once a second */
    enum readiness (*ready)(struct daemon *daemon, struct buf *reason); /* optional; one line */
    const struct http_route *routes; /* beside /metrics, /health, /ready; their arg: the daemon */
    size_t route_count;
    /* Bytes of a request to them, at most 16 MiB; the larger, the fewer connections at the same time. 0: 1 MiB. */
    size_t http_body_max;
};

/* Runs the daemon in the foreground. The exit status: 0, EX_USAGE 64, EX_OSERR 71, EX_CONFIG 78. */
int daemon_main(const struct daemon_spec *spec, int argc, char **argv);

/* ---- for the daemon's own code ---- */
void *daemon_state(const struct daemon *daemon); /* set in `start`, before other threads run */
void daemon_set_state(struct daemon *daemon, void *state);
const struct clock *daemon_clock(const struct daemon *daemon);
struct worker *daemon_main_worker(const struct daemon *daemon);
size_t daemon_connections(const struct daemon *daemon); /* any thread */
bool daemon_is_draining(const struct daemon *daemon); /* any thread */
uint64_t daemon_started_ms(const struct daemon *daemon); /* wall clock */

/* ---- the configuration in force; main thread ---- */
struct snapshot *daemon_snapshot(const struct daemon *daemon); /* newest; borrowed */
const struct common_config *daemon_common(const struct daemon *daemon); /* newest; borrowed */
/* Reads the file again, as SIGHUP does. False when the old one stays; *report (may be NULL) says why, or warns. */
bool daemon_reload(struct daemon *daemon, struct buf *report);
/* Puts other data in force without reading the file (live rules): takes `data`, to be unloaded like load()'s; the
 * configuration it borrows from is kept. -1: out of memory, data unloaded. */
int daemon_publish(struct daemon *daemon, void *data);

#endif
