/* common/store/memory_log.c - see memory_log.h. */
#include "common/store/memory_log.h"

enum { LINE_OVERHEAD = 24 };

struct log_line {
    uint64_t ms, sequence;
    size_t len;
    char text[];
};

bool log_ring_init(struct log_ring *ring, size_t lines, size_t bytes_max)
{
    *ring = (struct log_ring){ .room = lines, .bytes_max = bytes_max };
    pthread_mutex_init(&ring->lock, NULL);
    ring->lines = calloc(lines, sizeof(struct log_line *));
    return ring->lines != NULL;
}

static struct log_line *line_at(const struct log_ring *ring, uint64_t number)
{
    return ring->lines[number % ring->room];
}

static size_t line_bytes(size_t len)
{
    return sizeof(struct log_line) + len + LINE_OVERHEAD;
}

static void drop_oldest(struct log_ring *ring)
{
    struct log_line *line = line_at(ring, ring->first);

    ring->bytes -= line_bytes(line->len);
    free(line);
    ring->first++;
}

void log_ring_free(struct log_ring *ring)
{
    while (ring->first < ring->next)
        drop_oldest(ring);
    free(ring->lines);
    pthread_mutex_destroy(&ring->lock);
}

bool log_ring_add(struct log_ring *ring, struct slice text, uint64_t wall_ms)
{
    size_t bytes = line_bytes(text.len);
    struct log_line *line = bytes > ring->bytes_max ? NULL : calloc(1, sizeof *line + text.len);

    if (line == NULL)
        return false;
    line->len = text.len;
    if (text.len > 0)
        memcpy(line->text, text.ptr, text.len);
    pthread_mutex_lock(&ring->lock);
    while (ring->next - ring->first == ring->room || bytes > ring->bytes_max - ring->bytes)
        drop_oldest(ring);
    if (wall_ms > ring->last_ms) {
        ring->last_ms = wall_ms;
        ring->last_sequence = 0;
    } else {
        ring->last_sequence++;
    }
    line->ms = ring->last_ms;
    line->sequence = ring->last_sequence;
    ring->lines[ring->next++ % ring->room] = line;
    ring->bytes += bytes;
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

static bool is_wanted(const struct log_line *line, struct slice find)
{
    return find.len == 0 || memmem(line->text, line->len, find.ptr, find.len) != NULL;
}

/* Where the newest `count` wanted lines begin. */
static uint64_t first_of_newest(const struct log_ring *ring, struct slice find, size_t count)
{
    uint64_t number = ring->next;

    while (number > ring->first && count > 0)
        if (is_wanted(line_at(ring, --number), find))
            count--;
    return number;
}

static bool copy_lines(const struct log_ring *ring, struct store_log_read *read, uint64_t number)
{
    size_t most = read->count;

    read->count = 0;
    for (; number < ring->next && read->count < most; number++) {
        const struct log_line *line = line_at(ring, number);
        if (!is_wanted(line, read->find))
            continue;
        struct store_field *out = &read->lines[read->count];
        out->name = arena_printf(read->arena, "%llu-%llu", (unsigned long long)line->ms,
                                 (unsigned long long)line->sequence);
        out->text = arena_copy(read->arena, (struct slice){ line->text, line->len });
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
