/* common/config/usage.c - -d, -n and the sample file; the manual pages are in man_page.c. */
#include "common/config/usage.h"

#include "common/config/param_value.h"

#define WIDTH 78 /* columns that comments and long values are wrapped to */

/* ---- pieces ---- */

/* Words of `text` in lines that begin with `lead`. */
static int put_wrapped(struct slice text, const char *lead, struct buf *out)
{
    struct slice rest = text, word;
    size_t column = 0;

    while (slice_next(&rest, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (column > 0 && column + 1 + word.len > WIDTH) {
            if (buf_put_char(out, '\n'))
                return -1;
            column = 0;
        }
        const char *before = column == 0 ? lead : " ";
        if (buf_put(out, before) || buf_add(out, word))
            return -1;
        column += strlen(before) + word.len;
    }
    return buf_put_char(out, '\n');
}

/* May a value be broken at this blank? What follows must not look like a comment, and one blank joins it again. */
static bool can_break(struct slice value, size_t at)
{
    return value.ptr[at] == ' ' && at > 0 && at + 1 < value.len &&
           !ascii_is_space(value.ptr[at - 1]) && !ascii_is_space(value.ptr[at + 1]) &&
           value.ptr[at + 1] != '#';
}

/* `name = value`, in continuation lines where it is long. */
static int put_setting(struct slice name, struct slice value, struct buf *out)
{
    size_t column = name.len + 3, end;

    if (buf_add(out, name) || buf_put(out, value.len == 0 ? " =" : " = "))
        return -1;
    while (value.len > 0) {
        size_t last = value.len;
        for (end = 0; end < value.len && (last == value.len || column + end <= WIDTH); end++)
            if (can_break(value, end))
                last = end;
        if (column + value.len <= WIDTH)
            last = value.len;
        if (buf_add(out, slice_part(value, 0, last)))
            return -1;
        value = slice_skip(value, last + 1);
        if (value.len > 0 && buf_put(out, "\n    "))
            return -1;
        column = 4;
    }
    return buf_put_char(out, '\n');
}

/* The value; where the name has a *, a whole line, so that it can be copied. */
static int put_example(const struct conf_param *row, struct buf *out)
{
    if (row->star != NULL && (param_example_name(row, out) || buf_put(out, " = ")))
        return -1;
    return buf_put(out, row->example);
}

/* "time, 100ms to 90s; a change needs a restart" */
static int put_usage(const struct conf_param *row, bool with_live, struct buf *out)
{
    AUTO_BUF line = BUF_INIT(1024);

    if (param_value_usage(row, &line))
        return -1;
    if (row->initial == NULL && row->type != CONF_PAIRS && buf_put(&line, "; must be given"))
        return -1;
    if (row->example != NULL && (buf_put(&line, "; for example ") || put_example(row, &line)))
        return -1;
    if (with_live && !row->live && buf_put(&line, "; a change needs a restart"))
        return -1;
    return put_wrapped(buf_slice(&line), "# ", out);
}

static int put_row(const struct conf_param *row, bool with_live, struct buf *out)
{
    if (put_wrapped(slice_of(row->doc), "# ", out) || put_usage(row, with_live, out) ||
        put_setting(slice_of(row->name), slice_of(row->initial), out))
        return -1;
    return buf_put_char(out, '\n');
}

/* ---- -d ---- */

static int put_table(const struct usage_table *table, struct buf *out)
{
    if (buf_printf(out, "# %s\n", table->title) || put_wrapped(slice_of(table->text), "# ", out) ||
        buf_put(out, "#\n"))
        return -1;
    for (size_t i = 0; i < *table->count; i++) {
        AUTO_BUF name = BUF_INIT(USAGE_ENTRY_MAX);
        AUTO_BUF sort = BUF_INIT(USAGE_ENTRY_MAX);
        AUTO_BUF doc = BUF_INIT(USAGE_ENTRY_MAX);
        if (table->describe(table->rows, i, &name, &sort, &doc) ||
            buf_printf(out, "#   %s\n", buf_text(&name)) ||
            put_wrapped(buf_slice(&doc), "#       ", out) ||
            put_wrapped(buf_slice(&sort), "#       ", out))
            return -1;
    }
    return buf_put_char(out, '\n');
}

int usage_defaults(const struct usage_program *program, struct buf *out)
{
    const struct conf_schema *schema = program->schema;

    for (size_t i = 0; i < schema->param_count; i++)
        if (put_row(&schema->params[i], true, out))
            return -1;
    for (size_t k = 0; k < schema->kind_count; k++) {
        const struct conf_kind *kind = &schema->kinds[k];
        if (put_wrapped(slice_of(kind->doc), "# ", out) ||
            buf_printf(out, "[%s%s]\n", kind->kind, kind->is_named ? " NAME" : ""))
            return -1;
        for (size_t i = 0; i < kind->param_count; i++)
            if (put_row(&kind->params[i], false, out))
                return -1;
    }
    for (size_t i = 0; i < program->table_count; i++)
        if (put_table(&program->tables[i], out))
            return -1;
    return 0;
}

/* ---- -n ---- */

static bool is_default(const struct conf_schema *schema, const struct conf_entry *entry)
{
    const struct conf_param *row =
        conf_param_find(schema->params, schema->param_count, entry->name);

    return row != NULL && row->type != CONF_PAIRS && row->initial != NULL &&
           param_value_equal(row, slice_of(row->initial), entry->value);
}

static int put_heading(const struct conf_section *section, struct buf *out)
{
    if (section->name.ptr == NULL)
        return buf_printf(out, "\n[%.*s]\n", SLICE_ARG(section->kind));
    return buf_printf(out, "\n[%.*s %.*s]\n", SLICE_ARG(section->kind), SLICE_ARG(section->name));
}

int usage_changed(const struct conf_schema *schema, const struct conf *conf, struct buf *out)
{
    for (size_t i = 0; i < conf->count; i++) {
        const struct conf_section *section = &conf->sections[i];
        if (i > 0 && put_heading(section, out))
            return -1;
        for (size_t k = 0; k < section->count; k++) {
            const struct conf_entry *entry = &section->entries[k];
            if (!(i == 0 && is_default(schema, entry)) &&
                put_setting(entry->name, entry->value, out))
                return -1;
        }
    }
    return 0;
}

/* ---- the sample file ---- */

static int put_sample_row(const struct conf_param *row, struct buf *out)
{
    if (buf_put_char(out, '\n') || put_wrapped(slice_of(row->doc), "# ", out) ||
        put_usage(row, true, out))
        return -1;
    if (row->initial == NULL)
        return buf_printf(out, "%s = %s\n", row->name, row->example);
    return buf_printf(out, "#%s =%s%s\n", row->name, row->initial[0] == '\0' ? "" : " ",
                      row->initial);
}

static int put_sample_kind(const struct conf_kind *kind, struct buf *out)
{
    struct slice rest = slice_of(kind->example), line;

    if (buf_put_char(out, '\n') || put_wrapped(slice_of(kind->doc), "# ", out))
        return -1;
    while (slice_cut(&rest, '\n', &line))
        if (buf_printf(out, "#%.*s\n", SLICE_ARG(line)))
            return -1;
    return rest.len == 0 ? 0 : buf_printf(out, "#%.*s\n", SLICE_ARG(rest));
}

int usage_sample(const struct usage_program *program, struct buf *out)
{
    const struct conf_schema *schema = program->schema;

    if (buf_printf(out,
                   "# %s - parameters of %s, %s.\n"
                   "# Lines that begin with # are comments; those without a blank behind the # are "
                   "defaults\n"
                   "# and examples. A line that begins with a blank continues the one before it.\n"
                   "# Check a change with `%s -t`. See %s(5).\n",
                   program->conf_name, program->name, program->summary, program->name,
                   program->conf_name))
        return -1;
    for (size_t i = 0; i < schema->param_count; i++)
        if (schema->params[i].type != CONF_PAIRS && put_sample_row(&schema->params[i], out))
            return -1;
    for (size_t k = 0; k < schema->kind_count; k++)
        if (schema->kinds[k].example != NULL && put_sample_kind(&schema->kinds[k], out))
            return -1;
    return 0;
}
