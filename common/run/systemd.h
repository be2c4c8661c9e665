/* common/run/systemd.h - the service manager: sockets it made for us, what it wants to know. Without systemd everything
 * here does nothing. systemd.c alone includes libsystemd's sd-daemon.h. */
#ifndef GATEHOUSE_RUN_SYSTEMD_H
#define GATEHOUSE_RUN_SYSTEMD_H

#include "common/base/slice.h"

enum { SYSTEMD_SOCKETS_MAX = 64, SYSTEMD_NAME_MAX = 63 };

struct systemd_socket {
    int fd; /* close-on-exec; the caller's from here on */
    char name[SYSTEMD_NAME_MAX + 1]; /* FileDescriptorName=, or the socket unit's name */
};

/* Sockets handed over, at most SYSTEMD_SOCKETS_MAX; more are closed. Once per process: a second call gives none. */
size_t systemd_sockets(struct systemd_socket out[SYSTEMD_SOCKETS_MAX]);

/* Lines as sd_notify(3) knows them: "READY=1". */
void systemd_notify(const char *format, ...) PRINTF_LIKE(1, 2);
void systemd_notify_reloading(uint64_t monotonic_ms);

uint64_t systemd_watchdog_ms(void); /* how often WATCHDOG=1 is due at the latest; 0: not wanted */

#endif
