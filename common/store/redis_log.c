/* common/store/redis_log.c - the decision log: a stream, written in batches off the request path, read from its end or
 * from a known line on. */
#include "common/store/store_redis_impl.h"

#include <inttypes.h>

enum {
    WAITING_LINES_MOST = 4096,
    WAITING_BYTES_MOST = 1024 * 1024,
    SENT_MOST = 2048, /* lines under way */
    BATCH = 128, /* so many are sent without waiting for the tick */
    TRIM_EVERY_MS = 60000,
    READ_MS = 10000,
    READ_STEP = 500,
    READ_MOST = 10000,
};

struct log_line {
    STAILQ_ENTRY(log_line) link;
    size_t len;
    char text[];
};

static struct worker_store *of(struct store *store)
{
    return (struct worker_store *)(void *)store;
}

/* ---- writing ---- */

static void on_line_written(void *arg, const struct redisReply *reply)
{
    struct worker_store *store = arg;
    struct slice id;

    store->log_sent--;
    if (!redis_text(reply, &id))
        store_count(STORE_LOG_DROPPED);
}

static bool line_send(struct worker_store *store, const struct log_line *line)
{
    args_begin(store, "XADD");
    redis_args_add(&store->args, SLICE("gh:log"));
    redis_args_add(&store->args, SLICE("MAXLEN"));
    redis_args_add(&store->args, SLICE("~"));
    redis_args_u64(&store->args, STORE_REDIS_LOG_LINES);
    redis_args_add(&store->args, SLICE("*"));
    redis_args_add(&store->args, SLICE("line"));
    redis_args_add(&store->args, (struct slice){ line->text, line->len });
    return redis_send(store->redis, &store->args, on_line_written, store);
}

static void line_drop(struct worker_store *store)
{
    struct log_line *line = STAILQ_FIRST(&store->log);

    STAILQ_REMOVE_HEAD(&store->log, link);
    store->log_count--;
    store->log_bytes -= line->len;
    free(line);
}

/* Servers before 6.2 do not know MINID; their error means nothing. */
static void trim(struct worker_store *store)
{
    const struct store_redis_options *options = &store->shared->options;
    const struct clock *clock = options->clock;
    uint64_t now_ms = clock->now_ms(clock), wall_ms = clock->wall_ms(clock);

    if (options->log_age_ms == 0 || wall_ms < options->log_age_ms ||
        (store->log_trimmed_ms != 0 && now_ms - store->log_trimmed_ms < TRIM_EVERY_MS))
        return;
    store->log_trimmed_ms = now_ms;
    args_begin(store, "XTRIM");
    redis_args_add(&store->args, SLICE("gh:log"));
    redis_args_add(&store->args, SLICE("MINID"));
    redis_args_u64(&store->args, wall_ms - options->log_age_ms);
    send_and_forget(store);
}

void redis_log_send(struct worker_store *store)
{
    if (!is_serving(store))
        return;
    while (!STAILQ_EMPTY(&store->log) && store->log_sent < SENT_MOST &&
           line_send(store, STAILQ_FIRST(&store->log))) {
        store->log_sent++;
        line_drop(store);
    }
    trim(store);
}

void redis_store_log(struct store *base, struct slice text)
{
    struct worker_store *store = of(base);
    struct log_line *line = NULL;

    if (store->log_count < WAITING_LINES_MOST && text.len <= WAITING_BYTES_MOST - store->log_bytes)
        line = malloc(sizeof(*line) + text.len);
    if (line == NULL) {
        store_count(STORE_LOG_DROPPED);
        return;
    }
    line->len = text.len;
    if (text.len > 0)
        memcpy(line->text, text.ptr, text.len);
    STAILQ_INSERT_TAIL(&store->log, line, link);
    store->log_count++;
    store->log_bytes += text.len;
    if (store->log_count % BATCH == 0)
        redis_log_send(store);
}

