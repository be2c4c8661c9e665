/* policyd/policy.c - see policy.h. */
#include "policyd/policy.h"

#include "common/base/suggest.h"
#include "common/observe/log.h"

/* ---- parts ---- */

void policy_classes_drop(void *object)
{
    struct classes *classes = object;

    classes_free(&classes);
}

void policy_parts_share(void *parts)
{
    const struct policy_parts *shared = parts;

    shared_ref(shared->limits);
    shared_ref(shared->dnsbls);
    shared_ref(shared->classes_file);
    shared_ref(shared->classes_live);
    if (shared->geoip != NULL)
        geoip_ref(shared->geoip);
}

void policy_parts_drop(void *parts)
{
    struct policy_parts *gone = parts;

    shared_unref(&gone->limits);
    shared_unref(&gone->dnsbls);
    shared_unref(&gone->classes_file);
    shared_unref(&gone->classes_live);
    geoip_free(&gone->geoip);
}

/* ---- names, for the rules' schema ---- */

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

    if (strcmp(kind, "limit") == 0 && n < config->limit_count)
        return config->limits[n].conf->name;
    if (strcmp(kind, "dnsbl") == 0 && n < config->dnsbl_count)
        return config->dnsbls[n].conf->name;
    return sets_name_at(&policy->parts.core.sets, kind, n);
}

static bool fact_arg_known(const void *context, const struct fact_type *type, struct slice arg)
{
    const struct policy *policy = context;
    unsigned stages;

    if (type->id == FACT_DNSBL_WEIGHT)
        return dnsbl_find(shared_get(policy->parts.dnsbls), arg) != NULL;
    return limit_exists(context, arg, &stages); /* limit.*.used, limit.*.left */
}

const struct policy_limit *policy_limit_find(const struct policy *policy, struct slice name)
{
    for (size_t i = 0; i < policy->limit_count; i++)
        if (slice_equal(limit_name(policy->limits[i].limit), name))
            return &policy->limits[i];
    return NULL;
}

struct mailbox_settings policy_attributes(const struct policy *policy)
{
    return policy->parts.config->mailboxes;
}

/* ---- mistakes ---- */

struct over_reporter {
    const struct conf *conf;
    struct conf_errors *errors;
    const struct limit_section *section;
};

