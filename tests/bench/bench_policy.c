/* tests/bench/bench_policy.c - load on a policy server: N connections, each sends its next request when the answer to
 * the one before has come (as Postfix does), for a given time. One thread, epoll.
 *
 *     bench_policy -a inet:127.0.0.1:10030|unix:PATH [-c CONNECTIONS] [-t SECONDS] [-u USERS] [-p PID] [-i|-n|-s]
 *
 * -u: sender, login and client are drawn from so many; every request is a new message (its own `instance`).
 * -p: the server's process, for its CPU time per request and its memory.
 * -n: ends when each user has sent one request, and prints the server's memory before and after.
 * -s: senders are of domains that null_dns never answers for.
 * -i: no requests; opens the connections, one request on each, and prints the server's memory before and after.
 * Prints one line of name=value. Exit 1: a connection was closed or left without an answer, or an answer was no action. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/measure/measure.h"

#define MAX_EVENTS 256
#define REQUEST_MAX 2048
#define REPLY_MAX 1024
#define UNANSWERED_MS                                                                              \
    5000 /* after the end of the run: a connection still waiting is counted as unanswered */

struct options {
    struct bench_address address;
    size_t connections;
    uint64_t seconds, users, pid;
    bool idle, once, stalls;
};

struct connection {
    int fd; /* -1: closed */
    bool waits; /* a request is on its way */
    uint64_t sent_ns;
    size_t got;
    char reply[REPLY_MAX];
};

struct run {
    struct options options;
    struct connection *connections;
    int poll_fd;
    bool is_over; /* answers still on their way are taken, nothing more is asked */
    size_t waiting;
    uint64_t answered, failed, refused, serial, random;
    uint64_t started; /* part of each instance: a run repeats no request of another one */
    struct histogram latency;
};

/* ---- requests ---- */

/* xorshift64*: the same sequence in every run. */
static uint64_t next_random(struct run *run)
{
    run->random ^= run->random >> 12;
    run->random ^= run->random << 25;
    run->random ^= run->random >> 27;
    return run->random * UINT64_C(2685821657736338717);
}

/* What Postfix 3.7 sends at DATA for an authenticated client. The number in login and sender has 12 digits, as
 * redis-benchmark's __rand_int__. */
static size_t make_request(struct run *run, char out[REQUEST_MAX])
{
    unsigned long long serial = ++run->serial;
    unsigned long long user = run->options.once ? serial : next_random(run) % run->options.users;
    char domain[64] = "example.com";
    if (run->options.stalls)
        snprintf(domain, sizeof domain, "user%012llu.silent.example", user);
    int length = snprintf(
        out, REQUEST_MAX,
        "request=smtpd_access_policy\nprotocol_state=DATA\nprotocol_name=ESMTP\n"
        "client_address=198.18.%llu.%llu\nclient_name=host%llu.example.net\nclient_port=%llu\n"
        "reverse_client_name=host%llu.example.net\nserver_address=127.0.0.1\nserver_port=587\n"
        "helo_name=host%llu.example.net\nsender=user%012llu@%s\n"
        "recipient=someone@example.org\nrecipient_count=1\nqueue_id=4Xk%012llX\n"
        "instance=%llx.%llx\nsize=10240\netrn_domain=\nstress=\nsasl_method=plain\n"
        "sasl_username=user%012llu@example.com\nsasl_sender=\nccert_subject=\nccert_issuer=\n"
        "ccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\n"
        "encryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\npolicy_context=\n"
        "compatibility_level=3.6\nmail_version=3.7.11\n\n",
        user >> 8 & 255, user & 255, user, 1024 + serial % 60000, user, user, user, domain, serial,
        serial, (unsigned long long)run->started, user);

    return (size_t)length;
}

static void connection_close(struct run *run, struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
    run->failed++;
    if (connection->waits)
        run->waiting--;
    connection->waits = false;
}

/* A request fits into any socket's empty send buffer: one write takes it whole. */
static void send_request(struct run *run, struct connection *connection)
{
    char request[REQUEST_MAX];
    size_t len = make_request(run, request);

    connection->got = 0;
    connection->waits = true;
    run->waiting++;
    connection->sent_ns = bench_now_ns();
    if (send(connection->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
        connection_close(run, connection);
}

static void take_reply(struct run *run, struct connection *connection, uint64_t now)
{
    struct slice reply = { connection->reply, connection->got };

    histogram_add(&run->latency, now - connection->sent_ns);
    connection->waits = false;
    run->waiting--;
    run->answered++;
    if (!slice_starts_with(reply, SLICE("action=")))
        run->failed++;
    else if (!slice_starts_with(reply, SLICE("action=DUNNO")))
        run->refused++;
    run->is_over |= run->options.once && run->serial >= run->options.users;
    if (!run->is_over)
        send_request(run, connection);
}

static void readable(struct run *run, struct connection *connection)
{
    ssize_t got =
        recv(connection->fd, connection->reply + connection->got, REPLY_MAX - connection->got, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        connection_close(run, connection);
        return;
    }
    connection->got += (size_t)got;
    if (connection->got >= 2 && connection->reply[connection->got - 1] == '\n' &&
        connection->reply[connection->got - 2] == '\n')
        take_reply(run, connection, bench_now_ns());
    else if (connection->got == REPLY_MAX)
        connection_close(run, connection);
}

static void connection_open(struct run *run, struct connection *connection)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };

    connection->fd = bench_connect(&run->options.address);
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) ||
        epoll_ctl(run->poll_fd, EPOLL_CTL_ADD, connection->fd, &event))
        bench_fail("epoll_ctl");
}

