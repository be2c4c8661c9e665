/* signd/setup.c - see setup.h. */
#include "signd/setup.h"

#include "signd/facts/facts.h"

enum { LIVES_MAX = 200000 };

/* ---- parts ---- */

static bool parts_copy(const void *data, void *parts)
{
    const struct setup *setup = data;
    struct setup_parts *to = parts;

    *to = setup->parts;
    if (!policy_core_copy(&setup->parts.core, &to->core))
        return false;
    shared_ref(to->lives);
    return true;
}

static void parts_drop(void *parts)
{
    struct setup_parts *gone = parts;

    policy_core_free(&gone->core);
    shared_unref(&gone->lives);
}

/* ---- compiling ---- */

static void note_names(struct setup *setup)
{
    const struct rule_set *rules = setup->book.rules;

    for (size_t slot = 0; slot < rule_set_slots(rules); slot++) {
        const struct fact_ref *ref = rule_set_ref(rules, slot);
        if (ref->kind != FACT_PLAIN || ref->type->id >= MESSAGE_FACTS)
            continue;
        setup->named_mime |= message_fact_wants_mime(ref->type->id);
        setup->names_record = setup->names_record || message_fact_wants_record(ref->type->id);
    }
    for (size_t i = 0; i < rule_set_count(rules); i++)
        setup->stages |= rule_set_info(rules, i).stages;
}

/* From is oversigned whatever the configuration says. */
static bool list_oversigned(struct setup *setup, const struct conf_list *configured, size_t *count)
{
    setup->oversigned = calloc(configured->count + 1, sizeof *setup->oversigned);
    if (setup->oversigned == NULL)
        return false;
    setup->oversigned[0] = SLICE("From");
    *count = 1;
    for (size_t i = 0; i < configured->count; i++)
        if (!slice_equal_nocase(configured->items[i], SLICE("From")))
            setup->oversigned[(*count)++] = configured->items[i];
    return true;
}

static bool make_sign_settings(struct setup *setup)
{
    const struct signd_config *config = setup->parts.config;
    size_t oversigned_count;

    setup->domain_signs = calloc(config->domain_count + 1, sizeof *setup->domain_signs);
    if (setup->domain_signs == NULL ||
        !list_oversigned(setup, &config->oversign_headers, &oversigned_count))
        return false;
    setup->sign = (struct sign_settings){ .header = config->header_canonicalization,
                                          .body = config->body_canonicalization,
                                          .names = config->sign_headers.items,
                                          .name_count = config->sign_headers.count,
                                          .oversigned = setup->oversigned,
                                          .oversigned_count = oversigned_count,
                                          .expire_s = config->signature_expiry / SECOND,
                                          .line_max = (size_t)config->smtp_line_length_limit };
    for (size_t i = 0; i < config->domain_count; i++) {
        const struct domain_section *section = &config->domains[i];
        setup->domain_signs[i] = setup->sign;
        setup->domain_signs[i].header = section->header_canonicalization;
        setup->domain_signs[i].body = section->body_canonicalization;
        setup->domain_signs[i].expire_s = section->signature_expiry / SECOND;
    }
    return true;
}

struct setup *setup_new(const struct setup_parts *parts, const struct rule_hearers *hearers)
{
    struct setup *setup = calloc(1, sizeof *setup);

    if (setup == NULL) {
        struct setup_parts gone = *parts;
        parts_drop(&gone);
        return NULL;
    }
    setup->parts = *parts;
    setup->schema = (struct rules_schema){
        .facts = signd_facts,
        .fact_count = signd_fact_count,
        .actions = signd_actions,
        .action_count = SIGND_ACTIONS,
    };
    policy_core_schema(&setup->schema, setup);
    if (!direction_make(&setup->direction, &setup->parts.config->direction) ||
        !make_sign_settings(setup) ||
        !rule_book_make(&setup->book, &setup->schema, &setup->parts.core, hearers)) {
        setup_free(setup);
        return NULL;
    }
    note_names(setup);
    return setup;
}

