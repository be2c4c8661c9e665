/* The store on a server that is none: whatever it sends, every charge is answered in time and nothing else happens. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>

#include "tests/fakes/fake_limits.h"
#include "tests/fakes/redis_server.h"
#include "tests/fakes/shown_metric.h"
#include "tests/fakes/test_store.h"

#define CONNECTS "gatehouse_store_connects_total" /* connections that became ready */

enum { SLOWEST_MS = 100 + 150 };

#define OK "+OK\r\n"
#define ROLE "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
#define NIL "$-1\r\n"
#define ONE "$1\r\n1\r\n"
#define DIGEST "$40\r\n0123456789012345678901234567890123456789\r\n"

/* What it answers to the first commands, in order; after them `then` to each. NULL: nothing. */
/* The database, its role, the schema twice, and the nine scripts. */
#define LOGIN                                                                                      \
    OK, ROLE, NIL, ONE, DIGEST, DIGEST, DIGEST, DIGEST, DIGEST, DIGEST, DIGEST, DIGEST, DIGEST
enum { LOGIN_STEPS = 13, STEPS = 15 };

static const struct row {
    const char *what;
    const char *steps[STEPS];
    const char *then;
    bool closes; /* after `then` */
    bool gets_ready; /* the login is believed */
} rows[] = {
    { "never answers", { NULL }, NULL, false, false },
    { "closes at once", { NULL }, "", true, false },
    { "speaks another protocol", { "220 mail.example.com ESMTP\r\n" }, NULL, false, false },
    { "binary", { "\x16\x03\x01\x02\x05" }, NULL, false, false },
    { "an error", { "-ERR max number of clients reached\r\n" }, NULL, true, false },
    { "answers before it is asked twice", { OK OK OK OK }, NULL, false, false },
    { "is a replica",
      { OK, "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$4\r\nsync\r\n:9\r\n" },
      NULL,
      false,
      false },
    { "has an empty role", { OK, "*0\r\n" }, NULL, false, false },
    { "has a number as its role", { OK, ":1\r\n" }, NULL, false, false },
    { "has another schema", { OK, ROLE, NIL, "$1\r\n2\r\n" }, NULL, false, false },
    { "has a list as schema", { OK, ROLE, NIL, ROLE }, NULL, false, false },
    { "a digest too short", { OK, ROLE, OK, ONE, "$2\r\nab\r\n" }, NULL, false, false },
    { "then nothing", { LOGIN }, NULL, false, true },
    { "then closes", { LOGIN }, "", true, true },
    { "then half a reply", { LOGIN }, "$100\r\nA 17", false, true },
    { "then half a reply and closes", { LOGIN }, "$100\r\nA 17", true, true },
    { "then garbage", { LOGIN }, "garbage\r\n", false, true },
    { "then numbers", { LOGIN }, ":1\r\n", false, true },
    { "then nil", { LOGIN }, NIL, false, true },
    { "then OK", { LOGIN }, OK, false, true },
    { "then lists", { LOGIN }, "*2\r\n*0\r\n*1\r\n:5\r\n", false, true },
    { "then a huge list", { LOGIN }, "*2147483647\r\n", false, true },
    { "then a huge text", { LOGIN }, "$9223372036854775807\r\n", false, true },
    { "then deep lists",
      { LOGIN },
      "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
      false,
      true },
    { "then a result of another charge", { LOGIN }, "$19\r\nA 1795 1 0 7 2 0 88\r\n", false, true },
    { "then another override each time",
      { LOGIN },
      "*2\r\n$4\r\n1795\r\n*2\r\n$4\r\n9/1h\r\n$-1\r\n",
      false,
      true },
    { "then two replies to one command", { LOGIN }, OK OK, false, true },
    { "then NOSCRIPT for ever", { LOGIN }, "-NOSCRIPT x\r\n", false, true },
    { "then LOADING", { LOGIN }, "-LOADING x\r\n", false, true },
    { "then OOM", { LOGIN }, "-OOM x\r\n", false, true },
    { "then an empty error", { LOGIN }, "-\r\n", false, true },
};

struct client {
    const struct row *row;
    unsigned step;
};

static void on_client_event(struct bufferevent *conn, UNUSED short what, void *arg)
{
    free(arg);
    bufferevent_free(conn);
}

static void on_closed(struct bufferevent *conn, void *arg)
{
    on_client_event(conn, 0, arg);
}

