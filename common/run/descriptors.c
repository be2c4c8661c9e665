/* common/run/descriptors.c - see descriptors.h. */
#include "common/run/descriptors.h"

#include <stdint.h>
#include <sys/resource.h>

enum {
    RESERVE_PART = 4, /* a quarter of all is for work */
    OTHERS_PART = 16, /* of that a quarter, for what does not belong to one message */
};

size_t descriptors_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur > INT32_MAX)
        return INT32_MAX;
    return (size_t)files.rlim_cur;
}

size_t descriptors_for_connections(void)
{
    size_t limit = descriptors_limit();

    return limit - limit / RESERVE_PART;
}

bool descriptors_leave_reserve(int fd)
{
    return fd >= 0 && (size_t)fd < descriptors_for_connections();
}

size_t descriptors_for_work(size_t max_connections)
{
    size_t limit = descriptors_limit(), connections = limit - limit / RESERVE_PART;

    if (max_connections < connections)
        connections = max_connections;
    size_t left = limit - connections - limit / OTHERS_PART;
    return left > 0 ? left : 1;
}
