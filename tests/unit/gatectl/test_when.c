/* tests/unit/gatectl/test_when.c - points in time as people type and read them. */
#include "tests/unit/unit.h"

#include <time.h>

#include "gatectl/when.h"

#define NOW UINT64_C(1795000000) /* 2026-11-18 11:06:40 UTC */

static const struct {
    const char *text;
    uint64_t want; /* 0: refused */
} cases[] = {
    { "90s", NOW + 90 },
    { "15m", NOW + 900 },
    { "2h", NOW + 7200 },
    { "3d", NOW + 259200 },
    { "1w", NOW + 604800 },
    { "1795314861", 1795314861 },
    { "2026-12-01", 1796083200 },
    { "2026-12-01T12:00", 1796126400 },
    { "2026-12-01T12:00:30", 1796126430 },
    { "2026-12-01T12:00Z", 1796126400 },
    { "2028-02-29", 1835395200 },
    { "2027-02-29", 0 },
    { "2026-13-01", 0 },
    { "2026-12-01T25:00", 0 },
    { "2026-12-01T12:00x", 0 },
    { "2026-12-01 12:00", 0 },
    { "2026-11-01", 0 }, /* over */
    { "1794999999", 0 }, /* over */
    { "1795000000", 0 }, /* now */
    { "0s", 0 },
    { "90", 0 }, /* no unit */
    { "2y", 0 },
    { "h", 0 },
    { "-2h", 0 },
    { "", 0 },
    { "99999999999999w", 0 },
    { "18446744073709551615", 0 },
    { "18446744073709551616", 0 },
    { "tomorrow", 0 },
};

static void reads_spans_dates_and_unix_seconds(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t got = 0;
        const char *error = NULL;
        bool ok = when_parse(slice_of(cases[i].text), NOW, &got, &error);
        if (ok != (cases[i].want != 0) || (ok && got != cases[i].want) || ok == (error != NULL))
            fail_msg("\"%s\": %llu (%s)", cases[i].text, (unsigned long long)got,
                     error == NULL ? "no error" : error);
    }
}

static void prints_spans_rounded_up(UNUSED void **state)
{
    static const struct {
        uint64_t seconds;
        const char *want;
    } spans[] = {
        { 0, "0s" },         { 59, "59s" },    { 60, "1m" },      { 61, "1m 1s" },
        { 3599, "59m 59s" }, { 3600, "1h" },   { 3601, "1h 1m" }, { 7199, "2h" },
        { 90000, "1d 1h" },  { 172800, "2d" }, { 604799, "7d" },  { 604800, "1w" },
        { 691201, "1w 2d" },
    };

    for (size_t i = 0; i < COUNT(spans); i++) {
        AUTO_BUF out = BUF_INIT(64);
        assert_int_equal(0, when_print_span(&out, spans[i].seconds));
        assert_string_equal(spans[i].want, buf_text(&out));
    }
}

static void prints_a_time_and_how_far_it_is(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(64);

    assert_int_equal(0, when_print(&out, 1796126400, 1796126400 - 7200));
    assert_string_equal("2026-12-01 12:00 (2h)", buf_text(&out));
    buf_clear(&out);
    assert_int_equal(0, when_print(&out, 1796126400, 1796126400));
    assert_string_equal("2026-12-01 12:00 (over)", buf_text(&out));
    buf_clear(&out);
    assert_int_equal(0, when_print(&out, UINT64_MAX, NOW));
    assert_true(slice_starts_with(buf_slice(&out), SLICE("9999-12-31")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_spans_dates_and_unix_seconds),
        cmocka_unit_test(prints_spans_rounded_up),
        cmocka_unit_test(prints_a_time_and_how_far_it_is),
    };

    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
