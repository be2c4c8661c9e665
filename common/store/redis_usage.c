/* common/store/redis_usage.c - usage counters as a whole: a subject's are removed, the highest are listed. Both look
 * through the keys of Redis in small steps, and give up at a bound. */
#include "common/store/store_redis_impl.h"
#include "common/store/usage_key.h"

enum {
    SCAN_COUNT = 1000,
    RESET_EXAMINED_MOST = 20 * 1000 * 1000, /* keys of the database */
    TOP_EXAMINED_MOST = 500 * 1000,
    TOP_ROWS_MOST = 1000,
    SCAN_MS = 10000,
    PATTERN_SIZE = 512,
};

struct top_row {
    char limit[80], subject[LIMIT_SUBJECT_MAX + 1];
    uint64_t used, window_ms;
};

static struct worker_store *of(struct store *store)
{
    return (struct worker_store *)(void *)store;
}

static const char *cursor_of(const struct pending *pending)
{
    return pending->cursor[0] == '\0' ? "0" : pending->cursor;
}

static bool is_last_step(struct pending *pending, size_t most)
{
    pending->examined += SCAN_COUNT;
    return strcmp(pending->cursor, "0") == 0 || pending->examined >= most;
}

static void pattern_put(char *pattern, size_t *len, struct slice text)
{
    for (size_t i = 0; i < text.len && *len + 3 < PATTERN_SIZE; i++) {
        if (strchr("*?[]\\^", text.ptr[i]) != NULL)
            pattern[(*len)++] = '\\';
        pattern[(*len)++] = text.ptr[i];
    }
}

/* SCAN for the usage of a limit (absent: of all) and a subject (absent: of all). */
static bool scan_send(struct pending *pending, struct slice limit, struct slice subject)
{
    struct worker_store *store = pending->store;
    char pattern[PATTERN_SIZE];
    size_t len = 0;

    args_begin(store, "SCAN");
    redis_args_add(&store->args, slice_of(cursor_of(pending)));
    redis_args_add(&store->args, SLICE("COUNT"));
    redis_args_u64(&store->args, SCAN_COUNT);
    redis_args_add(&store->args, SLICE("MATCH"));
    if (subject.ptr != NULL)
        pattern_put(pattern, &len, subject);
    else
        pattern[len++] = '*';
    memcpy(pattern + len, "}:", 2);
    len += 2;
    if (limit.ptr != NULL)
        pattern_put(pattern, &len, limit);
    else
        pattern[len++] = '*';
    redis_args_printf(&store->args, "gh:q:{%.*s.*.24", (int)len, pattern);
    return send_command(pending);
}

static bool is_wanted(const struct redisReply *item, struct slice wanted_limit,
                      struct slice wanted_subject, struct slice *key)
{
    struct slice subject, limit;
    uint64_t window_ms;

    return redis_text(item, key) && usage_key_parse(*key, &subject, &limit, &window_ms) &&
           (wanted_limit.ptr == NULL || slice_equal(limit, wanted_limit)) &&
           (wanted_subject.ptr == NULL || slice_equal(subject, wanted_subject));
}

/* ---- reset: SCAN, then UNLINK what was found, and on ---- */

static bool reset_send(struct pending *pending)
{
    const struct store_reset *reset = (const void *)pending->call;

    if (pending->is_second)
        return send_command(pending); /* made by unlink_found() */
    return scan_send(pending, reset->limit, reset->subject);
}

static size_t unlink_found(struct worker_store *store, const struct store_reset *reset,
                           const struct redisReply *items, size_t count)
{
    size_t found = 0;

    args_begin(store, "UNLINK");
    for (size_t i = 0; i < count; i++) {
        struct slice key;
        if (!is_wanted(redis_item(items, i), reset->limit, reset->subject, &key))
            continue;
        redis_args_printf(&store->args, "%.*s", SLICE_ARG(key));
        found++;
    }
    return found;
}

static enum progress reset_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_reset *reset = (void *)pending->call;
    const struct redisReply *items;
    int64_t removed;
    size_t count;

    if (pending->is_second) {
        if (!redis_integer(reply, &removed) || removed < 0)
            return PROGRESS_FAILED;
        reset->removed += (uint64_t)removed;
        pending->is_second = false;
    } else {
        if (answer_scan(reply, pending->cursor, &items, &count) != ANSWER_OK)
            return PROGRESS_FAILED;
        if (unlink_found(pending->store, reset, items, count) > 0) {
            pending->is_second = true;
            return PROGRESS_AGAIN;
        }
    }
    if (!is_last_step(pending, RESET_EXAMINED_MOST))
        return PROGRESS_AGAIN;
    return strcmp(pending->cursor, "0") == 0 ? PROGRESS_DONE : PROGRESS_FAILED;
}

static const struct pending_kind reset_kind = {
    .deadline_ms = SCAN_MS,
    .writes = true,
    .send = reset_send,
    .reply = reset_reply,
};

bool redis_store_reset(struct store *base, struct store_reset *reset)
{
    struct worker_store *store = of(base);
    struct store_reset here = { .limit = reset->limit, .subject = reset->subject };

    if (store->local != NULL)
        (void)store_reset(store->local, &here); /* done at once; here alone it does not count */
    return pending_start(store, &reset_kind, &reset->call);
}

/* ---- top: SCAN, then the usage of what was found, and on ---- */

