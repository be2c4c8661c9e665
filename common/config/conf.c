/* common/config/conf.c - see conf.h. Names and values are copied one behind the other into `bytes`; for each stretch
 * that comes from one place (a name, a value, a continuation line) a `run` keeps where that was. */
#include "common/config/conf.h"

struct conf_run {
    size_t offset; /* in conf->bytes */
    struct slice source; /* the file, or `-o name=value` */
    unsigned line, column; /* line 0: an override */
};

/* What a line with a leading blank continues. */
enum open_line { OPEN_NOTHING, OPEN_HEADING, OPEN_VALUE, OPEN_MISTAKE };

struct reader {
    struct conf *conf;
    struct conf_errors *errors;
    char *bytes;
    struct conf_run *runs;
    struct conf_section *sections;
    struct conf_entry *entries; /* of all sections, in the order of the file */
    size_t entry_count;
    struct slice source; /* what is being read */
    unsigned line; /* 0 in an override */
    struct slice text; /* the line, to find columns in */
    enum open_line open;
    bool cr_reported;
};

/* Long names are cut in messages. */
static struct slice shown(struct slice text)
{
    return slice_part(text, 0, 60);
}

static unsigned column_at(struct slice line, const char *byte)
{
    unsigned column = 1;

    for (const char *at = line.ptr; at < byte; at++)
        if (((unsigned char)*at & 0xc0) != 0x80) /* not a later byte of a character */
            column++;
    return column;
}

static struct conf_pos place(const struct reader *reader, const char *byte)
{
    if (reader->line == 0)
        return (struct conf_pos){ .file = reader->source };
    return (struct conf_pos){ reader->source, reader->line, column_at(reader->text, byte) };
}

/* Copies a part of the current line behind what is there, with its place and a NUL. Room for everything was made
 * before: a name and a value give up the `=` and the line end for their NULs. */
static struct slice keep(struct reader *reader, struct slice part)
{
    struct conf *conf = reader->conf;
    struct conf_pos pos = place(reader, part.ptr);
    char *copy = reader->bytes + conf->len;

    reader->runs[conf->run_count++] =
        (struct conf_run){ conf->len, reader->source, pos.line, pos.column };
    memcpy(copy, part.ptr, part.len);
    copy[part.len] = '\0';
    conf->len += part.len + 1;
    return (struct slice){ copy, part.len };
}

/* ---- lines ---- */

/* False, reported, when the line holds what no line may hold. */
static bool line_is_clean(struct reader *reader, struct slice *line)
{
    if (reader->line > 0 && slice_ends_with(*line, SLICE("\r"))) {
        line->len--;
        if (!reader->cr_reported)
            conf_error(reader->errors, place(reader, line->ptr + line->len),
                       "the file has DOS line ends (CR LF); only LF is allowed");
        reader->cr_reported = true;
    }
    if (line->len > CONF_LINE_MAX) {
        conf_error(reader->errors, place(reader, line->ptr),
                   "the line is longer than %u bytes; break it and begin the next with a blank",
                   CONF_LINE_MAX);
        return false;
    }
    for (size_t i = 0; i < line->len; i++) {
        unsigned char byte = (unsigned char)line->ptr[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            conf_error(reader->errors, place(reader, line->ptr + i),
                       "control byte 0x%02x is not allowed", byte);
            return false;
        }
    }
    return true;
}

static bool is_heading_word(struct slice text, bool is_kind)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool ok = is_kind ? (c >= 'a' && c <= 'z') : ascii_is_alnum(c) || c == '.';
        if (!ok && c != '_' && c != '-')
            return false;
    }
    return text.len > 0 && text.len <= CONF_HEADING_MAX;
}

static bool heading_parse(struct reader *reader, struct slice line, struct slice *kind,
                          struct slice *name)
{
    struct slice inner = slice_skip(line, 1), words;

