/* common/rules/action.c - reads `then`: the name of an action of the schema and what its row says it takes. */
#include "common/base/clock.h"
#include "common/base/units.h"
#include "common/mail/address.h"
#include "common/mail/reply.h"
#include "common/rules/builder.h"

#define SCORE_MOST 1000000.0
enum { LIMITS_MOST = 32 };
#define DURATION_LEAST SECOND
#define DURATION_MOST (30 * DAY)

/* What is left of `then` after the action's name. */
struct argument {
    struct slice text;
    size_t offset; /* in `then` */
};

/* `inside` is a part of the argument's text. */
static size_t offset_of(const struct argument *argument, struct slice inside)
{
    return argument->offset + (size_t)(inside.ptr - argument->text.ptr);
}

static bool read_code(struct builder *builder, struct rule *rule, const struct argument *argument,
                      struct reply *reply)
{
    const struct action_type *type = rule->info.action;
    const char *error;

    if (!reply_parse(argument->text, type->reply_class, reply, &error)) {
        report_error(&builder->report, argument->offset, "%s: %s", type->name, error);
        return false;
    }
    rule->action.code = reply->code;
    if (reply->enhanced.ptr != NULL)
        rule->action.enhanced = arena_copy(builder->set->arena, reply->enhanced);
    return true;
}

static bool read_reply(struct builder *builder, struct rule *rule, const struct argument *argument)
{
    struct reply reply = { .text = argument->text };
    size_t offset = argument->offset;

    if (!read_code(builder, rule, argument, &reply))
        return false;
    const char *default_text = rule->info.action->default_text;
    if (reply.text.len > 0)
        offset = offset_of(argument, reply.text);
    else
        reply.text = slice_of(default_text == NULL ? "" : default_text);
    if (slice_starts_with(reply.text, SLICE("{")) && !slice_starts_with(reply.text, SLICE("{{"))) {
        report_error(
            &builder->report, offset,
            "the text of a reply begins with words, not with a fact: log reports group by it");
        return false;
    }
    return template_compile(builder, reply.text, offset, &rule->text);
}

static bool read_text(struct builder *builder, struct rule *rule, const struct argument *argument)
{
    if (argument->text.len == 0 && rule->info.action->argument == ARG_TEXT) {
        report_error(&builder->report, argument->offset, "%s needs a text",
                     rule->info.action->name);
        return false;
    }
    return template_compile(builder, argument->text, argument->offset, &rule->text);
}

static bool is_header_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_print(name.ptr[i]) || name.ptr[i] == ' ' || name.ptr[i] == ':')
            return false;
    return name.len > 0;
}

static bool read_header(struct builder *builder, struct rule *rule, const struct argument *argument)
{
    struct slice rest = argument->text, name = { NULL, 0 };

    if (!slice_cut(&rest, ':', &name) || !is_header_name(name) || slice_trim(rest).len == 0) {
        report_error(&builder->report, argument->offset, "%s takes a header: \"Name: text\"",
                     rule->info.action->name);
        return false;
    }
    rest = slice_trim(rest);
    rule->action.header = arena_copy(builder->set->arena, name);
    return template_compile(builder, rest, offset_of(argument, rest), &rule->text);
}

static bool read_mailbox(struct builder *builder, struct rule *rule,
                         const struct argument *argument)
{
    struct slice normal;

    if (!template_compile(builder, argument->text, argument->offset, &rule->text))
        return false;
    if (rule->text.count > 0 ||
        (address_normalise_mailbox(argument->text, builder->scratch, &normal) == ADDRESS_NORMAL &&
         address_is_valid_mailbox(normal)))
        return true;
    report_error(&builder->report, argument->offset, "%s takes an address: user@example.com",
                 rule->info.action->name);
    return false;
}

