/* gatectl/output.c - see output.h. */
#include "gatectl/output.h"

#include <unistr.h>
#include <uniwidth.h>

#include "common/base/arena.h"

enum {
    TABLE_MAX_BYTES = 256 << 20,
    CELL_MAX_BYTES = 64 << 10,
    GAP = 2,
};

static bool is_harmless(ucs4_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0))
        return false;
    if (c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
        (c >= 0x2066 && c <= 0x2069))
        return false; /* direction of writing */
    return c != 0x2028 && c != 0x2029;
}

int output_escape(struct buf *out, struct slice text)
{
    const uint8_t *rest = (const uint8_t *)text.ptr;
    size_t left = text.len;

    while (left > 0) {
        ucs4_t c;
        int len = u8_mbtoucr(&c, rest, left);
        size_t step = len > 0 ? (size_t)len : 1;
        if (len > 0 && is_harmless(c)) {
            if (buf_add(out, (struct slice){ (const char *)rest, step }))
                return -1;
        } else {
            for (size_t i = 0; i < step; i++)
                if (buf_printf(out, "\\x%02x", (unsigned)rest[i]))
                    return -1;
        }
        rest += step;
        left -= step;
    }
    return 0;
}

void output_text(FILE *out, struct slice text)
{
    AUTO_BUF escaped = BUF_INIT(TABLE_MAX_BYTES);

    if (output_escape(&escaped, text) == 0)
        fwrite(buf_text(&escaped), 1, escaped.len, out);
}

/* All that jansson leaves as it is and a terminal may obey is DEL, which can only be in a string. */
static int put_json(const char *bytes, size_t len, void *out)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] == 0x7f)
            fputs("\\u007f", out);
        else
            putc(bytes[i], out);
    return 0;
}

void output_json(FILE *out, const json_t *document)
{
    json_dump_callback(document, put_json, out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    putc('\n', out);
}

void output_json_line(FILE *out, const json_t *document)
{
    json_dump_callback(document, put_json, out, JSON_COMPACT | JSON_ENSURE_ASCII);
    putc('\n', out);
}

void output_json_new(FILE *out, json_t *document)
{
    output_json(out, document);
    json_decref(document);
}

struct cell {
    struct slice text; /* escaped, terminated */
    size_t width; /* columns on a terminal */
};

struct row {
    struct row *next;
    struct cell cells[];
};

struct text_table {
    const struct column *columns;
    size_t column_count, row_count, filled; /* filled: cells of the last row */
    struct row *first, *last;
    struct arena *arena;
    bool is_incomplete;
};

struct text_table *text_table_new(const struct column *columns, size_t count)
{
    struct text_table *table = calloc(1, sizeof(*table));

    if (table == NULL)
        return NULL;
    table->arena = arena_new(TABLE_MAX_BYTES);
    if (table->arena == NULL) {
        free(table);
        return NULL;
    }
    table->columns = columns;
    table->column_count = count;
    table->filled = count;
    return table;
}

void text_table_free(struct text_table **table)
{
    if (*table == NULL)
        return;
    arena_free(&(*table)->arena);
    free(*table);
    *table = NULL;
}

static bool next_row(struct text_table *table)
{
    struct row *row =
        arena_alloc(table->arena, sizeof(struct row) + table->column_count * sizeof(struct cell));

    if (row == NULL)
        return false;
    if (table->last == NULL)
        table->first = row;
    else
        table->last->next = row;
    table->last = row;
    table->row_count++;
    table->filled = 0;
    return true;
}

static size_t width_of(const char *text)
{
    int width = u8_strwidth((const uint8_t *)text, "UTF-8");

    return width < 0 ? strlen(text) : (size_t)width;
}

void text_table_cell(struct text_table *table, struct slice text)
{
    AUTO_BUF escaped = BUF_INIT(CELL_MAX_BYTES);

    output_escape(&escaped, text); /* what does not fit is cut */
    if (table->is_incomplete || (table->filled == table->column_count && !next_row(table))) {
        table->is_incomplete = true;
        return;
    }
    struct cell *cell = &table->last->cells[table->filled++];
    cell->text = arena_copy(table->arena, slice_of(buf_text(&escaped)));
    table->is_incomplete = cell->text.ptr == NULL;
    cell->width = cell->text.ptr == NULL ? 0 : width_of(cell->text.ptr);
}

void text_table_cell_json(struct text_table *table, const json_t *value)
{
    char number[32];

    if (json_is_string(value)) {
        text_table_cell(table,
                        (struct slice){ json_string_value(value), json_string_length(value) });
    } else if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        text_table_cell(table, slice_of(number));
    } else if (json_is_boolean(value)) {
        text_table_cell(table, json_is_true(value) ? SLICE("yes") : SLICE("no"));
    } else {
        text_table_cell(table, SLICE("-"));
    }
}

static void print_cell(FILE *out, struct slice text, size_t width, size_t column_width,
                       bool is_number, bool is_last)
{
    size_t pad = column_width > width ? column_width - width : 0;

    if (is_number)
        fprintf(out, "%*s", (int)pad, "");
    fprintf(out, "%.*s", SLICE_ARG(text));
    if (is_last)
        putc('\n', out);
    else
        fprintf(out, "%*s", (int)((is_number ? 0 : pad) + GAP), "");
}

static size_t column_width(const struct text_table *table, size_t column)
{
    size_t width = strlen(table->columns[column].title);

    for (const struct row *row = table->first; row != NULL; row = row->next)
        if (row->cells[column].width > width)
            width = row->cells[column].width;
    return width;
}

/* The last one that is not empty: nothing is printed after it. */
static size_t last_cell(const struct row *row, size_t count)
{
    size_t last = count - 1;

    while (last > 0 && row->cells[last].text.len == 0)
        last--;
    return last;
}

bool text_table_print(const struct text_table *table, FILE *out)
{
    size_t count = table->column_count;
    size_t *widths = calloc(count, sizeof(*widths));

    if (widths == NULL || table->is_incomplete) {
        free(widths);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        widths[i] = column_width(table, i);
    for (size_t i = 0; table->row_count > 0 && i < count; i++) {
        const struct column *column = &table->columns[i];
        print_cell(out, slice_of(column->title), strlen(column->title), widths[i],
                   column->is_number, i == count - 1);
    }
    for (const struct row *row = table->first; row != NULL; row = row->next) {
        size_t last = last_cell(row, count);
        for (size_t i = 0; i <= last; i++)
            print_cell(out, row->cells[i].text, row->cells[i].width, widths[i],
                       table->columns[i].is_number, i == last);
    }
    free(widths);
    return true;
}

bool output_table(FILE *out, const struct column *columns, size_t count, const json_t *rows,
                  void (*put)(struct text_table *table, const json_t *row, void *arg), void *arg)
{
    struct text_table *table = text_table_new(columns, count);
    const json_t *row;
    size_t i;

    if (table == NULL)
        return false;
    json_array_foreach (rows, i, row)
        put(table, row, arg);
    bool ok = text_table_print(table, out);
    text_table_free(&table);
    return ok;
}

struct slice json_member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_string(value))
        return (struct slice){ NULL, 0 };
    return (struct slice){ json_string_value(value), json_string_length(value) };
}
