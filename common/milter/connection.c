/* common/milter/connection.c - one connection of an MTA, on its worker's loop; threads of the pool do for it what has to wait.
 *
 *     IDLE --a packet is whole: it is run--> IDLE
 *      |  |                            |
 *      |  |                            +--no answer yet--> WAITING --it is there--> IDLE, FLUSHING
 *      |  |                            |                    |    ^
 *      |  |                            |                    v    | work that makes the answer
 *      |  +--the body goes to the disk-----------------> ON_THREAD
 *      |                               |
 *      |                               +--the end of a message is answered--> FLUSHING --the kernel has all of it, or the MTA
 *      |                                                                         is gone: the session is told--> IDLE
 *      +--QUIT, not the protocol, hung up, idle for too long, draining--> freed
 *
 * All of them read into one buffer of the worker; a connection has one of its own only for what cannot be run yet. While a
 * thread runs packets it has them, the commands and the session; while it makes an answer, the session. The rest, and all
 * else at any time, is the loop's, but for `is_gone`, which a thread may look at. */
#include <errno.h>
#include <event2/event_struct.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/milter/milter_private.h"
#include "common/observe/log.h"

enum {
    INPUT_MAX = MILTER_PACKET_MAX + CONNECTION_READ, /* one packet, and what has come behind it */
    OUTPUT_MAX = 64 << 10, /* answers not taken yet, at which no more commands are */
    OUTPUT_KEPT = 1 << 10, /* memory for answers that an idle connection may keep */
    INPUT_STEP = 16 << 10, /* by which a buffer of a connection's own grows */
    STEPS_AT_ONCE = 1000, /* then other connections have their turn */
};

enum state { IDLE, WAITING, ON_THREAD, FLUSHING };
enum job { RUN_PACKETS, MAKE_ANSWER };

struct connection {
    struct pool_task task; /* first member */
    struct connections *home;
    struct connection *next, *previous;
    int fd; /* -1: closed */
    struct event readable, writable, soon; /* `soon`: go_on() */
    enum state state;
    _Atomic bool is_gone; /* the MTA hung up, or nothing more is to be said */
    bool is_told; /* the session has been told so */
    struct buf input; /* what could not be run yet */
    size_t lent; /* bytes of it that a thread has */
    struct slice
        rest; /* what is to be run; in `input` or the worker's buffer, between two turns nothing */
    struct commands *commands;

    /* a thread's while it runs */
    enum job job;
    struct buf batch; /* bytes to run packets from */
    enum commands_state result;
};

struct connection *connection_next(const struct connection *connection)
{
    return connection->next;
}

/* ---- on a thread ---- */

/* Those that have to wait for the disk; those behind them are the loop's. */
static enum commands_state run_batch(struct connection *connection)
{
    struct slice rest = buf_slice(&connection->batch);
    enum commands_state state = COMMANDS_GO_ON;
    struct milter_packet packet;
    size_t used;

    while (state == COMMANDS_GO_ON && !atomic_load(&connection->is_gone) &&
           milter_packet_read(rest, &packet, &used) == WIRE_DONE &&
           commands_waits(connection->commands, &packet)) {
        state = commands_run(connection->commands, &packet);
        rest = slice_skip(rest, used);
    }
    buf_consume(&connection->batch, connection->batch.len - rest.len);
    return state;
}

static void come_back(struct worker *worker, void *arg);

static void run_job(struct pool_task *task)
{
    static const struct timespec moment = { 0, 10000000 };
    struct connection *connection = (struct connection *)task;

    if (connection->job == RUN_PACKETS) {
        connection->result = run_batch(connection);
    } else {
        commands_work(connection->commands);
        connection->result = COMMANDS_LATER; /* the answer is taken on the loop */
    }
    while (worker_post(connection->home->worker, come_back, connection)) {
        log_error("out of memory: a milter connection waits");
        nanosleep(&moment, NULL);
    }
}

/* ---- on the loop: the socket ---- */

static const struct timeval *idle_timeout(const struct connection *connection,
                                          struct timeval *space)
{
    const struct connections *home = connection->home;

