/* tests/fakes/any_conf.c - see any_conf.h. */
#include "tests/fakes/any_conf.h"

#include <stdlib.h>
#include <string.h>

#include "common/config/usage.h"

enum { CONFIG_MEMORY_MAX = 256 << 20, LINES_MAX = 1 << 20 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_slice(const struct conf *conf, struct slice text)
{
    require(text.ptr >= conf->bytes && text.ptr + text.len < conf->bytes + conf->len);
    require(text.ptr[text.len] == '\0');
    for (size_t i = 0; i <= text.len; i++) {
        struct conf_pos pos = conf_where(conf, text.ptr + i);
        require(pos.file.ptr != NULL && (pos.line == 0 || pos.column > 0));
    }
}

static void check_document(const struct conf *conf)
{
    for (size_t i = 0; i < conf->count; i++) {
        const struct conf_section *section = &conf->sections[i];
        if (section->kind.ptr != NULL)
            check_slice(conf, section->kind);
        for (size_t k = 0; k < section->count; k++) {
            check_slice(conf, section->entries[k].name);
            check_slice(conf, section->entries[k].value);
            require(conf_find(section, section->entries[k].name) != NULL);
        }
    }
}

/* What the program makes of the document, mistakes or not; true: it was read without any. */
static bool load_all(const struct any_program *program, struct conf *conf, struct arena *arena,
                     struct conf_errors *errors)
{
    void *config = arena_alloc(arena, program->schema->size), *data = NULL;

    require(config != NULL);
    conf_load(program->schema, conf, arena, config, errors);
    bool ok = conf_errors_count(errors) == 0;
    if (program->load != NULL) {
        const struct daemon_load load = { conf, config, arena, errors, NULL };
        data = program->load(&load);
        require(data != NULL || conf_errors_count(errors) > 0);
        program->unload(data);
    }
    return ok;
}

/* The document, when it can be read. */
static struct conf *read_all(const struct any_program *program, struct slice text,
                             const struct slice *overrides, size_t count, struct arena *arena)
{
    struct conf_errors *errors = conf_errors_new();
    AUTO_BUF lines = BUF_INIT(LINES_MAX);
    bool ok = false;

    require(errors != NULL);
    struct conf *conf = conf_parse(SLICE("fuzz"), text, overrides, count, arena, errors);
    if (conf != NULL) {
        check_document(conf);
        ok = load_all(program, conf, arena, errors);
    }
    require(conf_errors_print(errors, &lines) == 0);
    require((lines.len == 0) == (conf_errors_count(errors) + conf_errors_warnings(errors) == 0));
    conf_errors_free(&errors);
    return ok ? conf : NULL;
}

static bool names_devices(struct slice text)
{
    static const char *const places[] = { "/dev/", "/proc/", "/sys/" };

    for (size_t i = 0; i < COUNT(places); i++)
        if (memmem(text.ptr, text.len, places[i], strlen(places[i])) != NULL)
            return true;
    return false;
}

void any_conf_try(const struct any_program *program, struct slice text)
{
    struct arena *arena = arena_new(CONFIG_MEMORY_MAX);
    AUTO_BUF again = BUF_INIT(CONF_FILE_MAX);
    struct slice override;
    size_t overrides = 0;

    require(arena != NULL);
    if (slice_starts_with(text, SLICE("-o")) && slice_cut(&text, '\n', &override)) {
        override = slice_skip(override, 2);
        overrides = 1;
    }
    struct conf *conf =
        names_devices(text) ? NULL : read_all(program, text, &override, overrides, arena);
    if (conf != NULL) {
        require(usage_changed(program->schema, conf, &again) == 0);
        require(read_all(program, buf_slice(&again), NULL, 0, arena) != NULL);
    }
    arena_free(&arena);
}
