/* common/base/slice.c - see slice.h. */
#include "common/base/slice.h"

struct slice slice_of(const char *text)
{
    return (struct slice){ text, text == NULL ? 0 : strlen(text) };
}

struct slice slice_part(struct slice text, size_t from, size_t len)
{
    if (text.ptr == NULL)
        return text;
    if (from > text.len)
        from = text.len;
    if (len > text.len - from)
        len = text.len - from;
    return (struct slice){ text.ptr + from, len };
}

struct slice slice_skip(struct slice text, size_t bytes)
{
    return slice_part(text, bytes, SIZE_MAX);
}

bool slice_cut(struct slice *rest, char c, struct slice *head)
{
    size_t at = slice_find(*rest, c);

    if (at == SIZE_MAX)
        return false;
    *head = slice_part(*rest, 0, at);
    *rest = slice_skip(*rest, at + 1);
    return true;
}

bool slice_starts_with(struct slice text, struct slice prefix)
{
    return text.len >= prefix.len && slice_equal(slice_part(text, 0, prefix.len), prefix);
}

bool slice_ends_with(struct slice text, struct slice suffix)
{
    return text.len >= suffix.len && slice_equal(slice_skip(text, text.len - suffix.len), suffix);
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    return true;
}

int slice_compare(struct slice a, struct slice b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared == 0 ? 0 : memcmp(a.ptr, b.ptr, shared);

    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

size_t slice_rfind(struct slice text, char c)
{
    const char *at = text.len == 0 ? NULL : memrchr(text.ptr, c, text.len);

    return at == NULL ? SIZE_MAX : (size_t)(at - text.ptr);
}

bool slice_next(struct slice *rest, char c, struct slice *item)
{
    if (rest->ptr == NULL)
        return false;
    if (!slice_cut(rest, c, item)) {
        *item = *rest;
        *rest = (struct slice){ NULL, 0 };
    }
    *item = slice_trim(*item);
    return true;
}

struct slice slice_trim(struct slice text)
{
    while (text.len > 0 && ascii_is_space(text.ptr[0]))
        text = slice_skip(text, 1);
    while (text.len > 0 && ascii_is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

bool slice_to_u64(struct slice text, uint64_t *out)
{
    uint64_t sum = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_is_digit(text.ptr[i]))
            return false;
        uint64_t digit = (uint64_t)(text.ptr[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *out = sum;
    return true;
}

bool slice_to_double(struct slice text, double *out)
{
    struct slice whole = text, head;
    double sign = 1, scale = 1;
    uint64_t digits, fraction = 0;

    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+')) {
        sign = text.ptr[0] == '-' ? -1 : 1;
        text = whole = slice_skip(text, 1);
    }
    if (text.len > 16)
        return false;
    if (slice_cut(&text, '.', &head)) {
        whole = head;
        if (!slice_to_u64(text, &fraction))
            return false;
        for (size_t i = 0; i < text.len; i++)
            scale *= 10;
    }
    if (!slice_to_u64(whole, &digits) || digits > UINT64_C(999999999999999))
        return false;
    *out = sign * ((double)digits + (double)fraction / scale);
    return true;
}
