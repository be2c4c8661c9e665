/* common/store/redis_transaction.c - transaction records in Redis: written (transaction.lua, or with a charge by charge.lua),
 * read, told a verdict, charges given back, found by their queue id. */
#include "common/store/store_redis_impl.h"

enum {
    SCAN_COUNT = 1000,
    FIND_EXAMINED_MOST = 20 * 1000 * 1000, /* keys of the database */
    FIND_MS = 10000,
};

static struct worker_store *of(struct store *store)
{
    return (struct worker_store *)(void *)store;
}

static struct slice key_of(const struct transaction_key *key)
{
    return (struct slice){ key->text, key->len };
}

/* ---- writing ---- */

void args_record_keys(struct worker_store *store, const struct store_record *record)
{
    if (record == NULL)
        return;
    args_key(store, key_of(record->key));
    if (record->early != NULL && record->early->len > 0)
        args_key(store, key_of(record->early));
}

bool args_record(struct worker_store *store, const struct store_record *record)
{
    struct transaction texts;
    struct transaction_field *fields;
    size_t count;

    if (record == NULL)
        return true;
    texts = *record->transaction;
    texts.charge_count = 0;
    arena_reset(store->scratch);
    count = transaction_encode(&texts, store->scratch, &fields);
    redis_args_u64(&store->args, TRANSACTION_TTL_MS);
    redis_args_u64(&store->args, TRANSACTION_CHARGES_MAX);
    redis_args_add(&store->args, record->recipient);
    redis_args_u64(&store->args, TRANSACTION_RECIPIENTS_MAX);
    redis_args_u64(&store->args, count);
    for (size_t i = 0; i < count; i++) {
        redis_args_add(&store->args, fields[i].name);
        redis_args_add(&store->args, fields[i].text);
    }
    return count > 0;
}

static bool tx_write_send(struct pending *pending)
{
    const struct store_tx_write *write = (const void *)pending->call;
    const struct transaction *transaction = write->record.transaction;
    struct worker_store *store = pending->store;
    struct redis_args *args = &store->args;

    redis_args_script(args);
    args_record_keys(store, &write->record);
    redis_args_end_keys(args);
    redis_args_add(args, SLICE("write"));
    redis_args_u64(args, transaction->charge_count);
    for (size_t i = 0; i < transaction->charge_count; i++) {
        const struct transaction_charge *charge = &transaction->charges[i];
        redis_args_printf(args, TRANSACTION_CHARGE_FORMAT, TRANSACTION_CHARGE_ARG(charge));
        redis_args_u64(args, charge->amount);
    }
    return args_record(store, &write->record) && send_script(pending, SCRIPT_TRANSACTION);
}

static enum progress tx_write_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_tx_write *write = (void *)pending->call;
    bool is_cut;

    if (answer_recorded(reply, &is_cut) != ANSWER_OK)
        return PROGRESS_FAILED;
    if (is_cut)
        store_count(STORE_RECORDS_CUT);
    write->state = TX_FOUND;
    return PROGRESS_DONE;
}

static const struct pending_kind tx_write_kind = {
    .is_request = true,
    .writes = true,
    .send = tx_write_send,
    .reply = tx_write_reply,
};

bool redis_store_tx_write(struct store *store, struct store_tx_write *write)
{
    return pending_start(of(store), &tx_write_kind, &write->call);
}

/* ---- reading ---- */

static bool read_send(struct pending *pending, struct slice key)
{
    args_begin(pending->store, "HGETALL");
    args_key(pending->store, key);
    return send_command(pending);
}

static bool tx_read_send(struct pending *pending)
{
    const struct store_tx_read *read = (const void *)pending->call;

    return read_send(pending, key_of(read->key));
}

static enum progress tx_read_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_tx_read *read = (void *)pending->call;

    if (answer_transaction(reply, read->arena, &read->state, &read->transaction) != ANSWER_OK)
        return PROGRESS_FAILED;
    if (read->state == TX_FOUND && read->sender.ptr != NULL &&
        (read->transaction.sender.ptr == NULL ||
         !slice_equal(read->transaction.sender, read->sender))) {
        read->state = TX_NONE;
        read->transaction = (struct transaction){ 0 };
    }
    return PROGRESS_DONE;
}

static const struct pending_kind tx_read_kind = {
    .is_request = true,
    .send = tx_read_send,
    .reply = tx_read_reply,
};

bool redis_store_tx_read(struct store *store, struct store_tx_read *read)
{
    return pending_start(of(store), &tx_read_kind, &read->call);
}

/* ---- verdicts, and giving back ---- */

static void tell_args(struct pending *pending, const char *what, const struct transaction_key *key,
                      struct slice sender, struct slice by, struct slice verdict)
{
    struct redis_args *args = &pending->store->args;

    redis_args_script(args);
    args_key(pending->store, key_of(key));
    redis_args_end_keys(args);
    redis_args_add(args, slice_of(what));
    redis_args_add(args, sender.ptr != NULL ? SLICE("1") : SLICE(""));
    redis_args_add(args, sender);
    redis_args_printf(args, "%s%.*s", by.len > 0 ? "verdict." : "", SLICE_ARG(by));
    redis_args_add(args, slice_part(verdict, 0, TRANSACTION_TEXT_MAX));
}

