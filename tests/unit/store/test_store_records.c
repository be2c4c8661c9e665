/* tests/unit/store/test_store_records.c - transaction records through store.h, in a real Redis: written with a charge and
 * without, read by another host, given back once; and what a store in memory says. */
#include "tests/unit/unit.h"

#include "common/limits/window.h"
#include "common/store/leases.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_limits.h"
#include "tests/fakes/redis_server.h"
#include "tests/fakes/test_store.h"

static struct redis_server server;
static struct test_store here, there; /* two hosts */
static struct fake_clock fake;
static struct limit_set *hourly, *daily, *tight;
static struct arena *arena;

static const struct transaction_key early = { .len = 18, .text = "tx:{1.2.3/192.0.2.1}" };
static const struct transaction_key queued = { .text = "tx:{4Xk2Lq/192.0.2.7/40001/192.0.2.1}" };
static struct transaction_key keys[2]; /* the same with their lengths */

#define EARLY (&keys[0])
#define QUEUED (&keys[1])

/* ---- calls ---- */

static enum store_result write_record(struct test_store *host, const struct transaction *what,
                                      const struct transaction_key *key,
                                      const struct transaction_key *before)
{
    struct store_tx_write call = { .record = { .key = key, .early = before, .transaction = what } };

    test_store_finish(host, store_tx_write(host->store, &call), &call.call);
    if (call.call.result == STORE_OK)
        assert_int_equal(TX_FOUND, call.state);
    return call.call.result;
}

static struct store_tx_read read_record(struct test_store *host, const struct transaction_key *key,
                                        struct slice sender)
{
    struct store_tx_read call = { .key = key, .sender = sender, .arena = arena };

    test_store_finish(host, store_tx_read(host->store, &call), &call.call);
    return call;
}

static struct store_refund refund(struct test_store *host, const char *sender, const char *verdict)
{
    struct store_refund call = { .key = QUEUED,
                                 .sender = slice_of(sender),
                                 .by = slice_of(verdict == NULL ? NULL : "contentd"),
                                 .verdict = slice_of(verdict) };

    test_store_finish(host, store_refund(host->store, &call), &call.call);
    return call;
}

/* Charges both limits, and records it. */
static struct store_charge charge_both(struct test_store *host, uint64_t amount,
                                       const struct transaction *what, const char *once)
{
    static struct limit_use uses[2];
    const struct store_record record = { .key = QUEUED, .early = EARLY, .transaction = what };
    struct store_charge charge = { .uses = uses, .use_count = 2, .record = &record };

    charge.once = slice_of(once);
    uses[0] = test_store_use(arena, limit_set_at(hourly, 0), "alice", amount);
    uses[1] = test_store_use(arena, limit_set_at(daily, 0), "alice", amount);
    test_store_finish(host, store_charge(host->store, &charge), &charge.call);
    assert_int_equal(STORE_OK, charge.call.result);
    charge.record = NULL;
    return charge;
}

/* What counts in Redis, by another host that has not charged it. */
static uint64_t used(struct limit_set *set)
{
    return test_store_charge(&there, limit_set_at(set, 0), "alice", 0, NULL, CHARGE_PEEK).use.used;
}

static const struct transaction message = { .sender = SLICE_INIT("alice@example.com"),
                                            .instance = SLICE_INIT("1.2.3"),
                                            .rule = SLICE_INIT("quota") };

static const char *const name = "0123456789abcdef0123456789abcdef";

/* ---- tests ---- */

static void another_host_reads_what_was_written(UNUSED void **state)
{
    static const struct transaction what = {
        .sender = SLICE_INIT("alice@example.com"),
        .instance = SLICE_INIT("1.2.3"),
        .spf = { SLICE_INIT("softfail"), SLICE_INIT("example.com") },
        .has_score = true,
        .score = 1.5,
        .rule = SLICE_INIT("allowed"),
        .reference = SLICE_INIT("7f3k2q"),
    };
    assert_int_equal(STORE_OK, write_record(&here, &what, QUEUED, NULL));
    struct store_tx_read call = read_record(&there, QUEUED, SLICE("alice@example.com"));
    assert_int_equal(STORE_OK, call.call.result);
    assert_int_equal(TX_FOUND, call.state);
    assert_slice("alice@example.com", call.transaction.sender);
    assert_slice("softfail", call.transaction.spf.result);
    assert_slice("example.com", call.transaction.spf.domain);
    assert_true(call.transaction.has_score && call.transaction.score > 1.4);
    assert_slice("allowed", call.transaction.rule);
    assert_slice("7f3k2q", call.transaction.reference);
    assert_int_equal(0, call.transaction.bad);
}

static void a_record_of_another_sender_is_none(UNUSED void **state)
{
    static const struct {
        struct slice sender;
        enum tx_state want;
    } rows[] = {
        { SLICE_INIT("alice@example.com"), TX_FOUND },
        { { NULL, 0 }, TX_FOUND },
        { SLICE_INIT("mallory@example.com"), TX_NONE },
        { SLICE_INIT(""), TX_NONE },
    };

    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, NULL));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct store_tx_read call = read_record(&there, QUEUED, rows[i].sender);
        assert_int_equal(STORE_OK, call.call.result);
        assert_int_equal(rows[i].want, call.state);
        assert_int_equal(rows[i].want == TX_FOUND, call.transaction.sender.ptr != NULL);
    }
    assert_int_equal(TX_NONE, read_record(&there, EARLY, SLICE("alice@example.com")).state);
}

