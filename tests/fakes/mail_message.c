/* tests/fakes/mail_message.c - see mail_message.h. */
#include "tests/fakes/mail_message.h"

#include "common/milter/message_text.h"

static const struct spool_bounds bounds = { .directory = "/tmp",
                                            .memory_max = 1 << 20,
                                            .size_max = UINT64_C(1) << 30 };

static bool fill(struct message *message, struct slice text, const char *recipients)
{
    struct slice rest = slice_of(recipients), recipient;

    message->queue_id = SLICE("4Xk2Lq");
    message->client.helo = SLICE("client.example.net");
    if (message_set_sender(message, SLICE("me@example.com"), NULL, 0) != MESSAGE_OK)
        return false;
    while (slice_next(&rest, ' ', &recipient))
        if (message_add_recipient(message, recipient, NULL, 0) != MESSAGE_OK)
            return false;
    if (message_add_text(message, &text) != MESSAGE_OK ||
        message_end_headers(message, &bounds) != MESSAGE_OK ||
        (text.len > 0 && message_add_body(message, text) != MESSAGE_OK))
        return false;
    message_end(message);
    return true;
}

struct message *mail_message_new(struct slice text, const char *recipients)
{
    struct message *message = message_new();

    if (message != NULL && !fill(message, text, recipients))
        message_unref(&message);
    return message;
}

bool mail_message_bytes(const struct message *message, struct buf *out)
{
    char space[4096];
    struct slice part;

    for (uint64_t offset = 0; offset < message_size(message); offset += part.len)
        if (message_read(message, offset, sizeof space, space, &part) != 0 || part.len == 0 ||
            buf_add(out, part) != 0)
            return false;
    return true;
}
