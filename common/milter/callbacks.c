/* common/milter/callbacks.c - libmilter's callbacks, turned into calls of session.c; what a session asks of libmilter.
 *
 * What libmilter 8.17.1 of Debian 12 does (built with its pool of workers, `fd:N` and poll()), where it matters here:
 * - `fd:N`: it calls listen(N) again, sets close-on-exec, and closes N in smfi_stop() and when it gives up.
 * - A connection is served by whichever thread of the pool is free, one command at a time or as many as are there: a thread
 *   leaves it when nothing has come for 1 ms. An idle connection costs no thread, one that has sent half a packet keeps
 *   one until smfi_settimeout() is over. Callbacks of one connection never overlap.
 * - smfi_stop() and the signals that it waits for (SIGHUP, SIGTERM, SIGINT) let the threads end between two commands, in
 *   the middle of a message: never used here (see milter.c).
 * - Packets larger than smfi_setmaxdatasize() (64 KiB) close the connection; Postfix sends a header field of up to
 *   header_size_limit (100 KiB) in one. Registered as a version that knows SMFIP_MDS_* the limit would be lowered for all
 *   connections by what one MTA offers.
 * - xxfi_abort is called when a message ends early, unless the reply to one of its commands ended it already; xxfi_close
 *   alone, without it, when a connection is idle for too long. Both may come without anything before them. Which commands
 *   may follow which is one table for all connections, widened by every negotiation: nothing can be built on the order.
 * - A callback at a stage for which SMFIP_NR_* was negotiated must return SMFIS_NOREPLY, else it logs an error.
 * - A body in the packet of the end of the message (no MTA does that) goes unanswered when SMFIP_NR_BODY was negotiated.
 * - What it logs goes to syslog(3) itself.
 * - smfi_setreply() passes `%` on as it is; Postfix and Sendmail drop one that is not doubled.
 * - smfi_getsymval() reads beyond its array, and may end the process, after a macro packet with an odd number of texts.
 * - Of several connections that have something to say at once, only as many are served as threads are idle; nobody is told
 *   of the others until a thread comes back: with four `end`s that waited 8 s, four other MAILs were answered after 16 s. */
#include "common/milter/callbacks.h"

#include <libmilter/mfapi.h>
#include <pthread.h>
#include <syslog.h>

#include "common/observe/log.h"

enum { PACKET_MAX = 1 << 20, VALUE_MAX = 1 << 20 };
/* One that does not know SMFIP_MDS_*. */
enum { LIBMILTER_VERSION = 0x01000001 };

static const struct milter_shared *shared;
/* Read-locked by each callback while it runs; write-locked for good by callbacks_stop(). */
static pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;

