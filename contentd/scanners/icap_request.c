/* contentd/scanners/icap_request.c - see icap_request.h. */
#include "contentd/scanners/icap_request.h"

#include <inttypes.h>

#include "contentd/scanners/http_wire.h"

/* The request that the content would be the answer to. */
static int put_http_request(struct buf *out, struct slice queue_id)
{
    if (buf_put(out, "GET http://mail.invalid/"))
        return -1;
    for (size_t i = 0; i < queue_id.len; i++) {
        char c = queue_id.ptr[i];
        if (buf_put_char(out, ascii_is_alnum(c) ? c : '-'))
            return -1;
    }
    return buf_put(out, queue_id.len > 0 ? "" : "message") ||
                   buf_put(out, ".eml HTTP/1.1\r\nHost: mail.invalid\r\n\r\n")
               ? -1
               : 0;
}

static int put_http_answer(struct buf *out, uint64_t length)
{
    if (buf_put(out, "HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\n"))
        return -1;
    if (length != UINT64_MAX && buf_printf(out, "Content-Length: %" PRIu64 "\r\n", length))
        return -1;
    return buf_put(out, "\r\n");
}

int icap_request(struct buf *out, const struct scanner *scanner, const struct message *message,
                 const char *host, uint64_t length)
{
    AUTO_BUF request = BUF_INIT(ICAP_HEAD_MAX);
    AUTO_BUF answer = BUF_INIT(ICAP_HEAD_MAX);
    struct slice path = scanner->path.len > 0 ? scanner->path : SLICE("avscan");

    if (path.len > 0 && path.ptr[0] == '/')
        path = slice_skip(path, 1);
    if (put_http_request(&request, message->queue_id) || put_http_answer(&answer, length))
        return -1;
    return buf_printf(out, "RESPMOD icap://%s/%.*s ICAP/1.0\r\n", host, SLICE_ARG(path)) ||
                   http_put_field(out, "Host", slice_of(host)) ||
                   http_put_field(out, "User-Agent", SLICE("gatehouse")) ||
                   http_put_field(out, "Connection", SLICE("close")) ||
                   http_put_field(out, "Allow", SLICE("204")) ||
                   buf_printf(out, "Encapsulated: req-hdr=0, res-hdr=%zu, res-body=%zu\r\n\r\n",
                              request.len, request.len + answer.len) ||
                   buf_add(out, buf_slice(&request)) || buf_add(out, buf_slice(&answer))
               ? -1
               : 0;
}
