/* tests/unit/milter/test_message_text.c - a header section as text becomes fields. */
#include "common/milter/message_text.h"

#include "common/base/buf.h"
#include "tests/unit/unit.h"

static void cuts_fields(UNUSED void **state)
{
    static const struct {
        const char *what;
        struct slice in;
        const char *want; /* [name=value]... */
        const char *rest;
    } rows[] = {
        { "two fields and a body", SLICE_INIT("A: 1\r\nB:2\r\n\r\nbody"), "[A= 1][B=2]", "body" },
        { "LF alone", SLICE_INIT("A: 1\nB:2\n\nbody\n"), "[A= 1][B=2]", "body\n" },
        { "folded", SLICE_INIT("A: 1\r\n\t2\r\n 3\r\nB:\r\n\r\n"), "[A= 1\r\n\t2\r\n 3][B=]", "" },
        { "no body", SLICE_INIT("A: 1\r\n"), "[A= 1]", "" },
        { "no field", SLICE_INIT("no field\r\nA: 1\r\n\r\n"), "[no field=][A= 1]", "" },
        { "the body at once", SLICE_INIT("\r\nbody"), "", "body" },
        { "cut in a field", SLICE_INIT("A: 1\r\nB: 2"), "[A= 1]", "" },
        { "nothing", SLICE_INIT(""), "", "" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct message *message = message_new();
        struct slice rest = rows[i].in;
        AUTO_BUF got = BUF_INIT(1000);
        assert_int_equal(MESSAGE_OK, message_add_text(message, &rest));
        for (size_t n = 0; n < message->header_count; n++)
            buf_printf(&got, "[%.*s=%.*s]", SLICE_ARG(message->headers[n].name),
                       SLICE_ARG(message->headers[n].value));
        if (strcmp(rows[i].want, buf_text(&got)) != 0 ||
            (rows[i].rest[0] != '\0' && !slice_equal(rest, slice_of(rows[i].rest))))
            fail_msg("%s: %s", rows[i].what, buf_text(&got));
        message_unref(&message);
    }
}

static void keeps_the_bound_of_a_message(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(1 << 20);
    struct message *message = message_new();

    for (size_t i = 0; i <= MESSAGE_HEADERS_MAX; i++)
        assert_int_equal(0, buf_put(&text, "A:b\n"));
    struct slice rest = buf_slice(&text);
    assert_int_equal(MESSAGE_TOO_MUCH, message_add_text(message, &rest));
    message_unref(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_fields),
        cmocka_unit_test(keeps_the_bound_of_a_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
