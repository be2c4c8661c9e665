/* common/base/suggest.c - see suggest.h. */
#include "common/base/suggest.h"

#define NAME_MAX_LEN 64

struct suggest suggest_for(struct slice wanted)
{
    return (struct suggest){ .wanted = wanted };
}

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
    return ascii_lower(a) == ascii_lower(b);
}

/* Optimal string alignment: three rows of the usual table, so that a swap can look two rows back. */
static size_t distance(struct slice a, struct slice b)
{
    size_t rows[3][NAME_MAX_LEN + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];

    for (size_t j = 0; j <= b.len; j++)
        before[j] = last[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t changed = last[j - 1] + (same_letter(a.ptr[i - 1], b.ptr[j - 1]) ? 0 : 1);
            now[j] = least_of(changed, least_of(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && same_letter(a.ptr[i - 1], b.ptr[j - 2]) &&
                same_letter(a.ptr[i - 2], b.ptr[j - 1]))
                now[j] = least_of(now[j], before[j - 2] + 1);
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[b.len];
}

void suggest_offer(struct suggest *best, struct slice candidate)
{
    size_t most = best->wanted.len < 6 ? 1 : best->wanted.len / 3;

    if (best->wanted.len > NAME_MAX_LEN || candidate.len > NAME_MAX_LEN || candidate.len == 0)
        return;
    size_t found = distance(best->wanted, candidate);
    if (found <= most && (best->name.ptr == NULL || found < best->distance)) {
        best->name = candidate;
        best->distance = found;
    }
}
