/* contentd/scanners/http_wire.c - see http_wire.h. */
#include "contentd/scanners/http_wire.h"

/* The next line without its CRLF. Lines of a head are looked at only when all of it is there. */
static bool next_line(struct slice *rest, struct slice *line)
{
    struct slice found;

    if (!slice_cut(rest, '\n', &found) || found.len == 0 || found.ptr[found.len - 1] != '\r')
        return false;
    *line = (struct slice){ found.ptr, found.len - 1 };
    return true;
}

/* No control bytes but tabs and, where lines are folded, the line ends before a blank. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_token(struct slice name)
{
    static const char symbols[] = "!#$%&'*+-.^_`|~"; /* RFC 9110 5.6.2 */

    for (size_t i = 0; i < name.len; i++) {
        if (!ascii_is_alnum(name.ptr[i]) &&
            memchr(symbols, name.ptr[i], sizeof(symbols) - 1) == NULL)
            return false;
    }
    return name.len > 0;
}

/* "HTTP/1.1 200 OK"; the reason may be missing, with or without the blank before it. */
static bool parse_status(struct slice line, struct slice protocol, struct http_head *out)
{
    uint64_t status;

    if (!is_plain(line) || !slice_starts_with(line, protocol))
        return false;
    line = slice_skip(line, protocol.len);
    if (line.len < 5 || !ascii_is_digit(line.ptr[0]) || line.ptr[1] != ' ')
        return false;
    if (!slice_to_u64(slice_part(line, 2, 3), &status) || status < 100 || status > 599)
        return false;
    if (line.len > 5 && line.ptr[5] != ' ')
        return false;
    out->status = (unsigned)status;
    out->reason = slice_trim(slice_skip(line, 5));
    return true;
}

static bool parse_field(struct slice line, struct http_head *out)
{
    struct slice name, value = line;
    bool is_fold = line.ptr[0] == ' ' || line.ptr[0] == '\t';

    if (!is_plain(line))
        return false;
    if (is_fold) {
        if (out->field_count == 0)
            return false;
        struct http_field *field = &out->fields[out->field_count - 1];
        struct slice text = slice_trim(line);
        if (text.len > 0) /* the fold between them lies in the same buffer */
            field->value.len = (size_t)(text.ptr + text.len - field->value.ptr);
        return true;
    }
    if (out->field_count == HTTP_FIELDS_MAX || !slice_cut(&value, ':', &name) || !is_token(name))
        return false;
    value = slice_trim(value);
    out->fields[out->field_count++] = (struct http_field){ name, value };
    return true;
}

/* Where the head ends, behind its blank line; 0: not there. */
static size_t head_length(struct slice in)
{
    static const char end[] = "\r\n\r\n";
    const char *found = memmem(in.ptr, in.len, end, sizeof(end) - 1);

    return found == NULL ? 0 : (size_t)(found - in.ptr) + sizeof(end) - 1;
}

enum wire_state http_head_parse(struct slice in, struct slice protocol, struct http_head *out,
                                size_t *used)
{
    struct slice begin = slice_part(in, 0, protocol.len);
    struct slice rest, line;

    if (!slice_equal(begin, slice_part(protocol, 0, begin.len)))
        return WIRE_BAD; /* at once: garbage need not come to an end */
    if (in.len == 0)
        return WIRE_MORE;
    rest = slice_part(in, 0, HTTP_HEAD_MAX);
    size_t length = head_length(rest);
    if (length == 0)
        return in.len < HTTP_HEAD_MAX ? WIRE_MORE : WIRE_BAD;
    rest.len = length - 2; /* without the blank line */
    out->field_count = 0;
    if (!next_line(&rest, &line) || !parse_status(line, protocol, out))
        return WIRE_BAD;
    while (rest.len > 0) {
        if (!next_line(&rest, &line) || line.len == 0 || !parse_field(line, out))
            return WIRE_BAD;
    }
    *used = length;
    return WIRE_DONE;
}

size_t http_head_get(const struct http_head *head, struct slice name, struct slice *first)
{
    size_t count = 0;

    *first = (struct slice){ NULL, 0 };
    for (size_t i = 0; i < head->field_count; i++) {
        if (slice_equal_nocase(head->fields[i].name, name) && count++ == 0)
            *first = head->fields[i].value;
    }
    return count;
}

