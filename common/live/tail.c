/* common/live/tail.c - see tail.h. */
#include "common/live/tail.h"

#include "common/base/clock.h"

static bool has_control_byte(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

/* Where the first ` until=`, ` by=` or ` note=` begins (at a word's start); the length of `text` without one. */
static size_t tail_begin(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        struct slice rest = slice_skip(text, i);
        if (i > 0 && text.ptr[i - 1] != ' ')
            continue;
        if (slice_starts_with(rest, SLICE("until=")) || slice_starts_with(rest, SLICE("by=")) ||
            slice_starts_with(rest, SLICE("note=")))
            return i;
    }
    return text.len;
}

static bool tail_word(struct live_tail *tail, struct slice name, struct slice value,
                      const char **error)
{
    if (slice_equal(name, SLICE("until")) && tail->until_s == 0) {
        if (slice_to_u64(value, &tail->until_s) && tail->until_s > 0)
            return true;
        *error = "until= takes Unix seconds";
    } else if (slice_equal(name, SLICE("by")) && tail->by.ptr == NULL) {
        tail->by = value;
        return true;
    } else {
        *error = "only until=, by= and note= may follow the value, each once";
    }
    return false;
}

bool live_tail_parse(struct slice text, struct live_tail *out, const char **error)
{
    struct live_tail tail = { .until_s = 0 };

    if (has_control_byte(text)) {
        *error = "control bytes are not allowed";
        return false;
    }
    size_t at = tail_begin(text);
    tail.head = slice_trim(slice_part(text, 0, at));
    struct slice rest = slice_skip(text, at), word, name;
    while ((rest = slice_trim(rest)).len > 0) {
        if (slice_starts_with(rest, SLICE("note="))) {
            tail.note = slice_skip(rest, 5);
            break;
        }
        if (!slice_cut(&rest, ' ', &word)) {
            word = rest;
            rest = slice_skip(rest, rest.len);
        }
        if (!slice_cut(&word, '=', &name)) {
            *error = "only until=, by= and note= may follow the value, each once";
            return false;
        }
        if (!tail_word(&tail, name, word, error))
            return false;
    }
    *out = tail;
    return true;
}

bool live_tail_is_expired(const struct live_tail *tail, uint64_t wall_ms)
{
    return tail->until_s != 0 && tail->until_s <= wall_ms / SECOND;
}

int live_tail_print(struct buf *out, const struct live_tail *tail)
{
    const char *gap = tail->head.len > 0 ? " " : "";

    if (buf_add(out, tail->head))
        return -1;
    if (tail->until_s != 0) {
        if (buf_printf(out, "%suntil=%llu", gap, (unsigned long long)tail->until_s))
            return -1;
        gap = " ";
    }
    if (tail->by.len > 0) {
        if (buf_printf(out, "%sby=%.*s", gap, SLICE_ARG(tail->by)))
            return -1;
        gap = " ";
    }
    return tail->note.len == 0 ? 0 : buf_printf(out, "%snote=%.*s", gap, SLICE_ARG(tail->note));
}
