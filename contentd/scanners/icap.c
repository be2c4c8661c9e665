/* contentd/scanners/icap.c - an ICAP server (RFC 3507), as most commercial virus engines and c-icap are: RESPMOD, the message
 * in chunks as it arrives, one connection for each message.
 *
 * No preview is offered: it would let the server call a message clean of which it has seen the beginning. Nor is it asked for
 * its OPTIONS before: a service without RESPMOD says so (405), one without 204 sends the content back and it is compared, and
 * the ISTag is in every answer. What the server passes over because of its own limits (c-icap: MaxObjectSize) it calls clean:
 * `size_max` must not be larger than they are. */
#include "contentd/scanners/exchange.h"
#include "contentd/scanners/http_upload.h"
#include "contentd/scanners/icap_answer.h"
#include "contentd/scanners/icap_request.h"

enum { COMPARE_STEP = 16384, INPUT_MAX = 2 * HTTP_HEAD_MAX };

struct icap_scan {
    struct scan scan; /* first */
    struct http_upload upload;
    struct icap_answer answer;
    uint64_t compared; /* bytes of content that came back and are those of the message */
    bool is_other; /* one was not */
};

static void begin(void *owner, struct connection *connection)
{
    struct icap_scan *icap = owner;
    const struct scan_request *request = &icap->scan.request;
    AUTO_BUF head = BUF_INIT(3 * ICAP_HEAD_MAX);
    uint64_t length =
        message_is_whole(request->message) ? message_size(request->message) : UINT64_MAX;

    exchange_reset(&icap->scan);
    icap->upload = (struct http_upload){ 0 };
    icap->answer = (struct icap_answer){ 0 };
    icap->compared = 0;
    icap->is_other = false;
    if (icap_request(&head, request->scanner, request->message, connection_host(connection),
                     length))
        connection_give_up(connection, "the service's name or the queue id is too long for ICAP");
    else
        connection_put(connection, buf_slice(&head));
}

static void output(void *owner, struct connection *connection)
{
    struct icap_scan *icap = owner;

    http_upload_chunk(&icap->upload, connection, icap->scan.request.message);
}

/* Content that came back, piece by piece against the message. */
static void compare(struct icap_scan *icap, struct slice body)
{
    char space[COMPARE_STEP];
    struct slice own;

    while (body.len > 0 && !icap->is_other) {
        size_t step = body.len < COMPARE_STEP ? body.len : COMPARE_STEP;
        if (message_read(icap->scan.request.message, icap->compared, step, space, &own) != 0 ||
            own.len == 0 || !slice_equal(own, slice_part(body, 0, own.len))) {
            icap->is_other = true;
            return;
        }
        icap->compared += own.len;
        body = slice_skip(body, own.len);
    }
}

static enum connection_input finish(struct icap_scan *icap, struct connection *connection,
                                    struct slice rest)
{
    struct finding *finding = &icap->scan.finding;
    bool is_same = !icap->is_other && icap->compared == message_size(icap->scan.request.message);

    connection_saw_version(connection, icap->answer.istag);
    icap_answer_finding(&icap->answer, is_same, finding);
    if (finding->result == FINDING_VIRUS)
        return CONNECTION_DONE;
    if (rest.len > 0)
        return connection_bad(connection, "answers more than it says");
    if (!icap->upload.is_ended || !connection_is_complete(connection))
        return connection_bad(connection, "answers before it has the whole message");
    return CONNECTION_DONE;
}

static enum connection_input input(void *owner, struct connection *connection, struct slice in,
                                   UNUSED bool is_end, size_t *used)
{
    struct icap_scan *icap = owner;
    enum wire_state state = WIRE_MORE;
    const char *error = "";
    size_t step = 1;

    *used = 0;
    while (state == WIRE_MORE && step > 0) {
        struct slice body;
        state = icap_answer_read(&icap->answer, icap->scan.request.arena, slice_skip(in, *used),
                                 &step, &body, &error);
        compare(icap, body);
        *used += step;
    }
    if (state == WIRE_BAD)
        return connection_bad(connection, "the server %s", error);
    return state == WIRE_DONE ? finish(icap, connection, slice_skip(in, *used)) : CONNECTION_MORE;
}

static const struct connection_protocol protocol = {
    .input_max = INPUT_MAX,
    .begin = begin,
    .output = output,
    .input = input,
    .done = exchange_done,
};

static struct scan *start(const struct scan_request *request)
{
    return exchange_start(request, sizeof(struct icap_scan), &protocol);
}

const struct scanner_kind icap_kind = {
    .name = "icap",
    .doc = "An ICAP server (RESPMOD), as many virus engines are; `path` is its service.",
    .streams = true,
    .is_antivirus = true,
    .start = start,
    .more = exchange_more,
    .abandon = exchange_abandon,
};
