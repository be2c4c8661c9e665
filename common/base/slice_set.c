/* common/base/slice_set.c - see slice_set.h. Open addressing, at most half full; the keyed hash keeps those who choose the texts
 * from choosing where they fall. */
#include "common/base/slice_set.h"

#include "common/base/hash.h"

enum { ROOM_MIN = 16, HASHED_AT_ONCE = 256 };

void slice_set_init(struct slice_set *set, struct arena *arena)
{
    *set = (struct slice_set){ .arena = arena };
}

/* Of the text in lower case: piece by piece, so it need not be copied. */
static uint64_t hash_of(struct slice text)
{
    char piece[HASHED_AT_ONCE + sizeof(uint64_t)];
    uint64_t hash = 0;

    do {
        struct slice part = slice_part(text, 0, HASHED_AT_ONCE);
        for (size_t i = 0; i < part.len; i++)
            piece[i] = ascii_lower(part.ptr[i]);
        memcpy(piece + part.len, &hash, sizeof hash);
        hash = hash_keyed((struct slice){ piece, part.len + sizeof hash });
        text = slice_skip(text, part.len);
    } while (text.len > 0);
    return hash;
}

/* Where it is, or would be. */
static struct slice *slot_of(struct slice *slots, size_t room, struct slice text)
{
    size_t at = (size_t)hash_of(text) & (room - 1);

    while (slots[at].ptr != NULL && !slice_equal_nocase(slots[at], text))
        at = (at + 1) & (room - 1);
    return &slots[at];
}

static bool grow(struct slice_set *set)
{
    size_t room = set->room == 0 ? ROOM_MIN : set->room * 2;
    struct slice *slots;

    if (set->count < set->room / 2)
        return true;
    slots = arena_alloc_array(set->arena, room, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < set->room; i++)
        if (set->slots[i].ptr != NULL)
            *slot_of(slots, room, set->slots[i]) = set->slots[i];
    set->slots = slots;
    set->room = room;
    return true;
}

bool slice_set_add(struct slice_set *set, struct slice text, bool *is_new)
{
    if (!grow(set))
        return false;
    struct slice *slot = slot_of(set->slots, set->room, text);
    bool is_free = slot->ptr == NULL;
    if (is_free) {
        struct slice copy = arena_copy(set->arena, text.ptr == NULL ? SLICE("") : text);
        if (copy.ptr == NULL)
            return false;
        *slot = copy;
        set->count++;
    }
    if (is_new != NULL)
        *is_new = is_free;
    return true;
}

bool slice_set_has(const struct slice_set *set, struct slice text)
{
    return set->count > 0 && slot_of(set->slots, set->room, text)->ptr != NULL;
}
