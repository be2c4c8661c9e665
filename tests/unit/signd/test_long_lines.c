/* tests/unit/signd/test_long_lines.c */
#include "signd/long_lines.h"

#include "common/base/buf.h"
#include "tests/unit/unit.h"

static const struct {
    const char *what;
    size_t limit, column;
    const char *in, *want;
} cases[] = {
    { "fits", 5, 0, "12345\r\n12345\r\n", "12345\r\n12345\r\n" },
    { "one byte more", 5, 0, "123456\r\n", "12345\r\n 6\r\n" },
    { "the blank counts", 5, 0, "1234567890123", "12345\r\n 6789\r\n 0123" },
    { "ends where it is cut", 5, 0, "123456789\n12345\n", "12345\r\n 6789\n12345\n" },
    { "line ends of their own", 5, 0, "1\n123456\n\n\r\n", "1\n12345\r\n 6\n\n\r\n" },
    { "a CR that is none of a line end", 5, 0, "1234\r6\r\n", "1234\r\r\n 6\r\n" },
    { "after a name", 5, 3, "123456\n 12345", "12\r\n 3456\n 1234\r\n 5" },
    { "after a name that is too long", 5, 9, "12", "\r\n 12" },
    { "no limit", 0, 0, "1234567890", "1234567890" },
    { "no limit to speak of", 1, 0, "1234567890", "1234567890" },
    { "nothing", 5, 0, "", "" },
};

static void cut_by(struct line_cutter *cutter, struct slice text, struct buf *out)
{
    bool is_cut;

    while (text.len > 0) {
        size_t len = line_cutter_next(cutter, text, &is_cut);
        assert_int_equal(0, buf_add(out, slice_part(text, 0, len)));
        assert_int_equal(0, buf_put(out, is_cut ? LINE_CUT : ""));
        text = slice_skip(text, len);
    }
}

static void cuts_lines_as_the_mta_does(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice in = slice_of(cases[i].in);
        for (size_t piece = 1; piece <= in.len + 1; piece++) { /* given in pieces of every size */
            struct line_cutter cutter = { cases[i].limit, cases[i].column };
            AUTO_BUF out = BUF_INIT(1000);
            for (size_t at = 0; at < in.len; at += piece)
                cut_by(&cutter, slice_part(in, at, piece), &out);
            if (!slice_equal(buf_slice(&out), slice_of(cases[i].want)))
                fail_msg("%s in pieces of %zu: %s", cases[i].what, piece, buf_text(&out));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(cuts_lines_as_the_mta_does) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