bool http_content_length(const struct http_head *head, uint64_t *length)
{
    struct slice text, coding;

    return http_head_get(head, SLICE("Transfer-Encoding"), &coding) == 0 &&
           http_head_get(head, SLICE("Content-Length"), &text) == 1 && slice_to_u64(text, length);
}

static int hex_digit(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "1a2b" and perhaps extensions, which are ignored. */
static bool chunk_size(struct slice line, uint64_t *out)
{
    uint64_t size = 0;
    size_t digits = 0;

    for (; digits < line.len && hex_digit(line.ptr[digits]) >= 0; digits++) {
        if (digits == 15) /* 60 bits: no overflow */
            return false;
        size = size * 16 + (uint64_t)hex_digit(line.ptr[digits]);
    }
    line = slice_skip(line, digits);
    if (digits == 0 || !is_plain(line))
        return false;
    if (line.len > 0 && line.ptr[0] != ';' && !ascii_is_space(line.ptr[0]))
        return false;
    *out = size;
    return true;
}

/* A whole line of at most `max` bytes; MORE: its end is not there. */
static enum wire_state bounded_line(struct slice in, size_t max, struct slice *line, size_t *used)
{
    struct slice rest = slice_part(in, 0, max);
    size_t end = slice_find(rest, '\n');

    if (end == SIZE_MAX)
        return in.len < max ? WIRE_MORE : WIRE_BAD;
    *used = end + 1;
    return next_line(&rest, line) ? WIRE_DONE : WIRE_BAD;
}

static enum wire_state read_size(struct chunk_reader *reader, struct slice in, size_t *used)
{
    struct slice line;
    enum wire_state state = bounded_line(in, HTTP_CHUNK_LINE_MAX, &line, used);

    if (state != WIRE_DONE)
        return state;
    if (!chunk_size(line, &reader->left))
        return WIRE_BAD;
    reader->state = reader->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
    return WIRE_MORE;
}

static enum wire_state read_data_end(struct chunk_reader *reader, struct slice in, size_t *used)
{
    if (in.len < 2)
        return in.len == 1 && in.ptr[0] != '\r' ? WIRE_BAD : WIRE_MORE;
    if (in.ptr[0] != '\r' || in.ptr[1] != '\n')
        return WIRE_BAD;
    *used = 2;
    reader->state = CHUNK_SIZE;
    return WIRE_MORE;
}

static enum wire_state read_trailer(struct chunk_reader *reader, struct slice in, size_t *used)
{
    struct slice line;
    enum wire_state state = bounded_line(in, HTTP_TRAILER_MAX - reader->trailer, &line, used);

    if (state != WIRE_DONE)
        return state;
    reader->trailer += *used;
    if (!is_plain(line) || (line.len > 0 && slice_find(line, ':') == SIZE_MAX))
        return WIRE_BAD;
    if (line.len > 0)
        return WIRE_MORE;
    reader->state = CHUNK_END;
    return WIRE_DONE;
}

enum wire_state chunk_read(struct chunk_reader *reader, struct slice in, struct slice *data,
                           size_t *used)
{
    *data = (struct slice){ in.ptr, 0 };
    *used = 0;
    switch (reader->state) {
    case CHUNK_SIZE:
        return read_size(reader, in, used);
    case CHUNK_DATA:
        *data = slice_part(in, 0, reader->left < in.len ? (size_t)reader->left : in.len);
        *used = data->len;
        reader->left -= data->len;
        if (reader->left == 0)
            reader->state = CHUNK_DATA_END;
        return WIRE_MORE;
    case CHUNK_DATA_END:
        return read_data_end(reader, in, used);
    case CHUNK_TRAILER:
        return read_trailer(reader, in, used);
    case CHUNK_END:
        break;
    }
    return WIRE_DONE;
}

int http_put_field(struct buf *out, const char *name, struct slice value)
{
    size_t was = out->len;

    if (value.ptr == NULL)
        return 0;
    if (buf_put(out, name) || buf_put(out, ": "))
        goto full;
    size_t begin = out->len;
    if (buf_add(out, value) || buf_put(out, "\r\n"))
        goto full;
    for (size_t i = begin; i < begin + value.len; i++) {
        unsigned char c = (unsigned char)out->data[i];
        if (c < 0x20 || c == 0x7f)
            out->data[i] = '?';
    }
    return 0;
full:
    out->len = was;
    return -1;
}
