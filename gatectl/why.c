/* gatectl/why.c - gatectl why: the decision behind a reference or a queue id, from the decision log. */
#include "gatectl/command.h"
#include "gatectl/decisions.h"
#include "gatectl/output.h"

enum { DECISIONS_MAX = 100 };

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

static void print_decision(FILE *out, const json_t *line)
{
    struct slice rest = json_member(line, "text"), name, value;

    while (decision_next_field(&rest, &name, &value)) {
        if (value.ptr == NULL || value.len == 0)
            continue;
        output_text(out, name);
        fprintf(out, "%*s", (int)(name.len < 18 ? 18 - name.len : 1), "");
        output_text(out, value);
        putc('\n', out);
    }
}

int cmd_why(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    struct slice wanted = slice_of(args[0]);
    json_t *lines = NULL, *found, *line;
    size_t i;
    int code;

    if (wanted.len == 0)
        return EXIT_USAGE;
    code = decisions_read(ctl, SLICE(""), wanted, DECISIONS_MAX, &lines);
    if (code != EXIT_DONE)
        return code;
    found = json_array();
    json_array_foreach (lines, i, line)
        if (is_about(json_member(line, "text"), wanted))
            json_array_append(found, line);
    if (ctl->options.json) {
        json_t *document = json_pack("{s:O}", "decisions", found);
        output_json(ctl->out, document);
        json_decref(document);
    } else {
        json_array_foreach (found, i, line) {
            if (i > 0)
                putc('\n', ctl->out);
            print_decision(ctl->out, line);
        }
    }
    if (json_array_size(found) == 0) {
        gatectl_error(ctl, "no decision with reference or queue id \"%s\" in the log", args[0]);
        code = EXIT_NOTHING;
    }
    json_decref(found);
    json_decref(lines);
    return code;
}
