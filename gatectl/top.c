/* gatectl/top.c - gatectl top: who uses most. */
#include "gatectl/command.h"
#include "gatectl/output.h"
#include "gatectl/when.h"

static void put_row(struct text_table *table, const json_t *row, UNUSED void *arg)
{
    json_int_t window_ms = json_integer_value(json_object_get(row, "window_ms"));
    AUTO_BUF window = BUF_INIT(64);

    when_print_span(&window, ((uint64_t)window_ms + SECOND - 1) / SECOND);
    text_table_cell_json(table, json_object_get(row, "used"));
    text_table_cell(table, slice_of(buf_text(&window)));
    text_table_cell_json(table, json_object_get(row, "limit"));
    text_table_cell_json(table, json_object_get(row, "subject"));
}

static int print_rows(struct gatectl *ctl, const json_t *rows)
{
    static const struct column columns[] = {
        { "USED", true }, { "IN", true }, { "LIMIT", false }, { "SUBJECT", false }
    };

    return output_table(ctl->out, columns, COUNT(columns), rows, put_row, NULL) ? EXIT_DONE
                                                                                : EXIT_FAILED;
}

int cmd_top_show(struct gatectl *ctl, char **args, size_t count)
{
    struct ask ask = { .method = CONTROL_GET, .segments = { "top" } };
    char rows[16];
    json_t *answer = NULL;

    snprintf(rows, sizeof(rows), "%u",
             ctl->options.count == 0 ? CONTROL_COUNT_DEFAULT : ctl->options.count);
    ask.params[0] = (struct control_param){ "count", slice_of(rows) };
    if (count > 0)
        ask.params[1] = (struct control_param){ "limit", slice_of(args[0]) };
    int code = gatectl_ask(ctl, &ask, &answer);
    if (code == EXIT_DONE && ctl->options.json)
        output_json(ctl->out, answer);
    else if (code == EXIT_DONE)
        code = print_rows(ctl, json_object_get(answer, "rows"));
    json_decref(answer);
    return code;
}
