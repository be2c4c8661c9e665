/* common/milter/session.c - one connection of the MTA: makes messages of what comes, asks the hooks, answers. Knows
 * nothing of libmilter. See milter_private.h and milter.h.
 *
 * What goes wrong where no reply is waited for (a bound, the disk) is kept, and becomes the next reply. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/milter/milter_private.h"
#include "common/observe/log.h"

enum { CLIENT_BYTES_MAX = 1 << 20, ENHANCED_MAX = 16 };

struct milter_session {
    const struct milter_shared *shared;
    const struct milter_link *link;
    void *carrier;
    struct worker *worker;
    void *state; /* the daemon's */
    struct arena *arena; /* of the client's texts */
    struct message_client client;
    struct message *message;
    bool is_negotiated, has_leading_space;
    bool is_passed; /* the connection needs no looking at */
    bool is_known; /* `connect`'s time has come */
    struct milter_reply failure; /* what the message gets at the next chance; CONTINUE: nothing */
};

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
    return session->link->progress(session->carrier);
}

void session_negotiated(struct milter_session *session, bool has_leading_space)
{
    session->is_negotiated = true;
    session->has_leading_space = has_leading_space;
}

/* ---- a message's end ---- */

static void end_message(struct milter_session *session)
{
    const struct milter_shared *shared = session->shared;

    if (session->message == NULL)
        return;
    if (shared->hooks->message_gone != NULL)
        shared->hooks->message_gone(session);
    message_unref(&session->message);
    session->failure = (struct milter_reply){ .action = MILTER_CONTINUE };
    metric_change(shared->metrics.in_flight, -1);
    admission_leave(shared->admission);
}

void session_abort(struct milter_session *session)
{
    if (session->message != NULL)
        metric_add(session->shared->metrics.aborted, 1);
    end_message(session);
}

/* ---- replies ---- */

static void set_reply(struct milter_session *session, const struct milter_reply *reply)
{
    bool is_reject = reply->action == MILTER_REJECT;
    unsigned code = reply->reply.code;
    AUTO_BUF text = BUF_INIT(REPLY_MAX);
    char code_text[8], enhanced[ENHANCED_MAX];

    if (code < 400 || code > 599 || (code >= 500) != is_reject)
        code = is_reject ? 554 : 451;
    snprintf(code_text, sizeof code_text, "%u", code);
    snprintf(enhanced, sizeof enhanced, "%s", is_reject ? "5.7.1" : "4.7.1");
    if (reply_is_enhanced_code(reply->reply.enhanced) &&
        reply->reply.enhanced.ptr[0] == code_text[0])
        snprintf(enhanced, sizeof enhanced, "%.*s", SLICE_ARG(reply->reply.enhanced));
    reply_escape(&text, reply->reply.text);
    if (text.len == 0)
        buf_put(&text, is_reject ? "Message refused" : "Try again later");
    session->link->reply(session->carrier, code_text, enhanced, buf_text(&text));
}

static void count_action(const struct milter_session *session, enum milter_action action)
{
    const struct milter_metrics *metrics = &session->shared->metrics;
    const metric_id ids[] = {
        [MILTER_CONTINUE] = metrics->accepted, [MILTER_ACCEPT] = metrics->accepted,
        [MILTER_REJECT] = metrics->rejected,   [MILTER_TEMPFAIL] = metrics->tempfailed,
        [MILTER_DISCARD] = metrics->discarded,
    };

    metric_add(ids[action], 1);
}

/* The last word on a message. */
static enum milter_action conclude(struct milter_session *session, struct milter_reply reply)
{
    if (reply.action == MILTER_REJECT || reply.action == MILTER_TEMPFAIL)
        set_reply(session, &reply);
    count_action(session, reply.action);
    end_message(session);
    return reply.action;
}

static struct milter_reply tempfail(unsigned code, const char *enhanced, const char *text)
{
    return (struct milter_reply){ MILTER_TEMPFAIL, { code, slice_of(enhanced), slice_of(text) } };
}

static struct milter_reply reply_to_fill(enum message_fill fill)
{
    if (fill == MESSAGE_TOO_MUCH)
        return (struct milter_reply){
            MILTER_REJECT, { 552, SLICE("5.3.4"), SLICE("Message is larger than is handled here") }
        };
    return tempfail(452, "4.3.1", "Insufficient system storage");
}

