/* common/milter/commands.c - the packets of the MTA, and ours: see milter_private.h. No I/O. */
#include "common/milter/edits_wire.h"
#include "common/milter/macros.h"
#include "common/milter/milter_private.h"
#include "common/observe/log.h"

enum { OUTPUT_MAX = 512 << 20 }; /* bytes of a message's edits, and of answers */

struct commands {
    const struct milter_shared *shared;
    const struct commands_link *link;
    void *carrier;
    struct milter_session *session;
    struct macros macros;
    struct negotiation chosen;
    bool is_negotiated;
    struct buf output;
    struct buf edits; /* packets that go before the answer */
    struct buf refusal; /* the text of it; empty: none */
    char command; /* that is being answered; 0: commands_sent() */
};

/* Not the protocol, or not within its bounds. */
static enum commands_state give_up(struct commands *commands, const char *why)
{
    log_info("milter: closing a connection: %s", why);
    metric_add(commands->shared->metrics.bad_packets, 1);
    return COMMANDS_CLOSE;
}

/* ---- answers ---- */

/* "554 5.7.1 text" of what session.c said. The MTA takes a `%` for the beginning of something: it is doubled. */
static int put_refusal(struct commands *commands, char otherwise)
{
    struct slice text = buf_slice(&commands->refusal);
    AUTO_BUF doubled = BUF_INIT(2 * REPLY_MAX + 1);
    int rc = text.len == 0 ? -1 : 0;

    for (size_t i = 0; rc == 0 && i < text.len; i++)
        rc = buf_add(&doubled, text.ptr[i] == '%' ? SLICE("%%") : slice_part(text, i, 1));
    if (rc || buf_put_char(&doubled, '\0'))
        return milter_put_packet(&commands->output, otherwise, SLICE("")); /* the MTA's own words */
    return milter_put_packet(&commands->output, MILTER_SAYS_REPLY, buf_slice(&doubled));
}

static int put_action(struct commands *commands, enum milter_action action)
{
    static const char packets[] = {
        [MILTER_CONTINUE] = MILTER_SAYS_CONTINUE, [MILTER_ACCEPT] = MILTER_SAYS_ACCEPT,
        [MILTER_REJECT] = MILTER_SAYS_REJECT,     [MILTER_TEMPFAIL] = MILTER_SAYS_TEMPFAIL,
        [MILTER_DISCARD] = MILTER_SAYS_DISCARD,
    };

    if (action == MILTER_REJECT || action == MILTER_TEMPFAIL)
        return put_refusal(commands, packets[action]);
    return milter_put_packet(&commands->output, packets[action], SLICE(""));
}

/* Edits go with the answer or not at all. */
static int put_answer(struct commands *commands, char command, enum milter_action action)
{
    size_t before = commands->output.len;
    int rc = 0;

    if (negotiation_has_reply(&commands->chosen, command))
        rc = buf_add(&commands->output, buf_slice(&commands->edits)) || put_action(commands, action)
                 ? -1
                 : 0;
    if (rc)
        commands->output.len = before;
    buf_free(&commands->edits);
    buf_clear(&commands->refusal);
    return rc;
}

/* ---- what a session asks ---- */

static struct slice find_macro(void *carrier, const char *name)
{
    const struct commands *commands = carrier;

    return macros_find(&commands->macros, slice_of(name));
}

static bool take_edits(void *carrier, const struct edits *edits)
{
    struct commands *commands = carrier;
    enum edit_kind lacking = EDIT_ADD_HEADER;

    switch (edits_print(edits, &commands->chosen, &commands->edits, &lacking)) {
    case EDITS_OK:
        return true;
    case EDITS_NOT_ALLOWED:
        log_error("milter: the MTA does not allow what a message needs: %s",
                  edit_kind_words[lacking]);
        break;
    case EDITS_TOO_LARGE:
        log_error("milter: the changes of a message are too large");
        break;
    }
    return false;
}

static void take_reply(void *carrier, const struct buf *text)
{
    struct commands *commands = carrier;

    buf_clear(&commands->refusal);
    buf_add(&commands->refusal, buf_slice(text)); /* without memory: the MTA's own words */
}

