/* tests/unit/net/test_http.c - the HTTP server before good, slow and hostile clients: raw bytes on unix sockets. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/net/http.h"
#include "common/run/listener.h"

enum {
    ANSWER_MAX = 1 << 20,
    CAP = 4,
    TURNS = 20, /* enough for what is not slow on purpose */
    SLOW_MS = 150,
    BODY_CAP = 1000,
    WAIT_MS = 30000,
    MUCH_LATER_MS = 10 * SLOW_MS
};

static char directory[] = "/tmp/gatehouse-http-XXXXXX";

struct bench {
    struct worker *worker;
    struct http_server *server;
    struct listener listener;
};

/* ---- what it serves ---- */

static struct http_call *held; /* a call whose answer comes later */

static void get_plain(struct http_call *call, void *arg)
{
    assert_string_equal("arg", arg);
    http_reply(call, 200, "text/plain", SLICE("hello\n"));
}

static void get_below(struct http_call *call, UNUSED void *arg)
{
    json_t *json = json_pack("{s:s%, s:i}", "rest", http_call_rest(call).ptr,
                             http_call_rest(call).len, "method", http_call_method(call));
    struct slice name = http_call_query(call, "name");

    for (size_t i = 0; http_call_segment(call, i).ptr != NULL; i++) {
        char key[16];
        snprintf(key, sizeof key, "s%zu", i);
        struct slice segment = http_call_segment(call, i);
        json_object_set_new(json, key, json_stringn(segment.ptr, segment.len));
    }
    if (name.ptr != NULL)
        json_object_set_new(json, "name", json_stringn(name.ptr, name.len));
    http_reply_json(call, 200, json);
}

static void put_body(struct http_call *call, UNUSED void *arg)
{
    http_reply(call, 201, "application/json", http_call_body(call));
}

static void get_later(struct http_call *call, UNUSED void *arg)
{
    held = call;
}

static void get_large(struct http_call *call, UNUSED void *arg)
{
    static char body[300000];

    memset(body, 'x', sizeof body);
    http_reply(call, 200, "text/plain", (struct slice){ body, sizeof body });
}

static void get_bad_text(struct http_call *call, UNUSED void *arg)
{
    http_error(call, 422, "not UTF-8: %s", "\xff\"");
}

static const struct http_route routes[] = {
    { HTTP_GET, "/plain", get_plain },
    { HTTP_GET | HTTP_PUBLIC, "/public", get_plain },
    { HTTP_GET | HTTP_DELETE, "/v1/list/", get_below },
    { HTTP_PUT | HTTP_POST, "/v1/body", put_body },
    { HTTP_GET, "/later", get_later },
    { HTTP_GET, "/large", get_large },
    { HTTP_GET, "/bad-text", get_bad_text },
};

/* ---- the bench ---- */

static int open_bench(void **state, uint64_t slow_ms)
{
    static struct bench bench;
    struct http_options options = {
        .max_body = BODY_CAP, .max_connections = CAP, .request_ms = slow_ms, .reply_ms = slow_ms
    };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct listener_options listening = { .mode = 0600, .group = LISTENER_NO_GROUP };
    AUTO_BUF error = BUF_INIT(512);
    static char arg[] = "arg";

    snprintf(address.sun_path, sizeof address.sun_path, "%s/http", directory);
    bench.worker = worker_new(0, "main", &clock_system, NULL);
    bench.server = http_server_new(bench.worker, &options);
    held = NULL;
    if (bench.server == NULL ||
        listener_open((struct sockaddr *)&address, sizeof address, &listening, &bench.listener,
                      &error) ||
        http_server_add_routes(bench.server, routes, COUNT(routes), arg) ||
        http_server_listen(bench.server, bench.listener.fd))
        return -1;
    *state = &bench;
    return 0;
}

static int setup(void **state)
{
    return open_bench(state, SLOW_MS);
}

/* What ends a connection is not its deadline. */
static int setup_patient(void **state)
{
    return open_bench(state, 60 * SECOND);
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    http_server_free(&bench->server);
    if (held != NULL)
        http_reply(held, 200, "text/plain", SLICE("too late")); /* no server any more: dropped */
    listener_close(&bench->listener);
    worker_free(&bench->worker);
    return 0;
}

