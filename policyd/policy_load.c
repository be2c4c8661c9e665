/* policyd/policy_load.c - see policy_load.h. */
#include "policyd/policy_load.h"

#include "common/lists/source.h"
#include "common/observe/log.h"

struct loader {
    const struct daemon_load *load;
    const struct policyd_config *config;
    const struct policy *previous; /* in force; NULL at start */
};

static struct conf_pos place(const struct loader *loader, struct slice text, size_t offset)
{
    return conf_where(loader->load->conf, text.ptr + offset);
}

/* ---- limits ---- */

enum { RATE_GROUPS = 3 };

/* The three kinds of overrides, and what stands before their names in the file. */
static void rate_groups(const struct limit_section *section,
                        const struct conf_pairs *groups[RATE_GROUPS], size_t prefixes[RATE_GROUPS])
{
    groups[0] = &section->rate_user;
    groups[1] = &section->rate_domain;
    groups[2] = &section->rate_class;
    prefixes[0] = strlen("rate.user.");
    prefixes[1] = strlen("rate.domain.");
    prefixes[2] = strlen("rate.class.");
}

/* All overrides of a section, in the order in which limit_errors counts them. The names of pairs are the ends of the
 * parameters' names in the document, so the whole name stands just before them. */
static bool limit_overrides(const struct loader *loader, const struct limit_section *section,
                            struct limit_text *out)
{
    const struct conf_pairs *groups[RATE_GROUPS];
    size_t prefixes[RATE_GROUPS];

    rate_groups(section, groups, prefixes);
    size_t count = groups[0]->count + groups[1]->count + groups[2]->count;
    struct limit_override *overrides =
        arena_alloc_array(loader->load->arena, count + 1, sizeof *overrides);
    if (overrides == NULL)
        return false;
    for (size_t g = 0; g < RATE_GROUPS; g++) {
        for (size_t i = 0; i < groups[g]->count; i++) {
            struct slice name = groups[g]->items[i].name;
            overrides[out->override_count++] = (struct limit_override){
                .name = { name.ptr - prefixes[g], name.len + prefixes[g] },
                .rate = groups[g]->items[i].value,
            };
        }
    }
    out->overrides = overrides;
    return true;
}

static struct slice limit_error_text(const struct limit_text *limit,
                                     const struct limit_error *error)
{
    switch (error->field) {
    case LIMIT_FIELD_KEY:
        return limit->key;
    case LIMIT_FIELD_COUNT:
        return limit->count;
    case LIMIT_FIELD_RATE:
        return limit->rate;
    case LIMIT_FIELD_CHARGE:
        return limit->charge;
    case LIMIT_FIELD_OVER:
        return limit->over;
    case LIMIT_FIELD_OVERRIDE:
        return limit->overrides[error->override].name;
    case LIMIT_FIELD_OVERRIDE_RATE:
        return limit->overrides[error->override].rate;
    case LIMIT_FIELD_NAME:
        break;
    }
    return limit->name;
}

struct limit_loader {
    const struct loader *loader;
    const struct limit_text *texts;
};

static void report_limit(void *arg, const struct limit_error *error)
{
    const struct limit_loader *limits = arg;
    const struct loader *loader = limits->loader;
    struct slice text = limit_error_text(&limits->texts[error->limit], error);
    struct conf_pos where =
        text.ptr == NULL || error->field == LIMIT_FIELD_NAME
            ? conf_section_where(loader->load->conf, loader->config->limits[error->limit].conf)
            : place(loader, text, error->offset);

    conf_error(loader->load->errors, where, "%s", error->text);
}

static void limit_set_drop(void *object)
{
    struct limit_set *set = object;

    limit_set_free(&set);
}

static struct shared *load_limits(const struct loader *loader)
{
    const struct policyd_config *config = loader->config;
    struct limit_text *texts =
        arena_alloc_array(loader->load->arena, config->limit_count + 1, sizeof *texts);

