/* common/milter/connection.c - one connection of an MTA, between its worker's loop and the threads of the pool.
 *
 *     IDLE --a packet is whole--> RUNNING (a thread has commands and batch) --> IDLE
 *       |                            |
 *       |                            +--the end of a message is answered--> FLUSHING --the kernel has all of it, or the MTA
 *       |                                                                      is gone--> RUNNING (sent) --> IDLE
 *       +--QUIT, not the protocol, hung up, idle for too long, draining--> CLOSING (a thread lets go of the session) --> freed
 *
 * Everything but `is_gone` belongs to the loop, and what a thread needs to the thread while it has it. That the MTA hangs up
 * is seen at any time. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/milter/milter_private.h"
#include "common/observe/log.h"

enum {
    INPUT_MAX = MILTER_PACKET_MAX + (256 << 10), /* one packet, and what has come behind it */
    READ_AT_ONCE = 256 << 10,
    OUTPUT_MAX = 64 << 10, /* answers not taken yet, at which no more commands are */
    HEAD = MILTER_PACKET_HEAD - 1,
};

enum state { IDLE, RUNNING, FLUSHING, CLOSING };
enum job { RUN_PACKETS, SAY_SENT, SAY_LOST, LET_GO };

struct connection {
    struct pool_task task; /* first member */
    struct connections *home;
    struct connection *next, *previous;
    struct bufferevent *io; /* owns the socket; NULL: closed */
    enum state state;
    _Atomic bool is_gone; /* the MTA hung up */

    /* a thread's while it runs */
    enum job job;
    int fd; /* of io */
    bool may_send; /* nothing is on its way to the socket through the loop */
    struct evbuffer *batch; /* bytes to read packets from */
    struct commands *commands;
    enum commands_state result;
};

struct connection *connection_next(const struct connection *connection)
{
    return connection->next;
}

/* ---- on a thread ---- */

/* The packet at the start; its bytes stay there until they are drained. */
static enum wire_state next_packet(struct evbuffer *in, struct milter_packet *packet, size_t *used)
{
    unsigned char head[HEAD];

    if (evbuffer_copyout(in, head, HEAD) < HEAD)
        return WIRE_MORE;
    size_t length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (length <= MILTER_PACKET_MAX && evbuffer_get_length(in) < HEAD + length)
        return WIRE_MORE;
    size_t whole = length <= MILTER_PACKET_MAX ? HEAD + length : HEAD;
    const char *bytes = (const char *)evbuffer_pullup(in, (ev_ssize_t)whole);
    if (bytes == NULL)
        return WIRE_BAD;
    return milter_packet_read((struct slice){ bytes, whole }, packet, used);
}

static enum commands_state run_packets(struct connection *connection)
{
    enum commands_state state = COMMANDS_GO_ON;
    struct milter_packet packet;
    size_t used;

    while (state == COMMANDS_GO_ON && !atomic_load(&connection->is_gone)) {
        switch (next_packet(connection->batch, &packet, &used)) {
        case WIRE_MORE:
            return COMMANDS_GO_ON;
        case WIRE_BAD:
            log_info("milter: closing a connection: a packet of no length, or too large");
            metric_add(connection->home->shared->metrics.bad_packets, 1);
            return COMMANDS_CLOSE;
        case WIRE_DONE:
            state = commands_run(connection->commands, &packet);
            evbuffer_drain(connection->batch, used);
        }
    }
    return state;
}

static void come_back(struct worker *worker, void *arg);

/* The last thing a thread does with it. */
static void go_back(struct connection *connection)
{
    static const struct timespec moment = { 0, 10000000 };

    while (worker_post(connection->home->worker, come_back, connection)) {
        log_error("out of memory: a milter connection waits");
        nanosleep(&moment, NULL);
    }
}

