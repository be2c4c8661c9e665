/* contentd/scanners/connection.h - one question to a scanner: connects to its addresses in turn, sends as the socket
 * takes it, hands over what comes, and ends exactly once. What is sent from the message is read from it piece by piece, so
 * there is never a copy of the whole. On one worker's thread alone; callbacks come from its loop, never from inside
 * connection_start().
 *
 * An attempt fails when connecting fails, the scanner closes too early, or `input` says CONNECTION_BAD: then the next
 * address is tried from the start, until none is left. With addresses left an attempt that brings no answer may use half of
 * the time that is left. Attempts begun while the message is still growing are not the last ones: when all addresses
 * have failed and it is whole, they are tried once more.
 *
 * The deadline counts from the moment the message is whole, for the rest of the time its length is the sender's affair. */
#ifndef GATEHOUSE_CONTENTD_CONNECTION_H
#define GATEHOUSE_CONTENTD_CONNECTION_H

#include "contentd/scanners/scanner.h"

struct connection; /* opaque */

enum connection_input {
    CONNECTION_MORE, /* not whole yet */
    CONNECTION_DONE, /* the whole answer is there */
    CONNECTION_BAD, /* no answer to rely on: connection_bad() */
};

/* A protocol: what one kind of scanner does with a connection. `owner` is the kind's own state of this scan. */
struct connection_protocol {
    /* Most bytes of input that are kept for `input`: an answer that does not fit and is not used up piece by piece is bad. */
    size_t input_max;
    /* Connected, perhaps once more, to another address: forgets what was before and puts what is to be sent first. */
    void (*begin)(void *owner, struct connection *connection);
    /* All that was put has been sent, perhaps since long, and now there is more of the message or it is whole: puts more, or
     * nothing. Optional. */
    void (*output)(void *owner, struct connection *connection);
    /* `in`: all that has come and was not used yet; *used (0) is how much of it is never needed again. `is_end`: the scanner
     * sends no more; CONNECTION_MORE is a failure then. May put. */
    enum connection_input (*input)(void *owner, struct connection *connection, struct slice in,
                                   bool is_end, size_t *used);
    /* Sent when the answer was whole, before the connection is closed, as far as the socket takes it. Optional. */
    struct slice farewell;
    /* The end: `is_ok` is that `input` said CONNECTION_DONE, else `error` (borrowed) says in one line which addresses
     * failed and why. The connection is closed already and gone afterwards. */
    void (*done)(void *owner, bool is_ok, struct slice error);
};

/* `request` and `owner` must outlive it. NULL: out of memory. */
struct connection *connection_start(const struct scan_request *request,
                                    const struct connection_protocol *protocol, void *owner);
void connection_more(struct connection *connection); /* the message has grown, or is whole */
void connection_abandon(struct connection **connection); /* NULL-safe: closes without `done` */

/* ---- for begin, output and input ---- */

/* To be sent after all that was put before. Bytes are copied, a part of the message is read when the socket takes it: it
 * must be there already. Of what is not yet sent there may be CONNECTION_PUT_MAX bytes and CONNECTION_PARTS_MAX changes
 * between bytes and message; beyond that, or when memory is out, the scan fails by itself. */
enum { CONNECTION_PUT_MAX = 1 << 20, CONNECTION_PARTS_MAX = 64 };
void connection_put(struct connection *connection, struct slice bytes);
void connection_put_message(struct connection *connection, uint64_t offset, uint64_t length);
void connection_put_end(struct connection *connection); /* half close: nothing more will be put */

/* From begin or output: the message cannot be put into this protocol (`why`: constant), another address would not help. */
void connection_give_up(struct connection *connection, const char *why);

bool connection_is_sent(const struct connection *connection); /* all that was put so far */
/* The message is whole, all that was put has been sent, and the scanner has not thrown any of it away (reset): without
 * this an answer is no statement about the message. In `input`; in `done` as it was when the answer was whole. */
bool connection_is_complete(const struct connection *connection);
const char *connection_host(const struct connection *connection); /* as backend_host() */
/* As backend_saw_version(), of the address that is asked. */
void connection_saw_version(const struct connection *connection, struct slice version);
/* Says why, one line without line ends; the result is CONNECTION_BAD. */
enum connection_input connection_bad(struct connection *connection, const char *format, ...)
    PRINTF_LIKE(2, 3);

#endif
