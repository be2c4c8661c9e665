/* gatectl/quarantine.c - gatectl quarantine: what contentd keeps. See contentd/quarantine/control.h for what is asked. */
#include <unistd.h>

#include "common/base/base64.h"
#include "gatectl/command.h"
#include "gatectl/output.h"
#include "gatectl/when.h"

enum { CHUNK_MAX = 1 << 20 };

static const struct gatectl_daemon contentd = { "contentd", GATECTL_CONTENTD_CONFIG,
                                                GATECTL_CONTENTD_SOCKET, GATECTL_QUARANTINE };

static void set_param(struct ask *ask, const char *name, const char *value)
{
    size_t at = 0;

    while (ask->params[at].name != NULL)
        at++;
    if (value != NULL)
        ask->params[at] = (struct control_param){ name, slice_of(value) };
}

/* ---- list ---- */

/* Of what is damaged the list says that alone. */
static void print_reason(struct text_table *table, const json_t *row)
{
    AUTO_BUF text = BUF_INIT(4096);
    struct slice damage = json_member(row, "damaged");

    if (damage.len > 0)
        buf_printf(&text, "damaged: %.*s", SLICE_ARG(damage));
    else
        buf_add(&text, json_member(row, "reason"));
    text_table_cell(table, slice_of(buf_text(&text)));
}

/* The null sender is known, a sender that is lost is not. */
static void print_sender(struct text_table *table, const json_t *row)
{
    struct slice sender = json_member(row, "sender");
    bool is_lost = sender.len == 0 && json_member(row, "damaged").len > 0;

    text_table_cell(table, is_lost ? SLICE("?") : sender.len == 0 ? SLICE("<>") : sender);
}

/* "a@x.example" or "a@x.example, 3 more". */
static void print_recipients(struct buf *out, const json_t *row)
{
    const json_t *list = json_object_get(row, "recipients");
    json_int_t count = json_integer_value(json_object_get(row, "recipient_count"));
    struct slice first = json_member(json_array_get(list, 0), "address");

    buf_add(out, count == 0 ? SLICE("?") : first);
    if (count > 1)
        buf_printf(out, ", %lld more", (long long)count - 1);
}

static void put_row(struct text_table *table, const json_t *row, UNUSED void *arg)
{
    AUTO_BUF since = BUF_INIT(64);
    AUTO_BUF recipients = BUF_INIT(1000);
    json_int_t time_ms = json_integer_value(json_object_get(row, "time_ms"));

    when_print_time(&since, (uint64_t)time_ms / SECOND);
    print_recipients(&recipients, row);
    text_table_cell_json(table, json_object_get(row, "id"));
    text_table_cell(table, slice_of(buf_text(&since)));
    text_table_cell_json(table, json_object_get(row, "size"));
    print_reason(table, row);
    print_sender(table, row);
    text_table_cell(table, buf_slice(&recipients));
    text_table_cell_json(table, json_object_get(row, "subject"));
}

static int print_rows(struct gatectl *ctl, const json_t *rows)
{
    static const struct column columns[] = { { "ID", false },     { "SINCE", false },
                                             { "SIZE", true },    { "REASON", false },
                                             { "SENDER", false }, { "RECIPIENT", false },
                                             { "SUBJECT", false } };

    return output_table(ctl->out, columns, COUNT(columns), rows, put_row, NULL) ? EXIT_DONE
                                                                                : EXIT_FAILED;
}

static struct ask list_ask(struct gatectl *ctl, char count[16], char older[32])
{
    const struct options *options = &ctl->options;
    struct ask ask = { .method = CONTROL_GET, .segments = { "quarantine" } };

    snprintf(count, 16, "%u", options->count == 0 ? CONTROL_COUNT_DEFAULT : options->count);
    snprintf(older, 32, "%llu", (unsigned long long)(options->older_ms / SECOND));
    set_param(&ask, "count", count);
    set_param(&ask, "after", options->after);
    set_param(&ask, "recipient", options->recipient);
    set_param(&ask, "sender", options->sender);
    set_param(&ask, "find", options->find);
    set_param(&ask, "older", options->older_ms > 0 ? older : NULL);
    return ask;
}