/* Remembers what went wrong, for the next reply. */
static void note(struct milter_session *session, enum message_fill fill)
{
    if (fill == MESSAGE_OK)
        return;
    session->failure = reply_to_fill(fill);
    metric_add(fill == MESSAGE_TOO_MUCH ? session->shared->metrics.refused_bounds
                                        : session->shared->metrics.spool_errors,
               1);
    const char *why = session->message->body == NULL ? NULL : spool_error(session->message->body);
    log_warning("%.*s: the message is %s: %s", SLICE_ARG(session->message->queue_id),
                fill == MESSAGE_TOO_MUCH ? "refused" : "deferred",
                why != NULL                ? why
                : fill == MESSAGE_TOO_MUCH ? "it has too many recipients, or too large a header"
                                           : "out of memory");
}

static bool has_failed(const struct milter_session *session)
{
    return session->failure.action != MILTER_CONTINUE;
}

/* ---- the connection ---- */

static struct slice macro(struct milter_session *session, struct arena *arena, const char *name)
{
    const char *value = session->link->macro(session->carrier, name);

    return arena_copy(arena, slice_of(value));
}

/* The macro unless it is empty or missing: then what is there stays. */
static void refresh(struct milter_session *session, struct arena *arena, const char *name,
                    struct slice *value)
{
    const char *text = session->link->macro(session->carrier, name);

    if (text != NULL && text[0] != '\0' && !slice_equal(*value, slice_of(text)))
        *value = arena_copy(arena, slice_of(text));
}

struct milter_session *session_new(const struct milter_shared *shared,
                                   const struct milter_link *link, void *carrier)
{
    struct milter_session *session = calloc(1, sizeof *session);

    if (session == NULL)
        return NULL;
    session->shared = shared;
    session->link = link;
    session->carrier = carrier;
    session->arena = arena_new(CLIENT_BYTES_MAX);
    if (session->arena == NULL) {
        free(session);
        return NULL;
    }
    session->worker = shared->choose_worker();
    metric_add(shared->metrics.sessions, 1);
    return session;
}

void session_free(struct milter_session **session)
{
    struct milter_session *gone = *session;

    *session = NULL;
    if (gone == NULL)
        return;
    session_abort(gone);
    if (gone->is_known && gone->shared->hooks->disconnect != NULL)
        gone->shared->hooks->disconnect(gone);
    worker_connection_closed(gone->worker);
    arena_free(&gone->arena);
    free(gone);
}

static void set_address(struct message_client *client, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (address != NULL && address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        client->port = ntohs(in->sin_port);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        client->port = ntohs(in6->sin6_port);
    }
    client->has_address = ip_address_parse(slice_of(text), &client->address);
}

static void read_connection_macros(struct milter_session *session)
{
    struct message_client *client = &session->client;
    const struct {
        const char *name;
        struct slice *value;
    } wanted[] = {
        { "j", &client->myhostname },
        { "{daemon_name}", &client->daemon_name },
        { "{daemon_addr}", &client->daemon_address },
        { "{daemon_port}", &client->daemon_port },
        { "{tls_version}", &client->tls_version },
        { "{cipher}", &client->tls_cipher },
        { "{cipher_bits}", &client->tls_cipher_bits },
        { "{cert_subject}", &client->tls_cert_subject },
    };

    for (size_t i = 0; i < COUNT(wanted); i++)
        refresh(session, session->arena, wanted[i].name, wanted[i].value);
}

/* The hook's reply to what concerns the whole connection. */
static enum milter_action answer(struct milter_session *session, struct milter_reply reply)
{
    if (reply.action == MILTER_REJECT || reply.action == MILTER_TEMPFAIL)
        set_reply(session, &reply);
    if (reply.action == MILTER_ACCEPT)
        session->is_passed = true;
    return reply.action == MILTER_DISCARD ? MILTER_CONTINUE : reply.action;
}

enum milter_action session_connect(struct milter_session *session, struct slice name,
                                   const struct sockaddr *address)
{
    session_abort(session); /* a second one comes after SMFIC_QUIT_NC: another client */
    if (session->is_known && session->shared->hooks->disconnect != NULL)
        session->shared->hooks->disconnect(session);
    arena_reset(session->arena);
    session->client = (struct message_client){ .name = arena_copy(session->arena, name) };
    session->is_passed = false;
    session->is_known = true;
    set_address(&session->client, address);
    read_connection_macros(session);
    if (session->shared->hooks->connect == NULL)
        return MILTER_CONTINUE;
    return answer(session, session->shared->hooks->connect(session));
}

enum milter_action session_helo(struct milter_session *session, struct slice name)
{
    session_abort(session);
    session->client.helo = arena_copy(session->arena, name);
    read_connection_macros(session);
    if (session->shared->hooks->helo == NULL || session->is_passed || !session->is_known)
        return MILTER_CONTINUE;
    return answer(session, session->shared->hooks->helo(session));
}

