/* gatectl/show.c - gatectl show user: how much of each limit a value has used. */
#include "gatectl/command.h"
#include "gatectl/output.h"
#include "gatectl/when.h"

static void free_cell(struct text_table *table, const json_t *row)
{
    const json_t *free_in = json_object_get(row, "free_in_ms");
    AUTO_BUF text = BUF_INIT(64);

    if (!json_is_integer(free_in)) {
        text_table_cell(table, SLICE("never"));
    } else if (json_integer_value(free_in) <= 0) {
        text_table_cell(table, SLICE("now"));
    } else {
        buf_put(&text, "in ");
        when_print_span(&text, ((uint64_t)json_integer_value(free_in) + SECOND - 1) / SECOND);
        text_table_cell(table, slice_of(buf_text(&text)));
    }
}

static void window_cell(struct text_table *table, const json_t *row)
{
    json_int_t window_ms = json_integer_value(json_object_get(row, "window_ms"));
    AUTO_BUF text = BUF_INIT(64);

    if (window_ms > 0)
        when_print_span(&text, ((uint64_t)window_ms + SECOND - 1) / SECOND);
    text_table_cell(table, text.len == 0 ? SLICE("-") : slice_of(buf_text(&text)));
}

static void source_cell(struct text_table *table, const json_t *row)
{
    AUTO_BUF text = BUF_INIT(1024);
    bool is_live = json_is_true(json_object_get(row, "live"));

    buf_printf(&text, "%.*s (%s)", SLICE_ARG(json_member(row, "field")), is_live ? "live" : "file");
    text_table_cell(table, slice_of(buf_text(&text)));
}

static int print_usage(struct gatectl *ctl, const json_t *limits)
{
    static const struct column columns[] = {
        { "LIMIT", false }, { "COUNTS", false }, { "USED", true },       { "ALLOWED", true },
        { "IN", true },     { "FREE", false },   { "RATE FROM", false },
    };
    struct text_table *table = text_table_new(columns, COUNT(columns));
    const json_t *row;
    size_t i;

    if (table == NULL)
        return EXIT_FAILED;
    json_array_foreach (limits, i, row) {
        const json_t *allowed = json_object_get(row, "allowed");
        text_table_cell_json(table, json_object_get(row, "limit"));
        text_table_cell_json(table, json_object_get(row, "count"));
        text_table_cell_json(table, json_object_get(row, "used"));
        if (json_is_null(allowed))
            text_table_cell(table, SLICE("unlimited"));
        else
            text_table_cell_json(table, allowed);
        window_cell(table, row);
        free_cell(table, row);
        source_cell(table, row);
    }
    bool ok = text_table_print(table, ctl->out);
    text_table_free(&table);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

int cmd_show_user(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    const struct ask ask = { .method = CONTROL_GET,
                             .segments = { "usage" },
                             .params = { { "value", slice_of(args[0]) } } };
    json_t *answer = NULL;
    int code = gatectl_ask(ctl, &ask, &answer);

    if (code != EXIT_DONE)
        return code;
    const json_t *limits = json_object_get(answer, "limits");
    if (ctl->options.json)
        output_json(ctl->out, answer);
    else
        code = print_usage(ctl, limits);
    if (json_array_size(limits) == 0) {
        gatectl_error(ctl, "no limit has a key that \"%s\" could be", args[0]);
        code = EXIT_NOTHING;
    }
    json_decref(answer);
    return code;
}
