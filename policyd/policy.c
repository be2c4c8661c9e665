/* policyd/policy.c - see policy.h. */
#include "policyd/policy.h"

#include "common/observe/log.h"

/* ---- parts ---- */

void live_rules_free(void *live_rules)
{
    struct live_rules *rules = live_rules;

    if (rules == NULL)
        return;
    arena_free(&rules->arena);
    free(rules);
}

void policy_classes_drop(void *object)
{
    struct classes *classes = object;

    classes_free(&classes);
}

static struct list *list_keep(struct list *list)
{
    return list == NULL ? NULL : list_share(list);
}

static struct map *map_keep(struct map *map)
{
    return map == NULL ? NULL : map_share(map);
}

bool policy_parts_copy(const struct policy_parts *from, struct policy_parts *to)
{
    size_t lists = from->config->list_count, maps = from->config->map_count;

    *to = *from;
    to->lists = calloc(lists + 1, sizeof *to->lists);
    to->maps = calloc(maps + 1, sizeof *to->maps);
    if (to->lists == NULL || to->maps == NULL) {
        free(to->lists);
        free(to->maps);
        return false;
    }
    for (size_t i = 0; i < lists; i++) {
        const struct policy_list *list = &from->lists[i];
        to->lists[i] =
            (struct policy_list){ list->name, shared_ref(list->source), list_keep(list->entries),
                                  list_keep(list->file), list_keep(list->live) };
    }
    for (size_t i = 0; i < maps; i++) {
        const struct policy_map *map = &from->maps[i];
        to->maps[i] =
            (struct policy_map){ map->name, shared_ref(map->source), map_keep(map->entries),
                                 map_keep(map->file), map_keep(map->live) };
    }
    shared_ref(to->limits);
    shared_ref(to->dnsbls);
    shared_ref(to->classes_file);
    shared_ref(to->classes_live);
    shared_ref(to->live_rules);
    if (to->geoip != NULL)
        geoip_ref(to->geoip);
    return true;
}

void policy_parts_free(struct policy_parts *parts)
{
    for (size_t i = 0; parts->lists != NULL && i < parts->config->list_count; i++) {
        shared_unref(&parts->lists[i].source);
        list_free(&parts->lists[i].entries);
        list_free(&parts->lists[i].file);
        list_free(&parts->lists[i].live);
    }
    for (size_t i = 0; parts->maps != NULL && i < parts->config->map_count; i++) {
        shared_unref(&parts->maps[i].source);
        map_free(&parts->maps[i].entries);
        map_free(&parts->maps[i].file);
        map_free(&parts->maps[i].live);
    }
    free(parts->lists);
    free(parts->maps);
    parts->lists = NULL;
    parts->maps = NULL;
    shared_unref(&parts->limits);
    shared_unref(&parts->dnsbls);
    shared_unref(&parts->classes_file);
    shared_unref(&parts->classes_live);
    shared_unref(&parts->live_rules);
    geoip_free(&parts->geoip);
}

/* ---- names, for the rules' schema ---- */

static bool list_exists(const void *context, struct slice name)
{
    return policy_list_find(context, name) != NULL;
}

static bool map_exists(const void *context, struct slice name)
{
    return policy_map_find(context, name) != NULL;
}

static bool limit_exists(const void *context, struct slice name, unsigned *stages)
{
    const struct policy *policy = context;
    const struct limit_set *set = shared_get(policy->parts.limits);
    const struct limit *limit = limit_set_find(set, name);

    *stages = limit == NULL ? STAGE_ALL : limit_stages(limit);
    return limit_set_knows(set, name);
}

static struct slice name_at(const void *context, const char *kind, size_t n)
{
    const struct policy *policy = context;
    const struct policyd_config *config = policy->parts.config;

    if (strcmp(kind, "list") == 0 && n < config->list_count)
        return policy->parts.lists[n].name;
    if (strcmp(kind, "map") == 0 && n < config->map_count)
        return policy->parts.maps[n].name;
    if (strcmp(kind, "limit") == 0 && n < config->limit_count)
        return config->limits[n].conf->name;
    if (strcmp(kind, "dnsbl") == 0 && n < config->dnsbl_count)
        return config->dnsbls[n].conf->name;
    return (struct slice){ NULL, 0 };
}

static bool fact_arg_known(const void *context, const struct fact_type *type, struct slice arg)
{
    const struct policy *policy = context;
    unsigned stages;

    if (type->id == FACT_DNSBL_WEIGHT)
        return dnsbl_find(shared_get(policy->parts.dnsbls), arg) != NULL;
    return limit_exists(context, arg, &stages); /* limit.*.used, limit.*.left */
}

