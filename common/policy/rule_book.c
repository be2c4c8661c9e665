/* common/policy/rule_book.c - see rule_book.h. */
#include "common/policy/rule_book.h"

#include "common/live/rule_text.h"
#include "common/observe/log.h"

enum { LEFT_OUT_LOGGED = 10, RULE_MEMORY_MAX = 8 << 20 };

void live_rules_free(void *live_rules)
{
    struct live_rules *rules = live_rules;

    if (rules == NULL)
        return;
    arena_free(&rules->arena);
    free(rules);
}

/* ---- metrics ---- */

enum { MATCHES, SHADOW_MATCHES };

static struct metric metrics[] = {
    [MATCHES] = METRIC_BY("gatehouse_rule_matches_total", METRIC_COUNTER, "How often a rule acted.",
                          "rule"),
    [SHADOW_MATCHES] = METRIC_BY("gatehouse_rule_shadow_matches_total", METRIC_COUNTER,
                                 "How often a rule in shadow mode would have acted.", "rule"),
};

static bool make_metrics(struct rule_book *book)
{
    size_t count = rule_set_count(book->rules);

    metrics_register(metrics, COUNT(metrics)); /* again changes nothing */
    book->matches = calloc(count + 1, sizeof *book->matches);
    book->shadow_matches = calloc(count + 1, sizeof *book->shadow_matches);
    if (book->matches == NULL || book->shadow_matches == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct slice name = rule_set_info(book->rules, i).name;
        book->matches[i] = metric_series(&metrics[MATCHES], &name);
        book->shadow_matches[i] = metric_series(&metrics[SHADOW_MATCHES], &name);
    }
    return true;
}

void rule_book_count(const struct rule_book *book, const struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->continuing_count; i++)
        metric_add(book->matches[verdict->continuing[i].rule], 1);
    for (size_t i = 0; i < verdict->shadow_count; i++)
        metric_add(book->shadow_matches[verdict->shadow[i].rule], 1);
    if (verdict->final != NULL)
        metric_add(book->matches[verdict->final->rule], 1);
}

/* ---- mistakes ---- */

/* Where an error of the compiler belongs: the file's rules come first, then the live ones. */
struct reporter {
    const struct policy_core *core;
    const struct rule_hearers *hearers;
    const struct rule_source *sources;
    size_t mistakes; /* in live rules */
};

static void report_in_file(const struct reporter *reporter, const struct rule_error *error)
{
    const struct rule_section *rule = &reporter->core->sections->rules[error->rule];
    const struct slice texts[] = {
        [RULE_NAME] = rule->conf->name,       [RULE_WHEN] = rule->when, [RULE_THEN] = rule->then,
        [RULE_ORDER] = rule->order,           [RULE_MODE] = rule->mode, [RULE_STAGE] = rule->stage,
        [RULE_TROUBLE_FIELD] = rule->trouble,
    };
    struct slice text = texts[error->field];
    struct conf_pos where = text.ptr == NULL || error->field == RULE_NAME
                                ? conf_section_where(reporter->core->conf, rule->conf)
                                : conf_where(reporter->core->conf, text.ptr + error->offset);

    (error->is_warning ? conf_warning : conf_error)(reporter->hearers->errors, where, "%s",
                                                    error->text);
}

static void report_live(struct reporter *reporter, const struct rule_error *error)
{
    if (!error->is_warning && reporter->mistakes++ < LEFT_OUT_LOGGED)
        log_warning("the live rule %.*s is left out: %s",
                    SLICE_ARG(reporter->sources[error->rule].name), error->text);
}

static void report_rule(void *arg, const struct rule_error *error)
{
    struct reporter *reporter = arg;

    if (error->rule < reporter->core->sections->rule_count) {
        if (reporter->hearers->errors != NULL)
            report_in_file(reporter, error);
    } else if (reporter->hearers->live_are_new) {
        report_live(reporter, error);
    }
}

/* ---- compiling ---- */

static struct rule_source file_rule(const struct rule_section *rule)
{
    return (struct rule_source){
        .name = rule->conf->name,
        .when = rule->when,
        .then = rule->then,
        .order = rule->order,
        .mode = rule->mode,
        .trouble = rule->trouble,
        .stage = rule->stage,
    };
}

