/* tests/unit/fakes/test_free_port.c - ports of tests that run side by side, in C or not: none is given twice. */
#include "tests/fakes/free_port.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_is_given_once),
        cmocka_unit_test(what_others_have_claimed_is_left_to_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
