/* common/message/record.c - see record.h. */
#include "common/message/record.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/slice_set.h"

enum {
    SERVED_MEMORY_MAX = 64 << 20, /* names of all recipients of a message */
    LOST_MEMORY_MAX = 1 << 20, /* those of one call */
};

/* ---- reading ---- */

void message_record_locate(struct message_record *record, const struct message *message,
                           struct arena *arena)
{
    const struct message_client *client = &message->client;
    char address[IP_ADDRESS_TEXT_MAX], port[16];

    *record = (struct message_record){ .is_known = false };
    if (!client->has_address)
        return;
    ip_address_print(&client->address, address);
    snprintf(port, sizeof port, "%u", client->port);
    record->sender = transaction_sender(message->sender, arena);
    if (record->sender.ptr == NULL ||
        !transaction_key_make(&record->key, message->queue_id, slice_of(address), slice_of(port),
                              client->daemon_address))
        record->key.len = 0;
}

static void take(struct message_record *record)
{
    const struct store_tx_read *read = &record->read;

    record->is_known = read->call.result == STORE_OK && read->state != TX_NOT_SHARED;
    record->transaction = record->is_known && read->state == TX_FOUND ? &read->transaction : NULL;
}

static void read_done(struct store_call *call)
{
    struct message_record *record =
        (struct message_record *)(void *)((char *)call - offsetof(struct message_record, read));

    take(record);
    record->done(record);
}

bool message_record_read(struct message_record *record, struct store *store, struct arena *arena,
                         void (*done)(struct message_record *record))
{
    if (record->key.len == 0)
        return true;
    record->store = store;
    record->done = done;
    record->read = (struct store_tx_read){
        .call.done = read_done, .key = &record->key, .sender = record->sender, .arena = arena
    };
    if (!store_tx_read(store, &record->read))
        return false;
    take(record);
    return true;
}

void message_record_suppose(struct message_record *record, const struct transaction *transaction)
{
    record->is_known = true;
    record->transaction = transaction;
}

bool message_record_abandon(struct message_record *record)
{
    if (record->read.call.pending == NULL)
        return false;
    store_abandon(record->store, &record->read.call);
    record->read.call.pending = NULL;
    return true;
}

/* ---- telling ---- */

/* One on its way; its texts follow it. */
struct record_word {
    struct record_teller *teller;
    struct arena *recipients; /* where those are that it is about; NULL: it is about the message */
    struct store_refund refund;
    struct store_tx_update update;
    struct transaction_key key;
    struct record_word *previous, *next;
    char texts[];
};

static void word_free(struct record_word *word)
{
    struct record_teller *teller = word->teller;

    *(word->previous == NULL ? &teller->first : &word->previous->next) = word->next;
    if (word->next != NULL)
        word->next->previous = word->previous;
    arena_free(&word->recipients);
    free(word);
}

static void update_done(struct store_call *call)
{
    word_free((struct record_word *)(void *)((char *)call - offsetof(struct record_word, update)));
}

static void refund_end(struct record_word *word)
{
    const struct record_teller *teller = word->teller;

    metric_add(teller->refunds, word->refund.uses);
    metric_add(teller->refunds_failed, word->refund.call.result != STORE_OK);
    word_free(word);
}

static void refund_done(struct store_call *call)
{
    refund_end((struct record_word *)(void *)((char *)call - offsetof(struct record_word, refund)));
}

static struct record_word *word_new(struct record_teller *teller,
                                    const struct message_record *record, struct slice sender,
                                    struct slice words)
{
    struct record_word *word = calloc(1, sizeof *word + sender.len + words.len + 1);

    if (word == NULL)
        return NULL;
    word->teller = teller;
    word->key = record->key;
    if (sender.len > 0)
        memcpy(word->texts, sender.ptr, sender.len);
    if (words.len > 0)
        memcpy(word->texts + sender.len, words.ptr, words.len);
    word->next = teller->first;
    if (word->next != NULL)
        word->next->previous = word;
    teller->first = word;
    return word;
}

