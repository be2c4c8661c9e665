/* common/policy/sets.c - see sets.h. */
#include "common/policy/sets.h"

#include "common/lists/source.h"
#include "common/observe/log.h"

enum { LIVE_ENTRIES_MAX = 2000000 };

/* ---- loading ---- */

struct loader {
    const struct conf *conf;
    struct conf_errors *errors;
    const struct sets *previous; /* NULL: none */
};

static struct conf_pos place(const struct loader *loader, struct slice text)
{
    return conf_where(loader->conf, text.ptr);
}

static struct list *load_entries(const struct loader *loader, const struct list_section *section)
{
    struct list_builder *builder = list_builder_new(section->entries.count + 1);

    for (size_t i = 0; builder != NULL && i < section->entries.count; i++) {
        struct slice entry = section->entries.items[i];
        const char *error = list_builder_add(builder, entry, SLICE(""), NULL);
        if (error != NULL)
            conf_error(loader->errors, place(loader, entry), "%s", error);
    }
    return builder == NULL ? NULL : list_builder_finish(&builder);
}

static struct map *load_pairs(const struct loader *loader, const struct map_section *section)
{
    struct map_builder *builder = map_builder_new(section->entry.count + 1);

    for (size_t i = 0; builder != NULL && i < section->entry.count; i++) {
        const struct conf_pair *pair = &section->entry.items[i];
        bool in_values = false;
        const char *error = map_builder_add(builder, pair->name, pair->value, &in_values);
        if (error != NULL)
            conf_error(loader->errors, place(loader, in_values ? pair->value : pair->name), "%s",
                       error);
    }
    return builder == NULL ? NULL : map_builder_finish(&builder);
}

struct file_reading {
    const struct loader *loader;
    struct slice path; /* within the configuration */
};

/* A mistake in a list file is worth a warning: the other lines count. So is a file that cannot be read (line 0): it may come. */
static void warn_of_file(void *arg, const char *path, size_t line, size_t column, const char *text)
{
    const struct file_reading *reading = arg;
    const struct loader *loader = reading->loader;
    struct conf_pos where = { slice_of(path), (unsigned)line, (unsigned)column };

    if (line == 0)
        conf_warning(loader->errors, place(loader, reading->path),
                     "%s: %s; until it can be read its entries are those read before, or none",
                     path, text);
    else
        conf_warning(loader->errors, where, "%s", text);
}

static void source_drop(void *object)
{
    struct list_source *source = object;

    list_source_free(&source);
}

/* The source of a file, read as it is now: the one before, if the file is the same. NULL without a file. A file that is
 * not there is a warning: it may come later. *failed: out of memory. */
static struct shared *load_source(const struct loader *loader, struct slice path,
                                  enum source_kind kind, struct shared *before, bool *failed)
{
    struct file_reading reading = { loader, path };
    struct source_errors errors = { warn_of_file, &reading };
    struct shared *source = NULL;

    if (path.len == 0)
        return NULL;
    if (before != NULL && slice_equal(path, slice_of(list_source_path(shared_get(before)))))
        source = shared_ref(before);
    else
        source = shared_new(list_source_new(path.ptr, kind, SOURCE_BOUNDS_DEFAULT), source_drop);
    if (source == NULL)
        *failed = true;
    else
        list_source_refresh(shared_get(source), &errors);
    return source;
}

static struct list *list_keep(struct list *list)
{
    return list == NULL ? NULL : list_share(list);
}

static struct map *map_keep(struct map *map)
{
    return map == NULL ? NULL : map_share(map);
}

static bool load_list(const struct loader *loader, const struct list_section *section,
                      struct named_list *list)
{
    const struct named_list *before =
        loader->previous == NULL ? NULL : sets_list(loader->previous, section->conf->name);
    bool failed = false;

    list->name = section->conf->name;
    list->entries = load_entries(loader, section);
    list->source = load_source(loader, section->file, SOURCE_LIST,
                               before == NULL ? NULL : before->source, &failed);
    if (list->source != NULL)
        list->file = list_keep(list_source_list(shared_get(list->source)));
    if (before != NULL)
        list->live = list_keep(before->live);
    return list->entries != NULL && !failed;
}

