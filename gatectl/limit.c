/* gatectl/limit.c - gatectl limit: rates as configured and as changed live. */
#include "gatectl/command.h"
#include "gatectl/live.h"
#include "gatectl/output.h"

/* ---- list ---- */

/* ["sender_domain", "client_net"] as "sender_domain, client_net"; "-" for a limit of all mail together. */
static void key_cell(struct text_table *table, const json_t *key)
{
    AUTO_BUF text = BUF_INIT(1024);
    const json_t *part;
    size_t i;

    json_array_foreach (key, i, part)
        buf_printf(&text, "%s%s", i == 0 ? "" : ", ", json_string_value(part));
    text_table_cell(table, text.len == 0 ? SLICE("-") : slice_of(buf_text(&text)));
}

static void put_limit(struct text_table *table, const json_t *limit, UNUSED void *arg)
{
    json_t *overrides = json_integer((json_int_t)json_object_size(json_object_get(limit, "rates")));

    text_table_cell_json(table, json_object_get(limit, "name"));
    key_cell(table, json_object_get(limit, "key"));
    text_table_cell_json(table, json_object_get(limit, "count"));
    text_table_cell_json(table, json_object_get(limit, "rate"));
    text_table_cell_json(table, overrides);
    text_table_cell_json(table, json_object_get(limit, "charge"));
    json_decref(overrides);
}

static int print_limits(struct gatectl *ctl, const json_t *limits)
{
    static const struct column columns[] = {
        { "LIMIT", false }, { "KEY", false },           { "COUNTS", false },
        { "RATE", true },   { "FILE OVERRIDES", true }, { "CHARGED AT", false },
    };

    return output_table(ctl->out, columns, COUNT(columns), limits, put_limit, NULL) ? EXIT_DONE
                                                                                    : EXIT_FAILED;
}

static int ask_limits(struct gatectl *ctl, json_t **answer)
{
    const struct ask ask = { .method = CONTROL_GET, .segments = { "limits" } };

    return gatectl_ask(ctl, &ask, answer);
}

int cmd_limit_list(struct gatectl *ctl, UNUSED char **args, UNUSED size_t count)
{
    json_t *answer = NULL;
    int code = ask_limits(ctl, &answer);

    if (code == EXIT_DONE && ctl->options.json)
        output_json(ctl->out, answer);
    else if (code == EXIT_DONE)
        code = print_limits(ctl, json_object_get(answer, "limits"));
    json_decref(answer);
    return code;
}

/* ---- get ---- */

/* The definition of one limit, a new reference; NULL: not configured. */
static json_t *find_limit(const json_t *answer, const char *name)
{
    json_t *limit;
    size_t i;

    json_array_foreach (json_object_get(answer, "limits"), i, limit)
        if (slice_equal(json_member(limit, "name"), slice_of(name)))
            return json_incref(limit);
    return NULL;
}

static json_t *file_row(const char *field, json_t *rate)
{
    return json_pack("{s:s, s:O, s:s, s:n, s:s, s:s, s:b, s:n}", "name", field, "value", rate,
                     "from", "file", "until", "by", "", "note", "", "expired", 0, "error");
}

/* What the file says, then what is live; `field` NULL: all fields. */
static json_t *merge_rates(const json_t *limit, const json_t *live, const char *field)
{
    json_t *rates = json_array(), *row, *rate;
    const char *name;
    size_t i;

    rate = json_object_get(limit, "rate");
    if (rate != NULL && (field == NULL || strcmp(field, "default") == 0))
        json_array_append_new(rates, file_row("default", rate));
    json_object_foreach (json_object_get(limit, "rates"), name, rate)
        if (field == NULL || strcmp(field, name) == 0)
            json_array_append_new(rates, file_row(name, rate));
    json_array_foreach (live, i, row) {
        if (field != NULL && !slice_equal(json_member(row, "name"), slice_of(field)))
            continue;
        json_object_set_new(row, "from", json_string("live"));
        json_array_append(rates, row);
    }
    return rates;
}

static int print_rates(struct gatectl *ctl, const json_t *rates)
{
    json_t *shown = json_deep_copy(rates), *row;
    size_t i;

    json_array_foreach (shown, i, row) /* the origin beside the rate: "500/1h (live)" */
        json_object_set_new(
            row, "value",
            json_sprintf("%s (%s)", json_member(row, "value").ptr, json_member(row, "from").ptr));
    int code = live_print(ctl, shown, "FIELD", "RATE");
    json_decref(shown);
    return code;
}

int cmd_limit_get(struct gatectl *ctl, char **args, size_t count)
{
    const char *key = live_key(ctl, "limit", args[0]), *field = count > 1 ? args[1] : NULL;
    json_t *answer = NULL, *live = NULL, *limit = NULL, *rates = NULL;
    int code = key == NULL ? EXIT_USAGE : ask_limits(ctl, &answer);

    if (code == EXIT_DONE)
        code = live_rows(ctl, key, &live);
    if (code == EXIT_DONE) {
        limit = find_limit(answer, args[0]);
        rates = merge_rates(limit, live, field);
        if (json_array_size(rates) == 0) {
            gatectl_error(ctl, "%s: %s", args[0],
                          field == NULL ? "no such limit" : "no rate for this field");
            code = EXIT_NOTHING;
        }
    }
    if (code == EXIT_DONE && ctl->options.json) {
        json_t *document =
            json_pack("{s:s, s:o, s:O}", "limit", args[0], "definition",
                      limit == NULL ? json_null() : json_incref(limit), "rates", rates);
        output_json(ctl->out, document);
        json_decref(document);
    } else if (code == EXIT_DONE) {
        code = print_rates(ctl, rates);
    }
    json_decref(rates);
    json_decref(limit);
    json_decref(live);
    json_decref(answer);
    return code;
}

/* ---- set, unset, reset ---- */

int cmd_limit_set(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    const char *key = live_key(ctl, "limit", args[0]);

    return key == NULL ? EXIT_USAGE : live_set(ctl, key, args[1], args[2]);
}

int cmd_limit_unset(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    const char *key = live_key(ctl, "limit", args[0]);

    return key == NULL ? EXIT_USAGE : live_unset(ctl, key, args[1]);
}

int cmd_limit_reset(struct gatectl *ctl, char **args, size_t count)
{
    const struct ask ask = {
        .method = CONTROL_POST,
        .segments = { "limits", args[0], "reset" },
        .params = { { "value", slice_of(count > 1 ? args[1] : "") } },
    };
    json_t *answer = NULL;
    int code = gatectl_ask(ctl, &ask, &answer);

    if (code != EXIT_DONE)
        return code;
    if (ctl->options.json)
        output_json(ctl->out, answer);
    if (json_integer_value(json_object_get(answer, "removed")) == 0) {
        gatectl_error(ctl, "%s: nothing is counted for this value", args[0]);
        code = EXIT_NOTHING;
    }
    json_decref(answer);
    return code;
}
