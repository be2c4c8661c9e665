/* tests/fakes/fake_store.c - see fake_store.h. */
#include "tests/fakes/fake_store.h"

enum { MEMORY_LIMIT = 8 << 20, RECORD_MOST = 64 << 10 };

static struct fake_store *fake_of(struct store *store)
{
    return (struct fake_store *)store;
}

/* ---- transaction records ---- */

static void record_keep(struct fake_store *fake, const struct store_record *record)
{
    struct arena *arena = arena_new(RECORD_MOST);
    struct transaction_field *fields;
    size_t count = transaction_encode(record->transaction, arena, &fields);

    fake->records++;
    buf_clear(&fake->record);
    buf_printf(&fake->record, "%s %s", record->key->text,
               record->early == NULL ? "-" : record->early->text);
    for (size_t i = 0; i < count; i++)
        buf_printf(&fake->record, " %.*s=%.*s", SLICE_ARG(fields[i].name),
                   SLICE_ARG(fields[i].text));
    arena_free(&arena);
}

static void alone_keep(struct fake_store *fake, const struct store_charge *charge)
{
    buf_clear(&fake->alone);
    buf_printf(&fake->alone, "%.*s", SLICE_ARG(charge->record->recipient));
    for (size_t i = 0; i < charge->use_count; i++)
        if (charge->uses[i].is_of_recipient)
            buf_printf(&fake->alone, " %.*s", SLICE_ARG(limit_name(charge->uses[i].limit)));
}

static void charge_end(struct fake_store *fake, struct store_charge *charge)
{
    store_charge(fake->real, charge);
    charge->is_recorded =
        fake->ops.is_shared && charge->record != NULL && charge->admitted && !charge->repeated;
    if (!charge->is_recorded)
        return;
    record_keep(fake, charge->record);
    alone_keep(fake, charge);
}

static void verdict_keep(struct fake_store *fake, struct slice by, struct slice verdict)
{
    buf_clear(&fake->verdict);
    buf_printf(&fake->verdict, "%.*s %.*s", SLICE_ARG(by), SLICE_ARG(verdict));
}

static void tx_end(struct fake_store *fake, struct store_call *call, enum fake_call kind)
{
    call->result = STORE_OK;
    if (kind == FAKE_TX_WRITE) {
        struct store_tx_write *write = (struct store_tx_write *)call;
        record_keep(fake, &write->record);
        write->state = TX_FOUND;
    } else if (kind == FAKE_TX_READ) {
        struct store_tx_read *read = (struct store_tx_read *)call;
        read->state = fake->tx_state;
        read->transaction = fake->transaction;
    } else if (kind == FAKE_TX_UPDATE) {
        struct store_tx_update *update = (struct store_tx_update *)call;
        update->state = fake->tx_state;
        verdict_keep(fake, update->by, update->verdict);
    } else {
        struct store_refund *refund = (struct store_refund *)call;
        refund->state = fake->tx_state;
        if (refund->recipient_count > 0) {
            for (size_t i = 0; i < refund->recipient_count; i++)
                buf_printf(&fake->refunded, "%.*s ", SLICE_ARG(refund->recipients[i]));
            refund->uses = refund->recipient_count;
            return;
        }
        refund->is_repeated = fake->transaction.is_refunded;
        refund->uses = refund->is_repeated ? 0 : fake->transaction.charge_count;
        fake->transaction.is_refunded = true;
        verdict_keep(fake, refund->by, refund->verdict);
    }
}

/* There is no local copy of the live state. */
static void live_end(struct fake_store *fake, struct store_call *call, enum fake_call kind)
{
    if (fake->is_degraded)
        call->result = STORE_FAILED;
    else if (kind == FAKE_READ)
        store_read(fake->real, (struct store_read *)call);
    else if (kind == FAKE_SWAP)
        store_swap(fake->real, (struct store_swap *)call);
    else
        store_poll(fake->real, (struct store_poll *)call);
}