static bool load_map(const struct loader *loader, const struct map_section *section,
                     struct named_map *map)
{
    const struct named_map *before =
        loader->previous == NULL ? NULL : sets_map(loader->previous, section->conf->name);
    bool failed = false;

    map->name = section->conf->name;
    map->entries = load_pairs(loader, section);
    map->source = load_source(loader, section->file, SOURCE_MAP,
                              before == NULL ? NULL : before->source, &failed);
    if (map->source != NULL)
        map->file = map_keep(list_source_map(shared_get(map->source)));
    if (before != NULL)
        map->live = map_keep(before->live);
    return map->entries != NULL && !failed;
}

static bool sets_alloc(struct sets *out, size_t lists, size_t maps)
{
    *out = (struct sets){ .lists = calloc(lists + 1, sizeof *out->lists),
                          .maps = calloc(maps + 1, sizeof *out->maps) };
    if (out->lists == NULL || out->maps == NULL) {
        sets_free(out);
        return false;
    }
    out->list_count = lists;
    out->map_count = maps;
    return true;
}

bool sets_load(struct sets *out, const struct policy_sections *sections, const struct conf *conf,
               struct conf_errors *errors, const struct sets *previous)
{
    const struct loader loader = { conf, errors, previous };

    if (!sets_alloc(out, sections->list_count, sections->map_count))
        return false;
    for (size_t i = 0; i < out->list_count; i++)
        if (!load_list(&loader, &sections->lists[i], &out->lists[i]))
            return false;
    for (size_t i = 0; i < out->map_count; i++)
        if (!load_map(&loader, &sections->maps[i], &out->maps[i]))
            return false;
    return true;
}

/* ---- copies ---- */

bool sets_copy(const struct sets *from, struct sets *to)
{
    if (!sets_alloc(to, from->list_count, from->map_count))
        return false;
    for (size_t i = 0; i < from->list_count; i++) {
        const struct named_list *list = &from->lists[i];
        to->lists[i] =
            (struct named_list){ list->name, shared_ref(list->source), list_keep(list->entries),
                                 list_keep(list->file), list_keep(list->live) };
    }
    for (size_t i = 0; i < from->map_count; i++) {
        const struct named_map *map = &from->maps[i];
        to->maps[i] =
            (struct named_map){ map->name, shared_ref(map->source), map_keep(map->entries),
                                map_keep(map->file), map_keep(map->live) };
    }
    return true;
}

void sets_free(struct sets *sets)
{
    for (size_t i = 0; i < sets->list_count; i++) {
        shared_unref(&sets->lists[i].source);
        list_free(&sets->lists[i].entries);
        list_free(&sets->lists[i].file);
        list_free(&sets->lists[i].live);
    }
    for (size_t i = 0; i < sets->map_count; i++) {
        shared_unref(&sets->maps[i].source);
        map_free(&sets->maps[i].entries);
        map_free(&sets->maps[i].file);
        map_free(&sets->maps[i].live);
    }
    free(sets->lists);
    free(sets->maps);
    *sets = (struct sets){ .lists = NULL };
}

/* ---- files ---- */

static void log_of_file(UNUSED void *arg, const char *path, size_t line, size_t column,
                        const char *text)
{
    if (line == 0)
        log_warning("%s: %s", path, text);
    else
        log_warning("%s:%zu:%zu: %s", path, line, column, text);
}

static bool source_changed(struct shared *source)
{
    struct source_errors errors = { log_of_file, NULL };

    if (source == NULL || list_source_refresh(shared_get(source), &errors) != SOURCE_LOADED)
        return false;
    log_info("%s has been read anew", list_source_path(shared_get(source)));
    return true;
}

bool sets_refresh_files(const struct sets *sets)
{
    bool is_changed = false;

    for (size_t i = 0; i < sets->list_count; i++)
        is_changed |= source_changed(sets->lists[i].source);
    for (size_t i = 0; i < sets->map_count; i++)
        is_changed |= source_changed(sets->maps[i].source);
    return is_changed;
}

