/* tests/programs/scan_file.c - one scanner looks at messages, without a milter around it: for tests with real scanners.
 *
 *   scan_file "clamd unix:/run/clamd.ctl" [name=value]... < MESSAGE
 *
 * Writes a finding as JSON, one in a line for each scan. Settings: timeout, connect (ms), size_max, user, path, password,
 * sender, recipient (may be repeated), helo, client, login, scans (how many, 1), parallel (at the same time, 1), piece (bytes in
 * which the body arrives, each at one turn of the loop; 0: it is whole before the scan). */
#include <event2/event_struct.h>
#include <jansson.h>
#include <unistd.h>

#include "contentd/scan.h"
#include "contentd/scan_values.h"
#include "contentd/scanners/backend.h"

enum { MESSAGE_MAX = 1 << 30, ARENA_MAX = 64 << 20, RECIPIENTS_MOST = 64 };

struct settings {
    struct scanner scanner;
    struct slice sender, helo, client, login, recipients[RECIPIENTS_MOST];
    size_t recipient_count, scans, parallel, piece;
};

/* One scan, one after the other. */
struct lane {
    struct worker *worker;
    const struct settings *settings;
    struct slice fields, body;
    size_t *left; /* scans to be begun, of all lanes */
    size_t *under_way;
    struct arena *arena;
    struct message *message;
    struct scan_run *run;
    size_t fed; /* of the body */
    struct event feed;
};

static void lane_begin(struct lane *lane);

static void die(const char *what)
{
    fprintf(stderr, "scan_file: %s\n", what);
    exit(2);
}

static void check(bool is_ok, const char *what)
{
    if (!is_ok)
        die(what);
}

/* ---- the message ---- */

/* All of standard input, lines ended by CRLF. */
static void read_input(struct buf *out)
{
    static char space[1 << 16];
    char last = '\0';
    ssize_t got;

    while ((got = read(STDIN_FILENO, space, sizeof(space))) > 0)
        for (ssize_t i = 0; i < got; i++) {
            if (space[i] == '\n' && last != '\r')
                check(buf_put_char(out, '\r') == 0, "the message is too large");
            check(buf_put_char(out, space[i]) == 0, "the message is too large");
            last = space[i];
        }
}

static void split(struct slice text, struct slice *fields, struct slice *body)
{
    for (size_t i = 0; i + 4 <= text.len; i++)
        if (memcmp(text.ptr + i, "\r\n\r\n", 4) == 0) {
            *fields = slice_part(text, 0, i + 2);
            *body = slice_skip(text, i + 4);
            return;
        }
    die("the message has no header section");
}

static void add_fields(struct message *message, struct slice rest)
{
    while (rest.len > 0) {
        size_t end = 0;
        struct slice field, name;
        do { /* to the first line end that no blank follows */
            const char *line_end = memchr(rest.ptr + end, '\n', rest.len - end);
            end = line_end == NULL ? rest.len : (size_t)(line_end - rest.ptr) + 1;
        } while (end < rest.len && (rest.ptr[end] == ' ' || rest.ptr[end] == '\t'));
        field = slice_part(rest, 0, end);
        rest = slice_skip(rest, end);
        check(slice_cut(&field, ':', &name), "a header field without a colon");
        check(message_add_header(message, name, slice_trim(field)) == MESSAGE_OK, "out of memory");
    }
}

static void add_envelope(struct message *message, const struct settings *settings)
{
    struct message_client client = { .name = SLICE("client.example.net"),
                                     .helo = settings->helo,
                                     .has_address = true,
                                     .myhostname = SLICE("mx.example.org") };

    check(ip_address_parse(settings->client, &client.address), "client: no address");
    check(message_set_client(message, &client) == MESSAGE_OK &&
              message_set_sender(message, settings->sender, NULL, 0) == MESSAGE_OK,
          "out of memory");
    message->queue_id = SLICE("4Xk2Lq0abcz1");
    message->sasl_username = settings->login;
    for (size_t i = 0; i < settings->recipient_count; i++)
        check(message_add_recipient(message, settings->recipients[i], NULL, 0) == MESSAGE_OK,
              "out of memory");
}

static struct message *make_message(const struct lane *lane)
{
    static const struct spool_bounds bounds = { "/tmp", 1 << 20, MESSAGE_MAX };
    struct message *message = message_new();

    check(message != NULL, "out of memory");
    add_envelope(message, lane->settings);
    add_fields(message, lane->fields);
    check(message_end_headers(message, &bounds) == MESSAGE_OK, "out of memory");
    return message;
}