static int connect_to(const struct bench *bench)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(0, connect(fd, (const struct sockaddr *)&bench->listener.address,
                                bench->listener.address_len));
    return fd;
}

static void turn(struct bench *bench)
{
    event_base_loop(worker_base(bench->worker), EVLOOP_NONBLOCK);
    usleep(500);
}

static void run_for(struct bench *bench, uint64_t ms)
{
    uint64_t end = clock_system.now_ms(&clock_system) + ms;

    for (int i = 0; i < TURNS || clock_system.now_ms(&clock_system) < end; i++)
        turn(bench);
}

static void wait_for_call(struct bench *bench)
{
    for (uint64_t end = clock_system.now_ms(&clock_system) + WAIT_MS;
         held == NULL && clock_system.now_ms(&clock_system) < end;)
        turn(bench);
    assert_non_null(held);
}

static void send_text(int fd, const char *text)
{
    assert_int_equal((ssize_t)strlen(text), send(fd, text, strlen(text), MSG_NOSIGNAL));
}

/* Everything up to the end of the connection; fails when that does not come. */
static const char *read_answer(struct bench *bench, int fd, struct buf *out)
{
    uint64_t end = clock_system.now_ms(&clock_system) + WAIT_MS;
    ssize_t n;

    do {
        turn(bench);
        assert_true(clock_system.now_ms(&clock_system) < end);
        assert_int_equal(0, buf_reserve(out, 4096));
        n = recv(fd, out->data + out->len, 4096, 0);
        out->len += n > 0 ? (size_t)n : 0;
    } while (n > 0 || (n < 0 && errno == EAGAIN));
    close(fd);
    return buf_text(out);
}

static const char *ask(struct bench *bench, const char *request, struct buf *out)
{
    int fd = connect_to(bench);

    buf_clear(out);
    send_text(fd, request);
    return read_answer(bench, fd, out);
}

/* ---- requests as they should be ---- */

static const struct {
    const char *what, *request, *status, *has;
} exchanges[] = {
    { "a page", "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK", "\r\n\r\nhello\n" },
    { "HTTP/1.0", "GET /plain HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK", "hello\n" },
    { "nothing there", "GET /nothing HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ",
      "{\"error\":\"there is nothing at this path\"}" },
    { "exact, not prefix", "GET /plain/x HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", "error" },
    { "wrong method", "DELETE /plain HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ", "error" },
    { "unknown method", "PATCH /plain HTTP/1.1\r\n\r\n", "HTTP/1.1 ", "" },
    { "segments", "GET /v1/list/a%2Fb/c%20d?name=x%26y HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK",
      "\"s0\":\"a/b\",\"s1\":\"c d\",\"name\":\"x&y\"}" },
    { "delete", "DELETE /v1/list/x HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK",
      "{\"rest\":\"x\",\"method\":8,\"s0\":\"x\"}" },
    { "a body",
      "PUT /v1/body HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
      "HTTP/1.1 201 Created", "{\"a\":1}" },
    { "in chunks",
      "PUT /v1/body HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n",
      "HTTP/1.1 201 Created", "{\"a\":1}" },
    { "no body", "PUT /v1/body HTTP/1.1\r\n\r\n", "HTTP/1.1 201 Created", "Content-Length: 0" },
    { "a text that is not UTF-8", "GET /bad-text HTTP/1.1\r\n\r\n", "HTTP/1.1 422 ",
      "not UTF-8: \\\\xff" },
};

static void answers_requests_as_they_deserve(void **state)
{
    for (size_t i = 0; i < COUNT(exchanges); i++) {
        AUTO_BUF out = BUF_INIT(ANSWER_MAX);
        const char *answer = ask(*state, exchanges[i].request, &out);
        if (strncmp(answer, exchanges[i].status, strlen(exchanges[i].status)) != 0 ||
            strstr(answer, exchanges[i].has) == NULL)
            fail_msg("%s: %s", exchanges[i].what, answer);
    }
}