/* Is it a name that the configuration declares? */
static bool check_word(struct builder *builder, const char *kind, struct slice word, size_t offset)
{
    const struct rules_schema *schema = builder->set->schema;
    struct slice name;

    if (kind == NULL || schema->name_at == NULL)
        return true;
    for (size_t n = 0; (name = schema->name_at(schema->context, kind, n)).ptr != NULL; n++)
        if (slice_equal(name, word))
            return true;
    report_error(&builder->report, offset, "there is no %s \"%.*s\"%s", kind,
                 SLICE_ARG(slice_part(word, 0, 60)), declared_hint(schema, kind, word).text);
    return false;
}

static bool read_word(struct builder *builder, struct rule *rule, const struct argument *argument)
{
    struct slice word = argument->text;

    if (word.len == 0) {
        report_error(&builder->report, argument->offset, "%s needs a word",
                     rule->info.action->name);
        return false;
    }
    for (size_t i = 0; i < word.len; i++)
        if (!ascii_is_print(word.ptr[i]) || word.ptr[i] == ' ') {
            report_error(&builder->report, argument->offset + i, "%s takes one word",
                         rule->info.action->name);
            return false;
        }
    if (!check_word(builder, rule->info.action->word_kind, word, argument->offset))
        return false;
    rule->text.constant = arena_copy(builder->set->arena, word);
    return true;
}

static bool read_header_name(struct builder *builder, struct rule *rule,
                             const struct argument *argument)
{
    if (is_header_name(argument->text))
        return read_word(builder, rule, argument);
    report_error(&builder->report, argument->offset,
                 "%s takes the name of a header field, without a colon: X-Spam-Flag",
                 rule->info.action->name);
    return false;
}

static bool check_limit(struct builder *builder, struct slice name, size_t offset, unsigned *stages)
{
    const struct rules_schema *schema = builder->set->schema;

    *stages = STAGE_ALL;
    if (!name_used(builder, RULE_NAMES_LIMIT, name))
        return false;
    if (schema->limit_exists == NULL || schema->limit_exists(schema->context, name, stages))
        return true;
    report_error(&builder->report, offset, "there is no limit \"%.*s\"%s",
                 SLICE_ARG(slice_part(name, 0, 60)), declared_hint(schema, "limit", name).text);
    return false;
}

/* One name of the list: declared, not a second time, and charged where the rule runs (`info.stages` is what `stage` says
 * so far, 0 when it says nothing). */
static bool read_limit(struct builder *builder, struct rule *rule, struct slice name, size_t offset,
                       struct slice *limits)
{
    unsigned stages;
    char words[STAGES_TEXT_MAX + 1];

    if (name.len == 0) {
        report_error(&builder->report, offset, "the name of a limit is missing");
        return false;
    }
    for (size_t i = 0; i < rule->action.limit_count; i++)
        if (slice_equal(limits[i], name)) {
            report_error(&builder->report, offset, "limit %.*s is named twice", SLICE_ARG(name));
            return false;
        }
    if (!check_limit(builder, name, offset, &stages))
        return false;
    if (rule->info.stages != 0 && (rule->info.stages & stages) == 0) {
        stages_print(stages, words);
        report_error(&builder->report, offset,
                     "limit %.*s is charged at %s, where this rule does not run",
                     SLICE_ARG(slice_part(name, 0, 60)), words);
        return false;
    }
    limits[rule->action.limit_count++] = arena_copy(builder->set->arena, name);
    rule->limit_stages |= stages;
    return true;
}

static bool read_limits(struct builder *builder, struct rule *rule, const struct argument *argument)
{
    struct slice rest = argument->text, name = { NULL, 0 };
    struct slice *limits = arena_alloc_array(builder->set->arena, LIMITS_MOST, sizeof *limits);
    bool ok = true;

    if (limits == NULL) {
        report_no_memory(&builder->report);
        return false;
    }
    rule->action.limits = limits;
    while (slice_next(&rest, ',', &name)) {
        size_t offset = offset_of(argument, name);
        if (rule->action.limit_count == LIMITS_MOST) {
            report_error(&builder->report, offset, "more than %d limits", (int)LIMITS_MOST);
            return false;
        }
        ok = read_limit(builder, rule, name, offset, limits) && ok;
    }
    return ok;
}

