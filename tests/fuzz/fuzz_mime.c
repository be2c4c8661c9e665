/* tests/fuzz/fuzz_mime.c - the content of a message, GMime included: bounded time and memory, sizes that fit into the message, and
 * the same result however the body is cut into pieces. */
#include "common/mime/mime.h"

#include "common/mime/mime_walk.h"
#include "tests/fakes/mail_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

struct counts {
    size_t begun, ended;
    uint64_t bytes;
};

/* Boundaries b, bb and so on, by the first letter of the fields: the walk alone. */
static bool count_begin(void *arg, struct slice fields, UNUSED bool in_digest,
                        struct mime_entity *out)
{
    struct counts *counts = arg;
    size_t at = slice_find(fields, ';');

    counts->begun++;
    out->encoding = (enum mime_encoding)(fields.len % 3);
    if (at == SIZE_MAX)
        return true;
    struct slice boundary = slice_part(fields, at + 1, 1 + fields.len % 3);
    boundary = slice_trim(boundary);
    out->kind = boundary.len == 0 ? MIME_MESSAGE : MIME_MULTIPART;
    out->is_digest = fields.len % 2 == 0;
    out->boundary_len = boundary.len;
    if (boundary.len > 0)
        memcpy(out->boundary, boundary.ptr, boundary.len);
    return true;
}

static void count_end(void *arg, uint64_t size)
{
    struct counts *counts = arg;

    counts->ended++;
    counts->bytes += size;
}

static struct counts walk(struct slice text, size_t piece)
{
    struct counts counts = { 0, 0, 0 };
    const struct mime_visitor visitor = { .begin = count_begin, .end = count_end, .arg = &counts };
    struct mime_walk *state = malloc(sizeof *state);

    expect(state != NULL);
    int rc = mime_walk_init(state, &visitor, SLICE("Content-Type: m;b"));
    for (size_t at = 0; at < text.len && rc == 0; at += piece)
        rc = mime_walk_feed(state, slice_part(text, at, piece));
    mime_walk_end(state);
    expect(counts.ended <= counts.begun && counts.bytes <= text.len);
    expect(state->depth <= MIME_DEPTH_MAX && state->parts <= MIME_PARTS_MAX);
    free(state);
    return counts;
}

static void read_facts(struct slice text)
{
    struct message *message = mail_message_new(text, "you@example.org");
    struct arena *arena = arena_new(64 << 20);
    struct mime_facts facts;
    size_t count = 0;

    mime_init();
    if (message != NULL && arena != NULL &&
        mime_read(message, MIME_HEADERS | MIME_STRUCTURE, arena, &facts) == 0) {
        for (const struct mime_attachment *one = facts.attachments; one != NULL; one = one->next) {
            count++;
            expect(one->size <= text.len);
            for (size_t i = 0; i < MIME_NAMES_MAX; i++)
                expect(one->name[i].len <= MIME_NAME_MAX &&
                       slice_find(one->name[i], '/') == SIZE_MAX);
        }
        expect(count == facts.attachment_count && facts.part_count <= MIME_PARTS_MAX);
        expect(facts.depth <= MIME_DEPTH_MAX);
    }
    message_unref(&message);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };

    if (size == 0)
        return 0;
    struct counts whole = walk(text, size), bytes = walk(text, 1), some = walk(text, 7);
    expect(whole.begun == bytes.begun && whole.ended == bytes.ended && whole.bytes == bytes.bytes);
    expect(whole.begun == some.begun && whole.bytes == some.bytes);
    read_facts(text);
    return 0;
}