const struct policy_list *policy_list_find(const struct policy *policy, struct slice name)
{
    for (size_t i = 0; i < policy->parts.config->list_count; i++)
        if (slice_equal(policy->parts.lists[i].name, name))
            return &policy->parts.lists[i];
    return NULL;
}

const struct policy_map *policy_map_find(const struct policy *policy, struct slice name)
{
    for (size_t i = 0; i < policy->parts.config->map_count; i++)
        if (slice_equal(policy->parts.maps[i].name, name))
            return &policy->parts.maps[i];
    return NULL;
}

const struct policy_limit *policy_limit_find(const struct policy *policy, struct slice name)
{
    for (size_t i = 0; i < policy->limit_count; i++)
        if (slice_equal(limit_name(policy->limits[i].limit), name))
            return &policy->limits[i];
    return NULL;
}

struct attribute_settings policy_attributes(const struct policy *policy)
{
    const struct policyd_config *config = policy->parts.config;

    return (struct attribute_settings){ config->strip_extension, config->recipient_delimiter };
}

/* ---- mistakes ---- */

enum { LEFT_OUT_LOGGED = 10 }; /* each time that the rules are compiled */

/* Where an error of the rule compiler belongs: the file's rules come first, then the live ones. */
struct rule_reporter {
    const struct policy_parts *parts;
    struct conf_errors *errors; /* NULL: the file has been judged before */
    const struct rule_source *sources;
    size_t left_out; /* live rules */
};

static void report_in_file(const struct rule_reporter *reporter, const struct rule_error *error)
{
    const struct rule_section *rule = &reporter->parts->config->rules[error->rule];
    const struct slice texts[] = {
        [RULE_NAME] = rule->conf->name,       [RULE_WHEN] = rule->when, [RULE_THEN] = rule->then,
        [RULE_ORDER] = rule->order,           [RULE_MODE] = rule->mode, [RULE_STAGE] = rule->stage,
        [RULE_TROUBLE_FIELD] = rule->trouble,
    };
    struct slice text = texts[error->field];
    struct conf_pos where = text.ptr == NULL || error->field == RULE_NAME
                                ? conf_section_where(reporter->parts->conf, rule->conf)
                                : conf_where(reporter->parts->conf, text.ptr + error->offset);

    (error->is_warning ? conf_warning : conf_error)(reporter->errors, where, "%s", error->text);
}

static void report_rule(void *arg, const struct rule_error *error)
{
    struct rule_reporter *reporter = arg;
    size_t in_file = reporter->parts->config->rule_count;

    if (error->rule >= in_file) {
        if (!error->is_warning && reporter->left_out++ < LEFT_OUT_LOGGED)
            log_warning("the live rule %.*s is left out: %s",
                        SLICE_ARG(reporter->sources[error->rule].name), error->text);
    } else if (reporter->errors != NULL) {
        report_in_file(reporter, error);
    }
}

struct over_reporter {
    const struct policy_parts *parts;
    struct conf_errors *errors;
    const struct limit_section *section;
};

static void report_over(void *arg, const struct rule_error *error)
{
    const struct over_reporter *reporter = arg;
    const struct conf *conf = reporter->parts->conf;
    struct slice over = reporter->section->over;

    if (reporter->errors == NULL)
        return;
    (error->is_warning ? conf_warning : conf_error)(
        reporter->errors,
        over.ptr == NULL ? conf_section_where(conf, reporter->section->conf)
                         : conf_where(conf, over.ptr + error->offset),
        "%s", error->text);
}

/* ---- compiling ---- */

static struct rule_source file_rule(const struct policyd_config *config, size_t n)
{
    const struct rule_section *rule = &config->rules[n];

    return (struct rule_source){
        .name = rule->conf->name,
        .when = rule->when,
        .then = rule->then,
        .order = rule->order,
        .mode = config->common.mode == CONF_SHADOW ? SLICE("shadow") : rule->mode,
        .trouble = rule->trouble,
        .stage = rule->stage,
    };
}

