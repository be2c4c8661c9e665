/* common/mime/mime_names.c - see mime_names.h. Each candidate is put into a field of its own for GMime, which knows how to decode it; first comes what
 * it makes of the whole. */
#include "common/mime/mime_names.h"

#include "common/mime/mime_params.h"

enum { CANDIDATES_MAX = 16 }; /* that are decoded, of one kind in a field */

static void add(struct mime_names *names, struct slice name)
{
    for (size_t i = 0; i < names->count; i++)
        if (slice_equal(names->names[i], name))
            return;
    if (name.ptr == NULL)
        return;
    if (names->count == MIME_NAMES_MAX)
        names->has_more = true;
    else
        names->names[names->count++] = name;
}

static bool add_decoded(struct mime_names *names, struct arena *arena, struct slice field)
{
    struct mime_disposition found;

    if (!mime_decode_disposition(arena, field, &found))
        return false;
    for (size_t i = 0; i < COUNT(found.names); i++)
        add(names, found.names[i]);
    return true;
}

/* The parameter under the name that is decoded: "filename*0*", of "name*0*" too. */
static int put(struct buf *out, const struct mime_param *param)
{
    struct slice form = slice_skip(param->name, param->base.len);

    return buf_put(out, "; filename") || buf_add(out, form) || buf_put(out, "=") ||
           buf_add(out, param->whole);
}

/* Those in the form of RFC 2231 are pieces of one. */
static bool add_pieces(struct mime_names *names, struct arena *arena, struct slice field,
                       const char *base)
{
    AUTO_BUF pieces = BUF_INIT(4 * MIME_VALUE_MAX);
    struct mime_param param;
    bool is_there = false;

    while (mime_param_next(&field, &param)) {
        if (!mime_param_is(&param, base) || !mime_param_is_extended(&param))
            continue;
        if ((!is_there && buf_put(&pieces, "attachment")) || put(&pieces, &param))
            return false;
        is_there = true;
    }
    return !is_there || add_decoded(names, arena, buf_slice(&pieces));
}

/* "a.txt"x.exe" is a.txt to some, and all of it to others. */
static bool add_odd(struct mime_names *names, struct arena *arena, const struct mime_param *param)
{
    AUTO_BUF text = BUF_INIT(2 * MIME_VALUE_MAX);
    bool failed = buf_put(&text, "attachment; filename=\"");

    for (size_t i = 0; i < param->tail.len && !failed; i++)
        if (param->tail.ptr[i] != '"' && param->tail.ptr[i] != '\\')
            failed = buf_put_char(&text, param->tail.ptr[i]);
    return !failed && !buf_put_char(&text, '"') && add_decoded(names, arena, buf_slice(&text));
}

static bool add_plain(struct mime_names *names, struct arena *arena, struct slice field,
                      const char *base)
{
    AUTO_BUF one = BUF_INIT(2 * MIME_VALUE_MAX);
    struct mime_param param;
    size_t count = 0;

    while (mime_param_next(&field, &param)) {
        if (!mime_param_is(&param, base) || mime_param_is_extended(&param))
            continue;
        if (++count > CANDIDATES_MAX) {
            names->has_more = true;
            return true;
        }
        buf_clear(&one);
        if (buf_put(&one, "attachment") || put(&one, &param) ||
            !add_decoded(names, arena, buf_slice(&one)) ||
            (param.is_odd && !add_odd(names, arena, &param)))
            return false;
    }
    return true;
}

bool mime_names_add(struct mime_names *names, struct arena *arena, struct slice field)
{
    static const char *const bases[] = { "filename", "name" };

    field = slice_part(field, 0, MIME_VALUE_MAX);
    if (!add_decoded(names, arena, field))
        return false;
    for (size_t i = 0; i < COUNT(bases); i++)
        if (!add_plain(names, arena, field, bases[i]) || !add_pieces(names, arena, field, bases[i]))
            return false;
    return true;
}
