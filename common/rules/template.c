/* common/rules/template.c - texts with `{fact}` in them: read when the rule is compiled, filled in when it acts. `{{` is a
 * brace. Constants must be printable ASCII already; see builder.h and eval.h. */
#include "common/rules/builder.h"
#include "common/rules/eval.h"
#include "common/rules/trace.h"

static bool check_printable(struct builder *builder, struct slice text, size_t offset)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_print(text.ptr[i])) {
            report_error(&builder->report, offset + i,
                         "byte 0x%02x: texts are printable ASCII, on one line",
                         (unsigned char)text.ptr[i]);
            return false;
        }
    if (text.len <= ACTION_TEXT_MAX)
        return true;
    report_error(&builder->report, offset + ACTION_TEXT_MAX, "the text is longer than %d bytes",
                 (int)ACTION_TEXT_MAX);
    return false;
}

/* Cuts the next piece off text[*at...]: a fact's slot, or bytes as they are. */
static bool piece_read(struct builder *builder, struct slice text, size_t offset, size_t *at,
                       struct template_piece *piece)
{
    struct slice rest = slice_skip(text, *at);
    size_t brace = slice_find(rest, '{');

    *piece = (struct template_piece){ .slot = SLOT_NONE };
    if (brace != 0 || slice_starts_with(rest, SLICE("{{"))) {
        piece->text = slice_part(rest, 0, brace == 0 ? 1 : brace);
        *at += brace == 0 ? 2 : piece->text.len;
        return true;
    }
    size_t end = slice_find(rest, '}');
    if (end == SIZE_MAX) {
        report_error(&builder->report, offset + *at,
                     "the brace is never closed; {fact} stands for a fact, {{ for a brace");
        return false;
    }
    piece->slot = fact_slot(builder, slice_part(rest, 1, end - 1), offset + *at + 1);
    *at += end + 1;
    return piece->slot != SLOT_NONE;
}

/* Without any fact (only {{ was there) the text is a constant after all. */
static bool join_constants(struct builder *builder, struct template *text)
{
    char *joined = arena_alloc(builder->set->arena, text->constant.len);
    size_t len = 0;

    for (size_t i = 0; i < text->count; i++)
        if (text->pieces[i].slot != SLOT_NONE)
            return true;
    if (joined == NULL) {
        report_no_memory(&builder->report);
        return false;
    }
    for (size_t i = 0; i < text->count; i++) {
        memcpy(joined + len, text->pieces[i].text.ptr, text->pieces[i].text.len);
        len += text->pieces[i].text.len;
    }
    *text = (struct template){ .constant = { joined, len } };
    return true;
}

bool template_compile(struct builder *builder, struct slice text, size_t offset,
                      struct template *out)
{
    struct arena *arena = builder->set->arena;
    struct template_piece *pieces;
    bool ok = check_printable(builder, text, offset);

    *out = (struct template){ .constant = arena_copy(arena, text) };
    if (out->constant.ptr == NULL) {
        report_no_memory(&builder->report);
        return false;
    }
    text = out->constant; /* pieces borrow from the copy */
    if (slice_find(text, '{') == SIZE_MAX)
        return ok;
    pieces = arena_alloc_array(arena, text.len, sizeof *pieces);
    if (pieces == NULL) {
        report_no_memory(&builder->report);
        return false;
    }
    for (size_t at = 0; at < text.len;) {
        if (!piece_read(builder, text, offset, &at, &pieces[out->count]))
            return false;
        out->count++;
    }
    out->pieces = pieces;
    return ok && join_constants(builder, out);
}

/* A text under construction, cut at its bound. */
struct line {
    char bytes[ACTION_TEXT_MAX];
    size_t len;
};

static void line_add(struct line *line, struct slice text)
{
    for (size_t i = 0; i < text.len && line->len < sizeof line->bytes; i++)
        line->bytes[line->len++] = ascii_is_print(text.ptr[i]) ? text.ptr[i] : '?';
}

struct slice value_spelling(const struct value *value, char room[VALUE_TEXT_MAX])
{
    int len = 0;

    if (value_is_empty(value) || value->text.len > 0)
        return value_is_empty(value) ? SLICE("") : value->text;
    if (value->type == VALUE_BOOLEAN)
        return value->boolean ? SLICE("yes") : SLICE("no");
    if (value->type == VALUE_ADDRESS)
        return (struct slice){ room, ipnet_print(&value->net, room) };
    if (value->type == VALUE_NUMBER)
        len = snprintf(room, VALUE_TEXT_MAX, "%.15g", value->number);
    return (struct slice){ room, (size_t)len };
}

/* All values of the fact. */
static void line_add_value(struct line *line, const struct value *value)
{
    char room[VALUE_TEXT_MAX];

    line_add(line, value_spelling(value, room));
    while ((value = value->next) != NULL && line->len < sizeof line->bytes) {
        line_add(line, SLICE(", "));
        line_add(line, value_spelling(value, room));
    }
}

enum template_result template_expand(const struct template *template, struct rules_run *run,
                                     struct slice *out)
{
    enum template_result result = TEMPLATE_OK;
    struct line line = { .len = 0 };

    for (size_t i = 0; i < template->count; i++) {
        const struct template_piece *piece = &template->pieces[i];
        struct value value;
        if (piece->slot == SLOT_NONE) {
            line_add(&line, piece->text);
            continue;
        }
        enum fact_state state = run_fact(run, piece->slot, true, &value);
        if (state == FACT_MISSING)
            result = TEMPLATE_MISSING; /* go on: all are needed */
        else if (state == FACT_UNKNOWN && result == TEMPLATE_OK)
            result = TEMPLATE_UNKNOWN;
        if (state == FACT_KNOWN)
            line_add_value(&line, &value);
        else
            line_add(&line, SLICE("unknown"));
    }
    if (result == TEMPLATE_MISSING)
        return result;
    *out = arena_copy(run->arena, (struct slice){ line.bytes, line.len });
    return out->ptr == NULL ? TEMPLATE_NO_MEMORY : result;
}
