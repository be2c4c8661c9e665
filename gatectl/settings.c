/* gatectl/settings.c - see settings.h. */
#include "gatectl/settings.h"

#include <errno.h>
#include <unistd.h>

#include "common/config/conf.h"
#include "common/quarantine/quarantine.h"

enum { SETTINGS_MAX_BYTES = 64 << 20 };

static const char *value_of(const struct conf_section *section, const char *name,
                            const char *initial)
{
    const struct conf_entry *entry = conf_find(section, slice_of(name));

    return entry == NULL ? initial : entry->value.ptr; /* terminated, see conf.h */
}

static struct slice slice_value(const struct conf_section *section, const char *name)
{
    const struct conf_entry *entry = conf_find(section, slice_of(name));

    return entry == NULL ? (struct slice){ NULL, 0 } : entry->value;
}

static size_t count_sections(const struct conf *conf, const char *kind)
{
    size_t count = 0;

    for (size_t i = 0; i < conf->count; i++)
        count += slice_equal(conf->sections[i].kind, slice_of(kind));
    return count;
}

/* ---- limits ---- */

static bool is_separator(char c)
{
    return c == ',' || ascii_is_space(c);
}

/* Every fact that a key names, once. */
static void add_fact(struct settings *settings, struct slice name)
{
    for (size_t i = 0; i < settings->fact_count; i++)
        if (slice_equal(name, slice_of(settings->facts[i].name)))
            return;
    struct slice copy = arena_copy(settings->arena, name);
    if (copy.ptr != NULL)
        settings->facts[settings->fact_count++] = (struct fact_type){
            .name = copy.ptr, .type = VALUE_TEXT, .stages = STAGE_ALL, .doc = ""
        };
}

static void add_facts(struct settings *settings, struct slice key, size_t most)
{
    size_t at = 0;

    while (at < key.len && settings->fact_count < most) {
        size_t begin = at;
        while (at < key.len && !is_separator(key.ptr[at]))
            at++;
        if (at > begin)
            add_fact(settings, slice_part(key, begin, at - begin));
        at++;
    }
}

static struct limit_text limit_text(const struct conf_section *section, struct arena *arena)
{
    struct limit_text text = {
        .name = section->name,
        .key = slice_value(section, "key"),
        .count = slice_value(section, "count"),
        .rate = slice_value(section, "rate"),
        .charge = slice_value(section, "charge"),
        .over = slice_value(section, "over"),
    };
    if (text.count.ptr == NULL)
        text.count = SLICE(LIMIT_COUNT_DEFAULT);
    struct limit_override *overrides =
        arena_alloc_array(arena, section->count + 1, sizeof(*overrides));

    for (size_t i = 0; overrides != NULL && i < section->count; i++)
        if (slice_starts_with(section->entries[i].name, SLICE("rate.")))
            overrides[text.override_count++] =
                (struct limit_override){ section->entries[i].name, section->entries[i].value };
    text.overrides = overrides;
    return text;
}

static void ignore_limit_error(UNUSED void *arg, UNUSED const struct limit_error *error)
{
}

static bool read_limits(struct settings *settings)
{
    const struct conf *conf = settings->conf;
    const struct limit_errors errors = { ignore_limit_error, NULL };
    size_t most = count_sections(conf, "limit") + 1, count = 0;
    struct limit_text *texts = arena_alloc_array(settings->arena, most, sizeof(*texts));

    settings->facts =
        arena_alloc_array(settings->arena, most * LIMIT_KEY_FACTS_MAX, sizeof(*settings->facts));
    if (texts == NULL || settings->facts == NULL)
        return false;
    for (size_t i = 0; i < conf->count; i++) {
        const struct conf_section *section = &conf->sections[i];
        if (!slice_equal(section->kind, SLICE("limit")) || section->is_broken)
            continue;
        texts[count] = limit_text(section, settings->arena);
        add_facts(settings, texts[count].key, most * LIMIT_KEY_FACTS_MAX);
        count++;
    }
    settings->limits = limit_set_new(settings->facts, settings->fact_count, texts, count, &errors);
    return settings->limits != NULL;
}

