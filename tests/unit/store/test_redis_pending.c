/* tests/unit/store/test_redis_pending.c - calls under way: nobody waits for them any more, the connection goes, there is none yet. */
#include "tests/unit/unit.h"

#include <signal.h>

#include "tests/fakes/both_stores.h"

static struct store_greylist triplet(void)
{
    return (struct store_greylist){ .origin = SLICE("n:192.0.2.0/24"),
                                    .sender = SLICE("m:a@example.net"),
                                    .recipient = SLICE("m:b@example.org"),
                                    .delay_ms = MINUTE,
                                    .window_ms = HOUR,
                                    .expiry_ms = DAY };
}

static void never(UNUSED struct store_call *call)
{
    fail_msg("it ended and told so");
}

static void at_any_time(UNUSED struct store_call *call)
{
}

static void what_is_abandoned_tells_nobody_and_is_done(UNUSED void **state)
{
    struct store_greylist gone = triplet(), again = triplet();

    gone.call.done = never;
    assert_false(store_greylist(both.store, &gone));
    assert_non_null(gone.call.pending);
    store_abandon(both.store, &gone.call);
    assert_null(gone.call.pending);
    both_stores_finish(store_greylist(both.store, &again), &again.call);
    assert_int_equal(GREYLIST_EARLY, again.state); /* the first one has been seen */
}

/* What is on a request's path is decided at once; the rest is asked again of the next connection. */
static void a_lost_connection_ends_requests_alone(UNUSED void **state)
{
    struct store_greylist request = triplet();
    struct store_read read = { .key = SLICE("dkim"), .arena = both.arena };

    read.call.done = at_any_time;
    redis_server_stop(&both.server);
    bool is_decided = store_greylist(both.store, &request), is_read = store_read(both.store, &read);
    assert_false(is_decided || is_read);
    redis_server_kill(&both.server);
    both_stores_finish(is_decided, &request.call);
    assert_true(request.call.is_degraded);
    assert_int_equal(GREYLIST_PASSED, request.state);
    assert_non_null(read.call.pending);
    redis_server_start(&both.server, NULL);
    redis_server_ask(&both.server, "HSET gh:dkim example.com/s active");
    both_stores_finish(is_read, &read.call);
    assert_int_equal(STORE_OK, read.call.result);
    assert_true(read.count <= 1); /* asked before or after */
}

static void what_may_wait_waits_for_a_connection(UNUSED void **state)
{
    struct store_greylist request = triplet();
    struct store_write write = { .key = SLICE("dkim"),
                                 .field = SLICE("example.com/s"),
                                 .text = SLICE("active") };

    redis_server_kill(&both.server);
    assert_true(test_store_wait(&both.redis, STORE_DEGRADED, 3000));
    assert_true(store_greylist(both.store, &request)); /* nobody to ask */
    assert_true(request.call.is_degraded);
    bool is_written = store_write(both.store, &write);
    assert_false(is_written);
    redis_server_start(&both.server, NULL);
    both_stores_finish(is_written, &write.call);
    assert_int_equal(STORE_OK, write.call.result);
    assert_string_equal("active", redis_server_ask(&both.server, "HGET gh:dkim example.com/s"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_REDIS(what_is_abandoned_tells_nobody_and_is_done),
        IN_REDIS(a_lost_connection_ends_requests_alone),
        IN_REDIS(what_may_wait_waits_for_a_connection),
    };

    signal(SIGPIPE, SIG_IGN); /* as in every daemon */
    return cmocka_run_group_tests(tests, both_stores_start, both_stores_end);
}
