/* contentd/scanners/clamd.c - ClamAV's daemon: zINSTREAM of clamd(8), one connection for each message.
 *
 *     zINSTREAM NUL  (length, 4 bytes big-endian; so many bytes)...  0000   ->   stream: OK NUL
 *
 * The message is sent as it arrives, in chunks of what is there. clamd answers before the end only when it takes no more;
 * then what is left is not sent. The answer ends with its NUL, whether clamd closes the connection or not. */
#include "common/milter/edits.h"
#include "contentd/scanners/clamd_answer.h"
#include "contentd/scanners/exchange.h"

enum { CHUNK_MAX = 1 << 20 };

struct clamd_scan {
    struct scan scan; /* first member */
    uint64_t offset; /* of the message: all before has been put */
    bool is_end_put;
};

static void put_length(struct connection *connection, uint32_t length)
{
    const char bytes[4] = { (char)(length >> 24), (char)(length >> 16), (char)(length >> 8),
                            (char)length };

    connection_put(connection, (struct slice){ bytes, sizeof(bytes) });
}

static void begin(void *owner, struct connection *connection)
{
    struct clamd_scan *scan = owner;

    exchange_reset(&scan->scan);
    scan->offset = 0;
    scan->is_end_put = false;
    connection_put(connection, (struct slice){ "zINSTREAM", sizeof("zINSTREAM") });
}

static void output(void *owner, struct connection *connection)
{
    struct clamd_scan *scan = owner;
    const struct message *message = scan->scan.request.message;
    bool is_whole = message_is_whole(message); /* before its size: afterwards it may grow */
    uint64_t size = message_size(message);
    uint64_t left = size - scan->offset;

    if (scan->is_end_put)
        return;
    if (left > 0) {
        uint64_t chunk = left < CHUNK_MAX ? left : CHUNK_MAX;
        put_length(connection, (uint32_t)chunk);
        connection_put_message(connection, scan->offset, chunk);
        scan->offset += chunk;
    }
    if (is_whole && scan->offset == size) {
        put_length(connection, 0);
        scan->is_end_put = true;
    }
}

static enum connection_input finish(struct clamd_scan *scan, enum finding_result result)
{
    scan->scan.finding.result = result;
    return CONNECTION_DONE;
}

static enum connection_input input(void *owner, struct connection *connection, struct slice in,
                                   UNUSED bool is_end, UNUSED size_t *used)
{
    struct clamd_scan *scan = owner;
    struct slice text;
    enum clamd_answer answer = clamd_answer_parse(in, &text);

    switch (answer) {
    case CLAMD_MORE:
        return CONNECTION_MORE;
    case CLAMD_GARBLED:
        return connection_bad(connection, "clamd's answer is garbled");
    case CLAMD_CLEAN:
        if (!scan->is_end_put || !connection_is_complete(connection))
            return connection_bad(connection, "it said OK before it had the whole message");
        return finish(scan, FINDING_CLEAN);
    case CLAMD_VIRUS:
        scan->scan.finding.virus = arena_copy(scan->scan.request.arena, text);
        return finish(scan, FINDING_VIRUS);
    case CLAMD_OVERSIZE:
        return finish(scan, FINDING_OVERSIZE);
    case CLAMD_ERROR:
        break;
    }
    return connection_bad(connection, "clamd says: %.*s", SLICE_ARG(text));
}

static const struct connection_protocol protocol = {
    .input_max = CLAMD_ANSWER_MAX + 1,
    .begin = begin,
    .output = output,
    .input = input,
    .done = exchange_done,
};

static struct scan *start(const struct scan_request *request)
{
    return exchange_start(request, sizeof(struct clamd_scan), &protocol);
}

const struct scanner_kind clamd_kind = {
    .name = "clamd",
    .doc = "ClamAV's daemon; the message is sent while it arrives (zINSTREAM).",
    .streams = true,
    .is_antivirus = true,
    .start = start,
    .more = exchange_more,
    .abandon = exchange_abandon,
};