    if (!slice_cut(&inner, ']', &words)) {
        conf_error(reader->errors, place(reader, line.ptr + line.len),
                   "the heading is not closed: ] is missing");
        return false;
    }
    inner = slice_trim(inner);
    if (inner.len > 0) {
        conf_error(reader->errors, place(reader, inner.ptr),
                   "nothing may follow the ] of a heading; a comment has a line of its own");
        return false;
    }
    words = slice_trim(words);
    *kind = words;
    *name = (struct slice){ NULL, 0 };
    for (size_t i = 0; i < words.len && name->ptr == NULL; i++)
        if (words.ptr[i] == ' ' || words.ptr[i] == '\t') {
            *kind = slice_part(words, 0, i);
            *name = slice_trim(slice_skip(words, i));
        }
    if (!is_heading_word(*kind, true)) {
        conf_error(reader->errors, place(reader, words.ptr),
                   "a heading is [kind] or [kind name]; the kind is a word of small letters");
        return false;
    }
    if (name->ptr != NULL && !is_heading_word(*name, false)) {
        conf_error(reader->errors, place(reader, name->ptr),
                   "the name in a heading is one word of at most %u letters, digits, . _ and -",
                   CONF_HEADING_MAX);
        return false;
    }
    return true;
}

static void read_heading(struct reader *reader, struct slice line)
{
    struct conf_section *section = &reader->sections[reader->conf->count++];
    struct slice kind, name;

    *section = (struct conf_section){ .entries = reader->entries + reader->entry_count };
    reader->open = OPEN_HEADING;
    if (!heading_parse(reader, line, &kind, &name)) {
        section->is_broken = true;
        return;
    }
    section->kind = keep(reader, kind);
    if (name.ptr != NULL)
        section->name = keep(reader, name);
}

/* The two sides of `name = value`. */
static bool entry_parse(struct reader *reader, struct slice line, struct slice *name,
                        struct slice *value)
{
    *value = line;
    if (!slice_cut(value, '=', name)) {
        conf_error(reader->errors, place(reader, line.ptr),
                   "this is neither `name = value` nor a [heading] nor a # comment");
        return false;
    }
    *name = slice_trim(*name);
    *value = slice_trim(*value);
    if (name->len == 0) {
        conf_error(reader->errors, place(reader, line.ptr), "there is no name before the =");
        return false;
    }
    if (name->len > CONF_NAME_MAX) {
        conf_error(reader->errors, place(reader, name->ptr), "the name is longer than %u bytes",
                   CONF_NAME_MAX);
        return false;
    }
    for (size_t i = 0; i < name->len; i++)
        if (ascii_is_space(name->ptr[i])) {
            conf_error(reader->errors, place(reader, name->ptr + i),
                       "a name has no blanks: an = is expected here");
            return false;
        }
    return true;
}

static void read_entry(struct reader *reader, struct slice line)
{
    struct conf_entry entry;

    reader->open = OPEN_MISTAKE;
    if (!entry_parse(reader, line, &entry.name, &entry.value))
        return;
    entry.name = keep(reader, entry.name);
    entry.value = keep(reader, entry.value);
    reader->entries[reader->entry_count++] = entry;
    reader->sections[reader->conf->count - 1].count++;
    reader->open = OPEN_VALUE;
}

static void read_continuation(struct reader *reader, struct slice line)
{
    struct slice more = slice_trim(line);
    struct conf_entry *entry;

    switch (reader->open) {
    case OPEN_NOTHING:
        conf_error(reader->errors, place(reader, line.ptr),
                   "a leading blank continues the line before, but there is none");
        reader->open = OPEN_MISTAKE;
        return;
    case OPEN_HEADING:
        conf_error(reader->errors, place(reader, line.ptr),
                   "a leading blank continues the line before, and a heading cannot be continued: "
                   "parameters begin in the first column");
        reader->open = OPEN_MISTAKE;
        return;
    case OPEN_MISTAKE:
        return;
    case OPEN_VALUE:
        break;
    }
    entry = &reader->entries[reader->entry_count - 1];
    if (more.len + 1 > CONF_VALUE_MAX - entry->value.len) {
        conf_error(reader->errors, place(reader, more.ptr), "the value is longer than %u bytes",
                   CONF_VALUE_MAX);
        reader->open = OPEN_MISTAKE;
        return;
    }
    reader->conf->len--; /* the NUL */
    if (entry->value.len > 0) {
        reader->bytes[reader->conf->len++] = ' ';
        entry->value.len++;
    }
    entry->value.len += keep(reader, more).len;
}