static void head_has_no_body(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);
    const char *answer = ask(*state, "HEAD /plain HTTP/1.1\r\n\r\n", &out);

    assert_non_null(strstr(answer, "Content-Length: 6\r\n"));
    assert_null(strstr(answer, "hello"));
}

static void gives_leave_to_send_the_body(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);
    int fd = connect_to(*state);
    char leave[64] = "";

    send_text(fd, "PUT /v1/body HTTP/1.1\r\nContent-Type: application/json\r\n"
                  "Expect: 100-continue\r\nContent-Length: 7\r\n\r\n");
    run_for(*state, 20);
    assert_true(recv(fd, leave, sizeof leave - 1, 0) > 0);
    assert_string_equal("HTTP/1.1 100 Continue\r\n\r\n", leave);
    send_text(fd, "{\"a\":1}");
    assert_non_null(strstr(read_answer(*state, fd, &out), "HTTP/1.1 201 Created"));
}

static void sends_large_answers_whole(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);

    ask(*state, "GET /large HTTP/1.1\r\n\r\n", &out);
    assert_true(out.len > 300000);
    assert_int_equal('x', out.data[out.len - 1]);
}

/* ---- answers that come later ---- */

static void answers_later(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);
    int fd = connect_to(*state);

    send_text(fd, "GET /later HTTP/1.1\r\n\r\n");
    wait_for_call(*state);
    http_reply(held, 200, "text/plain", SLICE("at last\n"));
    held = NULL;
    assert_non_null(strstr(read_answer(*state, fd, &out), "\r\n\r\nat last\n"));
}

static void answers_504_when_the_handler_is_slow(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);
    const char *answer = ask(*state, "GET /later HTTP/1.1\r\n\r\n", &out);

    assert_non_null(strstr(answer, "HTTP/1.1 504 "));
    assert_non_null(held);
    http_reply(held, 200, "text/plain", SLICE("nobody hears it"));
    held = NULL;
}

static void forgets_a_client_that_left(void **state)
{
    int fd = connect_to(*state);

    send_text(fd, "GET /later HTTP/1.1\r\n\r\n");
    wait_for_call(*state);
    close(fd);
    run_for(*state, 20);
    http_reply(held, 200, "text/plain", SLICE("nobody hears it"));
    held = NULL;
    run_for(*state, 20);
}

static void ends_with_calls_under_way(void **state)
{
    int fd = connect_to(*state);
    int gone = connect_to(*state);

    send_text(gone, "GET /plain HTT"); /* half a request too */
    send_text(fd, "GET /later HTTP/1.1\r\n\r\n");
    wait_for_call(*state); /* teardown() frees the server, then answers */
    close(gone);
    close(fd);
}

/* ---- slow and hostile clients ---- */

static void a_request_must_be_whole_in_time(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);
    uint64_t start = clock_system.now_ms(&clock_system);
    int fd = connect_to(*state);

    send_text(fd, "GET /plain HTTP/1.1\r\nX: ");
    while (clock_system.now_ms(&clock_system) < start + MUCH_LATER_MS) { /* drop by drop */
        run_for(*state, 10);
        if (send(fd, "x", 1, MSG_NOSIGNAL) < 0)
            break;
    }
    read_answer(*state, fd, &out);
    assert_true(clock_system.now_ms(&clock_system) < start + MUCH_LATER_MS);
}

/* The other side, whatever of its is still to be read. */
static bool has_hung_up(int fd)
{
    struct pollfd look = { .fd = fd, .events = POLLHUP };

    return poll(&look, 1, 0) == 1 && (look.revents & POLLHUP) != 0;
}

static void an_answer_must_be_taken_in_time(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);
    int small = 2048, fd = connect_to(*state);

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    send_text(fd, "GET /large HTTP/1.1\r\n\r\n");
    while (!has_hung_up(fd)) /* never reads */
        turn(*state);
    read_answer(*state, fd, &out);
    assert_true(out.len < 300000);
}

