/* common/limits/rate.c - rates and live overrides; see limit.h. */
#include "common/base/units.h"
#include "common/limits/limit.h"
#include "common/live/tail.h"

/* Whole numbers to here are exact in a double, which is what Redis' scripts count with. */
#define RATE_MOST_MAX ((UINT64_C(1) << 53) - 1)

bool rate_parse(struct slice text, struct rate *out, const char **error)
{
    struct slice window = text, most;
    struct rate rate;
    const char *why;

    if (slice_equal_nocase(text, SLICE("unlimited"))) {
        *out = (struct rate){ RATE_UNLIMITED, 0 };
        return true;
    }
    *error = "a rate is a number, / and a time, as in 200/1h, or unlimited";
    if (!slice_cut(&window, '/', &most))
        return false;
    if (!units_parse_size(most, &rate.most, &why) || rate.most > RATE_MOST_MAX) {
        *error = "before the / a rate has a whole number, with K, M or G for 1024s, below 2^53";
        return false;
    }
    if (!units_parse_time(window, &rate.window_ms, &why) || rate.window_ms < RATE_WINDOW_MIN ||
        rate.window_ms > RATE_WINDOW_MAX) {
        *error = "after the / a rate has a time from 24ms to 366d, as in 200/1h";
        return false;
    }
    *out = rate;
    *error = NULL;
    return true;
}

struct slice rate_print(struct arena *arena, struct rate rate)
{
    struct units_text most, window;

    if (rate.most == RATE_UNLIMITED)
        return arena_copy(arena, SLICE("unlimited"));
    most = units_print_size(rate.most);
    window = units_print_time(rate.window_ms);
    return arena_printf(arena, "%s/%s", most.text, window.text);
}

bool override_parse(struct slice text, struct override *out, const char **error)
{
    struct live_tail tail;
    struct rate rate;

    if (!live_tail_parse(text, &tail, error) || !rate_parse(tail.head, &rate, error))
        return false;
    *out = (struct override){ rate, tail.until_s, tail.by, tail.note };
    return true;
}

bool override_is_expired(const struct override *override, uint64_t wall_ms)
{
    const struct live_tail tail = { .until_s = override->until_s };

    return live_tail_is_expired(&tail, wall_ms);
}
