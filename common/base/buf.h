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
/* Over an array of the caller's, without allocation: for a text that ends with the function. Never freed. */
#define BUF_OVER(array)                                                                            \
    {                                                                                              \
        (array), 0, sizeof(array) - 1, sizeof(array) - 1                                           \
    }
#define AUTO_BUF __attribute__((cleanup(buf_free))) struct buf

int buf_grow(struct buf *buf, size_t more); /* for buf_reserve() alone */
static inline int buf_reserve(struct buf *buf, size_t more) /* room for `more` bytes after `len` */
{
    return more <= buf->cap - buf->len ? 0 : buf_grow(buf, more); /* `cap` is never over `max` */
}

static inline int buf_add(struct buf *buf, struct slice bytes)
{
    if (buf_reserve(buf, bytes.len))
        return -1;
    if (bytes.len > 0)
        memcpy(buf->data + buf->len, bytes.ptr, bytes.len);
    buf->len += bytes.len;
    return 0;
}

int buf_put(struct buf *buf, const char *text);
int buf_put_char(struct buf *buf, char c);
/* At least so many (1 to 20). */
int buf_put_number(struct buf *buf, uint64_t number, size_t digits);
int buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_consume(struct buf *buf, size_t bytes); /* drops the first `bytes` (at most `len`) */
void buf_clear(struct buf *buf); /* keeps the memory */
void buf_free(struct buf *buf); /* and the buffer is empty, usable again */
struct slice buf_slice(const struct buf *buf); /* valid until the next change */
/* Terminated; "" when memory is out; valid until the next change. */
const char *buf_text(struct buf *buf);

#endif
