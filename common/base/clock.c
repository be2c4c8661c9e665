/* common/base/clock.c - see clock.h. */
#include "common/base/clock.h"

#include <time.h>

static uint64_t read_ms(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now); /* cannot fail for the two ids used here */
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t system_now(UNUSED const struct clock *clock)
{
    return read_ms(CLOCK_MONOTONIC);
}

static uint64_t system_wall(UNUSED const struct clock *clock)
{
    return read_ms(CLOCK_REALTIME);
}

const struct clock clock_system = { system_now, system_wall };