static bool tx_update_send(struct pending *pending)
{
    const struct store_tx_update *update = (const void *)pending->call;

    tell_args(pending, "tell", update->key, update->sender, update->by, update->verdict);
    return send_script(pending, SCRIPT_TRANSACTION);
}

static enum progress tx_update_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_tx_update *update = (void *)pending->call;
    struct answer_told told;

    if (answer_told(reply, &told) != ANSWER_OK)
        return PROGRESS_FAILED;
    update->state = told.state;
    return PROGRESS_DONE;
}

static const struct pending_kind tx_update_kind = {
    .is_request = true,
    .writes = true,
    .send = tx_update_send,
    .reply = tx_update_reply,
};

bool redis_store_tx_update(struct store *store, struct store_tx_update *update)
{
    return pending_start(of(store), &tx_update_kind, &update->call);
}

static bool refund_send(struct pending *pending)
{
    const struct store_refund *refund = (const void *)pending->call;

    tell_args(pending, "refund", refund->key, refund->sender, refund->by, refund->verdict);
    for (size_t i = 0; i < refund->recipient_count; i++)
        redis_args_add(&pending->store->args, refund->recipients[i]);
    return send_script(pending, SCRIPT_TRANSACTION);
}

static enum progress refund_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_refund *refund = (void *)pending->call;
    struct answer_told told;

    if (answer_told(reply, &told) != ANSWER_OK)
        return PROGRESS_FAILED;
    refund->state = told.state;
    refund->is_repeated = told.is_repeated;
    refund->uses = told.uses;
    return PROGRESS_DONE;
}

static const struct pending_kind refund_kind = {
    .is_request = true,
    .writes = true,
    .send = refund_send,
    .reply = refund_reply,
};

bool redis_store_refund(struct store *store, struct store_refund *refund)
{
    return pending_start(of(store), &refund_kind, &refund->call);
}

/* ---- finding: SCAN to the end, then each record that was found; `row_count` of them have been read ---- */

static bool find_send(struct pending *pending)
{
    const struct store_tx_find *find = (const void *)pending->call;
    struct redis_args *args = &pending->store->args;

    if (pending->is_second)
        return read_send(pending, slice_skip(find->found[pending->row_count].key, 3));
    args_begin(pending->store, "SCAN");
    redis_args_add(args, pending->cursor[0] == '\0' ? SLICE("0") : slice_of(pending->cursor));
    redis_args_add(args, SLICE("COUNT"));
    redis_args_u64(args, SCAN_COUNT);
    redis_args_add(args, SLICE("MATCH"));
    redis_args_printf(args, "gh:tx:{%.*s/*", SLICE_ARG(find->queue_id));
    return send_command(pending);
}

static bool is_found(const struct store_tx_find *find, struct slice key)
{
    for (size_t i = 0; i < find->count; i++)
        if (slice_equal(find->found[i].key, key))
            return true;
    return false;
}

/* False: out of memory, or no keys. */
static bool take_keys(struct store_tx_find *find, const struct redisReply *items, size_t count)
{
    for (size_t i = 0; i < count && find->count < STORE_TX_FOUND_MAX; i++) {
        struct slice key;
        if (!redis_text(redis_item(items, i), &key) || key.len > 3 + TRANSACTION_KEY_MAX)
            return false;
        if (is_found(find, key)) /* SCAN may give a key twice */
            continue;
        key = arena_copy(find->arena, key);
        if (key.ptr == NULL)
            return false;
        find->found[find->count++].key = key;
    }
    return true;
}

/* One record; one that has ended meanwhile is left out. */
static bool take_record(struct pending *pending, struct store_tx_find *find,
                        const struct redisReply *reply)
{
    struct store_tx_found *found = &find->found[pending->row_count];
    enum tx_state state;

    if (answer_transaction(reply, find->arena, &state, &found->transaction) != ANSWER_OK)
        return false;
    if (state == TX_FOUND)
        pending->row_count++;
    else
        *found = find->found[--find->count];
    return true;
}

static enum progress find_reply(struct pending *pending, const struct redisReply *reply)
{
    struct store_tx_find *find = (void *)pending->call;
    const struct redisReply *items;
    size_t count;

    if (pending->is_second) {
        if (!take_record(pending, find, reply))
            return PROGRESS_FAILED;
    } else {
        if (answer_scan(reply, pending->cursor, &items, &count) != ANSWER_OK ||
            !take_keys(find, items, count))
            return PROGRESS_FAILED;
        pending->examined += SCAN_COUNT;
        if (strcmp(pending->cursor, "0") != 0)
            return pending->examined < FIND_EXAMINED_MOST ? PROGRESS_AGAIN : PROGRESS_FAILED;
        pending->is_second = true;
    }
    if (pending->row_count < find->count)
        return PROGRESS_AGAIN;
    find->state = find->count > 0 ? TX_FOUND : TX_NONE;
    return PROGRESS_DONE;
}

static void find_restart(struct pending *pending)
{
    ((struct store_tx_find *)(void *)pending->call)->count = 0;
}

static const struct pending_kind find_kind = {
    .deadline_ms = FIND_MS,
    .send = find_send,
    .reply = find_reply,
    .restart = find_restart,
};

bool redis_store_tx_find(struct store *store, struct store_tx_find *find)
{
    find->found = arena_alloc_array(find->arena, STORE_TX_FOUND_MAX, sizeof *find->found);
    if (find->found == NULL)
        return true;
    return pending_start(of(store), &find_kind, &find->call);
}