int cmd_quarantine_list(struct gatectl *ctl, UNUSED char **args, UNUSED size_t count)
{
    char rows[16], older[32];
    struct ask ask = list_ask(ctl, rows, older);
    json_t *answer = NULL;

    ctl->daemon = &contentd;
    int code = gatectl_ask(ctl, &ask, &answer);
    if (code != EXIT_DONE)
        return code;
    if (ctl->options.json) {
        output_json(ctl->out, answer);
    } else {
        struct slice next = json_member(answer, "next");
        code = print_rows(ctl, json_object_get(answer, "messages"));
        if (next.ptr != NULL)
            fprintf(ctl->out, "%sMore: --after %.*s\n",
                    json_array_size(json_object_get(answer, "messages")) == 0 ? "Nothing so far. "
                                                                              : "",
                    SLICE_ARG(next));
    }
    json_decref(answer);
    return code;
}

/* ---- show ---- */

static void print_line(struct gatectl *ctl, const char *name, struct slice text)
{
    if (text.len == 0)
        return;
    fprintf(ctl->out, "%-18s", name);
    output_text(ctl->out, text);
    putc('\n', ctl->out);
}

static void print_kept(struct gatectl *ctl, const json_t *kept)
{
    static const char *const names[] = { "id",          "damaged",   "reason",
                                         "queue_id",    "reference", "client_address",
                                         "client_name", "helo_name", "sasl_username",
                                         "sender",      "from",      "subject",
                                         "message_id" };
    json_int_t time_ms = json_integer_value(json_object_get(kept, "time_ms"));
    json_int_t size = json_integer_value(json_object_get(kept, "size"));
    const json_t *one;
    size_t i;
    AUTO_BUF since = BUF_INIT(64);

    for (i = 0; i < COUNT(names); i++)
        print_line(ctl, names[i], json_member(kept, names[i]));
    when_print_time(&since, (uint64_t)time_ms / SECOND);
    print_line(ctl, "since", buf_slice(&since));
    fprintf(ctl->out, "%-18s%lld bytes\n", "size", (long long)size);
    json_array_foreach (json_object_get(kept, "recipients"), i, one)
        print_line(ctl, "recipient", json_member(one, "address"));
    json_array_foreach (json_object_get(kept, "findings"), i, one) {
        AUTO_BUF finding = BUF_INIT(4096);
        buf_add(&finding, json_member(one, "scanner"));
        buf_put(&finding, ": ");
        buf_add(&finding, json_member(one, "result"));
        buf_put(&finding, " ");
        buf_add(&finding, json_member(one, "text"));
        print_line(ctl, "finding", slice_trim(buf_slice(&finding)));
    }
}

