/* common/limits/window.c - see window.h. Where `now * 24 / window` is no whole number it is rounded down, so buckets
 * are exact fractions of the window in the long run: adding exactly one window to a time adds exactly 24 to its
 * bucket. That is all that the promise rests on. */
#include "common/limits/window.h"

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t window_bucket(uint64_t window_ms, uint64_t now_ms)
{
    if (now_ms > UINT64_MAX / WINDOW_BUCKETS)
        now_ms = UINT64_MAX / WINDOW_BUCKETS;
    return now_ms * WINDOW_BUCKETS / window_ms;
}

uint64_t window_bucket_begin_ms(uint64_t window_ms, uint64_t bucket)
{
    if (bucket > UINT64_MAX / window_ms)
        return UINT64_MAX;
    uint64_t scaled = bucket * window_ms;
    return scaled / WINDOW_BUCKETS + (scaled % WINDOW_BUCKETS != 0);
}

uint64_t window_clamp(const struct window_cell *cells, size_t count, uint64_t bucket)
{
    if (count > 0 && cells[count - 1].bucket > bucket)
        return cells[count - 1].bucket;
    return bucket;
}

uint64_t window_used(const struct window_cell *cells, size_t count, uint64_t bucket)
{
    uint64_t used = 0;

    bucket = window_clamp(cells, count, bucket);
    for (size_t i = count; i-- > 0 && bucket - cells[i].bucket <= WINDOW_BUCKETS;)
        used = add_saturated(used, cells[i].amount);
    return used;
}

bool window_admits(uint64_t used, uint64_t amount, uint64_t most)
{
    return amount <= most && used <= most - amount;
}

static void drop_old(struct window_cell *cells, size_t *count, uint64_t newest)
{
    size_t old = 0;

    while (old < *count && newest - cells[old].bucket > WINDOW_BUCKETS)
        old++;
    if (old == 0)
        return;
    memmove(cells, cells + old, (*count - old) * sizeof *cells);
    *count -= old;
}

bool window_add(struct window_cell *cells, size_t *count, size_t room, uint64_t bucket,
                uint64_t amount)
{
    uint64_t newest = window_clamp(cells, *count, bucket);

    if (newest - bucket > WINDOW_BUCKETS)
        return true;
    drop_old(cells, count, newest);
    size_t at = *count;
    while (at > 0 && cells[at - 1].bucket > bucket)
        at--;
    if (at > 0 && cells[at - 1].bucket == bucket) {
        cells[at - 1].amount = add_saturated(cells[at - 1].amount, amount);
        return true;
    }
    if (*count >= room)
        return false;
    memmove(cells + at + 1, cells + at, (*count - at) * sizeof *cells);
    cells[at] = (struct window_cell){ bucket, amount };
    ++*count;
    return true;
}

void window_add_late(struct window_cell *cells, size_t *count, uint64_t bucket, uint64_t amount)
{
    size_t at = 0;

    while (at + 1 < *count && cells[at].bucket < bucket)
        at++;
    if (cells[at].bucket >= bucket) { /* in the past: it counts a little longer */
        cells[at].amount = add_saturated(cells[at].amount, amount);
        return;
    }
    if (*count > 1) {
        cells[1].amount = add_saturated(cells[1].amount, cells[0].amount);
        memmove(cells, cells + 1, (*count - 1) * sizeof *cells);
        cells[*count - 1] = (struct window_cell){ bucket, amount };
    } else {
        cells[0] = (struct window_cell){ bucket, add_saturated(cells[0].amount, amount) };
    }
}

uint64_t window_free_ms(const struct window_cell *cells, size_t count, uint64_t window_ms,
                        uint64_t most, uint64_t amount, uint64_t now_ms)
{
    uint64_t bucket = window_clamp(cells, count, window_bucket(window_ms, now_ms));
    uint64_t used = 0;

    if (amount > most)
        return UINT64_MAX;
    /* From the newest on: the first cell that does not fit any more has to leave, and all before it leave earlier. */
    for (size_t i = count; i-- > 0 && bucket - cells[i].bucket <= WINDOW_BUCKETS;) {
        used = add_saturated(used, cells[i].amount);
        if (window_admits(used, amount, most))
            continue;
        uint64_t at = window_bucket_begin_ms(window_ms, cells[i].bucket + WINDOW_CELLS_MAX);
        return at > now_ms ? at - now_ms : 0;
    }
    return 0;
}
