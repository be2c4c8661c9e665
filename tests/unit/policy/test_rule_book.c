/* tests/unit/policy/test_rule_book.c - rules of the file and live ones together: who hears of which mistake, shadow mode,
 * counts, and judging a live rule before it is stored. */
#include "tests/unit/policy/policy_case.h"

#include "common/observe/log.h"

#include <unistd.h>

static struct policy_case loaded;
static struct rule_book book;
static char log_path[] = "/tmp/gatehouse-log-XXXXXX";

static int unload(UNUSED void **state)
{
    rule_book_free(&book);
    case_unload(&loaded);
    return 0;
}

/* A core with one live rule, as the poller makes it. */
static void add_live(struct policy_core *core, const char *name, const char *when, size_t count)
{
    struct live_rules *rules = calloc(1, sizeof *rules);

    rules->arena = arena_new(1 << 16);
    rules->sources = arena_alloc_array(rules->arena, count, sizeof *rules->sources);
    for (; rules->count < count; rules->count++)
        rules->sources[rules->count] = (struct rule_source){ .name = slice_of(name),
                                                             .when = slice_of(when),
                                                             .then = SLICE("reject Live"),
                                                             .order = SLICE("10"),
                                                             .is_live = true };
    core->live_rules = shared_new(rules, live_rules_free);
}

static bool make(bool live_are_new)
{
    return rule_book_make(&book, &loaded.schema, &loaded.core,
                          &(struct rule_hearers){ NULL, live_are_new });
}

static void log_begin(void)
{
    close(mkstemp(log_path));
    assert_int_equal(0, log_open(&(struct log_settings){ .identity = "test",
                                                         .target = LOG_TO_FILE,
                                                         .path = slice_of(log_path),
                                                         .level = LOG_LEVEL_INFO },
                                 NULL));
}

/* What has been logged since log_begin(); the buffer is the caller's. */
static void log_end(char *text, size_t size)
{
    log_close();
    FILE *file = fopen(log_path, "r");
    size_t len = fread(text, 1, size - 1, file);
    text[len] = '\0';
    fclose(file);
    unlink(log_path);
    memcpy(log_path + sizeof log_path - 7, "XXXXXX", 6); /* for the next mkstemp() */
}

