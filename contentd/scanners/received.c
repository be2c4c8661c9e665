/* contentd/scanners/received.c - see received.h. */
#include "contentd/scanners/received.h"

#include "common/mail/date.h"

enum { WORD_MAX = 255 };

/* A name in its place between blanks and parentheses; `instead` when it is absent. */
static int put_word(struct buf *out, struct slice word, const char *instead)
{
    word = slice_part(word.len > 0 ? word : slice_of(instead), 0, WORD_MAX);
    for (size_t i = 0; i < word.len; i++) {
        bool is_good = ascii_is_alnum(word.ptr[i]) || memchr("-._:[]", word.ptr[i], 6) != NULL;
        if (buf_put_char(out, is_good ? word.ptr[i] : '_'))
            return -1;
    }
    return 0;
}

/* <address>, without what would end it or the line. */
static int put_path(struct buf *out, struct slice address)
{
    if (buf_put_char(out, '<'))
        return -1;
    for (size_t i = 0; i < address.len; i++) {
        char c = address.ptr[i];
        bool is_good =
            (c > ' ' || (unsigned char)c >= 0x80) && c != '\x7f' && memchr("<>()", c, 4) == NULL;
        if (buf_put_char(out, is_good ? c : '_'))
            return -1;
    }
    return buf_put_char(out, '>');
}

static int put_from(struct buf *out, const struct message *message)
{
    const struct message_client *client = &message->client;
    bool has_name = client->name.len > 0 && client->name.ptr[0] != '[';
    char address[IP_ADDRESS_TEXT_MAX];

    if (!client->has_address)
        return 0;
    ip_address_print(&client->address, address);
    if (buf_put(out, "from ") || put_word(out, client->helo, "unknown") || buf_put(out, " (") ||
        put_word(out, has_name ? client->name : SLICE("unknown"), "unknown"))
        return -1;
    return buf_printf(out, " [%s%s])\r\n\t",
                      ip_address_is_ipv4(&client->address) ? "" : "IPv6:", address);
}

static const char *protocol(const struct message *message)
{
    bool has_login = message->sasl_username.len > 0;
    bool has_tls = message->client.tls_version.len > 0;

    if (has_login)
        return has_tls ? "ESMTPSA" : "ESMTPA"; /* RFC 3848 */
    return has_tls ? "ESMTPS" : "ESMTP";
}

int received_print(struct buf *out, const struct message *message, uint64_t wall_ms)
{
    char date[MAIL_DATE_SIZE];

    mail_date_print(wall_ms, date);
    if (buf_put(out, "Return-Path: ") || put_path(out, message->sender) ||
        buf_put(out, "\r\nReceived: ") || put_from(out, message) || buf_put(out, "by ") ||
        put_word(out, message->client.myhostname, "localhost") ||
        buf_printf(out, " (Postfix) with %s id ", protocol(message)) ||
        put_word(out, message->queue_id, "unknown") || buf_put(out, "\r\n\t(envelope-from ") ||
        put_path(out, message->sender))
        return -1;
    return buf_printf(out, ");\r\n\t%s\r\n", date);
}
