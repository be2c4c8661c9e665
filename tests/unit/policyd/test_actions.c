/* tests/unit/policyd/test_actions.c - what Postfix is told about each action at each stage. */
#include "policyd/actions.h"

#include "common/mail/reply.h"
#include "policyd/policy_proto.h"
#include "tests/unit/unit.h"

enum { NO_CODE = 0 };

static const struct {
    enum policyd_action action;
    unsigned code;
    const char *enhanced, *text, *header;
    const char *want, *at_end; /* at_end NULL: the same */
} cases[] = {
    { ACTION_REJECT, NO_CODE, NULL, "No", NULL, "554 5.7.1 No, ref=abc234",
      "521 5.7.1 No, ref=abc234" },
    { ACTION_REJECT, 550, "5.1.1", "No such user", NULL, "550 5.1.1 No such user, ref=abc234",
      "521 5.1.1 No such user, ref=abc234" },
    { ACTION_DEFER, NO_CODE, NULL, "Later", NULL, "DEFER_IF_PERMIT 4.7.1 Later, ref=abc234",
      "421 4.7.1 Later, ref=abc234" },
    { ACTION_DEFER, NO_CODE, "4.2.0", "Later", NULL, "DEFER_IF_PERMIT 4.2.0 Later, ref=abc234",
      "421 4.2.0 Later, ref=abc234" },
    { ACTION_DEFER, 450, "4.7.0", "Later", NULL, "450 4.7.0 Later, ref=abc234",
      "421 4.7.0 Later, ref=abc234" },
    { ACTION_HOLD, NO_CODE, NULL, "Look", NULL, "HOLD Look, ref=abc234", NULL },
    { ACTION_HOLD, NO_CODE, NULL, "", NULL, "HOLD ref=abc234", NULL },
    { ACTION_DISCARD, NO_CODE, NULL, "", NULL, "DISCARD ref=abc234", NULL },
    { ACTION_WARN, NO_CODE, NULL, "Odd", NULL, "WARN Odd, ref=abc234", NULL },
    { ACTION_REDIRECT, NO_CODE, NULL, "a@example.com", NULL, "REDIRECT a@example.com", NULL },
    { ACTION_BCC, NO_CODE, NULL, "a@example.com", NULL, "BCC a@example.com", NULL },
    { ACTION_FILTER, NO_CODE, NULL, "smtp:[::1]:10025", NULL, "FILTER smtp:[::1]:10025", NULL },
    { ACTION_RESTRICT, NO_CODE, NULL, "strict_class", NULL, "strict_class", NULL },
    { ACTION_PREPEND, NO_CODE, NULL, "yes", "X-Seen", "PREPEND X-Seen: yes", NULL },
    { ACTION_ACCEPT, NO_CODE, NULL, "", NULL, "DUNNO", NULL },
    { ACTION_LIMIT, NO_CODE, NULL, "", NULL, "DUNNO", NULL },
    { ACTION_SCORE, NO_CODE, NULL, "", NULL, "DUNNO", NULL },
};

static struct action action_of(size_t i)
{
    return (struct action){ .type = &policyd_actions[cases[i].action],
                            .code = cases[i].code,
                            .enhanced = slice_of(cases[i].enhanced),
                            .text = slice_of(cases[i].text),
                            .header = slice_of(cases[i].header) };
}

static void says_each_action_at_each_stage(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (unsigned stage = STAGE_CONNECT; stage <= STAGE_OTHER; stage <<= 1) {
            AUTO_BUF out = BUF_INIT(POLICY_REPLY_MAX);
            struct action action = action_of(i);
            bool at_end = (stage & STAGES_END) != 0 && cases[i].at_end != NULL;
            const char *want = at_end ? cases[i].at_end : cases[i].want;
            assert_int_equal(
                0, action_print(&out, &action, (enum stage)stage, false, SLICE("abc234")));
            if (strcmp(buf_text(&out), want) != 0)
                fail_msg("%s at %x: %s", action.type->name, stage, buf_text(&out));
        }
    }
}

static void trouble_is_one_text_whatever_the_action(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(POLICY_REPLY_MAX), end = BUF_INIT(POLICY_REPLY_MAX);
        struct action action = action_of(i);
        action_print(&out, &action, STAGE_RCPT, true, SLICE("abc234"));
        action_print(&end, &action, STAGE_END_MANY, true, SLICE("abc234"));
        assert_string_equal("451 4.3.0 Temporary lookup problem, ref=abc234", buf_text(&out));
        assert_string_equal("421 4.3.0 Temporary lookup problem, ref=abc234", buf_text(&end));
    }
}