/* Ends a call with what the memory store says, or without an answer. */
static void fake_end(struct fake_store *fake, struct store_call *call, enum fake_call kind)
{
    if (fake->fails) {
        call->result = STORE_FAILED;
        return;
    }
    switch (kind) {
    case FAKE_CHARGE:
        charge_end(fake, (struct store_charge *)call);
        break;
    case FAKE_GREYLIST:
        store_greylist(fake->real, (struct store_greylist *)call);
        break;
    case FAKE_FETCH:
        store_fetch(fake->real, (struct store_fetch *)call);
        break;
    case FAKE_TX_WRITE:
    case FAKE_TX_READ:
    case FAKE_TX_UPDATE:
    case FAKE_REFUND:
        tx_end(fake, call, kind);
        break;
    case FAKE_READ:
    case FAKE_POLL:
    case FAKE_SWAP:
        live_end(fake, call, kind);
        break;
    }
    call->is_degraded = fake->is_degraded;
}

static bool fake_begin(struct fake_store *fake, struct store_call *call, enum fake_call kind)
{
    if (!fake->holds) {
        fake_end(fake, call, kind);
        return true;
    }
    if (fake->held_count == FAKE_STORE_HELD_MAX)
        abort();
    fake->held[fake->held_count++] = (struct fake_held){ call, kind };
    call->pending = fake;
    return false;
}

static bool fake_charge(struct store *store, struct store_charge *charge)
{
    struct fake_store *fake = fake_of(store);

    if (charge->peek) {
        fake->peeks++;
    } else {
        fake->charges++;
        fake->use_count = charge->use_count;
        snprintf(fake->once, sizeof fake->once, "%.*s", SLICE_ARG(charge->once));
    }
    return fake_begin(fake, &charge->call, FAKE_CHARGE);
}

static bool fake_greylist(struct store *store, struct store_greylist *greylist)
{
    struct fake_store *fake = fake_of(store);

    if (greylist->peek)
        fake->peeks++;
    else
        fake->greylists++;
    return fake_begin(fake, &greylist->call, FAKE_GREYLIST);
}

static bool fake_fetch(struct store *store, struct store_fetch *fetch)
{
    fake_of(store)->fetches++;
    return fake_begin(fake_of(store), &fetch->call, FAKE_FETCH);
}

static bool fake_tx_write(struct store *store, struct store_tx_write *write)
{
    return fake_begin(fake_of(store), &write->call, FAKE_TX_WRITE);
}

static bool fake_tx_read(struct store *store, struct store_tx_read *read)
{
    fake_of(store)->tx_reads++;
    return fake_begin(fake_of(store), &read->call, FAKE_TX_READ);
}

static bool fake_tx_update(struct store *store, struct store_tx_update *update)
{
    fake_of(store)->tx_updates++;
    return fake_begin(fake_of(store), &update->call, FAKE_TX_UPDATE);
}

static bool fake_refund(struct store *store, struct store_refund *refund)
{
    fake_of(store)->refunds++;
    return fake_begin(fake_of(store), &refund->call, FAKE_REFUND);
}

static bool fake_tx_find(struct store *store, struct store_tx_find *find)
{
    struct fake_store *fake = fake_of(store);

    find->state = fake->tx_state;
    find->call.result = fake->fails ? STORE_FAILED : STORE_OK;
    if (fake->fails || fake->tx_state != TX_FOUND)
        return true;
    find->found = arena_alloc(find->arena, sizeof *find->found);
    *find->found = (struct store_tx_found){ SLICE("gh:tx:{x}"), fake->transaction };
    find->count = 1;
    return true;
}

static bool fake_lease_open(struct store *store, struct store_lease *lease)
{
    struct fake_store *fake = fake_of(store);

    store_lease_open(fake->real, lease);
    lease->call.is_degraded = fake->is_degraded;
    return true;
}

static void fake_lease_close(struct store *store, struct store_lease *lease)
{
    store_lease_close(fake_of(store)->real, lease);
}

static bool fake_read(struct store *store, struct store_read *read)
{
    return fake_begin(fake_of(store), &read->call, FAKE_READ);
}

static bool fake_write(struct store *store, struct store_write *write)
{
    return store_write(fake_of(store)->real, write);
}

static bool fake_swap(struct store *store, struct store_swap *swap)
{
    return fake_begin(fake_of(store), &swap->call, FAKE_SWAP);
}

static bool fake_poll(struct store *store, struct store_poll *poll)
{
    return fake_begin(fake_of(store), &poll->call, FAKE_POLL);
}

