/* tests/unit/run/test_worker.c - loops, calls from other threads, snapshots. Run under TSan too. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "common/run/worker.h"
#include "tests/fakes/worker_loop.h"

enum { SENDERS = 4, CALLS = 5000 };

struct sender {
    struct worker *to;
    unsigned next; /* number of the call expected next; the worker's own */
    bool is_ordered;
    pthread_t thread;
};

struct numbered {
    struct sender *sender;
    unsigned number;
};

static void take_number(struct worker *worker, void *arg)
{
    struct numbered *call = arg;

    assert_ptr_equal(worker, worker_current());
    if (call->number != call->sender->next)
        call->sender->is_ordered = false;
    call->sender->next++;
    free(call);
}

static void *send_all(void *arg)
{
    struct sender *sender = arg;

    for (unsigned i = 0; i < CALLS; i++) {
        struct numbered *call = malloc(sizeof *call);
        *call = (struct numbered){ sender, i };
        if (worker_post(sender->to, take_number, call))
            abort();
    }
    return NULL;
}

static void runs_all_calls_of_all_threads_in_order(UNUSED void **state)
{
    struct worker *worker = worker_new(1, "worker-1", &clock_system, NULL);
    struct sender senders[SENDERS];

    assert_int_equal(0, worker_start(worker));
    for (size_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ .to = worker, .is_ordered = true };
        pthread_create(&senders[i].thread, NULL, send_all, &senders[i]);
    }
    for (size_t i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    worker_stop(worker); /* after all that was posted */
    worker_join(worker);
    for (size_t i = 0; i < SENDERS; i++) {
        assert_int_equal(CALLS, senders[i].next);
        assert_true(senders[i].is_ordered);
    }
    worker_free(&worker);
    assert_null(worker);
}

static void count_one(UNUSED struct worker *worker, void *arg)
{
    ++*(unsigned *)arg;
}

static void post_again(struct worker *worker, void *arg)
{
    unsigned *count = arg;

    if (++*count < 5)
        worker_post(worker, post_again, count);
    else
        worker_stop(worker);
}

static void a_call_may_post_the_next(UNUSED void **state)
{
    struct worker *worker = worker_new(0, "main", &clock_system, NULL);
    unsigned count = 0;

    worker_post(worker, post_again, &count);
    assert_int_equal(0, count); /* never at once */
    assert_int_equal(0, worker_run(worker));
    assert_int_equal(5, count);
    worker_free(&worker);
}

static void do_one(struct worker *worker, void *arg)
{
    unsigned *count = arg;

    worker_do(worker, count_one, NULL, count);
    assert_int_equal(11, *count);
    worker_stop(worker);
}

static void its_own_thread_need_not_wait(UNUSED void **state)
{
    struct worker *worker = worker_new(0, "main", &clock_system, NULL);
    unsigned count = 0, never = 0;

    worker_do(worker, count_one, NULL, &count);
    assert_int_equal(0, count); /* it is not its thread yet */
    count = 9;
    worker_post(worker, do_one, &count); /* after the one before */
    assert_int_equal(0, worker_run(worker));
    assert_int_equal(11, count);
    worker_do(worker, count_one, count_one, &never);
    worker_free(&worker);
    assert_int_equal(1, never);
}

static void tells_when_a_call_was_dropped(UNUSED void **state)
{
    struct worker *worker = worker_new(1, "never", &clock_system, NULL);
    unsigned ran = 0, dropped = 0;

    worker_post_or(worker, count_one, count_one, &dropped);
    worker_post(worker, count_one, &ran);
    worker_free(&worker); /* it never ran */
    assert_int_equal(0, ran);
    assert_int_equal(1, dropped);
}

static unsigned hook_calls;

static int refuse_start(UNUSED struct worker *worker)
{
    hook_calls++;
    return -1;
}

static int set_state_hook(struct worker *worker)
{
    worker_set_state(worker, &hook_calls);
    return 0;
}

static void count_stop(struct worker *worker)
{
    assert_ptr_equal(&hook_calls, worker_state(worker));
    hook_calls++;
}

static void says_when_its_start_fails(UNUSED void **state)
{
    static const struct worker_hooks refuse = { refuse_start, count_stop };
    struct worker *worker = worker_new(1, "refuses", &clock_system, &refuse);

    hook_calls = 0;
    assert_int_equal(-1, worker_start(worker));
    assert_int_equal(1, hook_calls); /* and the stop hook was not called */
    worker_free(&worker);
}

