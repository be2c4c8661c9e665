/* common/milter/session_message.c - the messages of a connection: what the MTA says of them, hooks, the last word. See
 * session_impl.h.
 *
 * What goes wrong where no answer is due (a bound, the disk) is kept, and becomes the next answer. */
#include <assert.h>

#include "common/milter/session_impl.h"
#include "common/observe/log.h"
#include "common/run/descriptors.h"

static const struct milter_reply go_on = { .action = MILTER_CONTINUE };

bool session_has_message(const struct milter_session *session)
{
    return session->message != NULL;
}

static bool has_failed(const struct milter_session *session)
{
    return session->failure.action != MILTER_CONTINUE;
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
    session->failure = go_on;
    session->is_decided = false;
    admission_leave(shared->admission);
    metric_change(shared->metrics.in_flight, -1); /* who sees that finds room */
}

static enum milter_action is_settled(struct milter_session *session,
                                     UNUSED const struct milter_reply *reply)
{
    end_message(session);
    return MILTER_CONTINUE;
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

/* An answer that nobody has got has not ended the message. */
enum milter_action session_sent(struct milter_session *session, bool ok)
{
    if (!session->is_decided)
        return MILTER_CONTINUE;
    session->is_decided = false;
    if (ok)
        count_action(session, session->decided);
    else
        metric_add(session->shared->metrics.aborted, 1);
    if (session->shared->hooks->sent == NULL)
        return is_settled(session, &go_on);
    return session_after(session,
                         session->shared->hooks->sent(session, ok && session->is_sent_as_decided),
                         is_settled);
}

void session_abort(struct milter_session *session)
{
    assert(!session->is_decided); /* session_sent() comes first */
    if (session->message == NULL)
        return;
    metric_add(session->shared->metrics.aborted, 1);
    end_message(session);
}

/* ---- the last word ---- */

/* Before its end, unless it goes on. */
static enum milter_action conclude(struct milter_session *session, const struct milter_reply *reply)
{
    enum milter_action action = reply->action;

    if (action == MILTER_CONTINUE)
        return MILTER_CONTINUE;
    if (session_is_refusal(action))
        session_set_reply(session, reply);
    count_action(session, action);
    end_message(session);
    return action;
}

/* For what went wrong in the meantime. */
static enum milter_action conclude_failed(struct milter_session *session)
{
    if (session->shared->hooks->failed != NULL)
        session->shared->hooks->failed(session, session->failure.action);
    return conclude(session, &session->failure);
}

static struct milter_reply tempfail(unsigned code, struct slice enhanced, struct slice text)
{
    return (struct milter_reply){ .action = MILTER_TEMPFAIL, .reply = { code, enhanced, text } };
}

static struct milter_reply reply_to_fill(enum message_fill fill)
{
    if (fill == MESSAGE_TOO_MUCH)
        return (struct milter_reply){
            .action = MILTER_REJECT,
            .reply = { 552, SLICE("5.3.4"), SLICE("Message is larger than is handled here") },
        };
    return tempfail(452, SLICE("4.3.1"), SLICE("Insufficient system storage"));
}

/* Remembers what went wrong, for the next answer. */
static void note(struct milter_session *session, enum message_fill fill)
{
    const struct milter_metrics *metrics = &session->shared->metrics;
    const struct message *message = session->message;
    bool is_too_much = fill == MESSAGE_TOO_MUCH;

    if (fill == MESSAGE_OK)
        return;
    session->failure = reply_to_fill(fill);
    metric_add(is_too_much ? metrics->refused_bounds : metrics->spool_errors, 1);
    const char *why = message->body == NULL ? NULL : spool_error(message->body);
    if (why == NULL)
        why = is_too_much ? "too many recipients or parameters, or too large a header"
                          : "out of memory";
    log_warning("%.*s: a message is %s: %s", SLICE_ARG(message->queue_id),
                is_too_much ? "refused" : "deferred", why);
}

/* ---- the envelope ---- */

/* Of a message that has not begun. */
static enum milter_action defer(struct milter_session *session, struct milter_reply reply)
{
    session_set_reply(session, &reply);
    return reply.action;
}

/* How many messages there may be at the same time. */
struct bound {
    size_t most;
    bool is_of_descriptors; /* there are not enough for max_sessions */
};

static struct bound bound_of(const struct milter_session *session,
                             const struct milter_settings *settings)
{
    struct bound bound = { .most = settings->max_sessions };

    if (settings->descriptors_each == 0)
        return bound;
    size_t most =
        descriptors_for_work(session->shared->max_connections) / settings->descriptors_each;
    if (most < bound.most)
        bound = (struct bound){ most > 0 ? most : 1, true };
    return bound;
}

/* NULL: no longer. */
static void say_overload(const struct bound *bound, enum milter_overload overload)
{
    static struct log_change change = LOG_CHANGE_INIT(0);
    bool is_accepting = overload == MILTER_OVERLOAD_ACCEPT;

    if (bound == NULL)
        log_once_per_change(&change, 0, LOG_LEVEL_INFO, "messages are taken on again");
    else
        log_once_per_change(
            &change, 1 + bound->is_of_descriptors + 2 * is_accepting, LOG_LEVEL_WARNING,
            "%zu messages at the same time, for more %s: further ones are %s", bound->most,
            bound->is_of_descriptors ? "there are no file descriptors (LimitNOFILE)"
                                     : "max_sessions is too small",
            is_accepting ? "accepted as they are" : "deferred");
}

/* Over the cap, or when we end. */
static enum milter_action not_admitted(struct milter_session *session, enum admission_result result,
                                       const struct bound *bound, enum milter_overload overload)
{
    const struct milter_metrics *metrics = &session->shared->metrics;

    if (result == ADMISSION_CLOSED) {
        metric_add(metrics->refused_ending, 1);
        return defer(session, tempfail(451, SLICE("4.3.2"),
                                       SLICE("Service is restarting, try again later")));
    }
    say_overload(bound, overload);
    if (overload == MILTER_OVERLOAD_ACCEPT) {
        metric_add(metrics->unscanned, 1);
        return MILTER_ACCEPT;
    }
    metric_add(bound->is_of_descriptors ? metrics->refused_descriptors : metrics->refused_sessions,
               1);
    return defer(session, tempfail(451, SLICE("4.3.2"),
                                   SLICE("Too many messages at the same time, try again later")));
}

static enum message_fill begin_message(struct milter_session *session, struct slice path,
                                       const struct slice *arguments, size_t count)
{
    struct message *message = session->message;

    message->has_leading_space = session->has_leading_space;
    session_read_macros(session);
    session_refresh(session, message->arena, "auth_authen", &message->sasl_username);
    session_refresh(session, message->arena, "auth_type", &message->sasl_method);
    session_refresh(session, message->arena, "i", &message->queue_id);
    enum message_fill fill = message_set_client(message, &session->client);
    if (fill == MESSAGE_OK)
        fill = message_set_sender(message, path, arguments, count);
    if (fill == MESSAGE_OK)
        fill = message_resolve_sender(message, session->link->macro(session->carrier, "mail_addr"));
    return fill;
}

static enum milter_action ask_sender(struct milter_session *session)
{
    const struct milter_shared *shared = session->shared;

    say_overload(NULL, MILTER_OVERLOAD_TEMPFAIL);
    metric_add(shared->metrics.messages, 1);
    metric_change(shared->metrics.in_flight, 1);
    if (shared->hooks->sender == NULL)
        return MILTER_CONTINUE;
    return session_after(session, shared->hooks->sender(session), conclude);
}

static enum milter_action enter(struct milter_session *session,
                                UNUSED const struct milter_reply *reply)
{
    struct bound bound = bound_of(session, &session->settings);

    if (session->admitted == ADMITTED)
        return ask_sender(session);
    message_unref(&session->message);
    return not_admitted(session, session->admitted, &bound, session->settings.overload);
}

static struct milter_reply wait_for_room(struct milter_session *session)
{
    struct bound bound = bound_of(session, &session->settings);

    session->admitted =
        admission_enter(session->shared->admission, bound.most, session->settings.session_wait_ms);
    return go_on;
}

enum milter_action session_sender(struct milter_session *session, struct slice path,
                                  const struct slice *arguments, size_t count)
{
    struct milter_settings *settings = &session->settings;

    session_abort(session);
    if (session->is_passed)
        return MILTER_ACCEPT;
    if (!session->is_known)
        return defer(session, tempfail(451, SLICE("4.3.0"), SLICE("A message without a client")));
    session->message = message_new();
    enum message_fill fill = MESSAGE_NO_ROOM;
    if (session->message != NULL &&
        session->shared->settings(session->message->arena, settings) == 0)
        fill = begin_message(session, path, arguments, count);
    if (fill != MESSAGE_OK) {
        message_unref(&session->message);
        return defer(session, reply_to_fill(fill));
    }
    struct bound bound = bound_of(session, settings);
    session->admitted = admission_enter(session->shared->admission, bound.most, 0);
    if (session->admitted == ADMISSION_FULL && settings->session_wait_ms > 0)
        return session_after(session, milter_session_on_thread(session, wait_for_room), enter);
    return enter(session, &go_on);
}

static enum milter_action answer_recipient(struct milter_session *session,
                                           const struct milter_reply *reply)
{
    if (!session_is_refusal(reply->action))
        return conclude(session, reply);
    message_drop_recipient(session->message); /* this one alone */
    session_set_reply(session, reply);
    return reply->action;
}

/* Of one that the MTA refuses itself {rcpt_addr} is the reply's text. */
static enum message_fill add_recipient(struct milter_session *session, struct slice path,
                                       const struct slice *arguments, size_t count)
{
    enum message_fill fill = message_add_recipient(session->message, path, arguments, count);

    if (fill != MESSAGE_OK ||
        slice_equal(session->link->macro(session->carrier, "rcpt_mailer"), SLICE("error")))
        return fill;
    return message_resolve_recipient(session->message,
                                     session->link->macro(session->carrier, "rcpt_addr"));
}

enum milter_action session_recipient(struct milter_session *session, struct slice path,
                                     const struct slice *arguments, size_t count)
{
    struct message *message = session->message;

    if (message == NULL || message->head.ptr != NULL || has_failed(session))
        return MILTER_CONTINUE;
    session_refresh(session, message->arena, "i", &message->queue_id);
    note(session, add_recipient(session, path, arguments, count));
    if (session->shared->hooks->recipient == NULL)
        return MILTER_CONTINUE;
    if (has_failed(session))
        return conclude_failed(session);
    return session_after(session,
                         session->shared->hooks->recipient(session, message->recipient_count - 1),
                         answer_recipient);
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

    session_refresh(session, message->arena, "i", &message->queue_id);
    if (session->shared->settings(message->arena, &settings))
        return MESSAGE_NO_ROOM;
    struct spool_bounds bounds = { settings.spool_directory.ptr, settings.message_memory,
                                   settings.message_size_max };
    return message_end_headers(message, &bounds);
}

static bool headers_may_answer(const struct milter_session *session)
{
    const struct milter_hooks *hooks = session->shared->hooks;

    return hooks->headers != NULL && !hooks->headers_is_silent;
}

static enum milter_action answer_headers(struct milter_session *session,
                                         const struct milter_reply *reply)
{
    return headers_may_answer(session) ? conclude(session, reply) : MILTER_CONTINUE;
}

enum milter_action session_headers_end(struct milter_session *session)
{
    const struct milter_hooks *hooks = session->shared->hooks;
    struct message *message = session->message;

    if (message == NULL || message->head.ptr != NULL)
        return MILTER_CONTINUE;
    if (!has_failed(session))
        note(session, end_headers(session));
    if (has_failed(session))
        return headers_may_answer(session) ? conclude_failed(session) : MILTER_CONTINUE;
    if (hooks->headers == NULL)
        return MILTER_CONTINUE;
    return session_after(session, hooks->headers(session), answer_headers);
}

bool session_body_waits(const struct milter_session *session, size_t bytes)
{
    const struct message *message = session->message;

    return message != NULL && message->body != NULL && !has_failed(session) &&
           spool_needs_file(message->body, bytes);
}

void session_body(struct milter_session *session, struct slice bytes)
{
    const struct milter_hooks *hooks = session->shared->hooks;
    struct message *message = session->message;

    if (message == NULL || message->head.ptr == NULL || has_failed(session))
        return;
    note(session, message_add_body(message, bytes));
    if (!has_failed(session) && hooks->body != NULL)
        hooks->body(session);
}

/* ---- the end ---- */

/* All edits or none: with one that is not possible the message must not be accepted. */
static bool take_edits(struct milter_session *session, const struct edits *edits)
{
    const struct milter_metrics *metrics = &session->shared->metrics;

    if (session->link->edits(session->carrier, edits)) {
        metric_add(metrics->edits, edits->count);
        return true;
    }
    log_error("%.*s: a message is deferred: it cannot be changed as it must be",
              SLICE_ARG(session->message->queue_id));
    metric_add(metrics->edits_failed, 1);
    return false;
}

static enum milter_action decide(struct milter_session *session, const struct milter_reply *said)
{
    struct milter_reply reply = *said;

    session->is_ending = false;
    session->is_sent_as_decided = session_is_refusal(reply.action) ||
                                  reply.action == MILTER_DISCARD || reply.edits == NULL ||
                                  take_edits(session, reply.edits);
    if (!session->is_sent_as_decided)
        reply = tempfail(451, SLICE("4.3.0"), SLICE("Message cannot be changed as it must be"));
    if (session_is_refusal(reply.action))
        session_set_reply(session, &reply);
    session->decided = reply.action;
    session->is_decided = true;
    return reply.action;
}

enum milter_action session_end(struct milter_session *session)
{
    struct message *message = session->message;

    if (message == NULL || session->is_decided)
        return MILTER_CONTINUE;
    if (message->head.ptr == NULL && !has_failed(session)) /* never said: hooks have seen nothing */
        session->failure = tempfail(451, SLICE("4.3.0"), SLICE("A message without a header"));
    if (has_failed(session))
        return conclude_failed(session);
    session_refresh(session, message->arena, "i", &message->queue_id);
    message_end(message);
    if (session->shared->hooks->end == NULL)
        return decide(session, &go_on);
    session->is_ending = true;
    return session_after(session, session->shared->hooks->end(session), decide);
}
