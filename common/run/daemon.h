/* common/run/daemon.h - what every daemon does alike: options, configuration, workers, listeners, signals, systemd,
 * metrics and health over HTTP, reload, drain. A daemon is a table of what it does differently (struct daemon_spec).
 *
 * Start: load -> start -> worker_start on every worker (the main one, id 0, first) -> accept ... ; SIGHUP or SIGUSR1:
 * load -> apply on every worker; SIGTERM or SIGINT: drain on every worker, until all connections are closed or 5 s are
 * over -> worker_stop on every worker -> stop. */
#ifndef GATEHOUSE_RUN_DAEMON_H
#define GATEHOUSE_RUN_DAEMON_H

#include "common/net/http.h"
#include "common/observe/log.h"
#include "common/run/acceptor.h"
#include "common/run/listener.h"
#include "common/run/snapshot.h"
#include "common/run/worker.h"

struct daemon; /* opaque: one per process */

/* What every daemon is told by its configuration. All borrowed from the snapshot's data. */
struct daemon_settings {
    const struct listen_address *listen; /* read at start only */
    size_t listen_count;
    const struct listen_address *http; /* read at start only */
    size_t http_count;
    mode_t socket_mode; /* of unix sockets; read at start only */
    const char *socket_group; /* NULL or "": the process's own; read at start only */
    unsigned workers; /* 0: one per CPU; read at start only */
    size_t max_connections;
    struct log_settings log; /* identity is filled in by the daemon */
};

enum readiness { READY_OK, READY_DEGRADED, READY_DOWN };

/* load() and settings() may run on the main thread while workers use older data. Everything else that takes a worker
 * runs on that worker's thread. Optional members may be NULL. */
struct daemon_spec {
    const char *name; /* `gatehouse-policyd` */
    const char *summary; /* one line, for -h */
    const char *config_path; /* `/etc/gatehouse/policyd.conf` */
    /* Reads and checks the file with these `-o` overrides; every mistake goes to *errors, one line each. NULL: bad. */
    void *(*load)(const char *path, const char *const *overrides, size_t override_count,
                  struct buf *errors);
    void (*unload)(void *data);
    void (*settings)(const void *data, struct daemon_settings *out);

    int (*start)(
        struct daemon *daemon); /* optional: what workers share; -1, logged: the daemon ends */
    void (*stop)(struct daemon *daemon); /* optional: its opposite, when no worker runs any more */
    int (*worker_start)(struct worker *worker); /* -1, logged: the daemon ends */
    void (*worker_stop)(struct worker *worker);
    void (*apply)(struct worker *worker); /* optional: worker_snapshot() is a new one */
    accept_call *accept; /* never on the main worker */
    void (*drain)(
        struct worker *worker); /* close idle connections now, the others after their answer */

    void (*tick)(struct daemon *daemon); /* optional: about once a second, main thread */
    enum readiness (*ready)(struct daemon *daemon, struct buf *reason); /* main thread; one line */
    const struct http_route *routes; /* beside /metrics, /health, /ready; their arg is the daemon */
    size_t route_count;
};

/* Runs the daemon; returns the exit status: 0, EX_USAGE 64, EX_CONFIG 78, EX_OSERR 71. */
int daemon_main(const struct daemon_spec *spec, int argc, char **argv);

/* ---- for the daemon's own code ---- */
void *daemon_state(const struct daemon *daemon); /* set in `start`, before other threads run */
void daemon_set_state(struct daemon *daemon, void *state);
const struct clock *daemon_clock(const struct daemon *daemon);
struct worker *daemon_main_worker(const struct daemon *daemon);
size_t daemon_worker_count(const struct daemon *daemon); /* without the main one */
struct worker *daemon_worker(const struct daemon *daemon,
                             size_t n); /* n-th, without the main one */
size_t daemon_connections(const struct daemon *daemon);
bool daemon_is_draining(const struct daemon *daemon); /* any thread */
uint64_t daemon_started_ms(const struct daemon *daemon); /* wall clock */
struct snapshot *daemon_snapshot(const struct daemon *daemon); /* newest; borrowed, main thread */
/* Reads the configuration again, as SIGHUP does. False, with what is wrong with it in *errors, when the old one stays. */
bool daemon_reload(struct daemon *daemon, struct buf *errors); /* main thread */
/* Makes a new snapshot in force without reading the file (live rules): takes `data`. -1: out of memory. */
int daemon_publish(struct daemon *daemon, void *data); /* main thread */

#endif
