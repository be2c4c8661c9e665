/* gatectl/why.c - gatectl why: the decision behind a reference or a queue id, from the decision log, and what the daemons
 * have recorded of the message. */
#include "gatectl/command.h"
#include "gatectl/decisions.h"
#include "gatectl/output.h"

enum { DECISIONS_MAX = 100, VALUE_MAX = 1024 };

/* Is it the reference or the queue id of this line, not merely a text in it? */
static bool is_about(struct slice line, struct slice wanted)
{
    struct slice name, value;

    while (decision_next_field(&line, &name, &value))
        if ((slice_equal(name, SLICE("ref")) || slice_equal(name, SLICE("queue_id"))) &&
            slice_equal(value, wanted))
            return true;
    return false;
}

static void print_field(FILE *out, struct slice name, struct slice value)
{
    output_text(out, name);
    fprintf(out, "%*s", (int)(name.len < 18 ? 18 - name.len : 1), "");
    output_text(out, value);
    putc('\n', out);
}

static void print_decision(FILE *out, const json_t *line)
{
    struct slice rest = json_member(line, "text"), name, value;

    while (decision_next_field(&rest, &name, &value))
        if (value.ptr != NULL && value.len > 0)
            print_field(out, name, value);
}

/* ---- what the daemons have recorded of the message ---- */

static void print_member(FILE *out, const json_t *record, const char *name)
{
    struct slice value = json_member(record, name);

    if (value.len > 0)
        print_field(out, slice_of(name), value);
}

static void print_printed(FILE *out, const char *name, struct buf *value)
{
    print_field(out, slice_of(name), buf_slice(value));
    buf_clear(value);
}

static void print_spf(FILE *out, const json_t *record, const char *name)
{
    const json_t *spf = json_object_get(record, name);
    AUTO_BUF text = BUF_INIT(VALUE_MAX);

    if (spf == NULL)
        return;
    buf_printf(&text, "%.*s %.*s", SLICE_ARG(json_member(spf, "result")),
               SLICE_ARG(json_member(spf, "domain")));
    print_printed(out, name, &text);
}

static void print_charges(FILE *out, const json_t *record)
{
    const char *name =
        json_is_true(json_object_get(record, "given_back")) ? "given_back" : "charged";
    AUTO_BUF text = BUF_INIT(VALUE_MAX);
    json_t *charge, *charges = json_object_get(record, "charges");
    size_t i;

    json_array_foreach (charges, i, charge) {
        buf_printf(&text, "%.*s %.*s %" JSON_INTEGER_FORMAT,
                   SLICE_ARG(json_member(charge, "limit")),
                   SLICE_ARG(json_member(charge, "subject")),
                   json_integer_value(json_object_get(charge, "amount")));
        print_printed(out, name, &text);
    }
}

static void print_record(FILE *out, const json_t *record)
{
    AUTO_BUF text = BUF_INIT(VALUE_MAX);
    json_t *verdict, *verdicts = json_object_get(record, "verdicts"),
                     *score = json_object_get(record, "score");
    size_t i;

    print_field(out, SLICE("record"), json_member(record, "key"));
    buf_printf(&text, "<%.*s>", SLICE_ARG(json_member(record, "sender")));
    print_printed(out, "sender", &text);
    print_spf(out, record, "spf");
    print_spf(out, record, "spf_helo");
    if (score != NULL) {
        buf_printf(&text, "%.10g", json_real_value(score));
        print_printed(out, "score", &text);
    }
    print_member(out, record, "rule");
    print_member(out, record, "ref");
    print_charges(out, record);
    json_array_foreach (verdicts, i, verdict)
        print_field(out, json_member(verdict, "by"), json_member(verdict, "verdict"));
}

/* Of the queue id that the decisions name, or of the one that was asked for; *records is an array, whatever comes of it. */
static int read_records(struct gatectl *ctl, const char *wanted, const json_t *found,
                        json_t **records)
{
    struct ask ask = { .method = CONTROL_GET, .segments = { "transactions", wanted } };
    struct slice name, value;
    json_t *answer = NULL, *line;
    size_t i;

    json_array_foreach (found, i, line) {
        struct slice rest = json_member(line, "text");
        while (decision_next_field(&rest, &name, &value))
            if (slice_equal(name, SLICE("queue_id")) && value.len > 0)
                ask.segments[1] = arena_copy(ctl->arena, value).ptr;
    }
    *records = json_array();
    if (ask.segments[1] == NULL)
        return EXIT_FAILED;
    int code = gatectl_ask(ctl, &ask, &answer);
    if (code != EXIT_DONE)
        return code;
    json_array_extend(*records, json_object_get(answer, "transactions"));
    json_decref(answer);
    return EXIT_DONE;
}

static void print_all(struct gatectl *ctl, json_t *decisions, json_t *records)
{
    json_t *item;
    size_t i;

    if (ctl->options.json) {
        output_json_new(ctl->out,
                        json_pack("{s:O, s:O}", "decisions", decisions, "transactions", records));
        return;
    }
    json_array_foreach (decisions, i, item) {
        if (i > 0)
            putc('\n', ctl->out);
        print_decision(ctl->out, item);
    }
    json_array_foreach (records, i, item) {
        if (i > 0 || json_array_size(decisions) > 0)
            putc('\n', ctl->out);
        print_record(ctl->out, item);
    }
}

static int read_decisions(struct gatectl *ctl, struct slice wanted, json_t **found)
{
    json_t *lines = NULL, *line;
    size_t i;
    int code = decisions_read(ctl, SLICE(""), wanted, DECISIONS_MAX, &lines);

    if (code != EXIT_DONE)
        return code;
    *found = json_array();
    json_array_foreach (lines, i, line)
        if (is_about(json_member(line, "text"), wanted))
            json_array_append(*found, line);
    json_decref(lines);
    return EXIT_DONE;
}

int cmd_why(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    struct slice wanted = slice_of(args[0]);
    json_t *found = NULL, *records = NULL;
    int code;

    if (wanted.len == 0)
        return EXIT_USAGE;
    code = read_decisions(ctl, wanted, &found);
    if (code != EXIT_DONE)
        return code;
    code = read_records(ctl, args[0], found, &records);
    print_all(ctl, found, records); /* the decisions also when the records could not be had */
    if (code == EXIT_DONE && json_array_size(found) == 0 && json_array_size(records) == 0) {
        gatectl_error(ctl, "no decision with reference or queue id \"%s\" in the log", args[0]);
        code = EXIT_NOTHING;
    }
    json_decref(found);
    json_decref(records);
    return code;
}