/* ---- the envelope ---- */

/* Of a message that has not begun. */
static enum milter_action defer(struct milter_session *session, struct milter_reply reply)
{
    set_reply(session, &reply);
    return reply.action;
}

/* Over the cap, or when we end. */
static enum milter_action not_admitted(struct milter_session *session, enum admission_result result,
                                       enum milter_overload overload)
{
    static struct log_change change = LOG_CHANGE_INIT(0);
    const struct milter_metrics *metrics = &session->shared->metrics;

    if (result == ADMISSION_CLOSED) {
        metric_add(metrics->refused_ending, 1);
        return defer(session, tempfail(451, "4.3.2", "Service is restarting, try again later"));
    }
    log_once_per_change(&change, overload == MILTER_OVERLOAD_ACCEPT ? 1 : 2, LOG_LEVEL_WARNING,
                        "too many messages at the same time (max_sessions): further ones are %s",
                        overload == MILTER_OVERLOAD_ACCEPT ? "accepted as they are" : "deferred");
    if (overload == MILTER_OVERLOAD_ACCEPT) {
        metric_add(metrics->unscanned, 1);
        return MILTER_ACCEPT;
    }
    metric_add(metrics->refused_sessions, 1);
    return defer(session,
                 tempfail(451, "4.3.2", "Too many messages at the same time, try again later"));
}

static enum message_fill begin_message(struct milter_session *session, struct slice path,
                                       const struct slice *arguments, size_t count)
{
    struct message *message = session->message;

    message->has_leading_space = session->has_leading_space;
    read_connection_macros(session);
    message->sasl_username = macro(session, message->arena, "{auth_authen}");
    message->sasl_method = macro(session, message->arena, "{auth_type}");
    message->queue_id = macro(session, message->arena, "i");
    enum message_fill fill = message_set_client(message, &session->client);
    if (fill == MESSAGE_OK)
        fill = message_set_sender(message, path, arguments, count);
    if (fill == MESSAGE_OK)
        fill = message_resolve_sender(
            message, slice_of(session->link->macro(session->carrier, "{mail_addr}")));
    return fill;
}

enum milter_action session_sender(struct milter_session *session, struct slice path,
                                  const struct slice *arguments, size_t count)
{
    const struct milter_shared *shared = session->shared;
    struct milter_settings settings;

    session_abort(session);
    if (session->is_passed)
        return MILTER_ACCEPT;
    /* Hooks make their state at connect: without a client there is none. */
    if (!session->is_negotiated || !session->is_known)
        return defer(session, tempfail(451, "4.3.0", "The milter protocol was not kept to"));
    struct message *message = message_new();
    if (message == NULL || shared->settings(message->arena, &settings)) {
        message_unref(&message);
        return defer(session, reply_to_fill(MESSAGE_NO_ROOM));
    }
    enum admission_result result =
        admission_enter(shared->admission, settings.max_sessions, settings.session_wait_ms);
    if (result != ADMITTED) {
        message_unref(&message);
        return not_admitted(session, result, settings.overload);
    }
    session->message = message;
    metric_add(shared->metrics.messages, 1);
    metric_change(shared->metrics.in_flight, 1);
    enum message_fill fill = begin_message(session, path, arguments, count);
    if (fill != MESSAGE_OK)
        return conclude(session, reply_to_fill(fill));
    if (shared->hooks->sender == NULL)
        return MILTER_CONTINUE;
    struct milter_reply reply = shared->hooks->sender(session);
    return reply.action == MILTER_CONTINUE ? MILTER_CONTINUE : conclude(session, reply);
}

/* Of one that the MTA refuses itself {rcpt_addr} is the reply's text. */
static enum message_fill add_recipient(struct milter_session *session, struct slice path,
                                       const struct slice *arguments, size_t count)
{
    const struct milter_link *link = session->link;
    enum message_fill fill = message_add_recipient(session->message, path, arguments, count);

    if (fill != MESSAGE_OK ||
        slice_equal(slice_of(link->macro(session->carrier, "{rcpt_mailer}")), SLICE("error")))
        return fill;
    return message_resolve_recipient(session->message,
                                     slice_of(link->macro(session->carrier, "{rcpt_addr}")));
}

