#include "tests/unit/unit.h"

#include "contentd/scanners/clamd_answer.h"

static void knows_what_clamd_says(UNUSED void **state)
{
    static const struct {
        struct slice in;
        enum clamd_answer want;
        const char *text;
    } rows[] = {
        { SLICE_INIT("stream: OK\0"), CLAMD_CLEAN, NULL },
        { SLICE_INIT("stream: Eicar-Test-Signature FOUND\0"), CLAMD_VIRUS, "Eicar-Test-Signature" },
        { SLICE_INIT("stream: A b FOUND FOUND\0"), CLAMD_VIRUS, "A b FOUND" },
        { SLICE_INIT("stream: OK FOUND\0"), CLAMD_VIRUS, "OK" },
        { SLICE_INIT("INSTREAM size limit exceeded. ERROR\0"), CLAMD_OVERSIZE, NULL },
        { SLICE_INIT("INSTREAM: Can't write to file. ERROR\0"), CLAMD_ERROR,
          "INSTREAM: Can't write to file." },
        { SLICE_INIT("COMMAND READ TIMED OUT ERROR\0"), CLAMD_ERROR, NULL },
        { SLICE_INIT("stream: Can't allocate memory ERROR\0"), CLAMD_ERROR, NULL },
        { SLICE_INIT("UNKNOWN COMMAND\0"), CLAMD_GARBLED, NULL },
        { SLICE_INIT(""), CLAMD_MORE, NULL },
        { SLICE_INIT("stream: OK"), CLAMD_MORE, NULL },
        { SLICE_INIT("stream: OK\n"), CLAMD_MORE, NULL },
        { SLICE_INIT("stream: OK\n\0"), CLAMD_GARBLED, NULL },
        { SLICE_INIT("stream: OK\0x"), CLAMD_GARBLED, NULL },
        { SLICE_INIT("stream: OK\0stream: X FOUND\0"), CLAMD_GARBLED, NULL },
        { SLICE_INIT("stream: X FOUND\0stream: OK\0"), CLAMD_GARBLED, NULL },
        { SLICE_INIT("stream:  FOUND\0"), CLAMD_GARBLED, NULL },
        { SLICE_INIT("stream: FOUND\0"), CLAMD_GARBLED, NULL },
        { SLICE_INIT("stream: ok\0"), CLAMD_GARBLED, NULL },
        { SLICE_INIT("stream: OKOK\0"), CLAMD_GARBLED, NULL },
        { SLICE_INIT("stream: X\x80 FOUND\0"), CLAMD_GARBLED, NULL },
        { SLICE_INIT("1: stream: OK\0"), CLAMD_GARBLED, NULL },
        { SLICE_INIT("\0"), CLAMD_GARBLED, NULL },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice text = { NULL, 0 };
        enum clamd_answer got = clamd_answer_parse(rows[i].in, &text);
        if (got != rows[i].want ||
            (rows[i].text != NULL && !slice_equal(text, slice_of(rows[i].text))))
            fail_msg("%.*s: %d (%.*s)", SLICE_ARG(rows[i].in), got, SLICE_ARG(text));
    }
}

static void takes_no_answer_without_end(UNUSED void **state)
{
    char bytes[CLAMD_ANSWER_MAX];
    struct slice text;

    memset(bytes, 'a', sizeof(bytes));
    assert_int_equal(CLAMD_MORE,
                     clamd_answer_parse((struct slice){ bytes, sizeof(bytes) - 1 }, &text));
    assert_int_equal(CLAMD_GARBLED,
                     clamd_answer_parse((struct slice){ bytes, sizeof(bytes) }, &text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_clamd_says),
        cmocka_unit_test(takes_no_answer_without_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
