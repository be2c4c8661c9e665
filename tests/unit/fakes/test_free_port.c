/* tests/unit/fakes/test_free_port.c - ports of tests that run side by side, in C or not: none is given twice, and none of
 * those that are held is taken by who takes any. */
#include "tests/fakes/free_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { PORTS = 50 };

/* As tests/integration/servers/process.py claims a port. Returns the socket, which holds it until it is closed; -1: somebody else has it. */
static int claim(unsigned port)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "gatehouse-test-port-%u", port);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (bind(fd, (struct sockaddr *)&name,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0)
        return fd;
    assert_int_equal(EADDRINUSE, errno);
    close(fd);
    return -1;
}

static void a_port_is_given_once(UNUSED void **state)
{
    uint16_t ports[PORTS];

    for (size_t i = 0; i < PORTS; i++) {
        ports[i] = free_port();
        for (size_t n = 0; n < i; n++)
            assert_int_not_equal(ports[n], ports[i]);
        assert_int_equal(-1, claim(ports[i]));
    }
}

static void what_others_have_claimed_is_left_to_them(UNUSED void **state)
{
    unsigned next = free_port() + 1u;
    int theirs[PORTS];

    for (unsigned i = 0; i < PORTS; i++) /* those that would be tried first */
        theirs[i] = claim(next + i);
    uint16_t port = free_port();
    assert_false(port >= next && port < next + PORTS);
    for (unsigned i = 0; i < PORTS; i++)
        if (theirs[i] >= 0)
            close(theirs[i]);
}

/* ---- UDP ---- */

/* Returns a socket of that port; -1: it cannot be had (that way). */
static int udp_socket(uint16_t port, int is_reused)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons(port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &is_reused, sizeof is_reused));
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    assert_int_equal(EADDRINUSE, errno);
    close(fd);
    return -1;
}

/* Sends a packet there. Returns 0, or the errno of what came back. */
static int knock(uint16_t port)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons(port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;
    socklen_t len = sizeof error;

    assert_int_equal(0, connect(fd, (const struct sockaddr *)&address, sizeof address));
    assert_int_equal(1, send(fd, "?", 1, 0)); /* over loopback it has come when this returns */
    assert_int_equal(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
    close(fd);
    return error;
}

static void a_held_port_is_its_servers_whenever_they_come(UNUSED void **state)
{
    uint16_t port = held_port();
    char byte;

    assert_int_equal(-1, claim(port));
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(-1, udp_socket(port, 0));
        assert_int_equal(ECONNREFUSED, knock(port));
        int server = udp_socket(port, 1);
        assert_true(server >= 0);
        assert_int_equal(0, knock(port));
        assert_int_equal(1, recv(server, &byte, 1, MSG_DONTWAIT));
        assert_int_equal(-1, udp_socket(port, 0));
        close(server);
    }
}

static void a_port_that_somebody_asks_from_is_not_held(UNUSED void **state)
{
    uint16_t next = (uint16_t)(held_port() + 1);
    int theirs = udp_socket(next, 0); /* -1: somebody has it anyway */

    assert_int_not_equal(next, held_port());
    close(theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_port_is_its_servers_whenever_they_come),
        cmocka_unit_test(a_port_that_somebody_asks_from_is_not_held),
        cmocka_unit_test(a_port_is_given_once),
        cmocka_unit_test(what_others_have_claimed_is_left_to_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
