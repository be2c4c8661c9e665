/* tests/unit/run/test_daemon_workers.c - the threads of a daemon: so many as are configured, each with its own; one that does not
 * start. The daemon as a process: test_daemon.c. */
#include "tests/unit/unit.h"

#include "common/run/daemon_private.h"

static atomic_uint started, stopped;
static unsigned refused_id; /* 0: none */

static int start_one(struct worker *worker)
{
    if (worker_id(worker) == refused_id)
        return -1;
    assert_ptr_equal(worker, worker_current());
    assert_non_null(worker_snapshot(worker));
    started++;
    return 0;
}

static void stop_one(struct worker *worker)
{
    assert_ptr_equal(worker, worker_current());
    stopped++;
}

static const struct daemon_spec spec = { .worker_start = start_one, .worker_stop = stop_one };
static const struct daemon_spec plain; /* keeps nothing with its workers */
static const struct worker_hooks main_hooks = { daemon_worker_start, daemon_worker_stop };

static struct common_config common;
static struct loaded file = { .common = &common };
static struct daemon the_daemon;

static void keep(UNUSED void *arg)
{
}

static void make(const struct daemon_spec *of, uint64_t workers)
{
    started = stopped = refused_id = 0;
    common.workers = workers;
    the_daemon = (struct daemon){ .spec = of,
                                  .clock = &clock_system,
                                  .file = &file,
                                  .snapshot = snapshot_new(&file, keep, NULL, 1) };
    assert_non_null(the_daemon.snapshot);
    assert_int_equal(0, daemon_workers_make(&the_daemon, &main_hooks));
}

static void drop(void)
{
    daemon_workers_free(&the_daemon);
    snapshot_unref(&the_daemon.snapshot);
}

static void there_are_as_many_as_configured(UNUSED void **state)
{
    static const struct {
        uint64_t configured;
        size_t least, most;
    } cases[] = { { 1, 1, 1 }, { 3, 3, 3 }, { 128, 128, 128 }, { 1000, 128, 128 }, { 0, 1, 128 } };

    for (size_t i = 0; i < COUNT(cases); i++) {
        make(&spec, cases[i].configured);
        if (the_daemon.worker_count < cases[i].least || the_daemon.worker_count > cases[i].most)
            fail_msg("row %zu: %zu workers", i, the_daemon.worker_count);
        assert_int_equal(0, worker_id(the_daemon.main_worker));
        for (size_t n = 0; n < the_daemon.worker_count; n++)
            assert_int_equal(n + 1, worker_id(the_daemon.workers[n]));
        drop();
    }
}

static void each_starts_and_stops_on_its_own_thread(UNUSED void **state)
{
    make(&spec, 3);
    assert_int_equal(0, daemon_workers_start(&the_daemon));
    assert_int_equal(3, started);
    assert_int_equal(0, stopped);
    for (size_t i = 0; i < 3; i++) /* as if they had just said that they are well */
        assert_true(the_daemon.health[i].answered_ms > 0);
    daemon_workers_stop(&the_daemon);
    assert_int_equal(3, stopped);
    drop();
    make(&plain, 2);
    assert_int_equal(0, daemon_workers_start(&the_daemon));
    daemon_workers_stop(&the_daemon);
    drop();
}

static void one_that_does_not_start_is_told(UNUSED void **state)
{
    make(&spec, 3);
    refused_id = 2;
    assert_int_equal(-1, daemon_workers_start(&the_daemon));
    daemon_workers_stop(&the_daemon);
    assert_int_equal(1, started);
    assert_int_equal(1, stopped);
    drop();
}

static void without_listeners_nobody_accepts(UNUSED void **state)
{
    make(&spec, 1);
    assert_int_equal(0, daemon_accepting_start(&the_daemon));
    assert_null(the_daemon.accept_worker);
    daemon_accepting_end(&the_daemon);
    drop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_as_many_as_configured),
        cmocka_unit_test(each_starts_and_stops_on_its_own_thread),
        cmocka_unit_test(one_that_does_not_start_is_told),
        cmocka_unit_test(without_listeners_nobody_accepts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