static void a_long_text_gives_way_to_the_reference(UNUSED void **state)
{
    static const enum policyd_action refusals[] = { ACTION_REJECT, ACTION_DEFER };
    char text[ACTION_TEXT_MAX];

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < COUNT(refusals); i++) {
        AUTO_BUF out = BUF_INIT(POLICY_REPLY_MAX);
        struct action action = { .type = &policyd_actions[refusals[i]],
                                 .text = { text, sizeof text } };
        assert_int_equal(0, action_print(&out, &action, STAGE_RCPT, false, SLICE("abc234")));
        assert_int_equal(REPLY_MAX, out.len);
        assert_true(slice_ends_with(buf_slice(&out), SLICE("xx, ref=abc234")));
    }
}

static void the_longest_texts_can_be_sent(UNUSED void **state)
{
    char text[ACTION_TEXT_MAX];

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(POLICY_REPLY_MAX), reply = BUF_INIT(POLICY_REPLY_MAX);
        struct action action = action_of(i);
        action.text = (struct slice){ text, sizeof text };
        assert_int_equal(0, action_print(&out, &action, STAGE_RCPT, false, SLICE("abc234")));
        assert_int_equal(0, policy_reply(&reply, buf_slice(&out)));
        assert_int_equal(out.len + strlen("action=\n\n"), reply.len); /* not turned into DUNNO */
    }
}

static void says_when_there_is_no_room(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(4);
        struct action action = action_of(i);
        assert_int_equal(-1, action_print(&out, &action, STAGE_RCPT, false, SLICE("abc234")));
    }
}

/* ---- which action speaks ---- */

static const struct action accept = { .type = &policyd_actions[ACTION_ACCEPT] };
static const struct action defer = { .type = &policyd_actions[ACTION_DEFER] };
static const struct action hold = { .type = &policyd_actions[ACTION_HOLD] };

static void one_action_speaks(UNUSED void **state)
{
    const struct action continuing[] = {
        { .type = &policyd_actions[ACTION_LIMIT] }, { .type = &policyd_actions[ACTION_SCORE] },
        { .type = &policyd_actions[ACTION_WARN] },  { .type = &policyd_actions[ACTION_PREPEND] },
        { .type = &policyd_actions[ACTION_BCC] },
    };
    const struct {
        const struct action *final;
        size_t continuing;
        bool is_trouble;
        const struct action *want;
        size_t dropped;
    } verdicts[] = {
        { NULL, 0, false, NULL, 0 },
        { &accept, 0, false, NULL, 0 },
        { NULL, 2, false, NULL, 0 },
        { NULL, 5, false, &continuing[2], 2 },
        { &accept, 5, false, &continuing[2], 2 },
        { &defer, 5, false, &defer, 3 },
        { &hold, 3, false, &hold, 1 },
        { &accept, 5, true, &accept, 3 }, /* trouble is final, whatever the action */
    };

    for (size_t i = 0; i < COUNT(verdicts); i++) {
        size_t dropped = 99;
        struct verdict verdict = { .final = verdicts[i].final,
                                   .continuing = continuing,
                                   .continuing_count = verdicts[i].continuing,
                                   .is_trouble = verdicts[i].is_trouble };
        if (verdict_spoken(&verdict, &dropped) != verdicts[i].want ||
            dropped != verdicts[i].dropped)
            fail_msg("verdict %zu: dropped %zu", i, dropped);
    }
}

static void knows_what_refuses(UNUSED void **state)
{
    for (size_t i = 0; i < POLICYD_ACTIONS; i++) {
        const struct action action = { .type = &policyd_actions[i] };
        struct verdict verdict = { .final = &action };
        assert_int_equal(i, policyd_actions[i].id);
        assert_int_equal(i == ACTION_REJECT || i == ACTION_DEFER, verdict_refuses(&verdict));
        verdict.is_trouble = true;
        assert_true(verdict_refuses(&verdict));
    }
    assert_false(verdict_refuses(&(struct verdict){ .final = NULL }));
}

static void has_words_for_the_log(UNUSED void **state)
{
    assert_string_equal("dunno", action_word(NULL));
    assert_string_equal("dunno", action_word(&accept));
    assert_string_equal("defer", action_word(&defer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_each_action_at_each_stage),
        cmocka_unit_test(trouble_is_one_text_whatever_the_action),
        cmocka_unit_test(a_long_text_gives_way_to_the_reference),
        cmocka_unit_test(the_longest_texts_can_be_sent),
        cmocka_unit_test(says_when_there_is_no_room),
        cmocka_unit_test(one_action_speaks),
        cmocka_unit_test(knows_what_refuses),
        cmocka_unit_test(has_words_for_the_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