/* What the kernel takes at once of the answers goes from here, which spares the loop and the way back. True: all of it. */
static bool send_answers(struct connection *connection)
{
    struct buf *output = commands_output(connection->commands);

    if (!connection->may_send || output->len == 0)
        return false;
    ssize_t sent = send(connection->fd, output->data, output->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
        buf_consume(output, (size_t)sent); /* an error is the loop's to see */
    return sent > 0 && output->len == 0;
}

static enum commands_state run_all(struct connection *connection)
{
    enum commands_state state = run_packets(connection);

    while (state == COMMANDS_SENT && send_answers(connection)) {
        commands_sent(connection->commands, true);
        state = run_packets(connection);
    }
    return state;
}

static void run_job(struct pool_task *task)
{
    struct connection *connection = (struct connection *)task;

    switch (connection->job) {
    case RUN_PACKETS:
        connection->result = run_all(connection);
        break;
    case SAY_SENT:
    case SAY_LOST:
        commands_sent(connection->commands, connection->job == SAY_SENT);
        connection->result = COMMANDS_GO_ON;
        break;
    case LET_GO:
        commands_free(&connection->commands);
        break;
    }
    go_back(connection);
}

static void send_progress(UNUSED struct worker *worker, void *arg)
{
    static const char packet[] = { 0, 0, 0, 1, MILTER_SAYS_PROGRESS };
    struct connection *connection = arg;

    if (connection->io != NULL)
        bufferevent_write(connection->io, packet, sizeof packet);
}

/* While a hook waits: the connection stays where it is until its thread comes back. */
static int say_progress(void *carrier, bool may_say)
{
    struct connection *connection = carrier;

    if (atomic_load(&connection->is_gone))
        return -1;
    if (!may_say)
        return 0;
    connection->may_send = false; /* or the answer could overtake it */
    return worker_post(connection->home->worker, send_progress, connection);
}

/* ---- on the loop ---- */

/* Is there nothing more for the kernel to take? */
static bool is_flushed(const struct connection *connection)
{
    return evbuffer_get_length(bufferevent_get_output(connection->io)) == 0;
}

static void hand_over(struct connection *connection, enum job job, enum state state)
{
    connection->job = job;
    connection->state = state;
    connection->may_send = connection->io != NULL && is_flushed(connection);
    pool_run(connection->home->shared->pool, &connection->task);
}

/* The socket now, the rest when the session has been let go of. */
static void begin_closing(struct connection *connection)
{
    if (connection->io != NULL)
        bufferevent_free(connection->io);
    connection->io = NULL;
    hand_over(connection, LET_GO, CLOSING);
}

static void finish_closing(struct connection *connection)
{
    struct connections *home = connection->home;

    *(connection->previous == NULL ? &home->first : &connection->previous->next) = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    evbuffer_free(connection->batch);
    free(connection);
    worker_connection_closed(home->worker);
}

static bool has_packet(const struct connection *connection)
{
    unsigned char head[HEAD];

    if (evbuffer_copyout(connection->batch, head, HEAD) < HEAD)
        return false;
    size_t length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    return length > MILTER_PACKET_MAX || evbuffer_get_length(connection->batch) >= HEAD + length;
}

/* What is next, when no thread has it. */
static void go_on(struct connection *connection)
{
    if (atomic_load(&connection->is_gone)) {
        begin_closing(connection);
        return;
    }
    connection->state = IDLE;
    if (evbuffer_get_length(bufferevent_get_output(connection->io)) > OUTPUT_MAX)
        return; /* on_writable() comes back here */
    if (bufferevent_read_buffer(connection->io, connection->batch) == 0 && has_packet(connection)) {
        hand_over(connection, RUN_PACKETS, RUNNING);
        return;
    }
    if (connection->home->is_draining && commands_are_idle(connection->commands))
        begin_closing(connection);
}

static void send_output(struct connection *connection)
{
    struct buf *output = commands_output(connection->commands);

    if (output->len > 0 && bufferevent_write(connection->io, output->data, output->len))
        atomic_store(&connection->is_gone, true);
    buf_free(output);
}

/* A thread has done its job. */
static void come_back(UNUSED struct worker *worker, void *arg)
{
    struct connection *connection = arg;

    if (connection->state == CLOSING) {
        finish_closing(connection);
        return;
    }
    if (!atomic_load(&connection->is_gone))
        send_output(connection);
    if (connection->result == COMMANDS_SENT) {
        connection->state = FLUSHING;
        if (atomic_load(&connection->is_gone))
            hand_over(connection, SAY_LOST, RUNNING);
    } else if (connection->result == COMMANDS_CLOSE) {
        atomic_store(&connection->is_gone, true);
        begin_closing(connection);
    } else {
        go_on(connection);
    }
}

static void on_readable(UNUSED struct bufferevent *io, void *arg)
{
    struct connection *connection = arg;

    if (connection->state == IDLE)
        go_on(connection);
}

/* The kernel has taken everything. */
static void on_writable(UNUSED struct bufferevent *io, void *arg)
{
    struct connection *connection = arg;

    if (connection->state == FLUSHING && is_flushed(connection))
        hand_over(connection, SAY_SENT, RUNNING);
    else if (connection->state == IDLE)
        go_on(connection);
}

/* The MTA has hung up, or says or takes nothing for too long. */
static void on_event(struct bufferevent *io, short what, void *arg)
{
    struct connection *connection = arg;

    if ((what & BEV_EVENT_TIMEOUT) && (what & BEV_EVENT_READING) && connection->state == RUNNING) {
        bufferevent_enable(io, EV_READ); /* it waits for us */
        return;
    }
    atomic_store(&connection->is_gone, true);
    if (connection->state == FLUSHING)
        hand_over(connection, SAY_LOST, RUNNING);
    else if (connection->state == IDLE)
        begin_closing(connection);
}

void connection_drain(struct connection *connection)
{
    if (connection->state == IDLE && commands_are_idle(connection->commands))
        begin_closing(connection);
}

/* ---- a new one ---- */

static bool set_up_io(struct connection *connection)
{
    const struct connections *home = connection->home;
    struct bufferevent *io = connection->io;
    struct timeval space;
    const struct timeval *timeout =
        worker_timeout(home->worker, home->shared->idle_timeout_ms, &space);

    bufferevent_setcb(io, on_readable, on_writable, on_event, connection);
    bufferevent_setwatermark(io, EV_READ, 0, INPUT_MAX);
    bufferevent_set_max_single_read(io, READ_AT_ONCE);
    return bufferevent_set_timeouts(io, timeout, timeout) == 0 &&
           bufferevent_enable(io, EV_READ) == 0;
}

static struct connection *connection_new(struct connections *home)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL)
        return NULL;
    connection->task.run = run_job;
    connection->home = home;
    connection->batch = evbuffer_new();
    connection->commands = commands_new(home->shared, home->worker, say_progress, connection);
    if (connection->batch != NULL && connection->commands != NULL)
        return connection;
    if (connection->batch != NULL)
        evbuffer_free(connection->batch);
    commands_free(&connection->commands); /* no hook has heard of it */
    free(connection);
    return NULL;
}

void connection_open(struct connections *home, int fd)
{
    struct bufferevent *io =
        bufferevent_socket_new(worker_base(home->worker), fd, BEV_OPT_CLOSE_ON_FREE);
    struct connection *connection = io == NULL ? NULL : connection_new(home);

    if (connection == NULL) {
        log_error("out of memory: a milter connection is closed");
        if (io != NULL)
            bufferevent_free(io);
        else
            close(fd);
        worker_connection_closed(home->worker);
        return;
    }
    connection->io = io;
    connection->fd = fd;
    connection->next = home->first;
    if (home->first != NULL)
        home->first->previous = connection;
    home->first = connection;
    if (home->is_draining || !set_up_io(connection))
        begin_closing(connection);
}
