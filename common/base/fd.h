/* common/base/fd.h - all the bytes of a descriptor that blocks, whatever signals and short reads there are.
 * 0, or -1 with errno. Any thread. */
#ifndef GATEHOUSE_BASE_FD_H
#define GATEHOUSE_BASE_FD_H

#include <sys/types.h>

#include "common/base/buf.h"

/* As many bytes as there are, at most `room`: fewer mean that the end has been reached. -1 with errno. */
ssize_t fd_read(int fd, char *space, size_t room);
/* The same up to the end, added to `out`. EFBIG: there is more than out->max; what fits is there then. */
int fd_read_all(int fd, struct buf *out);
/* The same of what has just been opened, which is closed; -1 when that has failed. errno says why. */
int fd_read_close(int fd, struct buf *out);
/* The same of a file by its name. */
int fd_read_file(const char *path, struct buf *out);
int fd_write_all(int fd, struct slice bytes);

#endif
