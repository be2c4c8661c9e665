/* tests/fakes/contentd_load.c - see contentd_load.h. */
#include "tests/fakes/contentd_load.h"

enum { CONFIG_MEMORY_MAX = 64 << 20 };

static void give_up(const char *what)
{
    fprintf(stderr, "contentd_load: %s\n", what);
    abort();
}

void contentd_load_text(struct contentd_loaded *loaded, const char *text)
{
    struct conf_errors *errors = conf_errors_new();

    *loaded = (struct contentd_loaded){ .arena = arena_new(CONFIG_MEMORY_MAX),
                                        .errors = BUF_INIT(1 << 16) };
    loaded->conf =
        conf_parse(SLICE("contentd.conf"), slice_of(text), NULL, 0, loaded->arena, errors);
    loaded->config = arena_alloc(loaded->arena, sizeof *loaded->config);
    if (loaded->conf == NULL || loaded->config == NULL)
        give_up("the configuration is not even read");
    conf_load(&contentd_schema, loaded->conf, loaded->arena, loaded->config, errors);
    struct daemon_load load = { loaded->conf, loaded->config, loaded->arena, errors, NULL };
    loaded->setup = setup_load(&load);
    loaded->error_count = conf_errors_count(errors);
    conf_errors_print(errors, &loaded->errors);
    conf_errors_free(&errors);
}

void contentd_loaded_free(struct contentd_loaded *loaded)
{
    setup_free(loaded->setup);
    buf_free(&loaded->errors);
    arena_free(&loaded->arena);
}

static void release(void *arg)
{
    contentd_loaded_free(arg);
    free(arg);
}

struct snapshot *contentd_snapshot_of(const char *text)
{
    struct contentd_loaded *loaded = calloc(1, sizeof *loaded);

    if (loaded == NULL)
        give_up("out of memory");
    contentd_load_text(loaded, text);
    if (loaded->error_count > 0 || loaded->setup == NULL)
        give_up(buf_text(&loaded->errors));
    return snapshot_new(loaded->setup, release, loaded, 1);
}