/* ---- classes ---- */

static bool read_classes(struct settings *settings)
{
    const struct conf_section *section =
        conf_section(settings->conf, SLICE("classes"), (struct slice){ NULL, 0 });
    size_t count = section == NULL ? 0 : section->count;
    struct class_source *sources = arena_alloc_array(settings->arena, count + 1, sizeof(*sources));

    if (sources == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        sources[i] = (struct class_source){ section->entries[i].name, section->entries[i].value };
    settings->classes = classes_new(sources, count, NULL, NULL);
    return settings->classes != NULL;
}

/* ---- the file ---- */

static bool read_file(struct settings *settings, const char *path)
{
    struct conf_errors *errors = conf_errors_new();
    bool ok = false;

    if (errors == NULL)
        return false;
    struct slice text = conf_read(path, settings->arena, errors);
    if (text.ptr != NULL)
        settings->conf = conf_parse(slice_of(path), text, NULL, 0, settings->arena, errors);
    if (settings->conf != NULL) {
        const struct conf_section *top = &settings->conf->sections[0];
        settings->http = value_of(top, "http", settings->http);
        settings->store = value_of(top, "store", settings->store);
        settings->password_file = value_of(top, "store_password_file", settings->password_file);
        settings->quarantine_directory =
            value_of(top, "quarantine_directory", settings->quarantine_directory);
        settings->release = value_of(top, "release", settings->release);
        settings->myhostname = value_of(top, "myhostname", settings->myhostname);
        ok = read_limits(settings) && read_classes(settings);
    }
    conf_errors_free(&errors);
    return ok;
}

struct settings *settings_read(const char *path, bool is_required, const char *socket, char *error,
                               size_t size)
{
    struct settings *settings = calloc(1, sizeof(*settings));

    if (settings != NULL)
        settings->arena = arena_new(SETTINGS_MAX_BYTES);
    if (settings == NULL || settings->arena == NULL) {
        free(settings);
        snprintf(error, size, "out of memory");
        return NULL;
    }
    settings->http = socket;
    settings->store = "memory";
    settings->password_file = settings->release = settings->myhostname = "";
    settings->quarantine_directory = QUARANTINE_DIRECTORY;
    if (access(path, R_OK) != 0) {
        if (!is_required)
            return settings;
        snprintf(error, size, "%s: %s", path, strerror(errno));
    } else if (read_file(settings, path)) {
        return settings;
    } else {
        snprintf(error, size, "%s: cannot be read as a configuration: see gatectl check", path);
    }
    settings_free(&settings);
    return NULL;
}

void settings_free(struct settings **settings)
{
    if (*settings == NULL)
        return;
    limit_set_free(&(*settings)->limits);
    classes_free(&(*settings)->classes);
    arena_free(&(*settings)->arena);
    free(*settings);
    *settings = NULL;
}

/* ---- names ---- */

static bool is_declared(const void *context, const char *kind, struct slice name)
{
    const struct settings *settings = context;

    return conf_section(settings->conf, slice_of(kind), name) != NULL;
}

static struct slice name_at(const void *context, const char *kind, size_t n)
{
    const struct settings *settings = context;

    for (size_t i = 0; i < settings->conf->count; i++) {
        const struct conf_section *section = &settings->conf->sections[i];
        if (slice_equal(section->kind, slice_of(kind)) && n-- == 0)
            return section->name;
    }
    return (struct slice){ NULL, 0 };
}

struct live_names settings_names(const struct settings *settings)
{
    struct live_names names = { .context = settings };

    if (settings->conf != NULL) {
        names.is_declared = is_declared;
        names.name_at = name_at;
    }
    return names;
}
