/* common/mime/mime_params.c - see mime_params.h. */
#include "common/mime/mime_params.h"

#include <string.h>

static bool is_gap(char c)
{
    return ascii_is_space(c) || c == '\0';
}

/* It ends a word that is not in quotes. */
static bool ends_word(char c)
{
    return is_gap(c) || (c != '\0' && strchr(";,\"=", c) != NULL);
}

static bool ends_value(char c)
{
    return is_gap(c) || c == ';' || c == ',';
}

static struct slice skip_gap(struct slice text)
{
    while (text.len > 0 && is_gap(text.ptr[0]))
        text = slice_skip(text, 1);
    return text;
}

/* Takes what stands up to a byte that ends it. */
static struct slice take(struct slice *rest, bool (*ends)(char))
{
    size_t len = 0;

    while (len < rest->len && !ends(rest->ptr[len]))
        len++;
    struct slice out = slice_part(*rest, 0, len);
    *rest = slice_skip(*rest, len);
    return out;
}

static void take_quoted(struct slice *rest, struct mime_param *out)
{
    size_t end = 1;

    while (end < rest->len && rest->ptr[end] != '"')
        end += rest->ptr[end] == '\\' && end + 1 < rest->len ? 2 : 1;
    out->value = slice_part(*rest, 1, end - 1);
    out->is_odd = end >= rest->len;
    out->whole = slice_part(*rest, 0, end + 1);
    *rest = slice_skip(*rest, end + 1);
    out->is_odd |= rest->len > 0 && !ends_value(rest->ptr[0]) && rest->ptr[0] != '(';
}

bool mime_param_next(struct slice *rest, struct mime_param *out)
{
    while (rest->len > 0) {
        struct slice word = take(rest, ends_word);
        struct slice after = skip_gap(*rest);
        if (word.len == 0 || after.len == 0 || after.ptr[0] != '=') {
            *rest = slice_skip(*rest, word.len == 0);
            continue;
        }
        *rest = skip_gap(slice_skip(after, 1));
        *out =
            (struct mime_param){ .name = word, .base = slice_part(word, 0, slice_find(word, '*')) };
        out->tail = slice_part(*rest, 0, slice_find(*rest, ';'));
        if (slice_starts_with(*rest, SLICE("\""))) {
            take_quoted(rest, out);
        } else {
            out->value = out->whole = take(rest, ends_value);
        }
        return true;
    }
    return false;
}

bool mime_param_is(const struct mime_param *param, const char *base)
{
    return slice_equal_nocase(param->base, slice_of(base));
}

bool mime_param_is_extended(const struct mime_param *param)
{
    return param->base.len < param->name.len;
}
