/* common/message/facts.c - see facts.h. */
#include "common/message/facts.h"

#include "common/base/clock.h"
#include "common/mime/mime_decode.h"

const char *const message_directions[] = { "inbound", "outbound", NULL };
const char *const message_spf_results[] = { "none",     "neutral",   "pass",      "fail",
                                            "softfail", "temperror", "permerror", NULL };

static unsigned wants_mime(int id)
{
    if (id >= MESSAGE_ATTACHMENT_NAME && id <= MESSAGE_MIME_LIMITED)
        return MIME_STRUCTURE;
    return id >= MESSAGE_FROM && id <= MESSAGE_RECEIVED_COUNT ? MIME_HEADERS : 0;
}

static bool wants_record(int id)
{
    return id >= MESSAGE_POLICY_SPF && id <= MESSAGE_POLICY_RULE;
}

struct message_names message_names_of(const struct rule_set *rules)
{
    struct message_names names = { .mime = 0 };

    for (size_t slot = 0; slot < rule_set_slots(rules); slot++) {
        const struct fact_ref *ref = rule_set_ref(rules, slot);
        if (ref->kind != FACT_PLAIN)
            continue;
        names.mime |= wants_mime(ref->type->id);
        names.record = names.record || wants_record(ref->type->id);
    }
    for (size_t i = 0; i < rule_set_count(rules); i++)
        names.stages |= rule_set_info(rules, i).stages;
    return names;
}

/* ---- the connection and the envelope ---- */

static bool value_of_client(struct value *out, const struct message_client *client, bool as_net,
                            struct arena *arena)
{
    char text[IP_ADDRESS_TEXT_MAX];
    struct slice address = SLICE("");

    if (client->has_address) {
        size_t len = ip_address_print(&client->address, text);
        address = arena_copy(arena, (struct slice){ text, len });
        if (address.ptr == NULL)
            return false;
    }
    return as_net ? value_of_net(out, address, arena) : value_of_address(out, address, arena);
}

static bool connection_fact(const struct message_subject *subject, int id, struct value *out)
{
    const struct message_client *client = &subject->message->client;

    switch (id) {
    case MESSAGE_CLIENT_ADDRESS:
    case MESSAGE_CLIENT_NET:
        return value_of_client(out, client, id == MESSAGE_CLIENT_NET, subject->arena);
    case MESSAGE_CLIENT_NAME:
        if (slice_starts_with(client->name, SLICE("[")))
            return value_of_domain(out, SLICE(""), subject->arena);
        return value_of_domain(out, client->name, subject->arena);
    case MESSAGE_CLIENT_PORT:
        value_of_number(out, client->port);
        out->is_empty = client->port == 0;
        return true;
    case MESSAGE_HELO_NAME:
        return value_of_domain(out, client->helo, subject->arena);
    case MESSAGE_DAEMON_NAME:
        value_of_text(out, VALUE_TEXT, client->daemon_name);
        return true;
    case MESSAGE_DAEMON_ADDRESS:
        return value_of_address(out, client->daemon_address, subject->arena);
    case MESSAGE_DAEMON_PORT:
        value_of_digits(out, client->daemon_port);
        return true;
    case MESSAGE_ENCRYPTED:
        value_of_boolean(out, client->tls_version.len > 0);
        return true;
    case MESSAGE_ENCRYPTION_PROTOCOL:
        value_of_text(out, VALUE_WORD, client->tls_version);
        return true;
    case MESSAGE_ENCRYPTION_CIPHER:
        value_of_text(out, VALUE_WORD, client->tls_cipher);
        return true;
    default: /* MESSAGE_CCERT_SUBJECT */
        value_of_text(out, VALUE_TEXT, client->tls_cert_subject);
        return true;
    }
}