static void a_bounce_has_a_record_too(UNUSED void **state)
{
    assert_int_equal(
        STORE_OK, write_record(&here, &(struct transaction){ .sender = SLICE("") }, QUEUED, NULL));
    assert_int_equal(TX_FOUND, read_record(&there, QUEUED, SLICE("")).state);
    assert_int_equal(TX_NONE, read_record(&there, QUEUED, SLICE("a@example.com")).state);
}

static void what_is_not_said_stays(UNUSED void **state)
{
    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, NULL));
    assert_int_equal(STORE_OK, write_record(&there,
                                            &(struct transaction){ .rule = SLICE("other"),
                                                                   .reference = SLICE("abc") },
                                            QUEUED, NULL));
    struct store_tx_read call = read_record(&here, QUEUED, SLICE("alice@example.com"));
    assert_slice("1.2.3", call.transaction.instance);
    assert_slice("other", call.transaction.rule);
    assert_slice("abc", call.transaction.reference);
}

static void an_early_record_becomes_part_of_the_later_one(UNUSED void **state)
{
    static const struct transaction_charge charges[] = {
        { SLICE_INIT("hourly"), SLICE_INIT("t:alice"), HOUR, 7, 1 },
        { SLICE_INIT("hourly"), SLICE_INIT("t:alice"), HOUR, 8, 1 },
    };
    struct transaction at_rcpt = { .spf = { SLICE("pass"), SLICE("example.com") },
                                   .rule = SLICE("first"),
                                   .charges = charges,
                                   .charge_count = 1 };
    struct transaction at_data = message;

    assert_int_equal(STORE_OK, write_record(&here, &at_rcpt, EARLY, NULL));
    at_rcpt.charge_count = 2; /* another recipient */
    assert_int_equal(STORE_OK, write_record(&there, &at_rcpt, EARLY, NULL));
    at_data.charges = charges;
    at_data.charge_count = 1;
    assert_int_equal(STORE_OK, write_record(&there, &at_data, QUEUED, EARLY));

    struct store_tx_read call = read_record(&here, QUEUED, SLICE("alice@example.com"));
    assert_slice("pass", call.transaction.spf.result);
    assert_slice("quota", call.transaction.rule); /* the later word */
    assert_int_equal(2, call.transaction.charge_count);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(call.transaction.charges[i].bucket == 7 ? 3 : 1,
                         call.transaction.charges[i].amount);
    assert_int_equal(TX_NONE, read_record(&here, EARLY, (struct slice){ NULL, 0 }).state);
    /* once more, as at END-OF-MESSAGE: there is no early one any more */
    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, EARLY));
    assert_int_equal(
        2, read_record(&here, QUEUED, SLICE("alice@example.com")).transaction.charge_count);
}

/* A recipient whose record came late: nothing that is there is overwritten. */
static void charges_of_both_are_added(UNUSED void **state)
{
    static const struct transaction_charge charge = { SLICE_INIT("hourly"), SLICE_INIT("t:alice"),
                                                      HOUR, 7, 5 };
    struct transaction what = { .sender = SLICE("alice@example.com"),
                                .charges = &charge,
                                .charge_count = 1 };

    assert_int_equal(STORE_OK, write_record(&here, &what, QUEUED, NULL));
    assert_int_equal(STORE_OK, write_record(&here, &what, EARLY, NULL));
    assert_int_equal(STORE_OK, write_record(&there, &message, QUEUED, EARLY));
    struct store_tx_read call = read_record(&here, QUEUED, SLICE("alice@example.com"));
    assert_int_equal(1, call.transaction.charge_count);
    assert_int_equal(10, call.transaction.charges[0].amount);
}

static void a_charge_is_recorded_in_the_same_step(UNUSED void **state)
{
    struct store_charge charge = charge_both(&here, 3, &message, name);

    assert_true(charge.admitted && charge.is_recorded);
    struct store_tx_read call = read_record(&there, QUEUED, SLICE("alice@example.com"));
    assert_slice("quota", call.transaction.rule);
    assert_int_equal(2, call.transaction.charge_count);
    for (size_t i = 0; i < 2; i++) {
        const struct transaction_charge *one = &call.transaction.charges[i];
        const struct limit_use *use = &charge.uses[slice_equal(one->limit, SLICE("daily"))];
        assert_int_equal(3, one->amount);
        assert_int_equal(use->bucket, one->bucket);
        assert_int_equal(use->rate.window_ms, one->window_ms);
        assert_slice("t:alice", one->subject);
    }
}

