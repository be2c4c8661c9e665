/* tests/fuzz/fuzz_rspamd_answer.c - any bytes as rspamd's answer: head and JSON. */
#include "contentd/scanners/http_wire.h"
#include "contentd/scanners/rspamd_answer.h"
#include "tests/fakes/sample_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct slice json)
{
    static const struct sample_message sample = { .sender = "<a@example.net>",
                                                  .recipients = "<b@example.org>",
                                                  .headers = "X-Spam: a\nX:b\n" };
    static struct message *message;
    struct finding finding = { .result = FINDING_NONE };
    struct arena *arena = arena_new(1 << 20);

    if (message == NULL)
        message = sample_message(&sample);
    edits_init(&finding.edits);
    if (arena != NULL && rspamd_answer(json, message, arena, &finding) == NULL) {
        bool is_refused = finding.result == FINDING_REJECT || finding.result == FINDING_TEMPFAIL;
        if (finding.result == FINDING_NONE || !finding.has_score ||
            finding.symbols.len > RSPAMD_SYMBOLS_MAX || (is_refused && finding.reply.code < 400))
            abort();
        for (const struct edit *edit = finding.edits.first; edit != NULL; edit = edit->next) {
            if (edit->text.ptr != NULL && memchr(edit->text.ptr, '\0', edit->text.len) != NULL)
                abort();
        }
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = { (const char *)data, size };
    struct http_head head;
    uint64_t length;
    size_t used;

    if (http_head_parse(in, SLICE("HTTP/1."), &head, &used) == WIRE_DONE) {
        if (used > size || head.status < 100 || head.status > 599)
            abort();
        (void)http_content_length(&head, &length);
        in = slice_skip(in, used);
    }
    check_json(in);
    return 0;
}
