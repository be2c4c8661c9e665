/* tests/programs/keeper.c - quarantine, outbox and release without a milter around them: for tests with a real Postfix.
 *
 *   keeper QUARANTINE OUTBOX SOCKET RELEASE
 *
 * Serves the control API on the unix socket SOCKET. Reads commands, one in a line, and answers each with the id:
 *
 *   keep SENDER RECIPIENT,... FILE REASON    puts the message in FILE into the quarantine
 *   copy SENDER RECIPIENT,... FILE HEADER    sends it with this header field before all others through the outbox
 *   (SENDER may have ESMTP parameters behind it: a@x.example;SMTPUTF8;BODY=8BITMIME)
 *   wait                                     answers when the outbox is empty
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "common/base/fd.h"
#include "common/control/control_http.h"
#include "common/mime/mime.h"
#include "common/quarantine/kept_message.h"
#include "common/run/listener.h"
#include "common/store/store_memory.h"
#include "contentd/quarantine/control.h"
#include "contentd/release/outbox.h"
#include "contentd/rewrite.h"
#include "tests/fakes/mail_message.h"

enum { FILE_MAX = 256 << 20, LINE_ROOM = 4096 };

static struct quarantine *quarantine;
static struct outbox *outbox;
static struct release *release;
static struct listener listener;

/* Of the worker's thread. */
static struct store_memory *memory;
static struct store *store;
static struct keeper *keeper;
static struct control *control;
static struct http_server *http;

static void check(bool is_ok, const char *what)
{
    if (is_ok)
        return;
    fprintf(stderr, "keeper: %s\n", what);
    exit(1);
}

/* ---- the control API ---- */

static void hold(UNUSED void *context, struct control_view *out)
{
    *out = (struct control_view){ .limits = NULL };
}

static bool serve(UNUSED void *context, struct control_request *request)
{
    return keeper_serve(keeper, request);
}

static void handle(struct http_call *call, UNUSED void *arg)
{
    control_http_serve(control, call);
}

static int worker_begins(struct worker *worker)
{
    static const struct http_route routes[] = {
        { HTTP_GET | HTTP_PUT | HTTP_POST | HTTP_DELETE, "/v1/", handle },
    };
    static const struct control_daemon daemon = { .hold = hold, .serve = serve };

    store = store_memory_open(memory);
    keeper = keeper_new(worker, quarantine, release);
    control = control_new(store, &clock_system, &daemon);
    http = http_server_new(worker, &(struct http_options){ 0 });
    return http_server_add_routes(http, routes, COUNT(routes), NULL) ||
                   http_server_listen(http, listener.fd)
               ? -1
               : 0;
}

static void worker_ends(UNUSED struct worker *worker)
{
    http_server_free(&http);
    keeper_free(&keeper);
    control_free(&control);
    store_free(&store);
}

/* ---- commands ---- */

static void set_sender(struct message *message, struct slice sender)
{
    struct slice arguments[8], path = SLICE("");
    size_t count = 0;

    slice_next(&sender, ';', &path);
    while (count < COUNT(arguments) && slice_next(&sender, ';', &arguments[count]))
        count++;
    message_set_sender(message, path, arguments, count);
}

static struct message *read_message(const char *path, const char *sender, char *recipients)
{
    AUTO_BUF text = BUF_INIT(FILE_MAX);

    check(fd_read_file(path, &text) == 0, path);
    for (char *c = recipients; *c != '\0'; c++)
        if (*c == ',')
            *c = ' ';
    struct message *message = mail_message_new(buf_slice(&text), recipients);
    check(message != NULL, "the message passes a bound");
    set_sender(message, slice_of(sender));
    return message;
}

static void keep(const struct message *message, struct arena *arena, const char *reason)
{
    AUTO_BUF error = BUF_INIT(400);
    struct source source = source_of_message(message);
    struct kept kept;

    check(kept_of_message(arena, message, NULL, &kept), "out of memory");
    kept.reason = slice_of(reason);
    check(quarantine_keep(quarantine, &kept, &source, &error) == 0, buf_text(&error));
    puts(kept.id);
}

static void copy(const struct message *message, struct arena *arena, const char *header)
{
    AUTO_BUF error = BUF_INIT(400);
    struct slice text = slice_of(header), name;
    struct edits edits;
    struct source source;
    struct kept kept;

    check(slice_cut(&text, ':', &name), "no header field");
    edits_init(&edits);
    const struct edit edit = { .kind = EDIT_INSERT_HEADER, .name = name, .text = slice_trim(text) };
    check(edits_add(&edits, arena, &edit) && rewrite(arena, message, &edits, &source) &&
              kept_of_message(arena, message, NULL, &kept),
          "out of memory");
    check(outbox_put(outbox, &kept, &source, &error) == 0, buf_text(&error));
    outbox_send(outbox, kept.id);
    puts(kept.id);
}

static void wait_for_outbox(void)
{
    const struct timespec pause = { 0, 2000000 };

    while (outbox_count(outbox) > 0)
        nanosleep(&pause, NULL);
    puts("empty");
}

static void obey(char *line)
{
    char *words[5] = { NULL };
    struct arena *arena = arena_new(FILE_MAX);

    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 0; i < COUNT(words) && line != NULL; i++) {
        words[i] = line;
        line = i + 1 < COUNT(words) ? strchr(line, ' ') : NULL;
        if (line != NULL)
            *line++ = '\0';
    }
    if (strcmp(words[0], "wait") == 0) {
        wait_for_outbox();
    } else {
        check(words[4] != NULL, "too few words");
        struct message *message = read_message(words[3], words[1], words[2]);
        if (strcmp(words[0], "keep") == 0)
            keep(message, arena, words[4]);
        else
            copy(message, arena, words[4]);
        message_unref(&message);
    }
    fflush(stdout);
    arena_free(&arena);
}

int main(int argc, char **argv)
{
    static const struct worker_hooks hooks = { worker_begins, worker_ends };
    const struct listener_options options = { .mode = 0600, .group = LISTENER_NO_GROUP };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    AUTO_BUF error = BUF_INIT(400);
    char line[LINE_ROOM];

    check(argc == 5, "usage: keeper QUARANTINE OUTBOX SOCKET RELEASE");
    mime_init();
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[3]);
    const struct quarantine_settings bounds = { argv[1], UINT64_C(1) << 30, 1 * DAY, 0 };
    const struct outbox_settings settings = { argv[2], UINT64_C(1) << 30, 1 * DAY, 10, 200,
                                              8,       QUARANTINE_WAIT_MS };
    memory = store_memory_new(&clock_system, 16 << 20);
    quarantine = quarantine_open(&bounds, &clock_system, &error);
    check(quarantine != NULL, buf_text(&error));
    release = release_new(slice_of(argv[4]), SLICE("keeper.example.org"), &error);
    check(release != NULL, buf_text(&error));
    outbox = outbox_start(&settings, release, quarantine, &clock_system, &error);
    check(outbox != NULL, buf_text(&error));
    check(listener_open((const struct sockaddr *)&address, sizeof address, &options, &listener,
                        &error) == 0,
          buf_text(&error));
    struct worker *worker = worker_new(1, "control", &clock_system, &hooks);
    check(worker != NULL && worker_start(worker) == 0, "no worker");
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL)
        obey(line);
    worker_stop(worker);
    worker_join(worker);
    worker_free(&worker);
    outbox_stop(&outbox);
    release_free(&release);
    quarantine_close(&quarantine);
    store_memory_free(&memory);
    listener_close(&listener);
    return 0;
}
