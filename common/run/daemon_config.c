/* common/run/daemon_config.c - from a file to a snapshot that is in force everywhere. */
#include <errno.h>
#include <unistd.h>

#include "common/observe/log.h"
#include "common/run/daemon_private.h"
#include "common/run/systemd.h"

enum { CONFIG_MEMORY_MAX = 256 << 20 };

static_assert((int)CONF_LOG_DEBUG == (int)LOG_LEVEL_DEBUG, "the parameter's words are the levels");
static_assert((int)CONF_ADDRESSES_HASH == (int)LOG_ADDRESSES_HASH, "the same for log_addresses");

/* The sockets could not be made at the start. */
static void check_group(const struct loaded *loaded, struct conf_errors *errors)
{
    struct slice name = loaded->common->listen_group;
    gid_t group;

    if (!listen_group_find(name, &group))
        conf_error(errors, conf_where(loaded->conf, name.ptr),
                   "listen_group: there is no group \"%.*s\"", SLICE_ARG(name));
}

/* A warning: one that runs has read it, and goes on. */
static void check_password_file(const struct loaded *loaded, struct conf_errors *errors)
{
    const struct common_config *common = loaded->common;
    struct slice path = common->store_password_file;

    if (path.len > 0 && slice_starts_with(common->store, SLICE("redis")) &&
        access(path.ptr, F_OK) != 0 && errno != EACCES)
        conf_warning(errors, conf_where(loaded->conf, path.ptr),
                     "store_password_file: %.*s: %s; without it the daemon does not start",
                     SLICE_ARG(path), strerror(errno));
}

/* Fills in `loaded` as far as the file allows. */
static void read_file(struct loaded *loaded, const struct daemon_spec *spec,
                      const struct daemon_options *options, const void *previous,
                      struct conf_errors *errors)
{
    struct slice text = conf_read(options->config_path, loaded->arena, errors);

    if (text.ptr == NULL)
        return;
    loaded->conf = conf_parse(slice_of(options->config_path), text, options->overrides,
                              options->override_count, loaded->arena, errors);
    loaded->config = arena_alloc(loaded->arena, spec->program->schema->size);
    if (loaded->conf == NULL || loaded->config == NULL)
        return;
    conf_load(spec->program->schema, loaded->conf, loaded->arena, loaded->config, errors);
    loaded->common = (const void *)((const char *)loaded->config + spec->common_offset);
    struct daemon_load load = { loaded->conf, loaded->config, loaded->arena, errors, previous };
    loaded->data = spec->load(&load);
    check_group(loaded, errors);
    check_password_file(loaded, errors);
}

struct loaded *loaded_new(const struct daemon_spec *spec, const struct daemon_options *options,
                          const void *previous, struct conf_errors *errors)
{
    struct loaded *loaded = calloc(1, sizeof *loaded);

    if (loaded == NULL)
        return NULL;
    loaded->unload = spec->unload;
    loaded->arena = arena_new(CONFIG_MEMORY_MAX);
    if (loaded->arena == NULL) {
        loaded_free(&loaded);
        return NULL;
    }
    read_file(loaded, spec, options, previous, errors);
    if (loaded->data != NULL && conf_errors_count(errors) > 0) {
        if (loaded->unload != NULL)
            loaded->unload(loaded->data);
        loaded->data = NULL;
    }
    return loaded;
}

void loaded_free(struct loaded **loaded)
{
    struct loaded *gone = *loaded;

    *loaded = NULL;
    if (gone == NULL)
        return;
    if (gone->data != NULL && gone->unload != NULL)
        gone->unload(gone->data);
    arena_free(&gone->arena);
    free(gone);
}

static void release_loaded(void *arg)
{
    struct loaded *loaded = arg;

    loaded_free(&loaded);
}

/* ---- putting it in force ---- */

static void apply(struct worker *worker, void *arg)
{
    struct snapshot *snapshot = arg;
    const struct daemon_spec *spec = worker_daemon(worker)->spec;

    worker_set_snapshot(worker, snapshot);
    snapshot_unref(&snapshot);
    if (spec->apply != NULL)
        spec->apply(worker);
}