static void refuses_what_is_too_large(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);
    AUTO_BUF request = BUF_INIT(100000);

    for (size_t len = BODY_CAP; len <= BODY_CAP + 1; len++) {
        buf_clear(&request);
        buf_printf(&request,
                   "PUT /v1/body HTTP/1.1\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n%*s",
                   len, (int)len, "x");
        bool is_taken = strstr(ask(*state, buf_text(&request), &out), " 201 ") != NULL;
        assert_true(is_taken == (len == BODY_CAP));
    }
    buf_clear(&request);
    buf_put(&request, "GET /plain HTTP/1.1\r\nX: ");
    for (size_t i = 0; i < 30000; i++)
        buf_put_char(&request, 'x');
    buf_put(&request, "\r\n\r\n");
    assert_null(strstr(ask(*state, buf_text(&request), &out), " 200 "));
}

static const char *const garbage[] = {
    "\r\n\r\n",
    "GET\r\n\r\n",
    "GET /plain HTTP/9.9\r\n\r\n",
    "GET http://[::1 HTTP/1.1\r\n\r\n",
    "GET /v1/list/%zz%00%ff?a=%&=&&& HTTP/1.1\r\n\r\n",
    "GET /plain HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    "GET /plain HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "PUT /v1/body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "GET //// HTTP/1.1\r\n: \r\n\r\n",
};

static void survives_garbage(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);

    for (size_t i = 0; i < COUNT(garbage); i++)
        ask(*state, garbage[i], &out); /* answered or closed, in time */
    assert_non_null(strstr(ask(*state, "GET /plain HTTP/1.1\r\n\r\n", &out), "hello"));
}

static bool is_closed_by_peer(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK) == 0;
}

/* Who has not asked goes first, the oldest of them; nobody goes while there is room. */
static void idle_clients_give_way_at_the_cap(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);
    int idle[2 * CAP];

    for (size_t i = 0; i < COUNT(idle); i++) {
        idle[i] = connect_to(*state);
        run_for(*state, 5);
        for (size_t n = 0; n <= i; n++)
            if (is_closed_by_peer(idle[n]) != (n + CAP <= i))
                fail_msg("client %zu, with %zu", n, i + 1);
    }
    assert_non_null(strstr(ask(*state, "GET /plain HTTP/1.1\r\n\r\n", &out), "hello"));
    assert_true(is_closed_by_peer(idle[CAP]));
    assert_false(is_closed_by_peer(idle[CAP + 1]));
    close(idle[CAP + 1]); /* its place is free again, and that of who was answered */
    run_for(*state, 5);
    close(idle[0]);
    idle[0] = connect_to(*state);
    run_for(*state, 5);
    assert_false(is_closed_by_peer(idle[CAP + 2]));
    for (size_t i = 0; i < COUNT(idle); i++)
        if (i != CAP + 1)
            close(idle[i]);
    run_for(*state, 20);
}

/* Of those who have asked, who does not take the answer; a call whose answer is being made is left alone. */
static void slow_takers_give_way_at_the_cap(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);
    int waits = connect_to(*state), slow[CAP - 1], small = 2048;
    char byte;

    send_text(waits, "GET /later HTTP/1.1\r\n\r\n");
    wait_for_call(*state);
    for (size_t i = 0; i < COUNT(slow); i++) {
        slow[i] = connect_to(*state);
        setsockopt(slow[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        send_text(slow[i], "GET /large HTTP/1.1\r\n\r\n");
        for (uint64_t end = clock_system.now_ms(&clock_system) + WAIT_MS;
             recv(slow[i], &byte, 1, MSG_PEEK) <= 0;) {
            turn(*state);
            assert_true(clock_system.now_ms(&clock_system) < end);
        }
    }
    assert_non_null(strstr(ask(*state, "GET /plain HTTP/1.1\r\n\r\n", &out), "hello"));
    for (size_t i = 0; i < COUNT(slow); i++) {
        buf_clear(&out);
        read_answer(*state, slow[i], &out);
        assert_true(i == 0 ? out.len < 300000 : out.len > 300000);
    }
    assert_non_null(held);
    http_reply(held, 200, "text/plain", SLICE("at last\n"));
    held = NULL;
    buf_clear(&out);
    assert_non_null(strstr(read_answer(*state, waits, &out), "at last"));
}

/* Who waits meanwhile is answered when there are descriptors again. */
static void goes_on_when_there_are_descriptors_again(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);
    struct rlimit before, none;
    int fd = connect_to(*state);

    send_text(fd, "GET /plain HTTP/1.1\r\n\r\n");
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &before));
    none = before;
    none.rlim_cur = 1;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &none));
    run_for(*state, 10);
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &before));
    assert_non_null(strstr(read_answer(*state, fd, &out), "hello"));
}

