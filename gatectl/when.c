/* gatectl/when.c - see when.h. */
#include "gatectl/when.h"

#include <time.h>

static const struct unit {
    char letter;
    uint64_t seconds;
} units[] = {
    { 'w', 604800 }, { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 },
};

#define UNTIL_MAX UINT64_C(253402300799) /* the last second of the year 9999 */
#define UNIX_LEAST UINT64_C(1000000000) /* below, a number is more likely a forgotten unit */

static bool parse_span(struct slice text, uint64_t now_s, uint64_t *until_s)
{
    uint64_t number;

    if (text.len < 2 || !slice_to_u64(slice_part(text, 0, text.len - 1), &number))
        return false;
    for (size_t i = 0; i < COUNT(units); i++)
        if (text.ptr[text.len - 1] == units[i].letter) {
            if (number > UNTIL_MAX / units[i].seconds)
                return false;
            *until_s = now_s + number * units[i].seconds;
            return true;
        }
    return false;
}

/* "2026-12-01" with an optional time and Z. */
static bool parse_date(struct slice text, uint64_t *until_s)
{
    static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
    char copy[32];
    bool is_utc = slice_ends_with(text, SLICE("Z"));

    if (text.len < 10 || text.len >= sizeof(copy) || !ascii_is_digit(text.ptr[0]))
        return false;
    snprintf(copy, sizeof(copy), "%.*s", (int)(text.len - (is_utc ? 1 : 0)), text.ptr);
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct tm tm = { .tm_isdst = -1 };
        const char *end = strptime(copy, forms[i], &tm);
        if (end == NULL || *end != '\0')
            continue;
        int day = tm.tm_mday;
        time_t at = is_utc ? timegm(&tm) : mktime(&tm);
        if (at < 0 || tm.tm_mday != day) /* mktime() makes 1 March of 30 February */
            return false;
        *until_s = (uint64_t)at;
        return true;
    }
    return false;
}

bool when_parse(struct slice text, uint64_t now_s, uint64_t *until_s, const char **error)
{
    uint64_t at;

    if (slice_to_u64(text, &at)) {
        if (at < UNIX_LEAST) {
            *error = "a unit is missing: 90s, 15m, 2h, 3d, 1w";
            return false;
        }
    } else if (!parse_span(text, now_s, &at) && !parse_date(text, &at)) {
        *error = "90s, 15m, 2h, 3d, 1w, 2026-12-01, 2026-12-01T12:00 or Unix seconds is expected";
        return false;
    }
    if (at <= now_s || at > UNTIL_MAX) {
        *error = at > UNTIL_MAX ? "this is too far away" : "this is over already";
        return false;
    }
    *until_s = at;
    return true;
}

int when_print_span(struct buf *out, uint64_t seconds)
{
    size_t i = 0;

    while (i < COUNT(units) - 1 && seconds < units[i].seconds)
        i++;
    if (i >= COUNT(units) - 1)
        return buf_printf(out, "%llus", (unsigned long long)seconds);
    uint64_t step = units[i + 1].seconds;
    uint64_t rounded = (seconds / step + (seconds % step > 0 ? 1 : 0)) * step;
    uint64_t major = rounded / units[i].seconds, minor = rounded % units[i].seconds / step;
    if (buf_printf(out, "%llu%c", (unsigned long long)major, units[i].letter))
        return -1;
    return minor == 0 ? 0
                      : buf_printf(out, " %llu%c", (unsigned long long)minor, units[i + 1].letter);
}

int when_print_time(struct buf *out, uint64_t at_s)
{
    time_t at = (time_t)(at_s > UNTIL_MAX ? UNTIL_MAX : at_s);
    struct tm tm;
    char text[32];

    if (localtime_r(&at, &tm) == NULL || strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm) == 0)
        return buf_printf(out, "%llu", (unsigned long long)at_s);
    return buf_put(out, text);
}

int when_print(struct buf *out, uint64_t at_s, uint64_t now_s)
{
    if (when_print_time(out, at_s))
        return -1;
    if (at_s <= now_s)
        return buf_put(out, " (over)");
    return buf_put(out, " (") || when_print_span(out, at_s - now_s) || buf_put_char(out, ')') ? -1
                                                                                              : 0;
}
