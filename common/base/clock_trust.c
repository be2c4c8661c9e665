/* common/base/clock_trust.c - see clock_trust.h. */
#include "common/base/clock_trust.h"

static void doubt(struct clock_trust *trust, int64_t jump_ms)
{
    trust->is_believed = false;
    trust->jump_ms = jump_ms;
    trust->doubted_ms = trust->now_ms;
}

/* Wall clocks may show anything: what does not fit is as far as can be. */
static int64_t difference(uint64_t later, uint64_t earlier)
{
    if (later >= earlier)
        return later - earlier > INT64_MAX ? INT64_MAX : (int64_t)(later - earlier);
    return earlier - later > INT64_MAX ? -INT64_MAX : -(int64_t)(earlier - later);
}

static bool is_beyond(int64_t ms, uint64_t back, uint64_t forward)
{
    return ms < 0 ? ms < -(int64_t)back : ms > (int64_t)forward;
}

void clock_trust_begin(struct clock_trust *trust, const struct clock *clock, uint64_t believed_ms)
{
    *trust = (struct clock_trust){ .clock = clock,
                                   .is_believed = true,
                                   .now_ms = clock->now_ms(clock),
                                   .wall_ms = clock->wall_ms(clock) };
    int64_t gap_ms = difference(trust->wall_ms, believed_ms);
    if (is_beyond(gap_ms, CLOCK_TRUST_JUMP_MS, CLOCK_TRUST_GAP_MS))
        doubt(trust, gap_ms);
}

enum clock_trust_change clock_trust_look(struct clock_trust *trust)
{
    uint64_t now_ms = trust->clock->now_ms(trust->clock);
    uint64_t wall_ms = trust->clock->wall_ms(trust->clock);
    /* Where it should be now. */
    int64_t jump_ms = difference(wall_ms, trust->wall_ms + (now_ms - trust->now_ms));

    trust->now_ms = now_ms;
    trust->wall_ms = wall_ms;
    if (is_beyond(jump_ms, CLOCK_TRUST_JUMP_MS, CLOCK_TRUST_JUMP_MS)) {
        doubt(trust, jump_ms);
        return CLOCK_TRUST_DOUBTED;
    }
    if (trust->is_believed || now_ms - trust->doubted_ms < CLOCK_TRUST_WAIT_MS)
        return CLOCK_TRUST_SAME;
    trust->is_believed = true;
    return CLOCK_TRUST_BELIEVED;
}
