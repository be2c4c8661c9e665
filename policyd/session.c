/* policyd/session.c - see session.h.
 *
 *     IDLE ---request---> DECIDING (or WAITING for a twin's answer) ---answer---> IDLE
 *
 * Bytes are read into the worker's one input buffer; a session has a buffer of its own only while it holds a part of a
 * request, so an idle connection costs little more than its two events.
 *
 * Of the connections that a worker finds readable at once, a few are served before their answers are sent: each answer
 * wakes a process, which would often take the processor from us while the next request is already here. */
#include "policyd/session.h"

#include "common/base/hash.h"
#include "common/observe/log.h"
#include "policyd/inquiry.h"

#include <assert.h>
#include <errno.h>
#include <event2/event_struct.h>
#include <sys/socket.h>
#include <unistd.h>

static_assert((int)ANSWER_REPLY_MAX >= (int)POLICY_REPLY_MAX, "a twin's answer always fits");

enum session_state { SESSION_IDLE, SESSION_DECIDING, SESSION_WAITING };

/* Bytes of answers that may wait to be taken before we read on. */
enum { ANSWERS_AT_ONCE = 8192 };

/* Waits for the answer of a twin that another connection has asked. */
struct twin {
    struct answer_waiter waiter; /* first member */
    struct worker *worker;
    struct session *session; /* the worker's; NULL: it does not wait any more */
    struct buf request; /* to decide it after all, if the twin's answer does not come */
};

struct session {
    struct server *server;
    struct session *next, *previous;
    struct event readable, writable, timer;
    enum session_state state;
    bool is_reading;
    bool is_due; /* among the server's `due` */
    bool is_timed; /* `timer` is pending */
    bool is_partial; /* `in` holds the beginning of a request, and the deadline is that request's */
    bool is_flushing; /* the client does not take its answer: nothing else until it does */
    uint64_t number; /* of the connection, for the answers */
    uint64_t deadline_ms; /* for being idle, sending a request or taking an answer */
    struct buf in; /* part of a request, or what follows the one being decided */
    struct buf out;
    struct inquiry *inquiry;
    struct twin *twin;
};

static void session_resume(struct session *session);

static void due_remove(struct server *server, const struct session *session)
{
    for (size_t i = 0; i < server->due_count; i++)
        if (server->due[i] == session) {
            server->due[i] = server->due[--server->due_count];
            return;
        }
}

static void session_close(struct session *session)
{
    struct server *server = session->server;
    int fd = event_get_fd(&session->readable);

    if (session->inquiry != NULL)
        inquiry_abandon(session->inquiry);
    if (session->twin != NULL)
        session->twin->session = NULL; /* freed when it is woken */
    if (session->is_due)
        due_remove(server, session);
    event_del(&session->readable);
    event_del(&session->writable);
    event_del(&session->timer);
    close(fd);
    *(session->previous == NULL ? &server->sessions : &session->previous->next) = session->next;
    if (session->next != NULL)
        session->next->previous = session->previous;
    buf_free(&session->in);
    buf_free(&session->out);
    free(session);
    worker_connection_closed(server->worker);
}

static void reading(struct session *session, bool is_wanted)
{
    if (session->is_reading == is_wanted)
        return;
    session->is_reading = is_wanted;
    if (is_wanted)
        event_add(&session->readable, NULL);
    else
        event_del(&session->readable);
}

/* ---- time ---- */

static void timer_arm(struct session *session, uint64_t ms)
{
    struct timeval space;

    session->is_timed = true;
    event_add(&session->timer, worker_timeout(session->server->worker, ms, &space));
}

/* Requests only move the deadline; the timer looks at it when it fires, and is set anew only to fire earlier. */
static void deadline_set(struct session *session, uint64_t ms)
{
    uint64_t before = session->deadline_ms;

    session->deadline_ms = server_now(session->server) + ms;
    if (session->deadline_ms < before || !session->is_timed)
        timer_arm(session, ms);
}

