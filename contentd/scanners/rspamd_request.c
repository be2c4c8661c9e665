/* contentd/scanners/rspamd_request.c - see rspamd_request.h. */
#include "contentd/scanners/rspamd_request.h"

#include <inttypes.h>

#include "contentd/scanners/http_wire.h"

/* "<address>", as SMTP has it; control bytes are no matter of ours. */
static int put_path(struct buf *out, const char *name, struct slice address)
{
    AUTO_BUF path = BUF_INIT(RSPAMD_HEAD_MAX);

    if (address.ptr == NULL)
        return 0;
    if (buf_put_char(&path, '<') || buf_add(&path, address) || buf_put_char(&path, '>'))
        return -1;
    return http_put_field(out, name, buf_slice(&path));
}

static int put_client(struct buf *out, const struct message_client *client)
{
    bool has_name = client->name.len > 0 && client->name.ptr[0] != '[' &&
                    !slice_equal(client->name, SLICE("unknown"));

    if (client->has_address) {
        char address[IP_ADDRESS_TEXT_MAX];
        size_t len = ip_address_print(&client->address, address);
        if (http_put_field(out, "IP", (struct slice){ address, len }))
            return -1;
    }
    if (has_name && http_put_field(out, "Hostname", client->name))
        return -1;
    return http_put_field(out, "Helo", client->helo) ||
                   http_put_field(out, "MTA-Name", client->myhostname) ||
                   http_put_field(out, "MTA-Tag", client->daemon_name) ||
                   http_put_field(out, "TLS-Cipher", client->tls_cipher) ||
                   http_put_field(out, "TLS-Version", client->tls_version)
               ? -1
               : 0;
}

/* `Flags: milter`: lines of what it wants added end as a milter gives them. No `Pass: all`: it would go on with costly
 * checks when the verdict is clear. */
static int put_begin(struct buf *out, const struct scanner *scanner, const char *host)
{
    struct slice path = scanner->path.len > 0 ? scanner->path : SLICE("/checkv2");
    struct slice none = { NULL, 0 };

    return buf_printf(out, "POST %.*s HTTP/1.1\r\n", SLICE_ARG(path)) ||
                   http_put_field(out, "Host", slice_of(host)) ||
                   http_put_field(out, "Connection", SLICE("close")) ||
                   http_put_field(out, "User-Agent", SLICE("gatehouse")) ||
                   http_put_field(out, "Flags", SLICE("milter")) ||
                   http_put_field(out, "Password",
                                  scanner->password.len > 0 ? scanner->password : none)
               ? -1
               : 0;
}

static int put_length(struct buf *out, uint64_t length)
{
    if (length == UINT64_MAX)
        return http_put_field(out, "Transfer-Encoding", SLICE("chunked"));
    return buf_printf(out, "Content-Length: %" PRIu64 "\r\n", length);
}

int rspamd_request(struct buf *out, const struct scanner *scanner, const struct message *message,
                   const char *host, uint64_t length, size_t *untold)
{
    size_t told = 0;

    if (put_begin(out, scanner, host) || put_length(out, length) ||
        put_client(out, &message->client) || http_put_field(out, "Queue-Id", message->queue_id) ||
        http_put_field(out, "User", message->sasl_username) ||
        put_path(out, "From", message->sender))
        return -1;
    out->max -= 2; /* the blank line */
    while (told < message->recipient_count &&
           put_path(out, "Rcpt", message->recipients[told].address) == 0)
        told++;
    out->max += 2;
    *untold = message->recipient_count - told;
    return buf_put(out, "\r\n");
}
