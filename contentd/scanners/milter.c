/* contentd/scanners/milter.c - an existing milter as a scanner: the session is replayed to it, with us as its MTA (protocol 6,
 * or an older one if it wants that). What it would have changed is in the finding's edits, whom it would have refused in its
 * recipients. Each message has a connection of its own, so a milter that counts connections counts messages.
 *
 * It is told what contentd knows: recipients that the MTA has accepted, the macros of milter_macros.c. Commands that the MTA
 * did not know and recipients that it refused are not told. */
#include "contentd/scanners/exchange.h"
#include "contentd/scanners/milter_replay.h"

struct milter_scan {
    struct scan scan; /* first */
    struct milter_replay replay;
};

static void begin(void *owner, struct connection *connection)
{
    struct milter_scan *milter = owner;
    const struct scan_request *request = &milter->scan.request;

    (void)connection;
    exchange_reset(&milter->scan);
    milter_replay_clear(&milter->replay);
    milter_replay_begin(&milter->replay, request->message, request->arena, &milter->scan.finding);
}

static void output(void *owner, struct connection *connection)
{
    struct milter_scan *milter = owner;
    AUTO_BUF out = BUF_INIT(MILTER_OUT_MAX);
    struct replay_range range;

    if (milter_replay_next(&milter->replay, &out, &range)) {
        connection_put(connection, buf_slice(&out));
        connection_put_message(connection, range.offset, range.length);
    } else if (milter->replay.error != NULL) {
        connection_give_up(connection, milter->replay.error);
    }
}

static enum connection_input finish(struct milter_scan *milter, struct connection *connection,
                                    struct slice rest)
{
    if (rest.len > 0)
        return connection_bad(connection, "goes on after its last word");
    milter->scan.has_seen_enough = milter->replay.is_early;
    return CONNECTION_DONE;
}

static enum connection_input input(void *owner, struct connection *connection, struct slice in,
                                   UNUSED bool is_end, size_t *used)
{
    struct milter_scan *milter = owner;
    struct milter_packet packet;
    const char *error = "sends a packet of a wrong length";
    enum wire_state state;
    size_t length;

    *used = 0;
    while ((state = milter_packet_read(slice_skip(in, *used), &packet, &length)) == WIRE_DONE) {
        *used += length;
        state = milter_replay_take(&milter->replay, &packet, &error);
        if (state == WIRE_DONE)
            return finish(milter, connection, slice_skip(in, *used));
        if (state == WIRE_BAD)
            break;
    }
    return state == WIRE_BAD ? connection_bad(connection, "the milter %s", error) : CONNECTION_MORE;
}

static void done(void *owner, bool is_ok, struct slice error)
{
    struct milter_scan *milter = owner;

    milter_replay_clear(&milter->replay);
    exchange_done(owner, is_ok, error);
}

static const struct connection_protocol protocol = {
    .input_max = MILTER_PACKET_MAX + MILTER_PACKET_HEAD,
    .begin = begin,
    .output = output,
    .input = input,
    .farewell = SLICE_INIT("\0\0\0\1Q"), /* quit */
    .done = done,
};

static struct scan *start(const struct scan_request *request)
{
    return exchange_start(request, sizeof(struct milter_scan), &protocol);
}

static void abandon(struct scan *scan)
{
    struct milter_scan *milter = (struct milter_scan *)(void *)scan;

    milter_replay_clear(&milter->replay);
    exchange_abandon(scan);
}

const struct scanner_kind milter_kind = {
    .name = "milter",
    .doc = "Another milter: the session is replayed to it, its answers and changes are taken over.",
    .streams = true,
    .start = start,
    .more = exchange_more,
    .abandon = abandon,
};
