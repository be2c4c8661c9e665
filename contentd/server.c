/* contentd/server.c - see server.h. */
#include "contentd/server.h"

#include "common/observe/log.h"
#include "contentd/intake.h"
#include "contentd/manual.h"

/* ---- the configuration ---- */

static void *load(const struct daemon_load *load)
{
    struct setup *setup = arena_alloc(load->arena, sizeof *setup);

    if (setup == NULL)
        conf_error(load->errors, (struct conf_pos){ load->conf->file, 0, 0 }, "out of memory");
    else
        setup->config = load->config;
    return setup;
}

static void configure_milter(const struct contentd_config *config)
{
    const struct milter_settings settings = {
        .spool_directory = config->spool_directory,
        .message_memory = (size_t)config->message_memory,
        .message_size_max = config->message_size_max,
        .max_sessions = (size_t)config->max_sessions,
        .session_wait_ms = config->session_wait,
        .overload = config->overload,
    };

    milter_configure(&settings);
}

/* ---- what is shared ---- */

static int start(struct daemon *daemon)
{
    const struct setup *setup = snapshot_data(daemon_snapshot(daemon));

    if (milter_setup(daemon, contentd_program.name, &intake_hooks, setup->config->idle_timeout))
        return -1;
    configure_milter(setup->config);
    return 0;
}

/* ---- what each worker has ---- */

static int server_start(struct worker *worker)
{
    struct server *server = calloc(1, sizeof *server);

    if (server == NULL) {
        log_error("out of memory: worker %u cannot start", worker_id(worker));
        return -1;
    }
    server->worker = worker;
    worker_set_state(worker, server);
    return 0;
}

static void server_stop(struct worker *worker)
{
    free(worker_state(worker));
    worker_set_state(worker, NULL);
}

static void server_apply(struct worker *worker)
{
    if (worker_id(worker) == 0)
        configure_milter(server_setup(worker_state(worker))->config);
}

/* ---- the daemon ---- */

const struct daemon_spec contentd_spec = {
    .program = &contentd_program,
    .config_path = "/etc/gatehouse/contentd.conf",
    .common_offset = offsetof(struct contentd_config, common),
    .load = load,
    .start = start,
    .worker_start = server_start,
    .worker_stop = server_stop,
    .apply = server_apply,
    .server = &milter_server,
};
