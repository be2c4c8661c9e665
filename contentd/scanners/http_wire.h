/* contentd/scanners/http_wire.h - what HTTP/1.1 (RFC 9112) and ICAP/1.0 (RFC 3507) look like on the wire: a head (status line
 * and fields), chunks, and the fields of a request. Strict and bounded: what is not well-formed is WIRE_BAD, and nobody calls
 * a message clean because of it. Pure.
 *
 * Own code because of ICAP, which no library speaks and which needs all of it; rspamd's answer is then no reason for libcurl
 * or evhttp, which would bring connections, deadlines and retries beside those of connection.h. */
#ifndef GATEHOUSE_CONTENTD_HTTP_WIRE_H
#define GATEHOUSE_CONTENTD_HTTP_WIRE_H

#include "common/base/buf.h"
#include "common/base/wire.h"

enum {
    HTTP_HEAD_MAX = 32768, /* bytes of a head, with the blank line */
    HTTP_FIELDS_MAX = 100,
    HTTP_CHUNK_LINE_MAX = 256, /* size of a chunk with its extensions */
    HTTP_TRAILER_MAX = 8192,
};

struct http_field {
    struct slice name;
    struct slice value; /* trimmed; folds (RFC 9112 5.2) as received */
};

struct http_head {
    unsigned status; /* 100 to 599 */
    struct slice reason;
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t field_count;
};

/* The head at the start of `in`: "HTTP/1.1 200 OK", fields, blank line, all lines ending in CRLF. `protocol` is what stands
 * before the minor version: "HTTP/1." or "ICAP/1.". DONE: *out borrows from `in`, *used bytes were the head. */
enum wire_state http_head_parse(struct slice in, struct slice protocol, struct http_head *out,
                                size_t *used);

/* How many fields have this name (any case); the first one's value in *first, absent when there is none. */
size_t http_head_get(const struct http_head *head, struct slice name, struct slice *first);

/* The length of the body (RFC 9112 6.3), where that is what says it. False: a coding, no length, several, or none that is
 * a number; a body that ends when the connection does cannot be told from a cut one. */
bool http_content_length(const struct http_head *head, uint64_t *length);

/* A body in chunks (RFC 9112 7.1). Zeroed: before the first one. */
struct chunk_reader {
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER, CHUNK_END } state;
    uint64_t left; /* bytes of the present chunk still to come */
    size_t trailer; /* bytes of trailer seen */
};

/* Takes *used bytes from the start of `in`; *data (borrowed from `in`, perhaps empty) is what of them belongs to the body.
 * Call again with the rest while *used is not 0 and the result is MORE. DONE: the last chunk and the trailer were read. */
enum wire_state chunk_read(struct chunk_reader *reader, struct slice in, struct slice *data,
                           size_t *used);

/* Adds "name: value" and CRLF. Control bytes (a CR and LF would begin another field) become `?`. An absent value adds nothing.
 * -1: the buffer is full. */
int http_put_field(struct buf *out, const char *name, struct slice value);

#endif
