/* signd/setup.c - see setup.h. */
#include "signd/setup.h"

#include <dirent.h>

#include "signd/facts/facts.h"

enum { LIVES_MAX = 200000 };

/* ---- parts ---- */

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

/* A directory that is named and not there. Who may not look into it (-t by somebody else) cannot tell. */
static void check_keys(const struct signd_config *config, const struct daemon_load *load)
{
    struct conf_pos where = conf_where(load->conf, config->key_directory.ptr);
    DIR *directory = where.line == 0 ? NULL : opendir(config->key_directory.ptr);

    if (where.line > 0 && directory == NULL && errno != EACCES)
        conf_warning(
            load->errors, where,
            "key_directory: %.*s: %s; mail that is to be signed is deferred until it can be read",
            SLICE_ARG(config->key_directory), strerror(errno));
    if (directory != NULL)
        closedir(directory);
}

static bool load_parts(void *parts, const struct daemon_load *load)
{
    const struct signd_config *config = load->config;
    const struct setup *previous = load->previous;
    struct setup_parts *to = parts;

    check_map(config, load);
    check_domains(config, load);
    check_keys(config, load);
    to->config = config;
    if (previous != NULL) {
        to->lives = shared_ref(previous->parts.lives);
        to->lives_number = previous->parts.lives_number;
    }
    return policy_core_load(&to->core, load, &config->sections, config->common.mode);
}

static void share_parts(void *parts)
{
    const struct setup_parts *shared = parts;

    shared_ref(shared->lives);
}

static void drop_parts(void *parts)
{
    struct setup_parts *gone = parts;

    shared_unref(&gone->lives);
}

/* ---- compiling ---- */

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

static bool build(void *data, const struct rule_hearers *hearers)
{
    struct setup *setup = data;

    setup->schema = (struct rules_schema){
        .facts = signd_facts,
        .fact_count = signd_fact_count,
        .actions = signd_actions,
        .action_count = SIGND_ACTIONS,
    };
    policy_core_schema(&setup->schema, setup);
    if (!direction_make(&setup->direction, &setup->parts.config->direction) ||
        !make_sign_settings(setup) ||
        !rule_book_make(&setup->book, &setup->schema, &setup->parts.core, hearers))
        return false;
    setup->names = message_names_of(setup->book.rules);
    return true;
}

static void unbuild(void *data)
{
    struct setup *setup = data;

    rule_book_free(&setup->book);
    direction_free(&setup->direction);
    free(setup->oversigned);
    free(setup->domain_signs);
}

/* ---- live ---- */

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
    next->lives_number = live_reads(live);
}

static bool watch(struct live *live, UNUSED const void *data)
{
    return live_watch(live, SETUP_LIVES_KEY, SLICE(""), take_lives, 0);
}

/* ---- its life ---- */

const struct policy_kind signd_kind = {
    .data_size = sizeof(struct setup),
    .parts_size = sizeof(struct setup_parts),
    .book_offset = offsetof(struct setup, book),
    .load = load_parts,
    .share = share_parts,
    .drop = drop_parts,
    .build = build,
    .unbuild = unbuild,
    .watch = watch,
};

void *setup_load(const struct daemon_load *load)
{
    return policy_kind_load(&signd_kind, load);
}

void setup_free(void *setup)
{
    policy_kind_free(&signd_kind, setup);
}

/* ---- asking ---- */

struct key_ring setup_ring(const struct setup *setup, const struct key_set *files,
                           const struct key_lives *lives)
{
    const struct signd_config *config = setup->parts.config;

    return (struct key_ring){
        .files = files,
        .lives = lives,
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