void sets_take_files(struct sets *copy)
{
    for (size_t i = 0; i < copy->list_count; i++) {
        struct named_list *list = &copy->lists[i];
        list_free(&list->file);
        if (list->source != NULL)
            list->file = list_keep(list_source_list(shared_get(list->source)));
    }
    for (size_t i = 0; i < copy->map_count; i++) {
        struct named_map *map = &copy->maps[i];
        map_free(&map->file);
        if (map->source != NULL)
            map->file = map_keep(list_source_map(shared_get(map->source)));
    }
}

/* ---- live hashes ---- */

void sets_take_list(struct sets *copy, size_t n, const struct store_field *fields, size_t count,
                    sets_bad_field *bad, void *arg)
{
    struct list_builder *builder = list_builder_new(LIVE_ENTRIES_MAX);

    for (size_t i = 0; builder != NULL && i < count; i++) {
        const char *error = list_builder_add(builder, fields[i].name, fields[i].text, NULL);
        if (error != NULL)
            bad(arg, fields[i].name, error);
    }
    struct list *made = builder == NULL ? NULL : list_builder_finish(&builder);
    if (made == NULL)
        return;
    list_free(&copy->lists[n].live);
    copy->lists[n].live = made;
}

void sets_take_map(struct sets *copy, size_t n, const struct store_field *fields, size_t count,
                   sets_bad_field *bad, void *arg)
{
    struct map_builder *builder = map_builder_new(LIVE_ENTRIES_MAX);

    for (size_t i = 0; builder != NULL && i < count; i++) {
        const char *error = map_builder_add(builder, fields[i].name, fields[i].text, NULL);
        if (error != NULL)
            bad(arg, fields[i].name, error);
    }
    struct map *made = builder == NULL ? NULL : map_builder_finish(&builder);
    if (made == NULL)
        return;
    map_free(&copy->maps[n].live);
    copy->maps[n].live = made;
}

/* ---- asking ---- */

const struct named_list *sets_list(const struct sets *sets, struct slice name)
{
    for (size_t i = 0; i < sets->list_count; i++)
        if (slice_equal(sets->lists[i].name, name))
            return &sets->lists[i];
    return NULL;
}

const struct named_map *sets_map(const struct sets *sets, struct slice name)
{
    for (size_t i = 0; i < sets->map_count; i++)
        if (slice_equal(sets->maps[i].name, name))
            return &sets->maps[i];
    return NULL;
}

struct slice sets_name_at(const struct sets *sets, const char *kind, size_t n)
{
    if (strcmp(kind, "list") == 0 && n < sets->list_count)
        return sets->lists[n].name;
    if (strcmp(kind, "map") == 0 && n < sets->map_count)
        return sets->maps[n].name;
    return (struct slice){ NULL, 0 };
}

static bool list_has(const struct named_list *list, const struct value *subject, uint64_t wall_ms)
{
    struct list_match entries, file, live;

    list_lookup(list->entries, subject, wall_ms, &entries);
    list_lookup(list->file, subject, wall_ms, &file);
    list_lookup(list->live, subject, wall_ms, &live);
    return list_match_is_member(list_pick(list_pick(&entries, &file), &live));
}

bool named_list_has(const struct named_list *list, const struct value *subject, uint64_t wall_ms)
{
    for (; subject != NULL; subject = subject->next)
        if (list_has(list, subject, wall_ms))
            return true;
    return false;
}

bool named_list_has_names_only(const struct named_list *list)
{
    return list_count(list->entries) + list_count(list->file) + list_count(list->live) > 0 &&
           list_networks(list->entries) + list_networks(list->file) + list_networks(list->live) ==
               0;
}

static bool map_key_has(const struct named_map *map, const struct value *key,
                        const struct value *subject, uint64_t wall_ms)
{
    struct map_match entries, file, live;

    map_lookup(map->entries, key, wall_ms, &entries);
    map_lookup(map->file, key, wall_ms, &file);
    map_lookup(map->live, key, wall_ms, &live);
    const struct map_match *match = map_pick(map_pick(&entries, &file), &live);
    for (; subject != NULL; subject = subject->next)
        if (map_match_has(match, subject->text))
            return true;
    return false;
}

bool named_map_has(const struct named_map *map, const struct value *key,
                   const struct value *subject, uint64_t wall_ms)
{
    for (; key != NULL; key = key->next)
        if (map_key_has(map, key, subject, wall_ms))
            return true;
    return false;
}
