/* tests/unit/signd/test_canonical.c - the examples of RFC 6376 3.4, its corners, and the same bytes cut anywhere. */
#include "signd/canonical.h"

#include "tests/unit/unit.h"

enum { OUT_MAX = 1 << 16 };

static void to_buf(void *arg, const void *bytes, size_t len)
{
    assert_int_equal(0, buf_add(arg, (struct slice){ bytes, len }));
}

static void run(struct slice in, enum canonicalization mode, size_t step, struct buf *out,
                bool *has_bare_cr)
{
    struct body_canon canon;

    body_canon_start(&canon, mode, to_buf, out);
    for (size_t at = 0; at < in.len; at += step)
        body_canon_add(&canon, slice_part(in, at, step));
    body_canon_finish(&canon);
    *has_bare_cr = body_canon_has_bare_cr(&canon);
}

static const struct {
    const char *what;
    struct slice in, simple, relaxed;
    bool has_bare_cr;
} bodies[] = {
    { "RFC 6376 3.4.5", SLICE_INIT(" C \r\nD \t E\r\n\r\n\r\n"), SLICE_INIT(" C \r\nD \t E\r\n"),
      SLICE_INIT(" C\r\nD E\r\n"), false },
    { "empty", SLICE_INIT(""), SLICE_INIT("\r\n"), SLICE_INIT(""), false },
    { "only blank lines", SLICE_INIT("\r\n\r\n"), SLICE_INIT("\r\n"), SLICE_INIT(""), false },
    { "only blanks", SLICE_INIT("  \t"), SLICE_INIT("  \t\r\n"), SLICE_INIT(""), false },
    { "lines of blanks at the end", SLICE_INIT("a\r\n \r\n\t\r\n"), SLICE_INIT("a\r\n \r\n\t\r\n"),
      SLICE_INIT("a\r\n"), false },
    { "blank lines between", SLICE_INIT("a\r\n\r\n\r\nb"), SLICE_INIT("a\r\n\r\n\r\nb\r\n"),
      SLICE_INIT("a\r\n\r\n\r\nb\r\n"), false },
    { "no line end", SLICE_INIT("a"), SLICE_INIT("a\r\n"), SLICE_INIT("a\r\n"), false },
    { "bare LF", SLICE_INIT("a\nb\n\n"), SLICE_INIT("a\r\nb\r\n"), SLICE_INIT("a\r\nb\r\n"),
      false },
    { "bare CR", SLICE_INIT("a\rb \r c\r\n"), SLICE_INIT("a\rb \r c\r\n"),
      SLICE_INIT("a\rb \r c\r\n"), true },
    { "CR CR LF", SLICE_INIT("a\r\r\nb"), SLICE_INIT("a\r\r\nb\r\n"), SLICE_INIT("a\r\r\nb\r\n"),
      true },
    { "CR at the end", SLICE_INIT("a\r"), SLICE_INIT("a\r\r\n"), SLICE_INIT("a\r\r\n"), true },
    { "runs of blanks", SLICE_INIT("  a  b\t\tc d \t\r\n"), SLICE_INIT("  a  b\t\tc d \t\r\n"),
      SLICE_INIT(" a b c d\r\n"), false },
    { "a tab alone is a blank", SLICE_INIT("a\tb\r\n"), SLICE_INIT("a\tb\r\n"),
      SLICE_INIT("a b\r\n"), false },
    { "NUL and 8 bits", SLICE_INIT("a\0\xff\r\n"), SLICE_INIT("a\0\xff\r\n"),
      SLICE_INIT("a\0\xff\r\n"), false },
};

static void check_body(size_t i, enum canonicalization mode, size_t step)
{
    struct slice want = mode == CANONICAL_SIMPLE ? bodies[i].simple : bodies[i].relaxed;
    AUTO_BUF out = BUF_INIT(OUT_MAX);
    bool has_bare_cr = false;

    run(bodies[i].in, mode, step, &out, &has_bare_cr);
    if (!slice_equal(buf_slice(&out), want) || has_bare_cr != bodies[i].has_bare_cr)
        fail_msg("%s, mode %d, %zu bytes at once: \"%s\"", bodies[i].what, (int)mode, step,
                 buf_text(&out));
}

