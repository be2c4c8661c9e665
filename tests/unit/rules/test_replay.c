/* Replays the files in tests/replay; what they look like is said in tests/replay/README. */
#include "common/rules/rules.h"

#include <glob.h>

#include "common/base/fd.h"
#include "tests/fakes/fake_rules.h"
#include "tests/unit/unit.h"

enum { RULES_MOST = 64, FILE_MOST = 1 << 20, WANT_MOST = 4000 };

/* One file being read: its rules are collected first, then every request is decided as it ends. */
struct replay {
    const char *path;
    struct rule_source rules[RULES_MOST];
    size_t rule_count;
    struct rule_set *set;
    struct fake_facts facts;
    struct slice what; /* the request under way; absent: none */
    enum stage stage;
    struct buf want;
    size_t requests;
};

static struct slice read_file(const char *path, struct buf *out)
{
    if (fd_read_file(path, out) != 0)
        fail_msg("%s cannot be read", path);
    return buf_slice(out);
}

static void set_rule(struct rule_source *rule, struct slice name, struct slice text)
{
    const struct {
        const char *name;
        struct slice *field;
    } fields[] = {
        { "when", &rule->when }, { "then", &rule->then },       { "order", &rule->order },
        { "mode", &rule->mode }, { "trouble", &rule->trouble }, { "stage", &rule->stage },
    };

    for (size_t i = 0; i < COUNT(fields); i++)
        if (slice_equal(name, slice_of(fields[i].name))) {
            *fields[i].field = text;
            return;
        }
    fail_msg("a rule has no %.*s", SLICE_ARG(name));
}

static enum stage stage_of(struct slice word)
{
    static const struct {
        const char *word;
        enum stage stage;
    } stages[] = {
        { "connect", STAGE_CONNECT }, { "helo", STAGE_HELO },
        { "mail", STAGE_MAIL },       { "rcpt", STAGE_RCPT },
        { "data", STAGE_DATA },       { "data-many", STAGE_DATA_MANY },
        { "end", STAGE_END },         { "end-many", STAGE_END_MANY },
        { "other", STAGE_OTHER },
    };

    for (size_t i = 0; i < COUNT(stages); i++)
        if (slice_equal(word, slice_of(stages[i].word)))
            return stages[i].stage;
    fail_msg("no stage %.*s", SLICE_ARG(word));
    return STAGE_OTHER;
}

static void put_action(struct buf *out, const struct rule_set *set, const char *mark,
                       const struct action *action)
{
    buf_printf(out, "%s%.*s: %s", mark, SLICE_ARG(rule_set_info(set, action->rule).name),
               action->type->name);
    if (action->code != 0)
        buf_printf(out, " %u", action->code);
    if (action->enhanced.len > 0)
        buf_printf(out, " %.*s", SLICE_ARG(action->enhanced));
    if (action->header.len > 0)
        buf_printf(out, " %.*s:", SLICE_ARG(action->header));
    if (action->text.len > 0)
        buf_printf(out, " %.*s", SLICE_ARG(action->text));
    for (size_t i = 0; i < action->limit_count; i++)
        buf_printf(out, "%s %.*s", i > 0 ? "," : "", SLICE_ARG(action->limits[i]));
    if (action->type->argument == ARG_NUMBER)
        buf_printf(out, " %g", action->number);
    if (action->type->argument == ARG_DURATION)
        buf_printf(out, " %llu", (unsigned long long)action->duration_ms);
    buf_put_char(out, '\n');
}

static void put_verdict(struct buf *out, const struct rule_set *set, const struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->continuing_count; i++)
        put_action(out, set, "+ ", &verdict->continuing[i]);
    for (size_t i = 0; i < verdict->shadow_count; i++)
        put_action(out, set, "~ ", &verdict->shadow[i]);
    for (size_t i = 0; i < verdict->troubled_count; i++)
        buf_printf(out, "? %.*s\n", SLICE_ARG(rule_set_info(set, verdict->troubled[i]).name));
    if (verdict->final == NULL)
        buf_put(out, "none\n");
    else
        put_action(out, set, "", verdict->final);
}