static bool envelope_fact(const struct message_subject *subject, int id, struct value *out)
{
    const struct message *message = subject->message;

    switch (id) {
    case MESSAGE_SASL_USERNAME:
        return value_of_mailbox(out, message->sasl_username, &subject->mailboxes, subject->arena);
    case MESSAGE_SASL_DOMAIN:
        return value_of_mailbox_domain(out, message->sasl_username, &subject->mailboxes,
                                       subject->arena);
    case MESSAGE_SASL_METHOD:
        value_of_text(out, VALUE_WORD, message->sasl_method);
        return true;
    case MESSAGE_AUTHENTICATED:
        value_of_boolean(out, message->sasl_username.len > 0);
        return true;
    case MESSAGE_DIRECTION:
        value_of_text(out, VALUE_WORD, subject->is_outbound ? SLICE("outbound") : SLICE("inbound"));
        return true;
    case MESSAGE_QUEUE_ID:
        value_of_text(out, VALUE_TEXT, message->queue_id);
        return true;
    case MESSAGE_SMTPUTF8:
        value_of_boolean(out, message->is_smtputf8);
        return true;
    case MESSAGE_SENDER:
        return value_of_mailbox(out, message->sender, &subject->mailboxes, subject->arena);
    case MESSAGE_SENDER_DOMAIN:
        return value_of_mailbox_domain(out, message->sender, &subject->mailboxes, subject->arena);
    case MESSAGE_RECIPIENT_COUNT:
        value_of_number(out, (double)message->recipient_count);
        return true;
    default: /* MESSAGE_SIZE */
        value_of_number(out, (double)message_size(message));
        return true;
    }
}

/* ---- policyd's record ---- */

static bool record_fact(const struct message_subject *subject, int id, struct value *out)
{
    static const struct transaction nothing;
    const struct transaction *record = subject->record == NULL ? &nothing : subject->record;

    switch (id) {
    case MESSAGE_POLICY_SPF:
        value_of_text(out, VALUE_WORD, record->spf.result);
        break;
    case MESSAGE_POLICY_SPF_HELO:
        value_of_text(out, VALUE_WORD, record->spf_helo.result);
        break;
    case MESSAGE_POLICY_SPF_DOMAIN:
        return subject->has_record && value_of_domain(out, record->spf.domain, subject->arena);
    case MESSAGE_POLICY_SCORE:
        value_of_number(out, record->score);
        out->is_empty = !record->has_score;
        break;
    default: /* MESSAGE_POLICY_RULE */
        value_of_text(out, VALUE_TEXT, record->rule);
        break;
    }
    return subject->has_record;
}

/* ---- header fields and structure ---- */

/* Values being put one after the other. */
struct several {
    struct value *out; /* the first, which is empty until there is one */
    struct value *last;
    struct arena *arena;
    bool failed;
};

static struct several several_begin(struct value *out, enum value_type type, struct arena *arena)
{
    value_of_text(out, type, SLICE(""));
    return (struct several){ .out = out, .arena = arena };
}

static void several_add(struct several *several, const struct value *value)
{
    struct value *own =
        several->last == NULL ? several->out : arena_alloc(several->arena, sizeof *own);

    if (own == NULL) {
        several->failed = true;
        return;
    }
    *own = *value;
    own->next = NULL;
    if (several->last != NULL)
        several->last->next = own;
    several->last = own;
}

static void several_add_text(struct several *several, enum value_type type, struct slice text)
{
    struct value value;

    if (text.len == 0)
        return;
    value_of_text(&value, type, text);
    several_add(several, &value);
}

bool value_of_items(struct value *out, struct slice text, struct arena *arena)
{
    struct several several = several_begin(out, VALUE_TEXT, arena);
    struct slice item;

    while (text.len > 0 && slice_next(&text, ',', &item))
        several_add_text(&several, VALUE_TEXT, item);
    return !several.failed;
}

static bool header_fact(const struct message *message, struct slice name, struct arena *arena,
                        struct value *out)
{
    struct several several = several_begin(out, VALUE_TEXT, arena);
    size_t found = 0;

    for (size_t i = 0; i < message->header_count && found < HEADER_VALUES_MAX; i++) {
        if (!slice_equal_nocase(message->headers[i].name, name))
            continue;
        several_add_text(&several, VALUE_TEXT, mime_decode_text(arena, message->headers[i].value));
        found++;
    }
    return !several.failed;
}

static bool attachment_fact(const struct mime_facts *mime, int id, struct arena *arena,
                            struct value *out)
{
    struct several several =
        several_begin(out, id == MESSAGE_ATTACHMENT_SIZE ? VALUE_NUMBER : VALUE_WORD, arena);
    struct value size;

