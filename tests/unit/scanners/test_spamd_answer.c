#include "tests/unit/unit.h"

#include "contentd/scanners/spamd_answer.h"

#define OK "SPAMD/1.1 0 EX_OK\r\n"
#define REPORT                                                                                     \
    "Content analysis details:   (1004.2 points, 5.0 required)\n\n"                                \
    " pts rule name              description\n"                                                    \
    "---- ---------------------- --------------------------------------------------\n"             \
    " 2.7 MISSING_DATE           Missing Date: header\n"                                           \
    "-0.0 NO_RELAYS              Informational: message was not relayed via SMTP\n"                \
    "1000 GTUBE                  BODY: Generic Test for Unsolicited Bulk Email\n"                  \
    "                            1.5 CONTINUED lines are no tests\n"                               \
    " 0.0 LAST\n\n\n"

static void tells_answers_apart(UNUSED void **state)
{
    static const struct {
        struct slice in;
        enum spamd_result want;
        bool is_spam;
        double score, required;
        const char *body;
    } rows[] = {
        { SLICE_INIT(OK "Content-length: 3\r\nSpam: False ; 4.2 / 5.0\r\n\r\nabc"), SPAMD_DONE,
          false, 4.2, 5.0, "abc" },
        { SLICE_INIT(OK "Content-length: 0\r\nSpam: True ; 1004.2 / 5.0\r\n\r\n"), SPAMD_DONE, true,
          1004.2, 5.0, "" },
        { SLICE_INIT("SPAMD/1.5 0 EX_OK\nspam: yes;5/5\ncontent-LENGTH:1\nDidSet: local\n\nx"),
          SPAMD_DONE, true, 5, 5, "x" },
        { SLICE_INIT(OK "Content-length: 0\r\nSpam: No ; -1.9 / 5.0\r\n\r\n"), SPAMD_DONE, false,
          -1.9, 5.0, "" },
        { SLICE_INIT("SPAMD/1.0 76 Bad header line: (User header contains control chars)\r\n"),
          SPAMD_ERROR, false, 0, 0, NULL },
        { SLICE_INIT("SPAMD/1.0 79 Timeout: (30 second timeout)\r\n"), SPAMD_ERROR, false, 0, 0,
          NULL },
        /* not whole */
        { SLICE_INIT(""), SPAMD_MORE, false, 0, 0, NULL },
        { SLICE_INIT("SPA"), SPAMD_MORE, false, 0, 0, NULL },
        { SLICE_INIT("SPAMD/1.1 0 EX_OK\r"), SPAMD_MORE, false, 0, 0, NULL },
        { SLICE_INIT(OK "Content-length: 3\r\nSpam: False ; 4.2 / 5.0\r\n"), SPAMD_MORE, false, 0,
          0, NULL },
        { SLICE_INIT(OK "Content-length: 3\r\nSpam: False ; 4.2 / 5.0\r\n\r\nab"), SPAMD_MORE,
          false, 4.2, 5.0, NULL },
        { SLICE_INIT(OK "Content-length: 3\r\nSpam: False ; 4"), SPAMD_MORE, false, 0, 0, NULL },
        /* garbled */
        { SLICE_INIT("HTTP/1.1 200 OK\r\n"), SPAMD_GARBLED, false, 0, 0, NULL },
        { SLICE_INIT("X"), SPAMD_GARBLED, false, 0, 0, NULL },
        { SLICE_INIT("SPAMD/ 0 EX_OK\r\n"), SPAMD_GARBLED, false, 0, 0, NULL },
        { SLICE_INIT("SPAMD/1.1\r\n"), SPAMD_GARBLED, false, 0, 0, NULL },
        { SLICE_INIT("SPAMD/1.1 EX_OK\r\n"), SPAMD_GARBLED, false, 0, 0, NULL },
        { SLICE_INIT(OK "Content-length: 3\r\nSpam: False ; 4.2 / 5.0\r\n\r\nabcd"), SPAMD_GARBLED,
          false, 0, 0, NULL },
        { SLICE_INIT(OK "Spam: False ; 4.2 / 5.0\r\n\r\n"), SPAMD_GARBLED, false, 0, 0, NULL },
        { SLICE_INIT(OK "Content-length: 0\r\n\r\n"), SPAMD_GARBLED, false, 0, 0, NULL },
        { SLICE_INIT(OK "Content-length: -1\r\n"), SPAMD_GARBLED, false, 0, 0, NULL },
        { SLICE_INIT(OK "Content-length: 99999999999999999999\r\n"), SPAMD_GARBLED, false, 0, 0,
          NULL },
        { SLICE_INIT(OK "Content-length: 300000\r\nSpam: False ; 4 / 5\r\n\r\n"), SPAMD_GARBLED,
          false, 0, 0, NULL },
        { SLICE_INIT(OK "Content-length: 0\r\nContent-length: 0\r\n"), SPAMD_GARBLED, false, 0, 0,
          NULL },
        { SLICE_INIT(OK "Spam: False ; 4 / 5\r\nSpam: True ; 6 / 5\r\n"), SPAMD_GARBLED, false, 0,
          0, NULL },
        { SLICE_INIT(OK "Spam: Perhaps ; 4 / 5\r\n"), SPAMD_GARBLED, false, 0, 0, NULL },
        { SLICE_INIT(OK "Spam: False ; nan / 5\r\n"), SPAMD_GARBLED, false, 0, 0, NULL },
        { SLICE_INIT(OK "Spam: False ; 4\r\n"), SPAMD_GARBLED, false, 0, 0, NULL },
        { SLICE_INIT(OK "no colon\r\n"), SPAMD_GARBLED, false, 0, 0, NULL },
        /* contradictory */
        { SLICE_INIT(OK "Content-length: 0\r\nSpam: False ; 15.0 / 5.0\r\n\r\n"), SPAMD_GARBLED,
          false, 0, 0, NULL },
        { SLICE_INIT(OK "Content-length: 0\r\nSpam: True ; 1.0 / 5.0\r\n\r\n"), SPAMD_GARBLED,
          false, 0, 0, NULL },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct spamd_answer answer;
        enum spamd_result got = spamd_answer_parse(rows[i].in, &answer);
        if (got != rows[i].want)
            fail_msg("row %zu: %d (%.*s)", i, got, SLICE_ARG(answer.error));
        if (got == SPAMD_GARBLED || got == SPAMD_ERROR)
            assert_true(answer.error.len > 0);
        if (got != SPAMD_DONE)
            continue;
        assert_int_equal(rows[i].is_spam, answer.is_spam);
        assert_true(answer.score > rows[i].score - 0.001 && answer.score < rows[i].score + 0.001);
        assert_true(answer.required > rows[i].required - 0.001);
        assert_slice(rows[i].body, answer.body);
    }
}

