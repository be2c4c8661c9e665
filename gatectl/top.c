/* gatectl/top.c - gatectl top: who uses most. */
#include "gatectl/command.h"
#include "gatectl/output.h"
#include "gatectl/when.h"

static int print_rows(struct gatectl *ctl, const json_t *rows)
{
    static const struct column columns[] = {
        { "USED", true }, { "IN", true }, { "LIMIT", false }, { "SUBJECT", false }
    };
    struct text_table *table = text_table_new(columns, COUNT(columns));
    const json_t *row;
    size_t i;

    if (table == NULL)
        return EXIT_FAILED;
    json_array_foreach (rows, i, row) {
        json_int_t window_ms = json_integer_value(json_object_get(row, "window_ms"));
        AUTO_BUF window = BUF_INIT(64);
        when_print_span(&window, ((uint64_t)window_ms + SECOND - 1) / SECOND);
        text_table_cell_json(table, json_object_get(row, "used"));
        text_table_cell(table, slice_of(buf_text(&window)));
        text_table_cell_json(table, json_object_get(row, "limit"));
        text_table_cell_json(table, json_object_get(row, "subject"));
    }
    bool ok = text_table_print(table, ctl->out);
    text_table_free(&table);
    return ok ? EXIT_DONE : EXIT_FAILED;
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
