/* common/store/redis_hashes.c - live state in Redis: some fields of a hash, a whole hash, a change, several in one
 * step (swap.lua), what changed. */
#include "common/store/store_redis_impl.h"

enum {
    SCAN_COUNT = 1000, /* fields per step, so that a large list holds nobody up */
    READ_MS = 10000,
    WRITE_MS = 2000,
    POLL_MS = 1000,
};

static struct worker_store *of(struct store *store)
{
    return (struct worker_store *)(void *)store;
}

static enum progress progress_of(enum answer answer)
{
    return answer == ANSWER_OK ? PROGRESS_DONE : PROGRESS_FAILED;
}

/* ---- fetch ---- */

static bool fetch_send(struct pending *pending)
{
    const struct store_fetch *fetch = (const void *)pending->call;
    struct worker_store *store = pending->store;

    args_begin(store, "HMGET");
    args_key(store, fetch->key);
    for (size_t i = 0; i < fetch->count; i++)
        redis_args_add(&store->args, fetch->fields[i]);
    return send_command(pending);
}

static enum progress fetch_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_fetch *fetch = (void *)pending->call;

    return progress_of(answer_texts(reply, fetch->texts, fetch->count, fetch->arena));
}

static const struct pending_kind fetch_kind = {
    .is_request = true,
    .send = fetch_send,
    .reply = fetch_reply,
};

bool redis_store_fetch(struct store *store, struct store_fetch *fetch)
{
    if (fetch->count > 0)
        return pending_start(of(store), &fetch_kind, &fetch->call);
    fetch->call.result = STORE_OK;
    return true;
}

/* ---- read: HSCAN, step by step. A field may come twice while the hash grows: the later one counts. ---- */

static bool read_send(struct pending *pending)
{
    const struct store_read *read = (const void *)pending->call;
    struct worker_store *store = pending->store;

    args_begin(store, "HSCAN");
    args_key(store, read->key);
    redis_args_add(&store->args,
                   pending->cursor[0] == '\0' ? SLICE("0") : slice_of(pending->cursor));
    redis_args_add(&store->args, SLICE("COUNT"));
    redis_args_u64(&store->args, SCAN_COUNT);
    return send_command(pending);
}

static bool read_room(struct pending *pending, struct store_read *read, size_t more)
{
    if (more <= pending->room - read->count)
        return true;
    size_t room = (read->count + more) * 2;
    struct store_field *fields = arena_alloc_array(read->arena, room, sizeof(*fields));
    if (fields == NULL)
        return false;
    if (read->count > 0)
        memcpy(fields, read->fields, read->count * sizeof(*fields));
    read->fields = fields;
    pending->room = room;
    return true;
}

static bool read_add(struct store_read *read, const struct redisReply *name,
                     const struct redisReply *value)
{
    struct slice field, text;

    if (!redis_text(name, &field) || !redis_text(value, &text))
        return false;
    field = arena_copy(read->arena, field);
    text = arena_copy(read->arena, text);
    if (field.ptr == NULL || text.ptr == NULL)
        return false;
    read->fields[read->count++] = (struct store_field){ field, text };
    return true;
}

static enum progress read_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_read *read = (void *)pending->call;
    const struct redisReply *items;
    char cursor[24];
    size_t count;

    if (answer_scan(reply, cursor, &items, &count) != ANSWER_OK || count % 2 != 0 ||
        !read_room(pending, read, count / 2))
        return PROGRESS_FAILED;
    for (size_t i = 0; i < count; i += 2) {
        if (!read_add(read, redis_item(items, i), redis_item(items, i + 1)))
            return PROGRESS_FAILED;
    }
    memcpy(pending->cursor, cursor, sizeof(cursor));
    return slice_equal(slice_of(cursor), SLICE("0")) ? PROGRESS_DONE : PROGRESS_AGAIN;
}

static void read_restart(struct pending *pending)
{
    struct store_read *read = (void *)pending->call;

    read->fields = NULL;
    read->count = 0;
}

