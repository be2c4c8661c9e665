/* gatectl/live.c - see live.h. */
#include "gatectl/live.h"

#include "common/live/rule_text.h"
#include "common/live/tail.h"
#include "gatectl/output.h"
#include "gatectl/when.h"

const char *live_key(struct gatectl *ctl, const char *kind, const char *name)
{
    struct slice key = arena_printf(ctl->arena, "%s:%s", kind, name);

    if (key.ptr == NULL)
        gatectl_error(ctl, "the name is too long");
    return key.ptr;
}

static struct ask field_ask(const struct gatectl *ctl, enum control_method method, const char *key,
                            const char *field)
{
    struct ask ask = { .method = method, .segments = { "live", key, field } };

    if (ctl->options.force)
        ask.params[0] = (struct control_param){ "force", SLICE("1") };
    return ask;
}

/* For --json: takes `answer`, or notes a change that failed. */
static void note_change(struct gatectl *ctl, const struct ask *ask, int code, json_t *answer)
{
    if (!ctl->options.json) {
        json_decref(answer);
        return;
    }
    if (answer == NULL)
        answer = json_pack("{s:o, s:o, s:i}", "key", control_text(slice_of(ask->segments[1])),
                           "field", control_text(slice_of(ask->segments[2])), "failed", code);
    gatectl_changed(ctl, answer);
}

int live_set_text(struct gatectl *ctl, const char *key, const char *field, struct slice text)
{
    struct ask ask = field_ask(ctl, CONTROL_PUT, key, field);
    json_t *answer = NULL;

    ask.body = text;
    int code = gatectl_ask(ctl, &ask, &answer);
    note_change(ctl, &ask, code, answer);
    return code;
}

int live_set(struct gatectl *ctl, const char *key, const char *field, const char *value)
{
    AUTO_BUF text = BUF_INIT(LIVE_TEXT_MAX + 1);
    struct live_tail tail = { .head = slice_trim(slice_of(value)) };

    if (!gatectl_tail(ctl, &tail))
        return EXIT_USAGE;
    if (live_tail_print(&text, &tail)) {
        gatectl_error(ctl, "the value is too long");
        return EXIT_REFUSED;
    }
    return live_set_text(ctl, key, field, slice_of(buf_text(&text)));
}

int live_unset(struct gatectl *ctl, const char *key, const char *field)
{
    struct ask ask = field_ask(ctl, CONTROL_DELETE, key, field);
    json_t *answer = NULL;
    int code = gatectl_ask(ctl, &ask, &answer);

    if (code == EXIT_DONE && !json_is_true(json_object_get(answer, "existed"))) {
        gatectl_error(ctl, "%s: %s is not there", key, field);
        code = EXIT_NOTHING;
    }
    note_change(ctl, &ask, code, answer);
    return code;
}

/* ---- reading ---- */

static json_t *row_of(struct gatectl *ctl, const char *key, struct slice name, struct slice text)
{
    struct live_tail tail = { .until_s = 0 };
    struct live_error wrong = { .text = "" };
    struct live_place place;
    const char *tail_error = NULL;
    struct arena *arena = arena_new(1 << 20);
    bool ok = live_tail_parse(text, &tail, &tail_error);
    const struct live_names anything = { .context = NULL };
    bool is_valid = arena != NULL && live_check(slice_of(key), name, text, &anything, arena, &place,
                                                &wrong) == LIVE_OK;

    if (is_valid && !slice_equal(place.field, name)) {
        is_valid = false;
        snprintf(wrong.text, sizeof(wrong.text),
                 "nobody looks for it in this spelling, but for %.*s", SLICE_ARG(place.field));
    }
    arena_free(&arena);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "name", control_text(name), "value",
                     control_text(ok ? tail.head : text), "until",
                     tail.until_s == 0 ? json_null() : json_integer((json_int_t)tail.until_s), "by",
                     control_text(tail.by), "note", control_text(tail.note), "expired",
                     ok && live_tail_is_expired(&tail, ctl->clock->wall_ms(ctl->clock)), "error",
                     is_valid ? json_null() : control_text(slice_of(wrong.text)));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *sorted_rows(struct gatectl *ctl, const char *key, json_t *fields)
{
    size_t count = json_object_size(fields), at = 0;
    const char **names = calloc(count + 1, sizeof(*names));
    json_t *rows = json_array(), *value;
    const char *name;

    if (names == NULL)
        return rows;
    json_object_foreach (fields, name, value)
        names[at++] = name;
    qsort(names, at, sizeof(*names), compare_names);
    for (size_t i = 0; i < at; i++) {
        value = json_object_get(fields, names[i]);
        struct slice text = { json_string_value(value), json_string_length(value) };
        json_array_append_new(rows, row_of(ctl, key, slice_of(names[i]), text));
    }
    free(names);
    return rows;
}

