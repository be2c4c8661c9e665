/* gatectl/rule.c - gatectl rule: the rules in force, and rules added live. */
#include "common/live/rule_text.h"
#include "common/live/tail.h"
#include "gatectl/command.h"
#include "gatectl/live.h"
#include "gatectl/output.h"

/* ---- list ---- */

static void put_rule(struct text_table *table, const json_t *rule, UNUSED void *arg)
{
    static const char *const members[] = { "order",   "name", "mode", "origin",
                                           "matches", "when", "then" };

    for (size_t n = 0; n < COUNT(members); n++)
        text_table_cell_json(table, json_object_get(rule, members[n]));
}

static int print_rules(struct gatectl *ctl, const json_t *rules)
{
    static const struct column columns[] = {
        { "ORDER", true },   { "RULE", false }, { "MODE", false }, { "FROM", false },
        { "MATCHES", true }, { "WHEN", false }, { "THEN", false },
    };

    return output_table(ctl->out, columns, COUNT(columns), rules, put_rule, NULL) ? EXIT_DONE
                                                                                  : EXIT_FAILED;
}

static json_t *text_or_null(struct slice text)
{
    return text.ptr == NULL ? json_null() : control_text(text);
}

/* Rules of the file are not known without the daemon: those in the store, as they stand there. */
static json_t *live_rule_row(struct slice name, struct slice text)
{
    struct arena *arena = arena_new(1 << 16);
    struct live_rule rule = { .until_s = 0 };
    struct live_rule_error error = { 0, NULL };
    json_t *row = NULL;

    if (arena != NULL && live_rule_parse(name, text, arena, &rule, &error))
        row = json_pack("{s:o, s:o, s:o, s:s, s:n, s:o, s:o}", "name", control_text(name), "order",
                        text_or_null(rule.source.order), "mode",
                        rule.source.mode.ptr == NULL ? json_string("enforce")
                                                     : control_text(rule.source.mode),
                        "origin", "live", "matches", "when", text_or_null(rule.source.when), "then",
                        text_or_null(rule.source.then));
    else
        row = json_pack("{s:o, s:n, s:s, s:s, s:n, s:n, s:o}", "name", control_text(name), "order",
                        "mode", "invalid", "origin", "live", "matches", "when", "then",
                        control_text(text));
    arena_free(&arena);
    return row;
}

static int ask_live_rules(struct gatectl *ctl, json_t **answer)
{
    const struct ask ask = { .method = CONTROL_GET, .segments = { "live", "rule" } };
    json_t *live = NULL, *rules = json_array(), *text;
    const char *name;
    int code = gatectl_ask(ctl, &ask, &live);

    json_object_foreach (json_object_get(live, "fields"), name, text)
        json_array_append_new(rules,
                              live_rule_row(slice_of(name), slice_of(json_string_value(text))));
    json_decref(live);
    *answer = json_pack("{s:o}", "rules", rules);
    return code;
}

int cmd_rule_list(struct gatectl *ctl, UNUSED char **args, UNUSED size_t count)
{
    const struct ask ask = { .method = CONTROL_GET, .segments = { "rules" } };
    json_t *answer = NULL;
    int code = gatectl_ask_quiet(ctl, &ask, 501, &answer);

    if (code == EXIT_NOTHING) {
        gatectl_error(ctl, "the rules of the file are the daemon's to tell: only live ones follow");
        code = ask_live_rules(ctl, &answer);
    }
    if (code == EXIT_DONE && ctl->options.json)
        output_json(ctl->out, answer);
    else if (code == EXIT_DONE)
        code = print_rules(ctl, json_object_get(answer, "rules"));
    json_decref(answer);
    return code;
}

/* ---- set, unset ---- */

static const struct {
    const char *name;
    size_t member; /* offset of a struct slice in struct rule_source */
} words[] = {
    { "order", offsetof(struct rule_source, order) },
    { "when", offsetof(struct rule_source, when) },
    { "then", offsetof(struct rule_source, then) },
    { "mode", offsetof(struct rule_source, mode) },
    { "stage", offsetof(struct rule_source, stage) },
    { "trouble", offsetof(struct rule_source, trouble) },
};

/* Takes one NAME=VALUE. */
static bool take_word(struct gatectl *ctl, struct rule_source *source, const char *arg)
{
    struct slice value = slice_of(arg), name;

    if (!slice_cut(&value, '=', &name)) {
        gatectl_error(ctl, "\"%s\": NAME=VALUE is expected", arg);
        return false;
    }
    for (size_t i = 0; i < COUNT(words); i++) {
        if (!slice_equal(slice_trim(name), slice_of(words[i].name)))
            continue;
        struct slice *slot = (struct slice *)(void *)((char *)source + words[i].member);
        if (slot->ptr != NULL) {
            gatectl_error(ctl, "%s= is given twice", words[i].name);
            return false;
        }
        *slot = slice_trim(value);
        return true;
    }
    gatectl_error(ctl, "\"%.*s\" is not one of order, when, then, mode, stage, trouble",
                  SLICE_ARG(name));
    return false;
}

int cmd_rule_set(struct gatectl *ctl, char **args, size_t count)
{
    struct live_rule rule = { .source = { .name = slice_of(args[0]) } };
    struct live_tail tail = { .until_s = 0 };
    AUTO_BUF text = BUF_INIT(LIVE_RULE_TEXT_MAX + 1);

    for (size_t i = 1; i < count; i++)
        if (!take_word(ctl, &rule.source, args[i]))
            return EXIT_USAGE;
    if (!gatectl_tail(ctl, &tail))
        return EXIT_USAGE;
    rule.until_s = tail.until_s;
    rule.by = tail.by;
    if (tail.note.len > 0)
        rule.note = tail.note;
    if (live_rule_print(&text, &rule)) {
        gatectl_error(ctl, "the rule is too long");
        return EXIT_REFUSED;
    }
    return live_set_text(ctl, "rule", args[0], slice_of(buf_text(&text)));
}

int cmd_rule_unset(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    return live_unset(ctl, "rule", args[0]);
}
