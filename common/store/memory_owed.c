/* common/store/memory_owed.c - see memory_owed.h. */
#include "common/store/memory_owed.h"

#include "common/limits/window.h"

struct owed_record {
    struct store_owed owed; /* all it points to lies behind this struct, in the same block */
    size_t bytes;
    bool is_taken;
    struct store_owed_use uses[];
};

void owed_init(struct owed *owed, size_t bytes_max)
{
    *owed = (struct owed){ .first = 1, .next = 1, .free_from = 1, .bytes_max = bytes_max };
    pthread_mutex_init(&owed->lock, NULL);
}

void owed_free(struct owed *owed)
{
    for (uint64_t n = owed->first; n < owed->next; n++)
        free(owed->records[n % OWED_MAX]);
    free(owed->records);
    pthread_mutex_destroy(&owed->lock);
}

/* ---- under the lock ---- */

static struct owed_record *record_at(const struct owed *owed, uint64_t id)
{
    return id < owed->first || id >= owed->next ? NULL : owed->records[id % OWED_MAX];
}

static void record_drop(struct owed *owed, uint64_t id)
{
    struct owed_record *record = record_at(owed, id);

    if (record != NULL) {
        owed->bytes -= record->bytes;
        owed->count--;
        free(record);
        owed->records[id % OWED_MAX] = NULL;
    }
    while (owed->first < owed->next && owed->records[owed->first % OWED_MAX] == NULL)
        owed->first++;
    if (owed->free_from < owed->first)
        owed->free_from = owed->first;
}

static bool is_full(const struct owed *owed, size_t bytes)
{
    return owed->next - owed->first == OWED_MAX || bytes > owed->bytes_max - owed->bytes;
}

static uint64_t enter(struct owed *owed, struct owed_record *record)
{
    if (owed->records == NULL)
        owed->records = calloc(OWED_MAX, sizeof(struct owed_record *));
    if (owed->records == NULL || record->bytes > owed->bytes_max) {
        owed->lost++;
        return 0;
    }
    while (is_full(owed, record->bytes)) {
        owed->lost++;
        record_drop(owed, owed->first);
    }
    record->owed.id = owed->next++;
    owed->records[record->owed.id % OWED_MAX] = record;
    owed->bytes += record->bytes;
    owed->count++;
    return record->owed.id;
}

/* ---- */

static bool adds(const struct limit_use *use)
{
    return use->amount > 0 && use->rate.window_ms > 0;
}

/* Copies to *at, and moves it on. */
static struct slice put_text(char **at, struct slice text)
{
    struct slice copy = { text.ptr == NULL ? NULL : *at, text.len };

    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

static struct owed_record *record_new(const struct store_charge *charge)
{
    size_t count = 0, bytes = sizeof(struct owed_record) + charge->once.len;

    for (size_t i = 0; i < charge->use_count; i++) {
        const struct limit_use *use = &charge->uses[i];
        if (!adds(use))
            continue;
        bytes += sizeof(struct store_owed_use) + limit_name(use->limit).len + use->subject.len;
        count++;
    }
    struct owed_record *record = calloc(1, bytes);
    if (record == NULL)
        return NULL;
    char *at = (char *)&record->uses[count];
    record->bytes = bytes;
    record->owed = (struct store_owed){ .once = put_text(&at, charge->once), .uses = record->uses };
    for (size_t i = 0; i < charge->use_count; i++) {
        const struct limit_use *use = &charge->uses[i];
        if (!adds(use))
            continue;
        record->uses[record->owed.count++] =
            (struct store_owed_use){ put_text(&at, limit_name(use->limit)),
                                     put_text(&at, use->subject), use->rate.window_ms, use->bucket,
                                     use->amount };
    }
    return record;
}

uint64_t owed_add(struct owed *owed, const struct store_charge *charge)
{
    struct owed_record *record;
    bool is_any = false;
    uint64_t id = 0;

    for (size_t i = 0; i < charge->use_count; i++)
        is_any |= adds(&charge->uses[i]);
    if (!is_any)
        return 0;
    record = record_new(charge);
    pthread_mutex_lock(&owed->lock);
    if (record == NULL)
        owed->lost++;
    else
        id = enter(owed, record);
    pthread_mutex_unlock(&owed->lock);
    if (id == 0)
        free(record);
    return id;
}

static bool has_expired(const struct owed_record *record, uint64_t now_ms)
{
    for (size_t i = 0; i < record->owed.count; i++) {
        const struct store_owed_use *use = &record->owed.uses[i];
        uint64_t bucket = window_bucket(use->window_ms, now_ms);
        if (bucket < use->bucket || bucket - use->bucket <= WINDOW_BUCKETS)
            return false;
    }
    return true;
}

static bool copy_record(const struct owed_record *record, struct arena *arena,
                        struct store_owed *out)
{
    const struct store_owed *from = &record->owed;
    struct store_owed copy = { .id = from->id, .once = arena_copy(arena, from->once) };

    copy.uses = arena_alloc_array(arena, from->count, sizeof *copy.uses);
    if (copy.uses == NULL || (from->once.ptr != NULL && copy.once.ptr == NULL))
        return false;
    for (; copy.count < from->count; copy.count++) {
        struct store_owed_use *use = &copy.uses[copy.count];
        *use = from->uses[copy.count];
        use->limit = arena_copy(arena, use->limit);
        use->subject = arena_copy(arena, use->subject);
        if (use->limit.ptr == NULL || use->subject.ptr == NULL)
            return false;
    }
    *out = copy;
    return true;
}

bool owed_take(struct owed *owed, uint64_t now_ms, struct arena *arena, struct store_owed *out)
{
    bool ok = false;

    pthread_mutex_lock(&owed->lock);
    while (owed->free_from < owed->next) {
        struct owed_record *record = record_at(owed, owed->free_from);
        if (record != NULL && !record->is_taken) {
            if (!has_expired(record, now_ms)) {
                ok = record->is_taken = copy_record(record, arena, out);
                break;
            }
            record_drop(owed, record->owed.id);
            continue;
        }
        owed->free_from++;
    }
    pthread_mutex_unlock(&owed->lock);
    return ok;
}

void owed_return(struct owed *owed, uint64_t id)
{
    pthread_mutex_lock(&owed->lock);
    struct owed_record *record = record_at(owed, id);
    if (record != NULL) {
        record->is_taken = false;
        if (id < owed->free_from)
            owed->free_from = id;
    }
    pthread_mutex_unlock(&owed->lock);
}

void owed_settle(struct owed *owed, uint64_t id)
{
    pthread_mutex_lock(&owed->lock);
    record_drop(owed, id);
    pthread_mutex_unlock(&owed->lock);
}
