/* common/base/clock.h - the time, passed in: nobody else asks the system for it, so tests can set it. */
#ifndef GATEHOUSE_BASE_CLOCK_H
#define GATEHOUSE_BASE_CLOCK_H

#include <stdint.h>

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

struct clock {
    uint64_t (*now_ms)(const struct clock *clock); /* monotonic; for deadlines and durations */
    /* Since 1970 UTC; for limits, `until`, log lines. */
    uint64_t (*wall_ms)(const struct clock *clock);
};

extern const struct clock clock_system;

#endif