/* One answer for each command; a command begins with `*` and its pieces never do here. */
static void on_command(struct bufferevent *conn, void *arg)
{
    struct client *client = arg;
    struct evbuffer *in = bufferevent_get_input(conn);
    size_t len = evbuffer_get_length(in);
    const char *bytes = (const char *)evbuffer_pullup(in, -1);

    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != '*' || (i > 0 && bytes[i - 1] != '\n') || i + 1 == len ||
            !ascii_is_digit(bytes[i + 1]))
            continue;
        const char *answer = client->step < STEPS ? client->row->steps[client->step] : NULL;
        if (answer == NULL)
            answer = client->row->then;
        client->step++;
        if (answer != NULL)
            bufferevent_write(conn, answer, strlen(answer));
    }
    evbuffer_drain(in, len);
    if (client->row->closes && client->step > 0 &&
        (client->step > LOGIN_STEPS || client->row->steps[1] == NULL)) {
        bufferevent_setcb(conn, NULL, on_closed, on_client_event, client);
        if (evbuffer_get_length(bufferevent_get_output(conn)) == 0)
            on_closed(conn, client);
    }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                      UNUSED struct sockaddr *address, UNUSED int size, void *arg)
{
    struct event_base *base = evconnlistener_get_base(listener);
    struct bufferevent *conn = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    struct client *client = calloc(1, sizeof(*client));

    assert_true(conn != NULL && client != NULL);
    client->row = arg;
    bufferevent_setcb(conn, on_command, NULL, on_client_event, client);
    bufferevent_enable(conn, EV_READ | EV_WRITE);
}

static struct evconnlistener *serve(struct event_base *base, const struct row *row, uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    return evconnlistener_new_bind(
        base, on_accept, (void *)(uintptr_t)row, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 16,
        (const struct sockaddr *)(const void *)&address, sizeof(address));
}

/* A record, whatever was asked for, is unknown; a connection is counted here. */
static void try_records(struct test_store *test, const struct row *row)
{
    static const struct slice subject = SLICE_INIT("a:192.0.2.7");
    static const struct transaction_key key = { .len = 6, .text = "tx:{x}" };
    struct store_tx_read read = { .key = &key, .arena = test->arena };
    struct store_refund refund = { .key = &key };
    struct store_lease lease = { .subjects = &subject, .count = 1 };

    test_store_finish(test, store_tx_read(test->store, &read), &read.call);
    test_store_finish(test, store_refund(test->store, &refund), &refund.call);
    test_store_finish(test, store_lease_open(test->store, &lease), &lease.call);
    if (read.call.result != STORE_FAILED || refund.call.result != STORE_FAILED ||
        refund.uses != 0 || !lease.call.is_degraded || lease.totals[0] != 1)
        fail_msg("%s: a record was believed", row->what);
    store_lease_close(test->store, &lease);
}

static void try_row(const struct row *row, const struct limit *limit)
{
    struct test_store test;
    uint16_t port = free_port();
    char url[64];

    snprintf(url, sizeof(url), "redis://127.0.0.1:%u", port);
    test_store_open(&test, url, NULL, &clock_system, false);
    uint64_t before = shown_metric(CONNECTS);
    struct evconnlistener *listener = serve(test.base, row, port);
    assert_non_null(listener);
    for (int i = 0; i < 60; i++) {
        if (i % 20 == 10)
            try_records(&test, row);
        struct charged got = test_store_charge(&test, limit, "alice", 0, NULL, CHARGE_ONCE);
        if (got.result != STORE_OK || !got.is_degraded || got.took_ms > SLOWEST_MS)
            fail_msg("%s: a charge ended with %d after %u ms", row->what, (int)got.result,
                     (unsigned)got.took_ms);
        test_store_run(&test, 5);
    }
    try_records(&test, row);
    for (uint64_t begin = real_ms(); /* a busy machine has not come to it yet */
         row->gets_ready && shown_metric(CONNECTS) == before && real_ms() - begin < PATIENT_MS;)
        test_store_run(&test, 5);
    if ((shown_metric(CONNECTS) > before) != row->gets_ready)
        fail_msg("%s: the login was%s believed", row->what, row->gets_ready ? " not" : "");
    evconnlistener_free(listener);
    store_free(&test.store);
    test_store_run(&test, 20); /* the clients see the end and go */
    test_store_close(&test);
}

static void no_server_harms_us(UNUSED void **state)
{
    struct limit_set *set = fake_limit("hourly", "10/1h");

    for (size_t i = 0; i < COUNT(rows); i++)
        try_row(&rows[i], limit_set_at(set, 0));
    limit_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(no_server_harms_us) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