static size_t lines_with(const char *text, const char *part)
{
    size_t count = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

static void says_where_a_mistake_is(UNUSED void **state)
{
    case_load_with(&loaded,
                   "[list l]\n[rule r]\nwhen = sendr is set\nthen = accept\n"
                   "[rule s]\nwhen = sender in list:k\nthen = rejct\n",
                   CONF_ENFORCE, NULL, &book);
    assert_string_equal("t.conf:3:8: there is no fact \"sendr\"; did you mean \"sender\"?\n"
                        "t.conf:6:23: there is no list \"k\"; did you mean \"l\"?\n"
                        "t.conf:7:8: there is no action \"rejct\"; did you mean \"reject\"?\n",
                        buf_text(&loaded.errors));
    assert_int_equal(2, book.left_out);
}

static void live_rules_come_beside_those_of_the_file(UNUSED void **state)
{
    case_load(&loaded, "[rule r]\nthen = accept\n");
    add_live(&loaded.core, "urgent", "sender = x@example.com", 1);
    assert_true(make(true));
    assert_int_equal(2, rule_set_count(book.rules));
    assert_slice("urgent", rule_set_info(book.rules, 0).name);
    assert_true(rule_set_info(book.rules, 0).is_live);
    assert_int_equal(0, book.left_out);
}

static void in_shadow_mode_all_rules_are(UNUSED void **state)
{
    case_load_with(&loaded, "[rule r]\nmode = enforce\nthen = accept\n", CONF_SHADOW, NULL, NULL);
    add_live(&loaded.core, "urgent", "", 1);
    assert_true(make(true));
    assert_int_equal(RULE_SHADOW, rule_set_info(book.rules, 0).mode);
    assert_int_equal(RULE_SHADOW, rule_set_info(book.rules, 1).mode);
}

static void bad_live_rules_are_left_out_and_named_once(UNUSED void **state)
{
    char text[4096];

    case_load(&loaded, "[rule r]\nthen = accept\n");
    add_live(&loaded.core, "urgent", "sendr is set", 12);
    log_begin();
    assert_true(make(true));
    assert_int_equal(1, rule_set_count(book.rules));
    assert_int_equal(12, book.left_out);
    rule_book_free(&book);
    assert_true(make(false)); /* a list has changed: the same rules again */
    log_end(text, sizeof text);
    assert_int_equal(10, lines_with(text, "the live rule urgent is left out: there is no fact"));
    assert_int_equal(1, lines_with(text, "2 more mistakes in live rules"));
}

static void mistakes_of_a_judged_file_are_not_told_again(UNUSED void **state)
{
    char text[4096];

    case_load(&loaded, "[rule r]\nwhen = sendr is set\nthen = accept\n");
    log_begin();
    assert_true(make(true));
    log_end(text, sizeof text);
    assert_string_equal("", text);
}

static void counts_what_acted(UNUSED void **state)
{
    struct action actions[] = { { .rule = 0 }, { .rule = 1 }, { .rule = 2 } };
    const struct verdict verdict = { .continuing = &actions[0],
                                     .continuing_count = 1,
                                     .shadow = &actions[1],
                                     .shadow_count = 1,
                                     .final = &actions[2] };

    case_load_with(&loaded,
                   "[rule a]\nthen = score +1\n[rule b]\nmode = shadow\nthen = accept\n"
                   "[rule c]\nthen = accept\n",
                   CONF_ENFORCE, NULL, &book);
    assert_string_equal("", buf_text(&loaded.errors));
    rule_book_count(&book, &verdict);
    rule_book_count(&book, &verdict);
    static const uint64_t matches[] = { 2, 0, 2 }, shadow[] = { 0, 2, 0 };
    for (size_t i = 0; i < COUNT(matches); i++) {
        assert_int_equal(matches[i], metric_read(book.matches[i]));
        assert_int_equal(shadow[i], metric_read(book.shadow_matches[i]));
    }
}

static const struct {
    const char *text, *where, *error; /* NULL: it is right */
    size_t offset;
} judged[] = {
    { "order=10 then=accept", NULL, NULL, 0 },
    { "order=10 when=\"sender in list:l\" then=accept", NULL, NULL, 0 },
    { "order=10 when=\"sendr is set\" then=accept", "when",
      "there is no fact \"sendr\"; did you mean \"sender\"?", 0 },
    { "order=10 when=\"sender in list:k\" then=accept", "when",
      "there is no list \"k\"; did you mean \"l\"?", 15 },
    { "order=10 then=rejct", "then", "there is no action \"rejct\"; did you mean \"reject\"?", 0 },
};

static void judges_a_live_rule(UNUSED void **state)
{
    case_load(&loaded, "[list l]\n[map m]\n");
    struct live_names names = rule_book_names(&loaded.schema);
    for (size_t i = 0; i < COUNT(judged); i++) {
        const char *where = NULL;
        size_t offset = 0;
        char error[200] = "";
        bool ok = names.rule_compiles(names.context, SLICE("r"), slice_of(judged[i].text), &where,
                                      &offset, error);
        if (ok != (judged[i].where == NULL) ||
            (!ok && (strcmp(where, judged[i].where) != 0 || strcmp(error, judged[i].error) != 0 ||
                     offset != judged[i].offset)))
            fail_msg("%s: %s %zu %s", judged[i].text, where, offset, error);
    }
    const char *where;
    size_t offset;
    char error[200];
    assert_false(
        names.rule_compiles(names.context, SLICE("r"), SLICE("when="), &where, &offset, error));
    assert_string_equal("text", where);
}

static void knows_declared_names(UNUSED void **state)
{
    case_load(&loaded, "[list l]\n[map m]\n");
    struct live_names names = rule_book_names(&loaded.schema);
    assert_true(names.is_declared(names.context, "list", SLICE("l")));
    assert_false(names.is_declared(names.context, "list", SLICE("m")));
    assert_true(names.is_declared(names.context, "map", SLICE("m")));
    assert_slice("l", names.name_at(names.context, "list", 0));
    loaded.schema.limit_exists = NULL; /* a daemon without limits */
    assert_false(names.is_declared(names.context, "limit", SLICE("hourly")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(says_where_a_mistake_is, unload),
        cmocka_unit_test_teardown(live_rules_come_beside_those_of_the_file, unload),
        cmocka_unit_test_teardown(in_shadow_mode_all_rules_are, unload),
        cmocka_unit_test_teardown(bad_live_rules_are_left_out_and_named_once, unload),
        cmocka_unit_test_teardown(mistakes_of_a_judged_file_are_not_told_again, unload),
        cmocka_unit_test_teardown(counts_what_acted, unload),
        cmocka_unit_test_teardown(judges_a_live_rule, unload),
        cmocka_unit_test_teardown(knows_declared_names, unload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
