/* tests/unit/control/test_transactions.c - GET transactions/QUEUE_ID: records as JSON. */
#include "tests/unit/unit.h"

#include "common/control/control.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_store.h"

static struct fake_clock fake;
static struct fake_store *store;
static struct control *control;
static unsigned status;
static char answer[2000];

static void hold(UNUSED void *context, struct control_view *out)
{
    *out = (struct control_view){ .limits = NULL };
}

static void keep(UNUSED struct control_request *request, unsigned got, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

    status = got;
    snprintf(answer, sizeof answer, "%s", text);
    free(text);
    json_decref(json);
}

static void ask(const char *queue_id)
{
    struct control_request request = { .method = CONTROL_GET,
                                       .segments = { SLICE("transactions"), slice_of(queue_id) },
                                       .segment_count = 2,
                                       .reply = keep };

    status = 0;
    control_serve(control, &request);
    assert_int_not_equal(0, status);
}

static int start(UNUSED void **state)
{
    const struct control_daemon daemon = { .hold = hold };

    fake_clock_init(&fake);
    store = fake_store_new(&fake.clock);
    control = control_new(&store->store, &fake.clock, &daemon);
    return control == NULL ? -1 : 0;
}

static int stop(UNUSED void **state)
{
    control_free(&control);
    fake_store_free(&store);
    return 0;
}

static void shows_all_that_is_known(UNUSED void **state)
{
    static const struct transaction_charge charges[] = {
        { SLICE_INIT("hourly"), SLICE_INIT("t:alice"), HOUR, 7, 3 },
    };
    store->ops.is_shared = true;
    store->tx_state = TX_FOUND;
    store->transaction = (struct transaction){
        .sender = SLICE("alice@example.com"),
        .instance = SLICE("1.2"),
        .spf = { SLICE("pass"), SLICE("example.com") },
        .spf_helo = { SLICE("none"), SLICE("") },
        .has_score = true,
        .score = 2.5,
        .rule = SLICE("ok\x1b"),
        .reference = SLICE("7f3k2q"),
        .charges = charges,
        .charge_count = 1,
        .is_refunded = true,
        .verdicts = { { SLICE("contentd"), SLICE("reject") } },
        .verdict_count = 1,
    };
    ask("4Xk2Lq");
    assert_int_equal(200, status);
    assert_string_equal(
        "{\"transactions\":[{\"charges\":[{\"amount\":3,\"limit\":\"hourly\",\"subject\":"
        "\"t:alice\",\"window_ms\":3600000}],\"given_back\":true,\"instance\":\"1.2\",\"key\":"
        "\"gh:tx:{x}\",\"ref\":\"7f3k2q\",\"rule\":\"ok\\u001B\",\"score\":2.5,\"sender\":"
        "\"alice@example.com\",\"spf\":{\"domain\":\"example.com\",\"result\":\"pass\"},"
        "\"spf_helo\":{\"domain\":\"\",\"result\":\"none\"},\"verdicts\":[{\"by\":\"contentd\","
        "\"verdict\":\"reject\"}]}]}",
        answer);
}

static void leaves_out_what_is_not_known(UNUSED void **state)
{
    store->ops.is_shared = true;
    store->tx_state = TX_FOUND;
    store->transaction = (struct transaction){ .sender = SLICE("") };
    ask("4Xk2Lq");
    assert_string_equal("{\"transactions\":[{\"charges\":[],\"given_back\":false,\"key\":"
                        "\"gh:tx:{x}\",\"sender\":\"\",\"verdicts\":[]}]}",
                        answer);
}

static void there_may_be_none(UNUSED void **state)
{
    for (unsigned shared = 0; shared < 2; shared++) { /* in memory, in Redis */
        store->ops.is_shared = shared == 1;
        ask("4Xk2Lq");
        assert_int_equal(200, status);
        assert_string_equal("{\"transactions\":[]}", answer);
    }
    store->tx_state = TX_FOUND;
    ask("not an id"); /* is not looked for */
    assert_string_equal("{\"transactions\":[]}", answer);
}

static void says_that_the_store_does_not_answer(UNUSED void **state)
{
    store->ops.is_shared = true;
    store->fails = true;
    ask("4Xk2Lq");
    assert_int_equal(503, status);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(shows_all_that_is_known),
        TEST(leaves_out_what_is_not_known),
        TEST(there_may_be_none),
        TEST(says_that_the_store_does_not_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