static void a_repeated_charge_is_recorded_once(UNUSED void **state)
{
    assert_true(charge_both(&here, 3, &message, name).is_recorded);
    struct store_charge again = charge_both(&there, 3, &message, name);
    assert_true(again.repeated && again.admitted);
    assert_false(again.is_recorded);
    struct store_tx_read call = read_record(&there, QUEUED, SLICE("alice@example.com"));
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(3, call.transaction.charges[i].amount);
}

static void a_refused_charge_leaves_no_record(UNUSED void **state)
{
    const struct store_record record = { .key = QUEUED, .early = NULL, .transaction = &message };
    struct limit_use use = test_store_use(arena, limit_set_at(tight, 0), "alice", 11);
    struct store_charge charge = { .uses = &use, .use_count = 1, .record = &record };

    test_store_finish(&here, store_charge(here.store, &charge), &charge.call);
    assert_false(charge.admitted);
    assert_false(charge.is_recorded);
    assert_string_equal("0", redis_server_ask(&server, "EXISTS gh:%s", queued.text));
    use.amount = 1;
    charge.peek = true;
    test_store_finish(&here, store_charge(here.store, &charge), &charge.call);
    assert_false(charge.is_recorded);
    assert_string_equal("0", redis_server_ask(&server, "EXISTS gh:%s", queued.text));
}

/* Refusals that were counted, and what is counted without a check, are no matter of the message's. */
static void what_was_forced_is_not_recorded(UNUSED void **state)
{
    const struct store_record record = { .key = QUEUED, .early = NULL, .transaction = &message };
    struct limit_use use = test_store_use(arena, limit_set_at(tight, 0), "alice", 11);
    struct store_charge charge = { .uses = &use, .use_count = 1, .record = &record };

    use.force = true;
    test_store_finish(&here, store_charge(here.store, &charge), &charge.call);
    assert_true(charge.admitted && charge.is_recorded);
    struct store_tx_read call = read_record(&here, QUEUED, SLICE("alice@example.com"));
    assert_int_equal(TX_FOUND, call.state);
    assert_int_equal(0, call.transaction.charge_count);
}

static void gives_back_exactly_and_once(UNUSED void **state)
{
    charge_both(&here, 4, &message, name);
    fake_clock_advance(&fake, 5 * MINUTE); /* another bucket */
    struct limit_use use = test_store_use(arena, limit_set_at(hourly, 0), "alice", 2);
    struct store_charge other = { .uses = &use, .use_count = 1 }; /* another message's */
    test_store_finish(&here, store_charge(here.store, &other), &other.call);
    fake_clock_advance(&fake, 5 * MINUTE);
    charge_both(&here, 1, &message, "fedcba9876543210fedcba9876543210"); /* its size */
    assert_int_equal(7, used(hourly));
    assert_int_equal(5, used(daily));

    struct store_refund given = refund(&there, "alice@example.com", "reject virus=Eicar");
    assert_int_equal(STORE_OK, given.call.result);
    assert_int_equal(TX_FOUND, given.state);
    assert_false(given.is_repeated);
    assert_int_equal(3, given.uses); /* two buckets of the hour, one of the day */
    assert_int_equal(2, used(hourly));
    assert_int_equal(0, used(daily));

    given = refund(&here, "alice@example.com", NULL);
    assert_int_equal(TX_FOUND, given.state);
    assert_true(given.is_repeated);
    assert_int_equal(0, given.uses);
    assert_int_equal(2, used(hourly));
    struct store_tx_read call = read_record(&there, QUEUED, SLICE("alice@example.com"));
    assert_true(call.transaction.is_refunded);
    assert_slice("reject virus=Eicar",
                 transaction_verdict_by(&call.transaction, SLICE("contentd")));
}

static uint64_t random_below(uint64_t *state, uint64_t below)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (*state >> 33) % below;
}

/* Messages of random size over two hours, some of which are given back, once or twice, by either host: what counts in the
 * end is what was charged for the others. */
static void what_stays_is_what_was_not_given_back(UNUSED void **state)
{
    enum { MESSAGES = 150 };
    struct transaction_key key;
    struct store_record record = { .key = &key, .early = NULL, .transaction = &message };
    uint64_t random = 4711, stays = 0;

    for (uint64_t i = 0; i < MESSAGES; i++) {
        char id[16];
        struct test_store *host = random_below(&random, 2) == 0 ? &here : &there;
        struct limit_use use =
            test_store_use(arena, limit_set_at(daily, 0), "alice", 1 + random_below(&random, 1000));
        struct store_charge charge = { .uses = &use, .use_count = 1, .record = &record };
        snprintf(id, sizeof id, "Q%u", (unsigned)i);
        assert_true(transaction_key_make(&key, slice_of(id), SLICE("192.0.2.7"), SLICE("1"),
                                         SLICE("192.0.2.1")));
        test_store_finish(host, store_charge(host->store, &charge), &charge.call);
        fake_clock_advance(&fake, random_below(&random, 96 * SECOND));
        unsigned times = (unsigned)random_below(&random, 3);
        for (unsigned n = 0; n < times; n++) {
            struct store_refund call = { .key = &key, .sender = message.sender };
            test_store_finish(&there, store_refund(there.store, &call), &call.call);
            assert_int_equal(n == 0 ? 1 : 0, call.uses);
        }
        stays += times == 0 ? use.amount : 0;
    }
    assert_int_equal(stays, used(daily));
}

