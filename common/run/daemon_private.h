/* common/run/daemon_private.h - what the files of the daemon's frame share: daemon.c (life), daemon_workers.c (threads),
 * daemon_config.c (reading and checking), daemon_options.c (command line), daemon_http.c (metrics and health),
 * daemon_sockets.c. For them alone. */
#ifndef GATEHOUSE_RUN_DAEMON_PRIVATE_H
#define GATEHOUSE_RUN_DAEMON_PRIVATE_H

#include <assert.h>
#include <stdatomic.h>

#include "common/run/daemon.h"
#include "common/run/listener.h"

/* ---- command line ---- */

enum { OVERRIDES_MAX = 64 };
enum daemon_command {
    COMMAND_RUN,
    COMMAND_CHECK, /* -t */
    COMMAND_CHANGED, /* -n */
    COMMAND_DEFAULTS, /* -d */
    COMMAND_HELP, /* -h */
    COMMAND_VERSION, /* -V */
};
struct daemon_options {
    enum daemon_command command;
    const char *config_path;
    struct slice overrides[OVERRIDES_MAX];
    size_t override_count;
};
/* False: a mistake, said on standard error. Texts borrow from argv. */
bool daemon_options_parse(const struct daemon_spec *spec, int argc, char **argv,
                          struct daemon_options *out);
/* Does what all commands but COMMAND_RUN ask for; returns the exit status. */
int daemon_options_answer(const struct daemon_spec *spec, const struct daemon_options *options);

/* ---- configuration ---- */

/* A file as read and what the daemon made of it; the parts live as long as the whole. */
struct loaded {
    struct arena *arena;
    const struct conf *conf;
    void *config; /* the program's struct */
    const struct common_config *common;
    void *data; /* what load() returned; NULL: not usable */
    void (*unload)(void *data);
};
/* Reads, checks and loads; mistakes are in *errors. The parts that could be made are there even when there are any. NULL:
 * out of memory. */
struct loaded *loaded_new(const struct daemon_spec *spec, const struct daemon_options *options,
                          const void *previous, struct conf_errors *errors);
void loaded_free(struct loaded **loaded); /* NULL-safe; clears *loaded */
/* Makes it the configuration in force; takes `loaded`. -1: out of memory. */
int daemon_adopt(struct daemon *daemon, struct loaded *loaded);

/* ---- the daemon ---- */

enum { HTTP_SOCKETS_MAX = 8 };

struct worker_health { /* has a worker answered lately? */
    atomic_bool is_waiting; /* a ping is under way */
    _Atomic uint64_t answered_ms;
};

struct daemon {
    const struct daemon_spec *spec;
    const struct daemon_options *options;
    const struct clock *clock;
    uint64_t started_ms;
    void *state;

    struct loaded *file; /* borrowed from `file_snapshot` */
    struct snapshot *file_snapshot; /* the file as last loaded */
    struct snapshot *snapshot; /* in force: the same, or one that keeps it and has other data */
    uint64_t generation;

    struct worker *main_worker;
    struct worker **workers;
    size_t worker_count;
    struct worker_health *health; /* one for each of `workers` */
    struct listener *listeners;
    unsigned *listener_numbers;
    size_t listener_count;
    struct listener http_listeners[HTTP_SOCKETS_MAX];
    size_t http_listener_count;
    struct worker *accept_worker; /* accepts and nothing else; NULL without listeners */
    struct acceptor *acceptor; /* its own */
    atomic_bool accepts_no_more;
    struct http_server *http;

    struct event *signals[5];
    struct event *tick, *drain_check, *watchdog;
    uint64_t drain_end_ms;
    atomic_bool is_draining;
    /* When the time to drain was over connections were still busy: spec->has_threads. */
    bool is_abandoned;
    enum readiness said_readiness; /* last told to the service manager */
    bool has_said_readiness;
};

/* The worst of all; one line in *reason unless it is READY_OK. */
enum readiness daemon_readiness(struct daemon *daemon, struct buf *reason);
bool daemon_is_alive(const struct daemon *daemon, uint64_t within_ms); /* all workers answered */
int daemon_http_start(struct daemon *daemon); /* -1, logged */

/* ---- threads (daemon_workers.c) ---- */

/* The workers, as many as are configured, and the main one with these hooks; none runs yet. -1: out of memory. */
int daemon_workers_make(struct daemon *daemon, const struct worker_hooks *main_hooks);
void daemon_workers_free(struct daemon *daemon);
/* What the daemon keeps with a worker, on its thread; the workers' own hooks, and for the main worker's. */
int daemon_worker_start(struct worker *worker);
void daemon_worker_stop(struct worker *worker);
int daemon_workers_start(struct daemon *daemon); /* -1, logged: some may run */
void daemon_workers_stop(struct daemon *daemon); /* waits for all */
/* The thread that accepts, if there are listeners. */
int daemon_accepting_start(struct daemon *daemon); /* -1: it could not be started */
void daemon_accepting_end(struct daemon *daemon);

/* ---- sockets (daemon_sockets.c) ---- */

/* The group of that name; LISTENER_NO_GROUP for an empty one. False: there is none. */
bool listen_group_find(struct slice name, gid_t *out);
/* Takes over what systemd hands us or opens what the configuration says. -1, logged. */
int daemon_sockets_open(struct daemon *daemon);
void daemon_sockets_close(struct daemon *daemon);

#endif
