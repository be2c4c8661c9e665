/* tests/bench/measure/measure.c - see measure.h. */
#include "tests/bench/measure/measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

_Noreturn void bench_fail(const char *what)
{
    perror(what);
    exit(1);
}

uint64_t bench_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t bench_number(const char *text)
{
    uint64_t number;

    if (slice_to_u64(slice_of(text), &number) && number > 0 && number <= 100000000)
        return number;
    fprintf(stderr, "\"%s\": a number from 1 to 100000000 is expected\n", text);
    exit(64);
}

/* ---- latencies ---- */

static size_t histogram_bucket(uint64_t value)
{
    if (value < HISTOGRAM_SUB)
        return (size_t)value;
    unsigned top = 63u - (unsigned)__builtin_clzll(value);
    unsigned shift = top - HISTOGRAM_SUB_BITS;
    return (size_t)((shift + 1) * HISTOGRAM_SUB + ((value >> shift) & (HISTOGRAM_SUB - 1)));
}

/* The highest value that falls into the bucket. */
static uint64_t histogram_top(size_t bucket)
{
    if (bucket < HISTOGRAM_SUB)
        return bucket;
    unsigned shift = (unsigned)(bucket / HISTOGRAM_SUB) - 1;
    return ((HISTOGRAM_SUB + (uint64_t)(bucket % HISTOGRAM_SUB) + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->buckets[histogram_bucket(ns)]++;
    histogram->count++;
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
    for (size_t i = 0; i < COUNT(to->buckets); i++)
        to->buckets[i] += from->buckets[i];
    to->count += from->count;
}

double histogram_us(const struct histogram *histogram, double share)
{
    double want = share * (double)histogram->count;
    uint64_t seen = 0;

    for (size_t i = 0; i < COUNT(histogram->buckets); i++) {
        seen += histogram->buckets[i];
        if (histogram->buckets[i] > 0 && (double)seen >= want)
            return (double)histogram_top(i) / 1000.0;
    }
    return 0;
}

/* ---- the server's process ---- */

double process_cpu_s(uint64_t pid)
{
    char path[64], line[1024];
    unsigned long user = 0, system = 0;

    snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)pid);
    FILE *file = pid > 0 ? fopen(path, "re") : NULL;
    if (file == NULL)
        return 0;
    const char *after_name = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    /* After the name: state, ten numbers, utime (14th field), stime (15th). */
    if (after_name == NULL ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        user = system = 0;
    fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

uint64_t process_memory_kib(uint64_t pid)
{
    char path[64], line[256];
    unsigned long long kib = 0;

    snprintf(path, sizeof path, "/proc/%llu/status", (unsigned long long)pid);
    FILE *file = pid > 0 ? fopen(path, "re") : NULL;
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "RssAnon: %llu kB", &kib) == 1)
            break;
    }
    fclose(file);
    return kib;
}

/* ---- sockets ---- */

bool bench_address_parse(struct slice text, struct bench_address *out)
{
    struct slice kind, host, rest = text;
    char copy[64];
    uint64_t port;

    memset(out, 0, sizeof *out);
    if (!slice_cut(&rest, ':', &kind))
        return false;
    if (slice_equal(kind, SLICE("unix"))) {
        struct sockaddr_un *un = (struct sockaddr_un *)(void *)&out->address;
        if (rest.len == 0 || rest.len >= sizeof un->sun_path)
            return false;
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, rest.ptr, rest.len);
        out->len = sizeof *un;
        return true;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&out->address;
    if (!slice_equal(kind, SLICE("inet")) || !slice_cut(&rest, ':', &host) ||
        !slice_to_u64(rest, &port) || port == 0 || port > UINT16_MAX || host.len >= sizeof copy)
        return false;
    memcpy(copy, host.ptr, host.len);
    copy[host.len] = '\0';
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)port);
    out->len = sizeof *in;
    return inet_pton(AF_INET, copy, &in->sin_addr) == 1;
}

static void without_delay(int fd, const struct bench_address *address)
{
    int on = 1;

    if (address->address.ss_family == AF_INET)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int bench_connect(const struct bench_address *address)
{
    int fd = socket(address->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address->address, address->len) != 0)
        bench_fail("connect");
    without_delay(fd, address);
    return fd;
}

int bench_listen(const struct bench_address *address)
{
    int fd = socket(address->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&address->address, address->len) != 0 ||
        listen(fd, 1024) != 0)
        bench_fail("listen");
    without_delay(fd, address);
    return fd;
}

bool bench_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        len -= (size_t)sent;
    }
    return true;
}

bool bench_receive(int fd, void *bytes, size_t len)
{
    char *at = bytes;

    while (len > 0) {
        ssize_t got = recv(fd, at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        len -= (size_t)got;
    }
    return true;
}

/* ---- threads ---- */

struct body {
    void (*body)(void *arg, size_t thread);
    void *arg;
    size_t thread;
    pthread_t id;
};

static void *run_body(void *arg)
{
    struct body *body = arg;

    body->body(body->arg, body->thread);
    return NULL;
}

void bench_threads(size_t count, void (*body)(void *arg, size_t thread), void *arg)
{
    struct body *bodies = calloc(count, sizeof *bodies);

    if (bodies == NULL)
        bench_fail("threads");
    for (size_t i = 0; i < count; i++) {
        bodies[i] = (struct body){ body, arg, i, 0 };
        if (pthread_create(&bodies[i].id, NULL, run_body, &bodies[i]) != 0)
            bench_fail("pthread_create");
    }
    for (size_t i = 0; i < count; i++)
        pthread_join(bodies[i].id, NULL);
    free(bodies);
}
