/* gatectl/status.c - gatectl status: what the daemon says of itself and its store. */
#include "gatectl/command.h"
#include "gatectl/output.h"
#include "gatectl/when.h"

static void print_scalar(FILE *out, const json_t *value)
{
    if (json_is_string(value))
        output_text(out, (struct slice){ json_string_value(value), json_string_length(value) });
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "yes" : "no", out);
    else if (value == NULL || json_is_null(value))
        putc('-', out);
    else
        json_dumpf(value, out, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
}

/* Of an object in a list: `unix:/run/clamav/clamd.ctl works=yes`; its first member is its name. */
static void print_item(FILE *out, json_t *item)
{
    const char *name, *gap = "";
    json_t *value;

    if (!json_is_object(item)) {
        print_scalar(out, item);
        return;
    }
    json_object_foreach (item, name, value) {
        fputs(gap, out);
        if (*gap != '\0') {
            output_text(out, slice_of(name));
            putc('=', out);
        }
        print_scalar(out, value);
        gap = " ";
    }
}

static void print_value(FILE *out, const json_t *value)
{
    const char *gap = "";
    json_t *item;
    size_t i;

    if (!json_is_array(value) || json_array_size(value) == 0) {
        print_scalar(out, json_is_array(value) ? NULL : value);
        return;
    }
    json_array_foreach (value, i, item) {
        fputs(gap, out);
        print_item(out, item);
        gap = ", ";
    }
}

static void print_name(FILE *out, const char *name)
{
    output_text(out, slice_of(name));
    fprintf(out, "%*s", (int)(strlen(name) < 14 ? 14 - strlen(name) : 1), "");
}

/* Of a key when its record was looked at, of a country database when it was made: Unix seconds. */
static bool is_moment(const char *name, const json_t *value)
{
    return json_is_integer(value) && (strcmp(name, "looked") == 0 || strcmp(name, "built_s") == 0);
}

static void print_moment(FILE *out, const char *name, const json_t *value)
{
    AUTO_BUF text = BUF_INIT(64);

    when_print_time(&text, (uint64_t)json_integer_value(value));
    fprintf(out, "%.*s=%s", (int)strcspn(name, "_"), name, buf_text(&text));
}

/* A member of the answer on one line; an object's members beside each other, a list of objects one below the other. */
static void print_member(FILE *out, const char *name, json_t *value)
{
    const char *inner_name, *gap = "";
    json_t *inner;
    size_t i;

    if (json_is_object(json_array_get(value, 0))) {
        json_array_foreach (value, i, inner)
            print_member(out, name, inner);
        return;
    }
    print_name(out, name);
    if (!json_is_object(value))
        print_value(out, value);
    json_object_foreach (value, inner_name, inner) {
        if (json_is_string(inner) && json_string_length(inner) == 0)
            continue;
        fputs(gap, out);
        gap = "  ";
        if (is_moment(inner_name, inner)) {
            print_moment(out, inner_name, inner);
            continue;
        }
        output_text(out, slice_of(inner_name));
        putc('=', out);
        print_value(out, inner);
    }
    putc('\n', out);
}

/* "started  2026-12-01 12:00 (2h 5m ago)" instead of Unix seconds. */
static void print_started(struct gatectl *ctl, const json_t *value)
{
    AUTO_BUF text = BUF_INIT(128);
    uint64_t now_s = ctl->clock->wall_ms(ctl->clock) / SECOND;
    uint64_t at_s = (uint64_t)json_integer_value(value);

    when_print_time(&text, at_s);
    buf_put(&text, " (");
    when_print_span(&text, now_s > at_s ? now_s - at_s : 0);
    fprintf(ctl->out, "%-14s%s ago)\n", "started", buf_text(&text));
}

int cmd_status_show(struct gatectl *ctl, UNUSED char **args, UNUSED size_t count)
{
    const struct ask ask = { .method = CONTROL_GET, .segments = { "status" } };
    json_t *answer = NULL, *value, *store;
    const char *name;
    int code = gatectl_ask(ctl, &ask, &answer);

    if (code != EXIT_DONE)
        return code;
    if (ctl->options.json) {
        output_json(ctl->out, answer);
    } else {
        json_object_foreach (answer, name, value) {
            if (strcmp(name, "started_s") == 0)
                print_started(ctl, value);
            else
                print_member(ctl->out, name, value);
        }
        store = json_object_get(answer, "store");
        if (slice_equal(json_member(store, "kind"), SLICE("memory")))
            fputs("Live changes and counters are in the daemon's memory: they end with it.\n",
                  ctl->out);
    }
    json_decref(answer);
    return code;
}
