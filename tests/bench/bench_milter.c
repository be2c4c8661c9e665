/* tests/bench/bench_milter.c - load on a milter, as Postfix makes it: N connections, each sends its next message when the one
 * before has been decided. A thread for each connection.
 *
 *     bench_milter -a inet:127.0.0.1:8891|unix:PATH [-c CONNECTIONS] [-t SECONDS] [-s BYTES] [-p PID] [-l] [-i] [-d SIGNER]
 *
 * -s: bytes of the body. -p: the milter's process, for its CPU time per message and its memory. -l: the messages come from a
 * client that has logged in. -d: a milter, which is sent the message first; what it puts at the top (its signatures) all
 * messages have, then, which are one and the same. -i: no messages; opens the connections and prints the memory before and after.
 * `end` is the time from the end of the body to the decision. Prints one line of name=value. Exit 1: a connection was lost. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "tests/bench/measure/measure.h"

enum {
    CHUNK = 65535,
    OUT_MAX = 1 << 20,
    VERSION = 6,
    ACTIONS = 0x1ff, /* all there are */
    /* Without the milter's wishes Postfix waits for an answer to each of these. */
    SILENT_CONNECT = 0x1000,
    SILENT_HELO = 0x2000,
    SILENT_MAIL = 0x4000,
    SILENT_RCPT = 0x8000,
    SILENT_DATA = 0x10000,
    SILENT_HEADER = 0x80,
    SILENT_EOH = 0x40000,
    SILENT_BODY = 0x80000,
    NO_CONNECT = 0x1,
    NO_HELO = 0x2,
    NO_MAIL = 0x4,
    NO_RCPT = 0x8,
    NO_BODY = 0x10,
    NO_HEADER = 0x20,
    NO_EOH = 0x40,
    NO_DATA = 0x200,
    SKIPS = 0x400,
    PROTOCOL = 0x1fffff,
};

struct options {
    struct bench_address address, signer;
    size_t connections, size;
    uint64_t seconds, pid;
    bool idle, login;
};

struct run {
    struct options options;
    uint64_t start_ns, until_ns;
    char *body;
    struct buf signatures; /* header fields: NAME, NUL, value, NUL */
    atomic_ulong decided, refused, failed, edits;
    struct histogram *whole, *end; /* by thread */
};

struct connection {
    struct run *run;
    int fd;
    uint32_t protocol; /* what the milter wishes */
    bool login;
    struct buf out;
    bool is_lost;
};

/* ---- packets ---- */

static void put_packet(struct connection *connection, char command, const char *data, size_t len)
{
    uint32_t head = htonl((uint32_t)len + 1);

    if (buf_add(&connection->out, (struct slice){ (const char *)&head, sizeof head }) != 0 ||
        buf_put_char(&connection->out, command) != 0 ||
        buf_add(&connection->out, (struct slice){ data, len }) != 0)
        bench_fail("packet");
}

static void flush(struct connection *connection)
{
    if (!connection->is_lost &&
        !bench_send(connection->fd, connection->out.data, connection->out.len))
        connection->is_lost = true;
    buf_clear(&connection->out);
}

/* The next answer that is no progress; 0: the connection is lost. */
static char answer(struct connection *connection, char *data, size_t room)
{
    for (;;) {
        uint32_t head;
        char command;
        if (connection->is_lost || !bench_receive(connection->fd, &head, sizeof head) ||
            !bench_receive(connection->fd, &command, 1))
            break;
        size_t len = ntohl(head) - 1;
        if (len > room || !bench_receive(connection->fd, data, len))
            break;
        if (command != 'p')
            return command;
    }
    connection->is_lost = true;
    return 0;
}

/* Sends a command, and waits for its answer unless the milter gives none. */
static void step(struct connection *connection, char command, const char *data, size_t len,
                 uint32_t no, uint32_t silent)
{
    char space[OUT_MAX];

    if ((connection->protocol & no) != 0)
        return;
    put_packet(connection, command, data, len);
    if ((connection->protocol & silent) != 0)
        return;
    flush(connection);
    answer(connection, space, sizeof space);
}