static bool read_duration(struct builder *builder, struct rule *rule,
                          const struct argument *argument)
{
    const char *error;

    if (argument->text.len == 0)
        error = "the time is missing, for example 5m";
    else if (units_parse_time(argument->text, &rule->action.duration_ms, &error)) {
        if (rule->action.duration_ms >= DURATION_LEAST && rule->action.duration_ms <= DURATION_MOST)
            return true;
        error = "the time must be from 1s to 30d";
    }
    report_error(&builder->report, argument->offset, "%s: %s", rule->info.action->name, error);
    return false;
}

static bool read_number(struct builder *builder, struct rule *rule, const struct argument *argument)
{
    double number;

    if (slice_to_double(argument->text, &number) && number <= SCORE_MOST && number >= -SCORE_MOST) {
        rule->action.number = number;
        return true;
    }
    report_error(&builder->report, argument->offset, "%s takes a number such as +2 or -1.5",
                 rule->info.action->name);
    return false;
}

static bool read_none(struct builder *builder, struct rule *rule, const struct argument *argument)
{
    if (argument->text.len == 0)
        return true;
    report_error(&builder->report, argument->offset, "%s takes nothing after it",
                 rule->info.action->name);
    return false;
}

static bool (*const readers[])(struct builder *builder, struct rule *rule,
                               const struct argument *argument) = {
    [ARG_NONE] = read_none,
    [ARG_REPLY] = read_reply,
    [ARG_TEXT] = read_text,
    [ARG_OPT_TEXT] = read_text,
    [ARG_HEADER] = read_header,
    [ARG_MAILBOX] = read_mailbox,
    [ARG_WORD] = read_word,
    [ARG_LIMITS] = read_limits,
    [ARG_DURATION] = read_duration,
    [ARG_NUMBER] = read_number,
    [ARG_HEADER_NAME] = read_header_name,
};

static const struct action_type *action_find(struct builder *builder, struct slice name,
                                             size_t offset)
{
    const struct rules_schema *schema = builder->set->schema;
    struct suggest suggest = suggest_for(name);

    for (size_t i = 0; i < schema->action_count; i++) {
        if (slice_equal(slice_of(schema->actions[i].name), name))
            return &schema->actions[i];
        suggest_offer(&suggest, slice_of(schema->actions[i].name));
    }
    report_error(&builder->report, offset, "there is no action \"%.*s\"%s",
                 SLICE_ARG(slice_part(name, 0, 60)), hint_of(&suggest).text);
    return NULL;
}

bool action_compile(struct builder *builder, struct rule *rule)
{
    struct slice then = rule->info.then, name = slice_trim(then);

    if (name.len == 0) {
        report_error(&builder->report, 0, "\"then\" is missing: what is the rule to do?");
        return false;
    }
    struct slice trimmed = name;
    for (name.len = 0; name.len < trimmed.len && !ascii_is_space(trimmed.ptr[name.len]);)
        name.len++;
    const struct action_type *type = action_find(builder, name, (size_t)(name.ptr - then.ptr));
    if (type == NULL)
        return false;
    struct argument argument = { .text = slice_trim(slice_skip(trimmed, name.len)) };
    argument.offset = (size_t)(argument.text.ptr - then.ptr);
    rule->info.action = rule->action.type = type;
    if (!readers[type->argument](builder, rule, &argument))
        return false;
    rule->action.text = rule->text.constant;
    return !builder->report.no_memory;
}

struct reply action_reply(const struct action *action, unsigned code, const char *enhanced)
{
    return (struct reply){ .code = action->code != 0 ? action->code : code,
                           .enhanced =
                               action->enhanced.len > 0 ? action->enhanced : slice_of(enhanced),
                           .text = action->text };
}