static void an_early_record_with_too_much_in_it_is_cut(UNUSED void **state)
{
    redis_server_ask(&server, "EVAL %s 1 gh:%s",
                     "for i=1,9000 do redis.call('HSET',KEYS[1],'f'..i,'x') end", early.text);
    assert_true(charge_both(&here, 1, &message, name).is_recorded);
    assert_int_equal(TX_FOUND, read_record(&here, QUEUED, SLICE("alice@example.com")).state);
}

static void a_refund_of_anothers_record_gives_nothing(UNUSED void **state)
{
    charge_both(&here, 4, &message, name);
    assert_int_equal(TX_NONE, refund(&there, "mallory@example.com", "reject").state);
    assert_int_equal(4, used(hourly));
    struct store_tx_read call = read_record(&there, QUEUED, SLICE("alice@example.com"));
    assert_false(call.transaction.is_refunded);
    assert_int_equal(0, call.transaction.verdict_count);
}

static void never_gives_back_more_than_there_is(UNUSED void **state)
{
    charge_both(&here, 4, &message, name);
    const char *list = redis_server_ask(&server, "KEYS gh:q:{t:alice}:hourly.*");
    char key[96];
    snprintf(key, sizeof key, "%s", list);
    char field[32];
    snprintf(field, sizeof field, "%s", redis_server_ask(&server, "HKEYS %s", key));
    redis_server_ask(&server, "HSET %s %s 1", key, field); /* somebody has reset it meanwhile */
    assert_int_equal(2, refund(&there, "alice@example.com", NULL).uses);
    assert_int_equal(0, used(hourly));
    assert_string_equal("0", redis_server_ask(&server, "EXISTS %s", key));
}

static void a_window_that_is_over_is_not_made_anew(UNUSED void **state)
{
    charge_both(&here, 4, &message, name);
    redis_server_ask(
        &server, "EVAL %s 0",
        "for _, k in ipairs(redis.call('KEYS', 'gh:q:*')) do redis.call('DEL', k) end");
    assert_int_equal(0, refund(&there, "alice@example.com", NULL).uses);
    assert_string_equal("", redis_server_ask(&server, "KEYS gh:q:*"));
}

static void says_what_was_decided_once_there_is_a_record(UNUSED void **state)
{
    struct store_tx_update call = { .key = QUEUED,
                                    .sender = SLICE("alice@example.com"),
                                    .by = SLICE("contentd"),
                                    .verdict = SLICE("tag score=7") };

    test_store_finish(&there, store_tx_update(there.store, &call), &call.call);
    assert_int_equal(STORE_OK, call.call.result);
    assert_int_equal(TX_NONE, call.state);
    assert_string_equal("0", redis_server_ask(&server, "EXISTS gh:%s", queued.text));
    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, NULL));
    test_store_finish(&there, store_tx_update(there.store, &call), &call.call);
    assert_int_equal(TX_FOUND, call.state);
    call.verdict = SLICE("accept");
    test_store_finish(&there, store_tx_update(there.store, &call), &call.call);
    call.by = SLICE("signd");
    call.verdict = SLICE("signed");
    test_store_finish(&there, store_tx_update(there.store, &call), &call.call);
    struct store_tx_read read = read_record(&here, QUEUED, SLICE("alice@example.com"));
    assert_int_equal(2, read.transaction.verdict_count);
    assert_slice("accept", transaction_verdict_by(&read.transaction, SLICE("contentd")));
    assert_slice("signed", transaction_verdict_by(&read.transaction, SLICE("signd")));
    assert_false(read.transaction.is_refunded);
    call.by = SLICE("no one");
    test_store_finish(&there, store_tx_update(there.store, &call), &call.call);
    assert_int_equal(STORE_FAILED, call.call.result);
}

static void charges_have_a_bound(UNUSED void **state)
{
    enum { MANY = TRANSACTION_CHARGES_MAX + 5 };
    struct transaction_charge charges[MANY];
    struct transaction what = message;

    for (size_t i = 0; i < MANY; i++)
        charges[i] = (struct transaction_charge){ SLICE("hourly"), SLICE("t:alice"), HOUR, i, 1 };
    what.charges = charges;
    what.charge_count = MANY;
    assert_int_equal(STORE_OK, write_record(&here, &what, QUEUED, NULL));
    struct store_tx_read call = read_record(&here, QUEUED, SLICE("alice@example.com"));
    assert_true(call.transaction.charge_count <= TRANSACTION_CHARGES_MAX);
    assert_int_equal(MANY, call.transaction.charge_count + call.transaction.charges_cut);
    charges[0].amount = 5; /* one that is there is added to all the same */
    what.charge_count = 1;
    assert_int_equal(STORE_OK, write_record(&here, &what, QUEUED, NULL));
    struct store_tx_read again = read_record(&here, QUEUED, SLICE("alice@example.com"));
    assert_int_equal(call.transaction.charges_cut, again.transaction.charges_cut);
}