static void makes_bodies_canonical_however_they_are_cut(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(bodies); i++) {
        for (size_t step = 1; step <= bodies[i].in.len + 1; step++) {
            check_body(i, CANONICAL_SIMPLE, step);
            check_body(i, CANONICAL_RELAXED, step);
        }
    }
}

/* More than the chunk that collects small pieces. */
static void long_bodies_pass_whole(UNUSED void **state)
{
    AUTO_BUF in = BUF_INIT(OUT_MAX);
    AUTO_BUF out = BUF_INIT(OUT_MAX);
    bool has_bare_cr = true;

    while (in.len < 3 * CANONICAL_CHUNK)
        assert_int_equal(0, buf_put(&in, in.len % 3 == 0 ? "word " : "xy\r\n"));
    assert_int_equal(0, buf_put(&in, "\r\n"));
    for (size_t step = 1; step < in.len; step = step * 3 + 1) {
        buf_clear(&out);
        run(buf_slice(&in), CANONICAL_SIMPLE, step, &out, &has_bare_cr);
        assert_true(slice_starts_with(buf_slice(&in), buf_slice(&out)) ||
                    slice_starts_with(buf_slice(&out), buf_slice(&in)));
        assert_false(has_bare_cr);
    }
}

static const struct {
    const char *what;
    struct slice name, value, simple, relaxed;
} fields[] = {
    { "RFC 6376 3.4.5, A", SLICE_INIT("A"), SLICE_INIT(" X"), SLICE_INIT("A: X\r\n"),
      SLICE_INIT("a:X\r\n") },
    { "RFC 6376 3.4.5, B", SLICE_INIT("B "), SLICE_INIT(" Y\t\r\n\tZ  "),
      SLICE_INIT("B : Y\t\r\n\tZ  \r\n"), SLICE_INIT("b:Y Z\r\n") },
    { "fold with LF alone", SLICE_INIT("Subject"), SLICE_INIT(" a\n b"),
      SLICE_INIT("Subject: a\r\n b\r\n"), SLICE_INIT("subject:a b\r\n") },
    { "no blank after the colon", SLICE_INIT("To"), SLICE_INIT("x"), SLICE_INIT("To:x\r\n"),
      SLICE_INIT("to:x\r\n") },
    { "empty", SLICE_INIT("Cc"), SLICE_INIT(""), SLICE_INIT("Cc:\r\n"), SLICE_INIT("cc:\r\n") },
    { "blanks alone", SLICE_INIT("Cc"), SLICE_INIT("  \n \t"), SLICE_INIT("Cc:  \r\n \t\r\n"),
      SLICE_INIT("cc:\r\n") },
    { "8 bits", SLICE_INIT("From"), SLICE_INIT(" \xc3\xa4"), SLICE_INIT("From: \xc3\xa4\r\n"),
      SLICE_INIT("from:\xc3\xa4\r\n") },
};

static void makes_header_fields_canonical(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(fields); i++) {
        AUTO_BUF simple = BUF_INIT(OUT_MAX);
        AUTO_BUF relaxed = BUF_INIT(OUT_MAX);

        assert_int_equal(
            0, header_canon(&simple, CANONICAL_SIMPLE, fields[i].name, fields[i].value, true));
        assert_int_equal(
            0, header_canon(&relaxed, CANONICAL_RELAXED, fields[i].name, fields[i].value, true));
        if (!slice_equal(buf_slice(&simple), fields[i].simple))
            fail_msg("%s, simple: \"%s\"", fields[i].what, buf_text(&simple));
        if (!slice_equal(buf_slice(&relaxed), fields[i].relaxed))
            fail_msg("%s, relaxed: \"%s\"", fields[i].what, buf_text(&relaxed));
    }
}

static void a_full_buffer_is_said(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(4);

    assert_int_equal(-1, header_canon(&out, CANONICAL_SIMPLE, SLICE("From"), SLICE(" x"), true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_bodies_canonical_however_they_are_cut),
        cmocka_unit_test(long_bodies_pass_whole),
        cmocka_unit_test(makes_header_fields_canonical),
        cmocka_unit_test(a_full_buffer_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