/* libmilter's functions take what they do not change without const. */
static char *mutable(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* ---- what a session asks of libmilter ---- */

static const char *get_macro(void *carrier, const char *name)
{
    return smfi_getsymval(carrier, mutable(name));
}

/* With LEADSPC negotiated the MTA puts nothing behind the colon. An empty value would remove the field. */
static int put_value(struct buf *out, struct slice value, bool needs_blank)
{
    bool has_blank = value.len > 0 && (value.ptr[0] == ' ' || value.ptr[0] == '\t');

    if ((needs_blank || value.len == 0) && !has_blank && buf_put_char(out, ' '))
        return -1;
    return buf_add(out, value);
}

static int edit_header(SMFICTX *ctx, const struct edit *edit, bool needs_blank)
{
    AUTO_BUF name = BUF_INIT(VALUE_MAX);
    AUTO_BUF value = BUF_INIT(VALUE_MAX);
    int index = edit->index > INT32_MAX ? INT32_MAX : (int)edit->index;

    if (buf_add(&name, edit->name) || put_value(&value, edit->text, needs_blank))
        return -1;
    char *field = mutable(buf_text(&name)), *text = mutable(buf_text(&value));
    if (edit->kind == EDIT_ADD_HEADER)
        return smfi_addheader(ctx, field, text);
    if (edit->kind == EDIT_INSERT_HEADER)
        return smfi_insheader(ctx, index, field, text);
    return smfi_chgheader(ctx, field, index, edit->text.ptr == NULL ? NULL : text);
}

static int edit_envelope(SMFICTX *ctx, const struct edit *edit)
{
    AUTO_BUF path = BUF_INIT(VALUE_MAX);

    if (buf_put_char(&path, '<') || buf_add(&path, edit->text) || buf_put_char(&path, '>'))
        return -1;
    char *text = mutable(buf_text(&path));
    if (edit->kind == EDIT_ADD_RECIPIENT)
        return smfi_addrcpt(ctx, text);
    if (edit->kind == EDIT_REMOVE_RECIPIENT)
        return smfi_delrcpt(ctx, text);
    return smfi_chgfrom(ctx, text, NULL);
}

static int edit_body(SMFICTX *ctx, struct slice body)
{
    unsigned char *bytes = (unsigned char *)mutable(body.ptr);

    while (body.len > INT32_MAX) {
        if (smfi_replacebody(ctx, bytes, INT32_MAX) != MI_SUCCESS)
            return -1;
        bytes += INT32_MAX;
        body = slice_skip(body, INT32_MAX);
    }
    return smfi_replacebody(ctx, bytes, (int)body.len);
}

static int edit_hold(SMFICTX *ctx, struct slice reason)
{
    AUTO_BUF text = BUF_INIT(REPLY_MAX);

    reply_escape(&text, reason);
    return smfi_quarantine(ctx, mutable(text.len == 0 ? "held" : buf_text(&text)));
}

static int carry_out(void *carrier, const struct edit *edit, bool needs_blank)
{
    int rc = MI_FAILURE;

    switch (edit->kind) {
    case EDIT_ADD_HEADER:
    case EDIT_INSERT_HEADER:
    case EDIT_CHANGE_HEADER:
        rc = edit_header(carrier, edit, needs_blank);
        break;
    case EDIT_ADD_RECIPIENT:
    case EDIT_REMOVE_RECIPIENT:
    case EDIT_CHANGE_SENDER:
        rc = edit_envelope(carrier, edit);
        break;
    case EDIT_REPLACE_BODY:
        rc = edit_body(carrier, edit->text);
        break;
    case EDIT_HOLD:
        rc = edit_hold(carrier, edit->text);
        break;
    }
    return rc == MI_SUCCESS ? 0 : -1;
}

/* The MTA takes a `%` for the beginning of something: it is doubled. */
static void set_reply(void *carrier, const char *code, const char *enhanced, const char *text)
{
    AUTO_BUF doubled = BUF_INIT(2 * REPLY_MAX);
    int rc = 0;

    for (; rc == 0 && *text != '\0'; text++)
        rc = buf_add(&doubled, *text == '%' ? SLICE("%%") : (struct slice){ text, 1 });
    if (rc || smfi_setreply(carrier, mutable(code), mutable(enhanced),
                            mutable(buf_text(&doubled))) != MI_SUCCESS)
        log_error("libmilter refuses the reply %s %s", code, enhanced);
}

static int send_progress(void *carrier)
{
    return smfi_progress(carrier) == MI_SUCCESS ? 0 : -1;
}

static const struct milter_link milter_link = { get_macro, carry_out, set_reply, send_progress };

/* ---- callbacks ---- */

/* The connection's session. NULL: we are ending, or out of memory; then nothing may be touched. A connection that did not
 * negotiate (or negotiated for another client: SMFIC_QUIT_NC) gets one with which no message is taken. */
static struct milter_session *enter(SMFICTX *ctx)
{
    if (pthread_rwlock_tryrdlock(&gate) != 0)
        return NULL;
    struct milter_session *session = smfi_getpriv(ctx);
    if (session != NULL)
        return session;
    session = session_new(shared, &milter_link, ctx);
    if (session == NULL)
        pthread_rwlock_unlock(&gate);
    else
        smfi_setpriv(ctx, session);
    return session;
}

static void leave(void)
{
    pthread_rwlock_unlock(&gate);
}

static sfsistat status_of(enum milter_action action)
{
    static const sfsistat statuses[] = {
        [MILTER_CONTINUE] = SMFIS_CONTINUE, [MILTER_ACCEPT] = SMFIS_ACCEPT,
        [MILTER_REJECT] = SMFIS_REJECT,     [MILTER_TEMPFAIL] = SMFIS_TEMPFAIL,
        [MILTER_DISCARD] = SMFIS_DISCARD,
    };

    return statuses[action];
}

/* What a stage returns: nothing where the MTA does not wait. */
static sfsistat finish(enum milter_action action, bool may_reply)
{
    leave();
    return may_reply ? status_of(action) : SMFIS_NOREPLY;
}

/* The same without a session. */
static sfsistat fail(bool may_reply)
{
    return may_reply ? SMFIS_TEMPFAIL : SMFIS_NOREPLY;
}

static void ask_for_macros(SMFICTX *ctx)
{
    static const struct {
        int stage;
        const char *names;
    } wanted[] = {
        { SMFIM_CONNECT, "j {daemon_name} {daemon_addr} {daemon_port}" },
        { SMFIM_HELO, "{tls_version} {cipher} {cipher_bits} {cert_subject}" },
        { SMFIM_ENVFROM, "i {auth_authen} {auth_type} {tls_version} {cipher} {cipher_bits} "
                         "{cert_subject} {mail_addr}" },
        { SMFIM_ENVRCPT, "i {rcpt_addr} {rcpt_mailer}" },
        { SMFIM_EOH, "i" },
        { SMFIM_EOM, "i" },
    };

    for (size_t i = 0; i < COUNT(wanted); i++)
        smfi_setsymlist(ctx, wanted[i].stage, mutable(wanted[i].names));
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             UNUSED unsigned long unused1, UNUSED unsigned long unused2,
                             unsigned long *wanted_actions, unsigned long *wanted_steps,
                             unsigned long *unused3, unsigned long *unused4)
{
    struct milter_offer offer = { actions, steps };

    struct milter_session *session = enter(ctx);
    if (session == NULL)
        return SMFIS_REJECT; /* closes the connection */
    struct milter_offer taken = milter_negotiate(shared->hooks, &offer);
    session_negotiated(session, (taken.steps & SMFIP_HDR_LEADSPC) != 0);
    if (taken.actions & SMFIF_SETSYMLIST)
        ask_for_macros(ctx);
    *wanted_actions = taken.actions;
    *wanted_steps = taken.steps;
    *unused3 = *unused4 = 0;
    leave();
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
    bool may_reply = shared->hooks->connect != NULL;

    struct milter_session *session = enter(ctx);
    if (session == NULL)
        return fail(may_reply);
    return finish(session_connect(session, slice_of(name), address), may_reply);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
    bool may_reply = shared->hooks->helo != NULL;

    struct milter_session *session = enter(ctx);
    if (session == NULL)
        return fail(may_reply);
    return finish(session_helo(session, slice_of(name)), may_reply);
}

/* The parameters of a command; what is beyond what a message may have is counted all the same. */
struct arguments {
    struct slice items[MESSAGE_ARGUMENTS_MAX];
    size_t count;
};

static void read_arguments(char **argv, struct arguments *out)
{
    out->count = 0;
    for (size_t i = 1; argv[0] != NULL && argv[i] != NULL; i++) {
        if (out->count < COUNT(out->items))
            out->items[out->count] = slice_of(argv[i]);
        out->count++;
    }
}

static sfsistat on_sender(SMFICTX *ctx, char **argv)
{
    struct arguments arguments;

    struct milter_session *session = enter(ctx);
    if (session == NULL)
        return SMFIS_TEMPFAIL;
    read_arguments(argv, &arguments);
    return finish(session_sender(session, slice_of(argv[0]), arguments.items, arguments.count),
                  true);
}

static sfsistat on_recipient(SMFICTX *ctx, char **argv)
{
    bool may_reply = shared->hooks->recipient != NULL;
    struct arguments arguments;

    struct milter_session *session = enter(ctx);
    if (session == NULL)
        return fail(may_reply);
    read_arguments(argv, &arguments);
    return finish(session_recipient(session, slice_of(argv[0]), arguments.items, arguments.count),
                  may_reply);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    struct milter_session *session = enter(ctx);

    if (session == NULL)
        return SMFIS_NOREPLY;
    session_header(session, slice_of(name), slice_of(value));
    return finish(MILTER_CONTINUE, false);
}

static sfsistat on_headers_end(SMFICTX *ctx)
{
    bool may_reply = milter_waits_for_headers(shared->hooks);

    struct milter_session *session = enter(ctx);
    if (session == NULL)
        return fail(may_reply);
    return finish(session_headers_end(session), may_reply);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t len)
{
    struct milter_session *session = enter(ctx);

    if (session == NULL)
        return SMFIS_NOREPLY;
    session_body(session, (struct slice){ (const char *)bytes, len });
    return finish(MILTER_CONTINUE, false);
}

static sfsistat on_end(SMFICTX *ctx)
{
    struct milter_session *session = enter(ctx);

    if (session == NULL)
        return SMFIS_TEMPFAIL;
    return finish(session_end(session), true);
}

static sfsistat on_abort(SMFICTX *ctx)
{
    struct milter_session *session = enter(ctx);

    if (session == NULL)
        return SMFIS_CONTINUE;
    session_abort(session);
    return finish(MILTER_CONTINUE, true);
}

static sfsistat on_close(SMFICTX *ctx)
{
    struct milter_session *session = enter(ctx);

    if (session == NULL)
        return SMFIS_CONTINUE;
    smfi_setpriv(ctx, NULL);
    session_free(&session);
    return finish(MILTER_CONTINUE, true);
}

/* ---- milter.c's side ---- */

int callbacks_register(const struct milter_shared *all, const char *name, uint64_t idle_timeout_ms)
{
    struct smfiDesc filter = {
        .xxfi_name = mutable(name),
        .xxfi_version = LIBMILTER_VERSION,
        .xxfi_flags = SMFIF_NONE, /* on_negotiate() asks for what there is */
        .xxfi_connect = on_connect,
        .xxfi_helo = on_helo,
        .xxfi_envfrom = on_sender,
        .xxfi_envrcpt = on_recipient,
        .xxfi_header = on_header,
        .xxfi_eoh = on_headers_end,
        .xxfi_body = on_body,
        .xxfi_eom = on_end,
        .xxfi_abort = on_abort,
        .xxfi_close = on_close,
        .xxfi_negotiate = on_negotiate,
    };

    shared = all;
    openlog(name, LOG_PID, LOG_MAIL); /* what libmilter says */
    smfi_setmaxdatasize(PACKET_MAX);
    smfi_settimeout((int)(idle_timeout_ms / SECOND));
    return smfi_register(filter) == MI_SUCCESS ? 0 : -1;
}

int callbacks_listen(int listen_fd)
{
    char place[32];

    snprintf(place, sizeof place, "fd:%d", listen_fd);
    return smfi_setconn(place) == MI_SUCCESS && smfi_opensocket(false) == MI_SUCCESS ? 0 : -1;
}

int callbacks_serve(void)
{
    return smfi_main() == MI_SUCCESS ? 0 : -1;
}

void callbacks_stop(void)
{
    pthread_rwlock_wrlock(&gate);
}