void redis_log_free(struct worker_store *store)
{
    while (!STAILQ_EMPTY(&store->log))
        line_drop(store);
}

/* ---- reading: forward from `after`, or backward from the end ---- */

static bool is_forward(const struct store_log_read *read)
{
    return read->after.len > 0;
}

static bool log_read_send(struct pending *pending)
{
    const struct store_log_read *read = (const void *)pending->call;
    struct redis_args *args = &pending->store->args;
    char next[48];

    if (is_forward(read) && pending->cursor[0] == '\0') {
        if (!log_id_next(read->after, next))
            return false;
        snprintf(pending->cursor, sizeof(pending->cursor), "%s", next);
    }
    args_begin(pending->store, is_forward(read) ? "XRANGE" : "XREVRANGE");
    redis_args_add(args, SLICE("gh:log"));
    redis_args_add(args, pending->cursor[0] == '\0' ? SLICE("+") : slice_of(pending->cursor));
    redis_args_add(args, is_forward(read) ? SLICE("+") : SLICE("-"));
    redis_args_add(args, SLICE("COUNT"));
    redis_args_u64(args, READ_STEP);
    return send_command(pending);
}

static bool contains(struct slice text, struct slice find)
{
    return find.len == 0 ||
           (text.len >= find.len && memmem(text.ptr, text.len, find.ptr, find.len) != NULL);
}

/* Takes the lines of one step, as many as are wanted. */
static bool take_lines(struct pending *pending, struct store_log_read *read,
                       const struct redisReply *reply, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct store_field line;
        if (answer_log_line(redis_item(reply, i), &line) != ANSWER_OK)
            return false;
        if (i + 1 == count && !(is_forward(read) ? log_id_next(line.name, pending->cursor)
                                                 : log_id_before(line.name, pending->cursor)))
            return false;
        if (pending->row_count == pending->room || line.text.ptr == NULL ||
            !contains(line.text, read->find))
            continue;
        line.name = arena_copy(read->arena, line.name);
        line.text = arena_copy(read->arena, line.text);
        if (line.name.ptr == NULL || line.text.ptr == NULL)
            return false;
        read->lines[pending->row_count++] = line;
    }
    return true;
}

static enum progress log_read_finish(const struct pending *pending, struct store_log_read *read)
{
    read->count = pending->row_count;
    for (size_t i = 0; !is_forward(read) && i < read->count / 2; i++) {
        struct store_field line = read->lines[i];
        read->lines[i] = read->lines[read->count - 1 - i];
        read->lines[read->count - 1 - i] = line;
    }
    return PROGRESS_DONE;
}

static enum progress log_read_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_log_read *read = (void *)pending->call;
    size_t count;

    if (!redis_list(reply, &count))
        return PROGRESS_FAILED;
    if (read->lines == NULL) {
        pending->room = read->count < READ_MOST ? read->count : READ_MOST;
        read->lines = arena_alloc_array(read->arena, pending->room, sizeof(*read->lines));
        if (read->lines == NULL)
            return pending->room == 0 ? log_read_finish(pending, read) : PROGRESS_FAILED;
    }
    if (!take_lines(pending, read, reply, count))
        return PROGRESS_FAILED;
    pending->examined += count;
    if (count < READ_STEP || pending->row_count == pending->room ||
        pending->examined >= 2 * STORE_REDIS_LOG_LINES)
        return log_read_finish(pending, read);
    return PROGRESS_AGAIN;
}

static void log_read_restart(struct pending *pending)
{
    struct store_log_read *read = (void *)pending->call;

    read->lines = NULL;
}

static const struct pending_kind log_read_kind = {
    .deadline_ms = READ_MS,
    .send = log_read_send,
    .reply = log_read_reply,
    .restart = log_read_restart,
};

bool redis_store_log_read(struct store *store, struct store_log_read *read)
{
    return pending_start(of(store), &log_read_kind, &read->call);
}