/* ---- browsers, and who sends them ---- */

static const struct {
    const char *what, *request, *status;
} browsers[] = {
    { "by address", "GET /plain HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "HTTP/1.1 200 " },
    { "no name", "GET /plain HTTP/1.0\r\n\r\n", "HTTP/1.0 200 " },
    { "another's name", "GET /plain HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 403 " },
    { "what all may see", "GET /public HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 200 " },
    { "a page that looks",
      "GET /plain HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n\r\n",
      "HTTP/1.1 200 " },
    { "a page that changes something",
      "PUT /v1/body HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n"
      "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
      "HTTP/1.1 403 " },
    { "a form", "POST /v1/body HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\n\r\n",
      "HTTP/1.1 403 " },
};

static void no_page_makes_a_browser_change_anything(void **state)
{
    struct bench *bench = *state, tcp = *bench;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct listener_options listening = { .group = LISTENER_NO_GROUP };
    AUTO_BUF error = BUF_INIT(512);

    assert_int_equal(0, listener_open((struct sockaddr *)&address, sizeof address, &listening,
                                      &tcp.listener, &error));
    assert_int_equal(0, http_server_listen(bench->server, tcp.listener.fd));
    for (size_t i = 0; i < COUNT(browsers); i++) {
        AUTO_BUF out = BUF_INIT(ANSWER_MAX);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(
            0, connect(fd, (struct sockaddr *)&tcp.listener.address, tcp.listener.address_len));
        evutil_make_socket_nonblocking(fd);
        send_text(fd, browsers[i].request);
        const char *answer = read_answer(bench, fd, &out);
        if (strncmp(answer, browsers[i].status, strlen(browsers[i].status)) != 0)
            fail_msg("%s: %s", browsers[i].what, answer);
    }
    /* Through a proxy before a unix socket the name is the proxy's affair, what made the request is not. */
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);
    assert_non_null(strstr(ask(bench, browsers[2].request, &out), " 200 "));
    assert_non_null(strstr(ask(bench, browsers[5].request, &out), " 403 "));
    http_server_free(&bench->server);
    listener_close(&tcp.listener);
}

static void answers_are_not_kept_or_guessed_at(void **state)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX);
    const char *answer = ask(*state, "GET /plain HTTP/1.1\r\n\r\n", &out);

    assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
}

static int make_directory(UNUSED void **state)
{
    signal(SIGPIPE, SIG_IGN);
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(UNUSED void **state)
{
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_requests_as_they_deserve, setup_patient, teardown),
        cmocka_unit_test_setup_teardown(head_has_no_body, setup_patient, teardown),
        cmocka_unit_test_setup_teardown(gives_leave_to_send_the_body, setup_patient, teardown),
        cmocka_unit_test_setup_teardown(sends_large_answers_whole, setup_patient, teardown),
        cmocka_unit_test_setup_teardown(answers_later, setup_patient, teardown),
        cmocka_unit_test_setup_teardown(answers_504_when_the_handler_is_slow, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_a_client_that_left, setup_patient, teardown),
        cmocka_unit_test_setup_teardown(ends_with_calls_under_way, setup_patient, teardown),
        cmocka_unit_test_setup_teardown(a_request_must_be_whole_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_must_be_taken_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_too_large, setup_patient, teardown),
        cmocka_unit_test_setup_teardown(survives_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(idle_clients_give_way_at_the_cap, setup_patient, teardown),
        cmocka_unit_test_setup_teardown(slow_takers_give_way_at_the_cap, setup_patient, teardown),
        cmocka_unit_test_setup_teardown(goes_on_when_there_are_descriptors_again, setup_patient,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_page_makes_a_browser_change_anything, setup_patient,
                                        teardown),
        cmocka_unit_test_setup_teardown(answers_are_not_kept_or_guessed_at, setup_patient,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
