/* common/store/usage_key.c - see usage_key.h. */
#include "common/store/usage_key.h"

bool usage_key_parse(struct slice key, struct slice *subject, struct slice *limit,
                     uint64_t *window_ms)
{
    struct slice head, tail, name;
    size_t at;

    if (!slice_starts_with(key, SLICE("gh:q:{")))
        return false;
    key = slice_skip(key, 6);
    if (!slice_cut(&key, '}', &head) || !slice_starts_with(key, SLICE(":")) ||
        !slice_ends_with(key, SLICE(".24")))
        return false;
    key = slice_part(key, 1, key.len - 4);
    at = slice_rfind(key, '.');
    if (at == SIZE_MAX)
        return false;
    name = slice_part(key, 0, at);
    tail = slice_skip(key, at + 1);
    if (name.len == 0 || !slice_to_u64(tail, window_ms) || *window_ms == 0)
        return false;
    *subject = head;
    *limit = name;
    return true;
}
