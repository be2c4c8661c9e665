/* gatectl/explain.c - gatectl explain: what the daemon would answer to a request, or do to a message, and why. Nothing comes
 * of it. */
#include "gatectl/explain.h"

#include <unistd.h>

#include "gatectl/command.h"
#include "gatectl/dkim_state.h"
#include "gatectl/output.h"

enum {
    REQUEST_MAX_BYTES = 64 << 10,
    MESSAGE_MAX_BYTES = 16 << 20, /* as the daemons take */
};

/* "client_address=192.0.2.1" as a line of the protocol. */
static bool add_line(struct gatectl *ctl, struct buf *request, const char *arg)
{
    if (strchr(arg, '=') == NULL || arg[0] == '=' || strchr(arg, '\n') != NULL) {
        gatectl_error(ctl, "\"%s\": ATTRIBUTE=VALUE is expected", arg);
        return false;
    }
    if (buf_printf(request, "%s\n", arg) == 0)
        return true;
    gatectl_error(ctl, "the request is too long");
    return false;
}

/* All of standard input. */
static bool read_input(struct gatectl *ctl, struct buf *out)
{
    char bytes[4096];
    size_t got;

    while ((got = fread(bytes, 1, sizeof(bytes), stdin)) > 0)
        if (buf_add(out, (struct slice){ bytes, got })) {
            gatectl_error(ctl, "what is on standard input is too long");
            return false;
        }
    return true;
}

/* A request as Postfix sends it, or cut from a log: up to an empty line or the end. */
static bool read_request(struct gatectl *ctl, struct buf *request)
{
    AUTO_BUF input = BUF_INIT(REQUEST_MAX_BYTES);
    struct slice rest, line;

    if (!read_input(ctl, &input))
        return false;
    rest = buf_slice(&input);
    while (slice_next(&rest, '\n', &line) && line.len > 0)
        if (buf_printf(request, "%.*s\n", SLICE_ARG(line)))
            return false;
    return true;
}

/* ---- printing ---- */

static void print_indented(FILE *out, size_t depth, const char *name, const json_t *part)
{
    fprintf(out, "%*s", (int)(4 + 2 * depth), "");
    output_text(out, json_member(part, name));
}

void explain_print_rule(FILE *out, const json_t *rule)
{
    const json_t *part;
    struct slice value;
    size_t i;

    output_text(out, json_member(rule, "rule"));
    fputs(": ", out);
    output_text(out, json_member(rule, "result"));
    if (slice_equal(json_member(rule, "mode"), SLICE("shadow")))
        fputs(" (shadow)", out);
    value = json_member(rule, "action");
    if (value.ptr != NULL) {
        fputs(" -> ", out);
        output_text(out, value);
    }
    putc('\n', out);
    json_array_foreach (json_object_get(rule, "conditions"), i, part) {
        json_int_t depth = json_integer_value(json_object_get(part, "depth"));
        print_indented(out, depth < 0 || depth > 32 ? 32 : (size_t)depth, "text", part);
        fputs(": ", out);
        output_text(out, json_member(part, "result"));
        putc('\n', out);
    }
    json_array_foreach (json_object_get(rule, "facts"), i, part) {
        print_indented(out, 0, "name", part);
        value = json_member(part, "value");
        fputs(value.len == 0 ? " is " : " = ", out);
        output_text(out, value.ptr == NULL ? json_member(part, "state")
                         : value.len == 0  ? SLICE("empty")
                                           : value);
        putc('\n', out);
    }
}

/* A limit that the request would be charged in. */
static void print_limit(FILE *out, const json_t *limit)
{
    fputs("limit ", out);
    output_text(out, json_member(limit, "limit"));
    putc(' ', out);
    output_text(out, json_member(limit, "subject"));
    fprintf(out, ": %lld used and %lld more, of ",
            (long long)json_integer_value(json_object_get(limit, "used")),
            (long long)json_integer_value(json_object_get(limit, "amount")));
    output_text(out, json_member(limit, "rate"));
    fputs(json_is_true(json_object_get(limit, "exceeded")) ? ": exceeded\n" : "\n", out);
}

