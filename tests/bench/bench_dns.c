/* tests/bench/bench_dns.c - one worker's DNS lookups against a loopback server in a process of its own: lookups per second,
 * CPU of the worker per lookup and, where something has to be waited for, latency. BENCH_SECONDS (1) for each case. */
#include "common/net/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, PACKET = 1500, SAMPLES_MOST = 1 << 20, SIDE_BY_SIDE_MOST = 1000 };

/* ---- the server: as little as can be called one ---- */

/* The answer to a question without other records but EDNS: an A record, an hour old at most. The length; 0: none. */
static size_t make_answer(unsigned char *packet, size_t len)
{
    static const unsigned char record[] = {
        0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, 1
    };
    size_t at = 12;

    if (len < 17)
        return 0;
    while (at + 5 < len && packet[at] != 0)
        at += 1u + packet[at];
    at += 5;
    if (at > len || at + sizeof record > PACKET)
        return 0;
    packet[2] = 0x81;
    packet[3] = 0x80;
    memset(packet + 6, 0, 6);
    packet[7] = 1;
    memcpy(packet + at, record, sizeof record);
    return at + sizeof record;
}

static void serve(int fd)
{
    static unsigned char packets[BATCH][PACKET];
    struct sockaddr_in from[BATCH];
    struct iovec pieces[BATCH];
    struct mmsghdr messages[BATCH] = { 0 };

    for (;;) {
        for (size_t i = 0; i < BATCH; i++) {
            pieces[i] = (struct iovec){ packets[i], PACKET };
            messages[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
                                                   .msg_namelen = sizeof from[i],
                                                   .msg_iov = &pieces[i],
                                                   .msg_iovlen = 1 };
        }
        int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        if (count <= 0)
            _exit(1);
        for (int i = 0; i < count; i++)
            pieces[i].iov_len = make_answer(packets[i], messages[i].msg_len);
        for (int sent = 0; sent < count;) {
            int n = sendmmsg(fd, messages + sent, (unsigned)(count - sent), 0);
            sent += n > 0 ? n : 1; /* a port that is closed again */
        }
    }
}

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static pid_t server_start(char text[32])
{
    enum { ROOM = 4 << 20 };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    const int room = ROOM;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)(const void *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)(void *)&address, &size) != 0)
        give_up("bind");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    snprintf(text, 32, "127.0.0.1@%u", ntohs(address.sin_port));
    pid_t pid = fork();
    if (pid < 0)
        give_up("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(fd);
    }
    close(fd);
    return pid;
}

/* ---- the load: so many lookups at any time ---- */

struct load {
    struct worker *worker;
    struct dns *dns;
    size_t side_by_side, names; /* names 0: never the same again */
    uint64_t until_us, started, ended, failed;
    uint32_t *samples; /* latencies, microseconds */
    size_t sample_count;
    bool is_over;
};

struct lookup {
    struct dns_ask ask; /* first member */
    struct load *load;
    uint64_t started_us;
};

static uint64_t time_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void lookup_ended(struct lookup *lookup)
{
    struct load *load = lookup->load;

    load->ended++;
    load->failed += lookup->ask.answer.status != DNS_DATA;
    arena_reset(lookup->ask.arena);
}

/* Until one has to be waited for. */
static void lookup_start(struct lookup *lookup)
{
    struct load *load = lookup->load;
    char name[40];

    for (;;) {
        if (load->ended % 64 == 0 && time_us(CLOCK_MONOTONIC) >= load->until_us)
            load->is_over = true;
        if (load->is_over) {
            event_base_loopbreak(worker_base(load->worker));
            return;
        }
        uint64_t number = load->started++;
        int len = snprintf(name, sizeof name, "mail%llu.example.org",
                           (unsigned long long)(load->names == 0 ? number : number % load->names));
        lookup->started_us = time_us(CLOCK_MONOTONIC);
        if (!dns_ask(load->dns, &lookup->ask, (struct slice){ name, (size_t)len }, RR_A))
            return;
        lookup_ended(lookup);
    }
}

static void lookup_done(struct dns_ask *ask)
{
    struct lookup *lookup = (struct lookup *)ask;
    struct load *load = lookup->load;

    if (load->sample_count < SAMPLES_MOST)
        load->samples[load->sample_count++] =
            (uint32_t)(time_us(CLOCK_MONOTONIC) - lookup->started_us);
    lookup_ended(lookup);
    lookup_start(lookup);
}

