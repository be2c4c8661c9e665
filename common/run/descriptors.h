/* common/run/descriptors.h - who may use the process's file descriptors. Connections that others open, and keep open for as long
 * as they like, may take three quarters of them. The rest is a reserve for what is done for messages and requests, scanners,
 * files, DNS and Redis, and for HTTP: idle connections, however many, do not keep us from working. Any thread. */
#ifndef GATEHOUSE_RUN_DESCRIPTORS_H
#define GATEHOUSE_RUN_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

size_t descriptors_limit(void); /* RLIMIT_NOFILE, as it is now */
size_t descriptors_for_connections(void); /* so many of them at most */
/* Whether one more connection, which was given this number, leaves the reserve. (The kernel gives the lowest number that is
 * free: all below it are in use.) */
bool descriptors_leave_reserve(int fd);
/* What work may use beside `max_connections` connections; some are left for HTTP, the store and the like. At least 1. */
size_t descriptors_for_work(size_t max_connections);

#endif
