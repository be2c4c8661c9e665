/* tests/unit/message/test_record.c - policyd's record: found by what the MTA says, known or not, and told what became of the message;
 * whoever asked may go meanwhile. */
#include "common/message/record.h"

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_store.h"
#include "tests/fakes/sample_message.h"
#include "tests/unit/unit.h"

static struct fake_clock clock_;
static struct fake_store *store;
static struct arena *arena;
static struct message *message;
static size_t calls;

static struct message *message_of(const char *address, const char *queue_id)
{
    const struct sample_message sample = { .address = address,
                                           .queue_id = queue_id,
                                           .sender = "Me@Example.COM",
                                           .recipients = "b@example.org",
                                           .headers = "Subject: x\n",
                                           .body = "x\r\n" };

    return sample_message(&sample);
}

static int setup(UNUSED void **state)
{
    fake_clock_init(&clock_);
    store = fake_store_new(&clock_.clock);
    store->ops.is_shared = true;
    arena = arena_new(1 << 20);
    message = message_of("192.0.2.7", "4Xk2Lq");
    calls = 0;
    return 0;
}

static int teardown(UNUSED void **state)
{
    message_unref(&message);
    arena_free(&arena);
    fake_store_free(&store);
    return 0;
}

static void done(struct message_record *record)
{
    assert_non_null(record);
    calls++;
}

static void is_located_by_what_the_mta_says(UNUSED void **state)
{
    static const struct {
        const char *address, *queue_id;
        bool can_be;
    } cases[] = {
        { "192.0.2.7", "4Xk2Lq", true },
        { NULL, "4Xk2Lq", false }, /* not SMTP */
        { "192.0.2.7", NULL, false },
        { "192.0.2.7", "no id", false },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct message *one = message_of(cases[i].address, cases[i].queue_id);
        struct message_record record;
        message_record_locate(&record, one, arena);
        if ((record.key.len > 0) != cases[i].can_be)
            fail_msg("case %zu", i);
        assert_false(record.is_known);
        if (!cases[i].can_be)
            assert_true(message_record_read(&record, &store->store, arena, done));
        else
            assert_slice("me@example.com", record.sender);
        message_unref(&one);
    }
    assert_int_equal(0, store->tx_reads);
}

static const struct {
    const char *what;
    bool fails;
    enum tx_state state;
    bool is_known, is_there;
} reads[] = {
    { "there", false, TX_FOUND, true, true },
    { "none", false, TX_NONE, true, false },
    { "in memory", false, TX_NOT_SHARED, false, false },
    { "no answer", true, TX_FOUND, false, false },
};

static void is_known_or_not(UNUSED void **state)
{
    for (size_t i = 0; i < 2 * COUNT(reads); i++) {
        size_t n = i / 2;
        struct message_record record;
        message_record_locate(&record, message, arena);
        store->tx_state = reads[n].state;
        store->fails = reads[n].fails;
        store->holds = i % 2 == 1;
        store->transaction = (struct transaction){ .spf = { SLICE("pass"), SLICE("example.com") } };
        calls = 0;
        bool is_done = message_record_read(&record, &store->store, arena, done);
        if (!is_done)
            fake_store_release(store);
        assert_int_equal(is_done ? 0 : 1, calls);
        if (record.is_known != reads[n].is_known ||
            (record.transaction != NULL) != reads[n].is_there)
            fail_msg("%s", reads[n].what);
    }
}

static void may_be_given_up(UNUSED void **state)
{
    struct message_record record;

    message_record_locate(&record, message, arena);
    assert_false(message_record_abandon(&record));
    store->holds = true;
    assert_false(message_record_read(&record, &store->store, arena, done));
    assert_true(message_record_abandon(&record));
    fake_store_release(store);
    assert_int_equal(0, calls);
    assert_false(record.is_known);
}

