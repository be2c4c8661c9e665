#include "tests/unit/unit.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include "contentd/scanners/exchange.h"
#include "tests/fakes/scan_case.h"

/* A protocol of lines: the message, then "END\n"; the answer is "clean\n" or something else, perhaps after "chatter\n". */

struct line_scan {
    struct scan scan;
    uint64_t offset;
    bool is_end_put;
};

static struct {
    unsigned begins, parts; /* parts: how many are put at the beginning */
    size_t flood; /* bytes put at the beginning */
    bool ends_late; /* the end is put when the answer is there */
    size_t early; /* answers before it had all */
    in_port_t port; /* in network order; 0: no matter */
    size_t prompt, slow; /* connections to it that send at once, or wait for acknowledgements */
} seen;

static void look_at_connection(int fd)
{
    struct sockaddr_in peer;
    socklen_t length = sizeof(peer), option_length = sizeof(int);
    int is_on = 0;

    if (getpeername(fd, (struct sockaddr *)&peer, &length) != 0 || peer.sin_family != AF_INET ||
        peer.sin_port != seen.port)
        return;
    assert_return_code(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &is_on, &option_length), errno);
    ++*(is_on != 0 ? &seen.prompt : &seen.slow);
}

static void begin(void *owner, struct connection *connection)
{
    static char flood[1 << 16];
    struct line_scan *scan = owner;

    exchange_reset(&scan->scan);
    scan->offset = 0;
    scan->is_end_put = false;
    seen.begins++;
    for (int fd = 0; seen.port != 0 && fd < 1024; fd++)
        look_at_connection(fd);
    for (unsigned i = 0; i < seen.parts; i++) {
        connection_put(connection, SLICE("x"));
        connection_put_message(connection, 0, 1);
    }
    for (size_t put = 0; put < seen.flood; put += sizeof(flood))
        connection_put(connection, (struct slice){ flood, sizeof(flood) });
}

static void output(void *owner, struct connection *connection)
{
    struct line_scan *scan = owner;
    bool is_whole = message_is_whole(scan->scan.request.message);
    uint64_t size = message_size(scan->scan.request.message);

    connection_put_message(connection, scan->offset, size - scan->offset);
    scan->offset = size;
    if (is_whole && !scan->is_end_put) {
        scan->is_end_put = true;
        connection_put(connection, SLICE("END\n"));
        if (!seen.ends_late)
            connection_put_end(connection);
    }
}

static void end_now(struct connection *connection)
{
    connection_put_end(connection);
    connection_more(connection); /* sends it */
}

static enum connection_input input(void *owner, struct connection *connection, struct slice in,
                                   UNUSED bool is_end, size_t *used)
{
    struct line_scan *scan = owner;
    struct slice rest = in, line;

    while (slice_cut(&rest, '\n', &line)) {
        *used = in.len - rest.len;
        if (slice_equal(line, SLICE("chatter")))
            continue;
        if (!slice_equal(line, SLICE("clean")))
            return connection_bad(connection, "it said %.*s at %s", SLICE_ARG(line),
                                  connection_host(connection));
        if (seen.ends_late)
            end_now(connection);
        if (!connection_is_complete(connection)) {
            seen.early++;
            return connection_bad(connection, "it has not got all");
        }
        scan->scan.finding.result = FINDING_CLEAN;
        return CONNECTION_DONE;
    }
    return CONNECTION_MORE;
}

static const struct connection_protocol protocol = {
    .input_max = 64,
    .begin = begin,
    .output = output,
    .input = input,
    .done = exchange_done,
};

static struct scan *start(const struct scan_request *request)
{
    return exchange_start(request, sizeof(struct line_scan), &protocol);
}

static const struct scanner_kind kind = { "lines",         "", true, false, start, exchange_more,
                                          exchange_abandon };

static const struct fake_step good[] = { { STEP_READ, SLICE_INIT("END\n"), 0 },
                                         { STEP_SEND, SLICE_INIT("clean\n"), 0 },
                                         { .kind = STEP_HANG } },
                              bad[] = { { STEP_READ, SLICE_INIT("END\n"), 0 },
                                        { STEP_SEND, SLICE_INIT("rubbish\n"), 0 },
                                        { .kind = STEP_HANG } },
                              hangs[] = { { .kind = STEP_HANG } },
                              closes[] = { { .kind = STEP_CLOSE } };

static void open_case(struct scan_case *test, const struct fake_step *script)
{
    memset(&seen, 0, sizeof(seen));
    scan_case_open(test, &kind, script);
}

static void must_be_clean(const struct finding *finding)
{
    if (finding->result != FINDING_CLEAN)
        fail_msg("%s: %.*s", finding_words[finding->result], SLICE_ARG(finding->error));
}

