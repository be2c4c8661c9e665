/* tests/bench/bench_clamd.c - what clamd alone can do: N connections, each sends a message by zINSTREAM, on a new connection
 * each time as clamd wants it, when the answer to the one before has come. The bare call that contentd is measured against.
 *
 *     bench_clamd -a unix:PATH|inet:ADDRESS:PORT [-c CONNECTIONS] [-t SECONDS] [-s BYTES]
 *
 * Prints one line of name=value. Exit 1: an answer was not "stream: OK". */
#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/measure/measure.h"

/* Digits of a number that no other message has, of this run or another. */
#define SERIAL "00000000000000000000"
enum { SERIAL_LEN = sizeof SERIAL - 1 };

static struct bench_address address;
static size_t connections = 1, size = 4096;
static uint64_t seconds = 2, until_ns;
static const char head[] = "Received: from a by b; Sun, 22 Nov 2026 10:00:00 +0000\r\n"
                           "From: Alice <alice@example.com>\r\n"
                           "To: Bob <bob@example.org>\r\n"
                           "Subject: A message of a benchmark\r\n"
                           "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
                           "MIME-Version: 1.0\r\n"
                           "Content-Type: text/plain; charset=us-ascii\r\n"
                           "User-Agent: bench_milter\r\n"
                           "X-Filler: something to read\r\n"
                           "Message-ID: <" SERIAL "@example.com>\r\n\r\n";
static char *
    message; /* the same that bench_milter sends; each is another one, for clamd remembers what was clean */
static atomic_ulong serials;
static struct histogram *latencies;
static atomic_ulong scanned, failed;

static bool scan(char *text)
{
    static const char begin[] = "zINSTREAM", want[] = "stream: OK";
    uint32_t length = htonl((uint32_t)size), zero = 0;
    char reply[sizeof want];
    int fd = bench_connect(&address);
    bool ok = bench_send(fd, begin, sizeof begin) && bench_send(fd, &length, sizeof length) &&
              bench_send(fd, text, size) && bench_send(fd, &zero, sizeof zero) &&
              bench_receive(fd, reply, sizeof reply) && memcmp(reply, want, sizeof want) == 0;

    close(fd);
    return ok;
}

static char *message_new(void)
{
    char *text = malloc(size);

    if (text == NULL)
        bench_fail("start");
    memcpy(text, message, size);
    return text;
}

static void number(char *text)
{
    char digits[SERIAL_LEN + 1];

    snprintf(digits, sizeof digits, "%0*lu", SERIAL_LEN, atomic_fetch_add(&serials, 1));
    memcpy(strstr(text, "Message-ID: <") + sizeof "Message-ID: <" - 1, digits, SERIAL_LEN);
}

static void client(UNUSED void *arg, size_t thread)
{
    char *text = message_new();

    while (bench_now_ns() < until_ns) {
        number(text);
        uint64_t start = bench_now_ns();
        if (!scan(text)) {
            atomic_fetch_add(&failed, 1);
            break;
        }
        histogram_add(&latencies[thread], bench_now_ns() - start);
        atomic_fetch_add(&scanned, 1);
    }
    free(text);
}

static void parse_options(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "a:c:t:s:")) != -1) {
        if (option == 'a' && !bench_address_parse(slice_of(optarg), &address))
            break;
        if (option == 'c')
            connections = (size_t)bench_number(optarg);
        if (option == 't')
            seconds = bench_number(optarg);
        if (option == 's')
            size = (size_t)bench_number(optarg);
    }
    if (address.len > 0)
        return;
    fputs(
        "usage: bench_clamd -a unix:PATH|inet:ADDRESS:PORT [-c CONNECTIONS] [-t SECONDS] [-s BYTES]\n",
        stderr);
    exit(64);
}

int main(int argc, char **argv)
{
    struct histogram all = { .count = 0 };

    parse_options(argc, argv);
    size += sizeof head - 1; /* given: the body's */
    message = calloc(1, size + 1);
    latencies = calloc(connections, sizeof *latencies);
    if (message == NULL || latencies == NULL)
        bench_fail("start");
    memcpy(message, head, sizeof head - 1);
    char *body = message + sizeof head - 1;
    for (size_t i = 0; i < size - (sizeof head - 1); i++)
        body[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : (char)('a' + i * 7 % 26);
    uint64_t start = bench_now_ns();
    atomic_store(&serials, start);
    until_ns = start + seconds * UINT64_C(1000000000);
    bench_threads(connections, client, NULL);
    for (size_t i = 0; i < connections; i++)
        histogram_merge(&all, &latencies[i]);
    printf("messages_per_second=%.0f p50_us=%.0f p99_us=%.0f failed=%lu\n",
           (double)atomic_load(&scanned) / ((double)(bench_now_ns() - start) / 1e9),
           histogram_us(&all, 0.5), histogram_us(&all, 0.99), atomic_load(&failed));
    return atomic_load(&failed) > 0 ? 1 : 0;
}