    for (const struct mime_attachment *one = mime->attachments; one != NULL; one = one->next) {
        switch (id) {
        case MESSAGE_ATTACHMENT_SIZE:
            value_of_number(&size, (double)one->size);
            several_add(&several, &size);
            break;
        case MESSAGE_ATTACHMENT_TYPE:
            several_add_text(&several, VALUE_WORD, one->type);
            break;
        default:
            for (size_t i = 0; i < COUNT(one->name); i++)
                several_add_text(&several, VALUE_WORD,
                                 id == MESSAGE_ATTACHMENT_NAME ? one->name[i] : one->extension[i]);
            break;
        }
    }
    return !several.failed;
}

static bool date_fact(const struct mime_facts *mime, uint64_t wall_ms, struct value *out)
{
    value_of_number(out, (double)wall_ms / SECOND - (double)mime->date_s);
    out->is_empty = mime->date_s == 0;
    return true;
}

/* A text, or nothing. */
static bool is(struct value *out, enum value_type type, struct slice text)
{
    value_of_text(out, type, text);
    return true;
}

static bool counts(struct value *out, size_t count)
{
    value_of_number(out, (double)count);
    return true;
}

static bool mime_fact(const struct mime_facts *mime, int id, uint64_t wall_ms, struct arena *arena,
                      struct value *out)
{
    switch (id) {
    case MESSAGE_FROM:
        return is(out, VALUE_MAILBOX, mime->from);
    case MESSAGE_FROM_DOMAIN:
        return is(out, VALUE_DOMAIN, mime->from_domain);
    case MESSAGE_FROM_NAME:
        return is(out, VALUE_TEXT, mime->from_name);
    case MESSAGE_FROM_NAME_ADDRESS:
        return is(out, VALUE_MAILBOX, mime->from_name_address);
    case MESSAGE_FROM_COUNT:
        return counts(out, mime->from_count);
    case MESSAGE_REPLY_TO:
        return is(out, VALUE_MAILBOX, mime->reply_to);
    case MESSAGE_SUBJECT:
        return is(out, VALUE_TEXT, mime->subject);
    case MESSAGE_MESSAGE_ID:
        return is(out, VALUE_TEXT, mime->message_id);
    case MESSAGE_DATE_AGE:
        return date_fact(mime, wall_ms, out);
    case MESSAGE_RECEIVED_COUNT:
        return counts(out, mime->received_count);
    case MESSAGE_ATTACHMENT_COUNT:
        return counts(out, mime->attachment_count);
    case MESSAGE_MIME_PARTS:
        return counts(out, mime->part_count);
    case MESSAGE_MIME_DEPTH:
        return counts(out, mime->depth);
    case MESSAGE_MIME_BROKEN:
        value_of_boolean(out, mime->is_broken);
        return true;
    case MESSAGE_MIME_AMBIGUOUS:
        value_of_boolean(out, mime->is_ambiguous);
        return true;
    case MESSAGE_MIME_LIMITED:
        value_of_boolean(out, mime->is_limited);
        return true;
    default:
        return attachment_fact(mime, id, arena, out);
    }
}

static bool header_or_mime_fact(const struct message_subject *subject, const struct fact_ref *ref,
                                struct value *out)
{
    const struct message *message = subject->message;

    if (ref->type->id == MESSAGE_HEADER_COUNT)
        return counts(out, message->header_count);
    if (ref->type->id == MESSAGE_HEADER)
        return header_fact(message, ref->arg, subject->arena, out);
    return subject->mime != NULL &&
           mime_fact(subject->mime, ref->type->id, subject->wall_ms, subject->arena, out);
}

bool message_fact(const struct message_subject *subject, const struct fact_ref *ref,
                  struct value *out)
{
    int id = ref->type->id;

    if (id == MESSAGE_HOUR || id == MESSAGE_WEEKDAY) {
        (id == MESSAGE_HOUR ? value_of_hour : value_of_weekday)(out, subject->wall_ms);
        return true;
    }
    if (id < MESSAGE_HOUR)
        return connection_fact(subject, id, out);
    if (id <= MESSAGE_SIZE)
        return envelope_fact(subject, id, out);
    if (id <= MESSAGE_POLICY_RULE)
        return record_fact(subject, id, out);
    return header_or_mime_fact(subject, ref, out);
}