static const struct pending_kind read_kind = {
    .deadline_ms = READ_MS,
    .send = read_send,
    .reply = read_reply,
    .restart = read_restart,
};

bool redis_store_read(struct store *store, struct store_read *read)
{
    return pending_start(of(store), &read_kind, &read->call);
}

/* ---- write ---- */

static bool write_send(struct pending *pending)
{
    const struct store_write *write = (const void *)pending->call;
    struct worker_store *store = pending->store;

    args_begin(store, write->field.ptr == NULL ? "DEL" : write->text.ptr == NULL ? "HDEL" : "HSET");
    args_key(store, write->key);
    if (write->field.ptr != NULL)
        redis_args_add(&store->args, write->field);
    if (write->field.ptr != NULL && write->text.ptr != NULL)
        redis_args_add(&store->args, write->text);
    if (!send_command(pending))
        return false;
    args_begin(store, "INCR");
    redis_args_add(&store->args, SLICE("gh:gen"));
    send_and_forget(store);
    return true;
}

static enum progress write_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_write *write = (void *)pending->call;
    bool is_added = write->field.ptr != NULL && write->text.ptr != NULL;
    int64_t number;

    if (!redis_integer(reply, &number))
        return PROGRESS_FAILED;
    write->existed = is_added ? number == 0 : number > 0;
    return PROGRESS_DONE;
}

static const struct pending_kind write_kind = {
    .deadline_ms = WRITE_MS,
    .writes = true,
    .send = write_send,
    .reply = write_reply,
};

bool redis_store_write(struct store *store, struct store_write *write)
{
    return pending_start(of(store), &write_kind, &write->call);
}

/* ---- swap ---- */

static bool swap_send(struct pending *pending)
{
    const struct store_swap *swap = (const void *)pending->call;
    struct worker_store *store = pending->store;

    redis_args_script(&store->args);
    args_key(store, swap->key);
    redis_args_add(&store->args, SLICE("gh:gen"));
    redis_args_end_keys(&store->args);
    for (size_t i = 0; i < swap->count; i++) {
        const struct store_change *change = &swap->changes[i];
        redis_args_add(&store->args, change->field);
        redis_args_add(&store->args, change->was.ptr == NULL ? SLICE("") : SLICE("1"));
        redis_args_add(&store->args, change->was);
        redis_args_add(&store->args, change->text);
    }
    return send_script(pending, SCRIPT_SWAP);
}

static enum progress swap_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_swap *swap = (void *)pending->call;
    int64_t number;

    if (!redis_integer(reply, &number))
        return PROGRESS_FAILED;
    swap->is_written = number == 1;
    return PROGRESS_DONE;
}

static const struct pending_kind swap_kind = {
    .deadline_ms = WRITE_MS,
    .writes = true,
    .send = swap_send,
    .reply = swap_reply,
};

bool redis_store_swap(struct store *store, struct store_swap *swap)
{
    return pending_start(of(store), &swap_kind, &swap->call);
}

/* ---- poll ---- */

static bool poll_send(struct pending *pending)
{
    const struct store_poll *poll = (const void *)pending->call;
    struct worker_store *store = pending->store;

    redis_args_script(&store->args);
    redis_args_add(&store->args, SLICE("gh:gen"));
    for (size_t i = 0; i < poll->count; i++)
        args_key(store, poll->keys[i]);
    redis_args_end_keys(&store->args);
    return send_script(pending, SCRIPT_POLL);
}

static enum progress poll_reply(struct pending *pending, const struct redisReply *reply)
{
    return progress_of(answer_poll(reply, (void *)pending->call));
}

static const struct pending_kind poll_kind = {
    .deadline_ms = POLL_MS,
    .send = poll_send,
    .reply = poll_reply,
};

bool redis_store_poll(struct store *store, struct store_poll *poll)
{
    return pending_start(of(store), &poll_kind, &poll->call);
}
