/* contentd/scanners/connection_io.c - one socket of a connection: see connection.h.
 *
 * Output is a queue of parts, small copies and stretches of the message; each round gathers what fits into one sendmsg().
 * A write that fails ends the output but not the attempt: a scanner that has seen enough may answer and close while we are
 * still sending, and its answer is what counts. */
#include <errno.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "common/mail/reply.h"
#include "contentd/scanners/connection_impl.h"

enum {
    SEND_SPACE = 64 << 10, /* of the message's file, in one sendmsg() */
    SEND_PIECES = 16,
    SEND_ROUND = 1 << 20, /* then other connections of the loop have their turn */
    READ_STEP = 16 << 10,
    READ_ROUND = 256 << 10,
    ERROR_MAX = 400, /* bytes of what one attempt has to say */
};

/* ---- what is put ---- */

static struct part *part_of(struct connection *connection, size_t n)
{
    return &connection->parts[(connection->part_first + n) % CONNECTION_PARTS_MAX];
}

static void part_add(struct connection *connection, struct part part)
{
    if (part.length == 0)
        return;
    if (connection->part_count > 0 && !part.is_message) {
        struct part *last = part_of(connection, connection->part_count - 1);
        if (!last->is_message) {
            last->length += part.length;
            return;
        }
    }
    if (connection->part_count == CONNECTION_PARTS_MAX) {
        connection->is_put_failed = true;
        return;
    }
    *part_of(connection, connection->part_count++) = part;
}

void connection_put(struct connection *connection, struct slice bytes)
{
    if (connection->send_error != 0)
        return;
    if (buf_add(&connection->put, bytes))
        connection->is_put_failed = true;
    else
        part_add(connection, (struct part){ false, 0, bytes.len });
}

void connection_put_message(struct connection *connection, uint64_t offset, uint64_t length)
{
    if (connection->send_error == 0)
        part_add(connection, (struct part){ true, offset, length });
}

void connection_put_end(struct connection *connection)
{
    connection->is_end_put = true;
}

void connection_give_up(struct connection *connection, const char *why)
{
    connection->unreadable = why;
}

bool connection_is_sent(const struct connection *connection)
{
    return connection->part_count == 0 && connection->send_error == 0 && !connection->is_put_failed;
}

/* A scanner that has closed without reading: what was sent then may have been taken by the system all the same. Over TCP our
 * end is counted like one byte until the other side's system acknowledges it, which may be 40 ms after an answer. It is the
 * last thing sent: when one is left, it is the end and the message has arrived. (On a unix socket an end counts nothing, and
 * whatever else is left counts hundreds.) */
bool connection_is_taken(const struct connection *connection)
{
    int error = 0, left = 0;
    socklen_t size = sizeof(error);

    return getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0 &&
           ioctl(connection->fd, SIOCOUTQ, &left) == 0 && left <= (connection->is_shut ? 1 : 0);
}

enum connection_input connection_bad(struct connection *connection, const char *format, ...)
{
    char text[ERROR_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buf_clear(&connection->bad);
    reply_escape(&connection->bad, slice_of(text)); /* it may quote the scanner */
    return CONNECTION_BAD;
}

void connection_io_clear(struct connection *connection)
{
    buf_clear(&connection->put);
    buf_clear(&connection->input);
    buf_clear(&connection->bad);
    connection->part_first = connection->part_count = 0;
    connection->is_end_put = connection->is_shut = connection->is_put_failed = false;
    connection->has_answer = connection->is_reset = connection->is_complete = false;
    connection->send_error = 0;
}

/* ---- sending ---- */

struct gather {
    struct iovec pieces[SEND_PIECES];
    size_t count, bytes;
    size_t used; /* of `space` */
    char space[SEND_SPACE];
};

static bool gather_add(struct gather *gather, struct slice piece)
{
    union {
        const char *borrowed;
        void *base;
    } bytes = { piece.ptr }; /* sendmsg() does not write there, whatever its types say */

    gather->pieces[gather->count++] = (struct iovec){ bytes.base, piece.len };
    gather->bytes += piece.len;
    return gather->count < SEND_PIECES && gather->bytes < SEND_ROUND;
}

/* False: no more pieces are wanted. */
static bool gather_message(struct connection *connection, struct gather *gather, struct part part)
{
    struct slice piece;

    while (part.length > 0) {
        size_t max = SEND_SPACE - gather->used;
        char *space = gather->space + gather->used;
        if (max == 0)
            return false;
        if (part.length < max)
            max = (size_t)part.length;
        if (message_read(connection->request->message, part.offset, max, space, &piece) != 0 ||
            piece.len == 0) {
            connection->unreadable = "the message could not be read";
            return false;
        }
        if (piece.ptr == space)
            gather->used += piece.len;
        part.offset += piece.len;
        part.length -= piece.len;
        if (!gather_add(gather, piece))
            return false;
    }
    return true;
}

static void gather_parts(struct connection *connection, struct gather *gather)
{
    size_t put = 0;
    bool wants_more = true;

    for (size_t n = 0; n < connection->part_count && wants_more; n++) {
        struct part part = *part_of(connection, n);
        if (part.is_message) {
            wants_more = gather_message(connection, gather, part);
        } else {
            struct slice bytes = slice_part(buf_slice(&connection->put), put, (size_t)part.length);
            put += bytes.len;
            wants_more = gather_add(gather, bytes);
        }
    }
}

static void take_sent(struct connection *connection, size_t sent)
{
    size_t put = 0;

    while (sent > 0) {
        struct part *part = part_of(connection, 0);
        size_t done = part->length < sent ? (size_t)part->length : sent;
        if (part->is_message)
            part->offset += done;
        else
            put += done;
        part->length -= done;
        sent -= done;
        if (part->length > 0)
            break;
        connection->part_first = (connection->part_first + 1) % CONNECTION_PARTS_MAX;
        connection->part_count--;
    }
    buf_consume(&connection->put, put);
}

enum sent { SENT_SOME, SENT_BLOCKED, SENT_FAILED };

static enum sent send_some(struct connection *connection, size_t *bytes)
{
    struct gather gather;