static void is_told(UNUSED void **state)
{
    struct record_teller teller = { .store = &store->store };
    struct message_record record;
    char words[] = "reject rule dmarc";

    message_record_locate(&record, message, arena);
    store->tx_state = TX_FOUND;
    record_tell(&teller, &record, "signd", SLICE("accept sign"), false);
    assert_int_equal(1, store->tx_updates);
    assert_non_null(strstr(buf_text(&store->verdict), "accept sign"));
    assert_null(teller.first);
    store->holds = true;
    record_tell(&teller, &record, "signd", slice_of(words), true);
    record_tell(&teller, &record, "signd", slice_of(words), false);
    memset(words, 'x', sizeof words - 1); /* its texts are copies */
    assert_non_null(teller.first);
    fake_store_release(store);
    assert_int_equal(1, store->refunds);
    assert_non_null(strstr(buf_text(&store->verdict), "reject rule dmarc"));
    assert_null(teller.first);
}

static void words_on_their_way_are_let_go_of(UNUSED void **state)
{
    struct record_teller teller = { .store = &store->store };
    struct message_record record;

    message_record_locate(&record, message, arena);
    store->holds = true;
    for (int i = 0; i < 6; i++)
        record_tell(&teller, &record, "signd", SLICE("accept"), i % 2 == 0);
    record_teller_stop(&teller);
    assert_null(teller.first);
    fake_store_release(store);
}

/* Of two of the recipients that are refused one gets the message in another place. */
static void what_single_recipients_cost_is_given_back(UNUSED void **state)
{
    static const struct slice lost[] = { SLICE_INIT("Bob@example.org"), SLICE_INIT(""),
                                         SLICE_INIT("carol@example.org"),
                                         SLICE_INIT("dan@example.org") };
    static const struct slice served[] = { SLICE_INIT("eve@example.org"),
                                           SLICE_INIT("<Carol@Example.org>") };
    const struct recipients_lost all = { lost, served, COUNT(lost), COUNT(served) };
    const struct recipients_lost none = { lost, served, 0, COUNT(served) };
    struct record_teller teller = { .store = &store->store };
    struct message_record record;

    store->tx_state = TX_FOUND;
    message_record_locate(&record, message, arena);
    record_give_back(&teller, &record, &none);
    assert_int_equal(0, store->refunds);
    store->holds = true;
    record_give_back(&teller, &record, &all);
    assert_non_null(teller.first);
    fake_store_release(store);
    assert_int_equal(1, store->refunds);
    assert_string_equal("m:bob@example.org m:dan@example.org ", buf_text(&store->refunded));
    assert_null(teller.first);
    record.key.len = 0;
    record_give_back(&teller, &record, &all);
    assert_int_equal(1, store->refunds);
}

static void many_recipients_are_given_back_in_parts(UNUSED void **state)
{
    enum { MANY = 2 * STORE_REFUND_RECIPIENTS_MAX + 1 };
    static char texts[MANY][24];
    static struct slice lost[MANY];
    const struct recipients_lost all = { .recipients = lost, .count = MANY };
    struct record_teller teller = { .store = &store->store };
    struct message_record record;
    size_t count = 0;

    for (size_t i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof texts[i], "u%zu@example.org", i);
        lost[i] = slice_of(texts[i]);
    }
    store->tx_state = TX_FOUND;
    message_record_locate(&record, message, arena);
    record_give_back(&teller, &record, &all);
    assert_int_equal(3, store->refunds);
    for (const char *at = buf_text(&store->refunded); (at = strchr(at, ' ')) != NULL; at++)
        count++;
    assert_int_equal(MANY, count);
    store->holds = true;
    record_give_back(&teller, &record, &all);
    record_teller_stop(&teller);
    assert_null(teller.first);
}

static void nobody_is_told_where_nobody_listens(UNUSED void **state)
{
    struct record_teller teller = { .store = &store->store };
    struct message_record record = { .is_known = false };

    record_tell(&teller, &record, "signd", SLICE("accept"), true); /* no key */
    message_record_locate(&record, message, arena);
    store->ops.is_shared = false;
    record_tell(&teller, &record, "signd", SLICE("accept"), true);
    assert_int_equal(0, store->refunds + store->tx_updates);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(is_located_by_what_the_mta_says),
        TEST(is_known_or_not),
        TEST(may_be_given_up),
        TEST(is_told),
        TEST(words_on_their_way_are_let_go_of),
        TEST(what_single_recipients_cost_is_given_back),
        TEST(many_recipients_are_given_back_in_parts),
        TEST(nobody_is_told_where_nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
