#include "tests/unit/unit.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/observe/metrics.h"
#include "contentd/scanners/backend.h"

static struct backend *make(const char *addresses, enum backend_order order)
{
    const char *error;
    struct backend *backend = backend_new(SLICE("test"), slice_of(addresses), order, &error);

    if (backend == NULL)
        fail_msg("%s: %s", addresses, error);
    return backend;
}

static void fails(const struct backend *backend, unsigned n, unsigned times, uint64_t now)
{
    while (times-- > 0) {
        uint32_t tried = ~(UINT32_C(1) << n) & 7;
        assert_int_equal((int)n, backend_take(backend, &tried, now));
        backend_give_back(backend, n, BACKEND_CLOSED, now);
    }
}

static int take(const struct backend *backend, uint64_t now)
{
    uint32_t tried = 0;

    return backend_take(backend, &tried, now);
}

static void reads_lists_of_addresses(UNUSED void **state)
{
    static const struct {
        const char *text;
        size_t count; /* 0: wrong */
        const char *last; /* or the error */
    } rows[] = {
        { "unix:/a", 1, "unix:/a" },
        { "unix:/a, inet:127.0.0.1:1", 2, "inet:127.0.0.1:1" },
        { " unix:/a\tunix:/b,unix:/c ,", 3, "unix:/c" },
        { "", 0, "a scanner needs an address: unix:PATH or inet:HOST:PORT" },
        { " , ", 0, "a scanner needs an address: unix:PATH or inet:HOST:PORT" },
        { "unix:/a, x", 0, "it is neither unix:PATH nor inet:HOST:PORT" },
        { "unix:/1 unix:/2 unix:/3 unix:/4 unix:/5 unix:/6 unix:/7 unix:/8 unix:/9 unix:/a unix:/b "
          "unix:/c unix:/d unix:/e unix:/f unix:/g unix:/h",
          0, "a scanner has at most 16 addresses" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *error = NULL;
        struct backend *backend =
            backend_new(SLICE("test"), slice_of(rows[i].text), BACKEND_IN_ORDER, &error);
        if (rows[i].count == 0) {
            assert_null(backend);
            assert_string_equal(rows[i].last, error);
            continue;
        }
        assert_int_equal(rows[i].count, backend_count(backend));
        assert_string_equal(rows[i].last, backend_text(backend, (unsigned)rows[i].count - 1));
        backend_free(&backend);
    }
}

static void tries_each_address_once(UNUSED void **state)
{
    struct backend *backend = make("unix:/a unix:/b unix:/c", BACKEND_IN_ORDER);
    uint32_t tried = 0;

    for (int n = 0; n < 3; n++) {
        assert_true(backend_has_more(backend, tried));
        assert_int_equal(n, backend_take(backend, &tried, 0));
        backend_give_back(backend, (unsigned)n, BACKEND_NO_CONNECTION, 0);
    }
    assert_false(backend_has_more(backend, tried));
    assert_int_equal(-1, backend_take(backend, &tried, 0));
    backend_free(&backend);
}

static void passes_over_what_fails_and_tries_it_again(UNUSED void **state)
{
    struct backend *backend = make("unix:/a unix:/b unix:/c", BACKEND_IN_ORDER);

    fails(backend, 0, BACKEND_FAILURES_MOST - 1, 1000);
    assert_false(backend_is_broken(backend, 0));
    fails(backend, 0, 1, 1000);
    assert_true(backend_is_broken(backend, 0));
    assert_int_equal(1, take(backend, 1999));
    backend_give_back(backend, 1, BACKEND_WORKED, 1999);
    /* After a second one scan tries it; others leave it alone for twice as long. */
    assert_int_equal(0, take(backend, 2000));
    assert_int_equal(1, take(backend, 2000));
    assert_int_equal(1, take(backend, 3999));
    assert_int_equal(0, take(backend, 4000));
    assert_int_equal(1, take(backend, 7999));
    backend_give_back(backend, 0, BACKEND_WORKED, 8000);
    assert_false(backend_is_broken(backend, 0));
    assert_int_equal(0, take(backend, 8000));
    backend_free(&backend);
}

static void backs_off_for_half_a_minute_at_most(UNUSED void **state)
{
    struct backend *backend = make("unix:/a unix:/b", BACKEND_IN_ORDER);
    uint64_t now = 0, last = 0;

    fails(backend, 0, BACKEND_FAILURES_MOST, now);
    for (unsigned tries = 0; tries < 12; now += 100) {
        int n = take(backend, now);
        backend_give_back(backend, (unsigned)n, n == 0 ? BACKEND_NO_ANSWER : BACKEND_WORKED, now);
        if (n != 0)
            continue;
        assert_true(now - last <= 30000);
        if (tries >= 6)
            assert_int_equal(30000, now - last);
        last = now;
        tries++;
    }
    backend_free(&backend);
}

static void a_success_between_failures_starts_the_count_anew(UNUSED void **state)
{
    struct backend *backend = make("unix:/a unix:/b", BACKEND_IN_ORDER);

    for (int i = 0; i < 10; i++) {
        fails(backend, 0, BACKEND_FAILURES_MOST - 1, 0);
        assert_int_equal(0, take(backend, 0));
        backend_give_back(backend, 0, BACKEND_WORKED, 0);
    }
    assert_false(backend_is_broken(backend, 0));
    backend_free(&backend);
}

static void what_we_give_up_ourselves_says_nothing(UNUSED void **state)
{
    struct backend *backend = make("unix:/a", BACKEND_IN_ORDER);

    for (int i = 0; i < 10; i++) {
        assert_int_equal(0, take(backend, 0));
        backend_give_back(backend, 0, BACKEND_UNUSED, 0);
    }
    assert_false(backend_is_broken(backend, 0));
    backend_free(&backend);
}

/* The one due first, by one scan at a time: what refuses at once is found to be back with the next message, what hangs
 * holds up one. */
static void with_all_broken_one_at_a_time_is_tried(UNUSED void **state)
{
    struct backend *backend = make("unix:/a unix:/b", BACKEND_IN_ORDER);

    fails(backend, 1, BACKEND_FAILURES_MOST, 0);
    fails(backend, 0, BACKEND_FAILURES_MOST, 100);
    assert_int_equal(1, take(backend, 200)); /* hangs */
    assert_int_equal(0, take(backend, 200)); /* hangs too */
    assert_int_equal(-1, take(backend, 200));
    backend_give_back(backend, 0, BACKEND_NO_CONNECTION, 300);
    assert_int_equal(0, take(backend, 300));
    assert_int_equal(-1, take(backend, 300));
    assert_int_equal(1, take(backend, 1000)); /* its time has come, whoever holds it */
    backend_give_back(backend, 0, BACKEND_WORKED, 1100);
    assert_int_equal(0, take(backend, 1100));
    assert_int_equal(0, take(backend, 1100));
    backend_free(&backend);
}

static void spreads_the_load(UNUSED void **state)
{
    struct backend *backend = make("unix:/a unix:/b unix:/c", BACKEND_SPREAD);

    assert_int_equal(0, take(backend, 0));
    assert_int_equal(1, take(backend, 0));
    assert_int_equal(2, take(backend, 0));
    assert_int_equal(0, take(backend, 0));
    backend_give_back(backend, 2, BACKEND_WORKED, 0);
    assert_int_equal(2, take(backend, 0)); /* the fewest under way */
    assert_int_equal(1, take(backend, 0));
    backend_free(&backend);
}

static void a_broken_one_of_several_is_tried_again_too(UNUSED void **state)
{
    struct backend *backend = make("unix:/a unix:/b unix:/c", BACKEND_SPREAD);

    fails(backend, 2, BACKEND_FAILURES_MOST, 0);
    for (int i = 0; i < 6; i++) {
        int n = take(backend, 500);
        assert_int_not_equal(2, n);
    }
    assert_int_equal(2, take(backend, 1000));
    assert_int_not_equal(2, take(backend, 1000));
    backend_give_back(backend, 2, BACKEND_WORKED, 1001);
    assert_int_equal(2, take(backend, 1001));
    backend_free(&backend);
}

static const struct resolver_answer no_answer, one = { { "192.0.2.1" }, 1 },
                                               two = { { "192.0.2.2", "2001:db8::2" }, 2 };

static void addresses_of_names_are_kept_for_a_while(UNUSED void **state)
{
    struct backend *backend = make("inet:scanner.example:99", BACKEND_IN_ORDER);
    struct backend_sockets sockets;
    struct sockaddr_in in4;
    const char *name = "";

    assert_false(backend_sockets(backend, 0, 1000, &sockets, &name));
    assert_string_equal("scanner.example", name);
    assert_false(backend_sockets(backend, 0, 1000, &sockets, &name)); /* others have to ask too */
    backend_resolved(backend, 0, &one, 1000);
    assert_true(backend_sockets(backend, 0, 30999, &sockets, &name));
    assert_int_equal(1, sockets.count);
    memcpy(&in4, &sockets.sockets[0], sizeof(in4));
    assert_int_equal(htons(99), in4.sin_port);
    /* Old: one asks, the others use it meanwhile. */
    assert_false(backend_sockets(backend, 0, 31000, &sockets, &name));
    assert_true(backend_sockets(backend, 0, 31000, &sockets, &name));
    backend_resolved(backend, 0, &two, 31100);
    assert_true(backend_sockets(backend, 0, 31100, &sockets, &name));
    assert_int_equal(2, sockets.count);
    assert_int_equal(AF_INET6, sockets.sockets[1].ss_family);
    backend_free(&backend);
}

static void without_an_answer_what_was_known_serves(UNUSED void **state)
{
    struct backend *backend = make("inet:scanner.example:99", BACKEND_IN_ORDER);
    struct backend_sockets sockets;
    const char *name;

    backend_resolved(backend, 0, &no_answer, 0);
    assert_true(backend_sockets(backend, 0, 999, &sockets, &name));
    assert_int_equal(0, sockets.count);
    assert_false(backend_sockets(backend, 0, 1000, &sockets, &name));
    backend_resolved(backend, 0, &one, 1000);
    assert_false(backend_sockets(backend, 0, 50000, &sockets, &name));
    backend_resolved(backend, 0, &no_answer, 50000);
    assert_true(backend_sockets(backend, 0, 50000, &sockets, &name));
    assert_int_equal(1, sockets.count);
    backend_free(&backend);
}

static void numbers_need_no_name_server(UNUSED void **state)
{
    struct backend *backend = make("inet:127.0.0.1:99 unix:/x", BACKEND_IN_ORDER);
    struct backend_sockets sockets;
    const char *name;

    assert_true(backend_sockets(backend, 0, 0, &sockets, &name));
    assert_int_equal(AF_INET, sockets.sockets[0].ss_family);
    assert_true(backend_sockets(backend, 1, 0, &sockets, &name));
    assert_int_equal(AF_UNIX, sockets.sockets[0].ss_family);
    backend_free(&backend);
}

/* Whether a line of /metrics begins with `text`. */
static bool metrics_have(const char *text)
{
    AUTO_BUF out = BUF_INIT(1 << 20);

    assert_int_equal(0, metrics_print(&out));
    return strstr(buf_text(&out), text) != NULL;
}

static void counts_what_happens(UNUSED void **state)
{
    const char *error;
    struct backend *backend =
        backend_new(SLICE("counted"), SLICE("unix:/a"), BACKEND_IN_ORDER, &error);

    assert_non_null(backend);
    backend_count_result(backend, FINDING_CLEAN, 5);
    backend_count_result(backend, FINDING_CLEAN, 5);
    backend_count_result(backend, FINDING_TROUBLE, 7);
    fails(backend, 0, BACKEND_FAILURES_MOST, 0);
    assert_true(metrics_have(
        "\ngatehouse_scanner_requests_total{scanner=\"counted\",result=\"clean\"} 2\n"));
    assert_true(metrics_have(
        "\ngatehouse_scanner_requests_total{scanner=\"counted\",result=\"trouble\"} 1\n"));
    assert_true(
        metrics_have("\ngatehouse_scanner_failures_total{scanner=\"counted\",address=\"unix:/"
                     "a\",reason=\"closed\"} 3\n"));
    assert_true(metrics_have(
        "\ngatehouse_scanner_address_broken{scanner=\"counted\",address=\"unix:/a\"} 1\n"));
    assert_true(metrics_have("\ngatehouse_scanner_seconds_count{scanner=\"counted\"} 3\n"));
    assert_true(metrics_have("\ngatehouse_scanner_seconds_sum{scanner=\"counted\"} 0.017"));
    backend_give_back(backend, (unsigned)backend_take(backend, &(uint32_t){ 0 }, 60000),
                      BACKEND_WORKED, 60000);
    assert_true(metrics_have(
        "\ngatehouse_scanner_address_broken{scanner=\"counted\",address=\"unix:/a\"} 0\n"));
    fails(backend, 0, BACKEND_FAILURES_MOST, 60000);
    assert_true(metrics_have(
        "\ngatehouse_scanner_address_broken{scanner=\"counted\",address=\"unix:/a\"} 1\n"));
    backend_free(&backend); /* a reload makes a new one */
    assert_true(metrics_have(
        "\ngatehouse_scanner_address_broken{scanner=\"counted\",address=\"unix:/a\"} 0\n"));
}

/* ---- several workers ---- */

enum { THREADS = 4, ROUNDS = 3000 };

struct shared_use {
    const struct backend *backend;
    atomic_uint seed_next; /* of each thread's own random numbers */
};

static void notices_another_version(UNUSED void **state)
{
    static const struct {
        unsigned address;
        const char *version;
        bool is_other;
    } rows[] = {
        { 0, NULL, false },   { 0, "", false },     { 0, "\"1\"", true },  { 0, "\"1\"", false },
        { 1, "\"1\"", true }, { 0, "\"2\"", true }, { 0, "\"2\"", false }, { 0, "", false },
        { 0, "\"2", true },   { 0, "\"2", false },  { 1, "\"1\"", false },
    };
    struct backend *backend = make("unix:/a unix:/b", BACKEND_IN_ORDER);
    static char big[BACKEND_VERSION_MAX + 10];

    for (size_t i = 0; i < COUNT(rows); i++) {
        if (backend_saw_version(backend, rows[i].address, slice_of(rows[i].version)) !=
            rows[i].is_other)
            fail_msg("row %zu", i);
    }
    memset(big, 'x', sizeof(big));
    assert_true(backend_saw_version(backend, 0, (struct slice){ big, sizeof(big) }));
    assert_false(backend_saw_version(backend, 0, (struct slice){ big, sizeof(big) }));
    backend_free(&backend);
}

static void *use(void *arg)
{
    struct shared_use *use = arg;
    unsigned seed = atomic_fetch_add(&use->seed_next, 1);

    for (uint64_t now = 0; now < ROUNDS; now++) {
        uint32_t tried = 0;
        int n;
        while ((n = backend_take(use->backend, &tried, now * 10)) >= 0) {
            struct backend_sockets sockets;
            const char *name;
            if (!backend_sockets(use->backend, (unsigned)n, now * 10, &sockets, &name))
                backend_resolved(use->backend, (unsigned)n, seed % 2 == 0 ? &one : &no_answer,
                                 now * 10);
            seed = seed * 1103515245 + 12345;
            bool works = seed >> 16 & 1;
            backend_give_back(use->backend, (unsigned)n, works ? BACKEND_WORKED : BACKEND_CLOSED,
                              now * 10);
            backend_count_result(use->backend, works ? FINDING_CLEAN : FINDING_TROUBLE, 1);
            if (works)
                break;
        }
    }
    return NULL;
}

static void workers_share_it(UNUSED void **state)
{
    struct backend *backend = make("unix:/a inet:name.example:1 inet:127.0.0.1:1", BACKEND_SPREAD);
    struct shared_use shared = { .backend = backend };
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, use, &shared));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    /* All were given back: every address can be taken, and works again. */
    for (unsigned n = 0; n < 3; n++) {
        uint32_t tried = 7 & ~(UINT32_C(1) << n);
        assert_int_equal((int)n, backend_take(backend, &tried, UINT64_C(1) << 40));
        backend_give_back(backend, n, BACKEND_WORKED, UINT64_C(1) << 40);
        assert_false(backend_is_broken(backend, n));
    }
    backend_free(&backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lists_of_addresses),
        cmocka_unit_test(tries_each_address_once),
        cmocka_unit_test(passes_over_what_fails_and_tries_it_again),
        cmocka_unit_test(backs_off_for_half_a_minute_at_most),
        cmocka_unit_test(a_success_between_failures_starts_the_count_anew),
        cmocka_unit_test(what_we_give_up_ourselves_says_nothing),
        cmocka_unit_test(with_all_broken_one_at_a_time_is_tried),
        cmocka_unit_test(spreads_the_load),
        cmocka_unit_test(a_broken_one_of_several_is_tried_again_too),
        cmocka_unit_test(addresses_of_names_are_kept_for_a_while),
        cmocka_unit_test(without_an_answer_what_was_known_serves),
        cmocka_unit_test(numbers_need_no_name_server),
        cmocka_unit_test(counts_what_happens),
        cmocka_unit_test(notices_another_version),
        cmocka_unit_test(workers_share_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
