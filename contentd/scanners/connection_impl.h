/* contentd/scanners/connection_impl.h - the inside of a connection, for connection.c (addresses, attempts, the end) and
 * connection_io.c (one socket: what is sent and what comes). */
#ifndef GATEHOUSE_CONTENTD_CONNECTION_IMPL_H
#define GATEHOUSE_CONTENTD_CONNECTION_IMPL_H

#include "common/run/op.h"
#include "contentd/scanners/backend.h"
#include "contentd/scanners/connection.h"

/* Something to be sent: the next `length` bytes of `put`, or a part of the message. */
struct part {
    bool is_message;
    uint64_t offset, length;
};

enum connection_state {
    CONNECTION_WAITING, /* for the message to be whole: an attempt has failed before */
    CONNECTION_RESOLVING,
    CONNECTION_CONNECTING,
    CONNECTION_OPEN,
    CONNECTION_ENDED, /* `done` is about to be called, or has been */
};

struct connection {
    struct op op; /* first member: the deadline and the one end */
    const struct scan_request *request;
    const struct connection_protocol *protocol;
    void *owner;
    enum connection_state state;
    uint64_t deadline_ms; /* 0: the message is not whole yet */
    bool is_early; /* the first attempts began before it was */

    /* The attempt. */
    uint32_t tried;
    int address; /* taken from the backend; -1: none */
    struct backend_sockets sockets;
    size_t socket_next;
    struct resolver *resolver; /* owned; only while RESOLVING */
    uint64_t connect_until_ms;
    int connect_error;
    int fd; /* owned; -1: none */
    struct event readable, writable, timer;

    /* What is sent. */
    struct buf put;
    struct part parts[CONNECTION_PARTS_MAX];
    size_t part_first, part_count;
    bool is_end_put, is_shut, is_put_failed;
    int send_error; /* errno: nothing more can be sent, but an answer may be there */

    /* What comes. */
    struct buf input;
    bool has_answer; /* a byte has come */
    bool is_reset;

    bool is_complete; /* when the answer was whole */
    const char *unreadable; /* or sent: no address would help */
    struct buf bad; /* of connection_bad() */
    struct buf error; /* `address: what happened`, of all attempts */
};

/* connection_io.c */
void connection_events_assign(struct connection *connection); /* of the socket in `fd` */
void connection_io_clear(struct connection *connection); /* nothing put, nothing read */
bool connection_is_taken(const struct connection *connection); /* by the other side's system */
/* Sends what the socket takes and asks the protocol for more; the attempt may be over then. */
void connection_push(struct connection *connection);

/* connection.c, called by connection_io.c from the loop */
void connection_connected(struct connection *connection, int error); /* errno; 0: it stands */
void connection_worked(struct connection *connection);
void connection_failed(struct connection *connection, enum backend_outcome outcome,
                       const char *why);

#endif
