/* policyd/live.c - see live.h. */
#include "policyd/live.h"

#include "common/observe/log.h"

static bool parts_copy(const void *data, void *parts)
{
    const struct policy *policy = data;

    return policy_parts_copy(&policy->parts, parts);
}

static void parts_drop(void *parts)
{
    policy_parts_free(parts);
}

static void *make(const void *parts, bool live_rules_are_new, size_t *left_out)
{
    struct policy *policy = policy_new(parts, &(struct rule_hearers){ NULL, live_rules_are_new });

    if (policy != NULL)
        *left_out = policy->book.left_out;
    return policy;
}

/* ---- classes ---- */

struct class_hearer {
    struct live *live;
    const struct store_read *read;
};

static void bad_class(void *arg, const struct class_error *error)
{
    const struct class_hearer *hearer = arg;

    live_bad_value(hearer->live, hearer->read->fields[error->source].name, error->text);
}

static void take_classes(struct live *live, void *parts, UNUSED size_t index,
                         struct store_read *read)
{
    struct policy_parts *next = parts;
    struct class_hearer hearer = { live, read };
    struct class_source *sources = arena_alloc_array(read->arena, read->count + 1, sizeof *sources);

    if (sources == NULL)
        return;
    for (size_t i = 0; i < read->count; i++)
        sources[i] = (struct class_source){ read->fields[i].name, read->fields[i].text };
    struct shared *made =
        shared_new(classes_new(sources, read->count, bad_class, &hearer), policy_classes_drop);
    if (made == NULL)
        return;
    shared_unref(&next->classes_live);
    next->classes_live = made;
}

/* ---- limits ---- */

/* Rates are read with each charge; here they are only judged, and remembered answers come to an end. */
static void judge_limit(struct live *live, UNUSED void *parts, UNUSED size_t index,
                        struct store_read *read)
{
    for (size_t i = 0; i < read->count; i++) {
        struct override override;
        const char *error;
        if (!override_parse(read->fields[i].text, &override, &error))
            live_bad_value(live, read->fields[i].name, error);
    }
}

static bool watch(struct live *live, const void *data)
{
    const struct policy *policy = data;
    const struct policyd_config *config = policy->parts.config;
    bool ok = live_watch(live, "class", SLICE(""), take_classes, 0);

    for (size_t i = 0; ok && i < config->limit_count; i++)
        ok = live_watch(live, "limit:", config->limits[i].conf->name, judge_limit, i);
    return ok;
}

const struct live_spec policyd_live = {
    .parts_size = sizeof(struct policy_parts),
    .copy = parts_copy,
    .drop = parts_drop,
    .make = make,
    .watch = watch,
};

/* ---- the country database ---- */

void policyd_check_geoip(const struct policy *policy)
{
    char error[GEOIP_ERROR_MAX];

    if (policy->parts.geoip == NULL)
        return;
    switch (geoip_refresh(policy->parts.geoip, error)) {
    case GEOIP_READ:
        log_info("the country database has been read anew");
        break;
    case GEOIP_BAD:
        log_warning("%s; the country database read before stays in use", error);
        break;
    case GEOIP_SAME:
        break;
    }
}
