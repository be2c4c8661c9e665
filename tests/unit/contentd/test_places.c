/* tests/unit/contentd/test_places.c - quarantine and outbox are opened at the start, or as soon as they can be. */
#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "common/quarantine/release.h"
#include "contentd/places.h"
#include "contentd/setup.h"
#include "tests/fakes/contentd_load.h"
#include "tests/fakes/temporary.h"

enum { TEXT_MAX = 400, WAIT_MS = 20000 };

static struct {
    struct temporary directory;
    struct worker *worker;
    struct snapshot *snapshot;
    struct release *release;
    struct effects_places places;
    struct places_opener *opener;
    size_t opened;
} bench;

static void opened(struct worker *worker, UNUSED void *arg)
{
    assert_ptr_equal(bench.worker, worker);
    assert_non_null(bench.places.quarantine);
    bench.opened++;
}

static const char *path_of(const char *name)
{
    static char path[TEXT_MAX];

    snprintf(path, sizeof path, "%s/%s", bench.directory.path, name);
    return path;
}

static int begin(UNUSED void **state)
{
    AUTO_BUF error = BUF_INIT(TEXT_MAX);
    char text[TEXT_MAX];

    memset(&bench, 0, sizeof bench);
    temporary_make(&bench.directory);
    bench.worker = worker_new(0, "main", &clock_system, NULL);
    snprintf(text, sizeof text,
             "quarantine_directory = %s/a/quarantine\noutbox_directory = %s/b/outbox\n",
             bench.directory.path, bench.directory.path);
    bench.snapshot = contentd_snapshot_of(text);
    bench.release = release_new(SLICE("inet:127.0.0.1:9"), SLICE("mx.example.org"), &error);
    return bench.worker == NULL || bench.release == NULL;
}

static int end(UNUSED void **state)
{
    places_close(&bench.opener);
    assert_null(bench.places.quarantine);
    assert_null(bench.places.outbox);
    release_free(&bench.release);
    snapshot_unref(&bench.snapshot);
    worker_free(&bench.worker);
    temporary_remove(&bench.directory);
    return 0;
}

static void open_places(const struct release *release)
{
    const struct setup *setup = snapshot_data(bench.snapshot);
    const struct places_spec spec = { .snapshot = bench.snapshot,
                                      .config = setup->parts.config,
                                      .clock = &clock_system,
                                      .release = release,
                                      .places = &bench.places,
                                      .main = bench.worker,
                                      .opened = opened };

    bench.opener = places_open(&spec);
    assert_non_null(bench.opener);
}

static void run_until_opened(void)
{
    static const struct timeval most = { WAIT_MS / 1000, 0 };

    event_base_loopexit(worker_base(bench.worker), &most);
    while (bench.opened == 0 && !event_base_got_exit(worker_base(bench.worker)))
        event_base_loop(worker_base(bench.worker), EVLOOP_ONCE);
    assert_int_equal(1, bench.opened);
}

static void opens_what_is_there(UNUSED void **state)
{
    assert_int_equal(0, mkdir(path_of("a"), 0700));
    assert_int_equal(0, mkdir(path_of("b"), 0700));
    open_places(bench.release);
    assert_non_null(bench.places.quarantine);
    assert_non_null(bench.places.outbox);
    places_close(&bench.opener);
    open_places(NULL);
    assert_non_null(bench.places.quarantine);
    assert_null(bench.places.outbox); /* nobody to send to */
    assert_int_equal(0, bench.opened);
}

static void goes_on_trying(UNUSED void **state)
{
    static const struct timespec moment = { 0, 10000000 };
    uint64_t most = clock_system.now_ms(&clock_system) + WAIT_MS;

    open_places(bench.release);
    assert_null(bench.places.quarantine);
    assert_int_equal(0, mkdir(path_of("a"), 0700));
    run_until_opened();
    assert_null(bench.places.outbox);
    assert_int_equal(0, mkdir(path_of("b"), 0700));
    while (bench.places.outbox == NULL && clock_system.now_ms(&clock_system) < most)
        nanosleep(&moment, NULL);
    assert_non_null(bench.places.outbox);
    assert_int_equal(1, bench.opened);
}

static void ends_while_it_tries(UNUSED void **state)
{
    open_places(bench.release);
    places_close(&bench.opener); /* the address sanitizer watches */
    assert_int_equal(0, bench.opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opens_what_is_there, begin, end),
        cmocka_unit_test_setup_teardown(goes_on_trying, begin, end),
        cmocka_unit_test_setup_teardown(ends_while_it_tries, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