static void print_answer(FILE *out, const json_t *answer)
{
    static const char *const lines[] = { "verdict", "rule", "reply" };
    const json_t *rule, *limit;
    size_t i;

    json_array_foreach (json_object_get(answer, "trace"), i, rule)
        explain_print_rule(out, rule);
    json_array_foreach (json_object_get(answer, "limits"), i, limit)
        print_limit(out, limit);
    for (i = 0; i < COUNT(lines); i++) {
        struct slice text = json_member(answer, lines[i]);
        if (text.ptr == NULL)
            continue;
        fprintf(out, "%s: ", lines[i]);
        output_text(out, text);
        putc('\n', out);
    }
}

/* ---- asking ---- */

/* What the daemon thinks was mistyped. */
static void tell_doubts(struct gatectl *ctl, const json_t *answer)
{
    const json_t *doubt;
    size_t i;

    json_array_foreach (json_object_get(answer, "doubts"), i, doubt)
        gatectl_error(ctl, "%s", json_string_value(doubt));
}

static int ask_and_print(struct gatectl *ctl, struct ask *ask,
                         void (*print)(FILE *out, const json_t *answer))
{
    json_t *answer = NULL;
    int code = gatectl_ask(ctl, ask, &answer);

    if (code != EXIT_DONE)
        return code;
    tell_doubts(ctl, answer);
    if (ctl->options.json)
        output_json(ctl->out, answer);
    else
        print(ctl->out, answer);
    json_decref(answer);
    return EXIT_DONE;
}

/* The attributes, an empty line, the message. */
static int explain_message(struct gatectl *ctl, char **args, size_t count)
{
    AUTO_BUF request = BUF_INIT(MESSAGE_MAX_BYTES);
    struct ask ask = { .method = CONTROL_POST, .segments = { "explain" } };

    for (size_t i = 0; i < count; i++)
        if (!add_line(ctl, &request, args[i]))
            return EXIT_USAGE;
    if (isatty(STDIN_FILENO) == 1)
        fputs("The message, header fields and body; Ctrl-D ends it:\n", ctl->err);
    if (buf_put(&request, "\n") || !read_input(ctl, &request))
        return EXIT_USAGE;
    ask.body = buf_slice(&request);
    if (ctl->options.scan)
        ask.params[0] = (struct control_param){ "scan", SLICE("1") };
    return ask_and_print(ctl, &ask, explain_print_message);
}

static int explain_request(struct gatectl *ctl, char **args, size_t count)
{
    AUTO_BUF request = BUF_INIT(REQUEST_MAX_BYTES);
    struct ask ask = { .method = CONTROL_POST, .segments = { "explain" } };
    bool is_stdin = count == 1 && strcmp(args[0], "-") == 0;

    if (count == 0) {
        gatectl_error(ctl, "ATTRIBUTE=VALUE is expected, or - for standard input");
        return EXIT_USAGE;
    }
    if (is_stdin && !read_request(ctl, &request))
        return EXIT_USAGE;
    for (size_t i = 0; !is_stdin && i < count; i++)
        if (!add_line(ctl, &request, args[i]))
            return EXIT_USAGE;
    ask.body = slice_of(buf_text(&request));
    return ask_and_print(ctl, &ask, print_answer);
}

int cmd_explain(struct gatectl *ctl, char **args, size_t count)
{
    const char *name = ctl->options.daemon;
    bool is_contentd = name != NULL && strcmp(name, "contentd") == 0;
    bool is_signd = name != NULL && strcmp(name, "signd") == 0;

    if (name != NULL && !is_contentd && !is_signd && strcmp(name, "policyd") != 0) {
        gatectl_error(ctl, "--daemon is policyd, contentd or signd");
        return EXIT_USAGE;
    }
    if (ctl->options.scan && !is_contentd) {
        gatectl_error(ctl, "only contentd has scanners: --scan is for --daemon contentd");
        return EXIT_USAGE;
    }
    if (!is_contentd && !is_signd)
        return explain_request(ctl, args, count);
    ctl->daemon = is_signd ? &dkim_daemon : &contentd_daemon;
    return explain_message(ctl, args, count);
}
