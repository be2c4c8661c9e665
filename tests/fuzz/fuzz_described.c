/* tests/fuzz/fuzz_described.c - any bytes as a message that an operator describes: what is taken is a message as an MTA could have
 * given it, and what is refused says why. */
#include <stdint.h>
#include <stdlib.h>

#include "common/message/described.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* "own..." is known, and good unless it is empty. */
static const char *take_own(UNUSED void *arg, struct slice name, struct slice value, bool *is_known)
{
    *is_known = slice_starts_with(name, SLICE("own"));
    return value.len > 0 ? NULL : "it is empty";
}

/* Every field is on lines of its own, and the header ends with an empty one. */
static void check_message(const struct message *message)
{
    char space[256];
    struct slice part;
    size_t header = 2;

    require(message_is_whole(message) && message->has_leading_space);
    for (size_t i = 0; i < message->header_count; i++) {
        const struct message_header *field = &message->headers[i];
        require(field->name.len > 0 && slice_find(field->name, ':') == SIZE_MAX &&
                slice_find(field->name, '\n') == SIZE_MAX);
        for (size_t at = 0; at < field->value.len; at++)
            require(field->value.ptr[at] != '\n' ||
                    (at + 1 < field->value.len &&
                     (field->value.ptr[at + 1] == ' ' || field->value.ptr[at + 1] == '\t')));
        header += field->name.len + 1 + field->value.len + 2;
    }
    require(message->head.len >= header && slice_ends_with(message->head, SLICE("\r\n")));
    for (uint64_t at = 0; at < message_size(message); at += part.len)
        require(message_read(message, at, sizeof space, space, &part) == 0 && part.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct spool_bounds bounds = { "/tmp", 1 << 20, 1 << 20 };
    const struct described_own own = { take_own, NULL };
    struct slice text = { (const char *)data, size };
    AUTO_BUF error = BUF_INIT(300);
    struct described described;

    if (!described_read(text, &own, &described, &error)) {
        require(described.message == NULL && error.len > 0);
        return 0;
    }
    require(error.len == 0 && described.recipient_count <= DESCRIBED_RECIPIENTS_MAX);
    require(described.content.len <= size);
    if (described_fill(&described, &bounds) == MESSAGE_OK)
        check_message(described.message);
    message_unref(&described.message);
    return 0;
}