static void is_whole_when_it_is_as_long_as_it_says(UNUSED void **state)
{
    static const struct slice in =
        SLICE_INIT(OK "Content-length: 3\r\nSpam: False ; 4.2 / 5.0\r\n\r\nabcd");
    struct spamd_answer answer;

    for (size_t cut = 0; cut + 1 < in.len; cut++)
        assert_int_equal(SPAMD_MORE, spamd_answer_parse(slice_part(in, 0, cut), &answer));
    assert_int_equal(SPAMD_DONE, spamd_answer_parse(slice_part(in, 0, in.len - 1), &answer));
    assert_int_equal(SPAMD_GARBLED, spamd_answer_parse(in, &answer));
}

static void a_head_without_end_is_garbled(UNUSED void **state)
{
    static char in[SPAMD_HEAD_MAX + 1] = OK;
    struct spamd_answer answer;

    for (size_t i = sizeof(OK) - 1; i < sizeof(in); i += 4)
        memcpy(in + i, "a:b\n", sizeof(in) - i < 4 ? sizeof(in) - i : 4);
    assert_int_equal(SPAMD_GARBLED, spamd_answer_parse((struct slice){ in, sizeof(in) }, &answer));
    memset(in + 6, '1', sizeof(in) - 6);
    assert_int_equal(SPAMD_GARBLED, spamd_answer_parse((struct slice){ in, sizeof(in) }, &answer));
}

static void finds_the_tests_that_hit(UNUSED void **state)
{
    static const struct {
        struct slice report;
        const char *want, *table; /* NULL: none; "": not looked at */
    } rows[] = {
        { SLICE_INIT(REPORT), "MISSING_DATE(2.7), NO_RELAYS(-0.0), GTUBE(1000), LAST(0.0)", "" },
        { SLICE_INIT("Content preview:\n---- ----\n 9.9 FORGED by the message\n" REPORT),
          "MISSING_DATE(2.7), NO_RELAYS(-0.0), GTUBE(1000), LAST(0.0)", "" },
        { SLICE_INIT("---- -\n 1.0 A b"), "A(1.0)", " 1.0 A b" },
        { SLICE_INIT("---- -\n"), NULL, NULL },
        { SLICE_INIT("---- -\n 1.0 A-B x\n x B y\n"), NULL, "" },
        { SLICE_INIT("a report of the site's own\n 1.0 A b\n"), NULL, NULL },
        { SLICE_INIT(""), NULL, NULL },
    };
    struct arena *arena = arena_new(1 << 16);

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice table, symbols = spamd_report_symbols(rows[i].report, arena, &table);
        if (rows[i].want == NULL)
            assert_null(symbols.ptr);
        else
            assert_slice(rows[i].want, symbols);
        if (rows[i].table == NULL)
            assert_int_equal(0, table.len);
        else if (rows[i].table[0] != '\0')
            assert_slice(rows[i].table, table);
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_answers_apart),
        cmocka_unit_test(is_whole_when_it_is_as_long_as_it_says),
        cmocka_unit_test(a_head_without_end_is_garbled),
        cmocka_unit_test(finds_the_tests_that_hit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
