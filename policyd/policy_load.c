/* policyd/policy_load.c - see policy_load.h. */
#include "policyd/policy_load.h"

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

bool policy_parts_load(void *parts, const struct daemon_load *load)
{
    const struct policyd_config *config = load->config;
    const struct loader loader = { load, config, load->previous };
    struct policy_parts *to = parts;

    to->config = config;
    if (loader.previous != NULL)
        to->classes_live = shared_ref(loader.previous->parts.classes_live);
    to->limits = load_limits(&loader);
    return to->limits != NULL &&
           policy_core_load(&to->core, load, &config->sections, config->common.mode) &&
           load_classes(&loader, to) && load_dnsbls(&loader, to) && load_geoip(&loader, to);
}
