/* common/message/described.c - see described.h. */
#include "common/message/described.h"

#include <stddef.h>

#include "common/base/suggest.h"
#include "common/message/facts.h"

enum { PORT_MOST = 65535, NAME_SHOWN_MAX = 60 };

/* ---- what the MTA would say ---- */

struct reading {
    struct described *out;
    struct arena *arena; /* the message's */
    struct message_client client;
    struct slice sender;
    bool is_smtputf8, has_sender;
};

/* A constant text: what is wrong; NULL: nothing. */
typedef const char *take_value(struct reading *reading, struct slice value);

static const char *take_client_address(struct reading *reading, struct slice value)
{
    reading->client.has_address = ip_address_parse(value, &reading->client.address);
    return reading->client.has_address ? NULL : "no IP address";
}

static const char *take_client_port(struct reading *reading, struct slice value)
{
    uint64_t port;

    if (!slice_to_u64(value, &port) || port > PORT_MOST)
        return "no port";
    reading->client.port = (unsigned)port;
    return NULL;
}

static const char *take_sender(struct reading *reading, struct slice value)
{
    reading->sender = value;
    reading->has_sender = true;
    return NULL;
}

static const char *take_recipient(struct reading *reading, struct slice value)
{
    struct described *out = reading->out;

    if (value.len == 0)
        return "nobody is named";
    if (out->recipient_count == DESCRIBED_RECIPIENTS_MAX)
        return "too many recipients: at most 100";
    out->recipients[out->recipient_count++] = value;
    return NULL;
}

static const char *take_smtputf8(struct reading *reading, struct slice value)
{
    reading->is_smtputf8 = slice_equal_nocase(value, SLICE("yes"));
    return reading->is_smtputf8 || slice_equal_nocase(value, SLICE("no")) ? NULL : "yes or no";
}

static const char *take_spf(struct described *out, struct slice value, struct slice *result)
{
    out->has_record = true;
    *result = value;
    for (size_t i = 0; message_spf_results[i] != NULL; i++)
        if (slice_equal(value, slice_of(message_spf_results[i])))
            return NULL;
    return "no result of SPF: none, neutral, pass, fail, softfail, temperror or permerror";
}

static const char *take_policy_spf(struct reading *reading, struct slice value)
{
    return take_spf(reading->out, value, &reading->out->record.spf.result);
}

static const char *take_policy_spf_helo(struct reading *reading, struct slice value)
{
    return take_spf(reading->out, value, &reading->out->record.spf_helo.result);
}

static const char *take_policy_spf_domain(struct reading *reading, struct slice value)
{
    reading->out->has_record = true;
    reading->out->record.spf.domain = value;
    return NULL;
}

static const char *take_policy_score(struct reading *reading, struct slice value)
{
    struct transaction *record = &reading->out->record;

    reading->out->has_record = true;
    record->has_score = slice_to_double(value, &record->score);
    return record->has_score ? NULL : "no number";
}

static const char *take_policy_rule(struct reading *reading, struct slice value)
{
    reading->out->has_record = true;
    reading->out->record.rule = value;
    return NULL;
}

#define CLIENT_TEXT(field) .client_text = offsetof(struct message_client, field)
#define MESSAGE_TEXT(field) .is_of_message = true, .message_text = offsetof(struct message, field)

static const struct attribute {
    const char *name;
    take_value *take; /* NULL: the text goes where one of the others says */
    bool is_of_message;
    size_t client_text, message_text;
} attributes[] = {
    { "client_address", .take = take_client_address },
    { "client_name", CLIENT_TEXT(name) },
    { "client_port", .take = take_client_port },
    { "helo_name", CLIENT_TEXT(helo) },
    { "daemon_name", CLIENT_TEXT(daemon_name) },
    { "daemon_address", CLIENT_TEXT(daemon_address) },
    { "daemon_port", CLIENT_TEXT(daemon_port) },
    { "myhostname", CLIENT_TEXT(myhostname) },
    { "encryption_protocol", CLIENT_TEXT(tls_version) },
    { "encryption_cipher", CLIENT_TEXT(tls_cipher) },
    { "ccert_subject", CLIENT_TEXT(tls_cert_subject) },
    { "sasl_username", MESSAGE_TEXT(sasl_username) },
    { "sasl_method", MESSAGE_TEXT(sasl_method) },
    { "queue_id", MESSAGE_TEXT(queue_id) },
    { "sender", .take = take_sender },
    { "recipient", .take = take_recipient },
    { "smtputf8", .take = take_smtputf8 },
    { "policy.spf", .take = take_policy_spf },
    { "policy.spf_domain", .take = take_policy_spf_domain },
    { "policy.spf_helo", .take = take_policy_spf_helo },
    { "policy.score", .take = take_policy_score },
    { "policy.rule", .take = take_policy_rule },
};

