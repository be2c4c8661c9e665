/* contentd/scanners/milter_answers.c - see milter_answers.h. */
#include "contentd/scanners/milter_answers.h"

#include "contentd/scanners/wanted.h"

static const char malformed[] = "sends a packet whose content does not fit its kind";
static const char no_memory[] = "wants more changes than there is room for";

enum {
    OFFERED_ACTIONS = MILTER_MAY_ADD_HEADERS | MILTER_MAY_CHANGE_BODY | MILTER_MAY_ADD_RCPT |
                      MILTER_MAY_REMOVE_RCPT | MILTER_MAY_CHANGE_HEADERS | MILTER_MAY_QUARANTINE |
                      MILTER_MAY_CHANGE_SENDER | MILTER_MAY_ADD_RCPT_ARGS | MILTER_MAY_LIST_MACROS,
    /* All but refused recipients: we know only those that were accepted. */
    OFFERED_PROTOCOL = MILTER_NO_CONNECT | MILTER_NO_HELO | MILTER_NO_MAIL | MILTER_NO_RCPT |
                       MILTER_NO_BODY | MILTER_NO_HEADER | MILTER_NO_END_HEADERS |
                       MILTER_SILENT_HEADER | MILTER_NO_UNKNOWN | MILTER_NO_DATA | MILTER_SKIPS |
                       MILTER_SILENT_CONNECT | MILTER_SILENT_HELO | MILTER_SILENT_MAIL |
                       MILTER_SILENT_RCPT | MILTER_SILENT_DATA | MILTER_SILENT_UNKNOWN |
                       MILTER_SILENT_END_HEADERS | MILTER_SILENT_BODY | MILTER_LEADING_SPACE,
};

int milter_put_offer(struct buf *out)
{
    AUTO_BUF data = BUF_INIT(12);

    return milter_put_number(&data, MILTER_VERSION_MOST) ||
                   milter_put_number(&data, OFFERED_ACTIONS) ||
                   milter_put_number(&data, OFFERED_PROTOCOL)
               ? -1
               : milter_put_packet(out, MILTER_NEGOTIATE, buf_slice(&data));
}

const char *milter_read_terms(struct slice data, struct arena *arena, struct milter_terms *terms)
{
    uint32_t place;
    struct slice names;

    *terms = (struct milter_terms){ 0 };
    if (!milter_take_number(&data, &terms->version) || !milter_take_number(&data, &terms->may) ||
        !milter_take_number(&data, &terms->protocol))
        return malformed;
    if (terms->version < MILTER_VERSION_LEAST || terms->version > MILTER_VERSION_MOST)
        return "speaks a version of the milter protocol that is not 2 to 6";
    if ((terms->may & ~(uint32_t)OFFERED_ACTIONS) != 0)
        return "wants to do what was not offered";
    terms->protocol &= OFFERED_PROTOCOL;
    while (data.len > 0) {
        if (!milter_take_number(&data, &place) || !milter_take_text(&data, &names))
            return malformed;
        if (place >= MILTER_PLACES)
            continue; /* of a later version */
        terms->macros[place] = arena_copy(arena, names);
        if (terms->macros[place].ptr == NULL)
            return no_memory;
    }
    return NULL;
}

/* "550 text", "550-5.7.1 text": false when the line has no code, or another one than the first line. */
static bool reply_line(struct slice line, unsigned *code, struct slice *text)
{
    uint64_t number;

    if (!slice_to_u64(slice_part(line, 0, 3), &number) || number < 400 || number > 599 ||
        line.len < 3 || (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-'))
        return false;
    if (*code != 0 && *code != number)
        return false;
    *code = (unsigned)number;
    *text = slice_trim(slice_skip(line, 4));
    return true;
}

/* What follows the code of a further line, without the enhanced code, which every line repeats. */
static struct slice without_enhanced(struct slice text)
{
    struct slice rest = text, word;

    if (!slice_cut(&rest, ' ', &word))
        return reply_is_enhanced_code(text) ? slice_part(text, 0, 0) : text;
    return reply_is_enhanced_code(word) ? slice_trim(rest) : text;
}

/* Adds `text`; of two `%` one stays, a single one is dropped: the reply was meant as a format. */
static int add_unformatted(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '%' && ++i == text.len)
            break;
        if (buf_put_char(out, text.ptr[i]))
            return -1;
    }
    return 0;
}

static const char *read_reply(struct slice data, struct arena *arena, struct reply *reply)
{
    AUTO_BUF all = BUF_INIT(MILTER_PACKET_MAX);
    struct slice rest, line, text;
    unsigned code = 0;

    if (!milter_take_text(&data, &rest) || data.len > 0)
        return malformed;
    while (slice_next(&rest, '\n', &line)) {
        bool is_first = code == 0;
        if (line.len == 0 && rest.ptr == NULL)
            break; /* behind the last line end */
        if (!reply_line(line, &code, &text))
            return "sends a reply that is none";
        if (!is_first)
            text = without_enhanced(text);
        if ((!is_first && buf_put_char(&all, ' ')) || add_unformatted(&all, text))
            return no_memory;
    }
    if (code == 0)
        return "sends a reply that is none";
    *reply = wanted_reply(arena, buf_slice(&all), code, code < 500 ? "4.7.1" : "5.7.1");
    return NULL;
}