static bool rules_compile(struct policy *policy, struct conf_errors *errors)
{
    const struct policyd_config *config = policy->parts.config;
    const struct live_rules *live = shared_get(policy->parts.live_rules);
    size_t live_count = live == NULL ? 0 : live->count, count = config->rule_count + live_count;
    struct rule_source *sources = calloc(count + 1, sizeof *sources);
    struct rule_reporter reporter = { &policy->parts, errors, sources, 0 };

    if (sources == NULL)
        return false;
    for (size_t i = 0; i < config->rule_count; i++)
        sources[i] = file_rule(config, i);
    for (size_t i = 0; i < live_count; i++) {
        sources[config->rule_count + i] = live->sources[i];
        if (config->common.mode == CONF_SHADOW)
            sources[config->rule_count + i].mode = SLICE("shadow");
    }
    policy->rules = rule_set_new(&policy->schema, sources, count,
                                 &(struct rule_errors){ report_rule, &reporter });
    free(sources);
    if (reporter.left_out > LEFT_OUT_LOGGED)
        log_warning("%zu more mistakes in live rules, which are left out",
                    reporter.left_out - LEFT_OUT_LOGGED);
    return policy->rules != NULL;
}

static bool rule_metrics(struct policy *policy)
{
    size_t count = rule_set_count(policy->rules);

    policy->rule_matches = calloc(count + 1, sizeof *policy->rule_matches);
    policy->rule_shadow_matches = calloc(count + 1, sizeof *policy->rule_shadow_matches);
    if (policy->rule_matches == NULL || policy->rule_shadow_matches == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct slice name = rule_set_info(policy->rules, i).name;
        policy->rule_matches[i] = policy_metric_rule(name);
        policy->rule_shadow_matches[i] = policy_metric_rule_shadow(name);
    }
    return true;
}

static const struct limit_section *limit_section_of(const struct policyd_config *config,
                                                    struct slice name)
{
    size_t n = 0;

    while (!slice_equal(config->limits[n].conf->name, name)) /* it came from there */
        n++;
    return &config->limits[n];
}

/* Where a text has {name}; 0 when it does not. */
static size_t braces_find(struct slice text, const char *name)
{
    size_t len = strlen(name);

    for (size_t at = 0; at + len + 2 <= text.len; at++)
        if (text.ptr[at] == '{' && text.ptr[at + 1 + len] == '}' &&
            memcmp(text.ptr + at + 1, name, len) == 0)
            return at;
    return 0;
}

/* A text that names facts which do not exist where the limit is charged: with none of its stages left it can never be
 * said; with some, the default text stands in at the others. */
static void check_over_stages(const struct policy_limit *limit, struct over_reporter *reporter)
{
    unsigned missing = limit_stages(limit->limit) & ~rule_set_info(limit->over, 0).stages;
    struct rule_error error = { .is_warning = missing != limit_stages(limit->limit) };
    char words[STAGES_TEXT_MAX + 1];

    stages_print(missing, words);
    for (size_t i = 0; missing != 0 && i < policyd_fact_count; i++) {
        const struct fact_type *fact = &policyd_facts[i];
        if ((missing & ~fact->stages) == 0 ||
            !rule_set_uses(limit->over, RULE_NAMES_FACT, slice_of(fact->name)))
            continue;
        error.offset = braces_find(limit_over(limit->limit), fact->name);
        snprintf(error.text, sizeof error.text,
                 "%.24s does not exist at %.90s, where the limit is charged%s", fact->name, words,
                 error.is_warning ? "; a default text is sent there" : "");
        report_over(reporter, &error);
    }
}

static bool limit_compile(struct policy *policy, struct policy_limit *out,
                          struct conf_errors *errors)
{
    struct slice over = limit_over(out->limit), name = limit_name(out->limit);
    struct over_reporter reporter = { &policy->parts, errors,
                                      limit_section_of(policy->parts.config, name) };
    struct rule_source source = {
        .name = name,
        .then = over.len > 0 ? over : SLICE("defer 4.7.1 Limit reached, try again later"),
    };

    out->over =
        rule_set_new(&policy->schema, &source, 1, &(struct rule_errors){ report_over, &reporter });
    if (out->over == NULL)
        return false;
    if (rule_set_count(out->over) == 1) {
        if (rule_set_info(out->over, 0).action->kind != ACTION_FINAL)
            report_over(&reporter,
                        &(struct rule_error){
                            .text = "over takes a final action, such as defer or reject" });
        check_over_stages(out, &reporter);
    }
    for (size_t i = 0; i < limit_key_count(out->limit); i++)
        out->key_slots[i] = rule_set_slot(policy->rules, slice_of(limit_key_fact(out->limit, i)));
    out->exceeded = policy_metric_limit_over(name);
    return true;
}