#define STEP(connection, command, text, no, silent)                                                \
    step(connection, command, text, sizeof(text) - 1, no, silent)
#define MACROS(connection, text) put_packet(connection, 'D', text, sizeof(text) - 1)

/* ---- a session ---- */

static void negotiate(struct connection *connection)
{
    uint32_t numbers[3] = { htonl(VERSION), htonl(ACTIONS), htonl(PROTOCOL) };
    char space[OUT_MAX];

    put_packet(connection, 'O', (const char *)numbers, sizeof numbers);
    flush(connection);
    if (answer(connection, space, sizeof space) == 'O') {
        memcpy(numbers, space, sizeof numbers);
        connection->protocol = ntohl(numbers[2]);
    }
    MACROS(connection, "Cj\0mx.example.com\0{daemon_name}\0mx\0{daemon_addr}\0"
                       "127.0.0.1\0");
    STEP(connection, 'C',
         "client.example.net\0"
         "4\x9c\x40"
         "192.0.2.7\0",
         NO_CONNECT, SILENT_CONNECT);
    STEP(connection, 'H', "client.example.net\0", NO_HELO, SILENT_HELO);
}

static void send_fields(struct connection *connection, unsigned long serial)
{
    static const char *const fields[] = {
        "Received",     " from a by b; Sun, 22 Nov 2026 10:00:00 +0000",
        "From",         " Alice <alice@example.com>",
        "To",           " Bob <bob@example.org>",
        "Subject",      " A message of a benchmark",
        "Date",         " Sun, 22 Nov 2026 10:00:00 +0000",
        "MIME-Version", " 1.0",
        "Content-Type", " text/plain; charset=us-ascii",
        "User-Agent",   " bench_milter",
        "X-Filler",     " something to read"
    };
    char field[200];
    struct slice signatures = buf_slice(&connection->run->signatures), rest = signatures, name,
                 value;

    while (slice_cut(&rest, '\0', &name) && slice_cut(&rest, '\0', &value))
        step(connection, 'L', name.ptr, name.len + value.len + 2, NO_HEADER, SILENT_HEADER);
    /* No other message has it, of this run or another: scanners remember what was clean. Ready signed ones are all the same. */
    uint64_t number = signatures.len > 0 ? 0 : connection->run->start_ns + serial;
    for (size_t i = 0; i < COUNT(fields); i += 2) {
        int len = snprintf(field, sizeof field, "%s%c%s", fields[i], 0, fields[i + 1]);
        step(connection, 'L', field, (size_t)len + 1, NO_HEADER, SILENT_HEADER);
    }
    int len = snprintf(field, sizeof field, "Message-ID%c <%020" PRIu64 "@example.com>", 0, number);
    step(connection, 'L', field, (size_t)len + 1, NO_HEADER, SILENT_HEADER);
}

static void send_body(struct connection *connection)
{
    const struct run *run = connection->run;
    char space[OUT_MAX];

    for (size_t at = 0; at < run->options.size && (connection->protocol & NO_BODY) == 0;
         at += CHUNK) {
        size_t len = run->options.size - at < CHUNK ? run->options.size - at : CHUNK;
        put_packet(connection, 'B', run->body + at, len);
        flush(connection);
        if ((connection->protocol & SILENT_BODY) == 0 &&
            answer(connection, space, sizeof space) == 's')
            break;
    }
}

static void send_message(struct connection *connection, unsigned long serial)
{
    char id[64];
    int len = snprintf(id, sizeof id, "Mi%c4Xk%08lx%c", 0, serial, 0);

    if (connection->login)
        MACROS(connection, "M{auth_authen}\0alice@example.com\0{auth_type}\0PLAIN\0");
    STEP(connection, 'M', "<alice@example.com>\0", NO_MAIL, SILENT_MAIL);
    id[0] = 'R';
    put_packet(connection, 'D', id, (size_t)len);
    STEP(connection, 'R', "<bob@example.org>\0", NO_RCPT, SILENT_RCPT);
    STEP(connection, 'T', "", NO_DATA, SILENT_DATA);
    send_fields(connection, serial);
    STEP(connection, 'N', "", NO_EOH, SILENT_EOH);
    send_body(connection);
}