static void feed(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct lane *lane = arg;
    size_t piece = lane->settings->piece > 0 ? lane->settings->piece : lane->body.len;
    struct slice part = slice_part(lane->body, lane->fed, piece);

    if (part.len > 0)
        check(message_add_body(lane->message, part) == MESSAGE_OK, "the body does not fit");
    lane->fed += part.len;
    if (lane->fed == lane->body.len)
        message_end(lane->message);
    else
        event_active(&lane->feed, EV_TIMEOUT, 1);
    if (lane->run != NULL)
        scan_run_more(lane->run);
}

/* ---- the finding ---- */

static void set_text(json_t *object, const char *name, struct slice text)
{
    if (text.ptr != NULL)
        json_object_set_new(object, name, json_stringn_nocheck(text.ptr, text.len));
}

static json_t *edits_json(const struct edits *edits)
{
    json_t *array = json_array();

    for (const struct edit *edit = edits->first; edit != NULL; edit = edit->next) {
        json_t *object = json_object();
        json_object_set_new(object, "kind", json_integer((json_int_t)edit->kind));
        set_text(object, "name", edit->name);
        set_text(object, "text", edit->text);
        json_object_set_new(object, "index", json_integer((json_int_t)edit->index));
        json_array_append_new(array, object);
    }
    return array;
}

static void set_reply(json_t *object, const struct reply *reply)
{
    if (reply->code > 0) {
        json_object_set_new(object, "code", json_integer((json_int_t)reply->code));
        set_text(object, "enhanced", reply->enhanced);
    }
    set_text(object, "reply", reply->text);
}

/* Those that the scanner refuses by themselves. */
static json_t *recipients_json(const struct finding *finding)
{
    json_t *array = json_array();

    for (size_t i = 0; i < finding->recipient_count; i++) {
        const struct finding_recipient *recipient = &finding->recipients[i];
        json_t *object = json_object();
        json_object_set_new(object, "index", json_integer((json_int_t)recipient->index));
        json_object_set_new(object, "result", json_string(finding_words[recipient->result]));
        set_reply(object, &recipient->reply);
        json_array_append_new(array, object);
    }
    return array;
}