static int say_progress(void *carrier, bool may_say)
{
    const struct commands *commands = carrier;

    return commands->link->progress(commands->carrier, may_say);
}

static void wake(void *carrier)
{
    const struct commands *commands = carrier;

    commands->link->wake(commands->carrier);
}

static const struct session_link session_link = { find_macro, take_edits, take_reply, say_progress,
                                                  wake };

/* ---- reading ---- */

/* Of MAIL and RCPT: the address and its parameters. What is beyond the bound is counted, for the session to refuse. */
struct words {
    struct slice path;
    struct slice arguments[MESSAGE_ARGUMENTS_MAX];
    size_t count;
};

static bool read_words(struct slice data, struct words *out)
{
    struct slice argument;

    out->count = 0;
    if (!milter_take_text(&data, &out->path))
        return false;
    while (milter_take_text(&data, &argument)) {
        if (out->count < COUNT(out->arguments))
            out->arguments[out->count] = argument;
        out->count++;
    }
    return data.len == 0;
}

/* Name, family, and if there is one port and address. "IPv6:" before the address is Sendmail's way. */
static bool read_client(struct slice data, struct session_client *out)
{
    *out = (struct session_client){ 0 };
    if (!milter_take_text(&data, &out->name) || data.len == 0)
        return false;
    char family = data.ptr[0];
    data = slice_skip(data, 1);
    if (family == 'U')
        return true;
    if (data.len < 2 || family == '\0' || strchr("46L", family) == NULL)
        return false;
    out->port = (unsigned)(unsigned char)data.ptr[0] << 8 | (unsigned char)data.ptr[1];
    data = slice_skip(data, 2);
    if (!milter_take_text(&data, &out->address))
        return false;
    if (family == 'L')
        out->address = (struct slice){ NULL, 0 };
    else if (slice_starts_with(out->address, SLICE("IPv6:")))
        out->address = slice_skip(out->address, 5);
    return true;
}

/* ---- commands ---- */

static enum commands_state negotiate(struct commands *commands, struct slice data)
{
    AUTO_BUF answer = BUF_INIT(MILTER_DATA_MAX);
    struct negotiation offer;

    if (commands->is_negotiated || !negotiation_read(data, &offer))
        return give_up(commands, "it negotiates twice, or a version that is too old");
    commands->chosen = negotiation_choose(commands->shared->hooks, &offer);
    commands->is_negotiated = true;
    session_set_leading_space(commands->session,
                              (commands->chosen.steps & MILTER_LEADING_SPACE) != 0);
    if (negotiation_print(&commands->chosen, &answer) ||
        milter_put_packet(&commands->output, MILTER_NEGOTIATE, buf_slice(&answer)))
        return COMMANDS_CLOSE;
    return COMMANDS_GO_ON;
}

/* Of the connection and the envelope; false: it is malformed. */
static bool ask_envelope(struct milter_session *session, const struct milter_packet *packet,
                         enum milter_action *action)
{
    struct slice data = packet->data, text;
    struct session_client client;
    struct words words;

    switch (packet->command) {
    case MILTER_CONNECT:
        if (!read_client(data, &client))
            return false;
        *action = session_connect(session, &client);
        return true;
    case MILTER_HELO:
        if (!milter_take_text(&data, &text))
            return false;
        *action = session_helo(session, text);
        return true;
    case MILTER_MAIL:
    case MILTER_RCPT:
        if (!read_words(data, &words))
            return false;
        *action = (packet->command == MILTER_MAIL ? session_sender : session_recipient)(
            session, words.path, words.arguments, words.count);
        return true;
    default:
        return false;
    }
}

/* Of the content; false: it is malformed, or no command. */
static bool ask_content(struct milter_session *session, const struct milter_packet *packet,
                        enum milter_action *action)
{
    struct slice data = packet->data, name, value;

    switch (packet->command) {
    case MILTER_HEADER:
        if (!milter_take_text(&data, &name) || name.len == 0 || !milter_take_text(&data, &value))
            return false;
        session_header(session, name, value);
        return true;
    case MILTER_END_HEADERS:
        *action = session_headers_end(session);
        return true;
    case MILTER_BODY:
        session_body(session, data);
        return true;
    case MILTER_END:
        if (data.len > 0)
            session_body(session, data);
        *action = session_end(session);
        return true;
    case MILTER_DATA:
    case MILTER_UNKNOWN:
        return true;
    default:
        return false;
    }
}

