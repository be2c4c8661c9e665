/* common/run/systemd.c - see systemd.h. */
#include "common/run/systemd.h"

#include <stdarg.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum { NOTIFY_MAX = 512 };

size_t systemd_sockets(struct systemd_socket out[SYSTEMD_SOCKETS_MAX])
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);
    size_t kept = 0;

    for (int i = 0; i < count; i++) {
        int fd = SD_LISTEN_FDS_START + i;
        if (kept == SYSTEMD_SOCKETS_MAX) {
            close(fd);
            continue;
        }
        out[kept].fd = fd;
        snprintf(out[kept].name, sizeof out[kept].name, "%s", names == NULL ? "" : names[i]);
        kept++;
    }
    for (int i = 0; names != NULL && names[i] != NULL; i++)
        free(names[i]);
    free(names);
    return kept;
}

void systemd_notify(const char *format, ...)
{
    char text[NOTIFY_MAX];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len > 0)
        sd_notify(0, text);
}

void systemd_notify_reloading(uint64_t monotonic_ms)
{
    systemd_notify("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)monotonic_ms * 1000);
}

uint64_t systemd_watchdog_ms(void)
{
    uint64_t us = 0;

    return sd_watchdog_enabled(0, &us) > 0 ? us / 1000 : 0;
}
