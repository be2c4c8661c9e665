/* contentd/scanners/spamd_answer.c - see spamd_answer.h.
 *
 *     SPAMD/1.1 0 EX_OK
 *     Content-length: 848
 *     Spam: False ; 4.2 / 5.0
 *
 *     ...
 *      pts rule name              description
 *     ---- ---------------------- --------------------------------------------------
 *      2.7 MISSING_DATE           Missing Date: header */
#include "contentd/scanners/spamd_answer.h"

#include "common/base/buf.h"

enum { SYMBOLS_MAX = 8000, ROW_INDENT_MAX = 4, NAME_MAX_LENGTH = 100 };

struct head { /* fields that must be there, once */
    bool has_length, has_spam;
    uint64_t length;
};

static enum spamd_result garbled(struct spamd_answer *out, struct slice how)
{
    out->error = how;
    return SPAMD_GARBLED;
}

/* Cuts at "\r\n", or "\n" alone. */
static bool cut_line(struct slice *rest, struct slice *line)
{
    if (!slice_cut(rest, '\n', line))
        return false;
    if (slice_ends_with(*line, SLICE("\r")))
        line->len--;
    return true;
}

static bool is_one_of(struct slice word, struct slice a, struct slice b)
{
    return slice_equal_nocase(word, a) || slice_equal_nocase(word, b);
}

/* "True ; 15.0 / 5.0" */
static bool parse_spam(struct slice value, struct spamd_answer *out)
{
    struct slice flag, score;

    if (!slice_cut(&value, ';', &flag) || !slice_cut(&value, '/', &score))
        return false;
    flag = slice_trim(flag);
    out->is_spam = is_one_of(flag, SLICE("True"), SLICE("Yes"));
    return (out->is_spam || is_one_of(flag, SLICE("False"), SLICE("No"))) &&
           slice_to_double(slice_trim(score), &out->score) &&
           slice_to_double(slice_trim(value), &out->required);
}

/* "SPAMD/1.1 0 EX_OK" */
static enum spamd_result parse_status(struct slice line, struct spamd_answer *out)
{
    struct slice rest = line, version, code;
    uint64_t number;
    double version_number;

    if (!slice_starts_with(line, SLICE("SPAMD/")) || !slice_cut(&rest, ' ', &version) ||
        !slice_to_double(slice_skip(version, 6), &version_number))
        return garbled(out, SLICE("the answer does not begin as spamd's do"));
    if (!slice_cut(&rest, ' ', &code))
        code = rest;
    if (!slice_to_u64(code, &number))
        return garbled(out, SLICE("the answer has no code"));
    out->error = slice_trim(slice_skip(line, version.len));
    return number == 0 ? SPAMD_DONE : SPAMD_ERROR;
}

static const char *parse_field(struct slice line, struct head *head, struct spamd_answer *out)
{
    struct slice value = line, name;

    if (!slice_cut(&value, ':', &name))
        return "a header field of the answer has no colon";
    if (slice_equal_nocase(name, SLICE("Content-length"))) {
        if (head->has_length || !slice_to_u64(slice_trim(value), &head->length))
            return "the answer's Content-length is no number, or there are two";
        head->has_length = true;
    } else if (slice_equal_nocase(name, SLICE("Spam"))) {
        if (head->has_spam || !parse_spam(value, out))
            return "the answer's Spam field is not what spamd says, or there are two";
        head->has_spam = true;
    }
    return NULL;
}

/* The fields up to the empty line. */
static enum spamd_result parse_fields(struct slice *rest, struct head *head,
                                      struct spamd_answer *out)
{
    struct slice line;

    while (cut_line(rest, &line)) {
        if (line.len == 0)
            return SPAMD_DONE;
        const char *error = parse_field(line, head, out);
        if (error != NULL)
            return garbled(out, slice_of(error));
    }
    return SPAMD_MORE;
}

static enum spamd_result check(struct slice body, const struct head *head, struct spamd_answer *out)
{
    if (!head->has_length || !head->has_spam)
        return garbled(out, SLICE("the answer has no Content-length or no Spam field"));
    if (out->is_spam ? out->score < out->required : out->score > out->required)
        return garbled(out, SLICE("score and flag of the answer contradict each other"));
    if (body.len > head->length || head->length > SPAMD_ANSWER_MAX)
        return garbled(out, SLICE("the answer is longer than it says, or too long"));
    out->body = body;
    return body.len == head->length ? SPAMD_DONE : SPAMD_MORE;
}

enum spamd_result spamd_answer_parse(struct slice in, struct spamd_answer *out)
{
    struct slice rest = in, line;
    struct head head = { .has_length = false };
    enum spamd_result result;

    *out = (struct spamd_answer){ .is_spam = false };
    if (!cut_line(&rest, &line)) {
        struct slice begin = slice_part(SLICE("SPAMD/"), 0, in.len);
        if (!slice_starts_with(in, begin) || in.len > SPAMD_HEAD_MAX)
            return garbled(out, SLICE("the answer does not begin as spamd's do"));
        return SPAMD_MORE;
    }
    result = parse_status(line, out);
    if (result != SPAMD_DONE)
        return result;
    result = parse_fields(&rest, &head, out);
    if (result == SPAMD_MORE && in.len > SPAMD_HEAD_MAX)
        return garbled(out, SLICE("the answer's header section is too long"));
    return result == SPAMD_DONE ? check(rest, &head, out) : result;
}

/* ---- the report ---- */

/* A line of dashes and blanks that begins with four dashes: the table's head ends with it. The message's own text, quoted
 * before, may look like it: the last one counts. */
static bool is_ruler(struct slice line)
{
    if (!slice_starts_with(line, SLICE("---- -")))
        return false;
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] != '-' && line.ptr[i] != ' ')
            return false;
    return true;
}

static struct slice find_table(struct slice report)
{
    struct slice rest = report, line, table = { NULL, 0 };

    while (cut_line(&rest, &line))
        if (is_ruler(line))
            table = rest;
    while (table.len > 0 && ascii_is_space(table.ptr[table.len - 1]))
        table.len--;
    return table;
}

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_alnum(name.ptr[i]) && name.ptr[i] != '_')
            return false;
    return name.len > 0 && name.len <= NAME_MAX_LENGTH;
}

/* " 2.7 MISSING_DATE           Missing Date: header"; a description goes on in lines that begin with many blanks. */
static bool parse_row(struct slice line, struct slice *points, struct slice *name)
{
    size_t indent = 0;
    double number;

    while (indent < line.len && line.ptr[indent] == ' ')
        indent++;
    line = slice_skip(line, indent);
    if (indent > ROW_INDENT_MAX || !slice_cut(&line, ' ', points) ||
        !slice_to_double(*points, &number))
        return false;
    if (!slice_cut(&line, ' ', name))
        *name = line;
    return is_name(*name);
}

struct slice spamd_report_symbols(struct slice report, struct arena *arena, struct slice *table)
{
    AUTO_BUF symbols = BUF_INIT(SYMBOLS_MAX);
    struct slice rest, line, points, name, none = { NULL, 0 };

    *table = rest = find_table(report);
    while (rest.len > 0) {
        if (!cut_line(&rest, &line)) {
            line = rest;
            rest.len = 0;
        }
        if (parse_row(line, &points, &name) &&
            buf_printf(&symbols, "%s%.*s(%.*s)", symbols.len > 0 ? ", " : "", SLICE_ARG(name),
                       SLICE_ARG(points)))
            break; /* very many: the first ones will do */
    }
    return symbols.len > 0 ? arena_copy(arena, buf_slice(&symbols)) : none;
}
