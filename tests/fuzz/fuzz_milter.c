/* tests/fuzz/fuzz_milter.c - any bytes from an MTA: each message's hooks are balanced, what is answered is packets. The
 * first byte says what hooks answer, and when. */
#include <assert.h>

#include "common/milter/milter_private.h"
#include "common/milter/wire.h"
#include "common/observe/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MOST = 100000, MAY_REFUSE = 1, IS_SILENT = 2, IS_GONE = 4, IS_LATE = 8 };

static uint8_t mode;
static long begun, gone, connected, disconnected;

static struct milter_reply answer(void)
{
    static const enum milter_action actions[] = { MILTER_CONTINUE, MILTER_REJECT, MILTER_TEMPFAIL,
                                                  MILTER_ACCEPT, MILTER_DISCARD };
    static unsigned turn;

    turn++;
    return (struct milter_reply){ .action =
                                      mode & MAY_REFUSE ? actions[turn % 5] : MILTER_CONTINUE };
}

static struct milter_reply kept;

static struct milter_reply say_kept(struct milter_session *session)
{
    (void)session;
    return kept;
}

static struct milter_reply say(struct milter_session *session, struct milter_reply reply)
{
    kept = reply;
    return mode & IS_LATE ? milter_session_on_thread(session, say_kept) : reply;
}

static struct milter_reply on_connect(struct milter_session *session)
{
    connected++;
    milter_session_set_state(session, &connected);
    return say(session, answer());
}

static struct milter_reply on_sender(struct milter_session *session)
{
    assert(milter_session_state(session) == &connected);
    begun++;
    return say(session, answer());
}

static struct milter_reply on_recipient(struct milter_session *session, size_t n)
{
    assert(n + 1 == milter_session_message(session)->recipient_count);
    return say(session, answer());
}

static struct milter_reply on_headers(struct milter_session *session)
{
    assert(slice_ends_with(milter_session_message(session)->head, SLICE("\r\n")));
    return say(session, answer());
}

static struct milter_reply on_end(struct milter_session *session)
{
    static struct edits edits;
    const struct message *message = milter_session_message(session);
    struct edit edit = { .kind = (enum edit_kind)(message->header_count % EDIT_KINDS),
                         .name = SLICE("X"),
                         .text = message->sender };
    char space[100];
    struct slice part;

    assert(message_is_whole(message));
    for (uint64_t at = 0; at < message_size(message); at += part.len) {
        assert(message_read(message, at, sizeof space, space, &part) == 0);
        assert(part.len > 0);
    }
    edits_init(&edits);
    edits_add(&edits, message->arena, &edit);
    struct milter_reply reply = answer();
    reply.edits = &edits;
    return say(session, reply);
}

static struct milter_reply on_sent(struct milter_session *session, bool ok)
{
    (void)ok;
    return say(session, (struct milter_reply){ .action = MILTER_CONTINUE });
}

static void on_gone(struct milter_session *session)
{
    assert(milter_session_message(session) != NULL);
    gone++;
}

static void on_disconnect(struct milter_session *session)
{
    milter_session_set_state(session, NULL);
    disconnected++;
}

static struct milter_hooks hooks = {
    .connect = on_connect,
    .sender = on_sender,
    .recipient = on_recipient,
    .headers = on_headers,
    .end = on_end,
    .sent = on_sent,
    .message_gone = on_gone,
    .disconnect = on_disconnect,
};

static int copy_settings(struct arena *arena, struct milter_settings *out)
{
    (void)arena;
    *out = (struct milter_settings){ .spool_directory = SLICE("/tmp"),
                                     .message_memory = 1000,
                                     .message_size_max = 20000,
                                     .max_sessions = 1 };
    return 0;
}

static int say_progress(void *carrier, bool may_say)
{
    (void)carrier;
    (void)may_say;
    return mode & IS_GONE ? -1 : 0;
}

static void wake(void *carrier)
{
    (void)carrier;
}

static const struct commands_link link_of = { say_progress, wake };

/* As a connection does. */
static enum commands_state await(struct commands *commands, enum commands_state state)
{
    while (state == COMMANDS_LATER) {
        if (commands_has_work(commands))
            commands_work(commands);
        assert(commands_is_answered(commands));
        state = commands_go_on(commands);
    }
    return state;
}

/* What we say is packets. */
static void check_output(struct buf *output)
{
    struct slice rest = buf_slice(output);
    struct milter_packet packet;
    size_t used;

    for (; rest.len > 0; rest = slice_skip(rest, used)) {
        assert(milter_packet_read(rest, &packet, &used) == WIRE_DONE);
        assert(packet.command != '\0' && strchr("Ocartdyhime+-bq", packet.command) != NULL);
    }
    buf_clear(output);
}

static void prepare(struct milter_shared *shared)
{
    struct log_settings settings = { .identity = "fuzz",
                                     .target = LOG_TO_FILE,
                                     .path = SLICE("/dev/null"),
                                     .level = LOG_LEVEL_ERROR };

    assert(log_open(&settings, NULL) == 0);
    *shared = (struct milter_shared){ .hooks = &hooks,
                                      .admission = admission_new(),
                                      .settings = copy_settings };
    milter_metrics_register(&shared->metrics);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct milter_shared shared;
    enum commands_state state = COMMANDS_GO_ON;
    struct milter_packet packet;
    size_t used;

    if (size == 0 || size > INPUT_MOST)
        return 0;
    if (shared.hooks == NULL)
        prepare(&shared);
    mode = data[0];
    hooks.headers_is_silent = (mode & IS_SILENT) != 0;
    struct commands *commands = commands_new(&shared, NULL, &link_of, NULL);
    assert(commands != NULL);
    for (struct slice rest = { (const char *)data + 1, size - 1 };
         state != COMMANDS_CLOSE && milter_packet_read(rest, &packet, &used) == WIRE_DONE;
         rest = slice_skip(rest, used)) {
        state = await(commands, commands_run(commands, &packet));
        check_output(commands_output(commands));
        if (state == COMMANDS_SENT)
            await(commands, commands_sent(commands, (mode & IS_GONE) == 0));
    }
    await(commands, commands_sent(commands, false));
    commands_free(&commands);
    assert(begun == gone && connected == disconnected && admission_count(shared.admission) == 0);
    return 0;
}