static void every_record_ends(UNUSED void **state)
{
    static const struct transaction_key *const both[] = { EARLY, QUEUED };

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(STORE_OK, write_record(&here, &message, both[i], NULL));
        unsigned long left =
            strtoul(redis_server_ask(&server, "PTTL gh:%s", both[i]->text), NULL, 10);
        assert_true(left > TRANSACTION_TTL_MS - MINUTE && left <= TRANSACTION_TTL_MS);
    }
    charge_both(&here, 1, &message, name);
    refund(&here, "alice@example.com", "reject");
    assert_true(strtoul(redis_server_ask(&server, "PTTL gh:%s", queued.text), NULL, 10) <=
                TRANSACTION_TTL_MS);
    assert_string_equal("0", redis_server_ask(&server, "EXISTS gh:%s", early.text));
}

/* ---- single recipients ---- */

#define OWN "gh:rcpt:{1.2.3/192.0.2.1}"

/* At RCPT: the hour for this recipient alone, the day for the message. */
static struct store_charge charge_recipient(struct test_store *host, const char *recipient)
{
    static struct limit_use uses[2];
    const struct store_record record = { .key = EARLY,
                                         .transaction = &message,
                                         .recipient = slice_of(recipient) };
    struct store_charge charge = { .uses = uses, .use_count = 2, .record = &record };

    uses[0] = test_store_use(arena, limit_set_at(hourly, 0), "alice", 1);
    uses[0].is_of_recipient = true;
    uses[1] = test_store_use(arena, limit_set_at(daily, 0), "alice", 1);
    test_store_finish(host, store_charge(host->store, &charge), &charge.call);
    assert_true(charge.admitted && charge.is_recorded);
    charge.record = NULL;
    return charge;
}

static struct store_refund refund_recipients(struct test_store *host, const char *sender,
                                             const struct slice *recipients, size_t count)
{
    struct store_refund call = { .key = QUEUED,
                                 .sender = slice_of(sender),
                                 .recipients = recipients,
                                 .recipient_count = count };

    test_store_finish(host, store_refund(host->store, &call), &call.call);
    assert_int_equal(STORE_OK, call.call.result);
    return call;
}

static void a_single_recipient_is_given_back_once(UNUSED void **state)
{
    static const struct slice lost[] = { SLICE_INIT("m:bob@example.org"),
                                         SLICE_INIT("m:nobody@example.org"),
                                         SLICE_INIT("m:bob@example.org") };

    charge_recipient(&here, "m:bob@example.org");
    fake_clock_advance(&fake, 5 * MINUTE); /* another bucket */
    charge_recipient(&there, "m:carol@example.org");
    charge_recipient(&here, "m:bob@example.org"); /* asked for again */
    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, EARLY));
    assert_int_equal(3, used(hourly));
    struct store_refund given = refund_recipients(&there, "alice@example.com", lost, COUNT(lost));
    assert_int_equal(TX_FOUND, given.state);
    assert_int_equal(2, given.uses);
    assert_int_equal(1, used(hourly));
    assert_int_equal(3, used(daily)); /* the message's */
    given = refund_recipients(&here, "alice@example.com", lost, COUNT(lost));
    assert_int_equal(0, given.uses);
    assert_int_equal(1, used(hourly));
    /* The record says what is left, and that is what a refusal of all gives back. */
    struct store_tx_read read = read_record(&here, QUEUED, SLICE("alice@example.com"));
    assert_false(read.transaction.is_refunded);
    uint64_t left = 0;
    for (size_t i = 0; i < read.transaction.charge_count; i++)
        left += read.transaction.charges[i].amount;
    assert_int_equal(1 + 3, left);
    refund(&here, "alice@example.com", "reject");
    assert_int_equal(0, used(hourly));
    assert_int_equal(0, used(daily));
}

static void after_all_was_given_back_nothing_is_for_one(UNUSED void **state)
{
    static const struct slice bob = SLICE_INIT("m:bob@example.org");

    charge_recipient(&here, "m:bob@example.org");
    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, EARLY));
    struct limit_use use = test_store_use(arena, limit_set_at(hourly, 0), "alice", 5);
    struct store_charge other = { .uses = &use, .use_count = 1 }; /* another message's */
    test_store_finish(&here, store_charge(here.store, &other), &other.call);
    refund(&here, "alice@example.com", "reject");
    assert_string_equal("0", redis_server_ask(&server, "EXISTS " OWN));
    struct store_refund given = refund_recipients(&there, "alice@example.com", &bob, 1);
    assert_true(given.is_repeated);
    assert_int_equal(0, given.uses);
    assert_int_equal(5, used(hourly));
}

static void of_another_senders_record_nobody_is_given_back(UNUSED void **state)
{
    static const struct slice bob = SLICE_INIT("m:bob@example.org");

    charge_recipient(&here, "m:bob@example.org");
    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, EARLY));
    assert_int_equal(TX_NONE, refund_recipients(&there, "mallory@example.com", &bob, 1).state);
    assert_int_equal(1, used(hourly));
}

