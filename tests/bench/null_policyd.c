/* tests/bench/null_policyd.c - the fastest policy server one can write with one thread and epoll: it waits for the
 * empty line that ends a request and answers DUNNO, without looking at the attributes. What policyd is measured against.
 *
 *     null_policyd PORT      serves 127.0.0.1:PORT until it is killed */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/slice.h"

#define MAX_CONNECTIONS 20000
#define MAX_EVENTS 256
#define REQUEST_MAX 8192

static const char reply[] = "action=DUNNO\n\n";
/* The last byte of what came before, by descriptor: a request may end between two reads. */
static char last_byte[MAX_CONNECTIONS];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
        fail("socket");
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) || listen(fd, 1024))
        fail("bind, listen");
    return fd;
}

static void accept_all(int listener, int poll_fd)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
        if (fd >= MAX_CONNECTIONS || epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event)) {
            close(fd);
            continue;
        }
        last_byte[fd] = '\0';
    }
}

/* Answers each request that ends in what has just come. */
static void serve(int fd)
{
    char bytes[REQUEST_MAX];
    ssize_t got = read(fd, bytes, sizeof bytes);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        close(fd);
        return;
    }
    for (ssize_t i = 0; i < got; i++) {
        bool ends = bytes[i] == '\n' && last_byte[fd] == '\n';
        last_byte[fd] = ends ? '\0' : bytes[i];
        if (ends && write(fd, reply, sizeof reply - 1) != (ssize_t)sizeof reply - 1) {
            close(fd);
            return;
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t port;
    struct epoll_event events[MAX_EVENTS];

    if (argc != 2 || !slice_to_u64(slice_of(argv[1]), &port) || port == 0 || port > UINT16_MAX) {
        fputs("usage: null_policyd PORT\n", stderr);
        return 64;
    }
    int listener = listen_on((uint16_t)port);
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };
    if (poll_fd < 0 || epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &event))
        fail("epoll");
    for (;;) {
        int count = epoll_wait(poll_fd, events, MAX_EVENTS, -1);
        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(listener, poll_fd);
            else
                serve(events[i].data.fd);
        }
    }
}
