/* tests/bench/null_clamd.c - a scanner that finds nothing: speaks clamd's zINSTREAM and says "stream: OK" a given time after the
 * end of the message. One thread, libevent.
 *
 *     null_clamd unix:PATH|inet:ADDRESS:PORT [DELAY_MS]
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "tests/bench/measure/measure.h"

enum { COMMAND_LEN = 10 }; /* zINSTREAM and its NUL */

struct scan {
    struct bufferevent *conn;
    struct event *timer;
    bool has_begun, is_answered;
    size_t left; /* of the chunk */
};

static struct event_base *base;
static long delay_ms;

static void scan_free(struct scan *scan)
{
    bufferevent_free(scan->conn);
    event_free(scan->timer);
    free(scan);
}

static void answer(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct scan *scan = arg;

    bufferevent_write(scan->conn, "stream: OK", sizeof "stream: OK");
    scan->is_answered = true;
}

/* As clamd does: the answer ends the connection. */
static void written(UNUSED struct bufferevent *conn, void *arg)
{
    struct scan *scan = arg;

    if (scan->is_answered)
        scan_free(scan);
}

static void readable(struct bufferevent *conn, void *arg)
{
    struct scan *scan = arg;
    struct evbuffer *in = bufferevent_get_input(conn);
    uint32_t length;

    for (;;) {
        if (!scan->has_begun && evbuffer_get_length(in) >= COMMAND_LEN) {
            evbuffer_drain(in, COMMAND_LEN);
            scan->has_begun = true;
        }
        size_t there = evbuffer_get_length(in);
        size_t eaten = there < scan->left ? there : scan->left;
        evbuffer_drain(in, eaten);
        scan->left -= eaten;
        if (!scan->has_begun || scan->left > 0 || evbuffer_get_length(in) < sizeof length)
            return;
        evbuffer_remove(in, &length, sizeof length);
        scan->left = ntohl(length);
        if (scan->left == 0) {
            const struct timeval delay = { delay_ms / 1000, delay_ms % 1000 * 1000 };
            if (delay_ms == 0)
                answer(-1, 0, scan);
            else
                event_add(scan->timer, &delay);
        }
    }
}

static void ended(UNUSED struct bufferevent *conn, UNUSED short what, void *arg)
{
    scan_free(arg);
}

static void accepted(UNUSED struct evconnlistener *listener, evutil_socket_t fd,
                     UNUSED struct sockaddr *address, UNUSED int len, UNUSED void *arg)
{
    struct scan *scan = calloc(1, sizeof *scan);

    if (scan == NULL)
        bench_fail("scan");
    scan->conn = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    scan->timer = evtimer_new(base, answer, scan);
    bufferevent_setcb(scan->conn, readable, written, ended, scan);
    bufferevent_enable(scan->conn, EV_READ | EV_WRITE);
}

int main(int argc, char **argv)
{
    struct bench_address address;

    if (argc < 2 || !bench_address_parse(slice_of(argv[1]), &address)) {
        fputs("usage: null_clamd unix:PATH|inet:ADDRESS:PORT [DELAY_MS]\n", stderr);
        return 64;
    }
    delay_ms = argc > 2 ? (long)bench_number(argv[2]) : 0;
    signal(SIGPIPE, SIG_IGN);
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER); /* else up to 1 ms late */
    base = event_base_new_with_config(config);
    event_config_free(config);
    int fd = bench_listen(&address);
    evutil_make_socket_nonblocking(fd);
    if (base == NULL ||
        evconnlistener_new(base, accepted, NULL, LEV_OPT_CLOSE_ON_FREE, 0, fd) == NULL)
        bench_fail("start");
    return event_base_dispatch(base);
}
