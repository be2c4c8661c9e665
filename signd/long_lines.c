/* signd/long_lines.c - see long_lines.h. */
#include "signd/long_lines.h"

/* Bytes of the line from `at` to `end` before it must be cut; SIZE_MAX: it fits. The CR of a line end takes no room. */
static size_t before_cut(const struct line_cutter *cutter, struct slice bytes, size_t at,
                         size_t end)
{
    size_t room = cutter->column < cutter->limit ? cutter->limit - cutter->column : 0;

    if (end - at <= room || (bytes.ptr[at + room] == '\r' && at + room + 1 == end))
        return SIZE_MAX;
    return room;
}

size_t line_cutter_next(struct line_cutter *cutter, struct slice bytes, bool *is_cut)
{
    size_t at = 0;

    *is_cut = false;
    while (at < bytes.len && cutter->limit >= 2) {
        const char *lf = memchr(bytes.ptr + at, '\n', bytes.len - at);
        size_t end = lf == NULL ? bytes.len : (size_t)(lf - bytes.ptr);
        size_t cut = before_cut(cutter, bytes, at, end);
        if (cut != SIZE_MAX) {
            *is_cut = true;
            cutter->column = 1; /* the blank */
            return at + cut;
        }
        cutter->column = lf == NULL ? cutter->column + (end - at) : 0;
        at = end + 1;
    }
    return bytes.len;
}
