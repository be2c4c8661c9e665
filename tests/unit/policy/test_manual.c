/* tests/unit/policy/test_manual.c - how facts and actions are shown in the manual pages and by -d. */
#include "tests/unit/unit.h"

#include "common/policy/manual.h"

static const char *const colours[] = { "red", "green", "blue", NULL };

/* clang-format off */
static const struct fact_type facts[] = {
    { "sender", VALUE_MAILBOX, STAGE_MAIL | STAGE_RCPT | STAGES_DATA | STAGES_END, .doc = "Who." },
    { "colour", VALUE_WORD, STAGE_ALL, colours, .doc = "Which." },
    { "everywhere", VALUE_BOOLEAN, STAGE_ALL & ~(unsigned)STAGE_OTHER, .doc = "Whether." },
    { "helo", VALUE_DOMAIN, STAGE_ALL & ~(unsigned)STAGE_CONNECT, .doc = "What." },
    { "size", VALUE_NUMBER, STAGES_END, .doc = "How many." },
    { "recipient", VALUE_MAILBOX, STAGE_RCPT | STAGE_DATA, .doc = "Whom." },
    { "queue_id", VALUE_TEXT, STAGE_RCPT | STAGES_DATA | STAGES_END, .doc = "An id." },
    { "header.*", VALUE_TEXT, STAGES_DATA | STAGES_END, .doc = "A field." },
    { "etrn", VALUE_DOMAIN, STAGE_OTHER, .doc = "A domain." },
};
static const struct action_type actions[] = {
    { .name = "accept", .kind = ACTION_FINAL, .argument = ARG_NONE, .default_stages = STAGE_ALL, .doc = "Yes." },
    { .name = "reject", .kind = ACTION_FINAL, .argument = ARG_REPLY, .default_stages = STAGES_DATA | STAGES_END,
      .default_text = "Access denied", .doc = "No." },
    { .name = "limit", .kind = ACTION_CONTINUES, .argument = ARG_LIMITS, .doc = "So many." },
    { .name = "prepend", .kind = ACTION_CONTINUES, .argument = ARG_HEADER, .default_stages = STAGES_DATA, .doc = "A field." },
};
static const struct {
    bool is_action;
    size_t row;
    const char *name, *sort, *doc;
} cases[] = {
    { false, 0, "sender", "a mailbox; mail and later", "Who." },
    { false, 1, "colour", "red, green or blue; any stage", "Which." },
    { false, 2, "everywhere", "yes or no; any stage", "Whether." },
    { false, 3, "helo", "a domain; helo and later", "What." },
    { false, 4, "size", "a number; end-of-message", "How many." },
    { false, 5, "recipient", "a mailbox; rcpt, data with one recipient", "Whom." },
    { false, 6, "queue_id", "a text; rcpt and later", "An id." },
    { false, 7, "header.*", "a text; data and later", "A field." },
    { false, 8, "etrn", "a domain; other", "A domain." },
    { true, 0, "accept", "final; any stage", "Yes." },
    { true, 1, "reject [CODE] [TEXT]", "final; data and later", "No. Without a text: Access denied." },
    { true, 2, "limit LIMIT, ...", "goes on; where its limits are charged", "So many." },
    { true, 3, "prepend NAME: TEXT", "goes on; data", "A field." },
};
/* clang-format on */

static void says_what_a_fact_or_an_action_is_and_where(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF name = BUF_INIT(USAGE_ENTRY_MAX);
        AUTO_BUF sort = BUF_INIT(USAGE_ENTRY_MAX);
        AUTO_BUF doc = BUF_INIT(USAGE_ENTRY_MAX);
        int rc = cases[i].is_action ? manual_action(actions, cases[i].row, &name, &sort, &doc)
                                    : manual_fact(facts, cases[i].row, &name, &sort, &doc);
        assert_int_equal(0, rc);
        assert_string_equal(cases[i].name, buf_text(&name));
        assert_string_equal(cases[i].sort, buf_text(&sort));
        assert_string_equal(cases[i].doc, buf_text(&doc));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_a_fact_or_an_action_is_and_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
