/* tests/unit/message/test_giveback.c - what policyd charged for a message that nobody could decide about is given back, on the worker,
 * when the message is gone already. */
#include "common/message/giveback.h"

#include <event2/event.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_store.h"
#include "tests/fakes/sample_message.h"
#include "tests/unit/unit.h"

static struct fake_clock fake;
static struct fake_store *store;
static struct worker *worker;
static struct record_teller teller;

static struct record_teller *teller_of(struct worker *of)
{
    assert_ptr_equal(worker, of);
    return &teller;
}

static struct message *message_of(const char *queue_id)
{
    const struct sample_message sample = { .address = "192.0.2.7",
                                           .queue_id = queue_id,
                                           .sender = "me@example.com",
                                           .recipients = "b@example.org",
                                           .headers = "Subject: x\n",
                                           .body = "x\r\n" };

    return sample_message(&sample);
}

static void run(void)
{
    event_base_loop(worker_base(worker), EVLOOP_NONBLOCK);
}

static void charges_are_given_back(UNUSED void **state)
{
    struct message *message = message_of("4Xk2Lq");

    store->tx_state = TX_FOUND;
    message_give_back(worker, teller_of, message, "contentd", "tempfail undecided");
    message_unref(&message);
    assert_int_equal(0, store->refunds); /* not on this thread */
    run();
    assert_int_equal(1, store->refunds);
    assert_non_null(strstr(buf_text(&store->verdict), "tempfail undecided"));
}

static void what_has_no_record_cost_nothing(UNUSED void **state)
{
    struct message *message = message_of(NULL);

    message_give_back(worker, teller_of, message, "contentd", "reject too large");
    message_unref(&message);
    run();
    assert_int_equal(0, store->refunds);
}

static void a_worker_that_ends_lets_go_of_the_message(UNUSED void **state)
{
    struct message *message = message_of("4Xk2Lq");

    message_give_back(worker, teller_of, message, "contentd", "tempfail no room");
    worker_free(&worker);
    assert_int_equal(0, store->refunds);
    message_unref(&message); /* the last reference: else the sanitizer tells */
}

static int setup(UNUSED void **state)
{
    fake_clock_init(&fake);
    store = fake_store_new(&fake.clock);
    store->ops.is_shared = true;
    worker = worker_new(1, "test", &fake.clock, NULL);
    teller = (struct record_teller){ .store = &store->store };
    return worker == NULL;
}

static int teardown(UNUSED void **state)
{
    worker_free(&worker);
    fake_store_free(&store);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(charges_are_given_back),
        TEST(what_has_no_record_cost_nothing),
        TEST(a_worker_that_ends_lets_go_of_the_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
