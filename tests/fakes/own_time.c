/* tests/fakes/own_time.c - see own_time.h. */
#include "tests/fakes/own_time.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/fakes/redis_server.h"

uint64_t real_ms(void)
{
    return clock_system.now_ms(&clock_system);
}

/* In which a processor of this machine was another machine's. */
static uint64_t stolen_ms(void)
{
    unsigned long long stolen = 0;
    FILE *file = fopen("/proc/stat", "re");

    if (file != NULL) {
        if (fscanf(file, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &stolen) != 1)
            stolen = 0;
        fclose(file);
    }
    return stolen * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t own_ms(void)
{
    unsigned long long on_cpu, waited_ns = 0;
    uint64_t now = real_ms();
    FILE *file = fopen("/proc/thread-self/schedstat", "re");

    if (file != NULL) {
        if (fscanf(file, "%llu %llu", &on_cpu, &waited_ns) != 2)
            waited_ns = 0;
        fclose(file);
    }
    return now - waited_ns / 1000000 - redis_servers_waited_ms() - stolen_ms();
}

uint64_t own_ms_since(uint64_t begin)
{
    uint64_t now = own_ms();

    return (int64_t)(now - begin) > 0 ? now - begin
                                      : 0; /* what it is made of is not read in the same moment */
}
