/* contentd/scanners/milter_macros.c - see milter_macros.h. */
#include "contentd/scanners/milter_macros.h"

#include "common/mail/address.h"

static const char *const defaults[MILTER_PLACES] = {
    [MILTER_AT_CONNECT] =
        "j {daemon_name} {daemon_addr} {daemon_port} _ {client_name} {client_addr} {client_port}",
    [MILTER_AT_HELO] = "{tls_version} {cipher} {cipher_bits} {cert_subject}",
    [MILTER_AT_MAIL] = "i {auth_type} {auth_authen} {mail_addr} {mail_host}",
    [MILTER_AT_RCPT] = "i {rcpt_addr} {rcpt_host}",
    [MILTER_AT_DATA] = "i",
    [MILTER_AT_END] = "i",
    [MILTER_AT_END_HEADERS] = "i",
};

enum { MACRO_TEXT = 512 }; /* room for one that is put together */

/* Whose value stands as it is in the message. */
static struct slice plain_value(struct slice name, const struct message *message)
{
    const struct message_client *client = &message->client;
    const struct {
        const char *name;
        struct slice value;
    } values[] = {
        { "i", message->queue_id },
        { "j", client->myhostname },
        { "daemon_name", client->daemon_name },
        { "daemon_addr", client->daemon_address },
        { "daemon_port", client->daemon_port },
        { "client_name", client->name },
        { "tls_version", client->tls_version },
        { "cipher", client->tls_cipher },
        { "cipher_bits", client->tls_cipher_bits },
        { "cert_subject", client->tls_cert_subject },
        { "auth_type", message->sasl_method },
        { "auth_authen", message->sasl_username },
        { "mail_addr", message->sender },
        { "mail_host", address_domain(message->sender_normal) },
    };

    for (size_t i = 0; i < COUNT(values); i++) {
        if (slice_equal(name, slice_of(values[i].name)))
            return values[i].value;
    }
    return (struct slice){ NULL, 0 };
}

/* "name [address]", as sendmail has `_`. */
static struct slice client_text(const struct message_client *client, const char *address,
                                char space[MACRO_TEXT])
{
    struct slice name = client->name;

    if (name.len == 0 || name.ptr[0] == '[')
        name = SLICE("unknown");
    int len = snprintf(space, MACRO_TEXT, "%.*s [%s]", SLICE_ARG(name), address);
    if (len < 0 || len >= MACRO_TEXT)
        return (struct slice){ NULL, 0 };
    return (struct slice){ space, (size_t)len };
}

static struct slice client_value(struct slice name, const struct message_client *client,
                                 char space[MACRO_TEXT])
{
    char address[IP_ADDRESS_TEXT_MAX];
    struct slice none = { NULL, 0 };

    if (slice_equal(name, SLICE("client_port")) && client->port != 0)
        return (struct slice){ space, (size_t)snprintf(space, MACRO_TEXT, "%u", client->port) };
    if (!client->has_address)
        return none;
    size_t len = ip_address_print(&client->address, address);
    if (slice_equal(name, SLICE("_")))
        return client_text(client, address, space);
    if (!slice_equal(name, SLICE("client_addr")))
        return none;
    memcpy(space, address, len + 1);
    return (struct slice){ space, len };
}

static struct slice recipient_value(struct slice name, const struct message *message, size_t n)
{
    if (n < message->recipient_count && slice_equal(name, SLICE("rcpt_addr")))
        return message->recipients[n].address;
    if (n < message->recipient_count && slice_equal(name, SLICE("rcpt_host")))
        return address_domain(message->recipients[n].normal);
    return (struct slice){ NULL, 0 };
}

/* `asked` as written: a name of one letter may stand in braces or not, a longer one does. */
static int put_macro(struct buf *data, struct slice asked, const struct message *message,
                     size_t recipient)
{
    char space[MACRO_TEXT];
    struct slice name = asked;

    if (name.len > 2 && name.ptr[0] == '{' && name.ptr[name.len - 1] == '}')
        name = slice_part(name, 1, name.len - 2);
    struct slice value = plain_value(name, message);
    if (value.ptr == NULL)
        value = client_value(name, &message->client, space);
    if (value.ptr == NULL)
        value = recipient_value(name, message, recipient);
    if (value.ptr == NULL)
        return 0;
    return milter_put_text(data, asked) || milter_put_text(data, value) ? -1 : 0;
}

static bool is_separator(char c)
{
    return ascii_is_space(c) || c == ',';
}

int milter_put_macros(struct buf *out, char command, enum milter_place place, struct slice wanted,
                      const struct message *message, size_t recipient)
{
    AUTO_BUF data = BUF_INIT(MILTER_DATA_MAX);
    struct slice rest = wanted.ptr != NULL ? wanted : slice_of(defaults[place]);

    if (buf_put_char(&data, command))
        return -1;
    while (rest.len > 0) {
        size_t len = 0;
        while (len < rest.len && !is_separator(rest.ptr[len]))
            len++;
        struct slice name = slice_part(rest, 0, len);
        if (len > 0 && put_macro(&data, name, message, recipient))
            return -1;
        rest = slice_skip(rest, len + 1);
    }
    return data.len > 1 ? milter_put_packet(out, MILTER_MACRO, buf_slice(&data)) : 0;
}