static void session_timer(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct session *session = arg;
    uint64_t now = server_now(session->server);

    session->is_timed = false;
    if (now < session->deadline_ms) {
        timer_arm(session, session->deadline_ms - now);
        return;
    }
    if (session->state != SESSION_IDLE && !session->is_flushing)
        return; /* the inquiry has a budget of its own; the timer is set again after it */
    if (session->in.len > 0 || session->is_flushing)
        metric_add(session->server->policyd->metrics.slow_clients, 1);
    session_close(session);
}

static void deadline_renew(struct session *session)
{
    const struct policyd_config *config = server_policy(session->server)->parts.config;
    bool is_busy = session->in.len > 0 || session->is_flushing;

    deadline_set(session, is_busy ? config->request_timeout : config->idle_timeout);
}

/* ---- answering ---- */

/* Sends what is in `out`, or leaves it to session_writable(). False: the session is closed. */
static bool session_flush(struct session *session)
{
    while (session->out.len > 0) {
        ssize_t sent = send(event_get_fd(&session->readable), session->out.data, session->out.len,
                            MSG_NOSIGNAL);
        if (sent > 0) {
            buf_consume(&session->out, (size_t)sent);
        } else if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            session->is_flushing = true;
            reading(session, false);
            event_add(&session->writable, NULL);
            deadline_renew(session);
            return true;
        } else if (sent == 0 || errno != EINTR) {
            session_close(session);
            return false;
        }
    }
    buf_free(&session->out);
    session->is_flushing = false;
    return true;
}

static void session_writable(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct session *session = arg;

    if (session_flush(session) && !session->is_flushing && session->state == SESSION_IDLE)
        session_resume(session);
}

/* Puts an answer into `out`; it is sent when the input is used up. */
static void session_answer(struct session *session, struct slice reply)
{
    metric_add(session->server->policyd->metrics.answers, 1);
    if (policy_reply(&session->out, reply))
        log_error("out of memory: a request stays without an answer");
}

/* ---- deciding ---- */

static void session_decided(void *owner, struct slice reply)
{
    struct session *session = owner;

    session->inquiry = NULL;
    session->state = SESSION_IDLE;
    session_answer(session, reply);
    session_resume(session);
}

/* True when the answer is in `out` already; otherwise session_decided() will be called. */
static bool session_decide(struct session *session, const struct policy_request *req,
                           const struct answer_key *key)
{
    char space[POLICY_REPLY_MAX + 1];
    struct buf reply = BUF_OVER(space);

    session->inquiry = inquiry_start(session->server, req, key, &reply, session_decided, session);
    session->state = session->inquiry == NULL ? SESSION_IDLE : SESSION_DECIDING;
    if (session->state == SESSION_IDLE)
        session_answer(session, buf_slice(&reply));
    return session->state == SESSION_IDLE;
}

/* ---- waiting for a twin ---- */

static void twin_free(struct twin *twin)
{
    buf_free(&twin->request);
    free(twin);
}

/* The twin's answer is there, or it gave up and we decide ourselves. True when the answer is in `out`. */
static bool twin_answers(struct session *session, struct twin *twin)
{
    struct policy_request req;
    size_t used;

    if (twin->waiter.reply_len > 0) {
        metric_add(session->server->policyd->metrics.repeated, 1);
        session->state = SESSION_IDLE;
        session_answer(session, (struct slice){ twin->waiter.reply, twin->waiter.reply_len });
        return true;
    }
    policy_parse(buf_slice(&twin->request), &req, &used); /* it could be parsed before */
    return session_decide(session, &req, NULL);
}

static void twin_arrived(UNUSED struct worker *worker, void *arg)
{
    struct twin *twin = arg;
    struct session *session = twin->session;

    if (session != NULL) {
        session->twin = NULL;
        if (twin_answers(session, twin))
            session_resume(session);
    }
    twin_free(twin);
}

static void twin_dropped(UNUSED struct worker *worker, void *arg)
{
    twin_free(arg);
}

