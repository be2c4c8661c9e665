/* tests/fuzz/fuzz_message_text.c - the beginning of a kept message, as fields: all of it is used up, and what it says can be shown. */
#include "common/milter/message_text.h"

#include "common/mime/mime.h"
#include "common/quarantine/kept_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;
    struct slice all = { (const char *)data, size }, rest = all;
    struct arena *arena = arena_new(1 << 20);
    struct message *message = message_new();
    struct kept kept = { .size = 0 };

    if (!is_ready)
        mime_init();
    is_ready = true;
    if (arena != NULL && message != NULL && message_add_text(message, &rest) == MESSAGE_OK) {
        size_t bytes = 0;
        for (size_t i = 0; i < message->header_count; i++)
            bytes += message->headers[i].name.len + message->headers[i].value.len;
        expect(rest.len <= all.len && bytes <= all.len - rest.len);
        expect(rest.len == 0 || (const uint8_t *)rest.ptr + rest.len == data + size);
        if (kept_take_header(arena, message, &kept))
            expect(kept.subject.len <= KEPT_TEXT_MAX && kept.from.len <= KEPT_TEXT_MAX);
    }
    message_unref(&message);
    arena_free(&arena);
    return 0;
}