/* So many more of them, of whom nothing can be given back. */
static void fill_recipients(size_t count)
{
    enum { AT_ONCE = 6 }; /* of redis_server_ask_words() */
    char line[sizeof OWN + AT_ONCE * 8 + 8];

    for (size_t done = 0; done < count;) {
        size_t used_up = (size_t)snprintf(line, sizeof line, "HSET " OWN);
        for (size_t i = 0; i < AT_ONCE && done < count; i++, done++)
            used_up += (size_t)snprintf(line + used_up, sizeof line - used_up, " %zu x", done);
        redis_server_ask_words(&server, line);
    }
}

static void recipients_have_a_bound(UNUSED void **state)
{
    static const struct slice names[] = { SLICE_INIT("m:bob@example.org"),
                                          SLICE_INIT("m:one@example.org"), SLICE_INIT("7") };
    const struct store_record record = { .key = EARLY,
                                         .transaction = &message,
                                         .recipient = names[0] };
    struct limit_use use = test_store_use(arena, limit_set_at(hourly, 0), "alice", 1);
    struct store_charge charge = { .uses = &use, .use_count = 1, .record = &record };

    charge_recipient(&here, "m:one@example.org");
    fill_recipients(TRANSACTION_RECIPIENTS_MAX - 1);
    char size[16];
    snprintf(size, sizeof size, "%d", TRANSACTION_RECIPIENTS_MAX);
    assert_string_equal(size, redis_server_ask(&server, "HLEN " OWN));
    use.is_of_recipient = true;
    test_store_finish(&here, store_charge(here.store, &charge), &charge.call);
    assert_true(charge.admitted && charge.is_recorded);
    assert_string_equal(size, redis_server_ask(&server, "HLEN " OWN));
    charge_recipient(&here, "m:one@example.org"); /* who is there is added to */
    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, EARLY));
    assert_int_equal(2, refund_recipients(&here, "alice@example.com", names, 3).uses);
    assert_int_equal(1, used(hourly));
    refund(&here, "alice@example.com", "reject"); /* with the message it is given back */
    assert_int_equal(0, used(hourly));
}

static void what_is_known_of_recipients_ends(UNUSED void **state)
{
    charge_recipient(&here, "m:bob@example.org");
    unsigned long left = strtoul(redis_server_ask(&server, "PTTL " OWN), NULL, 10);
    assert_true(left > TRANSACTION_TTL_MS - MINUTE && left <= TRANSACTION_TTL_MS);
}

static void somebodys_else_words_about_recipients_harm_nobody(UNUSED void **state)
{
    static const struct slice bob = SLICE_INIT("m:bob@example.org");

    redis_server_ask(&server, "SET " OWN " text");
    charge_recipient(&here, "m:bob@example.org");
    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, EARLY));
    assert_int_equal(0, refund_recipients(&here, "alice@example.com", &bob, 1).uses);
    redis_server_ask(&server, "DEL " OWN);
    redis_server_ask(&server, "HSET " OWN " m:bob@example.org gh:q:{x}y");
    assert_int_equal(0, refund_recipients(&here, "alice@example.com", &bob, 1).uses);
    assert_int_equal(1, used(hourly));
}

static void what_somebody_else_put_there_harms_nobody(UNUSED void **state)
{
    redis_server_ask(&server, "SET gh:%s text", queued.text);
    assert_int_equal(STORE_FAILED, write_record(&here, &message, QUEUED, NULL));
    struct store_charge charge = charge_both(&here, 1, &message, name);
    assert_true(charge.admitted);
    assert_false(charge.call.is_degraded); /* it is charged, and not recorded */
    assert_false(charge.is_recorded);
    assert_int_equal(1, used(hourly));
    assert_int_equal(STORE_FAILED, read_record(&here, QUEUED, SLICE("")).call.result);
    assert_int_equal(TX_NONE, refund(&here, "alice@example.com", NULL).state);
    redis_server_ask(&server, "DEL gh:%s", queued.text);
    redis_server_ask(&server, "HSET gh:%s sender alice@example.com gh:q:{}:x.1.24 1 x y",
                     queued.text);
    redis_server_ask(&server, "HSET gh:%s %s 1 %s x %s -5", queued.text, "gh:q:{t:a}:x.1.24 7",
                     "gh:q:{t:b}:x.1.24 7", "gh:schema 1");
    assert_int_equal(0, refund(&here, "alice@example.com", NULL).uses);
    redis_server_ask(&server, "SET gh:%s text", early.text);
    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, EARLY));
}

static void a_flushed_script_is_loaded_again(UNUSED void **state)
{
    redis_server_ask(&server, "SCRIPT FLUSH");
    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, NULL));
    redis_server_ask(&server, "SCRIPT FLUSH");
    assert_int_equal(TX_FOUND, refund(&here, "alice@example.com", NULL).state);
}

