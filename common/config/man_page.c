/* common/config/man_page.c - the manual pages, in roff for man(7). See usage.h. */
#include "common/config/param_value.h"
#include "common/config/usage.h"

/* ---- roff ---- */

/* Plain text, so that every byte is shown as it is and can be copied from the screen. */
static int put_text(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        const char *as = c == '\\'            ? "\\(rs"
                         : c == '-'           ? "\\-"
                         : c == '\''          ? "\\(aq"
                         : c == '"'           ? "\\(dq"
                         : c == '`'           ? "\\(ga"
                         : c == '^'           ? "\\(ha"
                         : c == '~'           ? "\\(ti"
                         : c == '.' && i == 0 ? "\\&."
                                              : NULL;
        if (as != NULL ? buf_put(out, as) : buf_put_char(out, c))
            return -1;
    }
    return 0;
}

static int put_line(struct slice text, struct buf *out)
{
    return put_text(text, out) || buf_put_char(out, '\n') ? -1 : 0;
}

/* `.MACRO "text"` */
static int put_macro(const char *macro, const char *text, struct buf *out)
{
    if (buf_printf(out, ".%s \"", macro) || put_text(slice_of(text), out))
        return -1;
    return buf_put(out, "\"\n");
}

/* The next line without its newline; the last one needs none. False when *rest is used up. */
static bool next_line(struct slice *rest, struct slice *line)
{
    if (rest->len == 0)
        return false;
    if (!slice_cut(rest, '\n', line)) {
        *line = *rest;
        *rest = slice_skip(*rest, rest->len);
    }
    return true;
}

/* Paragraphs and, indented, lines as they are. `macro` (PP, IP) begins each paragraph after the first. */
static int put_block(const char *text, const char *macro, struct buf *out)
{
    struct slice rest = slice_of(text), line;
    bool in_example = false, after_gap = false;

    while (next_line(&rest, &line)) {
        bool is_example = slice_starts_with(line, SLICE(" "));
        if (in_example && !is_example && buf_put(out, ".EE\n"))
            return -1;
        if (after_gap && line.len > 0 && buf_printf(out, ".%s\n", macro))
            return -1;
        if (!in_example && is_example && buf_put(out, ".EX\n"))
            return -1;
        if (line.len > 0 && put_line(line, out))
            return -1;
        in_example = is_example;
        after_gap = line.len == 0;
    }
    return in_example ? buf_put(out, ".EE\n") : 0;
}

static int put_blocks(const struct usage_block *blocks, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++)
        if (put_macro("SH", blocks[i].title, out) || put_block(blocks[i].text, "PP", out))
            return -1;
    return 0;
}

static int put_head(const char *name, char section, const char *summary, struct buf *out)
{
    AUTO_BUF title = BUF_INIT(256);

    if (buf_put(&title, name))
        return -1;
    for (size_t i = 0; i < title.len; i++)
        title.data[i] = (char)toupper((unsigned char)title.data[i]);
    if (buf_put(out, ".TH \"") || put_text(buf_slice(&title), out) ||
        buf_printf(out, "\" %c \"\" Gatehouse\n.SH NAME\n", section) ||
        put_text(slice_of(name), out) || buf_put(out, " \\- "))
        return -1;
    return put_line(slice_of(summary), out);
}

/* ---- NAME.conf(5) ---- */

static int put_row(const struct conf_param *row, bool with_live, struct buf *out)
{
    AUTO_BUF line = BUF_INIT(2048);

    if (buf_put(out, ".TP\n\\fB") || put_text(slice_of(row->name), out) || buf_put(out, "\\fR (") ||
        param_value_usage(row, &line))
        return -1;
    if (row->initial == NULL)
        buf_put(&line, row->type == CONF_PAIRS ? "" : "; must be given");
    else if (row->initial[0] != '\0')
        buf_printf(&line, "; default %s", row->initial);
    else
        buf_put(&line, "; default: none");
    if (put_text(buf_slice(&line), out) || buf_put(out, ")\n") || put_block(row->doc, "IP", out))
        return -1;
    AUTO_BUF name = BUF_INIT(256);
    if (row->example != NULL && (param_example_name(row, &name) || buf_put(out, ".br\nExample: ") ||
                                 put_text(buf_slice(&name), out) || buf_put(out, " = ") ||
                                 put_line(slice_of(row->example), out)))
        return -1;
    return with_live && !row->live ? buf_put(out, ".br\nA change needs a restart.\n") : 0;
}

static int put_kind(const struct conf_kind *kind, struct buf *out)
{
    struct slice rest = slice_of(kind->example), line;

    if (buf_printf(out, ".SS [%s%s]\n", kind->kind, kind->is_named ? " \\fINAME\\fR" : "") ||
        put_block(kind->doc, "PP", out))
        return -1;
    for (size_t i = 0; i < kind->param_count; i++)
        if (put_row(&kind->params[i], false, out))
            return -1;
    if (kind->example == NULL)
        return 0;
    if (buf_put(out, ".PP\nExample:\n.PP\n.EX\n"))
        return -1;
    while (next_line(&rest, &line))
        if (put_line(line, out))
            return -1;
    return buf_put(out, ".EE\n");
}

