/* contentd/facts/provider.c - see provider.h. */
#include "contentd/facts/provider.h"

#include "contentd/facts/message_facts.h"

bool message_is_outbound(const struct setup *setup, const struct message *message)
{
    const struct message_client *client = &message->client;

    if (message->sasl_username.len > 0 || !client->has_address)
        return true;
    struct ipnet net = ipnet_of(&client->address);
    for (size_t i = 0; i < setup->internal_count; i++)
        if (ipnet_contains(&setup->internal[i], &net))
            return true;
    const struct conf_list *ports = &setup->parts.config->outbound_ports;
    for (size_t i = 0; i < ports->count; i++)
        if (slice_equal(ports->items[i], client->daemon_port))
            return true;
    return false;
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

static bool connection_fact(const struct fact_subject *subject, int id, struct value *out)
{
    const struct message_client *client = &subject->message->client;
    const struct connection_counts *counts = &subject->connections;
    uint64_t count = id == FACT_CONNECTIONS       ? counts->address
                     : id == FACT_CONNECTIONS_NET ? counts->net
                                                  : counts->all;

    switch (id) {
    case FACT_CLIENT_ADDRESS:
    case FACT_CLIENT_NET:
        return value_of_client(out, client, id == FACT_CLIENT_NET, subject->arena);
    case FACT_CLIENT_NAME:
        if (slice_starts_with(client->name, SLICE("[")))
            return value_of_domain(out, SLICE(""), subject->arena);
        return value_of_domain(out, client->name, subject->arena);
    case FACT_CLIENT_PORT:
        value_of_number(out, client->port);
        out->is_empty = client->port == 0;
        return true;
    case FACT_HELO_NAME:
        return value_of_domain(out, client->helo, subject->arena);
    case FACT_DAEMON_NAME:
        value_of_text(out, VALUE_TEXT, client->daemon_name);
        return true;
    case FACT_DAEMON_ADDRESS:
        return value_of_address(out, client->daemon_address, subject->arena);
    case FACT_DAEMON_PORT:
        value_of_digits(out, client->daemon_port);
        return true;
    case FACT_ENCRYPTED:
        value_of_boolean(out, client->tls_version.len > 0);
        return true;
    case FACT_ENCRYPTION_PROTOCOL:
        value_of_text(out, VALUE_WORD, client->tls_version);
        return true;
    case FACT_ENCRYPTION_CIPHER:
        value_of_text(out, VALUE_WORD, client->tls_cipher);
        return true;
    case FACT_CCERT_SUBJECT:
        value_of_text(out, VALUE_TEXT, client->tls_cert_subject);
        return true;
    default: /* connections */
        value_of_number(out, (double)count);
        return counts->is_known && count > 0;
    }
}

static bool envelope_fact(const struct fact_subject *subject, int id, struct value *out)
{
    const struct message *message = subject->message;
    const struct mailbox_settings settings = setup_mailboxes(subject->setup);
    struct slice recipient = subject->recipient == NULL ? SLICE("") : subject->recipient->address;

    switch (id) {
    case FACT_SASL_USERNAME:
        return value_of_mailbox(out, message->sasl_username, &settings, subject->arena);
    case FACT_SASL_DOMAIN:
        return value_of_mailbox_domain(out, message->sasl_username, &settings, subject->arena);
    case FACT_SASL_METHOD:
        value_of_text(out, VALUE_WORD, message->sasl_method);
        return true;
    case FACT_AUTHENTICATED:
        value_of_boolean(out, message->sasl_username.len > 0);
        return true;
    case FACT_DIRECTION:
        value_of_text(out, VALUE_WORD,
                      message_is_outbound(subject->setup, message) ? SLICE("out") : SLICE("in"));
        return true;
    case FACT_QUEUE_ID:
        value_of_text(out, VALUE_TEXT, message->queue_id);
        return true;
    case FACT_SMTPUTF8:
        value_of_boolean(out, message->is_smtputf8);
        return true;
    case FACT_SENDER:
        return value_of_mailbox(out, message->sender, &settings, subject->arena);
    case FACT_SENDER_DOMAIN:
        return value_of_mailbox_domain(out, message->sender, &settings, subject->arena);
    case FACT_RECIPIENT:
        return value_of_mailbox(out, recipient, &settings, subject->arena);
    case FACT_RECIPIENT_DOMAIN:
        return value_of_mailbox_domain(out, recipient, &settings, subject->arena);
    case FACT_CHAIN:
        value_of_text(out, VALUE_WORD, subject->chain == NULL ? SLICE("") : subject->chain->name);
        return true;
    case FACT_RECIPIENT_COUNT:
        value_of_number(out, (double)message->recipient_count);
        return true;
    default: /* FACT_SIZE */
        value_of_number(out, (double)message_size(message));
        return true;
    }
}

/* ---- policyd's record ---- */

static bool record_fact(const struct fact_subject *subject, int id, struct value *out)
{
    static const struct transaction nothing;
    const struct transaction *record = subject->record == NULL ? &nothing : subject->record;

    switch (id) {
    case FACT_POLICY_SPF:
        value_of_text(out, VALUE_WORD, record->spf.result);
        break;
    case FACT_POLICY_SPF_HELO:
        value_of_text(out, VALUE_WORD, record->spf_helo.result);
        break;
    case FACT_POLICY_SPF_DOMAIN:
        return subject->has_record && value_of_domain(out, record->spf.domain, subject->arena);
    case FACT_POLICY_SCORE:
        value_of_number(out, record->score);
        out->is_empty = !record->has_score;
        break;
    default: /* FACT_POLICY_RULE */
        value_of_text(out, VALUE_TEXT, record->rule);
        break;
    }
    return subject->has_record;
}

/* ---- scanners ---- */

static bool scanner_fact(const struct fact_subject *subject, const struct fact_ref *ref,
                         struct value *out)
{
    static const struct finding nothing;
    const struct scan_set *set = shared_get(subject->setup->parts.scan);
    size_t n = scan_set_find(set, ref->arg);
    const struct finding *finding = &nothing;

    if (n != SCANNER_NONE && subject->findings != NULL && subject->chain != NULL &&
        (subject->chain->set & ~subject->skipped & SCANNER_BIT(n)) != 0)
        finding = &subject->findings[n];
    switch (ref->type->id) {
    case FACT_SCANNER_RESULT:
        value_of_text(out, VALUE_WORD, slice_of(finding_words[finding->result]));
        return true;
    case FACT_SCANNER_SCORE:
        value_of_number(out, finding->score);
        out->is_empty = !finding->has_score;
        return true;
    case FACT_SCANNER_VIRUS:
        value_of_text(out, VALUE_TEXT, finding->virus);
        return true;
    default: /* FACT_SCANNER_SYMBOLS */
        return value_of_items(out, finding->symbols, subject->arena);
    }
}

/* ---- all together ---- */

static bool plain_fact(const struct fact_subject *subject, const struct fact_ref *ref,
                       struct value *out)
{
    int id = ref->type->id;

    if (id == FACT_HOUR || id == FACT_WEEKDAY) {
        (id == FACT_HOUR ? value_of_hour : value_of_weekday)(out, subject->wall_ms);
        return true;
    }
    if (id <= FACT_CONNECTIONS_ALL)
        return connection_fact(subject, id, out);
    if (id <= FACT_SIZE)
        return envelope_fact(subject, id, out);
    if (id <= FACT_POLICY_RULE)
        return record_fact(subject, id, out);
    if (id <= FACT_MIME_LIMITED)
        return message_fact(subject->message, subject->mime, ref, subject->wall_ms, subject->arena,
                            out);
    return scanner_fact(subject, ref, out);
}

enum fetch_result fact_provide(struct evaluation *evaluation, size_t slot,
                               const struct fact_ref *ref, struct value *out)
{
    const struct fact_subject *subject = evaluation->request;

    if (ref->kind != FACT_PLAIN)
        return membership_fact(&subject->membership, evaluation, slot, ref, out);
    return plain_fact(subject, ref, out) ? FETCH_KNOWN : FETCH_UNKNOWN;
}
