/* common/config/conf_read.c - the one place where a configuration file is read from disk. */
#include <errno.h>

#include "common/base/fd.h"
#include "common/config/conf.h"

struct slice conf_read(const char *path, struct arena *arena, struct conf_errors *errors)
{
    AUTO_BUF bytes = BUF_INIT(CONF_FILE_MAX);
    struct conf_pos whole = { .file = slice_of(path) };
    struct slice text = { NULL, 0 };

    if (fd_read_file(path, &bytes) != 0) {
        conf_error(errors, whole, "cannot be read: %s", strerror(errno));
        return text;
    }
    text = arena_copy(arena, bytes.len == 0 ? SLICE("") : buf_slice(&bytes));
    if (text.ptr == NULL)
        conf_error(errors, whole, "memory is out");
    return text;
}
