/* tests/programs/transaction.c - a daemon behind policyd, for tests: reads the transaction record of a message, or gives back
 * what was charged for it, by what a milter is told.
 *
 *   transaction read|refund STORE QUEUE_ID CLIENT_ADDRESS CLIENT_PORT SERVER_ADDRESS SENDER [VERDICT]
 *
 * Prints one line: "none", "unknown" (the store does not answer), "not shared", "found" with the rule, the number of charges
 * and the SPF result, "given N" or "repeated". */
#include <event2/event.h>

#include "common/store/stores.h"

enum { ARENA_MOST = 1 << 20, MEMORY_LIMIT = 1 << 20, CONNECT_MS = 20000, ANSWER_MS = 10000 };

static void on_done(UNUSED struct store_call *call)
{
}

static void finish(struct event_base *base, bool is_done, const struct store_call *call)
{
    while (!is_done && call->pending != NULL && event_base_loop(base, EVLOOP_ONCE) == 0)
        ;
}

/* A process that has just started has no connection yet; records do not wait for one, this does. */
static void wait_for_connection(struct store *store, struct event_base *base, struct arena *arena)
{
    uint64_t end = clock_system.now_ms(&clock_system) + CONNECT_MS;
    struct store_read read = { .call = { .done = on_done }, .key = SLICE("class"), .arena = arena };

    do
        finish(base, store_read(store, &read), &read.call);
    while (read.call.result != STORE_OK && clock_system.now_ms(&clock_system) < end);
}

static const char *const states[] = {
    [TX_NOT_SHARED] = "not shared", [TX_NONE] = "none", [TX_FOUND] = "found"
};

static void read_it(struct store *store, struct event_base *base, const struct transaction_key *key,
                    struct slice sender, struct arena *arena)
{
    struct store_tx_read call = {
        .call = { .done = on_done }, .key = key, .sender = sender, .arena = arena
    };

    finish(base, store_tx_read(store, &call), &call.call);
    if (call.call.result != STORE_OK || call.state != TX_FOUND)
        puts(call.call.result == STORE_OK ? states[call.state] : "unknown");
    else
        printf("found rule=%.*s charges=%zu spf=%.*s\n", SLICE_ARG(call.transaction.rule),
               call.transaction.charge_count, SLICE_ARG(call.transaction.spf.result));
}

static void refund_it(struct store *store, struct event_base *base,
                      const struct transaction_key *key, struct slice sender, const char *verdict)
{
    struct store_refund call = { .call = { .done = on_done },
                                 .key = key,
                                 .sender = sender,
                                 .by = slice_of(verdict == NULL ? NULL : "contentd"),
                                 .verdict = slice_of(verdict) };

    finish(base, store_refund(store, &call), &call.call);
    if (call.call.result != STORE_OK || call.state != TX_FOUND)
        puts(call.call.result == STORE_OK ? states[call.state] : "unknown");
    else if (call.is_repeated)
        puts("repeated");
    else
        printf("given %llu\n", (unsigned long long)call.uses);
}

int main(int argc, char **argv)
{
    struct stores_options options = { .memory_limit = MEMORY_LIMIT,
                                      .answer_ms = ANSWER_MS,
                                      .clock = &clock_system };
    AUTO_BUF error = BUF_INIT(500);
    struct arena *arena = arena_new(ARENA_MOST);
    struct event_base *base = event_base_new();
    struct transaction_key key;

    if (argc < 8) {
        fputs("usage: see the beginning of transaction.c\n", stderr);
        return 2;
    }
    options.url = slice_of(argv[2]);
    struct stores *stores = stores_new(&options, &error);
    struct store *store = stores == NULL ? NULL : stores_open(stores, base);
    if (store == NULL) {
        fprintf(stderr, "transaction: %s\n", buf_text(&error));
        return 1;
    }
    wait_for_connection(store, base, arena);
    (void)transaction_key_make(&key, slice_of(argv[3]), slice_of(argv[4]), slice_of(argv[5]),
                               slice_of(argv[6]));
    struct slice sender = transaction_sender(slice_of(argv[7]), arena);
    if (strcmp(argv[1], "refund") == 0)
        refund_it(store, base, &key, sender, argv[8]);
    else
        read_it(store, base, &key, sender, arena);
    store_free(&store);
    stores_free(&stores);
    arena_free(&arena);
    event_base_free(base);
    return 0;
}
