/* common/store/store.c - forwards the calls of store.h to the back end. */
#include "common/store/store_impl.h"

#include "common/base/hash.h"

#include <stdarg.h>

enum { TELLER_MAX = 16 };

static void call_begin(struct store_call *call)
{
    call->result = STORE_FAILED;
    call->is_degraded = false;
    call->pending = NULL;
}

static bool key_fits(struct slice key)
{
    return key.len > 0 && key.len <= STORE_KEY_MAX;
}

void store_free(struct store **store)
{
    if (*store == NULL)
        return;
    (*store)->ops->free(*store);
    *store = NULL;
}

void store_abandon(struct store *store, struct store_call *call)
{
    if (call->pending == NULL)
        return;
    store->ops->abandon(store, call);
    call->pending = NULL;
}

bool store_charge(struct store *store, struct store_charge *charge)
{
    call_begin(&charge->call);
    charge->admitted = false;
    charge->over = 0;
    charge->repeated = false;
    charge->is_recorded = false;
    for (size_t i = 0; i < charge->use_count; i++) {
        struct limit_use *use = &charge->uses[i];
        use->rate = (struct rate){ RATE_UNLIMITED, 0 };
        use->source = (struct rate_source){ .level = RATE_DEFAULT };
        use->used = 0;
        use->free_ms = 0;
        use->bucket = 0;
        use->bad = SIZE_MAX;
    }
    if (charge->use_count > STORE_USES_MAX)
        return true;
    return store->ops->charge(store, charge);
}

static void name_print(struct greylist_name *name, const char *format, ...) PRINTF_LIKE(2, 3);

static void name_print(struct greylist_name *name, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(name->text, sizeof name->text, format, args);
    va_end(args);
    name->len = (size_t)len;
}

bool greylist_names(const struct store_greylist *greylist, struct greylist_names *out)
{
    struct slice origin = greylist->origin, sender = greylist->sender, to = greylist->recipient;
    char hex[HASH_HEX_LEN + 1];

    if (origin.len == 0 || origin.len > GREYLIST_SUBJECT_MAX || sender.len > GREYLIST_SUBJECT_MAX ||
        to.len > GREYLIST_SUBJECT_MAX)
        return false;
    name_print(&out->origin, "{%.*s}", SLICE_ARG(origin));
    name_print(&out->triplet, "{%.*s}{%.*s}{%.*s}", SLICE_ARG(origin), SLICE_ARG(sender),
               SLICE_ARG(to));
    hash_hex128((struct slice){ out->triplet.text, out->triplet.len },
                hex); /* on all hosts alike */
    name_print(&out->shared, "{%.*s}%.2s", SLICE_ARG(origin), hex);
    return true;
}

bool store_greylist(struct store *store, struct store_greylist *greylist)
{
    call_begin(&greylist->call);
    greylist->state = GREYLIST_PASSED;
    greylist->left_ms = 0;
    greylist->is_crowded = false;
    if (greylist->delay_ms > RATE_WINDOW_MAX || greylist->window_ms > RATE_WINDOW_MAX ||
        greylist->expiry_ms > RATE_WINDOW_MAX || greylist->allow_expiry_ms > RATE_WINDOW_MAX)
        return true;
    return store->ops->greylist(store, greylist);
}

/* ---- transaction records ---- */

bool store_is_shared(const struct store *store)
{
    return store->ops->is_shared;
}

/* What ends at once: nothing is shared, or there is no key. */
static bool tx_begin(struct store *store, struct store_call *call, enum tx_state *state,
                     const struct transaction_key *key)
{
    call_begin(call);
    *state = store->ops->is_shared ? TX_NONE : TX_NOT_SHARED;
    if (store->ops->is_shared && key != NULL && key->len > 0)
        return true;
    call->result = STORE_OK;
    return false;
}

bool store_tx_write(struct store *store, struct store_tx_write *write)
{
    return !tx_begin(store, &write->call, &write->state, write->record.key) ||
           store->ops->tx_write(store, write);
}

bool store_tx_read(struct store *store, struct store_tx_read *read)
{
    read->transaction = (struct transaction){ 0 };
    return !tx_begin(store, &read->call, &read->state, read->key) ||
           store->ops->tx_read(store, read);
}

