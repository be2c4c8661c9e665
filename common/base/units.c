/* common/base/units.c - see units.h. */
#include "common/base/units.h"

#include <inttypes.h>

#include "common/base/clock.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* The greatest first: the first that divides a value spells it shortest. */
static const struct unit times[] = {
    { "d", DAY }, { "h", HOUR }, { "m", MINUTE }, { "s", SECOND }, { "ms", 1 },
};
static const struct unit sizes[] = {
    { "G", UINT64_C(1) << 30 },
    { "M", UINT64_C(1) << 20 },
    { "K", UINT64_C(1) << 10 },
};

/* Digits, then a unit of the table in either case when `nocase`; without a unit the number counts `plain`. */
static bool parse(struct slice text, const struct unit *units, size_t count, bool nocase,
                  uint64_t plain, uint64_t *out, const char **error, const char *usage)
{
    size_t digits = 0;
    uint64_t number, factor = plain;

    while (digits < text.len && ascii_is_digit(text.ptr[digits]))
        digits++;
    struct slice unit = slice_skip(text, digits);
    for (size_t i = 0; i < count && unit.len > 0; i++) {
        struct slice name = slice_of(units[i].name);
        if (nocase ? slice_equal_nocase(unit, name) : slice_equal(unit, name)) {
            factor = units[i].factor;
            unit.len = 0;
        }
    }
    if (digits == 0 || unit.len > 0) {
        *error = usage;
        return false;
    }
    if (!slice_to_u64(slice_part(text, 0, digits), &number) || number > UINT64_MAX / factor) {
        *error = "is too great a number";
        return false;
    }
    *out = number * factor;
    return true;
}

bool units_parse_time(struct slice text, uint64_t *ms, const char **error)
{
    return parse(text, times, COUNT(times), false, SECOND, ms, error,
                 "is no time: write digits and ms, s, m, h or d, such as 90s");
}

bool units_parse_size(struct slice text, uint64_t *bytes, const char **error)
{
    return parse(text, sizes, COUNT(sizes), true, 1, bytes, error,
                 "is no size: write digits and K, M or G, such as 256M");
}

static struct units_text print(uint64_t value, const struct unit *units, size_t count,
                               const char *zero)
{
    struct units_text out;

    if (value == UINT64_MAX) {
        snprintf(out.text, sizeof(out.text), "unlimited");
        return out;
    }
    for (size_t i = 0; i < count && value > 0; i++)
        if (value % units[i].factor == 0) {
            snprintf(out.text, sizeof(out.text), "%" PRIu64 "%s", value / units[i].factor,
                     units[i].name);
            return out;
        }
    snprintf(out.text, sizeof(out.text), "%" PRIu64 "%s", value, value == 0 ? zero : "");
    return out;
}

struct units_text units_print_time(uint64_t ms)
{
    return print(ms, times, COUNT(times), "s");
}

struct units_text units_print_size(uint64_t bytes)
{
    return print(bytes, sizes, COUNT(sizes), "");
}
