/* contentd/scanners/rspamd.c - rspamd over HTTP: POST /checkv2, the envelope in fields of the request, the message as its
 * body, in chunks while it grows. The answer is one JSON object with its length told. */
#include <inttypes.h>

#include "common/observe/metrics.h"
#include "contentd/scanners/exchange.h"
#include "contentd/scanners/http_upload.h"
#include "contentd/scanners/http_wire.h"
#include "contentd/scanners/rspamd_answer.h"
#include "contentd/scanners/rspamd_request.h"

enum { ANSWER_MAX = 4 << 20 };

struct rspamd_scan {
    struct scan scan; /* first */
    struct http_upload upload;
};

static struct metric metrics[] = {
    METRIC("gatehouse_rspamd_untold_recipients_total", METRIC_COUNTER,
           "Recipients that rspamd was not told of: its requests are bounded."),
};

static void begin(void *owner, struct connection *connection)
{
    struct rspamd_scan *rspamd = owner;
    const struct scan_request *request = &rspamd->scan.request;
    AUTO_BUF head = BUF_INIT(RSPAMD_HEAD_MAX);
    bool is_whole = message_is_whole(request->message);
    uint64_t length = is_whole ? message_size(request->message) : UINT64_MAX;
    size_t untold = 0;

    exchange_reset(&rspamd->scan);
    rspamd->upload = (struct http_upload){ 0 };
    if (rspamd_request(&head, request->scanner, request->message, connection_host(connection),
                       length, &untold)) {
        connection_give_up(connection, "the envelope is too large for rspamd");
        return;
    }
    if (untold > 0) {
        metrics_register(metrics, COUNT(metrics));
        metric_add(metric_of(&metrics[0]), untold);
    }
    connection_put(connection, buf_slice(&head));
    if (is_whole) {
        connection_put_message(connection, 0, length);
        rspamd->upload.is_ended = true;
    }
}

static void output(void *owner, struct connection *connection)
{
    struct rspamd_scan *rspamd = owner;

    http_upload_chunk(&rspamd->upload, connection, rspamd->scan.request.message);
}

static enum connection_input read_answer(struct rspamd_scan *rspamd, struct connection *connection,
                                         struct slice json)
{
    const struct scan_request *request = &rspamd->scan.request;

    if (!rspamd->upload.is_ended || !connection_is_complete(connection))
        return connection_bad(connection, "answers before it has the whole message");
    const char *error =
        rspamd_answer(json, request->message, request->arena, &rspamd->scan.finding);
    return error == NULL ? CONNECTION_DONE : connection_bad(connection, "%s", error);
}

static enum connection_input input(void *owner, struct connection *connection, struct slice in,
                                   bool is_end, size_t *used)
{
    struct http_head head;
    uint64_t length;
    size_t head_len = 0;

    (void)is_end;
    *used = 0;
    enum wire_state state = http_head_parse(in, SLICE("HTTP/1."), &head, &head_len);
    if (state == WIRE_MORE)
        return CONNECTION_MORE;
    if (state == WIRE_BAD)
        return connection_bad(connection, "does not answer with HTTP");
    if (head.status != 200)
        return connection_bad(connection, "answers %u %.*s", head.status, SLICE_ARG(head.reason));
    if (!http_content_length(&head, &length))
        return connection_bad(connection, "does not say how long its answer is");
    if (length > ANSWER_MAX)
        return connection_bad(connection, "answers %" PRIu64 " bytes, at most %d are read", length,
                              ANSWER_MAX);
    struct slice body = slice_skip(in, head_len);
    if (body.len < length)
        return CONNECTION_MORE;
    if (body.len > length)
        return connection_bad(connection, "answers more than it says");
    return read_answer(owner, connection, body);
}

static const struct connection_protocol protocol = {
    .input_max = HTTP_HEAD_MAX + ANSWER_MAX,
    .begin = begin,
    .output = output,
    .input = input,
    .done = exchange_done,
};

static struct scan *start(const struct scan_request *request)
{
    return exchange_start(request, sizeof(struct rspamd_scan), &protocol);
}

const struct scanner_kind rspamd_kind = {
    .name = "rspamd",
    .doc = "rspamd's HTTP protocol (/checkv2): score, symbols, action, header fields and subject.",
    .streams = true,
    .start = start,
    .more = exchange_more,
    .abandon = exchange_abandon,
};