/* What the session says to it, now or later. */
static enum commands_state answer(struct commands *commands, enum milter_action action)
{
    if (action == MILTER_LATER)
        return COMMANDS_LATER;
    if (commands->command == '\0')
        return COMMANDS_GO_ON;
    if (put_answer(commands, commands->command, action)) {
        log_error("milter: out of memory: a connection is closed");
        return COMMANDS_CLOSE;
    }
    return commands->command == MILTER_END ? COMMANDS_SENT : COMMANDS_GO_ON;
}

static enum commands_state run_command(struct commands *commands,
                                       const struct milter_packet *packet)
{
    enum milter_action action = MILTER_CONTINUE;

    if (!commands->is_negotiated)
        return give_up(commands, "a command before the negotiation");
    macros_begin(&commands->macros, packet->command);
    commands->command = packet->command;
    if (!ask_envelope(commands->session, packet, &action) &&
        !ask_content(commands->session, packet, &action))
        return give_up(commands, "a command that is unknown or malformed");
    return answer(commands, action);
}

enum commands_state commands_run(struct commands *commands, const struct milter_packet *packet)
{
    switch (packet->command) {
    case MILTER_NEGOTIATE:
        return negotiate(commands, packet->data);
    case MILTER_MACRO:
        if (macros_take(&commands->macros, packet->data))
            return give_up(commands, "too many macros");
        return COMMANDS_GO_ON;
    case MILTER_ABORT:
        session_abort(commands->session);
        return COMMANDS_GO_ON;
    case MILTER_QUIT:
        return COMMANDS_CLOSE;
    case MILTER_QUIT_NEW:
        session_reset(commands->session);
        macros_free(&commands->macros);
        return COMMANDS_GO_ON;
    default:
        return run_command(commands, packet);
    }
}

/* ---- life ---- */

struct commands *commands_new(const struct milter_shared *shared, struct worker *worker,
                              const struct commands_link *link, void *carrier)
{
    struct commands *commands = calloc(1, sizeof *commands);

    if (commands == NULL)
        return NULL;
    commands->shared = shared;
    commands->link = link;
    commands->carrier = carrier;
    commands->output = (struct buf)BUF_INIT(OUTPUT_MAX);
    commands->edits = (struct buf)BUF_INIT(OUTPUT_MAX);
    commands->refusal = (struct buf)BUF_INIT(REPLY_MAX);
    macros_init(&commands->macros);
    commands->session = session_new(shared, worker, &session_link, commands);
    if (commands->session == NULL)
        commands_free(&commands);
    return commands;
}

void commands_free(struct commands **commands)
{
    struct commands *gone = *commands;

    *commands = NULL;
    if (gone == NULL)
        return;
    session_free(&gone->session);
    macros_free(&gone->macros);
    buf_free(&gone->output);
    buf_free(&gone->edits);
    buf_free(&gone->refusal);
    free(gone);
}

bool commands_waits(const struct commands *commands, const struct milter_packet *packet)
{
    return (packet->command == MILTER_BODY || packet->command == MILTER_END) &&
           packet->data.len > 0 && session_body_waits(commands->session, packet->data.len);
}

enum commands_state commands_sent(struct commands *commands, bool ok)
{
    commands->command = '\0';
    return answer(commands, session_sent(commands->session, ok));
}

bool commands_has_work(const struct commands *commands)
{
    return session_has_work(commands->session);
}

void commands_work(struct commands *commands)
{
    session_work(commands->session);
}

bool commands_is_answered(const struct commands *commands)
{
    return session_is_answered(commands->session);
}

enum commands_state commands_go_on(struct commands *commands)
{
    return answer(commands, session_go_on(commands->session));
}

struct buf *commands_output(struct commands *commands)
{
    return &commands->output;
}

bool commands_are_idle(const struct commands *commands)
{
    return !session_has_message(commands->session);
}