static bool limits_compile(struct policy *policy, struct conf_errors *errors)
{
    const struct limit_set *set = shared_get(policy->parts.limits);

    policy->limit_count = limit_set_count(set);
    policy->limits = calloc(policy->limit_count + 1, sizeof *policy->limits);
    if (policy->limits == NULL)
        return false;
    for (size_t i = 0; i < policy->limit_count; i++) {
        policy->limits[i].limit = limit_set_at(set, i);
        if (!limit_compile(policy, &policy->limits[i], errors))
            return false;
    }
    return true;
}

/* What the file declares and no rule of the file or the store uses. */
static void report_unused(const struct policy *policy, struct conf_errors *errors)
{
    const struct policyd_config *config = policy->parts.config;

    for (size_t i = 0; i < config->limit_count; i++)
        if (!rule_set_uses(policy->rules, RULE_NAMES_LIMIT, config->limits[i].conf->name))
            conf_error(errors, conf_section_where(policy->parts.conf, config->limits[i].conf),
                       "no rule uses this limit; add a rule with `then = limit %.*s`",
                       SLICE_ARG(config->limits[i].conf->name));
}

/* The facts that limits have in their keys, and greylisting's: the rule set gives them the first slots. */
static bool own_facts(struct policy *policy)
{
    const struct limit_set *set = shared_get(policy->parts.limits);
    size_t count = 0;

    for (size_t i = 0; i < limit_set_count(set); i++)
        count += limit_key_count(limit_set_at(set, i));
    policy->own_facts = calloc(count + 2, sizeof *policy->own_facts);
    if (policy->own_facts == NULL)
        return false;
    count = 0;
    for (size_t i = 0; i < limit_set_count(set); i++)
        for (size_t k = 0; k < limit_key_count(limit_set_at(set, i)); k++)
            policy->own_facts[count++] = limit_key_fact(limit_set_at(set, i), k);
    policy->own_facts[count++] = "spf";
    policy->own_facts[count++] = "spf.domain";
    policy->schema.extra_facts = policy->own_facts;
    policy->schema.extra_fact_count = count;
    return true;
}

/* Whether a rule, the key of a limit or the text of one depends on policy_context. */
static bool reads_context(const struct policy *policy)
{
    const struct slice context = SLICE("policy_context");
    bool is_read = rule_set_uses(policy->rules, RULE_NAMES_FACT, context);

    for (size_t i = 0; !is_read && i < policy->limit_count; i++) {
        const struct policy_limit *limit = &policy->limits[i];
        is_read = rule_set_uses(limit->over, RULE_NAMES_FACT, context);
        for (size_t k = 0; !is_read && k < limit_key_count(limit->limit); k++)
            is_read = slice_equal(slice_of(limit_key_fact(limit->limit, k)), context);
    }
    return is_read;
}

struct policy *policy_new(const struct policy_parts *parts, struct conf_errors *errors)
{
    struct policy *policy = calloc(1, sizeof *policy);

    if (policy == NULL) {
        struct policy_parts gone = *parts;
        policy_parts_free(&gone);
        return NULL;
    }
    policy->parts = *parts;
    policy->schema = (struct rules_schema){
        .facts = policyd_facts,
        .fact_count = policyd_fact_count,
        .actions = policyd_actions,
        .action_count = POLICYD_ACTIONS,
        .list_exists = list_exists,
        .map_exists = map_exists,
        .limit_exists = limit_exists,
        .name_at = name_at,
        .fact_arg_known = fact_arg_known,
        .context = policy,
    };
    if (!own_facts(policy) || !rules_compile(policy, errors) || !rule_metrics(policy) ||
        !limits_compile(policy, errors)) {
        policy_free(policy);
        return NULL;
    }
    policy->spf_slot = rule_set_slot(policy->rules, SLICE("spf"));
    policy->spf_domain_slot = rule_set_slot(policy->rules, SLICE("spf.domain"));
    policy->reads_context = reads_context(policy);
    if (errors != NULL)
        report_unused(policy, errors);
    return policy;
}

void policy_free(void *data)
{
    struct policy *policy = data;

    if (policy == NULL)
        return;
    for (size_t i = 0; policy->limits != NULL && i < policy->limit_count; i++)
        rule_set_free(&policy->limits[i].over);
    free(policy->limits);
    free(policy->rule_matches);
    free(policy->rule_shadow_matches);
    rule_set_free(&policy->rules);
    free(policy->own_facts);
    policy_parts_free(&policy->parts);
    free(policy);
}