static bool compile(struct rule_book *book, const struct rules_schema *schema,
                    const struct policy_core *core, const struct rule_hearers *hearers)
{
    const struct live_rules *live = shared_get(core->live_rules);
    size_t in_file = core->sections->rule_count;
    size_t count = in_file + (live == NULL ? 0 : live->count);
    struct rule_source *sources = calloc(count + 1, sizeof *sources);
    struct reporter reporter = { core, hearers, sources, 0 };

    if (sources == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        sources[i] =
            i < in_file ? file_rule(&core->sections->rules[i]) : live->sources[i - in_file];
        if (core->is_shadow)
            sources[i].mode = SLICE("shadow");
    }
    book->rules =
        rule_set_new(schema, sources, count, &(struct rule_errors){ report_rule, &reporter });
    free(sources);
    if (book->rules == NULL)
        return false;
    book->left_out = count - rule_set_count(book->rules);
    if (reporter.mistakes > LEFT_OUT_LOGGED)
        log_warning("%zu more mistakes in live rules, which are left out",
                    reporter.mistakes - LEFT_OUT_LOGGED);
    return true;
}

bool rule_book_make(struct rule_book *book, const struct rules_schema *schema,
                    const struct policy_core *core, const struct rule_hearers *hearers)
{
    *book = (struct rule_book){ .rules = NULL };
    return compile(book, schema, core, hearers) && make_metrics(book);
}

void rule_book_free(struct rule_book *book)
{
    rule_set_free(&book->rules);
    free(book->matches);
    free(book->shadow_matches);
    *book = (struct rule_book){ .rules = NULL };
}

/* ---- judging one ---- */

static bool name_is_declared(const void *context, const char *kind, struct slice name)
{
    const struct rules_schema *schema = context;
    unsigned stages;

    if (strcmp(kind, "list") == 0)
        return schema->list_exists != NULL && schema->list_exists(schema->context, name);
    if (strcmp(kind, "map") == 0)
        return schema->map_exists != NULL && schema->map_exists(schema->context, name);
    return schema->limit_exists != NULL && schema->limit_exists(schema->context, name, &stages);
}

static struct slice declared_name_at(const void *context, const char *kind, size_t n)
{
    const struct rules_schema *schema = context;

    return schema->name_at(schema->context, kind, n);
}

static void keep_first(void *arg, const struct rule_error *error)
{
    struct rule_error *first = arg;

    if (first->text[0] == '\0' && !error->is_warning)
        *first = *error;
}

static bool source_compiles(const struct rules_schema *schema, const struct rule_source *source,
                            const char **where, size_t *offset, char error[200])
{
    static const char *const fields[] = {
        [RULE_NAME] = "name",
        [RULE_WHEN] = "when",
        [RULE_THEN] = "then",
        [RULE_ORDER] = "order",
        [RULE_MODE] = "mode",
        [RULE_STAGE] = "stage",
        [RULE_TROUBLE_FIELD] = "trouble",
    };
    struct rule_error first = { .text = "" };
    struct rule_set *set =
        rule_set_new(schema, source, 1, &(struct rule_errors){ keep_first, &first });
    bool ok = set != NULL && first.text[0] == '\0';

    rule_set_free(&set);
    if (!ok) {
        *where = fields[first.field];
        *offset = first.offset;
        snprintf(error, 200, "%s", first.text[0] == '\0' ? "out of memory" : first.text);
    }
    return ok;
}

static bool rule_compiles(const void *context, struct slice name, struct slice text,
                          const char **where, size_t *offset, char error[200])
{
    struct arena *arena = arena_new(RULE_MEMORY_MAX);
    struct live_rule_error text_error = { 0, "out of memory" };
    struct live_rule rule;
    bool ok = false;

    if (arena != NULL && live_rule_parse(name, text, arena, &rule, &text_error)) {
        ok = source_compiles(context, &rule.source, where, offset, error);
    } else {
        *where = "text";
        *offset = text_error.offset;
        snprintf(error, 200, "%s", text_error.text);
    }
    arena_free(&arena);
    return ok;
}

struct live_names rule_book_names(const struct rules_schema *schema)
{
    return (struct live_names){ name_is_declared, declared_name_at, rule_compiles, schema };
}
