/* tests/fuzz/fuzz_redis_reply.c - any bytes as replies of Redis: each reply is given to every interpreter. */
#include "common/store/redis_answers.h"
#include "common/store/usage_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { USES = 2, FIELDS = 3, KEYS = 3 };

static void check_charge(const struct redisReply *reply)
{
    struct limit_use uses[USES] = { { .field_count = FIELDS }, { .field_count = 0 } };
    struct store_charge charge = { .uses = uses, .use_count = USES };
    uint64_t redis_ms;
    size_t len = 0;
    bool is_cut;

    if (answer_charge(reply, &charge, &redis_ms, &is_cut) == ANSWER_OK && charge.over >= USES)
        abort();
    for (size_t i = 0; i < FIELDS; i++)
        len += answer_override(reply, 0, i).len;
    if (len > REDIS_REPLY_BYTES_MOST)
        abort();
}

static void check_greylist(const struct redisReply *reply)
{
    struct store_greylist greylist = { .state = GREYLIST_PASSED };

    if (answer_greylist(reply, &greylist) != ANSWER_OK && greylist.state != GREYLIST_PASSED)
        abort();
}

static void check_hashes(const struct redisReply *reply, struct arena *arena)
{
    char versions[KEYS][48] = { "1", "", "no hash" };
    bool changed[KEYS];
    struct store_poll poll = { .count = KEYS, .versions = versions, .changed = changed };
    struct slice texts[FIELDS];
    const struct redisReply *items;
    char cursor[24];
    size_t count;

    (void)answer_poll(reply, &poll);
    for (size_t i = 0; i < KEYS; i++) {
        if (memchr(versions[i], '\0', sizeof(versions[i])) == NULL)
            abort();
    }
    (void)answer_texts(reply, texts, FIELDS, arena);
    if (answer_scan(reply, cursor, &items, &count) == ANSWER_OK && count > 0 &&
        redis_item(items, count - 1) == NULL)
        abort();
}

static void check_records(const struct redisReply *reply, struct arena *arena)
{
    struct transaction transaction;
    struct answer_told told;
    enum tx_state state;
    uint64_t totals[KEYS];
    bool is_cut;

    (void)answer_recorded(reply, &is_cut);
    (void)answer_leases(reply, totals, KEYS);
    if (answer_told(reply, &told) == ANSWER_OK && told.state == TX_NOT_SHARED)
        abort();
    if (answer_transaction(reply, arena, &state, &transaction) == ANSWER_OK &&
        transaction.charge_count > TRANSACTION_CHARGES_MAX)
        abort();
}

static void check_texts(const struct redisReply *reply)
{
    struct slice text, subject, limit;
    struct store_field line;
    uint64_t window_ms;
    char id[48];

    (void)redis_error(reply, &text);
    (void)answer_log_line(reply, &line);
    if (!redis_text(reply, &text))
        return;
    (void)usage_key_parse(text, &subject, &limit, &window_ms);
    (void)log_id_next(text, id);
    (void)log_id_before(text, id);
}

static void check(void *arg, const struct redisReply *reply)
{
    check_charge(reply);
    check_greylist(reply);
    check_hashes(reply, arg);
    check_records(reply, arg);
    check_texts(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(1 << 20);

    if (arena != NULL)
        (void)redis_replies_in((struct slice){ (const char *)data, size }, check, arena);
    arena_free(&arena);
    return 0;
}
