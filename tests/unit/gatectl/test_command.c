/* tests/unit/gatectl/test_command.c - the table of commands, and what is made from it. */
#include "tests/unit/unit.h"

#include "gatectl/command.h"

static void every_command_is_complete_and_named_once(UNUSED void **state)
{
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];
        if (command->run == NULL || command->doc == NULL || command->least > command->most)
            fail_msg("%s %s", command->noun, command->verb);
        for (size_t n = 0; n < i; n++)
            if (strcmp(commands[n].noun, command->noun) == 0 &&
                (command->verb == NULL || commands[n].verb == NULL ||
                 strcmp(commands[n].verb, command->verb) == 0))
                fail_msg("%s %s is there twice", command->noun, command->verb);
    }
}

static void the_manual_page_has_everything(UNUSED void **state)
{
    AUTO_BUF page = BUF_INIT(1 << 20);

    assert_int_equal(0, command_print_man(&page));
    const char *text = buf_text(&page);
    for (size_t i = 0; i < command_count; i++) {
        AUTO_BUF tag = BUF_INIT(200);
        buf_printf(&tag, ".B \"%s%s%s", commands[i].noun, commands[i].verb == NULL ? "" : " ",
                   commands[i].verb == NULL ? "" : commands[i].verb);
        if (strstr(text, buf_text(&tag)) == NULL)
            fail_msg("%s is missing", buf_text(&tag));
    }
    for (size_t i = 0; option_docs[i].name != NULL; i++) {
        AUTO_BUF tag = BUF_INIT(200);
        buf_printf(&tag, "\\-\\-%s", option_docs[i].name);
        if (strstr(text, buf_text(&tag)) == NULL)
            fail_msg("%s is missing", option_docs[i].name);
    }
    assert_null(strstr(text, "\n'"));
    AUTO_BUF small = BUF_INIT(page.len - 1);
    assert_int_equal(-1, command_print_man(&small));
}

static void every_exit_code_is_documented(UNUSED void **state)
{
    size_t count = 0;

    while (exit_code_docs[count] != NULL)
        count++;
    assert_int_equal(EXIT_FAILED + 1, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_is_complete_and_named_once),
        cmocka_unit_test(the_manual_page_has_everything),
        cmocka_unit_test(every_exit_code_is_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
