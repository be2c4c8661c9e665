/* common/quarantine/smtp.c - see smtp.h. */
#include "common/quarantine/smtp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

static int fail(struct smtp *smtp, const char *what, const char *why)
{
    snprintf(smtp->error, sizeof smtp->error, "%s: %s", what, why);
    return -1;
}

/* Until the socket can be read or written. */
static int wait_for(struct smtp *smtp, short events, const char *what)
{
    struct pollfd fds[2] = { { .fd = smtp->fd, .events = events },
                             { .fd = smtp->cancel_fd, .events = POLLIN } };

    for (;;) {
        uint64_t now = clock_system.now_ms(&clock_system);
        uint64_t left = now < smtp->deadline_ms ? smtp->deadline_ms - now : 0;
        int ready = poll(fds, COUNT(fds), left > INT32_MAX ? INT32_MAX : (int)left);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0)
            return fail(smtp, what, strerror(errno));
        if (ready == 0)
            return fail(smtp, what, "no answer in time");
        if (fds[1].revents != 0 && !smtp->is_committed)
            return fail(smtp, what, "broken off");
        if (fds[0].revents != 0)
            return 0;
        fds[1].fd = smtp->cancel_fd = -1;
        if (smtp->deadline_ms > now + SMTP_LAST_WORD_MS)
            smtp->deadline_ms = now + SMTP_LAST_WORD_MS;
    }
}

int smtp_connect(struct smtp *smtp, const struct sockaddr *address, socklen_t len,
                 uint64_t timeout_ms, int cancel_fd)
{
    int on = 1, error = 0;
    socklen_t size = sizeof error;

    *smtp = (struct smtp){ .fd = socket(address->sa_family,
                                        SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                           .cancel_fd = cancel_fd,
                           .deadline_ms = clock_system.now_ms(&clock_system) + timeout_ms,
                           .in = BUF_INIT(SMTP_REPLY_MAX + SMTP_LINE_MAX) };
    if (smtp->fd < 0)
        return fail(smtp, "connect", strerror(errno));
    if (address->sa_family != AF_UNIX)
        setsockopt(smtp->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(smtp->fd, address, len) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return fail(smtp, "connect", strerror(errno));
    if (wait_for(smtp, POLLOUT, "connect") != 0)
        return -1;
    if (getsockopt(smtp->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    return error == 0 ? 0 : fail(smtp, "connect", strerror(error));
}

int smtp_write(struct smtp *smtp, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t done = send(smtp->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            return fail(smtp, "write", strerror(errno));
        if (done < 0) {
            if (wait_for(smtp, POLLOUT, "write") != 0)
                return -1;
            continue;
        }
        bytes = slice_skip(bytes, (size_t)done);
    }
    return 0;
}

static int read_more(struct smtp *smtp)
{
    if (wait_for(smtp, POLLIN, "read") != 0)
        return -1;
    if (buf_reserve(&smtp->in, 4096) != 0)
        return fail(smtp, "read", "the answer is too long");
    ssize_t got = recv(smtp->fd, smtp->in.data + smtp->in.len, 4096, 0);
    if (got == 0)
        return fail(smtp, "read", "the server has closed the connection");
    if (got < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : fail(smtp, "read", strerror(errno));
    smtp->in.len += (size_t)got;
    return 0;
}

int smtp_read_reply(struct smtp *smtp, struct smtp_reply *out)
{
    buf_consume(&smtp->in, smtp->used);
    smtp->used = 0;
    for (;;) {
        switch (smtp_reply_parse(buf_slice(&smtp->in), out, &smtp->used)) {
        case SMTP_DONE:
            return 0;
        case SMTP_BAD:
            return fail(smtp, "read", "what answers is no SMTP server");
        case SMTP_MORE:
            break;
        }
        if (read_more(smtp) != 0)
            return -1;
    }
}

void smtp_commit(struct smtp *smtp)
{
    smtp->is_committed = true;
}

void smtp_close(struct smtp *smtp)
{
    if (smtp->fd >= 0)
        close(smtp->fd);
    smtp->fd = -1;
    buf_free(&smtp->in);
}
