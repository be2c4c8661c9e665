/* contentd/rewrite.c - see rewrite.h.
 *
 * The fields are an array of pointers to what is to be written; edits work on it one after the other, as the MTA's own do:
 * an index counts the fields as the edits before have left them. One that is taken out keeps its place, so that taking out all
 * of tens of thousands of fields, the last one first, is no work. */
#include "contentd/rewrite.h"

#include "common/base/buf.h"

/* A field as it will be written: one of the message's, or one that we make. */
struct field {
    struct slice name, value;
    struct slice label; /* the name as it is written */
    bool is_ours; /* a blank goes before the value; folds are "\n" */
    bool is_gone;
};

struct fields {
    struct field *at;
    size_t count, room;
    /* What was found last: the n-th field of this name, at this place; n 0: nothing. */
    struct slice name;
    size_t n, place;
};

static bool has_name(const struct field *field, struct slice name)
{
    return !field->is_gone && slice_equal_nocase(field->name, name);
}

/* The place of the n-th field of this name, from 1; SIZE_MAX: there is none. */
static size_t search(const struct fields *fields, struct slice name, size_t n)
{
    size_t at = 0;

    if (n > 0 && fields->n == n + 1 && slice_equal_nocase(fields->name, name)) {
        /* The one before that found last: the places between are those of other fields. */
        for (at = fields->place; at-- > 0;)
            if (has_name(&fields->at[at], name))
                return at;
        return SIZE_MAX;
    }
    for (; at < fields->count; at++)
        if (has_name(&fields->at[at], name) && n-- == 1)
            return at;
    return SIZE_MAX;
}

static size_t find(struct fields *fields, struct slice name, size_t n)
{
    size_t at = search(fields, name, n);

    fields->name = name;
    fields->n = at == SIZE_MAX ? 0 : n;
    fields->place = at;
    return at;
}

/* The place behind so many fields. */
static size_t place_behind(const struct fields *fields, size_t count)
{
    size_t at = 0;

    for (; at < fields->count && count > 0; at++)
        count -= !fields->at[at].is_gone;
    return at;
}

static struct field field_of_edit(const struct edit *edit)
{
    return (struct field){
        .name = edit->name, .value = edit->text, .label = edit->name, .is_ours = true
    };
}

/* There is room for every edit to add one. */
static void insert(struct fields *fields, size_t at, const struct edit *edit)
{
    fields->n = 0;
    memmove(&fields->at[at + 1], &fields->at[at], (fields->count - at) * sizeof *fields->at);
    fields->at[at] = field_of_edit(edit);
    fields->count++;
}

static void change(struct fields *fields, const struct edit *edit)
{
    size_t at = find(fields, edit->name, edit->index == 0 ? 1 : edit->index);

    if (at != SIZE_MAX && edit->text.ptr == NULL)
        fields->at[at].is_gone = true;
    else if (at != SIZE_MAX)
        fields->at[at] = field_of_edit(edit);
    else if (edit->text.ptr != NULL)
        insert(fields, fields->count, edit);
}

static void carry_out(struct fields *fields, const struct edit *edit)
{
    switch (edit->kind) {
    case EDIT_ADD_HEADER:
        insert(fields, fields->count, edit);
        break;
    case EDIT_INSERT_HEADER:
        insert(fields, place_behind(fields, edit->index), edit);
        break;
    case EDIT_CHANGE_HEADER:
        change(fields, edit);
        break;
    case EDIT_ADD_RECIPIENT:
    case EDIT_REMOVE_RECIPIENT:
    case EDIT_CHANGE_SENDER:
    case EDIT_REPLACE_BODY:
    case EDIT_HOLD:
        break;
    }
}

/* Line ends as they go over the wire, as message.c has them; in a field that we make, what is no fold does not end a line. */
static int put_value(struct buf *out, const struct field *field)
{
    struct slice value = field->value;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        bool is_fold = i + 1 < value.len && (value.ptr[i + 1] == ' ' || value.ptr[i + 1] == '\t');
        if (field->is_ours && (c == '\r' || (c == '\n' && !is_fold)))
            continue;
        if (c == '\n' && (i == 0 || value.ptr[i - 1] != '\r' || field->is_ours) &&
            buf_put_char(out, '\r'))
            return -1;
        if (buf_put_char(out, c))
            return -1;
    }
    return 0;
}

static int put_field(struct buf *out, const struct field *field, bool has_leading_space)
{
    return buf_add(out, field->label) || buf_put_char(out, ':') ||
                   ((field->is_ours || !has_leading_space) && buf_put_char(out, ' ')) ||
                   put_value(out, field) || buf_put(out, "\r\n")
               ? -1
               : 0;
}

static bool fields_init(struct fields *fields, struct arena *arena, const struct message *message,
                        const struct edits *edits)
{
    fields->room = message->header_count + edits->count + 1;
    fields->at = arena_alloc_array(arena, fields->room, sizeof *fields->at);
    if (fields->at == NULL)
        return false;
    for (size_t i = 0; i < message->header_count; i++)
        fields->at[fields->count++] =
            (struct field){ .name = message->headers[i].name,
                            .value = message->headers[i].value,
                            .label = message_header_label(&message->headers[i]) };
    return true;
}

struct slice rewrite_head(struct arena *arena, const struct message *message,
                          const struct edits *edits)
{
    AUTO_BUF out = BUF_INIT(MESSAGE_HEADER_BYTES_MAX);
    struct fields fields = { .at = NULL };

    if (!fields_init(&fields, arena, message, edits))
        return (struct slice){ NULL, 0 };
    for (const struct edit *edit = edits->first; edit != NULL; edit = edit->next)
        carry_out(&fields, edit);
    for (size_t i = 0; i < fields.count; i++)
        if (!fields.at[i].is_gone && put_field(&out, &fields.at[i], message->has_leading_space))
            return (struct slice){ NULL, 0 };
    if (buf_put(&out, "\r\n"))
        return (struct slice){ NULL, 0 };
    return arena_copy(arena, buf_slice(&out));
}

bool rewrite(struct arena *arena, const struct message *message, const struct edits *edits,
             struct source *out)
{
    struct slice body = { NULL, 0 }, head = rewrite_head(arena, message, edits);

    for (const struct edit *edit = edits->first; edit != NULL; edit = edit->next)
        if (edit->kind == EDIT_REPLACE_BODY)
            body = edit->text;
    if (head.ptr == NULL)
        return false;
    *out = source_of_copy(head, message, body);
    return true;
}
