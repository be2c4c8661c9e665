/* contentd/scanners/milter_replay.c - see milter_replay.h. One row for each step says how it is sent; answers are taken by
 * kind, after what the protocol allows at this step. */
#include "contentd/scanners/milter_replay.h"

#include "contentd/scanners/milter_macros.h"

enum { BATCH = 65536 }; /* header fields without answer are put together up to so many bytes */

static const char too_large[] =
    "cannot be told this message: a field is too large for the milter protocol";

void milter_replay_begin(struct milter_replay *replay, const struct message *message,
                         struct arena *arena, struct finding *finding)
{
    *replay = (struct milter_replay){ .message = message,
                                      .arena = arena,
                                      .finding = finding,
                                      .new_body = BUF_INIT(MILTER_BODY_MAX) };
}

void milter_replay_clear(struct milter_replay *replay)
{
    buf_free(&replay->new_body);
}

/* ---- what is sent: 0, or -1 when it does not fit ---- */

static int put_connect(const struct milter_replay *replay, struct buf *data)
{
    const struct message_client *client = &replay->message->client;
    char address[IP_ADDRESS_TEXT_MAX];
    struct slice name = client->name;

    if (name.len == 0)
        name = client->has_address ? SLICE("unknown") : SLICE("localhost");
    if (milter_put_text(data, name))
        return -1;
    if (!client->has_address)
        return buf_put_char(data, 'U'); /* not known */
    ip_address_print(&client->address, address);
    const char port[2] = { (char)(client->port >> 8), (char)client->port };
    return buf_put_char(data, ip_address_is_ipv4(&client->address) ? '4' : '6') ||
                   buf_add(data, (struct slice){ port, sizeof(port) }) ||
                   milter_put_text(data, slice_of(address))
               ? -1
               : 0;
}

static int put_helo(const struct milter_replay *replay, struct buf *data)
{
    return milter_put_text(data, replay->message->client.helo);
}

static int put_path(struct buf *data, struct slice address, const struct slice *arguments,
                    size_t count)
{
    if (buf_put_char(data, '<') || buf_add(data, address) ||
        slice_find(address, '\0') != SIZE_MAX || milter_put_text(data, SLICE(">")))
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (milter_put_text(data, arguments[i]))
            return -1;
    }
    return 0;
}

static int put_sender(const struct milter_replay *replay, struct buf *data)
{
    const struct message *message = replay->message;

    return put_path(data, message->sender, message->sender_arguments,
                    message->sender_argument_count);
}

static int put_recipient(const struct milter_replay *replay, struct buf *data)
{
    const struct message_recipient *recipient = &replay->message->recipients[replay->item];

    return put_path(data, recipient->address, recipient->arguments, recipient->argument_count);
}

/* The blank after the colon belongs to the value for milters that asked for it. */
static int put_header(const struct milter_replay *replay, struct buf *data)
{
    const struct message_header *header = &replay->message->headers[replay->item];
    bool wants_space = (replay->terms.protocol & MILTER_LEADING_SPACE) != 0;
    bool has_space = replay->message->has_leading_space;
    struct slice value = header->value;

    if (milter_put_text(data, message_header_label(header)))
        return -1;
    if (wants_space && !has_space && buf_put_char(data, ' '))
        return -1;
    if (!wants_space && has_space && value.len > 0 && value.ptr[0] == ' ')
        value = slice_skip(value, 1);
    return milter_put_text(data, value);
}

static int put_nothing(UNUSED const struct milter_replay *replay, UNUSED struct buf *data)
{
    return 0;
}

static const struct step {
    char command;
    enum milter_place place; /* MILTER_PLACES: no macros */
    uint32_t version; /* since when it is known */
    uint32_t unwanted, silent; /* flags */
    int (*put)(const struct milter_replay *replay, struct buf *data);
} steps[] = {
    [REPLAY_CONNECT] = { MILTER_CONNECT, MILTER_AT_CONNECT, 2, MILTER_NO_CONNECT,
                         MILTER_SILENT_CONNECT, put_connect },
    [REPLAY_HELO] = { MILTER_HELO, MILTER_AT_HELO, 2, MILTER_NO_HELO, MILTER_SILENT_HELO,
                      put_helo },
    [REPLAY_MAIL] = { MILTER_MAIL, MILTER_AT_MAIL, 2, MILTER_NO_MAIL, MILTER_SILENT_MAIL,
                      put_sender },
    [REPLAY_RCPT] = { MILTER_RCPT, MILTER_AT_RCPT, 2, MILTER_NO_RCPT, MILTER_SILENT_RCPT,
                      put_recipient },
    [REPLAY_DATA] = { MILTER_DATA, MILTER_AT_DATA, 4, MILTER_NO_DATA, MILTER_SILENT_DATA,
                      put_nothing },
    [REPLAY_HEADER] = { MILTER_HEADER, MILTER_PLACES, 2, MILTER_NO_HEADER, MILTER_SILENT_HEADER,
                        put_header },
    [REPLAY_END_HEADERS] = { MILTER_END_HEADERS, MILTER_AT_END_HEADERS, 2, MILTER_NO_END_HEADERS,
                             MILTER_SILENT_END_HEADERS, put_nothing },
    [REPLAY_BODY] = { MILTER_BODY, MILTER_PLACES, 2, MILTER_NO_BODY, MILTER_SILENT_BODY, NULL },
    [REPLAY_END] = { MILTER_END, MILTER_AT_END, 2, 0, 0, put_nothing },
};