/* Any thread. */
static void twin_wake(struct answer_waiter *waiter)
{
    struct twin *twin = (struct twin *)waiter;

    if (worker_post_or(twin->worker, twin_arrived, twin_dropped, twin))
        log_error("out of memory: a waiting connection gets no answer");
}

static struct twin *twin_new(struct session *session, const struct policy_request *req)
{
    struct twin *twin = calloc(1, sizeof *twin);

    if (twin == NULL)
        return NULL;
    twin->waiter.wake = twin_wake;
    twin->worker = session->server->worker;
    twin->session = session;
    twin->request = (struct buf)BUF_INIT(POLICY_REQUEST_MAX);
    if (buf_add(&twin->request, req->raw)) {
        twin_free(twin);
        return NULL;
    }
    return twin;
}

/* ---- requests ---- */

static struct answer_key answer_key_of(const struct session *session,
                                       const struct policy_request *req)
{
    const struct snapshot *snapshot = worker_snapshot(session->server->worker);
    uint64_t parts[2] = { policy_request_hash(req, server_policy(session->server)->reads_context),
                          snapshot_generation(snapshot) };

    return (struct answer_key){
        .hash = hash_keyed((struct slice){ (const char *)parts, sizeof parts }),
        .connection = session->number,
        .has_instance = req->attr[ATTR_INSTANCE].len > 0,
    };
}

/* Waits for the twin's answer, if it is still being decided when we ask again. */
static enum answer_state twin_await(struct session *session, const struct policy_request *req,
                                    const struct answer_key *key, struct buf *reply)
{
    struct server *server = session->server;
    struct twin *twin = twin_new(session, req);

    if (twin == NULL)
        return ANSWER_NEW;
    enum answer_state state =
        answers_ask(server->policyd->answers, key, server_now(server), &twin->waiter, reply);
    if (state == ANSWER_PENDING) {
        session->twin = twin;
        session->state = SESSION_WAITING;
    } else {
        twin_free(twin);
    }
    return state;
}

/* True when the answer is in `out`; false when it will come later. */
static bool session_request(struct session *session, const struct policy_request *req)
{
    struct server *server = session->server;
    struct answer_key key = answer_key_of(session, req);
    char space[POLICY_REPLY_MAX + 1];
    struct buf reply = BUF_OVER(space);

    metric_add(server->policyd->metrics.requests, 1);
    enum answer_state state =
        answers_ask(server->policyd->answers, &key, server_now(server), NULL, &reply);
    if (state == ANSWER_PENDING)
        state = twin_await(session, req, &key, &reply);
    if (state == ANSWER_NEW)
        return session_decide(session, req, &key);
    if (state == ANSWER_PENDING)
        return false;
    metric_add(server->policyd->metrics.repeated, 1);
    session_answer(session, buf_slice(&reply));
    return true;
}

/* ---- reading ---- */

static void session_bad(struct session *session)
{
    metric_add(session->server->policyd->metrics.bad_requests, 1);
    log_warning("a client sent what is no policy request; its connection is closed");
    if (session_flush(session)) /* what was owed to it before that */
        session_close(session);
}

/* All that could be answered is in `out`: sends it; then reads on, waits for what it needs, or closes the session. */
static void session_settle(struct session *session)
{
    if (!session_flush(session) || session->is_flushing)
        return;
    if (session->state != SESSION_IDLE) {
        reading(session, false);
    } else if (session->server->is_draining) {
        session_close(session);
    } else {
        if (!session->is_partial)
            deadline_renew(session); /* a part that has begun keeps its own, however it drips */
        session->is_partial = session->in.len > 0;
        reading(session, true);
    }
}

static void settle_due(struct server *server)
{
    struct session *due[SESSIONS_DUE];
    size_t count = server->due_count;

    server->due_count = 0;
    for (size_t i = 0; i < count; i++) {
        due[i] = server->due[i];
        due[i]->is_due = false;
    }
    for (size_t i = 0; i < count; i++)
        session_settle(due[i]); /* which closes no other one */
}

static void settle_event(UNUSED evutil_socket_t fd, UNUSED short what, void *server)
{
    settle_due(server);
}

