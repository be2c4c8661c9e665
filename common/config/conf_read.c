/* common/config/conf_read.c - the one place where a configuration file is read from disk. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/config/conf.h"

/* 0, or the error's number. */
static int read_all(int fd, struct buf *out)
{
    enum { PIECE = 65536 };

    for (;;) {
        if (buf_reserve(out, PIECE))
            return EFBIG;
        ssize_t got = read(fd, out->data + out->len, PIECE);
        if (got == 0)
            return out->len > CONF_FILE_MAX ? EFBIG : 0;
        if (got < 0 && errno != EINTR)
            return errno;
        if (got > 0)
            out->len += (size_t)got;
    }
}

struct slice conf_read(const char *path, struct arena *arena, struct conf_errors *errors)
{
    AUTO_BUF bytes = BUF_INIT(CONF_FILE_MAX + 65536);
    struct conf_pos whole = { .file = slice_of(path) };
    struct slice text = { NULL, 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC), problem = fd < 0 ? errno : 0;

    if (fd >= 0) {
        problem = read_all(fd, &bytes);
        close(fd);
    }
    if (problem != 0) {
        conf_error(errors, whole, "cannot be read: %s", strerror(problem));
        return text;
    }
    text = arena_copy(arena, bytes.len == 0 ? SLICE("") : buf_slice(&bytes));
    if (text.ptr == NULL)
        conf_error(errors, whole, "memory is out");
    return text;
}
