/* tests/fakes/raw_message.c - see raw_message.h. */
#include "tests/fakes/raw_message.h"

/* The end of the field that begins `text`: the line end before a line without leading blank. */
static size_t field_end(struct slice text)
{
    for (size_t at = 0; at < text.len; at++)
        if (text.ptr[at] == '\n' &&
            (at + 1 == text.len || (text.ptr[at + 1] != ' ' && text.ptr[at + 1] != '\t')))
            return at;
    return text.len;
}

static bool is_blank_line(struct slice text)
{
    return slice_starts_with(text, SLICE("\n")) || slice_starts_with(text, SLICE("\r\n"));
}

static bool add_fields(struct message *message, struct slice *text)
{
    while (text->len > 0 && !is_blank_line(*text)) {
        size_t end = field_end(*text);
        struct slice value = slice_part(*text, 0, end), name;
        if (value.len > 0 && value.ptr[value.len - 1] == '\r')
            value.len--;
        if (slice_cut(&value, ':', &name) && message_add_header(message, name, value) != MESSAGE_OK)
            return false;
        *text = slice_skip(*text, end + 1);
    }
    *text = slice_skip(*text, slice_starts_with(*text, SLICE("\r")) ? 2 : 1);
    return true;
}

struct message *raw_message(struct slice text)
{
    const struct spool_bounds bounds = { "/tmp", 1 << 20, UINT64_C(1) << 30 };
    struct message *message = message_new();
    struct slice body = text;

    if (message == NULL)
        return NULL;
    message->has_leading_space = true;
    if (!add_fields(message, &body) || message_end_headers(message, &bounds) != MESSAGE_OK ||
        (body.len > 0 && message_add_body(message, body) != MESSAGE_OK)) {
        message_unref(&message);
        return NULL;
    }
    message_end(message);
    return message;
}