static void read_line(struct reader *reader, struct slice line)
{
    struct slice trimmed;

    reader->text = line;
    if (!line_is_clean(reader, &line)) {
        if (line.len > 0 && line.ptr[0] != ' ' && line.ptr[0] != '\t')
            reader->open = OPEN_MISTAKE;
        return;
    }
    trimmed = slice_trim(line);
    if (trimmed.len == 0 || trimmed.ptr[0] == '#')
        return;
    if (trimmed.ptr != line.ptr)
        read_continuation(reader, line);
    else if (line.ptr[0] == '[')
        read_heading(reader, trimmed);
    else
        read_entry(reader, trimmed);
}

static void read_lines(struct reader *reader, struct slice text)
{
    struct slice rest = text, line;

    reader->line = 1;
    if (slice_starts_with(rest, SLICE("\xef\xbb\xbf"))) {
        reader->text = rest;
        conf_error(reader->errors, place(reader, rest.ptr),
                   "the file begins with a byte order mark; remove it");
        rest = slice_skip(rest, 3);
    }
    while (slice_cut(&rest, '\n', &line)) {
        read_line(reader, line);
        reader->line++;
    }
    if (rest.len > 0)
        read_line(reader, rest);
}

/* ---- names ---- */

static int by_name(const void *left, const void *right)
{
    const struct conf_entry *a = *(const struct conf_entry *const *)left;
    const struct conf_entry *b = *(const struct conf_entry *const *)right;
    int order = slice_compare(a->name, b->name);

    return order != 0 ? order : (a > b) - (a < b);
}

static bool index_entries(struct conf_section *section, struct arena *arena)
{
    section->by_name = arena_alloc_array(arena, section->count, sizeof(section->by_name[0]));
    if (section->by_name == NULL)
        return false;
    for (size_t i = 0; i < section->count; i++)
        section->by_name[i] = &section->entries[i];
    qsort(section->by_name, section->count, sizeof(section->by_name[0]), by_name);
    return true;
}

static void report_repeated_names(const struct reader *reader, const struct conf_section *section)
{
    size_t first = 0;

    for (size_t i = 1; i < section->count; i++) {
        struct slice name = section->by_name[i]->name;
        if (!slice_equal(name, section->by_name[first]->name)) {
            first = i;
            continue;
        }
        struct conf_pos pos = conf_where(reader->conf, section->by_name[first]->name.ptr);
        conf_error(reader->errors, conf_where(reader->conf, name.ptr),
                   "%.*s is given twice; the first is in line %u", SLICE_ARG(shown(name)),
                   pos.line);
    }
}

static int by_heading(const void *left, const void *right)
{
    const struct conf_section *a = *(struct conf_section *const *)left;
    const struct conf_section *b = *(struct conf_section *const *)right;
    int order = slice_compare(a->kind, b->kind);

    if (order == 0)
        order = slice_compare(a->name, b->name);
    return order != 0 ? order : (a > b) - (a < b);
}

static void report_repeated_heading(const struct reader *reader, const struct conf_section *first,
                                    struct conf_section *again)
{
    struct slice name = again->name;

    again->is_repeated = true;
    conf_error(reader->errors, conf_where(reader->conf, again->kind.ptr),
               "[%.*s%s%.*s] is there twice; the first is in line %u", SLICE_ARG(again->kind),
               name.ptr == NULL ? "" : " ", (int)name.len, name.ptr == NULL ? "" : name.ptr,
               conf_where(reader->conf, first->kind.ptr).line);
}