static bool top_send(struct pending *pending)
{
    const struct store_top *top = (const void *)pending->call;
    struct redis_args *args = &pending->store->args;

    if (!pending->is_second)
        return scan_send(pending, top->limit, (struct slice){ NULL, 0 });
    redis_args_script(args);
    for (size_t i = 0; i < pending->room; i++) {
        const struct top_row *row = &pending->rows[pending->row_count + i];
        redis_args_printf(
            args, USAGE_KEY_FORMAT,
            USAGE_KEY_ARG(slice_of(row->subject), slice_of(row->limit), row->window_ms));
    }
    redis_args_end_keys(args);
    args_time(pending->store);
    return send_script(pending, SCRIPT_USAGE);
}

/* Puts the keys found into `rows` behind the ones kept; `room` is their number. */
static bool take_found(struct pending *pending, const struct store_top *top,
                       const struct redisReply *items, size_t count)
{
    struct top_row *rows = reallocarray(pending->rows, pending->row_count + count, sizeof(*rows));
    size_t found = 0;

    if (rows == NULL)
        return false;
    pending->rows = rows;
    for (size_t i = 0; i < count; i++) {
        struct top_row *row = &rows[pending->row_count + found];
        struct slice key, subject, limit;
        if (!is_wanted(redis_item(items, i), top->limit, (struct slice){ NULL, 0 }, &key) ||
            !usage_key_parse(key, &subject, &limit, &row->window_ms) ||
            subject.len >= sizeof(row->subject) || limit.len >= sizeof(row->limit))
            continue;
        snprintf(row->subject, sizeof(row->subject), "%.*s", SLICE_ARG(subject));
        snprintf(row->limit, sizeof(row->limit), "%.*s", SLICE_ARG(limit));
        found++;
    }
    pending->room = found;
    return true;
}

static int by_used(const void *a, const void *b)
{
    const struct top_row *left = a, *right = b;

    if (left->used != right->used)
        return left->used > right->used ? -1 : 1;
    int order = strcmp(left->subject, right->subject);
    if (order == 0)
        order = strcmp(left->limit, right->limit);
    if (order == 0 && left->window_ms != right->window_ms)
        order = left->window_ms < right->window_ms ? -1 : 1;
    return order;
}

/* A key may be found twice by SCAN. */
static void drop_repeated(struct pending *pending)
{
    size_t kept = 0;

    for (size_t i = 0; i < pending->row_count; i++) {
        const struct top_row *row = &pending->rows[i], *last = &pending->rows[kept - (kept > 0)];
        if (row->used == 0 ||
            (kept > 0 && strcmp(row->subject, last->subject) == 0 &&
             strcmp(row->limit, last->limit) == 0 && row->window_ms == last->window_ms))
            continue;
        pending->rows[kept++] = *row;
    }
    pending->row_count = kept;
}

static bool take_usage(struct pending *pending, const struct redisReply *reply, size_t most)
{
    size_t count;

    if (!redis_list(reply, &count) || count != pending->room)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct slice text;
        if (!redis_text(redis_item(reply, i), &text) ||
            !slice_to_u64(text, &pending->rows[pending->row_count + i].used))
            return false;
    }
    pending->row_count += count;
    if (pending->row_count > 0)
        qsort(pending->rows, pending->row_count, sizeof(*pending->rows), by_used);
    drop_repeated(pending);
    if (pending->row_count > most)
        pending->row_count = most;
    return true;
}

static enum progress top_finish(const struct pending *pending, struct store_top *top)
{
    top->rows = arena_alloc_array(top->arena, pending->row_count, sizeof(*top->rows));
    if (top->rows == NULL && pending->row_count > 0)
        return PROGRESS_FAILED;
    for (size_t i = 0; i < pending->row_count; i++) {
        const struct top_row *row = &pending->rows[i];
        top->rows[i] = (struct store_top_row){ arena_copy(top->arena, slice_of(row->limit)),
                                               arena_copy(top->arena, slice_of(row->subject)),
                                               row->used, row->window_ms };
        if (top->rows[i].limit.ptr == NULL || top->rows[i].subject.ptr == NULL)
            return PROGRESS_FAILED;
    }
    top->count = pending->row_count;
    return PROGRESS_DONE;
}

static enum progress top_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_top *top = (void *)pending->call;
    size_t most = top->count < TOP_ROWS_MOST ? top->count : TOP_ROWS_MOST, count;
    const struct redisReply *items;

    if (pending->is_second) {
        if (!take_usage(pending, reply, most))
            return PROGRESS_FAILED;
        pending->is_second = false;
    } else {
        if (answer_scan(reply, pending->cursor, &items, &count) != ANSWER_OK)
            return PROGRESS_FAILED;
        if (count > 0) {
            pending->is_second = take_found(pending, top, items, count);
            return pending->is_second ? PROGRESS_AGAIN : PROGRESS_FAILED;
        }
    }
    if (!is_last_step(pending, TOP_EXAMINED_MOST))
        return PROGRESS_AGAIN;
    return top_finish(pending, top);
}

static void top_release(struct pending *pending)
{
    free(pending->rows);
}

static const struct pending_kind top_kind = {
    .deadline_ms = SCAN_MS,
    .send = top_send,
    .reply = top_reply,
    .release = top_release,
};

bool redis_store_top(struct store *store, struct store_top *top)
{
    return pending_start(of(store), &top_kind, &top->call);
}