/* Bytes as they are, or on a terminal so that it obeys nothing in them. False: the reader has gone. */
static bool put_bytes(struct gatectl *ctl, struct slice bytes)
{
    int fd = fileno(ctl->out);

    if (fd < 0 || !isatty(fd))
        return fwrite(bytes.ptr, 1, bytes.len, ctl->out) == bytes.len;
    while (bytes.len > 0) {
        size_t end = slice_find(bytes, '\n');
        struct slice line = slice_part(bytes, 0, end);
        while (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        output_text(ctl->out, line);
        if (end == SIZE_MAX)
            break;
        putc('\n', ctl->out);
        bytes = slice_skip(bytes, end + 1);
    }
    return ferror(ctl->out) == 0;
}

/* One piece of the message from *offset on, which it moves; *is_end: it was the last. */
static int show_piece(struct gatectl *ctl, const char *id, uint64_t *offset, bool *is_end)
{
    struct ask ask = { .method = CONTROL_GET, .segments = { "quarantine", id, "message" } };
    AUTO_BUF bytes = BUF_INIT(CHUNK_MAX);
    json_t *answer = NULL;
    char at[32];

    snprintf(at, sizeof at, "%llu", (unsigned long long)*offset);
    set_param(&ask, "offset", at);
    int code = gatectl_ask(ctl, &ask, &answer);
    if (code != EXIT_DONE)
        return code;
    if (!base64_parse(&bytes, json_member(answer, "data")) || !put_bytes(ctl, buf_slice(&bytes)))
        code = EXIT_FAILED;
    *offset += bytes.len;
    *is_end =
        bytes.len == 0 || *offset >= (uint64_t)json_integer_value(json_object_get(answer, "size"));
    json_decref(answer);
    return code;
}

static int show_message(struct gatectl *ctl, const char *id)
{
    uint64_t offset = 0;
    bool is_end = false;
    int code = EXIT_DONE;

    if (ctl->options.json) {
        gatectl_error(ctl, "--message is not JSON");
        return EXIT_USAGE;
    }
    while (code == EXIT_DONE && !is_end)
        code = show_piece(ctl, id, &offset, &is_end);
    return code;
}

int cmd_quarantine_show(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    struct ask ask = { .method = CONTROL_GET, .segments = { "quarantine", args[0] } };
    json_t *answer = NULL;

    ctl->daemon = &contentd;
    if (ctl->options.message)
        return show_message(ctl, args[0]);
    int code = gatectl_ask(ctl, &ask, &answer);
    if (code == EXIT_DONE && ctl->options.json)
        output_json(ctl->out, answer);
    else if (code == EXIT_DONE)
        print_kept(ctl, answer);
    json_decref(answer);
    return code;
}

/* ---- release, delete ---- */

static void print_released(struct gatectl *ctl, const json_t *answer)
{
    json_int_t kept = json_integer_value(json_object_get(answer, "kept"));
    struct slice id = json_member(answer, "id");
    const json_t *one;
    size_t i;

    json_array_foreach (json_object_get(answer, "released"), i, one) {
        output_text(ctl->out, id);
        fputs(" released to ", ctl->out);
        output_text(ctl->out, slice_of(json_string_value(one)));
        putc('\n', ctl->out);
    }
    json_array_foreach (json_object_get(answer, "refused"), i, one) {
        struct slice recipient = json_member(one, "recipient"), reply = json_member(one, "reply");
        gatectl_error(ctl, "%.*s: not taken for %.*s: %.*s", SLICE_ARG(id), SLICE_ARG(recipient),
                      SLICE_ARG(reply));
    }
    struct slice unrecorded = json_member(answer, "unrecorded");
    if (unrecorded.len > 0)
        gatectl_error(ctl,
                      "%.*s: this could not be written down, who has got it is still listed: %.*s",
                      SLICE_ARG(id), SLICE_ARG(unrecorded));
    if (kept > 0)
        fprintf(ctl->out, "%.*s is kept for %lld recipient%s\n", SLICE_ARG(id), (long long)kept,
                kept == 1 ? "" : "s");
}

static int release_one(struct gatectl *ctl, const char *id)
{
    struct ask ask = { .method = CONTROL_POST, .segments = { "quarantine", id, "release" } };
    json_t *answer = NULL;

    set_param(&ask, "recipient", ctl->options.recipient);
    set_param(&ask, "to", ctl->options.to);
    set_param(&ask, "sender", ctl->options.sender);
    int code = gatectl_ask(ctl, &ask, &answer);
    if (code != EXIT_DONE)
        return code;
    if (json_array_size(json_object_get(answer, "refused")) > 0 ||
        json_object_get(answer, "unrecorded") != NULL)
        code = EXIT_FAILED;
    if (ctl->options.json)
        gatectl_changed(ctl, json_incref(answer));
    else
        print_released(ctl, answer);
    json_decref(answer);
    return code;
}

static int delete_one(struct gatectl *ctl, const char *id)
{
    struct ask ask = { .method = CONTROL_DELETE, .segments = { "quarantine", id } };
    json_t *answer = NULL;
    int code = gatectl_ask(ctl, &ask, &answer);

    if (code == EXIT_DONE && ctl->options.json)
        gatectl_changed(ctl, json_incref(answer));
    json_decref(answer);
    return code;
}

/* All are tried; the first that fails gives the exit code. */
static int each(struct gatectl *ctl, char **ids, size_t count,
                int (*change)(struct gatectl *ctl, const char *id))
{
    int code = EXIT_DONE;

    ctl->daemon = &contentd;
    for (size_t i = 0; i < count && code != EXIT_UNREACHABLE; i++) {
        int one = change(ctl, ids[i]);
        code = code == EXIT_DONE ? one : code;
    }
    return code;
}

int cmd_quarantine_release(struct gatectl *ctl, char **args, size_t count)
{
    if (ctl->options.recipient != NULL && ctl->options.to != NULL) {
        gatectl_error(ctl, "--recipient and --to exclude each other");
        return EXIT_USAGE;
    }
    if (ctl->options.sender != NULL && ctl->options.to == NULL) {
        gatectl_error(ctl, "--sender goes with --to alone");
        return EXIT_USAGE;
    }
    return each(ctl, args, count, release_one);
}

int cmd_quarantine_delete(struct gatectl *ctl, char **args, size_t count)
{
    return each(ctl, args, count, delete_one);
}