static bool mark_repeated_headings(const struct reader *reader, struct arena *arena)
{
    size_t count = 0, first = 0;
    struct conf_section **sorted =
        arena_alloc_array(arena, reader->conf->count, sizeof(struct conf_section *));

    if (sorted == NULL)
        return false;
    for (size_t i = 1; i < reader->conf->count; i++)
        if (!reader->sections[i].is_broken)
            sorted[count++] = &reader->sections[i];
    qsort(sorted, count, sizeof(struct conf_section *), by_heading);
    for (size_t i = 1; i < count; i++) {
        if (slice_equal(sorted[first]->kind, sorted[i]->kind) &&
            slice_equal(sorted[first]->name, sorted[i]->name))
            report_repeated_heading(reader, sorted[first], sorted[i]);
        else
            first = i;
    }
    return true;
}

/* ---- overrides ---- */

/* Replaces the value of a name, or adds the name to the section. False: memory is out. */
static bool section_set(struct conf_section *section, struct conf_entry entry, struct arena *arena)
{
    struct conf_entry *entries =
        arena_alloc_array(arena, section->count + 1, sizeof(struct conf_entry));
    size_t at = 0;

    if (entries == NULL)
        return false;
    for (size_t i = 0; i < section->count; i++)
        entries[i] = section->entries[i];
    while (at < section->count && !slice_equal(entries[at].name, entry.name))
        at++;
    entries[at] = entry;
    section->entries = entries;
    if (at == section->count)
        section->count++;
    return index_entries(section, arena);
}

/* SIZE_MAX when there is none. */
static size_t section_index(const struct conf *conf, struct slice kind, struct slice name)
{
    for (size_t i = 1; i < conf->count; i++)
        if (!conf->sections[i].is_broken && slice_equal(conf->sections[i].kind, kind) &&
            slice_equal(conf->sections[i].name, name))
            return i;
    return SIZE_MAX;
}

/* Section 0, or what stands before the colon of `kind/name:parameter`; NULL, reported, when there is no such. */
static struct conf_section *override_section(const struct reader *reader, struct slice *name)
{
    struct slice heading, kind, section_name = { NULL, 0 };
    size_t at;

    if (!slice_cut(name, ':', &heading))
        return &reader->sections[0];
    kind = heading;
    if (slice_find(heading, '/') != SIZE_MAX) {
        section_name = heading;
        slice_cut(&section_name, '/', &kind);
    }
    at = section_index(reader->conf, kind, section_name);
    if (at != SIZE_MAX)
        return &reader->sections[at];
    conf_error(reader->errors, (struct conf_pos){ .file = reader->source },
               "there is no section [%.*s%s%.*s]", SLICE_ARG(shown(kind)),
               section_name.ptr == NULL ? "" : " ", (int)shown(section_name).len,
               section_name.ptr == NULL ? "" : section_name.ptr);
    return NULL;
}

/* False: memory is out. */
static bool read_override(struct reader *reader, struct slice text, struct arena *arena)
{
    struct conf_section *section;
    struct slice name, value;

    reader->source = arena_printf(arena, "-o %.*s", SLICE_ARG(shown(text)));
    if (reader->source.ptr == NULL)
        return false;
    reader->text = text;
    if (!line_is_clean(reader, &text))
        return true;
    if (slice_find(text, '=') == SIZE_MAX) {
        conf_error(reader->errors, place(reader, text.ptr),
                   "-o takes name=value or kind/name:parameter=value");
        return true;
    }
    if (!entry_parse(reader, text, &name, &value))
        return true;
    section = override_section(reader, &name);
    if (section == NULL)
        return true;
    name = keep(reader, name);
    value = keep(reader, value);
    return section_set(section, (struct conf_entry){ name, value }, arena);
}

/* ---- the document ---- */

static size_t count_lines(struct slice text)
{
    size_t lines = 1;

    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    return lines;
}

/* Lines that begin with a [, the first one perhaps behind a byte order mark. */
static size_t count_headings(struct slice text)
{
    size_t headings = 0;

    for (size_t i = 0; i < text.len; i++)
        headings += text.ptr[i] == '[' && (i == 0 || i == 3 || text.ptr[i - 1] == '\n');
    return headings;
}