static void print(const struct finding *finding)
{
    json_t *object = json_object();

    json_object_set_new(object, "result", json_string(finding_words[finding->result]));
    json_object_set_new(object, "ms", json_integer((json_int_t)finding->ms));
    set_text(object, "virus", finding->virus);
    if (finding->has_score) {
        json_object_set_new(object, "score", json_real(finding->score));
        json_object_set_new(object, "required", json_real(finding->required));
    }
    set_text(object, "symbols", finding->symbols);
    set_text(object, "report", finding->report);
    set_text(object, "subject", finding->subject);
    set_text(object, "error", finding->error);
    set_reply(object, &finding->reply);
    json_object_set_new(object, "recipients", recipients_json(finding));
    json_object_set_new(object, "quarantine", json_boolean(finding->wants_quarantine));
    json_object_set_new(object, "edits", edits_json(&finding->edits));
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

/* ---- scans ---- */

static void on_done(void *owner)
{
    struct lane *lane = owner;

    print(scan_run_findings(lane->run));
    lane->run = NULL;
    event_del(&lane->feed);
    message_unref(&lane->message);
    arena_reset(lane->arena);
    --*lane->under_way;
    if (*lane->left > 0)
        lane_begin(lane);
    else if (*lane->under_way == 0)
        event_base_loopbreak(worker_base(lane->worker));
}

static void lane_begin(struct lane *lane)
{
    struct scan_setup setup = { .worker = lane->worker,
                                .arena = lane->arena,
                                .scanners = &lane->settings->scanner,
                                .scanner_count = 1,
                                .wanted = SCANNER_BIT(0),
                                .budget_ms = lane->settings->scanner.scan_timeout_ms,
                                .done = on_done,
                                .owner = lane };

    --*lane->left;
    ++*lane->under_way;
    lane->message = make_message(lane);
    lane->fed = 0;
    event_assign(&lane->feed, worker_base(lane->worker), -1, 0, feed, lane);
    if (lane->settings->piece == 0)
        feed(-1, 0, lane);
    setup.message = lane->message;
    lane->run = scan_run_start(&setup);
    check(lane->run != NULL, "out of memory");
    if (lane->settings->piece > 0)
        event_active(&lane->feed, EV_TIMEOUT, 1);
}

static void run(const struct settings *settings, struct slice message)
{
    struct worker *worker = worker_new(1, "scan", &clock_system, NULL);
    struct lane *lanes = calloc(settings->parallel, sizeof(*lanes));
    size_t left = settings->scans, under_way = 0;
    struct slice fields, body;

    check(worker != NULL && lanes != NULL, "out of memory");
    split(message, &fields, &body);
    for (size_t i = 0; i < settings->parallel; i++) {
        lanes[i] = (struct lane){ .worker = worker,
                                  .settings = settings,
                                  .fields = fields,
                                  .body = body,
                                  .left = &left,
                                  .under_way = &under_way,
                                  .arena = arena_new(ARENA_MAX) };
        check(lanes[i].arena != NULL, "out of memory");
        if (left > 0)
            lane_begin(&lanes[i]);
    }
    event_base_loop(worker_base(worker), EVLOOP_NO_EXIT_ON_EMPTY);
    for (size_t i = 0; i < settings->parallel; i++)
        arena_free(&lanes[i].arena);
    free(lanes);
    worker_free(&worker);
}

/* ---- the command line ---- */

static void set(struct settings *settings, const char *argument)
{
    struct slice value = slice_of(argument), name = { NULL, 0 };
    uint64_t number = 0;
    const struct {
        struct slice name;
        struct slice *text;
        uint64_t *ms;
        size_t *count;
    } rows[] = {
        { SLICE_INIT("timeout"), NULL, &settings->scanner.scan_timeout_ms, NULL },
        { SLICE_INIT("connect"), NULL, &settings->scanner.connect_timeout_ms, NULL },
        { SLICE_INIT("size_max"), NULL, &settings->scanner.size_max, NULL },
        { SLICE_INIT("user"), &settings->scanner.user, NULL, NULL },
        { SLICE_INIT("path"), &settings->scanner.path, NULL, NULL },
        { SLICE_INIT("password"), &settings->scanner.password, NULL, NULL },
        { SLICE_INIT("sender"), &settings->sender, NULL, NULL },
        { SLICE_INIT("helo"), &settings->helo, NULL, NULL },
        { SLICE_INIT("client"), &settings->client, NULL, NULL },
        { SLICE_INIT("login"), &settings->login, NULL, NULL },
        { SLICE_INIT("scans"), NULL, NULL, &settings->scans },
        { SLICE_INIT("parallel"), NULL, NULL, &settings->parallel },
        { SLICE_INIT("piece"), NULL, NULL, &settings->piece },
    };

    check(slice_cut(&value, '=', &name), "a setting is name=value");
    if (slice_equal(name, SLICE("recipient"))) {
        check(settings->recipient_count < RECIPIENTS_MOST, "too many recipients");
        settings->recipients[settings->recipient_count++] = value;
        return;
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!slice_equal(name, rows[i].name))
            continue;
        check(rows[i].text != NULL || slice_to_u64(value, &number), "a number is wanted");
        if (rows[i].text != NULL)
            *rows[i].text = value;
        else if (rows[i].ms != NULL)
            *rows[i].ms = number;
        else
            *rows[i].count = number;
        return;
    }
    die("there is no such setting");
}

static struct backend *set_kind(struct settings *settings, const char *argument)
{
    struct scanner *scanner = &settings->scanner;
    struct conf_complaint complaint;
    struct slice addresses;
    const char *error;

    check(scan_parse_kind(slice_of(argument), &scanner->kind, &addresses, &complaint),
          complaint.text);
    scanner->name = slice_of(scanner->kind->name);
    struct backend *backend = backend_new(scanner->name, addresses, BACKEND_IN_ORDER, &error);
    check(backend != NULL, error);
    scanner->backend = backend;
    return backend;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .scanner = { .connect_timeout_ms = 20000, .scan_timeout_ms = 120000, .weight = 1 },
        .sender = SLICE("sender@example.net"),
        .helo = SLICE("helo.example.net"),
        .client = SLICE("192.0.2.7"),
        .scans = 1,
        .parallel = 1,
    };
    struct buf message = BUF_INIT(MESSAGE_MAX);

    check(argc >= 2, "usage: scan_file \"KIND ADDRESS...\" [name=value]... < MESSAGE");
    struct backend *backend = set_kind(&settings, argv[1]);
    for (int i = 2; i < argc; i++)
        set(&settings, argv[i]);
    if (settings.recipient_count == 0)
        settings.recipients[settings.recipient_count++] = SLICE("recipient@example.org");
    check(settings.parallel > 0 && settings.scans > 0, "scans and parallel are at least 1");
    read_input(&message);
    run(&settings, buf_slice(&message));
    buf_free(&message);
    backend_free(&backend);
    return 0;
}