static const struct attribute *attribute_find(struct slice name)
{
    for (size_t i = 0; i < COUNT(attributes); i++)
        if (slice_equal(name, slice_of(attributes[i].name)))
            return &attributes[i];
    return NULL;
}

static const char *attribute_take(struct reading *reading, const struct attribute *attribute,
                                  struct slice value)
{
    struct slice *text =
        attribute->is_of_message
            ? (struct slice *)(void *)((char *)reading->out->message + attribute->message_text)
            : (struct slice *)(void *)((char *)&reading->client + attribute->client_text);

    if (attribute->take != NULL)
        return attribute->take(reading, value);
    *text = value;
    return NULL;
}

static void tell_unknown(struct slice name, struct buf *error)
{
    struct suggest best = suggest_for(name);

    for (size_t i = 0; i < COUNT(attributes); i++)
        suggest_offer(&best, slice_of(attributes[i].name));
    buf_printf(error, "there is no attribute \"%.*s\"",
               SLICE_ARG(slice_part(name, 0, NAME_SHOWN_MAX)));
    if (best.name.ptr != NULL)
        buf_printf(error, "; did you mean \"%.*s\"?", SLICE_ARG(best.name));
}

static bool take_line(struct reading *reading, const struct described_own *own, struct slice line,
                      struct buf *error)
{
    struct slice value = line, name;
    bool is_known = true;

    if (!slice_cut(&value, '=', &name)) {
        buf_printf(error, "\"%.*s\": NAME=VALUE is expected",
                   SLICE_ARG(slice_part(line, 0, NAME_SHOWN_MAX)));
        return false;
    }
    value = arena_copy(reading->arena, value);
    if (value.ptr == NULL) {
        buf_put(error, "out of memory");
        return false;
    }
    const struct attribute *attribute = attribute_find(name);
    const char *wrong = NULL;
    if (attribute != NULL)
        wrong = attribute_take(reading, attribute, value);
    else if (own != NULL)
        wrong = own->take(own->arg, name, value, &is_known);
    else
        is_known = false;
    if (!is_known)
        tell_unknown(name, error);
    else if (wrong != NULL)
        buf_printf(error, "%.*s: %s", SLICE_ARG(slice_part(name, 0, NAME_SHOWN_MAX)), wrong);
    return is_known && wrong == NULL;
}

static bool take_lines(struct reading *reading, const struct described_own *own, struct slice *rest,
                       struct buf *error)
{
    struct slice line;

    for (size_t count = 0; slice_next(rest, '\n', &line) && line.len > 0; count++) {
        if (slice_ends_with(line, SLICE("\r")))
            line.len--;
        if (line.len == 0)
            break;
        if (count == DESCRIBED_LINES_MAX) {
            buf_printf(error, "more than %d lines before the message", (int)DESCRIBED_LINES_MAX);
            return false;
        }
        if (!take_line(reading, own, line, error))
            return false;
    }
    return true;
}

static bool set_envelope(struct reading *reading)
{
    struct message *message = reading->out->message;
    struct slice smtputf8 = SLICE("SMTPUTF8");

    return message_set_client(message, &reading->client) == MESSAGE_OK &&
           message_set_sender(message, reading->sender, &smtputf8, reading->is_smtputf8) ==
               MESSAGE_OK;
}

bool described_read(struct slice text, const struct described_own *own, struct described *out,
                    struct buf *error)
{
    struct reading reading = { .out = out };

