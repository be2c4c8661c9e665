/* common/milter/session.c - a connection's clients, and answers: see milter_private.h and milter.h. Knows no packets. */
#include "common/milter/session_impl.h"

enum { CLIENT_BYTES_MAX = 256 << 10 };

struct worker *milter_session_worker(const struct milter_session *session)
{
    return session->worker;
}

const struct message_client *milter_session_client(const struct milter_session *session)
{
    return &session->client;
}

void *milter_session_state(const struct milter_session *session)
{
    return session->state;
}

void milter_session_set_state(struct milter_session *session, void *state)
{
    session->state = state;
}

struct message *milter_session_message(const struct milter_session *session)
{
    return session->message;
}

int milter_session_progress(struct milter_session *session)
{
    return session->link->progress(session->carrier, session->is_ending);
}

void session_set_leading_space(struct milter_session *session, bool has_leading_space)
{
    session->has_leading_space = has_leading_space;
}

/* ---- answers that come later ---- */

void milter_session_answer(struct milter_session *session, const struct milter_reply *reply)
{
    session->answer = *reply;
    session->is_answered = true;
    session->link->wake(session->carrier);
}

struct milter_reply milter_session_on_thread(struct milter_session *session, milter_work *work)
{
    session->work = work;
    session->link->wake(session->carrier);
    return (struct milter_reply){ .action = MILTER_LATER };
}

enum milter_action session_after(struct milter_session *session, struct milter_reply reply,
                                 session_then *then)
{
    if (reply.action != MILTER_LATER)
        return then(session, &reply);
    session->then = then;
    return MILTER_LATER;
}

bool session_has_work(const struct milter_session *session)
{
    return session->work != NULL;
}

void session_work(struct milter_session *session)
{
    milter_work *work = session->work;

    session->work = NULL;
    struct milter_reply reply = work(session);
    if (reply.action == MILTER_LATER)
        return; /* its answer may be there already */
    session->answer = reply;
    session->is_answered = true;
}

bool session_is_answered(const struct milter_session *session)
{
    return session->is_answered;
}

enum milter_action session_go_on(struct milter_session *session)
{
    session->is_answered = false;
    return session->then(session, &session->answer);
}

/* ---- answers ---- */

bool session_is_refusal(enum milter_action action)
{
    return action == MILTER_REJECT || action == MILTER_TEMPFAIL;
}

void milter_reply_print(struct buf *text, const struct milter_reply *reply)
{
    bool is_reject = reply->action == MILTER_REJECT;
    struct slice enhanced = reply->reply.enhanced;
    unsigned code = reply->reply.code;

    if (code < 400 || code > 599 || (code >= 500) != is_reject)
        code = is_reject ? 554 : 451;
    if (!reply_is_enhanced_code(enhanced) || enhanced.ptr[0] != (is_reject ? '5' : '4'))
        enhanced = is_reject ? SLICE("5.7.1") : SLICE("4.7.1");
    buf_printf(text, "%u %.*s ", code, SLICE_ARG(enhanced));
    if (reply->reply.text.len > 0)
        reply_escape(text, reply->reply.text);
    else
        buf_put(text, is_reject ? "Message refused" : "Try again later");
}

void session_set_reply(struct milter_session *session, const struct milter_reply *reply)
{
    AUTO_BUF text = BUF_INIT(REPLY_MAX);

    milter_reply_print(&text, reply);
    session->link->reply(session->carrier, &text);
}

/* What a hook said of the whole connection. */
static enum milter_action answer(struct milter_session *session, const struct milter_reply *reply)
{
    if (session_is_refusal(reply->action))
        session_set_reply(session, reply);
    session->is_passed |= reply->action == MILTER_ACCEPT;
    return reply->action == MILTER_DISCARD ? MILTER_CONTINUE : reply->action;
}

/* ---- the connection ---- */

void session_refresh(struct milter_session *session, struct arena *arena, const char *name,
                     struct slice *value)
{
    struct slice text = session->link->macro(session->carrier, name);

    if (text.len > 0 && !slice_equal(*value, text))
        *value = arena_copy(arena, text);
}

struct milter_session *session_new(const struct milter_shared *shared, struct worker *worker,
                                   const struct session_link *link, void *carrier)
{
    struct milter_session *session = calloc(1, sizeof *session);

    if (session == NULL)
        return NULL;
    session->shared = shared;
    session->worker = worker;
    session->link = link;
    session->carrier = carrier;
    session->arena = arena_new(CLIENT_BYTES_MAX);
    if (session->arena == NULL) {
        free(session);
        return NULL;
    }
    metric_add(shared->metrics.sessions, 1);
    return session;
}

void session_reset(struct milter_session *session)
{
    session_abort(session);
    if (session->is_known && session->shared->hooks->disconnect != NULL)
        session->shared->hooks->disconnect(session);
    session->is_known = session->is_passed = false;
    session->client = (struct message_client){ 0 };
    arena_reset(session->arena);
}

void session_free(struct milter_session **session)
{
    struct milter_session *gone = *session;

    *session = NULL;
    if (gone == NULL)
        return;
    session_reset(gone);
    arena_free(&gone->arena);
    free(gone);
}

void session_read_macros(struct milter_session *session)
{
    struct message_client *client = &session->client;
    const struct {
        const char *name;
        struct slice *value;
    } wanted[] = {
        { "j", &client->myhostname },
        { "daemon_name", &client->daemon_name },
        { "daemon_addr", &client->daemon_address },
        { "daemon_port", &client->daemon_port },
        { "tls_version", &client->tls_version },
        { "cipher", &client->tls_cipher },
        { "cipher_bits", &client->tls_cipher_bits },
        { "cert_subject", &client->tls_cert_subject },
    };

    for (size_t i = 0; i < COUNT(wanted); i++)
        session_refresh(session, session->arena, wanted[i].name, wanted[i].value);
}

enum milter_action session_connect(struct milter_session *session,
                                   const struct session_client *client)
{
    session_reset(session);
    session->is_known = true;
    session->client.name = arena_copy(session->arena, client->name);
    session->client.port = client->port;
    session->client.has_address = ip_address_parse(client->address, &session->client.address);
    session_read_macros(session);
    if (session->shared->hooks->connect == NULL)
        return MILTER_CONTINUE;
    return session_after(session, session->shared->hooks->connect(session), answer);
}

/* Without a client there is nobody to ask hooks about, here and at MAIL: the state that they need is made at connect. */
enum milter_action session_helo(struct milter_session *session, struct slice name)
{
    session_abort(session);
    session->client.helo = arena_copy(session->arena, name);
    session_read_macros(session);
    if (session->shared->hooks->helo == NULL || session->is_passed || !session->is_known)
        return MILTER_CONTINUE;
    return session_after(session, session->shared->hooks->helo(session), answer);
}