int live_rows(struct gatectl *ctl, const char *key, json_t **rows)
{
    const struct ask ask = { .method = CONTROL_GET, .segments = { "live", key } };
    json_t *answer = NULL;
    int code = gatectl_ask(ctl, &ask, &answer);

    if (code != EXIT_DONE)
        return code;
    *rows = sorted_rows(ctl, key, json_object_get(answer, "fields"));
    json_decref(answer);
    return EXIT_DONE;
}

static void until_cell(struct gatectl *ctl, struct text_table *table, const json_t *until)
{
    AUTO_BUF text = BUF_INIT(64);

    if (!json_is_integer(until)) {
        text_table_cell(table, SLICE("-"));
        return;
    }
    when_print(&text, (uint64_t)json_integer_value(until),
               ctl->clock->wall_ms(ctl->clock) / SECOND);
    text_table_cell(table, slice_of(buf_text(&text)));
}

struct live_table {
    struct gatectl *ctl;
    bool has_values;
};

static void put_entry(struct text_table *table, const json_t *row, void *arg)
{
    const struct live_table *live = arg;

    text_table_cell_json(table, json_object_get(row, "name"));
    if (live->has_values)
        text_table_cell_json(table, json_object_get(row, "value"));
    until_cell(live->ctl, table, json_object_get(row, "until"));
    text_table_cell_json(table, json_object_get(row, "by"));
    text_table_cell_json(table, json_object_get(row, "note"));
}

int live_print(struct gatectl *ctl, const json_t *rows, const char *name, const char *value)
{
    struct column columns[5] = { { name, false } };
    struct live_table live = { ctl, value != NULL };
    size_t count = 1, i;
    const json_t *row;

    if (value != NULL)
        columns[count++] = (struct column){ value, false };
    columns[count++] = (struct column){ "UNTIL", false };
    columns[count++] = (struct column){ "BY", false };
    columns[count++] = (struct column){ "NOTE", false };
    if (!output_table(ctl->out, columns, count, rows, put_entry, &live))
        return EXIT_FAILED;
    json_array_foreach (rows, i, row) {
        struct slice error = json_member(row, "error");
        if (error.ptr != NULL)
            gatectl_error(ctl, "%s does not count: %.*s", json_member(row, "name").ptr,
                          SLICE_ARG(error));
    }
    return EXIT_DONE;
}

int live_list(struct gatectl *ctl, const char *key, const char *json_name, const char *name,
              const char *value)
{
    json_t *rows = NULL;
    int code = live_rows(ctl, key, &rows);

    if (code == EXIT_DONE && ctl->options.json)
        output_json_new(ctl->out, json_pack("{s:O}", json_name, rows));
    else if (code == EXIT_DONE)
        code = live_print(ctl, rows, name, value);
    json_decref(rows);
    return code;
}

int live_show(struct gatectl *ctl, const char *noun, const char *name, const char *title,
              const char *value)
{
    const char *key = live_key(ctl, noun, name);
    json_t *rows = NULL;
    int code = key == NULL ? EXIT_USAGE : live_rows(ctl, key, &rows);

    if (code == EXIT_DONE && ctl->options.json)
        output_json_new(ctl->out, json_pack("{s:s, s:O}", noun, name, "entries", rows));
    else if (code == EXIT_DONE)
        code = live_print(ctl, rows, title, value);
    json_decref(rows);
    return code;
}