static int put_table(const struct usage_table *table, struct buf *out)
{
    if (put_macro("SH", table->title, out) || put_block(table->text, "PP", out))
        return -1;
    for (size_t i = 0; i < *table->count; i++) {
        AUTO_BUF name = BUF_INIT(USAGE_ENTRY_MAX);
        AUTO_BUF sort = BUF_INIT(USAGE_ENTRY_MAX);
        AUTO_BUF doc = BUF_INIT(USAGE_ENTRY_MAX);
        if (table->describe(table->rows, i, &name, &sort, &doc) || buf_put(out, ".TP\n\\fB") ||
            put_text(buf_slice(&name), out) || buf_put(out, "\\fR (") ||
            put_text(buf_slice(&sort), out) || buf_put(out, ")\n") ||
            put_line(buf_slice(&doc), out))
            return -1;
    }
    return 0;
}

int usage_conf_page(const struct usage_program *program, struct buf *out)
{
    static const char syntax[] =
        "Lines are of the form\n\n"
        "    name = value\n\n"
        "as in Postfix's main.cf. A line whose first character that is no blank is a # is a "
        "comment; a line that begins with a blank continues the value before it. Headings such as "
        "[list blocked] begin a section; parameters for the whole program stand before the first "
        "heading.\n\n"
        "Every mistake in the file is reported with its line and column. A program does not start "
        "on a file with mistakes, and a reload keeps the configuration in force.\n\n"
        "Times are digits and ms, s, m, h or d, seconds without a unit. Sizes are digits and K, M "
        "or G, bytes without a unit. Lists are separated by commas or blanks.";
    const struct conf_schema *schema = program->schema;
    AUTO_BUF summary = BUF_INIT(256);

    if (buf_printf(&summary, "parameters of %s", program->name) ||
        put_head(program->conf_name, '5', buf_text(&summary), out) ||
        buf_put(out, ".SH SYNOPSIS\n.I /etc/gatehouse/") ||
        put_line(slice_of(program->conf_name), out) || buf_put(out, ".SH DESCRIPTION\n") ||
        put_block(syntax, "PP", out) || buf_put(out, ".SH PARAMETERS\n"))
        return -1;
    for (size_t i = 0; i < schema->param_count; i++)
        if (put_row(&schema->params[i], true, out))
            return -1;
    if (schema->kind_count > 0 && buf_put(out, ".SH SECTIONS\n"))
        return -1;
    for (size_t k = 0; k < schema->kind_count; k++)
        if (put_kind(&schema->kinds[k], out))
            return -1;
    if (put_blocks(program->conf_blocks, program->conf_block_count, out))
        return -1;
    for (size_t i = 0; i < program->table_count; i++)
        if (put_table(&program->tables[i], out))
            return -1;
    if (buf_put(out, ".SH SEE ALSO\n.BR ") || put_text(slice_of(program->name), out) ||
        buf_put(out, " (8),\n"))
        return -1;
    return put_line(slice_of(program->see_also), out);
}

/* ---- NAME(8) ---- */

static int put_options(const struct usage_program *program, struct buf *out)
{
    static const struct usage_block options[] = {
        { "-c FILE", "Read this file instead of the one in /etc/gatehouse." },
        { "-o name=value", "Override a parameter of the file; for one of a section, write "
                           "kind/NAME:parameter=value. May be repeated." },
        { "-t", "Check the configuration, print every mistake, and end." },
        { "-n", "Print what differs from the defaults, and end." },
        { "-d", "Print all parameters, facts and actions with their documentation, and end." },
        { "-h", "Print a summary of the options, and end." },
        { "-V", "Print the version, and end." },
    };

    if (buf_put(out, ".SH SYNOPSIS\n.B ") || put_text(slice_of(program->name), out) ||
        buf_put(out, "\n[\\-c \\fIFILE\\fR] [\\-o \\fIname\\fR=\\fIvalue\\fR]... "
                     "[\\-t | \\-n | \\-d | \\-h | \\-V]\n.SH DESCRIPTION\n") ||
        put_block(program->description, "PP", out) || buf_put(out, ".SH OPTIONS\n"))
        return -1;
    for (size_t i = 0; i < COUNT(options); i++)
        if (buf_put(out, ".TP\n\\fB") || put_text(slice_of(options[i].title), out) ||
            buf_put(out, "\\fR\n") || put_block(options[i].text, "IP", out))
            return -1;
    return 0;
}

int usage_daemon_page(const struct usage_program *program, struct buf *out)
{
    static const char status[] = ".SH EXIT STATUS\n"
                                 ".TP\n0\nIt ended because it was told to, or found no mistake.\n"
                                 ".TP\n64\nThe command line is wrong.\n"
                                 ".TP\n71\nThe system refused something that it needs.\n"
                                 ".TP\n78\nThe configuration has mistakes.\n";

    if (put_head(program->name, '8', program->summary, out) || put_options(program, out) ||
        put_blocks(program->daemon_blocks, program->daemon_block_count, out) ||
        buf_put(out, status) || buf_put(out, ".SH FILES\n.I /etc/gatehouse/") ||
        put_line(slice_of(program->conf_name), out) || buf_put(out, ".SH SEE ALSO\n.BR ") ||
        put_text(slice_of(program->conf_name), out) || buf_put(out, " (5),\n"))
        return -1;
    return put_line(slice_of(program->see_also), out);
}
