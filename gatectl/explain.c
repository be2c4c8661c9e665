/* gatectl/explain.c - gatectl explain: what the daemon would answer to a request, and why. Nothing is charged. */
#include "gatectl/command.h"
#include "gatectl/output.h"

enum { REQUEST_MAX_BYTES = 64 << 10 };

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

/* A request as Postfix sends it, or cut from a log: up to an empty line or the end. */
static bool read_request(struct gatectl *ctl, struct buf *request)
{
    AUTO_BUF input = BUF_INIT(REQUEST_MAX_BYTES);
    char bytes[4096];
    struct slice rest, line;
    size_t got;

    while ((got = fread(bytes, 1, sizeof(bytes), stdin)) > 0)
        if (buf_add(&input, (struct slice){ bytes, got })) {
            gatectl_error(ctl, "the request is too long");
            return false;
        }
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

static void print_rule(FILE *out, const json_t *rule)
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
        fputs(value.ptr == NULL ? " is " : " = ", out);
        output_text(out, value.ptr == NULL ? json_member(part, "state") : value);
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
        print_rule(out, rule);
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

int cmd_explain(struct gatectl *ctl, char **args, size_t count)
{
    AUTO_BUF request = BUF_INIT(REQUEST_MAX_BYTES);
    struct ask ask = { .method = CONTROL_POST, .segments = { "explain" } };
    json_t *answer = NULL;
    bool is_stdin = count == 1 && strcmp(args[0], "-") == 0;

    if (is_stdin && !read_request(ctl, &request))
        return EXIT_USAGE;
    for (size_t i = 0; !is_stdin && i < count; i++)
        if (!add_line(ctl, &request, args[i]))
            return EXIT_USAGE;
    ask.body = slice_of(buf_text(&request));
    int code = gatectl_ask(ctl, &ask, &answer);
    if (code != EXIT_DONE)
        return code;
    if (ctl->options.json)
        output_json(ctl->out, answer);
    else
        print_answer(ctl->out, answer);
    json_decref(answer);
    return EXIT_DONE;
}