    if (texts == NULL)
        return NULL;
    for (size_t i = 0; i < config->limit_count; i++) {
        const struct limit_section *section = &config->limits[i];
        texts[i] = (struct limit_text){ .name = section->conf->name,
                                        .key = section->key,
                                        .count = section->count,
                                        .rate = section->rate,
                                        .charge = section->charge,
                                        .over = section->over };
        if (!limit_overrides(loader, section, &texts[i]))
            return NULL;
    }
    struct limit_loader limits = { loader, texts };
    struct limit_set *set =
        limit_set_new(policyd_facts, policyd_fact_count, texts, config->limit_count,
                      &(struct limit_errors){ report_limit, &limits });
    return shared_new(set, limit_set_drop);
}

/* ---- lists and maps ---- */

static struct list *load_entries(const struct loader *loader, const struct list_section *section)
{
    struct list_builder *builder = list_builder_new(section->entries.count + 1);

    for (size_t i = 0; builder != NULL && i < section->entries.count; i++) {
        struct slice entry = section->entries.items[i];
        const char *error = list_builder_add(builder, entry, SLICE(""), NULL);
        if (error != NULL)
            conf_error(loader->load->errors, place(loader, entry, 0), "%s", error);
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
            conf_error(loader->load->errors, place(loader, in_values ? pair->value : pair->name, 0),
                       "%s", error);
    }
    return builder == NULL ? NULL : map_builder_finish(&builder);
}