/* Until the final answer; edits come before it. */
static char decision(struct connection *connection)
{
    char space[OUT_MAX];
    char last = 0;

    do {
        last = answer(connection, space, sizeof space);
        if (last != 0 && strchr("hime+2-bq", last) != NULL)
            atomic_fetch_add(&connection->run->edits, 1);
    } while (last != 0 && strchr("hime+2-bq", last) != NULL);
    return last;
}

static void hang_up(struct connection *connection)
{
    put_packet(connection, 'Q', "", 0);
    flush(connection);
    close(connection->fd);
    buf_free(&connection->out);
}

static void session(void *arg, size_t thread)
{
    struct run *run = arg;
    struct connection connection = { .run = run,
                                     .fd = bench_connect(&run->options.address),
                                     .login = run->options.login,
                                     .out = BUF_INIT(OUT_MAX) };

    negotiate(&connection);
    for (unsigned long serial = thread << 24; bench_now_ns() < run->until_ns && !connection.is_lost;
         serial++) {
        uint64_t start = bench_now_ns();
        send_message(&connection, serial);
        uint64_t sent = bench_now_ns();
        put_packet(&connection, 'E', "", 0);
        flush(&connection);
        char last = decision(&connection);
        if (last == 0)
            break;
        uint64_t now = bench_now_ns();
        histogram_add(&run->whole[thread], now - start);
        histogram_add(&run->end[thread], now - sent);
        atomic_fetch_add(&run->decided, 1);
        if (last != 'c' && last != 'a')
            atomic_fetch_add(&run->refused, 1);
    }
    if (connection.is_lost)
        atomic_fetch_add(&run->failed, 1);
    hang_up(&connection);
}

/* The fields that the signer inserts: each at the top, so the last one comes first. */
static void get_signatures(struct run *run)
{
    static const struct slice name = SLICE_INIT("DKIM-Signature\0");
    static char space[OUT_MAX];
    struct connection connection = { .run = run,
                                     .fd = bench_connect(&run->options.signer),
                                     .login = true,
                                     .out = BUF_INIT(OUT_MAX) };
    struct buf found = BUF_INIT(OUT_MAX);
    char last;

    negotiate(&connection);
    send_message(&connection, 0);
    put_packet(&connection, 'E', "", 0);
    flush(&connection);
    while ((last = answer(&connection, space, sizeof space)) == 'i') {
        const struct slice field = { space + 4, strlen(space + 4) + 1 };
        const struct slice value = { field.ptr + field.len, strlen(field.ptr + field.len) + 1 };
        if (slice_equal(field, name) &&
            (buf_add(&found, field) != 0 || buf_add(&found, value) != 0))
            bench_fail("signatures");
    }
    hang_up(&connection);
    if (last != 'c' || found.len == 0)
        bench_fail("the message is not signed");
    run->signatures = found;
}

/* ---- runs ---- */

static void run_load(struct run *run)
{
    double cpu = process_cpu_s(run->options.pid);
    uint64_t start = bench_now_ns();
    struct histogram whole = { .count = 0 }, end = { .count = 0 };

    run->start_ns = start;
    run->until_ns = start + run->options.seconds * UINT64_C(1000000000);
    bench_threads(run->options.connections, session, run);
    double seconds = (double)(bench_now_ns() - start) / 1e9;
    double messages = (double)atomic_load(&run->decided);
    cpu = process_cpu_s(run->options.pid) - cpu;
    for (size_t i = 0; i < run->options.connections; i++) {
        histogram_merge(&whole, &run->whole[i]);
        histogram_merge(&end, &run->end[i]);
    }
    printf(
        "messages_per_second=%.0f p50_us=%.0f p99_us=%.0f end_p50_us=%.0f end_p99_us=%.0f cpu_us_per_message=%.1f "
        "edits=%lu refused=%lu failed=%lu memory_kib=%llu\n",
        messages / seconds, histogram_us(&whole, 0.5), histogram_us(&whole, 0.99),
        histogram_us(&end, 0.5), histogram_us(&end, 0.99),
        messages > 0 ? cpu * 1e6 / messages : 0.0, atomic_load(&run->edits),
        atomic_load(&run->refused), atomic_load(&run->failed),
        (unsigned long long)process_memory_kib(run->options.pid));
}

