/* tests/unit/net/test_redis_link.c - a connection to Redis: whose answer is whose, and how it ends. The server is the test. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/net/redis_link.h"
#include "tests/fakes/temporary.h"

/* Times are those of libevent's clock, which is a few milliseconds coarse: tests of them leave room for that. */
enum { WAIT_MS = 10000, SILENCE_MS = 40, CONNECT_MS = 60, FOR_EVER_MS = 60000, ASKED_MOST = 10000 };

enum closes { CLOSES_NEVER, CLOSES_CONNECTED, CLOSES_ANSWERED, CLOSES_LOST };

struct bench {
    struct temporary directory;
    struct event_base *base;
    struct redis_link *link;
    int listen_fd, server_fd;
    enum closes closes;
    unsigned connected, lost;
    char why[128];
    unsigned asked, told,
        unanswered; /* commands sent, and of them ended, and of those without an answer */
    uint64_t asked_ms, lost_ms;
};

static struct bench bench;

static uint64_t now_ms(void)
{
    return clock_system.now_ms(&clock_system);
}

static const char *path_of(const char *name)
{
    static char path[sizeof(((struct redis_target *)NULL)->address)];

    snprintf(path, sizeof path, "%s/%s", bench.directory.path, name);
    return path;
}

/* ---- the owner ---- */

static void on_connected(UNUSED void *arg)
{
    bench.connected++;
    if (bench.closes == CLOSES_CONNECTED)
        redis_link_close(&bench.link);
}

static void on_lost(UNUSED void *arg, const char *why)
{
    bench.lost++;
    bench.lost_ms = now_ms();
    snprintf(bench.why, sizeof bench.why, "%s", why);
    if (bench.closes == CLOSES_LOST)
        redis_link_close(&bench.link);
}

static const char numbers[ASKED_MOST]; /* the address of one says which command it was */

/* The server answers the nth command with n. */
static void on_reply(void *arg, const struct redisReply *reply)
{
    int64_t number = -1;

    if (arg != &numbers[bench.told])
        fail_msg("told of command %td, not of %u", (const char *)arg - numbers, bench.told);
    if (reply == NULL)
        bench.unanswered++;
    else if (!redis_integer(reply, &number) || number != bench.told)
        fail_msg("command %u was given the answer of %lld", bench.told, (long long)number);
    bench.told++;
    if (bench.closes == CLOSES_ANSWERED)
        redis_link_close(&bench.link);
}

static bool ask_long(size_t len)
{
    static const char text[1 << 16];
    const char *texts[] = { "PING", text };
    const size_t lengths[] = { 4, len };

    if (bench.asked == ASKED_MOST ||
        !redis_link_send(bench.link, len == 0 ? 1 : 2, texts, lengths, on_reply,
                         (void *)(uintptr_t)&numbers[bench.asked]))
        return false;
    bench.asked++;
    bench.asked_ms = now_ms();
    return true;
}

static void ask(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_true(ask_long(0));
}

/* ---- the server ---- */