static void report_over(void *arg, const struct rule_error *error)
{
    const struct over_reporter *reporter = arg;
    const struct conf *conf = reporter->conf;
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
    struct over_reporter reporter = { policy->parts.core.conf, errors,
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
        out->key_slots[i] =
            rule_set_slot(policy->book.rules, slice_of(limit_key_fact(out->limit, i)));
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

/* Whether a rule, the key of a limit or the text of one asks for the fact. */
static bool is_fact_used(const struct policy *policy, struct slice name)
{
    bool is_used = rule_set_slot(policy->book.rules, name) != FACT_NONE;

    for (size_t i = 0; !is_used && i < policy->limit_count; i++)
        is_used = rule_set_slot(policy->limits[i].over, name) != FACT_NONE;
    return is_used;
}

/* A DNS list alone, or with all lists of its kind. */
static bool is_dnsbl_used(const struct policy *policy, const struct dnsbl_section *list)
{
    bool is_address = list->kind == DNSBL_ADDRESS;
    char name[sizeof "dnsbl." + CONF_NAME_MAX];

    snprintf(name, sizeof name, "dnsbl.%.*s", SLICE_ARG(list->conf->name));
    return is_fact_used(policy, slice_of(name)) || is_fact_used(policy, SLICE("dnsbl.text")) ||
           is_fact_used(policy, is_address ? SLICE("dnsbl.score") : SLICE("rhsbl.score")) ||
           is_fact_used(policy, is_address ? SLICE("dnsbl.zones") : SLICE("rhsbl.zones"));
}

/* A class that no limit has a rate for, in the file: mistyped, most probably, though a live rate may have it. */
static void report_class(const struct policy *policy, const struct conf_pair *member,
                         struct conf_errors *errors)
{
    const struct policyd_config *config = policy->parts.config;
    struct suggest best = suggest_for(member->value);

    if (!class_name_is_valid(member->value))
        return; /* said already, or more than a name */
    for (size_t i = 0; i < config->limit_count; i++) {
        const struct conf_pairs *rates = &config->limits[i].rate_class;
        for (size_t k = 0; k < rates->count; k++) {
            if (slice_equal_nocase(rates->items[k].name, member->value))
                return;
            suggest_offer(&best, rates->items[k].name);
        }
    }
    conf_warning(errors, conf_where(policy->parts.core.conf, member->value.ptr),
                 "no limit has a rate for the class %.*s (rate.class.%.*s)%s%.*s%s",
                 SLICE_ARG(member->value), SLICE_ARG(member->value),
                 best.name.ptr == NULL ? "" : "; did you mean ", (int)best.name.len,
                 best.name.ptr == NULL ? "" : best.name.ptr, best.name.ptr == NULL ? "" : "?");
}

/* What the file declares and no rule of the file or the store uses. A DNS list may wait for a live rule. */
static void report_unused(const struct policy *policy, struct conf_errors *errors)
{
    const struct policyd_config *config = policy->parts.config;

    for (size_t i = 0; i < config->dnsbl_count; i++)
        if (!is_dnsbl_used(policy, &config->dnsbls[i]))
            conf_warning(errors,
                         conf_section_where(policy->parts.core.conf, config->dnsbls[i].conf),
                         "no rule uses this list; one does with dnsbl.%.*s or with the %s.score of "
                         "all of its kind",
                         SLICE_ARG(config->dnsbls[i].conf->name),
                         config->dnsbls[i].kind == DNSBL_ADDRESS ? "dnsbl" : "rhsbl");

    for (size_t i = 0; i < config->limit_count; i++)
        if (!rule_set_uses(policy->book.rules, RULE_NAMES_LIMIT, config->limits[i].conf->name))
            conf_error(errors, conf_section_where(policy->parts.core.conf, config->limits[i].conf),
                       "no rule uses this limit; add a rule with `then = limit %.*s`",
                       SLICE_ARG(config->limits[i].conf->name));

    for (size_t i = 0; config->classes_count > 0 && i < config->classes[0].members.count; i++)
        report_class(policy, &config->classes[0].members.items[i], errors);
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
    bool is_read = rule_set_uses(policy->book.rules, RULE_NAMES_FACT, context);

    for (size_t i = 0; !is_read && i < policy->limit_count; i++) {
        const struct policy_limit *limit = &policy->limits[i];
        is_read = rule_set_uses(limit->over, RULE_NAMES_FACT, context);
        for (size_t k = 0; !is_read && k < limit_key_count(limit->limit); k++)
            is_read = slice_equal(slice_of(limit_key_fact(limit->limit, k)), context);
    }
    return is_read;
}

bool policy_build(void *data, const struct rule_hearers *hearers)
{
    struct policy *policy = data;

    policy->schema = (struct rules_schema){
        .facts = policyd_facts,
        .fact_count = policyd_fact_count,
        .actions = policyd_actions,
        .action_count = POLICYD_ACTIONS,
        .limit_exists = limit_exists,
        .fact_arg_known = fact_arg_known,
    };
    policy_core_schema(&policy->schema, policy);
    policy->schema.name_at = name_at;
    if (!own_facts(policy) ||
        !rule_book_make(&policy->book, &policy->schema, &policy->parts.core, hearers) ||
        !limits_compile(policy, hearers->errors))
        return false;
    policy->spf_slot = rule_set_slot(policy->book.rules, SLICE("spf"));
    policy->spf_domain_slot = rule_set_slot(policy->book.rules, SLICE("spf.domain"));
    policy->reads_context = reads_context(policy);
    if (hearers->errors != NULL)
        report_unused(policy, hearers->errors);
    return true;
}

void policy_unbuild(void *data)
{
    struct policy *policy = data;

    for (size_t i = 0; policy->limits != NULL && i < policy->limit_count; i++)
        rule_set_free(&policy->limits[i].over);
    free(policy->limits);
    rule_book_free(&policy->book);
    free(policy->own_facts);
}
