/* tests/fakes/fake_clock.c - see fake_clock.h. */
#include "tests/fakes/fake_clock.h"

static uint64_t fake_now(const struct clock *clock)
{
    return ((const struct fake_clock *)(const void *)clock)->now;
}

static uint64_t fake_wall(const struct clock *clock)
{
    return ((const struct fake_clock *)(const void *)clock)->wall;
}

void fake_clock_init(struct fake_clock *fake)
{
    fake->clock = (struct clock){ fake_now, fake_wall };
    fake->now = 1000 * SECOND;
    fake->wall = FAKE_CLOCK_WALL;
}

void fake_clock_advance(struct fake_clock *fake, uint64_t ms)
{
    fake->now += ms;
    fake->wall += ms;
}