void setup_free(void *data)
{
    struct setup *setup = data;

    if (setup == NULL)
        return;
    rule_book_free(&setup->book);
    direction_free(&setup->direction);
    free(setup->oversigned);
    free(setup->domain_signs);
    parts_drop(&setup->parts);
    free(setup);
}

/* ---- the file ---- */

static void check_map(const struct signd_config *config, const struct daemon_load *load)
{
    struct slice name = config->signing_map;

    for (size_t i = 0; i < config->sections.map_count; i++)
        if (slice_equal(config->sections.maps[i].conf->name, name))
            return;
    if (name.len > 0)
        conf_error(load->errors, conf_where(load->conf, name.ptr),
                   "signing_map: there is no section [map %.*s]", SLICE_ARG(name));
}

static void check_domains(const struct signd_config *config, const struct daemon_load *load)
{
    struct conf_complaint complaint;

    for (size_t i = 0; i < config->domain_count; i++) {
        const struct conf_section *conf = config->domains[i].conf;
        if (!config_check_domain(conf->name, &complaint))
            conf_error(load->errors, conf_section_where(load->conf, conf), "[domain %.*s]: %s",
                       SLICE_ARG(conf->name), complaint.text);
    }
}

void *setup_load(const struct daemon_load *load)
{
    const struct signd_config *config = load->config;
    const struct setup *previous = load->previous;
    struct setup_parts parts = { .config = config };
    struct setup *setup = NULL;

    check_map(config, load);
    check_domains(config, load);
    if (!policy_core_load(&parts.core, load, &config->sections, config->common.mode,
                          previous == NULL ? NULL : &previous->parts.core)) {
        parts_drop(&parts);
    } else {
        if (previous != NULL)
            parts.lives = shared_ref(previous->parts.lives);
        setup = setup_new(&parts, &(struct rule_hearers){ load->errors, true });
    }
    if (setup == NULL)
        conf_error(load->errors, (struct conf_pos){ load->conf->file, 0, 0 }, "out of memory");
    return setup;
}

/* ---- live ---- */

static void *make(const void *parts, bool live_rules_are_new, size_t *left_out)
{
    struct setup *setup = setup_new(parts, &(struct rule_hearers){ NULL, live_rules_are_new });

    if (setup != NULL)
        *left_out = setup->book.left_out;
    return setup;
}

static void take_lives(struct live *live, void *parts, UNUSED size_t index, struct store_read *read)
{
    struct setup_parts *next = parts;
    struct key_lives_builder *builder =
        key_lives_builder_new(read->count < LIVES_MAX ? read->count : LIVES_MAX);

    if (builder == NULL)
        return;
    for (size_t i = 0; i < read->count; i++) {
        const char *error = key_lives_add(builder, read->fields[i].name, read->fields[i].text);
        if (error != NULL)
            live_bad_value(live, read->fields[i].name, error);
    }
    struct shared *made = shared_new(key_lives_finish(&builder), key_lives_free);
    if (made == NULL)
        return;
    shared_unref(&next->lives);
    next->lives = made;
}

static bool watch(struct live *live, UNUSED const void *data)
{
    return live_watch(live, "dkim", SLICE(""), take_lives, 0);
}

const struct live_spec signd_live = {
    .parts_size = sizeof(struct setup_parts),
    .copy = parts_copy,
    .drop = parts_drop,
    .make = make,
    .watch = watch,
};

/* ---- asking ---- */

struct key_ring setup_ring(const struct setup *setup, const struct key_set *files)
{
    const struct signd_config *config = setup->parts.config;

    return (struct key_ring){
        .files = files,
        .lives = shared_get(setup->parts.lives),
        .assigned = config->signing_map.len == 0
                        ? NULL
                        : sets_map(&setup->parts.core.sets, config->signing_map),
        .default_domain = config->default_signing_domain,
        .use_parents = config->sign_subdomains,
    };
}

const struct sign_settings *setup_sign(const struct setup *setup, struct slice domain)
{
    const struct signd_config *config = setup->parts.config;

    for (size_t i = 0; i < config->domain_count; i++)
        if (slice_equal(config->domains[i].conf->name, domain))
            return &setup->domain_signs[i];
    return &setup->sign;
}