static void sends_all_and_half_closes(UNUSED void **state)
{
    static const struct fake_step script[] = { { .kind = STEP_READ }, /* until it half closes */
                                               { STEP_SEND, SLICE_INIT("clean\n"), 0 },
                                               { .kind = STEP_HANG } };
    struct scan_case test;

    open_case(&test, script);
    must_be_clean(scan_case_run(&test));
    assert_slice("Subject: a test\r\n\r\nHello\r\nEND\n", buf_slice(&test.servers[0].received));
    assert_true(test.servers[0].client_ended);
    scan_case_close(&test);
}

/* More than a socket takes at once, from memory and from a file, with small pieces before it: every byte in its place. */
static void sends_a_large_message_byte_by_byte(UNUSED void **state)
{
    static const struct fake_step script[] = { { .kind = STEP_READ }, /* until it half closes */
                                               { STEP_SEND, SLICE_INIT("clean\n"), 0 },
                                               { .kind = STEP_HANG } };
    AUTO_BUF body = BUF_INIT(8 << 20), want = BUF_INIT(8 << 20);
    struct scan_case test;

    for (size_t i = 0; body.len < 3 << 20; i++) {
        buf_put_number(&body, i, 7);
        buf_put(&body, "\r\n");
    }
    for (size_t i = 0; i < 20; i++)
        buf_put(&want, "xS");
    buf_put(&want, "Subject: a test\r\n\r\n");
    buf_add(&want, buf_slice(&body));
    buf_put(&want, "END\n");
    open_case(&test, script);
    seen.parts = 20; /* more pieces than go out at once */
    struct slice bytes = buf_slice(&body);
    scan_case_message(&test, slice_part(bytes, 0, bytes.len / 2), false);
    scan_case_start(&test);
    event_base_loop(worker_base(test.worker), EVLOOP_ONCE);
    scan_case_body(&test, slice_skip(bytes, bytes.len / 2), true);
    must_be_clean(scan_case_finish(&test));
    assert_int_equal(want.len, test.servers[0].received.len);
    assert_memory_equal(want.data, test.servers[0].received.data, want.len);
    scan_case_close(&test);
}

static void open_tcp_case(struct scan_case *test, const struct fake_step *script)
{
    open_case(test, script);
    fake_scanner_stop(&test->servers[0]);
    test->server_count = 0;
    scan_case_add_server(test, false, script);
}

/* The other side's system is in no hurry to say that it has seen our end; it has the message all the same. */
static void an_end_on_its_way_is_not_waited_for(UNUSED void **state)
{
    struct scan_case test;

    open_tcp_case(&test, good);
    seen.ends_late = true;
    must_be_clean(scan_case_run(&test));
    scan_case_close(&test);
}

static void takes_input_piece_by_piece(UNUSED void **state)
{
    static const struct fake_step script[] = { { STEP_READ, SLICE_INIT("END\n"), 0 },
                                               { STEP_FLOOD, SLICE_INIT("chatter\n"), 10000 },
                                               { STEP_SEND, SLICE_INIT("clean\n"), 0 },
                                               { .kind = STEP_HANG } };
    struct scan_case test;

    open_case(&test, script);
    must_be_clean(scan_case_run(&test));
    scan_case_close(&test);
}

static void a_line_without_end_is_too_long(UNUSED void **state)
{
    static const struct fake_step script[] = { { STEP_READ, SLICE_INIT("END\n"), 0 },
                                               { STEP_FLOOD, SLICE_INIT("chatter"), 10 },
                                               { .kind = STEP_HANG } };
    struct scan_case test;

    open_case(&test, script);
    const struct finding *finding = scan_case_run(&test);
    assert_int_equal(FINDING_TROUBLE, finding->result);
    assert_true(slice_ends_with(finding->error, SLICE(": its answer is too long")));
    scan_case_close(&test);
}

static void says_what_failed_at_each_address(UNUSED void **state)
{
    struct scan_case test;
    AUTO_BUF want = BUF_INIT(1000);

    open_case(&test, closes);
    scan_case_add_server(&test, true, bad);
    scan_case_add_server(&test, false, closes);
    fake_scanner_refuse(&test.servers[2]);
    const struct finding *finding = scan_case_run(&test);
    assert_int_equal(FINDING_TROUBLE, finding->result);
    buf_printf(&want, "%s: it said rubbish at localhost; %s: Connection refused",
               test.servers[1].address, test.servers[2].address);
    if (!slice_ends_with(finding->error, buf_slice(&want)) ||
        !slice_starts_with(finding->error, slice_of(test.servers[0].address)))
        fail_msg("%.*s", SLICE_ARG(finding->error));
    assert_int_equal(2, seen.begins);
    scan_case_close(&test);
}