/* How often a step is sent; the body's chunks are counted by its bytes. */
static size_t items_of(const struct milter_replay *replay, enum replay_step step)
{
    if (step == REPLAY_RCPT)
        return replay->message->recipient_count;
    if (step == REPLAY_HEADER)
        return replay->message->header_count;
    return step == REPLAY_HELO && replay->message->client.helo.ptr == NULL ? 0 : 1;
}

static void next_step(struct milter_replay *replay)
{
    replay->step++;
    replay->item = 0;
}

/* Goes on to the next item, or the next step. */
static void next_item(struct milter_replay *replay)
{
    if (replay->step != REPLAY_BODY && ++replay->item >= items_of(replay, replay->step))
        next_step(replay);
}

/* Macros are told even where the milter does not want to hear of the step itself: it may need them later. */
static int put_item(struct milter_replay *replay, const struct step *step, struct buf *out)
{
    AUTO_BUF data = BUF_INIT(MILTER_DATA_MAX);

    if (step->place < MILTER_PLACES &&
        milter_put_macros(out, step->command, step->place, replay->terms.macros[step->place],
                          replay->message, replay->item))
        return -1;
    if ((replay->terms.protocol & step->unwanted) != 0)
        return 0;
    if (step->put(replay, &data) || milter_put_packet(out, step->command, buf_slice(&data)))
        return -1;
    replay->is_waiting = (replay->terms.protocol & step->silent) == 0;
    return 0;
}

/* A chunk of the body that is there; full ones only, until it is whole. False: not yet. */
static bool next_chunk(struct milter_replay *replay, struct buf *out, struct replay_range *range)
{
    const struct message *message = replay->message;
    bool is_whole = message_is_whole(message); /* asked first: the size is final then */
    uint64_t size = message_size(message) - message->head.len;
    uint64_t left = size - replay->body;

    if ((replay->terms.protocol & MILTER_NO_BODY) != 0 || (is_whole && left == 0)) {
        next_step(replay);
        return true;
    }
    if (left < MILTER_DATA_MAX && !is_whole)
        return false;
    size_t length = left < MILTER_DATA_MAX ? (size_t)left : MILTER_DATA_MAX;
    if (milter_put_head(out, MILTER_BODY, length)) {
        replay->error = too_large;
        return false;
    }
    *range = (struct replay_range){ message->head.len + replay->body, length };
    replay->body += length;
    replay->is_waiting = (replay->terms.protocol & MILTER_SILENT_BODY) == 0;
    return true;
}

/* One item more. False: not now. */
static bool advance(struct milter_replay *replay, struct buf *out, struct replay_range *range)
{
    if (replay->step == REPLAY_NEGOTIATE) {
        replay->is_waiting = milter_put_offer(out) == 0;
        return replay->is_waiting;
    }
    if (replay->step == REPLAY_BODY)
        return next_chunk(replay, out, range);
    if (replay->step == REPLAY_END && !message_is_whole(replay->message))
        return false; /* a milter that wants no body waits as well: the message may still be cut */
    const struct step *step = &steps[replay->step];
    if (replay->terms.version < step->version || items_of(replay, replay->step) == 0) {
        next_step(replay);
        return true;
    }
    if (put_item(replay, step, out)) {
        replay->error = too_large;
        return false;
    }
    if (!replay->is_waiting)
        next_item(replay);
    return true;
}

bool milter_replay_next(struct milter_replay *replay, struct buf *out, struct replay_range *range)
{
    *range = (struct replay_range){ 0, 0 };
    while (!replay->is_waiting && replay->step != REPLAY_OVER && replay->error == NULL &&
           out->len < BATCH && range->length == 0) {
        if (!advance(replay, out, range))
            break;
    }
    return replay->error == NULL && out->len > 0;
}

/* ---- what comes ---- */

static enum wire_state bad(const char **error, const char *why)
{
    *error = why;
    return WIRE_BAD;
}

/* Those refused by themselves; true when none is left. The finding says then what the mildest of them was told. */
static bool all_refused(struct milter_replay *replay)
{
    struct finding *finding = replay->finding;

    if (replay->message->recipient_count == 0 ||
        finding->recipient_count < replay->message->recipient_count)
        return false;
    const struct finding_recipient *said = &finding->recipients[0];
    for (size_t i = 0; i < finding->recipient_count; i++) {
        if (said->result == FINDING_REJECT && finding->recipients[i].result == FINDING_TEMPFAIL)
            said = &finding->recipients[i];
    }
    finding->result = said->result;
    finding->reply = said->reply;
    return true;
}

