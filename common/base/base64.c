/* common/base/base64.c - see base64.h. */
#include "common/base/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_print(struct buf *out, const void *bytes, size_t len)
{
    const unsigned char *from = bytes;

    if (len > SIZE_MAX / 4 || buf_reserve(out, (len + 2) / 3 * 4) != 0)
        return -1;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t group = (uint32_t)from[i] << 16;
        group |= i + 1 < len ? (uint32_t)from[i + 1] << 8 : 0;
        group |= i + 2 < len ? from[i + 2] : 0;
        out->data[out->len++] = letters[group >> 18];
        out->data[out->len++] = letters[group >> 12 & 63];
        out->data[out->len++] = i + 1 < len ? letters[group >> 6 & 63] : '=';
        out->data[out->len++] = i + 2 < len ? letters[group & 63] : '=';
    }
    return 0;
}

static bool letter_value(char c, uint32_t *value)
{
    const char *at = c == '\0' ? NULL : strchr(letters, c);

    if (at != NULL)
        *value = (uint32_t)(at - letters);
    return at != NULL;
}

/* Four letters, of which the last `pads` are =. */
static bool parse_group(struct buf *out, const char *at, size_t pads)
{
    uint32_t group = 0, value = 0;

    for (size_t i = 0; i < 4; i++) {
        value = 0;
        if (i < 4 - pads && !letter_value(at[i], &value))
            return false;
        group = group << 6 | value;
    }
    if ((pads == 1 && (group & 0xff) != 0) || (pads == 2 && (group & 0xffff) != 0))
        return false; /* bits that mean nothing */
    for (size_t i = 0; i < 3 - pads; i++)
        if (buf_put_char(out, (char)(unsigned char)(group >> (16 - 8 * i) & 0xff)) != 0)
            return false;
    return true;
}

bool base64_parse(struct buf *out, struct slice text)
{
    size_t pads = slice_ends_with(text, SLICE("==")) ? 2 : slice_ends_with(text, SLICE("="));

    if (text.len % 4 != 0)
        return false;
    for (size_t i = 0; i < text.len; i += 4)
        if (!parse_group(out, text.ptr + i, i + 4 == text.len ? pads : 0))
            return false;
    return true;
}
