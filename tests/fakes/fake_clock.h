/* tests/fakes/fake_clock.h - a clock that stands still until a test moves it. Any thread may read and move it. */
#ifndef GATEHOUSE_TESTS_FAKE_CLOCK_H
#define GATEHOUSE_TESTS_FAKE_CLOCK_H

#include "common/base/clock.h"

#include <stdatomic.h>

#define FAKE_CLOCK_WALL UINT64_C(1795314861000) /* what the wall clock begins with */

struct fake_clock {
    struct clock clock; /* first member: pass &fake.clock */
    _Atomic uint64_t now, wall; /* ms */
};

void fake_clock_init(struct fake_clock *fake);
void fake_clock_advance(struct fake_clock *fake, uint64_t ms); /* both */

#endif