/* A mistake in a list file is worth a warning: the other lines count. */
static void report_file(void *arg, const char *path, size_t line, size_t column, const char *text)
{
    const struct loader *loader = arg;
    struct conf_pos where = { slice_of(path), (unsigned)line, (unsigned)column };

    conf_warning(loader->load->errors, where, "%s", text);
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
    struct source_errors errors = { report_file, (void *)(uintptr_t)loader };
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

static bool load_list(const struct loader *loader, const struct list_section *section,
                      struct policy_list *list)
{
    const struct policy_list *before =
        loader->previous == NULL ? NULL : policy_list_find(loader->previous, section->conf->name);
    bool failed = false;

    list->name = section->conf->name;
    list->entries = load_entries(loader, section);
    list->source = load_source(loader, section->file, SOURCE_LIST,
                               before == NULL ? NULL : before->source, &failed);
    if (list->source != NULL && list_source_list(shared_get(list->source)) != NULL)
        list->file = list_share(list_source_list(shared_get(list->source)));
    if (before != NULL && before->live != NULL)
        list->live = list_share(before->live);
    return list->entries != NULL && !failed;
}

static bool load_map(const struct loader *loader, const struct map_section *section,
                     struct policy_map *map)
{
    const struct policy_map *before =
        loader->previous == NULL ? NULL : policy_map_find(loader->previous, section->conf->name);
    bool failed = false;

    map->name = section->conf->name;
    map->entries = load_pairs(loader, section);
    map->source = load_source(loader, section->file, SOURCE_MAP,
                              before == NULL ? NULL : before->source, &failed);
    if (map->source != NULL && list_source_map(shared_get(map->source)) != NULL)
        map->file = map_share(list_source_map(shared_get(map->source)));
    if (before != NULL && before->live != NULL)
        map->live = map_share(before->live);
    return map->entries != NULL && !failed;
}

static bool load_lists(const struct loader *loader, struct policy_parts *parts)
{
    const struct policyd_config *config = loader->config;

    parts->lists = calloc(config->list_count + 1, sizeof *parts->lists);
    parts->maps = calloc(config->map_count + 1, sizeof *parts->maps);
    if (parts->lists == NULL || parts->maps == NULL)
        return false;
    for (size_t i = 0; i < config->list_count; i++)
        if (!load_list(loader, &config->lists[i], &parts->lists[i]))
            return false;
    for (size_t i = 0; i < config->map_count; i++)
        if (!load_map(loader, &config->maps[i], &parts->maps[i]))
            return false;
    return true;
}

/* ---- classes ---- */

struct class_loader {
    const struct loader *loader;
    const struct class_source *sources;
};

static void report_class(void *arg, const struct class_error *error)
{
    const struct class_loader *classes = arg;
    const struct class_source *source = &classes->sources[error->source];
    struct slice text = error->in_text ? source->text : source->member;

    conf_error(classes->loader->load->errors, place(classes->loader, text, error->offset), "%s",
               error->text);
}

static bool load_classes(const struct loader *loader, struct policy_parts *parts)
{
    const struct policyd_config *config = loader->config;
    if (config->classes_count == 0)
        return true;
    const struct conf_pairs *members = &config->classes[0].members;
    struct class_source *sources =
        arena_alloc_array(loader->load->arena, members->count + 1, sizeof *sources);

    if (sources == NULL)
        return false;
    for (size_t i = 0; i < members->count; i++)
        sources[i] = (struct class_source){ members->items[i].name, members->items[i].value };
    struct class_loader classes = { loader, sources };
    parts->classes_file = shared_new(classes_new(sources, members->count, report_class, &classes),
                                     policy_classes_drop);
    return parts->classes_file != NULL;
}

/* ---- DNS lists ---- */

static bool load_dnsbls(const struct loader *loader, struct policy_parts *parts)
{
    const struct policyd_config *config = loader->config;
    const struct dnsbl_set *before =
        loader->previous == NULL ? NULL : shared_get(loader->previous->parts.dnsbls);

    for (size_t i = 0; i < config->dnsbl_count; i++)
        if (dnsbl_name_is_taken(config->dnsbls[i].conf->name))
            conf_error(loader->load->errors,
                       conf_section_where(loader->load->conf, config->dnsbls[i].conf),
                       "dnsbl.%.*s is a fact of all lists; give this one another name",
                       SLICE_ARG(config->dnsbls[i].conf->name));
    parts->dnsbls =
        shared_new(dnsbl_set_new(config->dnsbls, config->dnsbl_count, before), dnsbl_set_free);
    return parts->dnsbls != NULL;
}

/* ---- countries ---- */

static bool load_geoip(const struct loader *loader, struct policy_parts *parts)
{
    struct slice path = loader->config->geoip_database;
    char error[GEOIP_ERROR_MAX];

    if (path.len == 0)
        return true;
    if (loader->previous != NULL &&
        slice_equal(path, loader->previous->parts.config->geoip_database)) {
        parts->geoip =
            geoip_ref(loader->previous->parts.geoip); /* it is looked after by its own refresh */
        return true;
    }
    parts->geoip = geoip_new(path.ptr, error);
    if (parts->geoip != NULL && error[0] != '\0')
        conf_warning(loader->load->errors, place(loader, path, 0),
                     "%s; country, continent and asn are unknown until "
                     "it can be read",
                     error);
    return parts->geoip != NULL;
}

void *policy_load(const struct daemon_load *load)
{
    struct loader loader = { load, load->config, load->previous };
    struct policy_parts parts = { .config = load->config, .conf = load->conf };

    parts.limits = load_limits(&loader);
    if (parts.limits == NULL || !load_lists(&loader, &parts) || !load_classes(&loader, &parts) ||
        !load_dnsbls(&loader, &parts) || !load_geoip(&loader, &parts)) {
        policy_parts_free(&parts);
        conf_error(load->errors, (struct conf_pos){ load->conf->file, 0, 0 }, "out of memory");
        return NULL;
    }
    if (loader.previous != NULL) {
        parts.classes_live = shared_ref(loader.previous->parts.classes_live);
        parts.live_rules = shared_ref(loader.previous->parts.live_rules);
    }
    struct policy *policy = policy_new(&parts, load->errors);
    if (policy == NULL)
        conf_error(load->errors, (struct conf_pos){ load->conf->file, 0, 0 }, "out of memory");
    return policy;
}