/* One that is silent may use half of the time; the next one still has some. */
static void silence_is_not_waited_for_to_the_end(UNUSED void **state)
{
    struct scan_case test;

    open_case(&test, hangs);
    scan_case_add_server(&test, true, hangs);
    scan_case_add_server(&test, true, good);
    test.scanner.scan_timeout_ms = 4800;
    must_be_clean(scan_case_run(&test));
    assert_int_equal(3, seen.begins);
    scan_case_close(&test);
}

/* One that has begun to answer has all the time there is. */
static void who_answers_slowly_is_waited_for(UNUSED void **state)
{
    static const struct fake_step script[] = { { STEP_READ, SLICE_INIT("END\n"), 0 },
                                               { STEP_SEND, SLICE_INIT("chatter\n"), 0 },
                                               { STEP_DRIP, SLICE_INIT("chatter\nchatter\nclean\n"),
                                                 0 },
                                               { .kind = STEP_HANG } };
    struct scan_case test;

    open_case(&test, script);
    scan_case_add_server(&test, true, hangs);
    must_be_clean(scan_case_run(&test));
    assert_int_equal(1, seen.begins);
    scan_case_close(&test);
}

static void on_tick(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    size_t *ticks = arg;

    ++*ticks;
}

/* How slowly a message arrives is not the scanner's fault. */
static void time_counts_when_the_message_is_whole(UNUSED void **state)
{
    const struct timeval longer = { 2, 0 };
    struct scan_case test;
    size_t ticks = 0;

    open_case(&test, good);
    scan_case_message(&test, SLICE("one\r\n"), false);
    test.scanner.scan_timeout_ms = 1000;
    scan_case_start(&test);
    struct event *tick = evtimer_new(worker_base(test.worker), on_tick, &ticks);
    evtimer_add(tick, &longer);
    scan_case_until(&test, &ticks, 1);
    event_free(tick);
    assert_int_equal(0, test.done);
    scan_case_body(&test, SLICE("two\r\n"), true);
    must_be_clean(scan_case_finish(&test));
    scan_case_close(&test);
}

static void one_that_is_down_waits_for_the_whole_message(UNUSED void **state)
{
    struct scan_case test;

    open_case(&test, good);
    fake_scanner_refuse(&test.servers[0]);
    scan_case_message(&test, SLICE("one\r\n"), false);
    scan_case_start(&test);
    for (int i = 0; i < 5; i++)
        event_base_loop(worker_base(test.worker), EVLOOP_NONBLOCK);
    assert_int_equal(0, test.done);
    scan_case_body(&test, SLICE("two\r\n"), true);
    assert_int_equal(FINDING_TROUBLE, scan_case_finish(&test)->result);
    scan_case_close(&test);
}

/* All that was put has been taken: it is a part of the message all the same. */
static void an_answer_to_a_part_is_none(UNUSED void **state)
{
    static const struct fake_step early[] = { { STEP_READ, SLICE_INIT("one\r\n"), 0 },
                                              { STEP_SEND, SLICE_INIT("clean\n"), 0 },
                                              { .kind = STEP_HANG } };
    struct scan_case test;

    open_case(&test, early);
    test.servers[0].scripts[1] = good;
    scan_case_message(&test, SLICE("one\r\n"), false);
    scan_case_start(&test);
    scan_case_until(&test, &seen.early, 1);
    assert_int_equal(0, test.done);
    scan_case_body(&test, SLICE("two\r\n"), true);
    must_be_clean(scan_case_finish(&test)); /* asked again, with all of it */
    assert_int_equal(2, seen.begins);
    assert_non_null(strstr(buf_text(&test.servers[0].received), "one\r\ntwo\r\nEND\n"));
    scan_case_close(&test);
}

/* The queue of a busy scanner's unix socket is full for a moment: no reason to give it up. */
static void waits_while_the_queue_is_full(UNUSED void **state)
{
    struct scan_case test;

    open_case(&test, good);
    fake_scanner_hang(&test.servers[0]);
    scan_case_start(&test);
    for (int i = 0; i < 3; i++)
        event_base_loop(worker_base(test.worker), EVLOOP_ONCE);
    assert_int_equal(0, test.done);
    fake_scanner_accept_again(&test.servers[0]);
    must_be_clean(scan_case_finish(&test));
    assert_int_equal(1, seen.begins);
    scan_case_close(&test);
}

/* Small pieces over TCP: with Nagle's algorithm against delayed acknowledgements a message may cost 40 ms more. */
static void small_pieces_are_sent_at_once(UNUSED void **state)
{
    struct scan_case test;
    uint64_t port;

    open_tcp_case(&test, good);
    assert_true(slice_to_u64(slice_of(strrchr(test.servers[0].address, ':') + 1), &port));
    seen.port = htons((in_port_t)port);
    must_be_clean(scan_case_run(&test));
    assert_int_equal(1, seen.prompt);
    assert_int_equal(0, seen.slow);
    scan_case_close(&test);
}

