/* tests/programs/milter_script.c - a daemon with a milter that does what the message says, for tests of the milter itself.
 *
 * The local part of the sender or of a recipient, or the first label of HELO, is an action of that stage: accept, reject,
 * tempfail, discard, `wait` (continue, after a while). At the end of the message each header field `X-Do` is one:
 *
 *   add NAME: VALUE       insert INDEX NAME: VALUE    change INDEX NAME: VALUE    remove INDEX NAME
 *   add-rcpt ADDRESS      remove-rcpt ADDRESS         sender ADDRESS              body TEXT         hold REASON
 *   reject 550 5.7.1 TEXT tempfail 450 4.7.1 TEXT     accept     discard
 *   wait MILLISECONDS     on a thread                 later MILLISECONDS          on the loop
 *   report                adds X-Saw: what the hooks know of client, envelope and size
 *
 * Every hook's name is counted: milter_script_hooks_total{hook=}. At its end it waits for what is under way for 3 s; for
 * MILTER_DRAIN_MS with MILTER_SCRIPT_DRAIN in its environment. */
#include "common/milter/params.h"
#include "common/observe/metrics.h"
#include "common/run/op.h"

enum { WAIT_MS = 100, PROGRESS_MS = 50, DRAIN_SHORT_MS = 3000, SAW_MAX = 4000 };

static struct metric metrics[] = {
    METRIC_BY("milter_script_hooks_total", METRIC_COUNTER, "Calls of hooks.", "hook"),
};

static void count(const char *hook)
{
    struct slice name = slice_of(hook);

    metrics_register(metrics, COUNT(metrics));
    metric_add(metric_series(metrics, &name), 1);
}

static struct milter_reply go_on(void)
{
    return (struct milter_reply){ .action = MILTER_CONTINUE };
}

/* ---- waiting: on the loop, with an answer that comes later ---- */

struct nap {
    struct op op; /* first member */
    struct milter_session *session;
    struct milter_reply reply; /* what comes then */
    uint64_t until_ms; /* on the worker's clock */
};

static uint64_t now_ms(const struct nap *nap)
{
    const struct clock *clock = worker_clock(milter_session_worker(nap->session));

    return clock->now_ms(clock);
}

static void nap_on(struct nap *nap);

/* Less when the MTA hangs up. */
static void nap_over(struct op *op, UNUSED enum op_result result)
{
    struct nap *nap = (struct nap *)op;

    if (milter_session_progress(nap->session) == 0 && now_ms(nap) < nap->until_ms) {
        nap_on(nap);
        return;
    }
    milter_session_answer(nap->session, &nap->reply);
    free(nap);
}

static void nap_on(struct nap *nap)
{
    uint64_t now = now_ms(nap), left = nap->until_ms > now ? nap->until_ms - now : 1;

    op_start(&nap->op, milter_session_worker(nap->session), left < PROGRESS_MS ? left : PROGRESS_MS,
             nap_over);
}

static void nap_begin(UNUSED struct worker *worker, void *arg)
{
    nap_on(arg);
}

static struct milter_reply answer_later(struct milter_session *session, uint64_t ms,
                                        const struct milter_reply *reply)
{
    struct nap *nap = calloc(1, sizeof *nap);

    if (nap == NULL)
        return *reply;
    nap->session = session;
    nap->reply = *reply;
    nap->until_ms = now_ms(nap) + ms;
    if (worker_do(milter_session_worker(session), nap_begin, NULL, nap) == 0)
        return (struct milter_reply){ .action = MILTER_LATER };
    free(nap);
    return *reply;
}

/* ---- actions ---- */

static bool find_action(struct slice word, enum milter_action *out)
{
    static const struct {
        struct slice word;
        enum milter_action action;
    } words[] = {
        { SLICE_INIT("accept"), MILTER_ACCEPT },
        { SLICE_INIT("reject"), MILTER_REJECT },
        { SLICE_INIT("tempfail"), MILTER_TEMPFAIL },
        { SLICE_INIT("discard"), MILTER_DISCARD },
    };

    for (size_t i = 0; i < COUNT(words); i++)
        if (slice_equal(words[i].word, word)) {
            *out = words[i].action;
            return true;
        }
    return false;
}

/* What is before the first `end` names an action. */
static struct milter_reply act_on(struct milter_session *session, struct slice text, char end)
{
    struct slice word = text, rest = text;
    struct milter_reply reply = go_on();

    if (!slice_cut(&rest, end, &word))
        return reply;
    if (slice_equal(word, SLICE("wait")))
        return answer_later(session, WAIT_MS, &reply);
    find_action(word, &reply.action);
    return reply;
}

static struct milter_reply on_connect(UNUSED struct milter_session *session)
{
    count("connect");
    return go_on();
}

static struct milter_reply on_helo(struct milter_session *session)
{
    count("helo");
    return act_on(session, milter_session_client(session)->helo, '.');
}

