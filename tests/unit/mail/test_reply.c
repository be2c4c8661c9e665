/* tests/unit/mail/test_reply.c - SMTP replies: codes read and checked, texts escaped and bounded. */
#include "tests/unit/unit.h"

#include "common/mail/reply.h"

static const struct {
    const char *text, *classes;
    unsigned code;
    const char *enhanced, *rest;
    const char *error; /* part of it; NULL: accepted */
} cases[] = {
    { "550 5.7.1 Not here", "45", 550, "5.7.1", "Not here", NULL },
    { "5.7.1 Not here", "45", 0, "5.7.1", "Not here", NULL },
    { "450 Not now", "45", 450, NULL, "Not now", NULL },
    { "Not here", "45", 0, NULL, "Not here", NULL },
    { "  421  4.3.2  Later  ", "4", 421, "4.3.2", "Later", NULL },
    { "", "45", 0, NULL, "", NULL },
    { "554", "45", 554, NULL, "", NULL },
    { "554 5.7.1", "45", 554, "5.7.1", "", NULL },
    { "192.0.2.1 is listed", "45", 0, NULL, "192.0.2.1 is listed", NULL },
    { "3.5 percent", "45", 0, NULL, "3.5 percent", NULL },
    { "550-5.7.1 x", "45", 0, NULL, "550-5.7.1 x", NULL },
    { "5.7.999 x", "45", 0, "5.7.999", "x", NULL },
    { "5.7.1000 x", "45", 0, NULL, NULL, "such as 5.7.1" },
    { "5.07.1 x", "45", 0, NULL, NULL, "such as 5.7.1" },
    { "5..1 x", "45", 0, NULL, NULL, "such as 5.7.1" },
    { "3.7.1 x", "45", 0, NULL, NULL, "such as 5.7.1" },
    { ".5.7 x", "45", 0, NULL, ".5.7 x", NULL },
    { "400 4.0.0 x", "45", 400, "4.0.0", "x", NULL },
    { "559 5.255.0 x", "45", 559, "5.255.0", "x", NULL },
    { "5 x", "45", 0, NULL, NULL, "4NN or 5NN" },
    { "255 x", "45", 0, NULL, NULL, "a reply code is 4NN or 5NN" },
    { "250 messages are enough", "45", 0, NULL, NULL, "4NN or 5NN" },
    { "560 x", "45", 0, NULL, NULL, "4NN or 5NN" },
    { "55 x", "45", 0, NULL, NULL, "4NN or 5NN" },
    { "5500 x", "45", 0, NULL, NULL, "4NN or 5NN" },
    { "550 4.7.1 x", "45", 0, NULL, NULL, "disagree" },
    { "450 5.7.1 x", "45", 0, NULL, NULL, "disagree" },
    { "550 x", "4", 0, NULL, NULL, "temporary here" },
    { "5.7.1 x", "4", 0, NULL, NULL, "temporary here" },
    { "450 x", "5", 0, NULL, NULL, "permanent here: 5NN, 5.Y.Z" },
    { "4.7.1 x", "5", 0, NULL, NULL, "permanent here" },
    { "550 5.7.1 x", "5", 550, "5.7.1", "x", NULL },
    { "2.7.1 x", "45", 0, NULL, NULL, "4.Y.Z or 5.Y.Z" },
};

static void reads_codes_and_refuses_wrong_ones(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reply reply = { .code = 0 };
        const char *error = NULL;
        bool ok = reply_parse(slice_of(cases[i].text), cases[i].classes, &reply, &error);
        if (ok != (cases[i].error == NULL) || ok != (error == NULL) ||
            reply.code != cases[i].code ||
            !slice_equal(reply.enhanced, slice_of(cases[i].enhanced)) ||
            !slice_equal(reply.text, slice_of(cases[i].rest)))
            fail_msg("\"%s\": %s", cases[i].text, error == NULL ? "accepted" : error);
        if (!ok && strstr(error, cases[i].error) == NULL)
            fail_msg("\"%s\" gives the error \"%s\"", cases[i].text, error);
    }
}

static void escapes_all_but_printable_ascii(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(40);

    assert_int_equal(0, reply_escape(&out, SLICE("a\r\nb\tc\0d\x7f\xc3\xa9 ~")));
    assert_slice("a??b?c?d??? ~", buf_slice(&out));
    assert_int_equal(0, reply_escape(&out, (struct slice){ NULL, 0 }));
    assert_int_equal(-1, reply_escape(&out, SLICE("0123456789012345678901234567")));
    assert_int_equal(40, out.len); /* what fits is there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_codes_and_refuses_wrong_ones),
        cmocka_unit_test(escapes_all_but_printable_ascii),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