static void unknown_while_redis_is_away(UNUSED void **state)
{
    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, NULL));
    redis_server_stop(&server);
    uint64_t begin = own_ms();
    assert_int_equal(STORE_FAILED, read_record(&here, QUEUED, SLICE("")).call.result);
    assert_int_equal(STORE_FAILED, refund(&here, "alice@example.com", NULL).call.result);
    assert_int_equal(STORE_FAILED, write_record(&here, &message, QUEUED, NULL));
    assert_true(own_ms_since(begin) <
                100 + 150); /* the first one waits, the breaker is open then */
    redis_server_continue(&server);
    assert_true(test_store_wait(&here, STORE_UP, 3000));
    assert_int_equal(TX_FOUND, read_record(&here, QUEUED, SLICE("alice@example.com")).state);
}

static void finds_records_by_queue_id(UNUSED void **state)
{
    struct transaction_key other;
    struct store_tx_find find = { .queue_id = SLICE("4Xk2Lq"), .arena = arena };

    test_store_finish(&there, store_tx_find(there.store, &find), &find.call);
    assert_int_equal(STORE_OK, find.call.result);
    assert_int_equal(TX_NONE, find.state);
    redis_server_ask(&server, "EVAL %s 0", /* more than one step */
                     "for i=1,3000 do redis.call('SET','gh:once:'..i,'x') end");
    assert_true(transaction_key_make(&other, SLICE("4Xk2Lq"), SLICE("192.0.2.8"), SLICE("1"),
                                     SLICE("192.0.2.1")));
    assert_int_equal(STORE_OK, write_record(&here, &message, QUEUED, NULL));
    assert_int_equal(STORE_OK, write_record(&here, &message, &other, NULL));
    assert_true(transaction_key_make(&other, SLICE("4Xk2Lq1"), SLICE("192.0.2.8"), SLICE("1"),
                                     SLICE("192.0.2.1")));
    assert_int_equal(STORE_OK, write_record(&here, &message, &other, NULL));
    test_store_finish(&there, store_tx_find(there.store, &find), &find.call);
    assert_int_equal(TX_FOUND, find.state);
    assert_int_equal(2, find.count);
    for (size_t i = 0; i < 2; i++) {
        assert_slice("alice@example.com", find.found[i].transaction.sender);
        assert_true(slice_starts_with(find.found[i].key, SLICE("gh:tx:{4Xk2Lq/")));
    }
    find.queue_id = SLICE("*");
    test_store_finish(&there, store_tx_find(there.store, &find), &find.call);
    assert_int_equal(STORE_OK, find.call.result);
    assert_int_equal(TX_NONE, find.state);
}

static void no_key_is_no_record(UNUSED void **state)
{
    const struct transaction_key none = { .len = 0 };
    struct store_tx_read read = { .key = &none, .arena = arena };
    struct store_refund given = { .key = &none };

    assert_true(store_tx_read(here.store, &read));
    assert_int_equal(STORE_OK, read.call.result);
    assert_int_equal(TX_NONE, read.state);
    assert_true(store_refund(here.store, &given));
    assert_int_equal(TX_NONE, given.state);
}

static void memory_says_that_it_is_not_shared(UNUSED void **state)
{
    struct store_memory *memory = store_memory_new(&fake.clock, 1 << 20);
    struct store *store = store_memory_open(memory);
    const struct store_record record = { .key = QUEUED, .early = EARLY, .transaction = &message };
    struct store_tx_write write = { .record = record };
    struct store_tx_read read = { .key = QUEUED, .arena = arena };
    struct store_tx_update update = { .key = QUEUED, .by = SLICE("contentd") };
    struct store_refund given = { .key = QUEUED };
    struct store_tx_find find = { .queue_id = SLICE("4Xk2Lq"), .arena = arena };

    assert_false(store_is_shared(store));
    assert_true(store_is_shared(here.store));
    assert_true(store_tx_write(store, &write) && store_tx_read(store, &read) &&
                store_tx_update(store, &update) && store_refund(store, &given) &&
                store_tx_find(store, &find));
    assert_int_equal(TX_NOT_SHARED, write.state);
    assert_int_equal(TX_NOT_SHARED, read.state);
    assert_int_equal(TX_NOT_SHARED, update.state);
    assert_int_equal(TX_NOT_SHARED, given.state);
    assert_int_equal(TX_NOT_SHARED, find.state);
    assert_int_equal(STORE_OK, read.call.result);
    assert_int_equal(0, given.uses);
    store_free(&store);
    store_memory_free(&memory);
}

