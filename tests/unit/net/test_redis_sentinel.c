/* tests/unit/net/test_redis_sentinel.c - asking Sentinels for the master: who is asked, with which words, what is believed. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/redis_sentinel.h"
#include "common/net/resolver.h"
#include "tests/fakes/fake_names.h"
#include "tests/fakes/scripted_redis.h"

enum { SENTINELS = 2, REPLIES = 2, WAIT_MS = 10000, TRIES = 20, FULL_FDS = 4 };

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

static struct bench {
    struct event_base *base;
    struct resolver *resolver;
    struct redis_url url;
    struct redis_secrets secrets;
    struct redis_sentinel *sentinel;
    struct scripted_redis fakes[SENTINELS];
    unsigned told;
    bool is_known;
    struct redis_host host;
    char why[200];
} bench;

static void on_master(UNUSED void *arg, const struct redis_host *host, const char *why)
{
    bench.told++;
    bench.is_known = host != NULL;
    if (host != NULL)
        bench.host = *host;
    snprintf(bench.why, sizeof bench.why, "%s", why);
}

static int setup(UNUSED void **state)
{
    bench = (struct bench){ .base = event_base_new() };
    bench.resolver = resolver_new(bench.base);
    bench.url =
        (struct redis_url){ .kind = REDIS_URL_SENTINEL, .host_count = SENTINELS, .master = "gate" };
    for (size_t i = 0; i < SENTINELS; i++) {
        assert_true(scripted_redis_start(&bench.fakes[i], bench.base, "127.0.0.1", 0));
        bench.url.hosts[i] = (struct redis_host){ "127.0.0.1", bench.fakes[i].port };
    }
    bench.sentinel = redis_sentinel_new(bench.base, bench.resolver, &bench.url, &bench.secrets);
    return bench.sentinel == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    redis_sentinel_free(&bench.sentinel);
    redis_sentinel_free(&bench.sentinel);
    for (size_t i = 0; i < SENTINELS; i++)
        scripted_redis_stop(&bench.fakes[i]);
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

static void script(const char *const replies[SENTINELS][REPLIES])
{
    for (size_t i = 0; i < SENTINELS; i++) {
        bench.fakes[i].replies = replies[i];
        bench.fakes[i].reply_count = REPLIES;
        buf_clear(&bench.fakes[i].asked);
    }
}

static void ask(const char *const replies[SENTINELS][REPLIES])
{
    unsigned told = bench.told;

    script(replies);
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

/* ---- a name with several addresses ---- */

/* The first Sentinel is at 127.0.0.1, the second at 127.0.0.2, both on the port of the name. At 127.0.0.3 nobody is, and
 * 127.0.0.4 does not say so: it takes no connection. */
static const struct row addresses[] = {
    { "127.0.0.3 127.0.0.1", "", { { MASTER } }, "192.0.2.1", 6380, { ASKS, "" }, "" },
    { "127.0.0.3 ::1 127.0.0.2",
      "",
      { { NULL }, { OTHER } },
      "red.example",
      65535,
      { "", ASKS },
      "" },
    { "127.0.0.4 127.0.0.2", "", { { NULL }, { OTHER } }, "red.example", 65535, { "", ASKS }, "" },
    { "127.0.0.1 127.0.0.2", "", { { MASTER }, { OTHER } }, "192.0.2.1", 6380, { ASKS, "" }, "" },
    { "127.0.0.1 127.0.0.2",
      "",
      { { NULL }, { OTHER } },
      "red.example",
      65535,
      { ASKS, ASKS },
      "" },
    { "127.0.0.1 127.0.0.2", "", { { "" }, { OTHER } }, "red.example", 65535, { ASKS, ASKS }, "" },
    { "127.0.0.2 127.0.0.1",
      "",
      { { MASTER }, { "*-1\r\n" } },
      "192.0.2.1",
      6380,
      { ASKS, ASKS },
      "" },
    { "127.0.0.1 127.0.0.2",
      "",
      { { "-LOADING x\r\n" }, { OTHER } },
      "red.example",
      65535,
      { ASKS, ASKS },
      "" },
    { "127.0.0.1 127.0.0.2",
      "\nsentinel_password = pw\n",
      { { "-WRONGPASS x\r\n" }, { "+OK\r\n", OTHER } },
      "red.example",
      65535,
      { "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n", "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n" ASKS },
      "" },
    { "127.0.0.1 127.0.0.2",
      "",
      { { "*-1\r\n" }, { "-NOAUTH x\r\n" } },
      NULL,
      0,
      { ASKS, ASKS },
      "NOAUTH" },
    { "127.0.0.2 127.0.0.1",
      "",
      { { "*-1\r\n" }, { "-NOAUTH x\r\n" } },
      NULL,
      0,
      { ASKS, ASKS },
      "does not know the master" },
    { "127.0.0.1 127.0.0.3", "", { { "*-1\r\n" } }, NULL, 0, { ASKS, "" }, "Connection refused" },
};

/* Listens, and has as many connections waiting as it may have. False: the port is not free. */
static bool fill_up(const char *address, uint16_t port, int fds[static FULL_FDS])
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };

    assert_int_equal(1, inet_pton(AF_INET, address, &name.sin_addr));
    for (size_t i = 0; i < FULL_FDS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(fds[i] >= 0);
    }
    if (bind(fds[0], (struct sockaddr *)&name, sizeof name) != 0 || listen(fds[0], 0) != 0)
        return false;
    for (size_t i = 1; i < FULL_FDS; i++)
        (void)connect(fds[i], (struct sockaddr *)&name, sizeof name);
    return true;
}

static const char *try_addresses(const struct row *row)
{
    const char *wrong = "the port is not free";
    const uint16_t port = bench.fakes[0].port;
    int full[FULL_FDS];

    scripted_redis_stop(&bench.fakes[1]);
    bool is_free = scripted_redis_start(&bench.fakes[1], bench.base, "127.0.0.2", port);
    if (fill_up("127.0.0.4", port, full) && is_free) {
        bench.url.host_count = 1;
        fake_name_make(row->what, bench.url.hosts[0].name, sizeof bench.url.hosts[0].name);
        wrong = try_row(row);
    }
    for (size_t i = 0; i < FULL_FDS; i++)
        close(full[i]);
    return wrong;
}

/* ---- tests on a machine that may be busy ---- */

static bool is_right(const struct row *row, const char *(*try)(const struct row *),
                     char why[static sizeof bench.why])
{
    setup(NULL);
    const char *wrong = try(row);
    snprintf(why, sizeof bench.why, "%s", wrong == NULL ? "" : wrong);
    teardown(NULL);
    return why[0] == '\0';
}

/* A machine so busy that one who answers has no time for it makes a try worthless. */
static void try_all(const struct row *all, size_t count, const char *(*try)(const struct row *))
{
    for (size_t i = 0; i < count; i++) {
        char why[sizeof bench.why];
        int n = 0;
        while (n < TRIES && !is_right(&all[i], try, why))
            n++;
        if (n == TRIES)
            fail_msg("%s: %s", all[i].what, why);
    }
}

static void asks_one_after_the_other(UNUSED void **state)
{
    try_all(rows, COUNT(rows), try_row);
}

static void asks_all_addresses_of_a_name(UNUSED void **state)
{
    try_all(addresses, COUNT(addresses), try_addresses);
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

    script(silent);
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
        cmocka_unit_test(asks_all_addresses_of_a_name),
        cmocka_unit_test_setup_teardown(believes_an_address_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(who_knew_last_is_asked_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopped_question_has_no_end, setup, teardown),
    };

    signal(SIGPIPE, SIG_IGN); /* as the daemons do */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