static bool reader_start(struct reader *reader, struct slice text, const struct slice *overrides,
                         size_t override_count, struct arena *arena)
{
    size_t lines = count_lines(text), room = text.len + 1;

    for (size_t i = 0; i < override_count; i++)
        room += overrides[i].len + 1;
    reader->conf = arena_alloc(arena, sizeof(*reader->conf));
    reader->bytes = arena_alloc(arena, room);
    reader->runs = arena_alloc_array(arena, 2 * (lines + override_count), sizeof(reader->runs[0]));
    reader->entries = arena_alloc_array(arena, lines, sizeof(reader->entries[0]));
    reader->sections =
        arena_alloc_array(arena, count_headings(text) + 1, sizeof(reader->sections[0]));
    if (reader->conf == NULL || reader->bytes == NULL || reader->runs == NULL ||
        reader->entries == NULL || reader->sections == NULL)
        return false;
    reader->sections[0].entries = reader->entries;
    *reader->conf = (struct conf){
        .sections = reader->sections, .count = 1, .bytes = reader->bytes, .runs = reader->runs
    };
    return true;
}

static bool reader_finish(struct reader *reader, const struct slice *overrides,
                          size_t override_count, struct arena *arena)
{
    for (size_t i = 0; i < reader->conf->count; i++) {
        if (!index_entries(&reader->sections[i], arena))
            return false;
        report_repeated_names(reader, &reader->sections[i]);
    }
    if (!mark_repeated_headings(reader, arena))
        return false;
    reader->line = 0;
    for (size_t i = 0; i < override_count; i++)
        if (!read_override(reader, overrides[i], arena))
            return false;
    return true;
}

struct conf *conf_parse(struct slice file, struct slice text, const struct slice *overrides,
                        size_t override_count, struct arena *arena, struct conf_errors *errors)
{
    struct reader reader = { .errors = errors };
    struct conf_pos whole = { .file = file };

    if (text.len > CONF_FILE_MAX || count_lines(text) > CONF_LINES_MAX) {
        conf_error(errors, whole, "the file has more than %u MiB or %u lines", CONF_FILE_MAX >> 20,
                   CONF_LINES_MAX);
        return NULL;
    }
    reader.source = arena_copy(arena, file);
    if (reader.source.ptr == NULL ||
        !reader_start(&reader, text, overrides, override_count, arena)) {
        conf_error(errors, whole, "memory is out");
        return NULL;
    }
    reader.conf->file = reader.source;
    read_lines(&reader, text);
    if (!reader_finish(&reader, overrides, override_count, arena)) {
        conf_error(errors, whole, "memory is out");
        return NULL;
    }
    return reader.conf;
}

/* ---- questions ---- */

static int name_order(const void *key, const void *element)
{
    const struct slice *name = key;

    return slice_compare(*name, (*(const struct conf_entry *const *)element)->name);
}

const struct conf_entry *conf_find(const struct conf_section *section, struct slice name)
{
    const struct conf_entry **found =
        bsearch(&name, section->by_name, section->count, sizeof(section->by_name[0]), name_order);

    return found == NULL ? NULL : *found;
}

const struct conf_section *conf_section(const struct conf *conf, struct slice kind,
                                        struct slice name)
{
    size_t at = section_index(conf, kind, name);

    return at == SIZE_MAX ? NULL : &conf->sections[at];
}

struct conf_pos conf_where(const struct conf *conf, const char *byte)
{
    uintptr_t first = (uintptr_t)conf->bytes, at = (uintptr_t)byte;
    const struct conf_run *run;

    if (byte == NULL || at < first || at - first >= conf->len)
        return (struct conf_pos){ .file = conf->file };
    size_t low = 0, high = conf->run_count; /* the last run that begins at or before `byte` */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (conf->runs[middle].offset <= at - first)
            low = middle;
        else
            high = middle;
    }
    run = &conf->runs[low];
    if (run->line == 0)
        return (struct conf_pos){ .file = run->source };
    struct slice before = { conf->bytes + run->offset, 0 };
    return (struct conf_pos){ run->source, run->line, run->column + column_at(before, byte) - 1 };
}

struct conf_pos conf_section_where(const struct conf *conf, const struct conf_section *section)
{
    return conf_where(conf, section->kind.ptr);
}