/* The commands that ARCHITECTURE.md asks for. */
static void a_user_with_the_documented_rights_may_do_it(UNUSED void **state)
{
    static const struct slice subject = SLICE_INIT("a:192.0.2.7");
    struct store_tx_find find = { .queue_id = SLICE("4Xk2Lq"), .arena = arena };
    struct store_lease lease = { .subjects = &subject, .count = 1 };
    struct test_store gate;
    char url[64];

    redis_server_ask(&server,
                     "ACL SETUSER gate on >secret ~gh:* +@connection +role +script|load +eval "
                     "+evalsha +get +set +incr +del +unlink +scan +time +hmget +hgetall +hscan "
                     "+hlen +hset +hdel +hincrby +pexpire +xadd +xtrim +xrange +xrevrange");
    snprintf(url, sizeof(url), "redis://gate@127.0.0.1:%u/0", server.port);
    test_store_open_as(&gate, url, "secret",
                       (struct store_redis_options){
                           .clock = &fake.clock, .own_time = true, .answer_ms = PATIENT_MS });
    assert_true(test_store_wait(&gate, STORE_UP, PATIENT_MS));
    assert_int_equal(STORE_OK, write_record(&gate, &message, EARLY, NULL));
    assert_true(charge_both(&gate, 1, &message, name).is_recorded);
    static const struct slice bob = SLICE_INIT("m:bob@example.org");
    charge_recipient(&gate, "m:bob@example.org");
    assert_int_equal(STORE_OK, write_record(&gate, &message, QUEUED, EARLY));
    assert_int_equal(1, refund_recipients(&gate, "alice@example.com", &bob, 1).uses);
    assert_int_equal(2, refund(&gate, "alice@example.com", "reject").uses);
    test_store_finish(&gate, store_tx_find(gate.store, &find), &find.call);
    assert_int_equal(1, find.count);
    test_store_finish(&gate, store_lease_open(gate.store, &lease), &lease.call);
    assert_false(lease.call.is_degraded);
    store_lease_close(gate.store, &lease);
    const struct store_change change = { SLICE("example.com/s"), { NULL, 0 }, SLICE("active") };
    struct store_swap swap = { .key = SLICE("dkim"), .changes = &change, .count = 1 };
    test_store_finish(&gate, store_swap(gate.store, &swap), &swap.call);
    assert_true(swap.is_written);
    test_store_close(&gate);
}

static void an_abandoned_call_does_not_end(UNUSED void **state)
{
    struct store_tx_read read = { .key = QUEUED, .arena = arena };

    assert_false(store_tx_read(here.store, &read));
    store_abandon(here.store, &read.call);
    assert_null(read.call.pending);
    test_store_run(&here, 30);
}

/* ---- around them ---- */

static int start_all(UNUSED void **state)
{
    hourly = fake_limit("hourly", "1000000/1h");
    daily = fake_limit("daily", "1000000/1d");
    tight = fake_limit("tight", "10/1h");
    arena = arena_new(1 << 20);
    keys[0] = early;
    keys[0].len = strlen(early.text);
    keys[1] = queued;
    keys[1].len = strlen(queued.text);
    redis_server_init(&server);
    redis_server_start(&server, NULL);
    return 0;
}

static int stop_all(UNUSED void **state)
{
    redis_server_end(&server);
    limit_set_free(&hourly);
    limit_set_free(&daily);
    limit_set_free(&tight);
    arena_free(&arena);
    return 0;
}

static int start(UNUSED void **state)
{
    fake_clock_init(&fake);
    return test_store_open_two(&here, &there, &server, &fake.clock, PATIENT_MS) ? 0 : -1;
}

static int start_impatient(UNUSED void **state)
{
    fake_clock_init(&fake);
    return test_store_open_two(&here, &there, &server, &fake.clock, 0) ? 0 : -1;
}

static int stop(UNUSED void **state)
{
    test_store_close(&here);
    test_store_close(&there);
    arena_reset(arena);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(another_host_reads_what_was_written),
        TEST(a_record_of_another_sender_is_none),
        TEST(a_bounce_has_a_record_too),
        TEST(what_is_not_said_stays),
        TEST(an_early_record_becomes_part_of_the_later_one),
        TEST(charges_of_both_are_added),
        TEST(a_charge_is_recorded_in_the_same_step),
        TEST(a_repeated_charge_is_recorded_once),
        TEST(a_refused_charge_leaves_no_record),
        TEST(what_was_forced_is_not_recorded),
        TEST(gives_back_exactly_and_once),
        TEST(what_stays_is_what_was_not_given_back),
        TEST(an_early_record_with_too_much_in_it_is_cut),
        TEST(a_refund_of_anothers_record_gives_nothing),
        TEST(never_gives_back_more_than_there_is),
        TEST(a_window_that_is_over_is_not_made_anew),
        TEST(says_what_was_decided_once_there_is_a_record),
        TEST(charges_have_a_bound),
        TEST(every_record_ends),
        TEST(a_single_recipient_is_given_back_once),
        TEST(after_all_was_given_back_nothing_is_for_one),
        TEST(of_another_senders_record_nobody_is_given_back),
        TEST(recipients_have_a_bound),
        TEST(what_is_known_of_recipients_ends),
        TEST(somebodys_else_words_about_recipients_harm_nobody),
        TEST(what_somebody_else_put_there_harms_nobody),
        TEST(a_flushed_script_is_loaded_again),
        cmocka_unit_test_setup_teardown(unknown_while_redis_is_away, start_impatient, stop),
        TEST(finds_records_by_queue_id),
        TEST(no_key_is_no_record),
        TEST(memory_says_that_it_is_not_shared),
        TEST(a_user_with_the_documented_rights_may_do_it),
        TEST(an_abandoned_call_does_not_end),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
