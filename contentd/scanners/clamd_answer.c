/* contentd/scanners/clamd_answer.c - see clamd_answer.h.
 *
 *     stream: OK              stream: Win.Test.EICAR_HDB-1 FOUND
 *     INSTREAM size limit exceeded. ERROR              stream: Can't open file or directory ERROR */
#include "contentd/scanners/clamd_answer.h"

static bool cut_end(struct slice *text, struct slice end)
{
    if (!slice_ends_with(*text, end))
        return false;
    text->len -= end.len;
    return true;
}

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_print(text.ptr[i]))
            return false;
    return true;
}

enum clamd_answer clamd_answer_parse(struct slice in, struct slice *text)
{
    static const struct slice prefix = SLICE_INIT("stream: ");
    size_t end = slice_find(in, '\0');
    struct slice line = slice_part(in, 0, end);

    *text = line;
    if (end == SIZE_MAX)
        return in.len < CLAMD_ANSWER_MAX ? CLAMD_MORE : CLAMD_GARBLED;
    if (end + 1 != in.len || !is_printable(line))
        return CLAMD_GARBLED;
    if (cut_end(&line, SLICE(" ERROR"))) {
        *text = line;
        return slice_starts_with(line, SLICE("INSTREAM size limit exceeded")) ? CLAMD_OVERSIZE
                                                                              : CLAMD_ERROR;
    }
    if (!slice_starts_with(line, prefix))
        return CLAMD_GARBLED;
    line = slice_skip(line, prefix.len);
    if (slice_equal(line, SLICE("OK")))
        return CLAMD_CLEAN;
    if (!cut_end(&line, SLICE(" FOUND")) || line.len == 0)
        return CLAMD_GARBLED;
    *text = line;
    return CLAMD_VIRUS;
}