    *out = (struct described){ .message = message_new() };
    if (out->message == NULL) {
        buf_put(error, "out of memory");
        return false;
    }
    reading.arena = out->message->arena;
    reading.sender = SLICE("");
    out->recipients =
        arena_alloc_array(reading.arena, DESCRIBED_RECIPIENTS_MAX, sizeof *out->recipients);
    bool ok = out->recipients != NULL;
    if (ok && !take_lines(&reading, own, &text, error)) {
        message_unref(&out->message);
        return false;
    }
    out->content = text;
    out->record.sender = ok ? transaction_sender(reading.sender, reading.arena) : reading.sender;
    if (ok && set_envelope(&reading))
        return true;
    buf_put(error, "out of memory");
    message_unref(&out->message);
    return false;
}

/* ---- header fields and body ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Where the line that begins at `from` ends: behind its LF. */
static size_t line_end(struct slice text, size_t from)
{
    size_t lf = slice_find(slice_skip(text, from), '\n');

    return lf == SIZE_MAX ? text.len : from + lf + 1;
}

/* A name and a colon (RFC 5322 2.2), perhaps with a blank between (4.5). */
static bool is_field(struct slice line, struct slice *name)
{
    struct slice value = line;
    size_t len;

    if (!slice_cut(&value, ':', name))
        return false;
    for (len = name->len; len > 0 && is_blank(name->ptr[len - 1]); len--)
        ;
    for (size_t i = 0; i < len; i++)
        if (!ascii_is_print(name->ptr[i]) || name->ptr[i] == ' ')
            return false;
    return len > 0;
}

/* The field that begins the text, with its folds, and *used, what it is long; false: none does. */
static bool field_take(struct slice text, struct slice *name, struct slice *value, size_t *used)
{
    size_t end = line_end(text, 0);

    if (!is_field(slice_part(text, 0, end), name))
        return false;
    while (end < text.len && is_blank(text.ptr[end]))
        end = line_end(text, end);
    *used = end;
    *value = slice_part(text, name->len + 1, end - name->len - 1);
    if (slice_ends_with(*value, SLICE("\n")))
        value->len--;
    if (slice_ends_with(*value, SLICE("\r")))
        value->len--;
    return true;
}

/* The body with CRLF where there was LF alone. */
static enum message_fill add_with_crlf(struct message *message, struct slice body)
{
    enum message_fill fill = MESSAGE_OK;
    struct slice line;

    while (fill == MESSAGE_OK && slice_cut(&body, '\n', &line)) {
        if (slice_ends_with(line, SLICE("\r")))
            line.len--;
        if (line.len > 0)
            fill = message_add_body(message, line);
        if (fill == MESSAGE_OK)
            fill = message_add_body(message, SLICE("\r\n"));
    }
    if (fill == MESSAGE_OK && body.len > 0)
        fill = message_add_body(message, body);
    return fill;
}

enum message_fill described_fill(const struct described *described,
                                 const struct spool_bounds *bounds)
{
    struct message *message = described->message;
    struct slice rest = described->content, name, value;
    enum message_fill fill = MESSAGE_OK;
    size_t used;

    message->has_leading_space = true;
    if (slice_starts_with(rest, SLICE("From ")) &&
        !is_field(slice_part(rest, 0, line_end(rest, 0)), &name))
        rest = slice_skip(rest, line_end(rest, 0)); /* of a mailbox */
    bool is_as_sent = slice_ends_with(slice_part(rest, 0, line_end(rest, 0)), SLICE("\r\n"));
    while (fill == MESSAGE_OK && field_take(rest, &name, &value, &used)) {
        fill = message_add_header(message, name, value);
        rest = slice_skip(rest, used);
    }
    if (slice_starts_with(rest, SLICE("\n")) || slice_starts_with(rest, SLICE("\r\n")))
        rest = slice_skip(rest, line_end(rest, 0));
    if (fill == MESSAGE_OK)
        fill = message_end_headers(message, bounds);
    if (fill == MESSAGE_OK && rest.len > 0)
        fill = is_as_sent ? message_add_body(message, rest) : add_with_crlf(message, rest);
    if (fill == MESSAGE_OK)
        message_end(message);
    return fill;
}
