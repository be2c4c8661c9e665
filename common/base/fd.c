/* common/base/fd.c - see fd.h. */
#include "common/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PIECE = 16384 };

ssize_t fd_read(int fd, char *space, size_t room)
{
    size_t len = 0;

    while (len < room) {
        ssize_t got = read(fd, space + len, room - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

/* `out` is full: is that all? */
static int expect_end(int fd)
{
    char more;
    ssize_t got = fd_read(fd, &more, 1);

    if (got > 0)
        errno = EFBIG;
    return got == 0 ? 0 : -1;
}

int fd_read_all(int fd, struct buf *out)
{
    while (out->len < out->max) {
        size_t room = out->max - out->len < PIECE ? out->max - out->len : PIECE;
        if (buf_reserve(out, room) != 0) {
            errno = ENOMEM;
            return -1;
        }
        ssize_t got = fd_read(fd, out->data + out->len, room);
        if (got < 0)
            return -1;
        out->len += (size_t)got;
        if ((size_t)got < room)
            return 0;
    }
    return expect_end(fd);
}

int fd_read_close(int fd, struct buf *out)
{
    if (fd < 0)
        return -1;
    int rc = fd_read_all(fd, out), why = errno;
    close(fd);
    errno = why;
    return rc;
}

int fd_read_file(const char *path, struct buf *out)
{
    return fd_read_close(open(path, O_RDONLY | O_CLOEXEC), out);
}

int fd_write_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t done = write(fd, bytes.ptr, bytes.len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        bytes = slice_skip(bytes, (size_t)done);
    }
    return 0;
}