static void write_all(struct slice bytes)
{
    while (bytes.len > 0 && bench.lost == 0) {
        ssize_t n = send(bench.server_fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            bytes = slice_skip(bytes, (size_t)n);
        event_base_loop(bench.base, EVLOOP_NONBLOCK);
    }
}

/* Answers the next commands, the first of which is `first`. */
static void answer(unsigned first, unsigned count)
{
    AUTO_BUF text = BUF_INIT(1 << 20);

    for (unsigned i = 0; i < count; i++)
        buf_printf(&text, ":%u\r\n", first + i);
    write_all(buf_slice(&text));
}

/* Takes what was sent. Returns the number of bytes. */
static size_t take(void)
{
    static char bytes[1 << 16];
    size_t all = 0;
    ssize_t n;

    while ((n = recv(bench.server_fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        all += (size_t)n;
    return all;
}

/* ---- the bench ---- */

/* Runs the loop until *what is at least `want`. */
static void wait_for(const unsigned *what, unsigned want)
{
    uint64_t end = now_ms() + WAIT_MS;

    while (*what < want) {
        event_base_loop(bench.base, EVLOOP_NONBLOCK);
        if (bench.server_fd >= 0)
            take();
        if (now_ms() > end)
            fail_msg("%u of %u after %u ms", *what, want, WAIT_MS);
        usleep(200);
    }
}

static void turn(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        event_base_loop(bench.base, EVLOOP_NONBLOCK);
}

static struct redis_link *open_link(struct redis_target target, unsigned silence_ms)
{
    const struct redis_link_owner owner = { NULL, on_connected, on_lost };
    const struct redis_link_times times = { CONNECT_MS, silence_ms };

    return redis_link_open(bench.base, &target, times, &owner, bench.why, sizeof bench.why);
}

static void open_unix(unsigned silence_ms)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct redis_target target = { .port = 0 };

    snprintf(target.address, sizeof target.address, "%s", path_of("redis"));
    snprintf(address.sun_path, sizeof address.sun_path, "%s", target.address);
    bench.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, bind(bench.listen_fd, (struct sockaddr *)&address, sizeof address));
    assert_int_equal(0, listen(bench.listen_fd, 4));
    bench.link = open_link(target, silence_ms);
    assert_non_null(bench.link);
    bench.server_fd = accept4(bench.listen_fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(bench.server_fd >= 0);
    assert_int_equal(0, bench.connected); /* not from inside */
    wait_for(&bench.connected, 1);
}

static int setup(UNUSED void **state)
{
    bench = (struct bench){ .listen_fd = -1, .server_fd = -1 };
    temporary_make(&bench.directory);
    bench.base = event_base_new();
    return bench.base == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    redis_link_close(&bench.link);
    event_base_free(bench.base);
    if (bench.server_fd >= 0)
        close(bench.server_fd);
    if (bench.listen_fd >= 0)
        close(bench.listen_fd);
    temporary_remove(&bench.directory);
    return 0;
}

static void restart(void)
{
    teardown(NULL);
    setup(NULL);
}

/* ---- commands and answers ---- */

/* While the ring of those under way turns, and grows with its beginning in the middle. */
static void each_command_gets_its_own_answer(UNUSED void **state)
{
    static const struct {
        unsigned ask, answer;
    } rounds[] = { { 40, 30 }, { 50, 20 }, { 30, 69 }, { 63, 1 }, { 200, 100 }, { 700, 863 } };
    unsigned answered = 0;

    open_unix(FOR_EVER_MS);
    for (size_t i = 0; i < COUNT(rounds); i++) {
        ask(rounds[i].ask);
        answer(answered, rounds[i].answer);
        answered += rounds[i].answer;
        wait_for(&bench.told, answered);
    }
    assert_int_equal(bench.asked, bench.told);
    assert_int_equal(0, bench.unanswered);
    assert_int_equal(0, bench.lost);
}

static void no_more_than_so_many_are_under_way(UNUSED void **state)
{
    open_unix(FOR_EVER_MS);
    ask(REDIS_LINK_PENDING_MOST);
    assert_false(ask_long(0));
    answer(0, 1);
    wait_for(&bench.told, 1);
    ask(1);
    assert_false(ask_long(0));
    redis_link_close(&bench.link);
    assert_int_equal(REDIS_LINK_PENDING_MOST, bench.unanswered);
}

/* More than the socket takes at once: the rest follows when there is room. */
static void what_the_socket_does_not_take_follows(UNUSED void **state)
{
    open_unix(FOR_EVER_MS);
    for (unsigned i = 0; i < 100; i++)
        assert_true(ask_long(1 << 16));
    turn(20);
    size_t got = take();
    assert_true(got < 100 << 16);
    for (uint64_t end = now_ms() + WAIT_MS; got < 100 << 16 && now_ms() < end; got += take())
        turn(1);
    assert_true(got > 100 << 16);
    answer(0, 100);
    wait_for(&bench.told, 100);
}

static void nothing_is_sent_before_it_is_connected_or_after_it_is_lost(UNUSED void **state)
{
    struct redis_target target = { .port = 0 };

    open_unix(FOR_EVER_MS);
    struct redis_link *connected = bench.link;
    snprintf(target.address, sizeof target.address, "%s", path_of("redis"));
    bench.link = open_link(target, FOR_EVER_MS);
    assert_non_null(bench.link);
    assert_false(ask_long(0));
    redis_link_close(&bench.link);
    bench.link = connected;
    ask(3);
    shutdown(bench.server_fd, SHUT_RDWR);
    wait_for(&bench.lost, 1);
    assert_false(ask_long(0));
    assert_int_equal(0, bench.told); /* that is for when it is closed */
    redis_link_close(&bench.link);
    assert_int_equal(3, bench.unanswered);
}

/* ---- how it ends ---- */

static const struct {
    const char *what;
    unsigned asked;
    const char *bytes; /* "": the connection is closed */
    unsigned answered;
    const char *why; /* NULL: in the library's words */
} ends[] = {
    { "a reply too many", 0, ":0\r\n", 0, "a reply that nobody asked for" },
    { "one more than asked for", 2, ":0\r\n:1\r\n:2\r\n", 2, "a reply that nobody asked for" },
    { "closed", 2, "", 0, "Server closed the connection" },
    { "closed without a command", 0, "", 0, "Server closed the connection" },
    { "no protocol", 2, "220 mail.example.com ESMTP\r\n", 0, NULL },
    { "no protocol after an answer", 2, ":0\r\nx\r\n", 1, NULL },
    { "a list too long", 2, "*65537\r\n", 0, NULL },
};

static void is_lost_once_and_says_why(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(ends); i++) {
        open_unix(FOR_EVER_MS);
        ask(ends[i].asked);
        turn(2);
        take();
        if (ends[i].bytes[0] == '\0')
            shutdown(bench.server_fd, SHUT_RDWR);
        else
            write_all(slice_of(ends[i].bytes));
        wait_for(&bench.lost, 1);
        write_all(SLICE(":9\r\n"));
        turn(5);
        if (bench.lost != 1 || bench.told != ends[i].answered ||
            (ends[i].why != NULL ? strcmp(bench.why, ends[i].why) != 0 : bench.why[0] == '\0'))
            fail_msg("%s: lost %u times, %u answers, \"%s\"", ends[i].what, bench.lost, bench.told,
                     bench.why);
        redis_link_close(&bench.link);
        assert_int_equal(ends[i].asked - ends[i].answered, bench.unanswered);
        restart();
    }
}

static void gives_up_a_reply_without_end(UNUSED void **state)
{
    static const char more[1 << 16];

    open_unix(FOR_EVER_MS);
    ask(1);
    write_all(SLICE("$400000000\r\n"));
    for (size_t i = 0; i <= REDIS_REPLY_BYTES_MOST / sizeof more && bench.lost == 0; i++)
        write_all((struct slice){ more, sizeof more });
    wait_for(&bench.lost, 1);
    assert_string_equal("a reply that is too long", bench.why);
}

static void silence_is_a_loss(UNUSED void **state)
{
    open_unix(SILENCE_MS);
    ask(2);
    wait_for(&bench.lost, 1);
    assert_string_equal("no answer in time", bench.why);
    assert_true(bench.lost_ms - bench.asked_ms >= SILENCE_MS / 2);
}

/* Asks `count` times, and is answered once. False: this machine was so slow that the silence was too long. */
static bool is_answered_once(unsigned count)
{
    unsigned before = bench.told;

    ask(count);
    answer(before, 1);
    for (uint64_t end = now_ms() + WAIT_MS; bench.told == before && now_ms() < end;) {
        turn(1);
        if (bench.lost > 0)
            return false;
    }
    assert_int_equal(before + 1, bench.told);
    return true;
}

/* An answer is no silence: the time runs anew. */
static void an_answer_in_between_gives_time(UNUSED void **state)
{
    for (open_unix(SILENCE_MS); !is_answered_once(2); open_unix(SILENCE_MS))
        restart();
    wait_for(&bench.lost, 1);
    assert_int_equal(1, bench.told);
    assert_true(bench.lost_ms - bench.asked_ms >= SILENCE_MS * 3 / 2);
}

static void run_idle(unsigned ms)
{
    for (uint64_t end = now_ms() + ms; now_ms() < end; usleep(500))
        turn(1);
}

/* Without a command under way nobody waits, and what was before does not count for the next. */
static void an_idle_connection_stays(UNUSED void **state)
{
    for (open_unix(SILENCE_MS); !is_answered_once(1); open_unix(SILENCE_MS))
        restart();
    run_idle(SILENCE_MS * 5 / 2);
    assert_int_equal(0, bench.lost);
    ask(1);
    wait_for(&bench.lost, 1);
    assert_true(bench.lost_ms - bench.asked_ms >= SILENCE_MS / 2);
}

static void may_be_closed_by_any_callback(UNUSED void **state)
{
    static const struct {
        enum closes closes;
        unsigned asked;
        const char *bytes;
    } rows[] = {
        { CLOSES_CONNECTED, 0, "" }, { CLOSES_ANSWERED, 4, ":0\r\n:1\r\n" },
        { CLOSES_ANSWERED, 4, "" },  { CLOSES_LOST, 4, ":0\r\nx\r\n" },
        { CLOSES_LOST, 4, "" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        bench.closes = rows[i].closes;
        open_unix(FOR_EVER_MS);
        if (rows[i].asked > 0)
            ask(rows[i].asked);
        if (rows[i].bytes[0] == '\0')
            shutdown(bench.server_fd, SHUT_RDWR);
        else
            write_all(slice_of(rows[i].bytes));
        for (uint64_t end = now_ms() + WAIT_MS;
             bench.link != NULL && bench.lost == 0 && now_ms() < end;)
            turn(1);
        if (rows[i].closes == CLOSES_ANSWERED && bench.lost > 0)
            redis_link_close(&bench.link);
        assert_null(bench.link);
        turn(5);
        assert_int_equal(rows[i].asked, bench.told); /* each ended, once, in order */
        restart();
    }
}

/* ---- how it begins ---- */

static void says_why_it_cannot_begin(UNUSED void **state)
{
    struct redis_target target = { .port = 0 };

    snprintf(target.address, sizeof target.address, "%s", path_of("none"));
    assert_null(open_link(target, SILENCE_MS));
    assert_string_equal("No such file or directory", bench.why);
}

/* A port of the loopback that nobody serves, or that `clients` have filled. */
static struct redis_target tcp_target(int *fd)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct redis_target target = { .address = "127.0.0.1" };
    socklen_t len = sizeof address;

    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, bind(*fd, (struct sockaddr *)&address, len));
    assert_int_equal(0, getsockname(*fd, (struct sockaddr *)&address, &len));
    target.port = ntohs(address.sin_port);
    return target;
}

static void says_that_nobody_is_there(UNUSED void **state)
{
    struct redis_target target = tcp_target(&bench.listen_fd);

    bench.link = open_link(target, SILENCE_MS);
    if (bench.link != NULL)
        wait_for(&bench.lost, 1);
    assert_string_equal("Connection refused", bench.why);
    assert_int_equal(0, bench.connected);
}

static void does_not_wait_for_ever_to_be_connected(UNUSED void **state)
{
    struct redis_target target = tcp_target(&bench.listen_fd);
    struct redis_link *others[4];
    uint64_t begin;

    assert_int_equal(0, listen(bench.listen_fd, 0));
    for (size_t i = 0; i < COUNT(others); i++) { /* more than wait to be accepted */
        others[i] = open_link(target, FOR_EVER_MS);
        assert_non_null(others[i]);
    }
    begin = now_ms();
    bench.link = open_link(target, FOR_EVER_MS);
    wait_for(&bench.lost, 3);
    assert_string_equal("no connection in time", bench.why);
    assert_true(bench.lost_ms - begin >= CONNECT_MS / 2);
    for (size_t i = 0; i < COUNT(others); i++)
        redis_link_close(&others[i]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_command_gets_its_own_answer),
        T(no_more_than_so_many_are_under_way),
        T(what_the_socket_does_not_take_follows),
        T(nothing_is_sent_before_it_is_connected_or_after_it_is_lost),
        T(is_lost_once_and_says_why),
        T(gives_up_a_reply_without_end),
        T(silence_is_a_loss),
        T(an_answer_in_between_gives_time),
        T(an_idle_connection_stays),
        T(may_be_closed_by_any_callback),
        T(says_why_it_cannot_begin),
        T(says_that_nobody_is_there),
        T(does_not_wait_for_ever_to_be_connected),
    };

    signal(SIGPIPE, SIG_IGN); /* as the daemons do */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