static bool fake_reset(struct store *store, struct store_reset *reset)
{
    return store_reset(fake_of(store)->real, reset);
}

static bool fake_top(struct store *store, struct store_top *top)
{
    return store_top(fake_of(store)->real, top);
}

static bool fake_log_read(struct store *store, struct store_log_read *read)
{
    return store_log_read(fake_of(store)->real, read);
}

static void fake_log(struct store *store, struct slice line)
{
    struct fake_store *fake = fake_of(store);

    fake->lines++;
    buf_clear(&fake->log);
    buf_add(&fake->log, line);
}

static void fake_status(const struct store *store, struct store_status *out)
{
    store_status(((const struct fake_store *)store)->real, out);
}

static void fake_abandon(struct store *store, struct store_call *call)
{
    struct fake_store *fake = fake_of(store);

    for (size_t i = 0; i < fake->held_count; i++)
        if (fake->held[i].call == call) {
            fake->abandoned++;
            fake->held_count--;
            memmove(&fake->held[i], &fake->held[i + 1],
                    (fake->held_count - i) * sizeof fake->held[0]);
            return;
        }
    abort(); /* it was not under way */
}

static void fake_free(UNUSED struct store *store)
{
}

static const struct store_ops fake_ops = {
    .charge = fake_charge,
    .greylist = fake_greylist,
    .fetch = fake_fetch,
    .tx_write = fake_tx_write,
    .tx_read = fake_tx_read,
    .tx_update = fake_tx_update,
    .refund = fake_refund,
    .tx_find = fake_tx_find,
    .lease_open = fake_lease_open,
    .lease_close = fake_lease_close,
    .read = fake_read,
    .write = fake_write,
    .swap = fake_swap,
    .poll = fake_poll,
    .reset = fake_reset,
    .top = fake_top,
    .log_read = fake_log_read,
    .log = fake_log,
    .status = fake_status,
    .abandon = fake_abandon,
    .free = fake_free,
};

struct fake_store *fake_store_new(const struct clock *clock)
{
    struct fake_store *fake = calloc(1, sizeof *fake);

    if (fake == NULL)
        abort();
    fake->ops = fake_ops;
    fake->store.ops = &fake->ops;
    fake->tx_state = TX_NONE;
    fake->record = (struct buf)BUF_INIT(RECORD_MOST);
    fake->verdict = (struct buf)BUF_INIT(RECORD_MOST);
    fake->refunded = (struct buf)BUF_INIT(1 << 20);
    fake->alone = (struct buf)BUF_INIT(RECORD_MOST);
    fake->log = (struct buf)BUF_INIT(STORE_LOG_LINE_MAX);
    fake->memory = store_memory_new(clock, MEMORY_LIMIT);
    fake->real = fake->memory == NULL ? NULL : store_memory_open(fake->memory);
    if (fake->real == NULL)
        abort();
    return fake;
}

void fake_store_free(struct fake_store **fake)
{
    store_free(&(*fake)->real);
    store_memory_free(&(*fake)->memory);
    buf_free(&(*fake)->log);
    buf_free(&(*fake)->record);
    buf_free(&(*fake)->verdict);
    buf_free(&(*fake)->refunded);
    buf_free(&(*fake)->alone);
    free(*fake);
    *fake = NULL;
}

void fake_store_release_one(struct fake_store *fake)
{
    struct fake_held held = fake->held[0];
    void (*done)(struct store_call *) = held.call->done;

    fake->held_count--;
    memmove(fake->held, fake->held + 1, fake->held_count * sizeof held);
    fake_end(fake, held.call, held.kind);
    held.call->pending = NULL;
    done(held.call);
}

void fake_store_release(struct fake_store *fake)
{
    while (fake->held_count > 0)
        fake_store_release_one(fake);
}

void fake_store_set(struct fake_store *fake, const char *key, const char *field, const char *text)
{
    struct store_write write = { .key = slice_of(key),
                                 .field = slice_of(field),
                                 .text =
                                     text == NULL ? (struct slice){ NULL, 0 } : slice_of(text) };

    if (!store_write(fake->real, &write) || write.call.result != STORE_OK)
        abort();
}
