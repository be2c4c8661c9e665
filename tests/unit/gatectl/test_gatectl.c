/* tests/unit/gatectl/test_gatectl.c - whole command lines against a control socket: output and exit codes. */
#include "tests/unit/control/control_server.h"

#include "gatectl/gatectl.h"

static struct control_server server;

static int setup(UNUSED void **state)
{
    control_server_start(&server);
    return 0;
}

static int teardown(UNUSED void **state)
{
    control_server_stop(&server);
    return 0;
}

enum { ARGS_MAX = 20 };

/* Runs a command line whose arguments are separated by `|`; both outputs in *text, freed by the caller. */
static int run(char *socket, const char *line, char **text)
{
    static char name[] = "gatectl", option[] = "-s";
    char *copy = strdup(line), *argv[ARGS_MAX + 4] = { name, option, socket };
    size_t size = 0;
    int argc = 3;
    FILE *out = open_memstream(text, &size);

    for (char *word = copy, *next; word != NULL && argc < ARGS_MAX; word = next) {
        next = strchr(word, '|');
        if (next != NULL)
            *next++ = '\0';
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    int code = gatectl_main(argc, argv, &control_case_clock, out, out);
    fclose(out);
    free(copy);
    return code;
}

static void expect(const char *line, int want_code, const char *want)
{
    char *text = NULL;
    int code = run(server.socket, line, &text);

    if (code != want_code || strstr(text, want) == NULL)
        fail_msg("%s\nwant %d: %s\ngot  %d: %s", line, want_code, want, code, text);
    free(text);
}

static void changes_and_shows_a_limit(UNUSED void **state)
{
    expect("limit|list", EXIT_DONE, "user-hourly   sasl_username");
    expect("limit|set|user-hourly|user:Alice@example.com|500/1h|--until|2d|--note|newsletter",
           EXIT_DONE, "");
    expect("limit|get|user-hourly", EXIT_DONE, "user:alice@example.com  500/1h (live)");
    expect("limit|get|user-hourly", EXIT_DONE, "(2d)");
    expect("limit|get|user-hourly|class:gold", EXIT_DONE, "unlimited (file)");
    expect("limit|get|user-hourly|class:silver", EXIT_NOTHING, "no rate for this field");
    expect("limit|get|user-hourly|default|--json", EXIT_DONE, "\"value\": \"200/1h\"");
    expect("show|user|alice@example.com", EXIT_DONE, "user:alice@example.com (live)");
    expect("limit|unset|user-hourly|user:ALICE@example.com", EXIT_DONE, "");
    expect("limit|unset|user-hourly|user:alice@example.com", EXIT_NOTHING, "is not there");
    expect("limit|reset|user-hourly|alice@example.com", EXIT_NOTHING, "nothing is counted");
    expect("limit|reset|nothing|alice@example.com", EXIT_NOTHING, "no limit");
}

static void changes_and_shows_lists_maps_and_classes(UNUSED void **state)
{
    expect("list|add|block|Example.com|192.0.2.0/24|--note|a note", EXIT_DONE, "");
    expect("list|show|block", EXIT_DONE, "192.0.2.0/24");
    expect("list|rm|block|192.0.2.0/24|10.0.0.0/8", EXIT_NOTHING, "10.0.0.0/8 is not there");
    expect("list|show|block|--json", EXIT_DONE, "\"name\": \"example.com\"");
    expect("list|add|block|x.example|y.example|--json", EXIT_DONE, "\"changes\": [");
    expect("map|set|owners|Sales@example.com|alice|bob", EXIT_DONE, "");
    expect("map|show|owners", EXIT_DONE, "sales@example.com  alice, bob");
    expect("map|rm|owners|sales@example.com", EXIT_DONE, "");
    expect("class|set|@Shop.example|silver", EXIT_DONE, "");
    expect("class|list", EXIT_DONE, "@shop.example  silver");
    expect("class|unset|@shop.example", EXIT_DONE, "");
    expect("class|list|--json", EXIT_DONE, "\"members\": []");
}

static void refuses_with_the_place_of_the_mistake(UNUSED void **state)
{
    expect("limit|set|user-hourly|user:a b|5/1h", EXIT_REFUSED, "  user:a b\n        ^");
    expect("limit|set|user-hourly|default|5", EXIT_REFUSED, "gatectl: ");
    expect("limit|set|nothing|default|5/1h", EXIT_REFUSED, "--force");
    expect("limit|set|nothing|default|5/1h|--force", EXIT_DONE, "");
    expect("list|add|block|192.0.2.1/24|x.example", EXIT_REFUSED, "192.0.2.0/24");
    expect("list|show|block", EXIT_DONE, "x.example");
    expect("rule|set|a b|order=1|then=accept", EXIT_REFUSED, "name");
    expect("rule|set|a|then=accept|mode=shadow", EXIT_REFUSED, "order=");
}

static void a_mistyped_name_is_not_shown_as_empty(UNUSED void **state)
{
    expect("list|show|blok", EXIT_NOTHING, "no list \"blok\" in the configuration");
    expect("map|show|owner", EXIT_NOTHING, "no map \"owner\" in the configuration");
    expect("list|show|blok/bob@example.com", EXIT_NOTHING, "no list \"blok\"");
    expect("top|user-hurly", EXIT_NOTHING, "no limit \"user-hurly\"");
    expect("limit|reset|user-hourly", EXIT_REFUSED, "user-hourly counts each value of its key");
    expect("list|add|was-there|x.example|--force", EXIT_DONE, "");
    expect("list|show|was-there", EXIT_DONE, "x.example");
}

static void escapes_what_comes_from_elsewhere(UNUSED void **state)
{
    struct store *store = store_memory_open(server.memory);
    struct store_write write = { .key = SLICE("class"),
                                 .field = SLICE("evil\x1b[2J"),
                                 .text = SLICE("gold") };

    assert_true(store_write(store, &write));
    store_log(store, SLICE("decision queue_id=4XY ref=abcdef reason=\"\x1b]0;x\""));
    store_free(&store);
    expect("class|list", EXIT_DONE, "evil\\x1b[2J");
    expect("why|abcdef", EXIT_DONE, "\\x1b]0;x");
}

static void finds_a_decision(UNUSED void **state)
{
    struct store *store = store_memory_open(server.memory);

    store_log(store, SLICE("decision queue_id=4XY sender=<abcdef@x> ref=qqqqqq"));
    store_log(store, SLICE("decision queue_id=4XZ sender=<> ref=abcdef"));
    store_free(&store);
    expect("why|abcdef", EXIT_DONE, "queue_id          4XZ");
    expect("why|4XY|--json", EXIT_DONE, "ref=qqqqqq");
    expect("why|zzzzzz", EXIT_NOTHING, "no decision");
    expect("why|sender", EXIT_NOTHING, "no decision");
}

static void wrong_command_lines_are_usage(UNUSED void **state)
{
    expect("limti|list", EXIT_USAGE, "did you mean \"limit\"?");
    expect("limit|sett|a|b|c", EXIT_USAGE, "did you mean \"set\"?");
    expect("limit|set|user-hourly", EXIT_USAGE, "usage: gatectl limit set LIMIT FIELD RATE");
    expect("limit", EXIT_USAGE, "gatectl limit list");
    expect("limit|list|--until|2d", EXIT_USAGE, "--until means nothing here");
    expect("limit|set|user-hourly|default|5/1h|--until|yesterday", EXIT_USAGE, "is expected");
    expect("rule|set|a|what=1|then=accept", EXIT_USAGE, "not one of");
    expect("explain|novalue", EXIT_USAGE, "ATTRIBUTE=VALUE");
    expect("explain", EXIT_USAGE, "ATTRIBUTE=VALUE");
    expect("explain|--daemon|contend|a=b", EXIT_USAGE, "--daemon is policyd, contentd or signd");
    expect("explain|--scan|a=b", EXIT_USAGE, "only contentd has scanners");
    expect("explain|--daemon|contentd|novalue", EXIT_USAGE, "ATTRIBUTE=VALUE");
    expect("--nothing", EXIT_USAGE, "no option");
    expect("limit|set|user-hourly||5/1h", EXIT_USAGE, "an argument is empty");
    expect("list|add|block||x.example", EXIT_USAGE, "an argument is empty");
    expect("why|", EXIT_USAGE, "usage: gatectl why REFERENCE");
    expect("help|limti", EXIT_USAGE, "did you mean \"limit\"?");
    expect("limti|--help", EXIT_USAGE, "did you mean \"limit\"?");
}

static void says_what_it_is(UNUSED void **state)
{
    expect("--version", EXIT_DONE, "Gatehouse");
    expect("--help", EXIT_DONE, "Exit codes:");
    expect("help|limit", EXIT_DONE, "gatectl limit set LIMIT FIELD RATE [--until WHEN]");
    expect("status", EXIT_DONE, "kind=memory");
    expect("top", EXIT_DONE, "");
    expect("status|--json", EXIT_DONE, "\"kind\": \"memory\"");
}

static void needs_a_daemon_or_a_store(UNUSED void **state)
{
    static char nowhere[] = "/nonexistent/socket";
    char *text = NULL;

    assert_int_equal(EXIT_UNREACHABLE, run(nowhere, "status", &text));
    assert_non_null(strstr(text, "/nonexistent/socket: No such file or directory"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(changes_and_shows_a_limit),
        TEST(changes_and_shows_lists_maps_and_classes),
        TEST(refuses_with_the_place_of_the_mistake),
        TEST(a_mistyped_name_is_not_shown_as_empty),
        TEST(escapes_what_comes_from_elsewhere),
        TEST(finds_a_decision),
        TEST(wrong_command_lines_are_usage),
        TEST(says_what_it_is),
        TEST(needs_a_daemon_or_a_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
