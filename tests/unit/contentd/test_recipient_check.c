/* tests/unit/contentd/test_recipient_check.c - who may join the other recipients of a message. */
#include "contentd/recipient_check.h"

#include "tests/fakes/contentd_load.h"
#include "tests/unit/unit.h"

#define CHAINS "[chain a]\n[chain b]\n[apply]\n* = a\n@other.example = b\n"

static const struct {
    const char *what, *conf, *recipient; /* the second one; the first is a@example.org */
    bool is_smtp;
    enum recipient_check want;
    enum milter_action action;
    unsigned code;
} cases[] = {
    { "the same chain", "mixed = split\n" CHAINS, "b@example.org", true, RECIPIENT_JOINS,
      MILTER_CONTINUE, 0 },
    { "another chain", "mixed = split\n" CHAINS, "b@other.example", true, RECIPIENT_APART,
      MILTER_TEMPFAIL, 452 },
    { "what does not come by SMTP cannot come again", "mixed = split\n" CHAINS, "b@other.example",
      false, RECIPIENT_JOINS, MILTER_CONTINUE, 0 },
    { "otherwise they may be mixed", CHAINS, "b@other.example", true, RECIPIENT_JOINS,
      MILTER_CONTINUE, 0 },
    { "not as SMTP has it", CHAINS, "b@example.org(a comment)", true, RECIPIENT_NOT_PLAIN,
      MILTER_REJECT, 553 },
    { "mode = shadow: another chain", "mode = shadow\nmixed = split\n" CHAINS, "b@other.example",
      true, RECIPIENT_JOINS, MILTER_CONTINUE, 0 },
    { "mode = shadow: a comment", "mode = shadow\n" CHAINS, "b@example.org(a comment)", true,
      RECIPIENT_JOINS, MILTER_CONTINUE, 0 },
};

static void tells_who_joins(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct message_client client = { .has_address = cases[i].is_smtp };
        struct message *message = message_new();
        struct contentd_loaded loaded;
        struct milter_reply reply;
        contentd_load_text(&loaded, cases[i].conf);
        message_set_client(message, &client);
        message_add_recipient(message, SLICE("a@example.org"), NULL, 0);
        message_add_recipient(message, slice_of(cases[i].recipient), NULL, 0);
        assert_int_equal(RECIPIENT_JOINS, recipient_check(loaded.setup, message, 0, 0, &reply));
        enum recipient_check got = recipient_check(loaded.setup, message, 1, 0, &reply);
        if (got != cases[i].want || reply.action != cases[i].action ||
            reply.reply.code != cases[i].code)
            fail_msg("%s: %d, %d, %u", cases[i].what, (int)got, (int)reply.action,
                     reply.reply.code);
        message_unref(&message);
        contentd_loaded_free(&loaded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_who_joins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
