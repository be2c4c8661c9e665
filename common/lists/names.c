/* common/lists/names.c - see names.h. A slot holds the hash and where the record is, so that a miss touches one cache
 * line and a hit two. */
#include "common/lists/names.h"

#include "common/base/hash.h"

enum { SLOTS_LEAST = 16, RECORD_ALIGN = 4 };

/* In the pool, followed by the name. */
struct record_head {
    uint32_t data;
    uint16_t len;
    unsigned char tag;
    char before;
};
_Static_assert(sizeof(struct record_head) == 8, "`before` must be the byte before the name");

void names_init(struct names *names)
{
    *names = (struct names){ .pool = BUF_INIT(UINT32_MAX - 1) };
}

void names_free(struct names *names)
{
    free(names->slots);
    buf_free(&names->pool);
    names_init(names);
}

uint32_t names_hash(struct slice name)
{
    return (uint32_t)hash_keyed(name);
}

static struct name_slot *slot_for(struct name_slot *slots, size_t count, uint32_t hash)
{
    size_t i = hash & (count - 1);

    while (slots[i].at != 0)
        i = (i + 1) & (count - 1);
    return &slots[i];
}

/* Room for one more at a load of at most 3/4. */
static int slots_grow(struct names *names)
{
    size_t count = names->slot_count;

    if (names->count < count / 4 * 3)
        return 0;
    count = count == 0 ? SLOTS_LEAST : count * 2;
    struct name_slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        return -1;
    for (size_t i = 0; i < names->slot_count; i++)
        if (names->slots[i].at != 0)
            *slot_for(slots, count, names->slots[i].hash) = names->slots[i];
    free(names->slots);
    names->slots = slots;
    names->slot_count = count;
    return 0;
}

int names_add(struct names *names, struct slice name, char before, unsigned char tag, uint32_t data)
{
    struct record_head head = { data, (uint16_t)name.len, tag, before };
    size_t size = (sizeof head + name.len + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
    uint32_t hash = names_hash(name);

    if (name.len > NAME_MAX_LEN || slots_grow(names) || buf_reserve(&names->pool, size))
        return -1;
    char *at = names->pool.data + names->pool.len;
    memset(at, 0, size);
    memcpy(at, &head, sizeof head);
    if (name.len > 0)
        memcpy(at + sizeof head, name.ptr, name.len);
    *slot_for(names->slots, names->slot_count, hash) =
        (struct name_slot){ hash, (uint32_t)names->pool.len + 1 };
    names->pool.len += size;
    names->count++;
    return 0;
}

void names_set_data(struct names *names, uint32_t at, uint32_t data)
{
    memcpy(names->pool.data + at + offsetof(struct record_head, data), &data, sizeof data);
}

void names_shrink(struct names *names)
{
    char *data = names->pool.data == NULL ? NULL : realloc(names->pool.data, names->pool.len + 1);

    if (data != NULL) {
        names->pool.data = data;
        names->pool.cap = names->pool.len;
    }
}

void names_prefetch(const struct names *names, uint32_t hash)
{
    if (names->slot_count > 0)
        __builtin_prefetch(&names->slots[hash & (names->slot_count - 1)]);
}

bool names_next(const struct names *names, struct slice name, struct names_cursor *cursor,
                struct name_record *out)
{
    size_t mask = names->slot_count - 1;

    while (cursor->probes < names->slot_count) {
        struct name_slot slot = names->slots[(cursor->hash + cursor->probes) & mask];
        if (slot.at == 0)
            return false;
        cursor->probes++;
        if (slot.hash != cursor->hash)
            continue;
        const char *at = names->pool.data + slot.at - 1;
        struct record_head head;
        memcpy(&head, at, sizeof head);
        struct slice text = { at + sizeof head, head.len };
        if (!slice_equal(text, name))
            continue;
        *out = (struct name_record){ text, head.before, head.tag, head.data, slot.at - 1 };
        return true;
    }
    return false;
}

size_t names_memory(const struct names *names)
{
    return names->slot_count * sizeof *names->slots + names->pool.cap;
}
