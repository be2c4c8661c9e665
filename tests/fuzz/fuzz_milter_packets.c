/* tests/fuzz/fuzz_milter_packets.c - any bytes as what a milter says while a session is replayed to it. */
#include "contentd/scanners/milter_replay.h"
#include "tests/fakes/sample_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sample_message sample = {
    .address = "192.0.2.7",
    .name = "client.example.net",
    .helo = "helo.example.net",
    .queue_id = "4Xk2Lq",
    .sender = "<a@example.net>",
    .recipients = "<b@example.org>,<c@example.org>",
    .headers = "Subject: a\nTo: b\n",
    .body = "Hello\r\n",
    .has_leading_space = true,
};

static void check_sending(struct milter_replay *replay, struct message *message)
{
    AUTO_BUF out = BUF_INIT(MILTER_OUT_MAX);
    struct replay_range range;

    while (milter_replay_next(replay, &out, &range)) {
        if (range.length > message_size(message) ||
            range.offset > message_size(message) - range.length)
            abort();
        buf_clear(&out);
    }
    if (replay->error != NULL && replay->error[0] == '\0')
        abort();
}

static void check_finding(const struct milter_replay *replay, const struct finding *finding)
{
    if (finding->result == FINDING_NONE || replay->step != REPLAY_OVER ||
        finding->recipient_count > replay->message->recipient_count)
        abort();
    if (finding->result == FINDING_CLEAN && !replay->is_early && !message_is_whole(replay->message))
        abort();
    for (const struct edit *edit = finding->edits.first; edit != NULL; edit = edit->next) {
        if (edit->kind != EDIT_REPLACE_BODY && edit->text.ptr != NULL &&
            memchr(edit->text.ptr, '\0', edit->text.len) != NULL)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct message *message;
    struct arena *arena = arena_new(1 << 20);
    struct slice in = { (const char *)data, size };
    struct finding finding = { .result = FINDING_NONE };
    struct milter_replay replay = { 0 };
    struct milter_packet packet;
    enum wire_state state = WIRE_MORE;
    size_t used;

    if (message == NULL)
        message = sample_message(&sample);
    if (arena == NULL)
        return 0;
    edits_init(&finding.edits);
    milter_replay_begin(&replay, message, arena, &finding);
    check_sending(&replay, message);
    while (state == WIRE_MORE && milter_packet_read(in, &packet, &used) == WIRE_DONE) {
        const char *error = NULL;
        in = slice_skip(in, used);
        state = milter_replay_take(&replay, &packet, &error);
        if (state == WIRE_BAD && error == NULL)
            abort();
        check_sending(&replay, message);
    }
    if (state == WIRE_DONE)
        check_finding(&replay, &finding);
    milter_replay_clear(&replay);
    arena_free(&arena);
    return 0;
}
