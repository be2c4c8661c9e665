/* common/limits/window.h - the exact sliding window: in no stretch of time as long as the window are more than N
 * admitted; a slot is free at most window/24 late, never early. Pure.
 *
 * Time is cut into buckets of window/24 (a fraction of a millisecond where that is not whole), numbered from 1970 on:
 * bucket = floor(now * 24 / window). Any stretch as long as the window touches at most 25 buckets, so what is counted at
 * bucket B is all that lies in B-24 to B. What was charged in bucket B counts until bucket B+25 begins.
 *
 * A reading of the clock that is behind the newest bucket counts as the newest bucket: a clock that goes backwards frees
 * nothing. Sums saturate at UINT64_MAX, which no rate but `unlimited` admits. */
#ifndef GATEHOUSE_LIMITS_WINDOW_H
#define GATEHOUSE_LIMITS_WINDOW_H

#include "common/limits/limit.h"

#define WINDOW_CELLS_MAX (WINDOW_BUCKETS + 1)

/* What was charged in one bucket. A window's cells have ascending numbers; buckets without a charge have none. */
struct window_cell {
    uint64_t bucket, amount;
};

/* `window_ms` from RATE_WINDOW_MIN to RATE_WINDOW_MAX, now_ms below 2^58. */
uint64_t window_bucket(uint64_t window_ms, uint64_t now_ms);
/* When a bucket begins: the first millisecond that lies in it or in a later one. */
uint64_t window_bucket_begin_ms(uint64_t window_ms, uint64_t bucket);

/* `bucket`, or the newest cell's if that is later. */
uint64_t window_clamp(const struct window_cell *cells, size_t count, uint64_t bucket);
/* What counts at this bucket (clamped). */
uint64_t window_used(const struct window_cell *cells, size_t count, uint64_t bucket);
bool window_admits(uint64_t used, uint64_t amount, uint64_t most);

/* Adds to a bucket. Earlier ones than the newest are taken too, unless they have left the window. Cells that have left
 * the window are dropped first. False: nothing was done, because it needs a cell and there are already `room` of them
 * (at most WINDOW_CELLS_MAX are ever needed). */
bool window_add(struct window_cell *cells, size_t *count, size_t room, uint64_t bucket,
                uint64_t amount);
/* The same where there is no room (and at least one cell): two cells become one, and what was in the older one is freed
 * later, never earlier. */
void window_add_late(struct window_cell *cells, size_t *count, uint64_t bucket, uint64_t amount);

/* How long until `amount` more are admitted, if nothing else happens: 0 now, UINT64_MAX never. */
uint64_t window_free_ms(const struct window_cell *cells, size_t count, uint64_t window_ms,
                        uint64_t most, uint64_t amount, uint64_t now_ms);

#endif
