/* tests/fakes/free_port.c - see free_port.h. */
#include "tests/fakes/free_port.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Below what Linux gives to outgoing connections, so that a server can come back where it was. Integration tests have ports
 * here too, and claim them by the same names (tests/integration/servers/process.py). */
enum { FIRST_PORT = 26624, PORTS = 6144 };

static void give_up(const char *what)
{
    fprintf(stderr, "free_port: %s\n", what);
    abort();
}

/* A name in the kernel that goes with this process says that the port is ours. (Sockets of another type have names of their
 * own: all who claim have this type.) */
static bool is_claimed(unsigned port)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int length =
        snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "gatehouse-test-port-%u", port);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        give_up("socket");
    if (bind(fd, (const struct sockaddr *)(const void *)&name,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) == 0)
        return true; /* it stays open */
    close(fd);
    return false;
}

static bool is_free(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound =
        fd >= 0 && bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) == 0;

    close(fd);
    return is_bound;
}

uint16_t free_port(void)
{
    unsigned start = (unsigned)getpid() * 16; /* programs that run side by side seldom meet */

    for (unsigned i = 0; i < PORTS; i++) {
        unsigned port = FIRST_PORT + (start + i) % PORTS;
        if (is_claimed(port) && is_free(port))
            return (uint16_t)port;
    }
    give_up("no port is free");
    return 0;
}
