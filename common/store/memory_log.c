/* common/store/memory_log.c - see memory_log.h. */
#include "common/store/memory_log.h"

struct log_line {
    uint64_t ms, sequence;
    uint32_t at, len; /* of its text, in `texts` */
};

bool log_ring_init(struct log_ring *ring, size_t lines, size_t bytes)
{
    *ring = (struct log_ring){ .room = lines, .size = bytes };
    pthread_mutex_init(&ring->lock, NULL);
    ring->lines = calloc(ring->room, sizeof *ring->lines);
    ring->texts = malloc(ring->size);
    return ring->lines != NULL && ring->texts != NULL;
}

void log_ring_free(struct log_ring *ring)
{
    free(ring->lines);
    free(ring->texts);
    pthread_mutex_destroy(&ring->lock);
}

static struct log_line *line_at(const struct log_ring *ring, uint64_t number)
{
    return &ring->lines[number % ring->room];
}

static struct slice text_of(const struct log_ring *ring, const struct log_line *line)
{
    return (struct slice){ ring->texts + line->at, line->len };
}

/* Where a text of `len` bytes goes: behind the newest, or to the front if it would not fit there. The oldest lines, which
 * lie in its way, are dropped. */
static size_t make_room(struct log_ring *ring, size_t len)
{
    size_t from = ring->end, to;

    if (len > ring->size - from) {
        while (ring->first < ring->next && line_at(ring, ring->first)->at >= from)
            ring->first++;
        from = 0;
    }
    to = from + len;
    while (ring->first < ring->next && line_at(ring, ring->first)->at >= from &&
           line_at(ring, ring->first)->at < to)
        ring->first++;
    if (ring->next - ring->first == ring->room)
        ring->first++;
    return from;
}

bool log_ring_add(struct log_ring *ring, struct slice text, uint64_t wall_ms)
{
    if (text.len > ring->size)
        return false;
    pthread_mutex_lock(&ring->lock);
    size_t at = make_room(ring, text.len);
    if (wall_ms > ring->last_ms) {
        ring->last_ms = wall_ms;
        ring->last_sequence = 0;
    } else {
        ring->last_sequence++;
    }
    if (text.len > 0)
        memcpy(ring->texts + at, text.ptr, text.len);
    *line_at(ring, ring->next++) =
        (struct log_line){ ring->last_ms, ring->last_sequence, (uint32_t)at, (uint32_t)text.len };
    ring->end = at + text.len;
    pthread_mutex_unlock(&ring->lock);
    return true;
}

static bool parse_id(struct slice id, uint64_t *ms, uint64_t *sequence)
{
    struct slice rest = id, head;

    return slice_cut(&rest, '-', &head) && slice_to_u64(head, ms) && slice_to_u64(rest, sequence);
}

/* Number of the first line after the id. */
static uint64_t first_after(const struct log_ring *ring, uint64_t ms, uint64_t sequence)
{
    uint64_t low = ring->first, high = ring->next;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        const struct log_line *line = line_at(ring, middle);
        if (line->ms > ms || (line->ms == ms && line->sequence > sequence))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static bool is_wanted(struct slice text, struct slice find)
{
    return find.len == 0 || memmem(text.ptr, text.len, find.ptr, find.len) != NULL;
}

/* Where the newest `count` wanted lines begin. */
static uint64_t first_of_newest(const struct log_ring *ring, struct slice find, size_t count)
{
    uint64_t number = ring->next;

    while (number > ring->first && count > 0)
        if (is_wanted(text_of(ring, line_at(ring, --number)), find))
            count--;
    return number;
}

static bool copy_lines(const struct log_ring *ring, struct store_log_read *read, uint64_t number)
{
    size_t most = read->count;

    read->count = 0;
    for (; number < ring->next && read->count < most; number++) {
        const struct log_line *line = line_at(ring, number);
        struct slice text = text_of(ring, line);
        if (!is_wanted(text, read->find))
            continue;
        struct store_field *out = &read->lines[read->count];
        out->name = arena_printf(read->arena, "%llu-%llu", (unsigned long long)line->ms,
                                 (unsigned long long)line->sequence);
        out->text = arena_copy(read->arena, text);
        if (out->name.ptr == NULL || out->text.ptr == NULL)
            return false;
        read->count++;
    }
    return true;
}

bool log_ring_read(struct log_ring *ring, struct store_log_read *read)
{
    uint64_t ms = 0, sequence = 0;
    bool ok;

    if (read->after.len > 0 && !parse_id(read->after, &ms, &sequence))
        return false;
    if (read->count > ring->room)
        read->count = ring->room;
    read->lines = arena_alloc_array(read->arena, read->count, sizeof *read->lines);
    if (read->lines == NULL)
        return false;
    pthread_mutex_lock(&ring->lock);
    ok = copy_lines(ring, read,
                    read->after.len > 0 ? first_after(ring, ms, sequence)
                                        : first_of_newest(ring, read->find, read->count));
    pthread_mutex_unlock(&ring->lock);
    return ok;
}