/* The session is settled, and perhaps closed, when a few are due; at the latest before the worker waits again. */
static void settle_later(struct session *session)
{
    struct server *server = session->server;

    if (session->is_due)
        return;
    if (server->due_count == 0)
        event_active(server->settle, EV_TIMEOUT, 0);
    session->is_due = true;
    server->due[server->due_count++] = session;
    if (server->due_count == COUNT(server->due))
        settle_due(server);
}

/* Answers the whole requests in `input`, which is not the session's own buffer, and keeps the rest. The session may be
 * closed by that. */
static void session_consume(struct session *session, struct slice input)
{
    struct policy_request req;
    size_t used;

    while (session->state == SESSION_IDLE && input.len > 0) {
        if (session->out.len >= ANSWERS_AT_ONCE && !session_flush(session))
            return;
        if (session->is_flushing)
            break;
        enum proto_result got = policy_parse(input, &req, &used);
        if (got == PROTO_BAD) {
            session_bad(session);
            return;
        }
        if (got == PROTO_MORE)
            break;
        input = slice_skip(input, used);
        session->is_partial = false;
        session_request(session, &req);
    }
    if (buf_add(&session->in, input)) {
        session_close(session);
        return;
    }
    settle_later(session);
}

/* Goes on with what has been read already. */
static void session_resume(struct session *session)
{
    AUTO_BUF in = session->in;

    session->in = (struct buf)BUF_INIT(POLICY_REQUEST_MAX);
    session_consume(session, buf_slice(&in));
}

/* Takes what has arrived; the session may be closed by that. False: there is nothing. */
static bool session_read(struct session *session)
{
    struct server *server = session->server;
    int fd = event_get_fd(&session->readable);
    size_t room =
        sizeof server->input - session->in.len; /* never 0: a full buffer was answered or closed */
    ssize_t got = recv(fd, server->input, room, 0);

    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return false;
    if (got <= 0) {
        session_close(session);
        return true;
    }
    struct slice input = { server->input, (size_t)got };
    if (session->in.len == 0) {
        session_consume(session, input);
    } else if (buf_add(&session->in, input) == 0) {
        session_resume(session);
    } else {
        session_close(session);
    }
    return true;
}

static void session_readable(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    session_read(arg);
}

/* ---- beginning and end ---- */

bool sessions_open(struct server *server)
{
    server->settle = event_new(worker_base(server->worker), -1, 0, settle_event, server);
    return server->settle != NULL;
}

void session_start(struct server *server, int fd)
{
    struct session *session = calloc(1, sizeof *session);

    if (session == NULL) {
        close(fd);
        worker_connection_closed(server->worker);
        return;
    }
    session->server = server;
    session->number = __atomic_add_fetch(&server->policyd->connections, 1, __ATOMIC_RELAXED);
    session->in = (struct buf)BUF_INIT(POLICY_REQUEST_MAX);
    session->out = (struct buf)BUF_INIT(ANSWERS_AT_ONCE + 2 * POLICY_REPLY_MAX);
    struct event_base *base = worker_base(server->worker);
    event_assign(&session->readable, base, fd, EV_READ | EV_PERSIST, session_readable, session);
    event_assign(&session->writable, base, fd, EV_WRITE, session_writable, session);
    event_assign(&session->timer, base, -1, 0, session_timer, session);
    session->next = server->sessions;
    if (session->next != NULL)
        session->next->previous = session;
    server->sessions = session;
    deadline_renew(session);
    reading(session, true);
}

void sessions_drain(struct server *server)
{
    server->is_draining = true;
    settle_due(server);
    for (struct session *session = server->sessions, *next; session != NULL; session = next) {
        next = session->next;
        if (session->state != SESSION_IDLE || session->is_flushing)
            continue;
        if (!session_read(session)) /* a request that is there by now is still answered */
            session_close(session);
    }
}

void sessions_close(struct server *server)
{
    while (server->sessions != NULL)
        session_close(server->sessions);
    if (server->settle != NULL)
        event_free(server->settle);
    server->settle = NULL;
}
