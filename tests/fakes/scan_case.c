/* tests/fakes/scan_case.c - see scan_case.h. */
#include "tests/fakes/scan_case.h"

#include <arpa/inet.h>

enum { ARENA_MAX = 64 << 20, PATIENT_MS = 200000, LONGEST_MS = 240000 };

static void fail(const char *what)
{
    fprintf(stderr, "scan_case: %s\n", what);
    abort();
}

void scan_case_open(struct scan_case *test, const struct scanner_kind *kind,
                    const struct fake_step *script)
{
    *test = (struct scan_case){ .worker = worker_new(1, "test", &clock_system, NULL) };
    test->arena = arena_new(ARENA_MAX);
    if (test->worker == NULL || test->arena == NULL)
        fail("out of memory");
    test->scanner = (struct scanner){
        .name = SLICE("test"),
        .kind = kind,
        .connect_timeout_ms = PATIENT_MS,
        .scan_timeout_ms = PATIENT_MS,
        .weight = 1,
    };
    scan_case_add_server(test, true, script);
    scan_case_message(test, SLICE("Hello\r\n"), true);
}

void scan_case_add_server(struct scan_case *test, bool is_unix, const struct fake_step *script)
{
    if (test->server_count == SCAN_CASE_SERVERS_MOST)
        fail("too many servers");
    fake_scanner_start(&test->servers[test->server_count++], worker_base(test->worker), is_unix,
                       script);
}

void scan_case_close(struct scan_case *test)
{
    if (test->scan != NULL)
        test->scanner.kind->abandon(test->scan);
    for (size_t i = 0; i < test->server_count; i++)
        fake_scanner_stop(&test->servers[i]);
    message_unref(&test->message);
    backend_free(&test->backend);
    arena_free(&test->arena);
    worker_free(&test->worker);
}

static void set_client(struct message *message)
{
    struct message_client client = {
        .name = SLICE("client.example.net"),
        .address = { 0 },
        .has_address = true,
        .port = 40000,
        .helo = SLICE("helo.example.net"),
        .myhostname = SLICE("mx.example.org"),
    };

    if (!ip_address_parse(SLICE("192.0.2.7"), &client.address) ||
        message_set_client(message, &client) != MESSAGE_OK)
        fail("client");
}

void scan_case_message(struct scan_case *test, struct slice body, bool is_whole)
{
    const struct spool_bounds bounds = { "/tmp", 1 << 20, UINT64_C(1) << 30 };
    struct message *message = message_new();

    message_unref(&test->message);
    if (message == NULL)
        fail("out of memory");
    test->message = message;
    set_client(message);
    if (message_set_sender(message, SLICE("<sender@example.net>"), NULL, 0) != MESSAGE_OK ||
        message_add_recipient(message, SLICE("<one@example.org>"), NULL, 0) != MESSAGE_OK ||
        message_add_recipient(message, SLICE("<two@example.org>"), NULL, 0) != MESSAGE_OK ||
        message_add_header(message, SLICE("Subject"), SLICE("a test")) != MESSAGE_OK ||
        message_end_headers(message, &bounds) != MESSAGE_OK)
        fail("message");
    message->queue_id = SLICE("4Xk2Lq0abcz1");
    scan_case_body(test, body, is_whole);
}

void scan_case_body(struct scan_case *test, struct slice bytes, bool is_whole)
{
    if (bytes.len > 0 && message_add_body(test->message, bytes) != MESSAGE_OK)
        fail("body");
    if (is_whole)
        message_end(test->message);
    if (test->scan != NULL && test->scanner.kind->more != NULL)
        test->scanner.kind->more(test->scan);
}

static void on_done(void *owner, const struct scanner *scanner, const struct finding *finding)
{
    struct scan_case *test = owner;

    if (scanner != &test->scanner)
        fail("another scanner");
    test->finding = *finding;
    test->scan = NULL;
    test->done++;
}

static void make_backend(struct scan_case *test)
{
    AUTO_BUF addresses = BUF_INIT(1024);
    const char *error;

    for (size_t i = 0; i < test->server_count; i++)
        buf_printf(&addresses, "%s%s", i > 0 ? ", " : "", test->servers[i].address);
    test->backend =
        backend_new(test->scanner.name, buf_slice(&addresses), BACKEND_IN_ORDER, &error);
    if (test->backend == NULL)
        fail(error);
    test->scanner.backend = test->backend;
}

void scan_case_start(struct scan_case *test)
{
    const struct scan_request request = {
        .worker = test->worker,
        .arena = test->arena,
        .message = test->message,
        .scanner = &test->scanner,
        .timeout_ms = test->scanner.scan_timeout_ms,
        .done = on_done,
        .owner = test,
    };

    if (test->backend == NULL)
        make_backend(test);
    test->done = 0;
    test->scan = test->scanner.kind->start(&request);
    if (test->scan == NULL)
        fail("no scan");
    if (test->done != 0)
        fail("done from inside start()");
}

static void on_late(UNUSED evutil_socket_t fd, UNUSED short what, UNUSED void *arg)
{
    fail("it does not end");
}

static void loop_until(struct scan_case *test, const unsigned *count, const size_t *size,
                       size_t least)
{
    const struct timeval longest = { LONGEST_MS / 1000, 0 };
    struct event *late = evtimer_new(worker_base(test->worker), on_late, NULL);

    evtimer_add(late, &longest);
    while ((count != NULL ? *count : *size) < least)
        event_base_loop(worker_base(test->worker), EVLOOP_ONCE);
    event_free(late);
}

void scan_case_until(struct scan_case *test, const size_t *what, size_t least)
{
    loop_until(test, NULL, what, least);
}

const struct finding *scan_case_finish(struct scan_case *test)
{
    loop_until(test, &test->done, NULL, 1);
    for (int i = 0; i < 3; i++) /* nothing may follow */
        event_base_loop(worker_base(test->worker), EVLOOP_NONBLOCK);
    if (test->done != 1)
        fail("it ended twice");
    return &test->finding;
}

const struct finding *scan_case_run(struct scan_case *test)
{
    scan_case_start(test);
    return scan_case_finish(test);
}
