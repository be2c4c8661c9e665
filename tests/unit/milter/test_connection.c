/* tests/unit/milter/test_connection.c - one connection of an MTA: what it is when things happen at the same time. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/milter/milter_private.h"
#include "common/milter/wire.h"

enum { WAIT_MS = 20000, BYTES_MAX = 1 << 16 };

/* A message of which the answer comes later; `ours` is the end of the MTA. */
static struct {
    struct worker *worker;
    int ours, theirs;
    struct milter_session *waiting; /* for its answer */
    bool is_waiting, is_sent, ok; /* as hooks were told */
} bench;

static struct milter_reply on_end(struct milter_session *session)
{
    bench.waiting = session;
    bench.is_waiting = true;
    event_base_loopbreak(worker_base(bench.worker));
    return (struct milter_reply){ .action = MILTER_LATER };
}

static struct milter_reply on_sent(UNUSED struct milter_session *session, bool ok)
{
    bench.is_sent = true;
    bench.ok = ok;
    event_base_loopbreak(worker_base(bench.worker));
    return (struct milter_reply){ .action = MILTER_CONTINUE };
}

static const struct milter_hooks hooks = { .end = on_end, .sent = on_sent };

/* ---- two ends ---- */

static void open_pair(bool is_unix)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int pair[2];

    if (is_unix) {
        assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    } else {
        int listening = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(0, bind(listening, (struct sockaddr *)&address, len));
        assert_int_equal(0, listen(listening, 1));
        assert_int_equal(0, getsockname(listening, (struct sockaddr *)&address, &len));
        pair[0] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(0, connect(pair[0], (struct sockaddr *)&address, len));
        pair[1] = accept(listening, NULL, NULL);
        close(listening);
    }
    bench.ours = pair[0];
    bench.theirs = pair[1];
}

static void run_until(const bool *what)
{
    static const struct timeval most = { WAIT_MS / 1000, 0 };

    event_base_loopexit(worker_base(bench.worker), &most);
    event_base_loop(worker_base(bench.worker), EVLOOP_NO_EXIT_ON_EMPTY);
    assert_true(*what);
}

/* A whole message at once; all answers but the last one are taken. */
static void send_message(void)
{
    static const struct milter_packet packets[] = {
        { MILTER_NEGOTIATE, SLICE_INIT("\0\0\0\6\0\0\1\xff\0\0\0\0") },
        { MILTER_CONNECT, SLICE_INIT("mx\0U") },
        { MILTER_MAIL, SLICE_INIT("<a@example.net>\0") },
        { MILTER_RCPT, SLICE_INIT("<b@example.org>\0") },
        { MILTER_HEADER, SLICE_INIT("Subject\0hello\0") },
        { MILTER_END_HEADERS, SLICE_INIT("") },
        { MILTER_END, SLICE_INIT("") },
    };
    AUTO_BUF all = BUF_INIT(BYTES_MAX);
    char answers[BYTES_MAX];

    for (size_t i = 0; i < COUNT(packets); i++)
        assert_int_equal(0, milter_put_packet(&all, packets[i].command, packets[i].data));
    assert_int_equal(all.len, send(bench.ours, all.data, all.len, MSG_NOSIGNAL));
    run_until(&bench.is_waiting);
    assert_true(recv(bench.ours, answers, sizeof answers, 0) > 0);
}

static int open_case(UNUSED void **state)
{
    const struct milter_settings settings = { .spool_directory = SLICE("/tmp"),
                                              .message_memory = 10000,
                                              .message_size_max = 10000,
                                              .max_sessions = 10 };

    memset(&bench, 0, sizeof bench);
    bench.worker = worker_new(1, "test", &clock_system, NULL);
    if (bench.worker == NULL || milter_setup(NULL, &hooks, MINUTE))
        return -1;
    milter_configure(&settings);
    return 0;
}

static int close_case(UNUSED void **state)
{
    milter_end();
    worker_free(&bench.worker);
    return 0;
}

/* ---- the MTA hangs up at the moment at which its answer is there ---- */

enum leaving { STAYS, CLOSES, HALF_CLOSES, QUITS };

static const struct {
    const char *what;
    bool is_unix;
    enum leaving leaving;
    bool ok;
} rows[] = {
    { "stays, unix", true, STAYS, true },
    { "stays, TCP", false, STAYS, true },
    { "closes, unix", true, CLOSES, false },
    { "closes, TCP", false, CLOSES, false },
    { "half closes, unix", true, HALF_CLOSES, false },
    { "half closes, TCP", false, HALF_CLOSES, false },
    { "quits and closes, unix", true, QUITS, false },
    { "quits and closes, TCP", false, QUITS, false },
};

/* The loop has not looked at the socket since. */
static void leave_and_answer(UNUSED struct worker *worker, void *arg)
{
    static const char quit[] = { 0, 0, 0, 1, MILTER_QUIT };
    static const struct milter_reply taken = { .action = MILTER_CONTINUE };
    const enum leaving *leaving = arg;
    struct pollfd theirs = { bench.theirs, POLLRDHUP, 0 };

    if (*leaving == QUITS)
        assert_int_equal(sizeof quit, send(bench.ours, quit, sizeof quit, MSG_NOSIGNAL));
    if (*leaving == CLOSES || *leaving == QUITS)
        close(bench.ours);
    else if (*leaving == HALF_CLOSES)
        shutdown(bench.ours, SHUT_WR);
    if (*leaving != STAYS)
        assert_int_equal(1, poll(&theirs, 1, WAIT_MS)); /* it has arrived */
    milter_session_answer(bench.waiting, &taken);
}

static void run_row(size_t n)
{
    enum leaving leaving = rows[n].leaving;

    bench.is_waiting = bench.is_sent = false;
    open_pair(rows[n].is_unix);
    worker_connection_opened(bench.worker);
    milter_accept(bench.worker, bench.theirs, 0);
    send_message();
    assert_int_equal(0, worker_post(bench.worker, leave_and_answer, &leaving));
    run_until(&bench.is_sent);
    if (bench.ok != rows[n].ok)
        fail_msg("%s", rows[n].what);
    if (leaving == STAYS || leaving == HALF_CLOSES)
        close(bench.ours);
    while (worker_connections(bench.worker) > 0)
        event_base_loop(worker_base(bench.worker), EVLOOP_ONCE);
}

/* It has not taken the message, whichever of the two the loop sees first. */
static void who_has_hung_up_has_no_answer(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        run_row(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_has_hung_up_has_no_answer, open_case, close_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