/* Takes answers until `until` or, when the run is over, until nobody waits. */
static void loop(struct run *run, uint64_t until)
{
    struct epoll_event events[MAX_EVENTS];

    for (uint64_t now = bench_now_ns(); now < until && (run->waiting > 0 || !run->is_over);
         now = bench_now_ns()) {
        int count =
            epoll_wait(run->poll_fd, events, MAX_EVENTS, (int)((until - now) / 1000000 + 1));
        if (count < 0 && errno != EINTR)
            bench_fail("epoll_wait");
        for (int i = 0; i < count; i++)
            readable(run, events[i].data.ptr);
    }
}

static void drain(struct run *run)
{
    run->is_over = true;
    loop(run, bench_now_ns() + UINT64_C(1000000) * UNANSWERED_MS);
    run->failed += run->waiting;
}

/* ---- the two kinds of run ---- */

static void run_load(struct run *run)
{
    const struct options *options = &run->options;

    for (size_t i = 0; i < options->connections; i++)
        connection_open(run, &run->connections[i]);
    double cpu = process_cpu_s(options->pid);
    uint64_t before = process_memory_kib(options->pid);
    uint64_t start = bench_now_ns();
    for (size_t i = 0; i < options->connections; i++)
        send_request(run, &run->connections[i]);
    loop(run, start + options->seconds * UINT64_C(1000000000));
    double seconds = (double)(bench_now_ns() - start) / 1e9;
    uint64_t answered = run->answered;
    drain(run);
    cpu = process_cpu_s(options->pid) - cpu;
    printf(
        "connections=%zu requests_per_second=%.0f p50_us=%.0f p99_us=%.0f p999_us=%.0f max_us=%.0f "
        "cpu_us_per_request=%.2f requests=%llu refused=%llu failed=%llu memory_before_kib=%llu "
        "memory_after_kib=%llu\n",
        options->connections, (double)answered / seconds, histogram_us(&run->latency, 0.5),
        histogram_us(&run->latency, 0.99), histogram_us(&run->latency, 0.999),
        histogram_us(&run->latency, 1), answered > 0 ? cpu * 1e6 / (double)run->answered : 0.0,
        (unsigned long long)run->answered, (unsigned long long)run->refused,
        (unsigned long long)run->failed, (unsigned long long)before,
        (unsigned long long)process_memory_kib(options->pid));
}

/* Idle connections as Postfix leaves them: each has asked once. */
static void run_idle(struct run *run)
{
    const struct options *options = &run->options;
    uint64_t before = process_memory_kib(options->pid);

    run->is_over = true; /* one request each */
    for (size_t i = 0; i < options->connections; i++) {
        connection_open(run, &run->connections[i]);
        send_request(run, &run->connections[i]);
        loop(run, bench_now_ns() + UINT64_C(1000000) * UNANSWERED_MS);
    }
    drain(run);
    uint64_t after = process_memory_kib(options->pid);
    double grown = after > before ? (double)(after - before) : 0;
    printf(
        "connections=%zu memory_before_kib=%llu memory_after_kib=%llu kib_per_connection=%.2f failed=%llu\n",
        options->connections, (unsigned long long)before, (unsigned long long)after,
        grown / (double)options->connections, (unsigned long long)run->failed);
}

/* ---- command line ---- */

static _Noreturn void usage(void)
{
    fputs("usage: bench_policy -a inet:ADDRESS:PORT|unix:PATH [-c CONNECTIONS] [-t SECONDS]"
          " [-u USERS] [-p PID] [-i|-n|-s]\n",
          stderr);
    exit(64);
}

static struct options parse_options(int argc, char **argv)
{
    struct options options = { .connections = 1, .seconds = 3, .users = 1000000 };
    int option;

    while ((option = getopt(argc, argv, "a:c:t:u:p:ins")) != -1) {
        if (option == 'a' && !bench_address_parse(slice_of(optarg), &options.address))
            usage();
        if (option == 'c')
            options.connections = (size_t)bench_number(optarg);
        if (option == 't')
            options.seconds = bench_number(optarg);
        if (option == 'u')
            options.users = bench_number(optarg);
        if (option == 'p')
            options.pid = bench_number(optarg);
        if (option == 'i')
            options.idle = true;
        if (option == 'n')
            options.once = true;
        if (option == 's')
            options.stalls = true;
        if (option == '?')
            usage();
    }
    if (optind != argc || options.address.len == 0)
        usage();
    return options;
}

int main(int argc, char **argv)
{
    static struct run run = { .random = UINT64_C(88172645463325252) };
    struct rlimit files;

    run.options = parse_options(argc, argv);
    run.started = bench_now_ns();
    run.connections = calloc(run.options.connections, sizeof *run.connections);
    run.poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (run.connections == NULL || run.poll_fd < 0 || getrlimit(RLIMIT_NOFILE, &files))
        bench_fail("start");
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (run.options.idle)
        run_idle(&run);
    else
        run_load(&run);
    free(run.connections);
    return run.failed > 0 ? 1 : 0;
}
