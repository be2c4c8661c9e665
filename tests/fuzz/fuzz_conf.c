/* tests/fuzz/fuzz_conf.c - any bytes as a configuration file: every slice must lie in the document and have a place,
 * and what -n prints of a file without mistakes must be read without mistakes. The first line, if it begins with `-o`, is
 * an override. */
#include <stdint.h>

#include "tests/unit/config/example.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/* The document, when it has no mistake. */
static struct conf *read_all(struct slice text, const struct slice *overrides, size_t count,
                             struct arena *arena)
{
    struct conf_errors *errors = conf_errors_new();
    AUTO_BUF lines = BUF_INIT(1 << 20);
    struct example_config config;
    bool ok = false;

    require(errors != NULL);
    struct conf *conf = conf_parse(SLICE("fuzz"), text, overrides, count, arena, errors);
    if (conf != NULL) {
        check_document(conf);
        conf_load(&example_schema, conf, arena, &config, errors);
        ok = conf_errors_count(errors) == 0;
    }
    require(conf_errors_print(errors, &lines) == 0);
    require((lines.len == 0) == (conf_errors_count(errors) + conf_errors_warnings(errors) == 0));
    conf_errors_free(&errors);
    return ok ? conf : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size }, override;
    struct arena *arena = arena_new(64u << 20);
    AUTO_BUF again = BUF_INIT(CONF_FILE_MAX);
    size_t overrides = 0;

    require(arena != NULL);
    if (slice_starts_with(text, SLICE("-o")) && slice_cut(&text, '\n', &override)) {
        override = slice_skip(override, 2);
        overrides = 1;
    }
    struct conf *conf = read_all(text, &override, overrides, arena);
    if (conf != NULL) {
        require(usage_changed(&example_schema, conf, &again) == 0);
        require(read_all(buf_slice(&again), NULL, 0, arena) != NULL);
    }
    arena_free(&arena);
    return 0;
}