    gather.count = gather.bytes = gather.used = 0;
    gather_parts(connection, &gather);
    if (connection->unreadable != NULL)
        return SENT_FAILED;
    struct msghdr message = { .msg_iov = gather.pieces, .msg_iovlen = gather.count };
    ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
    if (sent >= 0) {
        take_sent(connection, (size_t)sent);
        *bytes += (size_t)sent;
        return SENT_SOME;
    }
    if (errno == EAGAIN || errno == EINTR)
        return SENT_BLOCKED;
    connection->send_error = errno;
    connection->part_count = 0;
    buf_clear(&connection->put);
    return SENT_FAILED;
}

/* The protocol has its say when all is sent; what it puts goes out in the same round. */
static void ask_for_output(struct connection *connection)
{
    if (connection->part_count == 0 && !connection->is_end_put && !connection->is_put_failed &&
        connection->protocol->output != NULL)
        connection->protocol->output(connection->owner, connection);
}

static void flush(struct connection *connection)
{
    size_t bytes = 0;

    if (connection->send_error != 0)
        return;
    ask_for_output(connection);
    while (connection->part_count > 0 && !connection->is_put_failed) {
        if (bytes >= SEND_ROUND) {
            event_add(&connection->writable, NULL);
            return;
        }
        enum sent sent = send_some(connection, &bytes);
        if (sent == SENT_BLOCKED)
            event_add(&connection->writable, NULL);
        if (sent != SENT_SOME)
            return;
        ask_for_output(connection);
    }
    if (connection->is_end_put && !connection->is_shut && connection->part_count == 0) {
        connection->is_shut = true;
        shutdown(connection->fd, SHUT_WR);
    }
}

void connection_push(struct connection *connection)
{
    flush(connection);
    if (connection->unreadable != NULL)
        connection_failed(connection, BACKEND_UNUSED, connection->unreadable);
    else if (connection->is_put_failed)
        connection_failed(connection, BACKEND_UNUSED, "memory is out");
}

/* ---- what comes ---- */

enum got { GOT_SOME, GOT_NOTHING, GOT_END, GOT_TOO_MUCH, GOT_NO_MEMORY };

static enum got read_some(struct connection *connection)
{
    struct buf *input = &connection->input;
    size_t room = input->max - input->len;

    if (room == 0)
        return GOT_TOO_MUCH;
    if (buf_reserve(input, room < READ_STEP ? room : READ_STEP))
        return GOT_NO_MEMORY;
    if (room > input->cap - input->len)
        room = input->cap - input->len;
    ssize_t got = recv(connection->fd, input->data + input->len, room, 0);
    if (got > 0) {
        input->len += (size_t)got;
        connection->has_answer = true;
        return GOT_SOME;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return GOT_NOTHING;
    if (got < 0) {
        connection->is_reset = true;
        connection->send_error = errno;
    }
    return GOT_END;
}

static void closed_early(struct connection *connection)
{
    char why[ERROR_MAX];

    if (connection->send_error != 0)
        snprintf(why, sizeof(why), "the connection broke %s: %s",
                 connection->has_answer ? "within the answer" : "before an answer",
                 strerror(connection->send_error));
    else
        snprintf(why, sizeof(why), "closed %s",
                 connection->has_answer ? "within its answer" : "without an answer");
    connection_failed(connection, BACKEND_CLOSED, why);
}

/* Hands over what has come; false: the attempt is over. */
static bool take_input(struct connection *connection, bool is_end)
{
    size_t used = 0;
    enum connection_input result = connection->protocol->input(
        connection->owner, connection, buf_slice(&connection->input), is_end, &used);

    if (result == CONNECTION_DONE) {
        connection_worked(connection);
        return false;
    }
    if (result == CONNECTION_BAD) {
        connection_failed(connection, BACKEND_GARBLED, buf_text(&connection->bad));
        return false;
    }
    buf_consume(&connection->input, used);
    if (is_end) {
        closed_early(connection);
        return false;
    }
    return true;
}

static void on_readable(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct connection *connection = arg;
    enum got got = GOT_SOME;
    size_t before = connection->input.len;

    while (got == GOT_SOME && connection->input.len - before < READ_ROUND)
        got = read_some(connection);
    if (got == GOT_NO_MEMORY) {
        connection_failed(connection, BACKEND_UNUSED, "memory is out");
        return;
    }
    if ((connection->input.len > before || got == GOT_END) &&
        !take_input(connection, got == GOT_END))
        return;
    if (connection->input.len == connection->input.max) {
        connection_failed(connection, BACKEND_GARBLED, "its answer is too long");
        return;
    }
    connection_push(connection);
}

static void on_writable(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct connection *connection = arg;
    int error = 0;
    socklen_t size = sizeof(error);

    if (connection->state == CONNECTION_CONNECTING) {
        if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
        connection_connected(connection, error);
        if (error != 0)
            return;
        event_add(&connection->readable, NULL);
    }
    connection_push(connection);
}

void connection_events_assign(struct connection *connection)
{
    struct event_base *base = worker_base(connection->request->worker);

    event_assign(&connection->readable, base, connection->fd, EV_READ | EV_PERSIST, on_readable,
                 connection);
    event_assign(&connection->writable, base, connection->fd, EV_WRITE, on_writable, connection);
}