static bool is_teller(struct slice by)
{
    for (size_t i = 0; i < by.len; i++)
        if (!ascii_is_alpha(by.ptr[i]))
            return false;
    return by.len > 0 && by.len <= TELLER_MAX;
}

bool store_tx_update(struct store *store, struct store_tx_update *update)
{
    if (!tx_begin(store, &update->call, &update->state, update->key))
        return true;
    return !is_teller(update->by) || store->ops->tx_update(store, update);
}

bool store_refund(struct store *store, struct store_refund *refund)
{
    refund->is_repeated = false;
    refund->uses = 0;
    if (!tx_begin(store, &refund->call, &refund->state, refund->key))
        return true;
    return (refund->by.ptr != NULL && !is_teller(refund->by)) || store->ops->refund(store, refund);
}

bool store_tx_find(struct store *store, struct store_tx_find *find)
{
    call_begin(&find->call);
    find->state = store->ops->is_shared ? TX_NONE : TX_NOT_SHARED;
    find->found = NULL;
    find->count = 0;
    if (store->ops->is_shared && transaction_is_id(find->queue_id))
        return store->ops->tx_find(store, find);
    find->call.result = STORE_OK;
    return true;
}

/* ---- leases ---- */

bool store_lease_open(struct store *store, struct store_lease *lease)
{
    call_begin(&lease->call);
    lease->held = 0;
    memset(lease->totals, 0, sizeof lease->totals);
    return lease->count > STORE_LEASE_SUBJECTS_MAX || lease->looked_at > lease->count ||
           store->ops->lease_open(store, lease);
}

void store_lease_close(struct store *store, struct store_lease *lease)
{
    store_abandon(store, &lease->call);
    if (lease->held != 0)
        store->ops->lease_close(store, lease);
    lease->held = 0;
}

bool store_fetch(struct store *store, struct store_fetch *fetch)
{
    call_begin(&fetch->call);
    for (size_t i = 0; i < fetch->count; i++)
        fetch->texts[i] = (struct slice){ NULL, 0 };
    return !key_fits(fetch->key) || store->ops->fetch(store, fetch);
}

bool store_read(struct store *store, struct store_read *read)
{
    call_begin(&read->call);
    read->fields = NULL;
    read->count = 0;
    return !key_fits(read->key) || store->ops->read(store, read);
}

bool store_write(struct store *store, struct store_write *write)
{
    call_begin(&write->call);
    write->existed = false;
    if (!key_fits(write->key) || write->field.len > STORE_FIELD_MAX ||
        (write->field.ptr != NULL && write->field.len == 0) || write->text.len > STORE_TEXT_MAX)
        return true;
    return store->ops->write(store, write);
}

static bool changes_fit(const struct store_swap *swap)
{
    for (size_t i = 0; i < swap->count; i++) {
        const struct store_change *change = &swap->changes[i];
        if (change->field.len == 0 || change->field.len > STORE_FIELD_MAX ||
            change->was.len > STORE_TEXT_MAX || change->text.ptr == NULL ||
            change->text.len > STORE_TEXT_MAX)
            return false;
    }
    return swap->count > 0;
}

bool store_swap(struct store *store, struct store_swap *swap)
{
    call_begin(&swap->call);
    swap->is_written = false;
    if (!key_fits(swap->key) || swap->count > STORE_CHANGES_MAX || !changes_fit(swap))
        return true;
    return store->ops->swap(store, swap);
}

bool store_poll(struct store *store, struct store_poll *poll)
{
    call_begin(&poll->call);
    for (size_t i = 0; i < poll->count; i++)
        poll->changed[i] = false;
    return store->ops->poll(store, poll);
}

bool store_reset(struct store *store, struct store_reset *reset)
{
    call_begin(&reset->call);
    reset->removed = 0;
    return store->ops->reset(store, reset);
}

bool store_top(struct store *store, struct store_top *top)
{
    call_begin(&top->call);
    top->rows = NULL;
    return store->ops->top(store, top);
}

void store_log(struct store *store, struct slice line)
{
    store->ops->log(store, slice_part(line, 0, STORE_LOG_LINE_MAX));
}

bool store_log_read(struct store *store, struct store_log_read *read)
{
    call_begin(&read->call);
    read->lines = NULL;
    return store->ops->log_read(store, read);
}

void store_status(const struct store *store, struct store_status *out)
{
    store->ops->status(store, out);
}