static struct milter_reply on_sender(struct milter_session *session)
{
    count("sender");
    return act_on(session, milter_session_message(session)->sender, '@');
}

static struct milter_reply on_recipient(struct milter_session *session, size_t n)
{
    count("recipient");
    return act_on(session, milter_session_message(session)->recipients[n].address, '@');
}

static struct milter_reply on_headers(UNUSED struct milter_session *session)
{
    count("headers");
    return go_on();
}

static void on_body(UNUSED struct milter_session *session)
{
    count("body");
}

/* ---- the end of the message ---- */

static void report(const struct message *message, struct edits *edits)
{
    const struct message_client *client = &message->client;
    AUTO_BUF saw = BUF_INIT(SAW_MAX);
    char address[IP_ADDRESS_TEXT_MAX] = "none";

    if (client->has_address)
        ip_address_print(&client->address, address);
    buf_printf(&saw, "client=%.*s[%s]:%u helo=%.*s daemon=%.*s login=%.*s id=%.*s sender=<%.*s>",
               SLICE_ARG(client->name), address, client->port, SLICE_ARG(client->helo),
               SLICE_ARG(client->daemon_name), SLICE_ARG(message->sasl_username),
               SLICE_ARG(message->queue_id), SLICE_ARG(message->sender));
    buf_printf(&saw, " utf8=%d headers=%zu head=%zu size=%llu", message->is_smtputf8,
               message->header_count, message->head.len, (unsigned long long)message_size(message));
    for (size_t i = 0; i < message->recipient_count; i++)
        buf_printf(&saw, " to=<%.*s>", SLICE_ARG(message->recipients[i].address));
    edits_add(
        edits, message->arena,
        &(struct edit){ .kind = EDIT_ADD_HEADER, .name = SLICE("X-Saw"), .text = buf_slice(&saw) });
}

/* "INDEX NAME: VALUE", as far as the command has them. */
static struct edit header_edit(enum edit_kind kind, struct slice text)
{
    struct edit edit = { .kind = kind, .name = text };
    struct slice index;
    uint64_t number = 0;

    if (kind != EDIT_ADD_HEADER && slice_cut(&edit.name, ' ', &index) &&
        slice_to_u64(index, &number))
        edit.index = (size_t)number;
    struct slice value = edit.name;
    if (slice_cut(&value, ':', &edit.name))
        edit.text = slice_trim(value);
    return edit;
}

static bool do_edit(const struct message *message, struct slice word, struct slice text,
                    struct edits *edits)
{
    static const struct {
        struct slice word;
        enum edit_kind kind;
    } words[] = {
        { SLICE_INIT("add"), EDIT_ADD_HEADER },
        { SLICE_INIT("insert"), EDIT_INSERT_HEADER },
        { SLICE_INIT("change"), EDIT_CHANGE_HEADER },
        { SLICE_INIT("remove"), EDIT_CHANGE_HEADER },
        { SLICE_INIT("add-rcpt"), EDIT_ADD_RECIPIENT },
        { SLICE_INIT("remove-rcpt"), EDIT_REMOVE_RECIPIENT },
        { SLICE_INIT("sender"), EDIT_CHANGE_SENDER },
        { SLICE_INIT("body"), EDIT_REPLACE_BODY },
        { SLICE_INIT("hold"), EDIT_HOLD },
    };

    for (size_t i = 0; i < COUNT(words); i++)
        if (slice_equal(words[i].word, word)) {
            struct edit edit = { .kind = words[i].kind, .text = text };
            if (edit.kind <= EDIT_CHANGE_HEADER)
                edit = header_edit(edit.kind, text);
            edits_add(edits, message->arena, &edit);
            return true;
        }
    return false;
}

/* Milliseconds of a field `X-Do: wait` or `later`; 0: there is none. */
static uint64_t find_wait(const struct message *message, struct slice wanted)
{
    const struct message_header *header;
    uint64_t ms = 0;

    for (size_t n = 1; (header = message_header_find(message, SLICE("X-Do"), n)) != NULL; n++) {
        struct slice text = slice_trim(header->value), word;
        if (slice_cut(&text, ' ', &word) && slice_equal(word, wanted))
            slice_to_u64(text, &ms);
    }
    return ms;
}

static struct milter_reply do_fields(struct milter_session *session)
{
    const struct message *message = milter_session_message(session);
    struct edits *edits = arena_alloc(message->arena, sizeof *edits);
    struct milter_reply reply = { .action = MILTER_CONTINUE, .edits = edits };
    const struct message_header *header;
    const char *error;

    if (edits == NULL)
        return (struct milter_reply){ .action = MILTER_TEMPFAIL };
    edits_init(edits);
    for (size_t n = 1; (header = message_header_find(message, SLICE("X-Do"), n)) != NULL; n++) {
        struct slice text = slice_trim(header->value), word = text;
        if (!slice_cut(&text, ' ', &word))
            text = SLICE("");
        if (slice_equal(word, SLICE("report")))
            report(message, edits);
        else if (!do_edit(message, word, text, edits) && find_action(word, &reply.action))
            reply_parse(text, "45", &reply.reply, &error);
    }
    return reply;
}

