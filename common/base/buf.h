/* common/base/buf.h - a growable buffer with a stated ceiling: input never decides how much memory we take.
 * Functions return 0, or -1 when the ceiling or memory is reached; what was in the buffer then stays as it was. */
#ifndef GATEHOUSE_BASE_BUF_H
#define GATEHOUSE_BASE_BUF_H

#include "common/base/slice.h"

struct buf {
    char *data; /* owned; NULL until something is added; not terminated (see buf_text) */
    size_t len, cap;
    size_t max; /* bytes; never more than this in `len` */
};

#define BUF_INIT(ceiling)                                                                          \
    {                                                                                              \
        NULL, 0, 0, (ceiling)                                                                      \
    }
#define AUTO_BUF __attribute__((cleanup(buf_free))) struct buf

int buf_add(struct buf *buf, struct slice bytes);
int buf_put(struct buf *buf, const char *text);
int buf_put_char(struct buf *buf, char c);
int buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
int buf_reserve(struct buf *buf, size_t more); /* room for `more` bytes after `len` */
void buf_consume(struct buf *buf, size_t bytes); /* drops the first `bytes` (at most `len`) */
void buf_clear(struct buf *buf); /* keeps the memory */
void buf_free(struct buf *buf); /* and the buffer is empty, usable again */
struct slice buf_slice(const struct buf *buf); /* valid until the next change */
/* Terminated; "" when memory is out; valid until the next change. */
const char *buf_text(struct buf *buf);

#endif
