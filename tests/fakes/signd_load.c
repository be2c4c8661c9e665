/* tests/fakes/signd_load.c - see signd_load.h. */
#include "tests/fakes/signd_load.h"

#include <stdlib.h>

enum { CONFIG_MEMORY_MAX = 64 << 20 };

void signd_load_text(struct signd_loaded *loaded, const char *text, const struct setup *previous)
{
    struct conf_errors *errors = conf_errors_new();

    *loaded =
        (struct signd_loaded){ .arena = arena_new(CONFIG_MEMORY_MAX), .errors = BUF_INIT(1 << 16) };
    loaded->conf = conf_parse(SLICE("signd.conf"), slice_of(text), NULL, 0, loaded->arena, errors);
    loaded->config = arena_alloc(loaded->arena, sizeof *loaded->config);
    if (loaded->conf == NULL || loaded->config == NULL)
        abort();
    conf_load(&signd_schema, loaded->conf, loaded->arena, loaded->config, errors);
    struct daemon_load load = { loaded->conf, loaded->config, loaded->arena, errors, previous };
    loaded->setup = setup_load(&load);
    loaded->error_count = conf_errors_count(errors);
    conf_errors_print(errors, &loaded->errors);
    conf_errors_free(&errors);
}

void signd_loaded_free(struct signd_loaded *loaded)
{
    setup_free(loaded->setup);
    buf_free(&loaded->errors);
    arena_free(&loaded->arena);
}