static void names_are_looked_up(UNUSED void **state)
{
    static const struct {
        const char *host, *error; /* NULL: it works */
    } rows[] = {
        { "localhost", NULL },
        { "nobody.invalid", ": the name is not known" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scan_case test;
        AUTO_BUF address = BUF_INIT(200);
        const char *error;

        open_tcp_case(&test, good);
        buf_printf(&address, "inet:%s:%s", rows[i].host, strrchr(test.servers[0].address, ':') + 1);
        test.backend = backend_new(SLICE("test"), buf_slice(&address), BACKEND_IN_ORDER, &error);
        assert_non_null(test.backend);
        test.scanner.backend = test.backend;
        for (int scans = 0; scans < 2; scans++) {
            const struct finding *finding = scan_case_run(&test);
            if (rows[i].error == NULL)
                must_be_clean(finding);
            else if (!slice_ends_with(finding->error, slice_of(rows[i].error)))
                fail_msg("%.*s", SLICE_ARG(finding->error));
        }
        scan_case_close(&test);
    }
}

static void what_is_put_is_bounded(UNUSED void **state)
{
    static const struct {
        unsigned parts;
        size_t flood;
        enum finding_result want;
    } rows[] = {
        { CONNECTION_PARTS_MAX / 2, 0, FINDING_CLEAN },
        { CONNECTION_PARTS_MAX / 2 + 1, 0, FINDING_TROUBLE },
        { 0, CONNECTION_PUT_MAX, FINDING_CLEAN },
        { 0, CONNECTION_PUT_MAX + 1, FINDING_TROUBLE },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scan_case test;

        open_case(&test, good);
        scan_case_add_server(&test, true, good);
        seen.parts = rows[i].parts;
        seen.flood = rows[i].flood;
        if (scan_case_run(&test)->result != rows[i].want)
            fail_msg("row %zu: %.*s", i, SLICE_ARG(test.finding.error));
        assert_int_equal(1, seen.begins); /* no other address would do better */
        assert_false(backend_is_broken(test.backend, 0));
        scan_case_close(&test);
    }
}

/* Three messages are lost on it, then it is passed over; others go to the next address at once. */
static void the_breaker_spares_messages_the_wait(UNUSED void **state)
{
    struct scan_case test;

    open_case(&test, hangs);
    scan_case_add_server(&test, true, good);
    test.scanner.scan_timeout_ms = 600;
    for (int i = 0; i < BACKEND_FAILURES_MOST; i++)
        must_be_clean(scan_case_run(&test));
    assert_true(backend_is_broken(test.backend, 0));
    seen.begins = 0;
    must_be_clean(scan_case_run(&test));
    assert_int_equal(1, seen.begins);
    scan_case_close(&test);
}

/* A scanner that could not be asked because we had no descriptor left works all the same. */
static void our_own_shortage_breaks_no_address(UNUSED void **state)
{
    struct scan_case test;
    struct rlimit limit, none;

    open_case(&test, good);
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &limit));
    none = limit;
    int next = dup(STDIN_FILENO);
    close(next);
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &none));
    for (int i = 0; i < BACKEND_FAILURES_MOST; i++) {
        const struct finding *finding = scan_case_run(&test);
        assert_int_equal(FINDING_TROUBLE, finding->result);
        assert_true(slice_ends_with(finding->error, slice_of(strerror(EMFILE))));
    }
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &limit));
    assert_false(backend_is_broken(test.backend, 0));
    must_be_clean(scan_case_run(&test));
    scan_case_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_all_and_half_closes),
        cmocka_unit_test(sends_a_large_message_byte_by_byte),
        cmocka_unit_test(an_end_on_its_way_is_not_waited_for),
        cmocka_unit_test(takes_input_piece_by_piece),
        cmocka_unit_test(a_line_without_end_is_too_long),
        cmocka_unit_test(says_what_failed_at_each_address),
        cmocka_unit_test(silence_is_not_waited_for_to_the_end),
        cmocka_unit_test(who_answers_slowly_is_waited_for),
        cmocka_unit_test(time_counts_when_the_message_is_whole),
        cmocka_unit_test(one_that_is_down_waits_for_the_whole_message),
        cmocka_unit_test(an_answer_to_a_part_is_none),
        cmocka_unit_test(waits_while_the_queue_is_full),
        cmocka_unit_test(small_pieces_are_sent_at_once),
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test(what_is_put_is_bounded),
        cmocka_unit_test(the_breaker_spares_messages_the_wait),
        cmocka_unit_test(our_own_shortage_breaks_no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
