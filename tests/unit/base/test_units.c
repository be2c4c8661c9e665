/* tests/unit/base/test_units.c - times and sizes, read and written. */
#include "tests/unit/unit.h"

#include "common/base/clock.h"
#include "common/base/units.h"

struct unit_case {
    const char *text;
    bool ok;
    uint64_t want;
    const char *printed;
};

static const struct unit_case times[] = {
    { "0", true, 0, "0s" },
    { "5", true, 5 * SECOND, "5s" },
    { "100ms", true, 100, "100ms" },
    { "1000ms", true, SECOND, "1s" },
    { "90s", true, 90 * SECOND, "90s" },
    { "60s", true, MINUTE, "1m" },
    { "5m", true, 5 * MINUTE, "5m" },
    { "24h", true, DAY, "1d" },
    { "36h", true, 36 * HOUR, "36h" },
    { "18446744073709551615ms", true, UINT64_MAX, "unlimited" },
    { "18446744073709551615", false, 0, NULL },
    { "18446744073709551616ms", false, 0, NULL },
    { "213503982335d", false, 0, NULL },
    { "", false, 0, NULL },
    { "s", false, 0, NULL },
    { "-1s", false, 0, NULL },
    { "1.5s", false, 0, NULL },
    { "5 s", false, 0, NULL },
    { "5M", false, 0, NULL },
    { "5w", false, 0, NULL },
    { "1h30m", false, 0, NULL },
};

static const struct unit_case sizes[] = {
    { "0", true, 0, "0" },
    { "1000", true, 1000, "1000" },
    { "1k", true, 1024, "1K" },
    { "1536", true, 1536, "1536" },
    { "256M", true, UINT64_C(256) << 20, "256M" },
    { "1024M", true, UINT64_C(1) << 30, "1G" },
    { "17179869183G", true, UINT64_C(17179869183) << 30, "17179869183G" },
    { "17179869184G", false, 0, NULL },
    { "1KB", false, 0, NULL },
    { "K", false, 0, NULL },
    { "0x10", false, 0, NULL },
};

static void check(const struct unit_case *row, bool parse(struct slice, uint64_t *, const char **),
                  struct units_text print(uint64_t))
{
    uint64_t got = 4711;
    const char *error = NULL;

    if (parse(slice_of(row->text), &got, &error) != row->ok)
        fail_msg("\"%s\" %s", row->text, row->ok ? error : "was taken");
    if (!row->ok && (got != 4711 || error == NULL))
        fail_msg("\"%s\": touched the result, or gave no reason", row->text);
    if (row->ok && (got != row->want || strcmp(print(got).text, row->printed) != 0))
        fail_msg("\"%s\" is %llu, printed %s", row->text, (unsigned long long)got, print(got).text);
}

static void reads_and_prints_times(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(times); i++)
        check(&times[i], units_parse_time, units_print_time);
}

static void reads_and_prints_sizes(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(sizes); i++)
        check(&sizes[i], units_parse_size, units_print_size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_prints_times),
        cmocka_unit_test(reads_and_prints_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