static void drop(UNUSED struct worker *worker, void *arg)
{
    struct snapshot *snapshot = arg;

    snapshot_unref(&snapshot);
}

static void send_to(struct worker *worker, struct snapshot *snapshot)
{
    if (worker_post_or(worker, apply, drop, snapshot_ref(snapshot))) {
        drop(worker, snapshot);
        log_error("out of memory: a worker keeps the configuration it has");
    }
}

/* Takes the reference. */
static void put_in_force(struct daemon *daemon, struct snapshot *snapshot)
{
    snapshot_unref(&daemon->snapshot);
    daemon->snapshot = snapshot;
    if (daemon->main_worker == NULL)
        return; /* at the start: workers are made with it */
    for (size_t i = 0; i < daemon->worker_count; i++)
        send_to(daemon->workers[i], snapshot);
    send_to(daemon->main_worker, snapshot);
}

int daemon_adopt(struct daemon *daemon, struct loaded *loaded)
{
    struct snapshot *snapshot =
        snapshot_new(loaded->data, release_loaded, loaded, ++daemon->generation);

    if (snapshot == NULL)
        return -1;
    snapshot_unref(&daemon->file_snapshot);
    daemon->file_snapshot = snapshot;
    daemon->file = loaded;
    put_in_force(daemon, snapshot_ref(snapshot));
    return 0;
}

static void log_mistake(UNUSED void *arg, bool is_warning, struct slice text)
{
    if (is_warning)
        log_warning("%.*s", SLICE_ARG(text));
    else
        log_error("%.*s", SLICE_ARG(text));
}

/* Behind apply() on the main worker: whoever has read it finds it in force. */
static void say_done(struct worker *worker, UNUSED void *arg)
{
    log_info("configuration read again: generation %llu",
             (unsigned long long)snapshot_generation(worker_snapshot(worker)));
}

bool daemon_reload(struct daemon *daemon, struct buf *report)
{
    struct conf_errors *errors = conf_errors_new();
    bool is_done = false;

    if (errors == NULL)
        return false;
    struct loaded *loaded =
        loaded_new(daemon->spec, daemon->options, snapshot_data(daemon->snapshot), errors);
    if (loaded != NULL && loaded->data != NULL)
        conf_warn_restart(daemon->spec->program->schema, daemon->file->conf, loaded->conf, errors);
    conf_errors_each(errors, log_mistake, NULL);
    if (report != NULL)
        conf_errors_print(errors, report);
    conf_errors_free(&errors);

    if (loaded != NULL && loaded->data != NULL)
        is_done = daemon_adopt(daemon, loaded) == 0;
    else
        loaded_free(&loaded);
    if (is_done) {
        log_adjust((enum log_level)daemon->file->common->log_level,
                   (enum log_addresses)daemon->file->common->log_addresses);
        worker_post(daemon->main_worker, say_done, NULL);
    } else {
        log_error("the configuration in force stays: the new one cannot be used");
    }
    return is_done;
}

/* Data that borrows from a file's configuration keeps that file's snapshot. */
struct published {
    void *data;
    void (*unload)(void *data);
    struct snapshot *file;
};

static void release_published(void *arg)
{
    struct published *published = arg;

    if (published->unload != NULL)
        published->unload(published->data);
    snapshot_unref(&published->file);
    free(published);
}

int daemon_publish(struct daemon *daemon, void *data)
{
    struct published *published = malloc(sizeof *published);

    if (published == NULL) {
        if (daemon->spec->unload != NULL)
            daemon->spec->unload(data);
        return -1;
    }
    *published =
        (struct published){ data, daemon->spec->unload, snapshot_ref(daemon->file_snapshot) };
    struct snapshot *snapshot =
        snapshot_new(data, release_published, published, ++daemon->generation);
    if (snapshot == NULL)
        return -1;
    put_in_force(daemon, snapshot);
    return 0;
}

struct snapshot *daemon_snapshot(const struct daemon *daemon)
{
    return daemon->snapshot;
}

const struct common_config *daemon_common(const struct daemon *daemon)
{
    return daemon->file->common;
}