    return worker_timeout(home->worker, home->shared->idle_timeout_ms, space);
}

static void hang_up(struct connection *connection)
{
    atomic_store(&connection->is_gone, true);
    event_del(&connection->readable); /* the end of its input is there for ever */
}

/* What the kernel does not take now it takes when the socket says so. */
static void send_output(struct connection *connection)
{
    struct buf *output = commands_output(connection->commands);
    struct timeval space;

    if (output->len == 0 || event_pending(&connection->writable, EV_WRITE, NULL))
        return;
    ssize_t sent = send(connection->fd, output->data, output->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        hang_up(connection);
        return;
    }
    buf_consume(output, sent < 0 ? 0 : (size_t)sent);
    if (output->len > 0)
        event_add(&connection->writable, idle_timeout(connection, &space));
    else if (output->cap > OUTPUT_KEPT)
        buf_free(output);
}

/* The end of its input is there, perhaps behind what has not been read: a TCP socket would take an answer all the same. */
static bool has_hung_up(const struct connection *connection)
{
    struct pollfd socket = { .fd = connection->fd, .events = POLLRDHUP };

    return poll(&socket, 1, 0) > 0;
}

static bool is_flushed(const struct connection *connection)
{
    return commands_output(connection->commands)->len == 0;
}

/* Into the worker's buffer when it can be run at once; else behind what there is. */
static void receive(struct connection *connection)
{
    struct buf *input = &connection->input;
    size_t held = connection->lent + input->len;
    bool is_shared = input->len == 0 && connection->state == IDLE;
    char *space = connection->home->space;
    size_t room = CONNECTION_READ;

    if (!is_shared && held >= INPUT_MAX) {
        event_del(&connection->readable); /* until keep_rest() has made room */
        return;
    }
    if (!is_shared) {
        size_t left = INPUT_MAX - held;
        if (buf_reserve(input, left < INPUT_STEP ? left : INPUT_STEP)) {
            log_error("out of memory: a milter connection is closed");
            hang_up(connection);
            return;
        }
        space = input->data + input->len;
        room = input->cap - input->len < left ? input->cap - input->len : left;
    }
    ssize_t got = recv(connection->fd, space, room, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        hang_up(connection);
    else if (got > 0 && is_shared)
        connection->rest = (struct slice){ space, (size_t)got };
    else if (got > 0)
        input->len += (size_t)got;
}

/* ---- on the loop: what is to be run ---- */

/* The worker's buffer is needed for others. */
static void keep_rest(struct connection *connection)
{
    struct slice rest = connection->rest;
    struct buf *input = &connection->input;
    struct timeval space;

    connection->rest = (struct slice){ NULL, 0 };
    if (rest.len == 0)
        buf_free(input);
    else if (input->len > 0)
        buf_consume(input, input->len - rest.len);
    else if (buf_add(input, rest))
        hang_up(connection);
    if (!atomic_load(&connection->is_gone) && connection->lent + input->len < INPUT_MAX &&
        !event_pending(&connection->readable, EV_READ, NULL))
        event_add(&connection->readable, idle_timeout(connection, &space));
}

static void hand_over(struct connection *connection, enum job job)
{
    connection->job = job;
    connection->state = ON_THREAD;
    if (job == RUN_PACKETS) {
        keep_rest(connection);
        connection->lent = connection->input.len;
        connection->batch = connection->input;
        connection->input = (struct buf)BUF_INIT(INPUT_MAX);
    }
    pool_run(connection->home->shared->pool, &connection->task);
}

/* What came of a step. */
static void take(struct connection *connection, enum commands_state result)
{
    static const enum state states[] = {
        [COMMANDS_GO_ON] = IDLE,
        [COMMANDS_LATER] = WAITING,
        [COMMANDS_SENT] = FLUSHING,
        [COMMANDS_CLOSE] = IDLE,
    };

    connection->state = states[result];
    if (result != COMMANDS_CLOSE)
        return;
    if (!atomic_load(&connection->is_gone))
        send_output(connection);
    hang_up(connection);
}

/* False: there is none. */
static bool run_packet(struct connection *connection)
{
    struct milter_packet packet;
    size_t used;

    switch (milter_packet_read(connection->rest, &packet, &used)) {
    case WIRE_MORE:
        return false;
    case WIRE_BAD:
        log_info("milter: closing a connection: a packet of no length, or too large");
        metric_add(connection->home->shared->metrics.bad_packets, 1);
        take(connection, COMMANDS_CLOSE);
        return true;
    case WIRE_DONE:
        break;
    }
    if (commands_waits(connection->commands, &packet)) {
        hand_over(connection, RUN_PACKETS);
        return true;
    }
    connection->rest = slice_skip(connection->rest, used);
    take(connection, commands_run(connection->commands, &packet));
    return true;
}

/* ---- on the loop: its states; each function goes on, or says false: something has to come first ---- */

static void let_go(struct connection *connection)
{
    struct connections *home = connection->home;

    *(connection->previous == NULL ? &home->first : &connection->previous->next) = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    event_del(&connection->soon);
    commands_free(&connection->commands);
    buf_free(&connection->input);
    buf_free(&connection->batch);
    free(connection);
    worker_connection_closed(home->worker);
}

static void close_socket(struct connection *connection)
{
    if (connection->fd < 0)
        return;
    event_del(&connection->readable);
    event_del(&connection->writable);
    close(connection->fd);
    connection->fd = -1;
}

static bool go_on_idle(struct connection *connection)
{
    if (atomic_load(&connection->is_gone)) {
        close_socket(connection);
        if (connection->is_told)
            return false; /* let_go() */
        connection->is_told = true;
        take(connection, commands_sent(connection->commands, false));
        return true;
    }
    if (commands_output(connection->commands)->len > OUTPUT_MAX) {
        send_output(connection);
        if (!is_flushed(connection))
            return atomic_load(&connection->is_gone);
    }
    if (run_packet(connection))
        return true;
    if (!connection->home->is_draining || !commands_are_idle(connection->commands))
        return false;
    take(connection, COMMANDS_CLOSE);
    return true;
}

static bool go_on_waiting(struct connection *connection)
{
    if (commands_is_answered(connection->commands))
        take(connection, commands_go_on(connection->commands));
    else if (commands_has_work(connection->commands))
        hand_over(connection, MAKE_ANSWER);
    else
        return false;
    return true;
}

static bool go_on_flushing(struct connection *connection)
{
    if (!atomic_load(&connection->is_gone) && has_hung_up(connection))
        hang_up(connection);
    if (!atomic_load(&connection->is_gone))
        send_output(connection);
    if (!atomic_load(&connection->is_gone) && !is_flushed(connection))
        return false;
    take(connection, commands_sent(connection->commands, !atomic_load(&connection->is_gone)));
    return true;
}

static bool step(struct connection *connection)
{
    switch (connection->state) {
    case IDLE:
        return go_on_idle(connection);
    case WAITING:
        return go_on_waiting(connection);
    case FLUSHING:
        return go_on_flushing(connection);
    case ON_THREAD:
        break;
    }
    return false;
}

/* As far as possible; the connection may be gone then. */
static void go_on(struct connection *connection)
{
    size_t steps = 0;
    bool has_more = true;

    if (connection->rest.len == 0)
        connection->rest = buf_slice(&connection->input);
    while (has_more && steps++ < STEPS_AT_ONCE)
        has_more = step(connection);
    if (!has_more && connection->state == IDLE && connection->is_told) {
        let_go(connection);
        return;
    }
    if (!atomic_load(&connection->is_gone) &&
        (connection->state != ON_THREAD || connection->job != RUN_PACKETS))
        send_output(connection);
    keep_rest(connection);
    if (atomic_load(&connection->is_gone)) /* it has hung up just now? */
        has_more = has_more || connection->state == IDLE || connection->state == FLUSHING;
    if (has_more)
        event_active(&connection->soon, EV_TIMEOUT, 1);
}

/* A thread has done its job. */
static void come_back(UNUSED struct worker *worker, void *arg)
{
    struct connection *connection = arg;
    struct buf *batch = &connection->batch;

    if (connection->job == RUN_PACKETS && batch->len > 0) { /* before what has come since */
        if (buf_add(batch, buf_slice(&connection->input)))
            hang_up(connection);
        buf_free(&connection->input);
        connection->input = *batch;
    } else {
        buf_free(batch);
    }
    *batch = (struct buf)BUF_INIT(INPUT_MAX);
    connection->lent = 0;
    take(connection, connection->result);
    go_on(connection);
}

static void on_soon(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    go_on(arg);
}

static void on_readable(UNUSED evutil_socket_t fd, short what, void *arg)
{
    struct connection *connection = arg;

    if (what & EV_READ)
        receive(connection);
    else if (connection->state == IDLE)
        hang_up(connection); /* it has said nothing for too long; else it waits for us */
    go_on(connection);
}

static void on_writable(UNUSED evutil_socket_t fd, short what, void *arg)
{
    if (what & EV_TIMEOUT)
        hang_up(arg); /* it takes nothing */
    go_on(arg);
}

void connection_drain(struct connection *connection)
{
    if (connection->state == IDLE)
        go_on(connection);
}

/* ---- for the session ---- */

/* On the loop; elsewhere the thread's coming back is what it waits for. */
static void wake(void *carrier)
{
    struct connection *connection = carrier;

    if (connection->state == WAITING)
        event_active(&connection->soon, EV_TIMEOUT, 1);
}

static void send_progress(UNUSED struct worker *worker, void *arg)
{
    static const char packet[] = { 0, 0, 0, 1, MILTER_SAYS_PROGRESS };
    struct connection *connection = arg;

    if (atomic_load(&connection->is_gone) ||
        event_pending(&connection->writable, EV_WRITE, NULL)) /* it is still being told something */
        return;
    ssize_t sent = send(connection->fd, packet, sizeof packet, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0 && sent < (ssize_t)sizeof packet)
        hang_up(
            connection); /* it has taken nothing for long, and part of a packet cannot be left */
}

static int say_progress(void *carrier, bool may_say)
{
    struct connection *connection = carrier;

    if (atomic_load(&connection->is_gone))
        return -1;
    if (!may_say)
        return 0;
    return worker_do(connection->home->worker, send_progress, NULL, connection);
}

static const struct commands_link commands_link = { say_progress, wake };

/* ---- a new one ---- */

static struct connection *connection_new(struct connections *home)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL)
        return NULL;
    if (home->space == NULL)
        home->space = malloc(CONNECTION_READ);
    connection->task.run = run_job;
    connection->home = home;
    connection->input = (struct buf)BUF_INIT(INPUT_MAX);
    connection->batch = (struct buf)BUF_INIT(INPUT_MAX);
    connection->commands = commands_new(home->shared, home->worker, &commands_link, connection);
    if (home->space != NULL && connection->commands != NULL)
        return connection;
    commands_free(&connection->commands); /* no hook has heard of it */
    free(connection);
    return NULL;
}

void connection_open(struct connections *home, int fd)
{
    struct connection *connection = connection_new(home);
    struct event_base *base = worker_base(home->worker);
    struct timeval space;

    if (connection == NULL) {
        log_error("out of memory: a milter connection is closed");
        close(fd);
        worker_connection_closed(home->worker);
        return;
    }
    connection->fd = fd;
    event_assign(&connection->readable, base, fd, EV_READ | EV_PERSIST, on_readable, connection);
    event_assign(&connection->writable, base, fd, EV_WRITE, on_writable, connection);
    event_assign(&connection->soon, base, -1, 0, on_soon, connection);
    connection->next = home->first;
    if (home->first != NULL)
        home->first->previous = connection;
    home->first = connection;
    if (home->is_draining || event_add(&connection->readable, idle_timeout(connection, &space))) {
        hang_up(connection);
        go_on(connection);
    }
}
