/* tests/unit/net/test_redis_sentinel.c - asking Sentinels for the master: who is asked, with which words, what is believed. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/net/redis_sentinel.h"
#include "common/net/resolver.h"

enum { SENTINELS = 2, REPLIES = 2, WAIT_MS = 10000, TRIES = 20 };

#define ASKS "*3\r\n$8\r\nSENTINEL\r\n$23\r\nget-master-addr-by-name\r\n$4\r\ngate\r\n"
#define MASTER "*2\r\n$9\r\n192.0.2.1\r\n$4\r\n6380\r\n"
#define OTHER "*2\r\n$11\r\nred.example\r\n$5\r\n65535\r\n"

/* A reply for each command; NULL: none, and "": the end of the connection. */
static const struct row {
    const char *what, *secrets;
    const char *replies[SENTINELS][REPLIES];
    const char *host; /* NULL: none knew */
    unsigned port;
    const char *asked[SENTINELS]; /* what each was sent */
    const char *why;
} rows[] = {
    { "the first knows", "", { { MASTER } }, "192.0.2.1", 6380, { ASKS, "" }, "" },
    { "the second knows",
      "",
      { { "*-1\r\n" }, { OTHER } },
      "red.example",
      65535,
      { ASKS, ASKS },
      "" },
    { "the first closes", "", { { "" }, { MASTER } }, "192.0.2.1", 6380, { ASKS, ASKS }, "" },
    { "the first is silent", "", { { NULL }, { MASTER } }, "192.0.2.1", 6380, { ASKS, ASKS }, "" },
    { "the first is none",
      "",
      { { "220 mx ESMTP\r\n" }, { MASTER } },
      "192.0.2.1",
      6380,
      { ASKS, ASKS },
      "" },
    { "nobody knows",
      "",
      { { "*-1\r\n" }, { "*-1\r\n" } },
      NULL,
      0,
      { ASKS, ASKS },
      "does not know the master" },
    { "nobody answers", "", { { NULL }, { NULL } }, NULL, 0, { ASKS, ASKS }, "no answer in time" },
    { "one refuses",
      "",
      { { "*-1\r\n" }, { "-NOAUTH Authentication required.\r\n" } },
      NULL,
      0,
      { ASKS, ASKS },
      "NOAUTH" },
    { "with a password",
      "\nsentinel_password = pw\n",
      { { "+OK\r\n", MASTER } },
      "192.0.2.1",
      6380,
      { "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n" ASKS, "" },
      "" },
    { "as a user",
      "secret of redis\nsentinel_user = me\nsentinel_password = pw\n",
      { { "+OK\r\n", MASTER } },
      "192.0.2.1",
      6380,
      { "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$2\r\npw\r\n" ASKS, "" },
      "" },
    { "the wrong password",
      "\nsentinel_password = pw\n",
      { { "-WRONGPASS x\r\n", MASTER }, { "-WRONGPASS x\r\n", MASTER } },
      NULL,
      0,
      { "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n", "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n" },
      "WRONGPASS" },
    { "closed instead of a login",
      "\nsentinel_password = pw\n",
      { { "" }, { "+OK\r\n", MASTER } },
      "192.0.2.1",
      6380,
      { "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n", "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n" ASKS },
      "" },
};

/* What is no address is as good as no answer. */
static const char *const strange[] = {
    "+OK\r\n",
    ":1\r\n",
    "*0\r\n",
    "*1\r\n$9\r\n192.0.2.1\r\n",
    "*2\r\n$0\r\n\r\n$4\r\n6380\r\n",
    "*2\r\n$1\r\na\r\n$1\r\n0\r\n",
    "*2\r\n$1\r\na\r\n$5\r\n65536\r\n",
    "*2\r\n$1\r\na\r\n$2\r\n-1\r\n",
    "*2\r\n$1\r\na\r\n$1\r\nx\r\n",
    "*2\r\n:1\r\n:2\r\n",
};

/* ---- the bench ---- */