void record_tell(struct record_teller *teller, const struct message_record *record, const char *by,
                 struct slice words, bool refunds)
{
    if (record->key.len == 0 || !store_is_shared(teller->store))
        return;
    struct record_word *word = word_new(teller, record, record->sender, words);
    if (word == NULL)
        return;
    struct slice sender = { word->texts, record->sender.len };
    struct slice verdict = { word->texts + sender.len, words.len };
    if (refunds) {
        word->refund = (struct store_refund){ .call.done = refund_done,
                                              .key = &word->key,
                                              .sender = sender,
                                              .by = slice_of(by),
                                              .verdict = verdict };
        if (store_refund(teller->store, &word->refund))
            refund_end(word);
    } else {
        word->update = (struct store_tx_update){ .call.done = update_done,
                                                 .key = &word->key,
                                                 .sender = sender,
                                                 .by = slice_of(by),
                                                 .verdict = verdict };
        if (store_tx_update(teller->store, &word->update))
            word_free(word);
    }
}

/* ---- giving back for single recipients ---- */

/* Takes `arena`, where `recipients` are. */
static void give_back(struct record_teller *teller, const struct message_record *record,
                      struct arena *arena, const struct slice *recipients, size_t count)
{
    struct record_word *word = word_new(teller, record, record->sender, SLICE(""));

    if (word == NULL) {
        metric_add(teller->refunds_failed, 1);
        arena_free(&arena);
        return;
    }
    word->recipients = arena;
    word->refund =
        (struct store_refund){ .call.done = refund_done,
                               .key = &word->key,
                               .sender = (struct slice){ word->texts, record->sender.len },
                               .recipients = recipients,
                               .recipient_count = count };
    if (store_refund(teller->store, &word->refund))
        refund_end(word);
}

/* Sends as many as go into one call, from *at on, and moves *at behind them. False: out of memory. */
static bool give_back_next(struct record_teller *teller, const struct message_record *record,
                           const struct recipients_lost *lost, const struct slice_set *served,
                           size_t *at)
{
    struct arena *arena = arena_new(LOST_MEMORY_MAX);
    struct slice *names =
        arena == NULL ? NULL : arena_alloc_array(arena, STORE_REFUND_RECIPIENTS_MAX, sizeof *names);
    bool has_memory = names != NULL;
    size_t count = 0;

    for (; has_memory && *at < lost->count && count < STORE_REFUND_RECIPIENTS_MAX; ++*at) {
        names[count] = transaction_recipient(lost->recipients[*at], arena);
        if (names[count].len > 0 && !slice_set_has(served, names[count]))
            count++;
    }
    if (count > 0)
        give_back(teller, record, arena, names, count); /* `names` are the word's now */
    else
        arena_free(&arena);
    return has_memory;
}

static bool list_served(const struct recipients_lost *lost, struct arena *arena,
                        struct slice_set *served)
{
    slice_set_init(served, arena);
    for (size_t i = 0; i < lost->served_count; i++) {
        struct slice name = transaction_recipient(lost->served[i], arena);
        if (name.len > 0 && !slice_set_add(served, name, NULL))
            return false;
    }
    return true;
}

void record_give_back(struct record_teller *teller, const struct message_record *record,
                      const struct recipients_lost *lost)
{
    struct slice_set served;
    size_t at = 0;

    if (lost->count == 0 || record->key.len == 0 || !store_is_shared(teller->store))
        return;
    struct arena *arena = arena_new(SERVED_MEMORY_MAX);
    bool goes_on = arena != NULL && list_served(lost, arena, &served);
    while (goes_on && at < lost->count)
        goes_on = give_back_next(teller, record, lost, &served, &at);
    metric_add(teller->refunds_failed, !goes_on);
    arena_free(&arena);
}

void record_teller_stop(struct record_teller *teller)
{
    while (teller->first != NULL) {
        store_abandon(teller->store, &teller->first->refund.call);
        store_abandon(teller->store, &teller->first->update.call);
        word_free(teller->first);
    }
}
