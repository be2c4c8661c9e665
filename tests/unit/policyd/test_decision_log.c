/* tests/unit/policyd/test_decision_log.c - the line about a decision: its fields, and that nobody can forge one. */
#include "tests/fakes/policyd_case.h"
#include "tests/unit/unit.h"

static struct policyd_case test;

static int close_case(UNUSED void **state)
{
    policyd_case_close(&test);
    return 0;
}

static struct slice log_line(void)
{
    return buf_slice(&test.store->log);
}

static void assert_logged(const char *want)
{
    if (strstr(buf_text(&test.store->log), want) == NULL)
        fail_msg("want \"%s\", got \"%s\"", want, buf_text(&test.store->log));
}

static void assert_not_logged(const char *unwanted)
{
    if (strstr(buf_text(&test.store->log), unwanted) != NULL)
        fail_msg("\"%s\" in \"%s\"", unwanted, buf_text(&test.store->log));
}

static void has_its_fields_in_order(UNUSED void **state)
{
    policyd_case_open(&test, "[rule points]\nthen = score +1.5\n[rule shadowed]\nmode = shadow\n"
                             "then = hold x\n[rule far]\nwhen = country = KP\nthen = reject Far\n"
                             "[rule no]\nthen = reject 5.7.1 No, to={recipient}\n");
    policyd_case_ask(&test, "protocol_state=RCPT\nqueue_id=4Xk2Lq\nclient_address=192.0.2.7\n"
                            "sender=a@example.net\nrecipient=b@example.org\nsasl_username=u\n");
    assert_int_equal(1, test.store->lines);
    assert_true(slice_starts_with(
        log_line(), SLICE("decision queue_id=4Xk2Lq client_address=192.0.2.7 sasl_username=u "
                          "sender=<a@example.net> recipient=<b@example.org> rule=no "
                          "verdict=reject ref=")));
    assert_logged(
        " reason=\"No, to=b@example.org\" ms=0 shadow=shadowed:hold trouble=far score=1.5");
}

static void says_nothing_that_is_not_so(UNUSED void **state)
{
    policyd_case_open(&test, "");
    assert_string_equal("DUNNO", policyd_case_ask(&test, "protocol_state=RCPT\n"));
    assert_slice("decision queue_id= client_address= sasl_username= sender=<> recipient=<> rule= "
                 "verdict=dunno ref= reason=\"\" ms=0",
                 log_line());
}

static void says_what_weakened_it(UNUSED void **state)
{
    policyd_case_open(&test, "mode = shadow\n[limit a]\nrate = 0/1h\n[rule q]\nthen = limit a\n");
    policyd_case_ask(&test, "protocol_state=DATA\n");
    assert_logged("mode=shadow shadow=q:limit");
    policyd_case_load(&test, "[limit a]\nrate = 0/1h\n[rule q]\nthen = limit a\n");
    test.store->is_degraded = true;
    policyd_case_ask(&test, "protocol_state=DATA\n");
    assert_logged("limit=a store=degraded");
}

static void trouble_has_its_reason(UNUSED void **state)
{
    policyd_case_open(&test,
                      "[rule far]\nwhen = country = KP\nthen = reject Far\ntrouble = defer\n");
    policyd_case_ask(&test, "protocol_state=RCPT\n");
    assert_logged("rule=far verdict=defer");
    assert_logged("reason=\"Temporary lookup problem\"");
    assert_not_logged("Far");
}

static void nobody_can_forge_a_line(UNUSED void **state)
{
    static const char *const attributes[] = { "sender",         "recipient", "sasl_username",
                                              "client_address", "queue_id",  "helo_name" };
    static const char *const values[] = {
        "x> verdict=accept rule=forged",
        "x\" verdict=accept rule=forged",
        "x\\\" verdict=accept rule=forged",
        "x\r verdict=accept rule=forged",
        "x\x1b[2J verdict=accept rule=forged",
        "x\xe2\x80\xa8 verdict=accept rule=forged",
        "x verdict=accept rule=forged@example.com",
    };

    policyd_case_open(&test, "[rule no]\nthen = reject No, {sender} {recipient} {helo_name}\n"
                             "stage = rcpt\n");
    for (size_t i = 0; i < COUNT(attributes); i++) {
        for (size_t k = 0; k < COUNT(values); k++) {
            char lines[400];
            snprintf(lines, sizeof lines, "protocol_state=RCPT\n%s=%s\n", attributes[i], values[k]);
            policyd_case_ask(&test, lines);
            const char *line = buf_text(&test.store->log);
            const char *reason = strstr(line, " reason=\"");
            assert_non_null(reason);
            for (const char *at = line; *at != '\0'; at++)
                if (*at < 0x20 || *at > 0x7e)
                    fail_msg("%s %zu: %s", attributes[i], k, line);
            const char *forged = strstr(line, " rule=forged");
            const char *end = strstr(reason + 9, "\" ms=");
            assert_non_null(end);
            if ((forged != NULL && forged < reason) || (forged != NULL && forged > end))
                fail_msg("%s %zu: %s", attributes[i], k, line);
            for (const char *at = reason + 9; at < end; at++)
                if (*at == '"' && at[-1] != '\\')
                    fail_msg("%s %zu: %s", attributes[i], k, line);
        }
    }
}

static void a_line_is_bounded(UNUSED void **state)
{
    AUTO_BUF config = BUF_INIT(1 << 16);
    AUTO_BUF lines = BUF_INIT(POLICY_REQUEST_MAX);

    for (unsigned i = 0; i < 100; i++)
        buf_printf(&config, "[rule shadow-%030u]\nmode = shadow\nthen = warn x\n", i);
    policyd_case_open(&test, buf_text(&config));
    buf_put(&lines, "protocol_state=RCPT\nsender=");
    while (lines.len < 20000)
        buf_put(&lines, "\"");
    buf_put(&lines, "\n");
    policyd_case_ask(&test, buf_text(&lines));
    assert_int_equal(1, test.store->lines);
    assert_true(log_line().len <= STORE_LOG_LINE_MAX);
    assert_logged("shadow=shadow-000000000000000000000000000000:warn,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(has_its_fields_in_order, close_case),
        cmocka_unit_test_teardown(says_nothing_that_is_not_so, close_case),
        cmocka_unit_test_teardown(says_what_weakened_it, close_case),
        cmocka_unit_test_teardown(trouble_has_its_reason, close_case),
        cmocka_unit_test_teardown(nobody_can_forge_a_line, close_case),
        cmocka_unit_test_teardown(a_line_is_bounded, close_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