static void run_idle(struct run *run)
{
    uint64_t before = process_memory_kib(run->options.pid);
    struct connection *connections = calloc(run->options.connections, sizeof *connections);

    if (connections == NULL)
        bench_fail("connections");
    for (size_t i = 0; i < run->options.connections; i++) {
        connections[i] = (struct connection){ .run = run,
                                              .fd = bench_connect(&run->options.address),
                                              .out = BUF_INIT(OUT_MAX) };
        negotiate(&connections[i]);
        flush(&connections[i]);
        if (connections[i].is_lost)
            atomic_fetch_add(&run->failed, 1);
        buf_free(&connections[i].out);
    }
    uint64_t after = process_memory_kib(run->options.pid);
    printf(
        "connections=%zu memory_before_kib=%llu memory_kib=%llu kib_per_connection=%.2f failed=%lu\n",
        run->options.connections, (unsigned long long)before, (unsigned long long)after,
        ((double)after - (double)before) / (double)run->options.connections,
        atomic_load(&run->failed));
    free(connections); /* their sockets end with the program */
}

static struct options parse_options(int argc, char **argv)
{
    struct options options = { .connections = 1, .seconds = 2, .size = 4096 };
    int option;

    while ((option = getopt(argc, argv, "a:c:t:s:p:d:li")) != -1) {
        if (option == 'a' && !bench_address_parse(slice_of(optarg), &options.address))
            option = '?';
        if (option == 'd' && !bench_address_parse(slice_of(optarg), &options.signer))
            option = '?';
        if (option == 'c')
            options.connections = (size_t)bench_number(optarg);
        if (option == 't')
            options.seconds = bench_number(optarg);
        if (option == 's')
            options.size = (size_t)bench_number(optarg);
        if (option == 'p')
            options.pid = bench_number(optarg);
        options.login = options.login || option == 'l';
        options.idle = options.idle || option == 'i';
        if (option == '?')
            break;
    }
    if (option == '?' || optind != argc || options.address.len == 0) {
        fputs(
            "usage: bench_milter -a inet:ADDRESS:PORT|unix:PATH [-c CONNECTIONS] [-t SECONDS] [-s BYTES] [-p PID] "
            "[-l] [-i] [-d SIGNER]\n",
            stderr);
        exit(64);
    }
    return options;
}

int main(int argc, char **argv)
{
    static struct run run;
    struct rlimit files;

    run.options = parse_options(argc, argv);
    if (run.options.size < 2)
        run.options.size = 2;
    run.body = malloc(run.options.size);
    run.whole = calloc(run.options.connections, sizeof *run.whole);
    run.end = calloc(run.options.connections, sizeof *run.end);
    if (run.body == NULL || run.whole == NULL || run.end == NULL ||
        getrlimit(RLIMIT_NOFILE, &files) != 0)
        bench_fail("start");
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    for (size_t i = 0; i < run.options.size; i++)
        run.body[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : (char)('a' + i * 7 % 26);
    memcpy(run.body + run.options.size - 2, "\r\n", 2); /* as every body over SMTP ends */
    run.signatures = (struct buf)BUF_INIT(OUT_MAX);
    if (run.options.signer.len > 0)
        get_signatures(&run);
    if (run.options.idle)
        run_idle(&run);
    else
        run_load(&run);
    return atomic_load(&run.failed) > 0 ? 1 : 0;
}
