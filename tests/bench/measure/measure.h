/* tests/bench/measure/measure.h - what load generators have in common: latencies, a server's CPU time and memory, addresses,
 * bytes over a socket. Failures end the program. */
#ifndef GATEHOUSE_BENCH_MEASURE_H
#define GATEHOUSE_BENCH_MEASURE_H

#include <stdint.h>
#include <sys/socket.h>

#include "common/base/slice.h"

_Noreturn void bench_fail(const char *what); /* with errno's text */
uint64_t bench_now_ns(void);
uint64_t bench_number(const char *text); /* of an option: 1 to 100000000 */

/* Latencies in buckets of 1/1024 of a power of two nanoseconds: at most 0.1 % too high, never too low. */
enum { HISTOGRAM_SUB_BITS = 10, HISTOGRAM_SUB = 1 << HISTOGRAM_SUB_BITS };
struct histogram {
    uint64_t buckets[64 * HISTOGRAM_SUB];
    uint64_t count;
};
void histogram_add(struct histogram *histogram, uint64_t ns);
void histogram_merge(struct histogram *to, const struct histogram *from);
double histogram_us(const struct histogram *histogram, double share); /* 0.99: p99 */

double process_cpu_s(uint64_t pid); /* user and system so far; 0 without a process */
uint64_t process_memory_kib(uint64_t pid); /* RssAnon */

struct bench_address {
    struct sockaddr_storage address;
    socklen_t len;
};
bool bench_address_parse(struct slice text, struct bench_address *out); /* inet:A:P, unix:PATH */
int bench_connect(const struct bench_address *address); /* blocking, TCP_NODELAY */
int bench_listen(const struct bench_address *address);
/* All of it, blocking. False: the other side is gone. */
bool bench_send(int fd, const void *bytes, size_t len);
bool bench_receive(int fd, void *bytes, size_t len);

/* Runs `body(arg, thread)` on so many threads and waits for all. */
void bench_threads(size_t count, void (*body)(void *arg, size_t thread), void *arg);

#endif