static enum wire_state decide(struct milter_replay *replay, enum finding_result result)
{
    replay->finding->result = result;
    replay->is_early = replay->step != REPLAY_END;
    replay->step = REPLAY_OVER;
    replay->is_waiting = false;
    return WIRE_DONE;
}

/* Accepted as it is now: with all changes asked for before. */
static enum wire_state accept(struct milter_replay *replay, const char **error)
{
    const struct edit edit = { .kind = EDIT_REPLACE_BODY, .text = buf_slice(&replay->new_body) };

    if (replay->has_new_body && !edits_add(&replay->finding->edits, replay->arena, &edit))
        return bad(error, "wants more changes than there is room for");
    return decide(replay, FINDING_CLEAN);
}

static const char *refuse_recipient(struct milter_replay *replay,
                                    const struct finding_recipient *said)
{
    struct finding *finding = replay->finding;

    if (finding->recipients == NULL)
        finding->recipients = arena_alloc_array(replay->arena, replay->message->recipient_count,
                                                sizeof(*finding->recipients));
    if (finding->recipients == NULL)
        return "refuses more recipients than there is room for";
    finding->recipients[finding->recipient_count++] = *said;
    return NULL;
}

static enum wire_state take_refusal(struct milter_replay *replay,
                                    const struct milter_packet *packet, const char **error)
{
    struct finding_recipient said = { .index = replay->item };

    *error = milter_read_refusal(packet, replay->arena, &said.result, &said.reply);
    if (*error != NULL)
        return WIRE_BAD;
    if (replay->step == REPLAY_RCPT && packet->command != MILTER_SAYS_SHUTDOWN) {
        *error = refuse_recipient(replay, &said);
        if (*error != NULL)
            return WIRE_BAD;
        if (all_refused(replay))
            return decide(replay, replay->finding->result);
        replay->is_waiting = false;
        next_item(replay);
        return WIRE_MORE;
    }
    replay->finding->wants_quarantine = false;
    replay->finding->reply = said.reply;
    return decide(replay, said.result);
}

static enum wire_state take_terms(struct milter_replay *replay, const struct milter_packet *packet,
                                  const char **error)
{
    if (packet->command != MILTER_NEGOTIATE)
        return bad(error, "does not begin with what it wants");
    *error = milter_read_terms(packet->data, replay->arena, &replay->terms);
    if (*error != NULL)
        return WIRE_BAD;
    replay->is_waiting = false;
    next_step(replay);
    return WIRE_MORE;
}

static enum wire_state take_skip(struct milter_replay *replay, const char **error)
{
    bool has_several =
        replay->step == REPLAY_BODY || replay->step == REPLAY_HEADER || replay->step == REPLAY_RCPT;

    if ((replay->terms.protocol & MILTER_SKIPS) == 0 || !has_several)
        return bad(error, "skips what cannot be skipped");
    replay->is_waiting = false;
    next_step(replay);
    return WIRE_MORE;
}

static enum wire_state take_change(struct milter_replay *replay, const struct milter_packet *packet,
                                   const char **error)
{
    if (replay->step != REPLAY_END)
        return bad(error, "changes the message before its end");
    *error = milter_read_change(packet, &replay->terms, replay->arena, &replay->new_body,
                                replay->finding);
    replay->has_new_body |= packet->command == MILTER_SAYS_BODY;
    return *error == NULL ? WIRE_MORE : WIRE_BAD;
}

/* Answers without content. */
static enum wire_state take_word(struct milter_replay *replay, const struct milter_packet *packet,
                                 const char **error)
{
    if (packet->data.len > 0)
        return bad(error, "sends a packet whose content does not fit its kind");
    switch (packet->command) {
    case MILTER_SAYS_PROGRESS: /* the scan's deadline stays */
        return WIRE_MORE;
    case MILTER_SAYS_CONTINUE:
        if (replay->step == REPLAY_END)
            return accept(replay, error);
        replay->is_waiting = false;
        next_item(replay);
        return WIRE_MORE;
    case MILTER_SAYS_ACCEPT:
        return accept(replay, error);
    case MILTER_SAYS_DISCARD:
        if (replay->step == REPLAY_CONNECT || replay->step == REPLAY_HELO)
            return bad(error, "discards before there is a message");
        return decide(replay, FINDING_DISCARD);
    case MILTER_SAYS_SKIP:
        return take_skip(replay, error);
    case MILTER_SAYS_CONN_FAIL:
        return bad(error, "says that it fails");
    default:
        return bad(error, "sends a packet of an unknown kind");
    }
}

enum wire_state milter_replay_take(struct milter_replay *replay, const struct milter_packet *packet,
                                   const char **error)
{
    char command = packet->command;

    if (!replay->is_waiting)
        return bad(error, "answers without being asked");
    if (replay->step == REPLAY_NEGOTIATE)
        return take_terms(replay, packet, error);
    if (milter_is_change(command))
        return take_change(replay, packet, error);
    if (command == MILTER_SAYS_REJECT || command == MILTER_SAYS_TEMPFAIL ||
        command == MILTER_SAYS_REPLY || command == MILTER_SAYS_SHUTDOWN)
        return take_refusal(replay, packet, error);
    return take_word(replay, packet, error);
}