struct fake {
    struct evconnlistener *listener;
    const char *const *replies;
    size_t given;
    struct buf asked;
    struct bufferevent *conn; /* the last one */
};

static struct bench {
    struct event_base *base;
    struct resolver *resolver;
    struct redis_url url;
    struct redis_secrets secrets;
    struct redis_sentinel *sentinel;
    struct fake fakes[SENTINELS];
    unsigned told;
    bool is_known;
    struct redis_host host;
    char why[200];
} bench;

static void drop(struct fake *fake)
{
    if (fake->conn != NULL)
        bufferevent_free(fake->conn);
    fake->conn = NULL;
}

static void on_end(UNUSED struct bufferevent *conn, UNUSED short what, void *arg)
{
    drop(arg);
}

/* One command comes in one piece: the next is not sent before its answer. */
static void on_command(struct bufferevent *conn, void *arg)
{
    struct evbuffer *in = bufferevent_get_input(conn);
    struct fake *fake = arg;
    size_t len = evbuffer_get_length(in);
    const char *reply = fake->given < REPLIES ? fake->replies[fake->given++] : NULL;

    buf_add(&fake->asked, (struct slice){ (const char *)evbuffer_pullup(in, -1), len });
    evbuffer_drain(in, len);
    if (reply != NULL && reply[0] == '\0')
        drop(fake);
    else if (reply != NULL)
        bufferevent_write(conn, reply, strlen(reply));
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                      UNUSED struct sockaddr *address, UNUSED int size, void *arg)
{
    struct fake *fake = arg;

    drop(fake);
    fake->conn =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(fake->conn, on_command, NULL, on_end, fake);
    bufferevent_enable(fake->conn, EV_READ | EV_WRITE);
}

static void on_master(UNUSED void *arg, const struct redis_host *host, const char *why)
{
    bench.told++;
    bench.is_known = host != NULL;
    if (host != NULL)
        bench.host = *host;
    snprintf(bench.why, sizeof bench.why, "%s", why);
}

static void fake_start(struct fake *fake, struct redis_host *host)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;

    fake->asked = (struct buf)BUF_INIT(1 << 16);
    fake->listener = evconnlistener_new_bind(bench.base, on_accept, fake, LEV_OPT_CLOSE_ON_FREE, 16,
                                             (struct sockaddr *)&address, sizeof address);
    assert_non_null(fake->listener);
    assert_int_equal(
        0, getsockname(evconnlistener_get_fd(fake->listener), (struct sockaddr *)&address, &len));
    *host = (struct redis_host){ "127.0.0.1", ntohs(address.sin_port) };
}

static int setup(UNUSED void **state)
{
    bench = (struct bench){ .base = event_base_new() };
    bench.resolver = resolver_new(bench.base);
    bench.url =
        (struct redis_url){ .kind = REDIS_URL_SENTINEL, .host_count = SENTINELS, .master = "gate" };
    for (size_t i = 0; i < SENTINELS; i++)
        fake_start(&bench.fakes[i], &bench.url.hosts[i]);
    bench.sentinel = redis_sentinel_new(bench.base, bench.resolver, &bench.url, &bench.secrets);
    return bench.sentinel == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    redis_sentinel_free(&bench.sentinel);
    redis_sentinel_free(&bench.sentinel);
    for (size_t i = 0; i < SENTINELS; i++) {
        drop(&bench.fakes[i]);
        buf_free(&bench.fakes[i].asked);
        evconnlistener_free(bench.fakes[i].listener);
    }
    resolver_free(&bench.resolver);
    event_base_free(bench.base);
    return 0;
}

static void run_until_told(unsigned times)
{
    uint64_t end = clock_system.now_ms(&clock_system) + WAIT_MS;

    while (bench.told < times && clock_system.now_ms(&clock_system) < end)
        event_base_loop(bench.base, EVLOOP_ONCE);
    for (int i = 0; i < 5; i++)
        event_base_loop(bench.base, EVLOOP_NONBLOCK);
    assert_int_equal(times, bench.told); /* once */
}