const char *milter_read_refusal(const struct milter_packet *packet, struct arena *arena,
                                enum finding_result *result, struct reply *reply)
{
    *reply = (struct reply){ .code = 0 };
    if (packet->command == MILTER_SAYS_REPLY) {
        const char *error = read_reply(packet->data, arena, reply);
        *result = reply->code < 500 ? FINDING_TEMPFAIL : FINDING_REJECT;
        return error;
    }
    *result = packet->command == MILTER_SAYS_REJECT ? FINDING_REJECT : FINDING_TEMPFAIL;
    if (packet->command == MILTER_SAYS_SHUTDOWN)
        *reply = (struct reply){ 421, SLICE_INIT("4.3.0"), SLICE_INIT("Service not available") };
    return packet->data.len == 0 ? NULL : malformed;
}

/* ---- changes ---- */

struct change {
    struct arena *arena;
    struct buf *body;
    struct finding *finding;
    enum edit_kind kind; /* of the row */
};

/* name NUL value NUL, for some with a number before them. */
static const char *read_header(struct slice data, const struct change *change)
{
    bool has_index = change->kind != EDIT_ADD_HEADER;
    uint32_t index = 0;
    struct slice name, value;

    if ((has_index && !milter_take_number(&data, &index)) || !milter_take_text(&data, &name) ||
        !milter_take_text(&data, &value) || data.len > 0)
        return malformed;
    if (change->kind == EDIT_CHANGE_HEADER) {
        index = index == 0 ? 1 : index; /* as MTAs take it */
        if (value.len == 0)
            value.ptr = NULL; /* removes it */
    }
    return wanted_header(&change->finding->edits, change->arena, change->kind, name, value, index);
}

/* address NUL, perhaps arguments NUL */
static const char *read_address(struct slice data, const struct change *change)
{
    struct slice address, arguments;

    if (!milter_take_text(&data, &address) ||
        (data.len > 0 && !milter_take_text(&data, &arguments)) || data.len > 0)
        return malformed;
    return wanted_address(&change->finding->edits, change->arena, change->kind, address);
}

static const char *read_body(struct slice data, const struct change *change)
{
    return buf_add(change->body, data) == 0 ? NULL
                                            : "replaces the body with a larger one than is taken";
}

static const char *read_quarantine(struct slice data, const struct change *change)
{
    struct slice reason;

    if (!milter_take_text(&data, &reason) || data.len > 0)
        return malformed;
    change->finding->wants_quarantine = true;
    change->finding->reply.text = wanted_line(change->arena, reason, REPLY_MAX);
    return NULL;
}

static const struct change_row {
    char command;
    enum edit_kind kind;
    uint32_t needs;
    const char *(*read)(struct slice data, const struct change *change);
} changes[] = {
    { MILTER_SAYS_ADD_HEADER, EDIT_ADD_HEADER, MILTER_MAY_ADD_HEADERS, read_header },
    { MILTER_SAYS_INSERT_HEADER, EDIT_INSERT_HEADER, MILTER_MAY_ADD_HEADERS, read_header },
    { MILTER_SAYS_CHANGE_HEADER, EDIT_CHANGE_HEADER, MILTER_MAY_CHANGE_HEADERS, read_header },
    { MILTER_SAYS_CHANGE_SENDER, EDIT_CHANGE_SENDER, MILTER_MAY_CHANGE_SENDER, read_address },
    { MILTER_SAYS_ADD_RCPT, EDIT_ADD_RECIPIENT, MILTER_MAY_ADD_RCPT, read_address },
    { MILTER_SAYS_ADD_RCPT_ARGS, EDIT_ADD_RECIPIENT, MILTER_MAY_ADD_RCPT_ARGS, read_address },
    { MILTER_SAYS_REMOVE_RCPT, EDIT_REMOVE_RECIPIENT, MILTER_MAY_REMOVE_RCPT, read_address },
    { MILTER_SAYS_BODY, EDIT_REPLACE_BODY, MILTER_MAY_CHANGE_BODY, read_body },
    { MILTER_SAYS_QUARANTINE, EDIT_HOLD, MILTER_MAY_QUARANTINE, read_quarantine },
};

static const struct change_row *change_row(char command)
{
    for (size_t i = 0; i < COUNT(changes); i++) {
        if (changes[i].command == command)
            return &changes[i];
    }
    return NULL;
}

bool milter_is_change(char command)
{
    return change_row(command) != NULL;
}

const char *milter_read_change(const struct milter_packet *packet, const struct milter_terms *terms,
                               struct arena *arena, struct buf *body, struct finding *finding)
{
    const struct change_row *row = change_row(packet->command);

    if (row == NULL)
        return malformed;
    if ((terms->may & row->needs) == 0)
        return "changes what it did not ask for";
    const struct change change = { arena, body, finding, row->kind };
    // cppcheck-suppress returnDanglingLifetime ; what it returns is constant text
    return row->read(packet->data, &change);
}
