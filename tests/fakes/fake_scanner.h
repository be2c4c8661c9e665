/* tests/fakes/fake_scanner.h - a server that answers as told: each connection carries out a list of steps, on the test's own
 * loop. What came is kept. */
#ifndef GATEHOUSE_TESTS_FAKE_SCANNER_H
#define GATEHOUSE_TESTS_FAKE_SCANNER_H

#include <event2/event.h>

#include "common/base/buf.h"

enum fake_step_kind {
    STEP_CLOSE, /* the last step, 0: so a list may simply end */
    STEP_READ, /* until `text` has come; without a text: until the client sends no more */
    STEP_READ_BYTES, /* until `count` bytes have come in all */
    STEP_SEND,
    STEP_DRIP, /* a byte each millisecond */
    STEP_FLOOD, /* `text`, `count` times, as the client takes it */
    STEP_HALF_CLOSE,
    STEP_RESET, /* closes so that the client gets a reset (TCP), or simply closes */
    STEP_HANG, /* does nothing any more, reads nothing */
};

struct fake_step {
    enum fake_step_kind kind;
    struct slice text;
    size_t count;
};

enum { FAKE_SCRIPTS_MOST = 8, FAKE_CONNECTIONS_MOST = 64 };

struct fake_connection; /* opaque */

struct fake_scanner {
    struct event_base *base;
    char address[128]; /* unix:PATH or inet:127.0.0.1:PORT */
    /* Of the n-th connection; the last one of all that follow. */
    const struct fake_step *scripts[FAKE_SCRIPTS_MOST];
    bool rotates; /* after the last script the first one again */
    size_t connections; /* that were accepted */
    struct buf received; /* of the last connection */
    bool client_ended; /* the last client has half closed, or closed */
    /* own */
    int fd;
    char directory[32], path[96];
    struct event *accepting;
    struct fake_connection *open[FAKE_CONNECTIONS_MOST];
    int fillers[8];
    size_t filler_count;
};

/* Listens on a unix socket, or a port of loopback. */
void fake_scanner_start(struct fake_scanner *server, struct event_base *base, bool is_unix,
                        const struct fake_step *script);
/* Its address refuses connections from now on; those that are open stay. */
void fake_scanner_refuse(struct fake_scanner *server);
/* Its queue is full from now on, and nothing is taken from it: connecting hangs. */
void fake_scanner_hang(struct fake_scanner *server);
void fake_scanner_accept_again(struct fake_scanner *server); /* after fake_scanner_hang() */
void fake_scanner_stop(struct fake_scanner *server);

#endif
