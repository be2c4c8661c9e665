/* tests/unit/milter/test_negotiation.c - only what is offered is asked for, and no more answers than hooks can give. */
#include "tests/unit/unit.h"

#include "common/milter/negotiation.h"

enum { ALL = 0x1fffff };

static struct milter_reply any(struct milter_session *session)
{
    (void)session;
    return (struct milter_reply){ .action = MILTER_CONTINUE };
}

static struct milter_reply any_recipient(struct milter_session *session, size_t n)
{
    (void)n;
    return any(session);
}

static const struct milter_hooks none = { .connect = NULL };
static const struct milter_hooks all = { .connect = any,
                                         .helo = any,
                                         .sender = any,
                                         .recipient = any_recipient,
                                         .headers = any,
                                         .end = any };
static const struct milter_hooks silent = { .headers = any, .headers_is_silent = true, .end = any };

static const struct {
    const char *what;
    const struct milter_hooks *hooks;
    const char *answered; /* commands whose answer is waited for when everything is offered */
    uint32_t unwanted; /* of MILTER_NO_* */
} cases[] = {
    { "no hooks", &none, "ME", MILTER_NO_UNKNOWN | MILTER_NO_DATA | MILTER_NO_BODY },
    { "all hooks", &all, "CHMRNE", MILTER_NO_UNKNOWN | MILTER_NO_DATA },
    { "headers that always continue", &silent, "ME", MILTER_NO_UNKNOWN | MILTER_NO_DATA },
};

static void waits_only_for_what_hooks_can_say(UNUSED void **state)
{
    static const char commands[] = "CHMRTLNBEU";
    const struct negotiation offer = { 6, ALL, ALL };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct negotiation chosen = negotiation_choose(cases[i].hooks, &offer);
        for (size_t c = 0; c < sizeof commands - 1; c++)
            if (negotiation_has_reply(&chosen, commands[c]) !=
                (strchr(cases[i].answered, commands[c]) != NULL))
                fail_msg("%s: %c", cases[i].what, commands[c]);
        if ((chosen.steps & 0x37f) != cases[i].unwanted)
            fail_msg("%s: steps %x", cases[i].what, chosen.steps);
        assert_true(chosen.steps & MILTER_LEADING_SPACE);
    }
}

static void takes_nothing_that_is_not_offered(UNUSED void **state)
{
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        struct negotiation offer = { 6, bit, bit };
        struct negotiation chosen = negotiation_choose(&none, &offer);
        assert_int_equal(0, chosen.actions & ~bit);
        assert_int_equal(0, chosen.steps & ~bit);
    }
    struct negotiation nothing = { 2, 0, 0 }, chosen = negotiation_choose(&none, &nothing);
    assert_int_equal(0, chosen.actions);
    assert_int_equal(0, chosen.steps);
    assert_true(negotiation_has_reply(&chosen, MILTER_HEADER));
    assert_false(negotiation_has_reply(&chosen, MILTER_MACRO));
    assert_false(negotiation_has_reply(&chosen, MILTER_ABORT));
}

static void speaks_the_older_version(UNUSED void **state)
{
    struct negotiation offer = { 99, 0, 0 };

    assert_int_equal(6, negotiation_choose(&none, &offer).version);
    offer.version = 3;
    assert_int_equal(3, negotiation_choose(&none, &offer).version);
}

static const struct {
    const char *what;
    struct slice data;
    bool ok;
} packets[] = {
    { "version 2", SLICE_INIT("\0\0\0\2\0\0\0\x3f\0\0\0\x7f"), true },
    { "with macros behind", SLICE_INIT("\0\0\0\6\0\0\0\x3f\0\0\0\x7f\0\0\0\0j\0"), true },
    { "version 1", SLICE_INIT("\0\0\0\1\0\0\0\x3f\0\0\0\x7f"), false },
    { "too short", SLICE_INIT("\0\0\0\2\0\0\0\x3f\0\0\0"), false },
    { "empty", SLICE_INIT(""), false },
};

static void reads_offers(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(packets); i++) {
        struct negotiation offer = { 0 };
        if (negotiation_read(packets[i].data, &offer) != packets[i].ok)
            fail_msg("%s", packets[i].what);
        if (packets[i].ok && (offer.actions != 0x3f || offer.steps != 0x7f))
            fail_msg("%s: read as something else", packets[i].what);
    }
}

static void lists_macros_only_where_it_may(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(1000);
    struct negotiation chosen = { 6, 0, 0 };

    assert_int_equal(0, negotiation_print(&chosen, &out));
    assert_int_equal(12, out.len);
    buf_clear(&out);
    chosen.actions = MILTER_MAY_LIST_MACROS;
    assert_int_equal(0, negotiation_print(&chosen, &out));
    assert_memory_equal("\0\0\0\6\0\0\1\0\0\0\0\0\0\0\0\0j {daemon_name} ", out.data, 32);
    assert_int_equal('\0', out.data[out.len - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_only_for_what_hooks_can_say),
        cmocka_unit_test(takes_nothing_that_is_not_offered),
        cmocka_unit_test(speaks_the_older_version),
        cmocka_unit_test(reads_offers),
        cmocka_unit_test(lists_macros_only_where_it_may),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