enum milter_action session_recipient(struct milter_session *session, struct slice path,
                                     const struct slice *arguments, size_t count)
{
    const struct milter_hooks *hooks = session->shared->hooks;
    struct message *message = session->message;

    if (message == NULL || message->head.ptr != NULL || has_failed(session))
        return MILTER_CONTINUE;
    note(session, add_recipient(session, path, arguments, count));
    if (hooks->recipient == NULL)
        return MILTER_CONTINUE;
    if (has_failed(session))
        return conclude(session, session->failure);
    struct milter_reply reply = hooks->recipient(session, message->recipient_count - 1);
    if (reply.action != MILTER_REJECT && reply.action != MILTER_TEMPFAIL)
        return reply.action == MILTER_CONTINUE ? MILTER_CONTINUE : conclude(session, reply);
    message_drop_recipient(message); /* this one alone */
    set_reply(session, &reply);
    return reply.action;
}

/* ---- the content ---- */

void session_header(struct milter_session *session, struct slice name, struct slice value)
{
    struct message *message = session->message;

    if (message == NULL || message->head.ptr != NULL || has_failed(session))
        return;
    note(session, message_add_header(message, name, value));
}

static enum message_fill end_headers(struct milter_session *session)
{
    struct message *message = session->message;
    struct milter_settings settings;

    refresh(session, message->arena, "i", &message->queue_id);
    if (session->shared->settings(message->arena, &settings))
        return MESSAGE_NO_ROOM;
    struct spool_bounds bounds = { settings.spool_directory.ptr, settings.message_memory,
                                   settings.message_size_max };
    return message_end_headers(message, &bounds);
}

enum milter_action session_headers_end(struct milter_session *session)
{
    const struct milter_hooks *hooks = session->shared->hooks;
    struct message *message = session->message;
    bool may_reply = milter_waits_for_headers(hooks);

    if (message == NULL || message->head.ptr != NULL)
        return MILTER_CONTINUE;
    if (!has_failed(session))
        note(session, end_headers(session));
    if (has_failed(session))
        return may_reply ? conclude(session, session->failure) : MILTER_CONTINUE;
    if (hooks->headers == NULL)
        return MILTER_CONTINUE;
    struct milter_reply reply = hooks->headers(session);
    return reply.action == MILTER_CONTINUE || !may_reply ? MILTER_CONTINUE
                                                         : conclude(session, reply);
}

void session_body(struct milter_session *session, struct slice bytes)
{
    const struct milter_hooks *hooks = session->shared->hooks;
    struct message *message = session->message;

    if (message == NULL || has_failed(session))
        return;
    if (message->head.ptr == NULL) { /* without the end of the header before it */
        session_headers_end(session);
        if (session->message == NULL || has_failed(session))
            return;
    }
    note(session, message_add_body(message, bytes));
    if (!has_failed(session) && hooks->body != NULL)
        hooks->body(session);
}

/* ---- the end ---- */

/* All of it or nothing: after a failed one the message must not be accepted. */
static int carry_out(struct milter_session *session, const struct edits *edits)
{
    const struct milter_metrics *metrics = &session->shared->metrics;

    for (const struct edit *edit = edits->first; edit != NULL; edit = edit->next) {
        if (session->link->edit(session->carrier, edit, session->has_leading_space)) {
            metric_add(metrics->edits_failed, 1);
            return -1;
        }
        metric_add(metrics->edits, 1);
    }
    return 0;
}

static bool takes_edits(enum milter_action action)
{
    return action == MILTER_CONTINUE || action == MILTER_ACCEPT;
}

static struct milter_reply decide(struct milter_session *session)
{
    const struct milter_hooks *hooks = session->shared->hooks;
    struct edits edits;

    edits_init(&edits);
    struct milter_reply reply = hooks->end == NULL
                                    ? (struct milter_reply){ .action = MILTER_CONTINUE }
                                    : hooks->end(session, &edits);
    bool ok = hooks->sent == NULL || session->link->progress(session->carrier) == 0;
    if (ok && takes_edits(reply.action) && carry_out(session, &edits)) {
        log_error("%.*s: a change of the message failed, it is deferred",
                  SLICE_ARG(session->message->queue_id));
        reply = tempfail(451, "4.3.0", "The message could not be changed as it must be");
        ok = false;
    }
    if (hooks->sent != NULL)
        hooks->sent(session, ok);
    return reply;
}

enum milter_action session_end(struct milter_session *session)
{
    if (session->message == NULL)
        return MILTER_CONTINUE;
    if (session->message->head.ptr == NULL && !has_failed(session)) {
        enum milter_action action = session_headers_end(session);
        if (session->message == NULL)
            return action;
    }
    if (has_failed(session))
        return conclude(session, session->failure);
    refresh(session, session->message->arena, "i", &session->message->queue_id);
    message_end(session->message);
    return conclude(session, decide(session));
}
