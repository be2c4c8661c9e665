/* common/base/clock_trust.h - may the wall clock be believed by what deletes because of age? A clock that is wrong for a moment
 * (before NTP has set it, after a slip of the hand) is told by its jumps against the monotonic clock, and at the start by the time
 * at which it was last believed. A doubted clock is believed again when it has run evenly for CLOCK_TRUST_WAIT_MS. Pure; not
 * thread-safe. */
#ifndef GATEHOUSE_BASE_CLOCK_TRUST_H
#define GATEHOUSE_BASE_CLOCK_TRUST_H

#include "common/base/clock.h"

#include <stdbool.h>

#define CLOCK_TRUST_JUMP_MS MINUTE /* more than this between two looks is no drift */
#define CLOCK_TRUST_GAP_MS DAY /* so long may have passed between two runs */
#define CLOCK_TRUST_WAIT_MS HOUR

struct clock_trust {
    const struct clock *clock; /* borrowed */
    bool is_believed;
    int64_t jump_ms; /* what it was last doubted for: forward if positive */
    uint64_t now_ms, wall_ms; /* at the last look */
    uint64_t doubted_ms; /* monotonic: since when */
};

enum clock_trust_change {
    CLOCK_TRUST_SAME,
    CLOCK_TRUST_DOUBTED, /* it has just jumped (also when it was doubted before) */
    CLOCK_TRUST_BELIEVED, /* again */
};

/* `believed_ms`: the wall clock when it was last believed, by an earlier process. It is doubted when it now shows an earlier time,
 * or a time more than CLOCK_TRUST_GAP_MS later. */
void clock_trust_begin(struct clock_trust *trust, const struct clock *clock, uint64_t believed_ms);

/* To be called every minute or so, and before it is relied on. */
enum clock_trust_change clock_trust_look(struct clock_trust *trust);

#endif
