/* tests/unit/gatectl/test_options.c - options, wherever they stand. */
#include "tests/unit/unit.h"

#include "gatectl/options.h"

enum { ARGS_MAX = 20 };

/* A command line in one text, split at blanks. */
static bool parse(char *line, struct options *out, char **argv)
{
    static FILE *nowhere;
    int argc = 0;

    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    for (char *word = line, *next; word != NULL && argc < ARGS_MAX; word = next) {
        next = strchr(word, ' ');
        if (next != NULL)
            *next++ = '\0';
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    return options_parse(argc, argv, out, nowhere);
}

static void takes_options_anywhere(UNUSED void **state)
{
    char line[] = "gatectl limit --json set -u 2d user-hourly default --note why 5/1h -f -s /x";
    char *argv[ARGS_MAX + 8];
    struct options options;

    assert_true(parse(line, &options, argv));
    assert_true(options.json && options.force);
    assert_string_equal("2d", options.until);
    assert_string_equal("/x", options.socket);
    assert_string_equal(GATECTL_CONFIG, options.config);
    assert_false(options.is_config_given);
    assert_int_equal(OPTION_UNTIL | OPTION_FORCE, options.given & ~(unsigned)OPTION_NOTE);
}

static void leaves_arguments_in_order(UNUSED void **state)
{
    char line[] = "gatectl list -c /f add block -- -x --json";
    char *argv[ARGS_MAX + 8];
    struct options options;

    assert_true(parse(line, &options, argv));
    assert_true(options.is_config_given);
    assert_false(options.json);
    assert_int_equal(5, options.arg_count);
    assert_string_equal("list", options.args[0]);
    assert_string_equal("add", options.args[1]);
    assert_string_equal("block", options.args[2]);
    assert_string_equal("-x", options.args[3]);
    assert_string_equal("--json", options.args[4]);
}

static void refuses_what_is_no_option(UNUSED void **state)
{
    static const char *const lines[] = {
        "gatectl --what",       "gatectl -Z",       "gatectl tail -n",  "gatectl top -n 0",
        "gatectl top -n 1001",  "gatectl top -n x", "gatectl --json=1", "gatectl x --older 0",
        "gatectl x --older 7x", "gatectl x -r",
    };

    for (size_t i = 0; i < COUNT(lines); i++) {
        char *argv[ARGS_MAX + 8], *line = strdup(lines[i]);
        struct options options;
        if (parse(line, &options, argv))
            fail_msg("accepted: %s", lines[i]);
        free(line);
    }
}

static void reads_a_count(UNUSED void **state)
{
    char line[] = "gatectl top --count 1000";
    char *argv[ARGS_MAX + 8];
    struct options options;

    assert_true(parse(line, &options, argv));
    assert_int_equal(1000, options.count);
}

static void reads_what_is_looked_for(UNUSED void **state)
{
    char line[] = "gatectl quarantine list -r a@x -S @y --older 7d -F text -a 123 -m -t b@z";
    char *argv[ARGS_MAX + 8];
    struct options options;

    assert_true(parse(line, &options, argv));
    assert_string_equal("a@x", options.recipient);
    assert_string_equal("@y", options.sender);
    assert_int_equal(7 * 86400000, options.older_ms);
    assert_string_equal("text", options.find);
    assert_string_equal("123", options.after);
    assert_string_equal("b@z", options.to);
    assert_true(options.message);
    assert_int_equal(OPTION_RECIPIENT | OPTION_SENDER | OPTION_OLDER | OPTION_FIND | OPTION_AFTER |
                         OPTION_MESSAGE | OPTION_TO,
                     options.given);
}

static void reads_switches(UNUSED void **state)
{
    static const struct {
        const char *line;
        size_t at; /* of the switch in the options */
    } rows[] = {
        { "gatectl x --json", offsetof(struct options, json) },
        { "gatectl x -j", offsetof(struct options, json) },
        { "gatectl x --force", offsetof(struct options, force) },
        { "gatectl x --man", offsetof(struct options, man) },
        { "gatectl x --message", offsetof(struct options, message) },
        { "gatectl x --ed25519", offsetof(struct options, ed25519) },
        { "gatectl x --active", offsetof(struct options, active) },
        { "gatectl x --scan", offsetof(struct options, scan) },
        { "gatectl x --help", offsetof(struct options, help) },
        { "gatectl x -h", offsetof(struct options, help) },
        { "gatectl x --version", offsetof(struct options, version) },
        { "gatectl x -V", offsetof(struct options, version) },
        { "gatectl x -c /f", offsetof(struct options, is_config_given) },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char *argv[ARGS_MAX + 8], *line = strdup(rows[i].line);
        struct options options;
        if (!parse(line, &options, argv))
            fail_msg("refused: %s", rows[i].line);
        for (size_t k = 0; k < COUNT(rows); k++)
            if (*(const bool *)((const char *)&options + rows[k].at) != (rows[k].at == rows[i].at))
                fail_msg("%s: %s", rows[i].line, rows[k].line);
        assert_string_equal(options.is_config_given ? "/f" : GATECTL_CONFIG, options.config);
        free(line);
    }
}

static void an_age_is_a_second_at_least(UNUSED void **state)
{
    char *argv[ARGS_MAX + 8], least[] = "gatectl x --older 1s", less[] = "gatectl x --older 999ms";
    struct options options;

    assert_true(parse(least, &options, argv));
    assert_int_equal(1000, options.older_ms);
    assert_false(parse(less, &options, argv));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_options_anywhere),      cmocka_unit_test(leaves_arguments_in_order),
        cmocka_unit_test(refuses_what_is_no_option),   cmocka_unit_test(reads_a_count),
        cmocka_unit_test(reads_what_is_looked_for),    cmocka_unit_test(reads_switches),
        cmocka_unit_test(an_age_is_a_second_at_least),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
