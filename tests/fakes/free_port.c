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

static struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static bool is_free(unsigned port)
{
    const struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound =
        fd >= 0 && bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) == 0;

    close(fd);
    return is_bound;
}

/* A socket that is bound there and takes packets from nobody (it is connected to where nobody is): while its server is away
 * who sends is refused. False: somebody asks from this port at this moment. */
static bool is_held(unsigned port)
{
    const struct sockaddr_in address = loopback(port), nobody = loopback(1);
    const int on = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        give_up("socket");
    if (bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) == 0 &&
        connect(fd, (const struct sockaddr *)(const void *)&nobody, sizeof(nobody)) == 0)
        return true; /* it stays open */
    close(fd);
    return false;
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

uint16_t held_port(void)
{
    uint16_t port = free_port();

    while (!is_held(port))
        port = free_port();
    return port;
}
