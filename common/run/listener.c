/* common/run/listener.c - see listener.h. */
#include "common/run/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* as net.core.somaxconn: a unix socket with a full one refuses */

static const char *unix_path(const struct sockaddr_storage *address)
{
    return ((const struct sockaddr_un *)address)->sun_path;
}

static int print_address(const struct sockaddr_storage *address, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];

    if (address->ss_family == AF_UNIX)
        return buf_printf(out, "unix:%s", unix_path(address));
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        return buf_printf(out, "inet:%s:%u", text, ntohs(in->sin_port));
    }
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        return buf_printf(out, "inet:[%s]:%u", text, ntohs(in6->sin6_port));
    }
    return buf_printf(out, "a socket of family %d", address->ss_family);
}

int listener_print(const struct listener *listener, struct buf *out)
{
    return print_address(&listener->address, out);
}

/* One line: the address, what was tried, why it failed. Always -1. */
static int fail(const struct listener *listener, const char *what, int error, struct buf *out)
{
    listener_print(listener, out);
    buf_printf(out, ": %s: %s", what, strerror(error));
    return -1;
}

/* Does somebody serve this socket file? */
static bool is_served(const struct listener *listener)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return true; /* when in doubt it stays */
    int rc = connect(fd, (const struct sockaddr *)&listener->address, listener->address_len);
    bool is_dead = rc < 0 && errno == ECONNREFUSED;
    close(fd);
    return !is_dead;
}

static int remove_stale(const struct listener *listener, struct buf *error)
{
    const char *path = unix_path(&listener->address);
    struct stat info;

    if (lstat(path, &info) < 0)
        return errno == ENOENT ? 0 : fail(listener, "stat", errno, error);
    if (!S_ISSOCK(info.st_mode))
        return fail(listener, "there is a file of that name", EEXIST, error);
    if (is_served(listener))
        return fail(listener, "another process serves it", EADDRINUSE, error);
    if (unlink(path) < 0 && errno != ENOENT)
        return fail(listener, "removing the old socket", errno, error);
    return 0;
}

/* Nobody may connect before owner and mode are right: the file is made with mode 0. */
static int bind_unix(struct listener *listener, const struct listener_options *options,
                     struct buf *error)
{
    const char *path = unix_path(&listener->address);
    struct stat info;

    if (remove_stale(listener, error))
        return -1;
    mode_t before = umask(0777);
    int rc = bind(listener->fd, (const struct sockaddr *)&listener->address, listener->address_len);
    int bind_error = errno;
    umask(before);
    if (rc < 0)
        return fail(listener, "bind", bind_error, error);
    if (options->group != LISTENER_NO_GROUP && chown(path, (uid_t)-1, options->group) < 0)
        return fail(listener, "setting its group", errno, error);
    if (chmod(path, options->mode) < 0)
        return fail(listener, "setting its mode", errno, error);
    if (lstat(path, &info) < 0)
        return fail(listener, "stat", errno, error);
    listener->device = info.st_dev;
    listener->inode = info.st_ino;
    listener->changed = info.st_ctim;
    return 0;
}

static int bind_inet(struct listener *listener, struct buf *error)
{
    static const int on = 1;
    bool is_v6 = listener->address.ss_family == AF_INET6;

    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (is_v6) /* an IPv4 listener of the same port is another one */
        setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    setsockopt(listener->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted ones inherit */
    if (bind(listener->fd, (const struct sockaddr *)&listener->address, listener->address_len) < 0)
        return fail(listener, "bind", errno, error);
    return 0;
}

static int open_socket(struct listener *listener, const struct listener_options *options,
                       struct buf *error)
{
    int family = listener->address.ss_family;
    int backlog = options->backlog > 0 ? options->backlog : BACKLOG;

    listener->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0)
        return fail(listener, "socket", errno, error);
    if (family == AF_UNIX ? bind_unix(listener, options, error) : bind_inet(listener, error))
        return -1;
    if (listen(listener->fd, backlog) < 0)
        return fail(listener, "listen", errno, error);
    if (family != AF_UNIX) { /* port 0 has become a real one */
        listener->address_len = sizeof listener->address;
        getsockname(listener->fd, (struct sockaddr *)&listener->address, &listener->address_len);
    }
    return 0;
}

int listener_open(const struct sockaddr *address, socklen_t len,
                  const struct listener_options *options, struct listener *out, struct buf *error)
{
    struct listener listener = { .fd = -1 };

    if (len > sizeof listener.address)
        return -1;
    memcpy(&listener.address, address, len);
    listener.address_len = len;
    if (open_socket(&listener, options, error)) {
        listener_close(&listener);
        return -1;
    }
    *out = listener;
    return 0;
}

int listener_adopt(int fd, struct listener *out)
{
    struct listener listener = { .fd = fd, .is_inherited = true };
    int is_listening = 0;
    socklen_t len = sizeof is_listening;
    int flags = fcntl(fd, F_GETFL);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) < 0 || !is_listening)
        return -1;
    listener.address_len = sizeof listener.address;
    if (getsockname(fd, (struct sockaddr *)&listener.address, &listener.address_len) < 0 ||
        flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    *out = listener;
    return 0;
}

bool listener_is_at(const struct listener *listener, const struct sockaddr *address, socklen_t len)
{
    struct sockaddr_storage other = { 0 };
    AUTO_BUF ours = BUF_INIT(256);
    AUTO_BUF theirs = BUF_INIT(256);

    if (len > sizeof other)
        return false;
    memcpy(&other, address, len); /* zeroed behind it: a path ends */
    return listener_print(listener, &ours) == 0 && print_address(&other, &theirs) == 0 &&
           slice_equal(buf_slice(&ours), buf_slice(&theirs));
}

void listener_close(struct listener *listener)
{
    struct stat info;

    if (listener->fd < 0)
        return;
    close(listener->fd);
    listener->fd = -1;
    if (listener->is_inherited || listener->inode == 0)
        return;
    const char *path = unix_path(&listener->address);
    if (lstat(path, &info) == 0 && info.st_dev == listener->device &&
        info.st_ino == listener->inode && info.st_ctim.tv_sec == listener->changed.tv_sec &&
        info.st_ctim.tv_nsec == listener->changed.tv_nsec) /* inodes are used again */
        unlink(path);
}
