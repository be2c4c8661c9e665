/* common/base/buf.c - see buf.h. */
#include "common/base/buf.h"

#include <assert.h>
#include <stdarg.h>

enum { BUF_LEAST = 64, DIGITS_MAX = 20 };

int buf_grow(struct buf *buf, size_t more)
{
    if (buf->len > buf->max || more > buf->max - buf->len)
        return -1;
    size_t need = buf->len + more;
    size_t cap = buf->cap < BUF_LEAST ? BUF_LEAST : buf->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > buf->max)
        cap = buf->max;
    char *data = realloc(buf->data, cap + 1); /* one more, so that buf_text always fits */
    if (data == NULL)
        return -1;
    buf->data = data;
    buf->cap = cap;
    return 0;
}

int buf_put(struct buf *buf, const char *text)
{
    return buf_add(buf, slice_of(text));
}

int buf_put_char(struct buf *buf, char c)
{
    return buf_add(buf, (struct slice){ &c, 1 });
}

int buf_put_number(struct buf *buf, uint64_t number, size_t digits)
{
    char text[DIGITS_MAX];
    size_t at = sizeof text;

    assert(digits > 0 && digits <= sizeof text);
    for (; number > 0 || sizeof text - at < digits; number /= 10)
        text[--at] = (char)('0' + number % 10);
    return buf_add(buf, (struct slice){ text + at, sizeof text - at });
}

int buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    int rc = -1;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len >= 0 && buf_reserve(buf, (size_t)len) == 0) {
        if (len > 0)
            vsnprintf(buf->data + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
        rc = 0;
    }
    va_end(again);
    va_end(args);
    return rc;
}

void buf_consume(struct buf *buf, size_t bytes)
{
    if (bytes >= buf->len) {
        buf->len = 0;
        return;
    }
    memmove(buf->data, buf->data + bytes, buf->len - bytes);
    buf->len -= bytes;
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->len = buf->cap = 0;
}

struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){ buf->data == NULL ? "" : buf->data, buf->len };
}

const char *buf_text(struct buf *buf)
{
    if (buf->data == NULL)
        return "";
    buf->data[buf->len] = '\0'; /* buf_reserve always leaves room for it */
    return buf->data;
}
