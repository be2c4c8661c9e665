/* common/quarantine/files.c - see files.h. */
#include "common/quarantine/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/observe/log.h"

/* 0, or -1 with errno: EIO when the source does not give what it has promised. */
static int copy_source(int fd, const struct source *source)
{
    char *space = malloc(SOURCE_CHUNK);
    uint64_t offset = 0;
    int rc = space == NULL ? -1 : 0;

    while (rc == 0 && offset < source->size) {
        struct slice part = { NULL, 0 };
        if (source->read(source, offset, SOURCE_CHUNK, space, &part) != 0 || part.len == 0) {
            errno = EIO;
            rc = -1;
        } else {
            rc = fd_write_all(fd, part);
        }
        offset += part.len;
    }
    int why = errno;
    free(space);
    errno = why;
    return rc;
}

/* The end of a file just written; `rc`: has that gone well? */
static int finish(int directory, const char *name, int fd, int rc, struct buf *error)
{
    if (rc == 0)
        rc = fsync(fd);
    int why = errno;
    if (close(fd) != 0 && rc == 0) {
        why = errno;
        rc = -1;
    }
    if (rc == 0)
        return 0;
    unlinkat(directory, name, 0);
    buf_printf(error, "%s: %s", name, strerror(why));
    return -1;
}

void file_give(int directory, int fd)
{
    struct stat about;

    if (geteuid() != 0 || fstat(directory, &about) != 0 || about.st_uid == 0)
        return;
    if (fchown(fd, about.st_uid, about.st_gid) != 0)
        log_warning("a file of the quarantine stays root's: %s", strerror(errno));
}

static int create(int directory, const char *name, struct buf *error)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        buf_printf(error, "%s: %s", name, strerror(errno));
    else
        file_give(directory, fd);
    return fd;
}

int file_write_source(int directory, const char *name, const struct source *source,
                      struct buf *error)
{
    int fd = create(directory, name, error);

    return fd < 0 ? -1 : finish(directory, name, fd, copy_source(fd, source), error);
}

int file_write_bytes(int directory, const char *name, struct slice bytes, struct buf *error)
{
    int fd = create(directory, name, error);

    return fd < 0 ? -1 : finish(directory, name, fd, fd_write_all(fd, bytes), error);
}

int file_overwrite(int directory, const char *name, struct slice bytes, struct buf *error)
{
    int fd = openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    int rc;

    if (fd < 0) {
        buf_printf(error, "%s: %s", name, strerror(errno));
        return -1;
    }
    rc = fd_write_all(fd, bytes);
    if (rc == 0)
        rc = ftruncate(fd, (off_t)bytes.len);
    return finish(directory, name, fd, rc, error);
}

int file_reserve(int directory, const char *name, uint64_t bytes, struct buf *error)
{
    int fd = create(directory, name, error);

    if (fd < 0)
        return -1;
    errno = posix_fallocate(fd, 0, (off_t)bytes);
    return finish(directory, name, fd, errno == 0 ? 0 : -1, error);
}

int file_read(int directory, const char *name, struct buf *out)
{
    return fd_read_close(openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out);
}

int64_t file_size(int directory, const char *name)
{
    struct stat about;

    if (fstatat(directory, name, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    if (S_ISREG(about.st_mode))
        return about.st_size;
    errno = ENOENT;
    return -1;
}
