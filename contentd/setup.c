/* contentd/setup.c - see setup.h. */
#include "contentd/setup.h"

#include "common/live/tail.h"
#include "common/observe/log.h"
#include "common/quarantine/release.h"
#include "contentd/bypass.h"
#include "contentd/facts/facts.h"
#include "contentd/loops.h"

enum { APPLY_LIVE_MAX = 1000000 };

/* ---- parts ---- */

static void check_names(const struct contentd_config *config, const struct daemon_load *load)
{
    for (size_t i = 0; i < config->scan.scanner_count; i++) {
        const struct conf_section *conf = config->scan.scanners[i].conf;
        if (fact_name_is_taken(conf->name))
            conf_error(load->errors, conf_section_where(load->conf, conf),
                       "%.*s.* are facts that have another meaning; give the scanner another name",
                       SLICE_ARG(conf->name));
    }
}

/* What contentd would not start with. */
static void check_release(const struct contentd_config *config, const struct daemon_load *load)
{
    AUTO_BUF error = BUF_INIT(300);

    if (config->release.len == 0)
        return;
    struct release *release = release_new(config->release, config->myhostname, &error);
    if (release == NULL)
        conf_error(load->errors, conf_where(load->conf, config->release.ptr), "release: %s",
                   buf_text(&error));
    release_free(&release);
}

static bool load_parts(void *parts, const struct daemon_load *load)
{
    const struct contentd_config *config = load->config;
    const struct setup *previous = load->previous;
    struct setup_parts *to = parts;

    check_names(config, load);
    check_release(config, load);
    loops_check(load);
    to->config = config;
    to->scan = shared_new(scan_set_new(&config->scan, load), scan_set_free);
    if (previous != NULL && previous->parts.apply_live != NULL)
        to->apply_live = map_share(previous->parts.apply_live);
    return to->scan != NULL &&
           policy_core_load(&to->core, load, &config->sections, config->common.mode);
}

static void share_parts(void *parts)
{
    const struct setup_parts *shared = parts;

    shared_ref(shared->scan);
    if (shared->apply_live != NULL)
        map_share(shared->apply_live);
}

static void drop_parts(void *parts)
{
    struct setup_parts *gone = parts;

    shared_unref(&gone->scan);
    map_free(&gone->apply_live);
}

/* ---- names, for the rules' schema ---- */

static struct slice name_at(const void *context, const char *kind, size_t n)
{
    const struct setup *setup = context;
    const struct scan_set *scan = setup_scan(setup);

    if (strcmp(kind, "scanner") == 0)
        return n < scan->scanner_count ? scan->scanners[n].name : (struct slice){ NULL, 0 };
    if (strcmp(kind, "chain") == 0)
        return n < scan->chains.count ? scan->chains.chains[n].name : (struct slice){ NULL, 0 };
    return sets_name_at(&setup->parts.core.sets, kind, n);
}

static const char *star_kind(const struct fact_type *type)
{
    if (type->id == FACT_CONNECTIONS_LIST)
        return "list";
    return fact_is_of_scanner(type->id) ? "scanner" : NULL;
}

static bool fact_arg_known(const void *context, const struct fact_type *type, struct slice arg)
{
    const struct setup *setup = context;

    if (type->id == FACT_CONNECTIONS_LIST)
        return sets_list(&setup->parts.core.sets, arg) != NULL;
    return !fact_is_of_scanner(type->id) || scan_set_find(setup_scan(setup), arg) != SCANNER_NONE;
}

/* A list's entries may change under a rule that is in force: that is no reason to leave the rule out. */
static const char *fact_arg_unfit(const void *context, const struct fact_type *type,
                                  struct slice arg)
{
    const struct setup *setup = context;

    if (type->id != FACT_CONNECTIONS_LIST || setup->is_taken_over ||
        !named_list_has_names_only(sets_list(&setup->parts.core.sets, arg)))
        return NULL;
    return "has no address or network; connections are counted by client_address";
}

/* ---- compiling ---- */

static void name_all_scanners(struct setup *setup)
{
    for (size_t n = 0; n < setup_scan(setup)->scanner_count; n++)
        setup->named_scanners |= SCANNER_BIT(n);
}

static void note_connection_list(struct setup *setup, struct slice name)
{
    const struct named_list *list = sets_list(&setup->parts.core.sets, name);

    for (size_t i = 0; i < setup->connection_list_count; i++)
        if (setup->connection_lists[i] == list)
            return;
    if (setup->connection_list_count < CONNECTION_LISTS_MAX)
        setup->connection_lists[setup->connection_list_count++] = list;
    else if (setup->connection_list_too_many == NULL)
        setup->connection_list_too_many = list;
}

static void note_fact(struct setup *setup, const struct fact_ref *ref)
{
    const struct scan_set *scan = setup_scan(setup);
    int id = ref->kind == FACT_PLAIN ? ref->type->id : -1;

    if (id < 0)
        return;
    setup->names_connections = setup->names_connections || fact_wants_connections(id);
    setup->names_recipient = setup->names_recipient || fact_is_of_recipient(id);
    if (id == FACT_CONNECTIONS_LIST)
        note_connection_list(setup, ref->arg);
    if (fact_is_of_scanner(id)) {
        size_t n = scan_set_find(scan, ref->arg);
        setup->named_scanners |= n == SCANNER_NONE ? 0 : SCANNER_BIT(n);
    } else if (slice_equal(ref->name, SLICE("score"))) {
        name_all_scanners(setup);
    }
}