static int compare(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;

    return *left < *right ? -1 : *left > *right;
}

static uint32_t percentile(const struct load *load, size_t permille)
{
    return load->sample_count == 0 ? 0 : load->samples[load->sample_count * permille / 1000];
}

static void run(struct load *load, uint64_t seconds)
{
    static struct lookup lookups[SIDE_BY_SIDE_MOST];

    load->until_us = time_us(CLOCK_MONOTONIC) + seconds * 1000000;
    for (size_t i = 0; i < load->side_by_side; i++) {
        lookups[i] = (struct lookup){ .load = load,
                                      .ask = { .done = lookup_done, .arena = arena_new(1 << 16) } };
        lookup_start(&lookups[i]);
    }
    if (!load->is_over)
        event_base_dispatch(worker_base(load->worker));
    for (size_t i = 0; i < load->side_by_side; i++) {
        dns_abandon(&lookups[i].ask);
        arena_free(&lookups[i].ask.arena);
    }
}

static const struct {
    const char *what;
    size_t side_by_side, names;
    bool no_cache;
} cases[] = {
    { "cached, 10 names", 1, 10, false },         { "cached, 10,000 names", 1, 10000, false },
    { "uncached, one at a time", 1, 0, false },   { "uncached, 16 at a time", 16, 0, false },
    { "uncached, 200 at a time", 200, 0, false }, { "cache off, 200 at a time", 200, 0, true },
};

static void bench(size_t index, struct slice resolver, uint64_t seconds)
{
    struct worker *worker = worker_new(0, "bench", &clock_system, NULL);
    struct dns_options options = { .resolvers = &resolver,
                                   .resolver_count = 1,
                                   .no_cache = cases[index].no_cache };
    struct load load = { .worker = worker,
                         .side_by_side = cases[index].side_by_side,
                         .names = cases[index].names,
                         .samples = calloc(SAMPLES_MOST, sizeof(uint32_t)) };
    AUTO_BUF error = BUF_INIT(200);

    load.dns = dns_new(worker, &options, &error);
    if (load.dns == NULL || load.samples == NULL)
        give_up(buf_text(&error));
    uint64_t start_us = time_us(CLOCK_MONOTONIC), cpu_us = time_us(CLOCK_THREAD_CPUTIME_ID);
    run(&load, seconds);
    cpu_us = time_us(CLOCK_THREAD_CPUTIME_ID) - cpu_us;
    double ended = (double)load.ended;
    double took_us = (double)(time_us(CLOCK_MONOTONIC) - start_us);
    qsort(load.samples, load.sample_count, sizeof(uint32_t), compare);
    printf("%-26s %10.0f %8.2f %8u %8u %8llu\n", cases[index].what, ended * 1e6 / took_us,
           (double)cpu_us / ended, percentile(&load, 500), percentile(&load, 990),
           (unsigned long long)load.failed);
    dns_free(&load.dns);
    worker_free(&worker);
    free(load.samples);
}

static void bench_new(struct slice resolver)
{
    enum { TIMES = 20 };
    struct worker *worker = worker_new(0, "bench", &clock_system, NULL);
    struct dns_options options = { .resolvers = &resolver, .resolver_count = 1 };
    uint64_t cpu_us = time_us(CLOCK_THREAD_CPUTIME_ID);

    for (size_t i = 0; i < TIMES; i++) {
        AUTO_BUF error = BUF_INIT(200);
        struct dns *dns = dns_new(worker, &options, &error);
        dns_free(&dns);
    }
    printf("%-26s %19.2f\n", "a new context",
           (double)(time_us(CLOCK_THREAD_CPUTIME_ID) - cpu_us) / TIMES);
    worker_free(&worker);
}

int main(void)
{
    const char *given = getenv("BENCH_SECONDS");
    uint64_t seconds = 1;
    char text[32];
    pid_t server = server_start(text);

    if (given != NULL && !slice_to_u64(slice_of(given), &seconds))
        give_up("BENCH_SECONDS");
    printf("%-26s %10s %8s %8s %8s %8s\n", "DNS lookups, one worker", "per s", "cpu_us", "p50_us",
           "p99_us", "failed");
    for (size_t i = 0; i < COUNT(cases); i++)
        bench(i, slice_of(text), seconds);
    bench_new(slice_of(text));
    kill(server, SIGKILL);
    return 0;
}
