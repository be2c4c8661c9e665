/* policyd/live.c - see live.h. */
#include "policyd/live.h"

#include "common/observe/log.h"
#include "policyd/policy_load.h"

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

/* ---- the life of a policy ---- */

const struct policy_kind policyd_kind = {
    .data_size = sizeof(struct policy),
    .parts_size = sizeof(struct policy_parts),
    .book_offset = offsetof(struct policy, book),
    .load = policy_parts_load,
    .share = policy_parts_share,
    .drop = policy_parts_drop,
    .build = policy_build,
    .unbuild = policy_unbuild,
    .watch = watch,
};

void *policy_load(const struct daemon_load *load)
{
    return policy_kind_load(&policyd_kind, load);
}

void policy_free(void *policy)
{
    policy_kind_free(&policyd_kind, policy);
}

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