static void calls_its_hooks_around_the_loop(UNUSED void **state)
{
    static const struct worker_hooks hooks = { set_state_hook, count_stop };
    struct worker *worker = worker_new(7, "hooked", &clock_system, &hooks);

    hook_calls = 0;
    assert_int_equal(0, worker_start(worker));
    assert_ptr_equal(&hook_calls, worker_state(worker));
    assert_int_equal(7, worker_id(worker));
    assert_null(worker_current());
    worker_stop(worker);
    worker_join(worker);
    assert_int_equal(1, hook_calls);
    worker_free(&worker);
}

static void note_time(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    ++*(unsigned *)arg;
}

static void common_timeouts_work_like_others(UNUSED void **state)
{
    struct worker *worker = worker_new(0, "main", &clock_system, NULL);
    struct timeval space;
    unsigned fired = 0;

    for (uint64_t ms = 1; ms < 100; ms++)
        worker_common_timeout(worker, ms); /* more than there is room for: the rest is plain */
    worker_common_timeout(worker, 1);
    assert_ptr_not_equal(&space, worker_timeout(worker, 20, &space));
    assert_ptr_equal(&space, worker_timeout(worker, 90, &space));
    assert_int_equal(90000, space.tv_usec);
    worker_timeout(worker, 12345, &space);
    assert_int_equal(12, space.tv_sec);
    assert_int_equal(345000, space.tv_usec);

    struct event *quick = evtimer_new(worker_base(worker), note_time, &fired);
    struct event *slow = evtimer_new(worker_base(worker), note_time, &fired);
    event_add(quick, worker_timeout(worker, 5, &space));
    event_add(slow, worker_timeout(worker, 5000, &space));
    worker_loop_for(worker, 60);
    assert_int_equal(1, fired);
    event_free(quick);
    event_free(slow);
    worker_free(&worker);
}

/* ---- snapshots ---- */

static atomic_uint released;

static void count_release(void *arg)
{
    assert_string_equal("data", arg);
    atomic_fetch_add(&released, 1);
}

static void *use_and_drop(void *arg)
{
    for (size_t i = 0; i < CALLS; i++) {
        struct snapshot *mine = snapshot_ref(arg);
        if (snapshot_generation(mine) != 9)
            abort();
        snapshot_unref(&mine);
    }
    struct snapshot *last = arg;
    snapshot_unref(&last);
    return NULL;
}

static void a_snapshot_is_freed_once_with_its_last_user(UNUSED void **state)
{
    static char data[] = "data";
    pthread_t threads[SENDERS];
    struct snapshot *snapshot = snapshot_new(data, count_release, data, 9);

    atomic_store(&released, 0);
    assert_string_equal("data", snapshot_data(snapshot));
    for (size_t i = 0; i < SENDERS; i++)
        pthread_create(&threads[i], NULL, use_and_drop, snapshot_ref(snapshot));
    for (size_t i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(0, atomic_load(&released));
    snapshot_unref(&snapshot);
    assert_int_equal(1, atomic_load(&released));
    snapshot_unref(&snapshot); /* NULL-safe */
}

static void a_worker_keeps_the_snapshot_it_uses(UNUSED void **state)
{
    static char data[] = "data";
    struct worker *worker = worker_new(1, "keeps", &clock_system, NULL);
    struct snapshot *first = snapshot_new(data, count_release, data, 1);
    struct snapshot *second = snapshot_new(data, count_release, data, 2);

    atomic_store(&released, 0);
    worker_set_snapshot(worker, first);
    snapshot_unref(&first);
    assert_int_equal(0, atomic_load(&released));
    struct snapshot *kept_by_request = snapshot_ref(worker_snapshot(worker));
    worker_set_snapshot(worker, second);
    snapshot_unref(&second);
    assert_int_equal(0, atomic_load(&released));
    snapshot_unref(&kept_by_request);
    assert_int_equal(1, atomic_load(&released));
    worker_free(&worker);
    assert_int_equal(2, atomic_load(&released));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_all_calls_of_all_threads_in_order),
        cmocka_unit_test(a_call_may_post_the_next),
        cmocka_unit_test(its_own_thread_need_not_wait),
        cmocka_unit_test(tells_when_a_call_was_dropped),
        cmocka_unit_test(says_when_its_start_fails),
        cmocka_unit_test(calls_its_hooks_around_the_loop),
        cmocka_unit_test(common_timeouts_work_like_others),
        cmocka_unit_test(a_snapshot_is_freed_once_with_its_last_user),
        cmocka_unit_test(a_worker_keeps_the_snapshot_it_uses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