/* On a thread; less when the MTA hangs up. */
static struct milter_reply sleep_and_do(struct milter_session *session)
{
    const struct message *message = milter_session_message(session);
    struct milter_reply reply = do_fields(session);
    uint64_t left = find_wait(message, SLICE("wait"));

    while (left > 0 && milter_session_progress(session) == 0) {
        uint64_t part = left < PROGRESS_MS ? left : PROGRESS_MS;
        const struct timespec pause = { 0, (long)part * 1000000 };
        nanosleep(&pause, NULL);
        left -= part;
    }
    return reply;
}

static struct milter_reply on_end(struct milter_session *session)
{
    const struct message *message = milter_session_message(session);
    uint64_t later_ms = find_wait(message, SLICE("later"));

    count("end");
    if (find_wait(message, SLICE("wait")) > 0)
        return milter_session_on_thread(session, sleep_and_do);
    struct milter_reply reply = do_fields(session);
    return later_ms > 0 ? answer_later(session, later_ms, &reply) : reply;
}

static struct milter_reply on_sent(UNUSED struct milter_session *session, bool ok)
{
    count(ok ? "sent" : "not-sent");
    return go_on();
}

static void on_gone(UNUSED struct milter_session *session)
{
    count("gone");
}

static void on_disconnect(UNUSED struct milter_session *session)
{
    count("disconnect");
}

static const struct milter_hooks hooks = {
    .connect = on_connect,
    .helo = on_helo,
    .sender = on_sender,
    .recipient = on_recipient,
    .headers = on_headers,
    .body = on_body,
    .end = on_end,
    .sent = on_sent,
    .message_gone = on_gone,
    .disconnect = on_disconnect,
};

/* ---- the daemon ---- */

struct script_config {
    struct common_config common;
    struct milter_config milter;
};

#define CONF_STRUCT struct script_config
/* clang-format off */
static const struct conf_param params[] = {
    COMMON_PARAMS("script", "unix:/nonexistent/script"),
    { MILTER_PARAM(message_memory), CONF_SIZE, "1M", 0, 0, .live = true, .doc = "x" },
    { MILTER_PARAM(message_size_max), CONF_SIZE, "256M", 0, 0, .live = true, .doc = "x" },
    { MILTER_PARAM(max_sessions), CONF_INTEGER, "1000", 1, 0, .live = true, .doc = "x" },
    { MILTER_PARAM(session_wait), CONF_TIME, "2s", 0, 0, .live = true, .doc = "x" },
    { MILTER_PARAM(idle_timeout), CONF_TIME, "30m", 0, 0, .doc = "x" },
    { MILTER_PARAM(spool_directory), CONF_PATH, "/tmp", .live = true, .doc = "x" },
    { MILTER_PARAM(overload), CONF_WORD, "tempfail", .words = milter_overload_words, .live = true, .doc = "x" },
};
/* clang-format on */
#undef CONF_STRUCT
static const struct conf_schema schema = { params, COUNT(params), NULL, 0,
                                           sizeof(struct script_config) };
static const struct usage_program program = { .name = "milter_script",
                                              .conf_name = "script.conf",
                                              .summary = "does what messages say",
                                              .description = "For tests.",
                                              .schema = &schema };

static void *load(const struct daemon_load *in)
{
    return (void *)(uintptr_t)in->config;
}

static void configure(const struct script_config *config)
{
    const struct milter_settings settings = milter_settings_of(&config->milter, 0);

    milter_configure(&settings);
}

static int start(struct daemon *daemon)
{
    const struct script_config *config = snapshot_data(daemon_snapshot(daemon));

    if (milter_setup(daemon, &hooks, config->milter.idle_timeout))
        return -1;
    configure(config);
    return 0;
}

static void stop(UNUSED struct daemon *daemon)
{
    milter_end();
}

static void apply(struct worker *worker)
{
    if (worker_id(worker) == 0)
        configure(snapshot_data(worker_snapshot(worker)));
}

static const struct daemon_spec spec = {
    .program = &program,
    .config_path = "/nonexistent/script.conf",
    .common_offset = offsetof(struct script_config, common),
    .load = load,
    .start = start,
    .stop = stop,
    .apply = apply,
    .accept = milter_accept,
    .drain = milter_drain,
    .drain_ms = DRAIN_SHORT_MS,
    .has_threads = true,
};

int main(int argc, char **argv)
{
    struct daemon_spec patient = spec;

    patient.drain_ms = MILTER_DRAIN_MS;
    return daemon_main(getenv("MILTER_SCRIPT_DRAIN") == NULL ? &spec : &patient, argc, argv);
}