static void ask(const char *const replies[SENTINELS][REPLIES])
{
    unsigned told = bench.told;

    for (size_t i = 0; i < SENTINELS; i++) {
        bench.fakes[i].replies = replies[i];
        bench.fakes[i].given = 0;
        buf_clear(&bench.fakes[i].asked);
    }
    redis_sentinel_ask(bench.sentinel, on_master, NULL);
    assert_int_equal(told, bench.told); /* from the loop */
    run_until_told(told + 1);
}

/* ---- tests ---- */

/* What is wrong; NULL: nothing. */
static const char *try_row(const struct row *row)
{
    const char *error;

    if (!redis_secrets_parse(slice_of(row->secrets), &bench.secrets, &error))
        return error;
    ask(row->replies);
    if (bench.is_known != (row->host != NULL))
        return bench.is_known ? "was told of a master" : bench.why;
    if (bench.is_known && (strcmp(bench.host.name, row->host) != 0 || bench.host.port != row->port))
        return "was told of another master";
    if (!bench.is_known && strstr(bench.why, row->why) == NULL)
        return bench.why;
    for (size_t n = 0; n < SENTINELS; n++)
        if (strcmp(buf_text(&bench.fakes[n].asked), row->asked[n]) != 0)
            return n == 0 ? "the first was sent something else" : "so was the second";
    return NULL;
}

static bool is_right(const struct row *row, char why[static sizeof bench.why])
{
    setup(NULL);
    const char *wrong = try_row(row);
    snprintf(why, sizeof bench.why, "%s", wrong == NULL ? "" : wrong);
    teardown(NULL);
    return why[0] == '\0';
}

/* A machine so busy that one who answers has no time for it makes a try worthless. */
static void asks_one_after_the_other(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        char why[sizeof bench.why];
        int n = 0;
        while (n < TRIES && !is_right(&rows[i], why))
            n++;
        if (n == TRIES)
            fail_msg("%s: %s", rows[i].what, why);
    }
}

static void believes_an_address_alone(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(strange); i++) {
        const char *const replies[SENTINELS][REPLIES] = { { strange[i] }, { strange[i] } };
        ask(replies);
        if (bench.is_known || bench.why[0] == '\0')
            fail_msg("row %zu: %s:%u", i, bench.host.name, bench.host.port);
    }
}

static void who_knew_last_is_asked_first(UNUSED void **state)
{
    static const char *const second[SENTINELS][REPLIES] = { { "*-1\r\n" }, { MASTER } };
    static const char *const both[SENTINELS][REPLIES] = { { MASTER }, { OTHER } };

    for (int n = 0; n < TRIES; n++) {
        ask(second);
        ask(both);
        if (strcmp(bench.host.name, "red.example") == 0 && bench.fakes[0].asked.len == 0)
            return;
    }
    fail_msg("%s", bench.host.name);
}

static void a_stopped_question_has_no_end(UNUSED void **state)
{
    static const char *const silent[SENTINELS][REPLIES] = { { NULL }, { MASTER } };
    static const char *const known[SENTINELS][REPLIES] = { { MASTER }, { MASTER } };

    for (size_t i = 0; i < SENTINELS; i++)
        bench.fakes[i].replies = silent[i];
    redis_sentinel_ask(bench.sentinel, on_master, NULL);
    for (uint64_t end = clock_system.now_ms(&clock_system) + WAIT_MS;
         bench.fakes[0].asked.len == 0 && clock_system.now_ms(&clock_system) < end;)
        event_base_loop(bench.base, EVLOOP_ONCE);
    redis_sentinel_stop(bench.sentinel);
    ask(known); /* told of this one alone */
    assert_true(bench.is_known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_one_after_the_other),
        cmocka_unit_test_setup_teardown(believes_an_address_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(who_knew_last_is_asked_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopped_question_has_no_end, setup, teardown),
    };

    signal(SIGPIPE, SIG_IGN); /* as the daemons do */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
