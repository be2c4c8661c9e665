/* common/lists/tails.c - see tails.h. */
#include "common/lists/tails.h"

#include "common/base/clock.h"

void tails_init(struct tails *tails)
{
    *tails = (struct tails){ .texts = BUF_INIT(UINT32_MAX - 1) };
}

void tails_free(struct tails *tails)
{
    free(tails->records);
    buf_free(&tails->texts);
    tails_init(tails);
}

static int records_grow(struct tails *tails)
{
    size_t cap = tails->cap == 0 ? 16 : tails->cap * 2;

    if (tails->count < tails->cap)
        return 0;
    if (tails->count >= UINT32_MAX - 1)
        return -1;
    struct tail_record *records = reallocarray(tails->records, cap, sizeof *records);
    if (records == NULL)
        return -1;
    tails->records = records;
    tails->cap = cap;
    return 0;
}

int tails_add(struct tails *tails, const struct live_tail *tail, uint32_t *number)
{
    struct slice by = slice_part(tail->by, 0, TAIL_WORD_MAX);
    struct slice note = slice_part(tail->note, 0, TAIL_NOTE_MAX);

    if (tail->until_s == 0 && by.len == 0 && note.len == 0) {
        *number = TAIL_NONE;
        return 0;
    }
    if (records_grow(tails) || buf_reserve(&tails->texts, by.len + note.len))
        return -1;
    tails->records[tails->count++] =
        (struct tail_record){ tail->until_s, (uint32_t)tails->texts.len, (uint16_t)by.len,
                              (uint16_t)note.len };
    buf_add(&tails->texts, by); /* cannot fail: the room is there */
    buf_add(&tails->texts, note);
    *number = (uint32_t)tails->count;
    return 0;
}

struct live_tail tails_get(const struct tails *tails, uint32_t number)
{
    struct live_tail tail = { .until_s = 0 };

    if (number == TAIL_NONE)
        return tail;
    const struct tail_record *record = &tails->records[number - 1];
    struct slice texts = buf_slice(&tails->texts);
    tail.until_s = record->until_s;
    tail.by = slice_part(texts, record->at, record->by_len);
    tail.note = slice_part(texts, record->at + record->by_len, record->note_len);
    return tail;
}

bool tails_is_expired(const struct tails *tails, uint32_t number, uint64_t wall_ms)
{
    struct live_tail tail = { .until_s = 0 };

    if (number == TAIL_NONE)
        return false;
    tail.until_s = tails->records[number - 1].until_s;
    return live_tail_is_expired(&tail, wall_ms);
}

uint32_t tails_longer(const struct tails *tails, uint32_t a, uint32_t b)
{
    uint64_t a_s = a == TAIL_NONE ? 0 : tails->records[a - 1].until_s;
    uint64_t b_s = b == TAIL_NONE ? 0 : tails->records[b - 1].until_s;

    if (a_s == 0 || b_s == 0)
        return a_s == 0 ? a : b;
    return a_s >= b_s ? a : b;
}

size_t tails_memory(const struct tails *tails)
{
    return tails->cap * sizeof *tails->records + tails->texts.cap;
}
