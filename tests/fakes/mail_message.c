/* tests/fakes/mail_message.c - see mail_message.h. */
#include "tests/fakes/mail_message.h"

static const struct spool_bounds bounds = { .directory = "/tmp",
                                            .memory_max = 1 << 20,
                                            .size_max = UINT64_C(1) << 30 };

/* The next field with its folds; false at the blank line and at the end. */
static bool next_field(struct slice *rest, struct slice *field)
{
    struct slice from = *rest, line;

    if (rest->len == 0 || !slice_cut(rest, '\n', &line))
        return false;
    if (slice_trim(line).len == 0)
        return false;
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t'))
        if (!slice_cut(rest, '\n', &line))
            return false;
    *field = slice_part(from, 0, from.len - rest->len);
    while (field->len > 0 && strchr("\r\n", field->ptr[field->len - 1]) != NULL)
        field->len--;
    return true;
}

static bool fill(struct message *message, struct slice text, const char *recipients)
{
    struct slice rest = slice_of(recipients), recipient, field;

    message->has_leading_space = true;
    message->queue_id = SLICE("4Xk2Lq");
    message->client.helo = SLICE("client.example.net");
    if (message_set_sender(message, SLICE("me@example.com"), NULL, 0) != MESSAGE_OK)
        return false;
    while (slice_next(&rest, ' ', &recipient))
        if (message_add_recipient(message, recipient, NULL, 0) != MESSAGE_OK)
            return false;
    while (next_field(&text, &field)) {
        size_t colon = slice_find(field, ':');
        struct slice name = slice_part(field, 0, colon);
        struct slice value = colon == SIZE_MAX ? SLICE("") : slice_skip(field, colon + 1);
        if (message_add_header(message, name, value) != MESSAGE_OK)
            return false;
    }
    if (message_end_headers(message, &bounds) != MESSAGE_OK ||
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