static void decide(struct replay *replay)
{
    AUTO_BUF got = BUF_INIT(WANT_MOST);
    struct verdict verdict;

    if (replay->what.ptr == NULL)
        return;
    struct arena *arena = arena_new(1 << 20);
    assert_int_equal(EVAL_DONE, rules_eval(replay->set, replay->stage, &replay->facts.source, arena,
                                           &verdict, NULL));
    put_verdict(&got, replay->set, &verdict);
    if (!slice_equal(buf_slice(&got), buf_slice(&replay->want)))
        fail_msg("%s: %.*s: got\n%s", replay->path, SLICE_ARG(replay->what), buf_text(&got));
    arena_free(&arena);
    replay->requests++;
}

/* A line of a rule (first reading) or of a request (second reading). */
static void read_setting(struct replay *replay, struct slice line, bool in_rule)
{
    struct slice name = { NULL, 0 };

    if (slice_starts_with(line, SLICE("=> "))) {
        buf_add(&replay->want, slice_skip(line, 3));
        buf_put_char(&replay->want, '\n');
        return;
    }
    if (!slice_cut(&line, '=', &name))
        fail_msg("%s: %.*s", replay->path, SLICE_ARG(line));
    name = slice_trim(name);
    line = slice_trim(line);
    if (in_rule)
        set_rule(&replay->rules[replay->rule_count - 1], name, line);
    else if (slice_equal(name, SLICE("stage")))
        replay->stage = stage_of(line);
    else
        fake_facts_set_slices(&replay->facts, name, line);
}

static void begin_rule(struct replay *replay, struct slice name)
{
    assert_true(replay->rule_count < RULES_MOST);
    replay->rules[replay->rule_count++] = (struct rule_source){ .name = name };
}

static void begin_request(struct replay *replay, struct slice what)
{
    decide(replay);
    buf_clear(&replay->want);
    fake_facts_init(&replay->facts, replay->set);
    replay->what = what;
}

/* The first time for the rules, the second for the requests. */
static void read_lines(struct replay *replay, struct slice text, bool for_rules)
{
    struct slice line = { NULL, 0 };
    bool in_rule = true;

    while (slice_next(&text, '\n', &line)) {
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (line.ptr[0] != '[') {
            if (in_rule == for_rules)
                read_setting(replay, line, for_rules);
            continue;
        }
        in_rule = slice_starts_with(line, SLICE("[rule "));
        if (in_rule && for_rules)
            begin_rule(replay, slice_part(line, 6, line.len - 7));
        if (!in_rule && !for_rules)
            begin_request(replay, slice_part(line, 9, line.len - 10));
    }
}

static void replay_file(const char *path)
{
    AUTO_BUF file = BUF_INIT(FILE_MOST);
    struct replay replay = { .path = path, .want = BUF_INIT(WANT_MOST) };
    struct slice text = read_file(path, &file);
    struct fake_errors errors;

    read_lines(&replay, text, true);
    fake_errors_init(&errors);
    replay.set = rule_set_new(&fake_schema, replay.rules, replay.rule_count, &errors.errors);
    if (errors.count > 0)
        fail_msg("%s: rule %zu: %s", path, errors.first.rule, errors.first.text);
    read_lines(&replay, text, false);
    decide(&replay);
    assert_true(replay.requests > 0);
    rule_set_free(&replay.set);
    buf_free(&replay.want);
}

static void gives_the_recorded_verdicts(UNUSED void **state)
{
    glob_t files;

    assert_int_equal(0,
                     glob("tests/replay/*.txt", 0, NULL, &files)); /* run at the top of the tree */
    for (size_t i = 0; i < files.gl_pathc; i++)
        replay_file(files.gl_pathv[i]);
    globfree(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_recorded_verdicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
