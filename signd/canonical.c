/* signd/canonical.c - see canonical.h. */
#include "signd/canonical.h"

#include <string.h>

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- bodies ---- */

void body_canon_start(struct body_canon *canon, enum canonicalization mode, canonical_sink *sink,
                      void *arg)
{
    canon->mode = mode;
    canon->sink = sink;
    canon->arg = arg;
    canon->blank_lines = 0;
    canon->in_line = canon->space = canon->cr = canon->has_bare_cr = false;
    canon->cr_alone = canon->has_cr_line = false;
    canon->is_empty = true;
    canon->len = 0; /* the chunk itself need not be cleared */
}

static void flush(struct body_canon *canon)
{
    if (canon->len > 0)
        canon->sink(canon->arg, canon->chunk, canon->len);
    canon->len = 0;
}

static void emit(struct body_canon *canon, const char *bytes, size_t len)
{
    if (len > sizeof canon->chunk - canon->len)
        flush(canon);
    if (len >= sizeof canon->chunk) {
        canon->sink(canon->arg, bytes, len);
        return;
    }
    memcpy(canon->chunk + canon->len, bytes, len);
    canon->len += len;
}

/* Bytes of a line that are let through: what was held back before them counts now. */
static void content(struct body_canon *canon, const char *bytes, size_t len)
{
    for (; canon->blank_lines > 0; canon->blank_lines--)
        emit(canon, "\r\n", 2);
    if (canon->space)
        emit(canon, " ", 1);
    emit(canon, bytes, len);
    canon->space = false;
    canon->in_line = true;
    canon->is_empty = false;
}

static void line_end(struct body_canon *canon)
{
    if (canon->in_line)
        emit(canon, "\r\n", 2);
    else
        canon->blank_lines++;
    canon->has_cr_line |= canon->cr_alone;
    canon->in_line = canon->space = canon->cr_alone = false;
}

/* Bytes without CR and LF. */
static void simple_bytes(struct body_canon *canon, const char *bytes, size_t len)
{
    if (len > 0)
        content(canon, bytes, len);
}

/* The bytes up to the first white space, eight at a time: a body is mostly such. */
static size_t until_wsp(const char *bytes, size_t len)
{
    static const uint64_t ones = UINT64_C(0x0101010101010101);
    size_t at = 0;

    for (uint64_t word, blanks, tabs; at + sizeof word <= len; at += sizeof word) {
        memcpy(&word, bytes + at, sizeof word);
        blanks = word ^ (ones * ' ');
        tabs = word ^ (ones * '\t');
        /* A byte that is 0 borrows from its highest bit. */
        if ((((blanks - ones) & ~blanks) | ((tabs - ones) & ~tabs)) & (ones << 7))
            break;
    }
    while (at < len && !is_wsp(bytes[at]))
        at++;
    return at;
}

static void relaxed_bytes(struct body_canon *canon, const char *bytes, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t from = at;
        at += until_wsp(bytes + at, len - at);
        /* A single blank between two other bytes stays as it is. */
        while (at > from && at + 1 < len && bytes[at] == ' ' && !is_wsp(bytes[at + 1]))
            at += 1 + until_wsp(bytes + at + 1, len - at - 1);
        if (at > from)
            content(canon, bytes + from, at - from);
        for (; at < len && is_wsp(bytes[at]); at++)
            canon->space = true;
    }
}

static void line_bytes(struct body_canon *canon, const char *bytes, size_t len)
{
    canon->cr_alone &= len == 0;
    (canon->mode == CANONICAL_SIMPLE ? simple_bytes : relaxed_bytes)(canon, bytes, len);
}

static void bare_cr(struct body_canon *canon)
{
    canon->has_bare_cr = true;
    canon->cr_alone |= !canon->in_line;
    content(canon, "\r", 1);
}

/* Bytes without LF; a CR at their end is held back. */
static void part_of_line(struct body_canon *canon, const char *bytes, size_t len)
{
    while (len > 0) {
        if (canon->cr)
            bare_cr(canon);
        canon->cr = false;
        const char *cr = memchr(bytes, '\r', len);
        size_t before = cr == NULL ? len : (size_t)(cr - bytes);
        line_bytes(canon, bytes, before);
        if (cr == NULL)
            return;
        canon->cr = true;
        bytes += before + 1;
        len -= before + 1;
    }
}

void body_canon_add(struct body_canon *canon, struct slice bytes)
{
    const char *at = bytes.ptr;
    size_t left = bytes.len;

    while (left > 0) {
        const char *lf = memchr(at, '\n', left);
        size_t len = lf == NULL ? left : (size_t)(lf - at);
        part_of_line(canon, at, len);
        if (lf == NULL)
            return;
        canon->cr = false;
        line_end(canon);
        at += len + 1;
        left -= len + 1;
    }
}

void body_canon_finish(struct body_canon *canon)
{
    if (canon->cr)
        bare_cr(canon);
    canon->cr = false;
    canon->has_cr_line |= canon->cr_alone;
    if (canon->in_line || (canon->is_empty && canon->mode == CANONICAL_SIMPLE))
        emit(canon, "\r\n", 2);
    canon->in_line = false;
    flush(canon);
}

bool body_canon_has_bare_cr(const struct body_canon *canon)
{
    return canon->has_bare_cr;
}

bool body_canon_has_cr_line(const struct body_canon *canon)
{
    return canon->has_cr_line;
}

/* ---- header fields ---- */

static int put_lower(struct buf *out, struct slice name)
{
    int rc = 0;

    for (size_t i = 0; i < name.len && rc == 0; i++)
        rc = buf_put_char(out, ascii_lower(name.ptr[i]));
    return rc;
}

static bool is_fold_or_wsp(char c)
{
    return is_wsp(c) || c == '\r' || c == '\n';
}

/* Unfolded, runs of white space as one blank, none at either end. A bare CR is taken for a fold: no header field can
 * have one (RFC 5322 2.2), and the verifiers agree in that. */
static int put_relaxed(struct buf *out, struct slice value)
{
    bool any = false, space = false;
    int rc = 0;

    for (size_t i = 0; i < value.len && rc == 0; i++) {
        if (is_fold_or_wsp(value.ptr[i])) {
            space = true;
            continue;
        }
        if (space && any)
            rc = buf_put_char(out, ' ');
        if (rc == 0)
            rc = buf_put_char(out, value.ptr[i]);
        any = true;
        space = false;
    }
    return rc;
}

/* As it is, every LF with its CR. */
static int put_simple(struct buf *out, struct slice value)
{
    struct slice rest = value, line;

    while (slice_cut(&rest, '\n', &line)) {
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (buf_add(out, line) != 0 || buf_put(out, "\r\n") != 0)
            return -1;
    }
    return buf_add(out, rest);
}

int header_canon(struct buf *out, enum canonicalization mode, struct slice name, struct slice value,
                 bool ends_line)
{
    int rc = -1;

    if (mode == CANONICAL_RELAXED) {
        while (name.len > 0 && is_wsp(name.ptr[name.len - 1])) /* "Subject : x" */
            name.len--;
        if (put_lower(out, name) == 0 && buf_put_char(out, ':') == 0)
            rc = put_relaxed(out, value);
    } else if (buf_add(out, name) == 0 && buf_put_char(out, ':') == 0) {
        rc = put_simple(out, value);
    }
    if (rc == 0 && ends_line)
        rc = buf_put(out, "\r\n");
    return rc;
}