/* At the end it may take back what a scanner has found, for which others were cancelled then. */
static bool skips_late(const struct rule_info *rule)
{
    return rule->action->id == ACTION_SKIP && rule->mode == RULE_ENFORCE &&
           (rule->stages & STAGES_DATA) == 0;
}

static void note_names(struct setup *setup)
{
    const struct rule_set *rules = setup->book.rules;

    setup->names = message_names_of(rules);
    for (size_t slot = 0; slot < rule_set_slots(rules); slot++)
        note_fact(setup, rule_set_ref(rules, slot));
    for (size_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule_info rule = rule_set_info(rules, i);
        if (skips_late(&rule))
            name_all_scanners(setup);
    }
}

static void say_too_many(const struct setup *setup, const struct rule_hearers *hearers)
{
    static const char format[] =
        "rules name connections.NAME of more than %d lists; those of %.*s are not counted";
    const struct policy_core *core = &setup->parts.core;
    struct slice name = setup->connection_list_too_many->name;

    for (size_t i = 0; hearers->errors != NULL && i < core->sections->list_count; i++) {
        const struct conf_section *conf = core->sections->lists[i].conf;
        if (slice_equal(conf->name, name))
            conf_error(hearers->errors, conf_section_where(core->conf, conf), format,
                       (int)CONNECTION_LISTS_MAX, SLICE_ARG(name));
    }
    if (hearers->errors == NULL && hearers->live_are_new)
        log_warning(format, (int)CONNECTION_LISTS_MAX, SLICE_ARG(name));
}

static bool build(void *data, const struct rule_hearers *hearers)
{
    struct setup *setup = data;

    setup->schema = (struct rules_schema){
        .facts = contentd_facts,
        .fact_count = contentd_fact_count,
        .actions = contentd_actions,
        .action_count = CONTENTD_ACTIONS,
        .fact_arg_known = fact_arg_known,
        .fact_arg_unfit = fact_arg_unfit,
        .star_kind = star_kind,
    };
    setup->is_taken_over = hearers->errors == NULL;
    policy_core_schema(&setup->schema, setup);
    setup->schema.name_at = name_at;
    if (!direction_make(&setup->direction, &setup->parts.config->direction) ||
        !rule_book_make(&setup->book, &setup->schema, &setup->parts.core, hearers))
        return false;
    setup->is_taken_over = false;
    note_names(setup);
    if (setup->connection_list_too_many != NULL)
        say_too_many(setup, hearers);
    if (hearers->errors != NULL)
        bypass_warn(setup, hearers->errors);
    return true;
}

static void unbuild(void *data)
{
    struct setup *setup = data;

    rule_book_free(&setup->book);
    direction_free(&setup->direction);
}

/* ---- live ---- */

/* One field of gh:apply; NULL, or what is wrong with it. */
static const char *take_chain(const struct scan_set *scan, struct map_builder *builder,
                              const struct store_field *field)
{
    struct live_tail tail;
    const char *error;

    if (!live_tail_parse(field->text, &tail, &error) ||
        (error = chain_check_name(&scan->chains, tail.head)) != NULL)
        return error;
    return map_builder_add(builder, field->name, field->text, NULL);
}

static void take_apply(struct live *live, void *parts, UNUSED size_t index, struct store_read *read)
{
    struct setup_parts *next = parts;
    struct map_builder *builder = map_builder_new(APPLY_LIVE_MAX);

    for (size_t i = 0; builder != NULL && i < read->count; i++) {
        const char *error = take_chain(shared_get(next->scan), builder, &read->fields[i]);
        if (error != NULL)
            live_bad_value(live, read->fields[i].name, error);
    }
    struct map *made = builder == NULL ? NULL : map_builder_finish(&builder);
    if (made == NULL)
        return;
    map_free(&next->apply_live);
    next->apply_live = made;
}

static bool watch(struct live *live, UNUSED const void *data)
{
    return live_watch(live, "apply", SLICE(""), take_apply, 0);
}

/* ---- its life ---- */

const struct policy_kind contentd_kind = {
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
    return policy_kind_load(&contentd_kind, load);
}

void setup_free(void *setup)
{
    policy_kind_free(&contentd_kind, setup);
}

/* ---- asking ---- */

const struct chain *setup_chain_why(const struct setup *setup, struct slice recipient,
                                    uint64_t wall_ms, struct chain_reason *why)
{
    const struct scan_set *scan = setup_scan(setup);
    const struct chain_apply apply = { scan->chains, scan->apply, setup->parts.apply_live };
    const struct chain *chain = chain_of(&apply, recipient, wall_ms, why);

    return chain == NULL ? scan->no_chain : chain;
}

const struct chain *setup_chain(const struct setup *setup, struct slice recipient, uint64_t wall_ms)
{
    struct chain_reason why;

    return setup_chain_why(setup, recipient, wall_ms, &why);
}
