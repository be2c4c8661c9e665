/* common/milter/message_text.c - see message_text.h. */
#include "common/milter/message_text.h"

/* The next field with its folds; false at the blank line and at the end. */
static bool next_field(struct slice *rest, struct slice *field)
{
    struct slice from = *rest, line;

    if (rest->len == 0 || !slice_cut(rest, '\n', &line))
        return false;
    if (slice_trim(line).len == 0)
        return false;
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t'))
        if (!slice_cut(rest, '\n', &line))
            return false;
    *field = slice_part(from, 0, from.len - rest->len);
    while (field->len > 0 && strchr("\r\n", field->ptr[field->len - 1]) != NULL)
        field->len--;
    return true;
}

enum message_fill message_add_text(struct message *message, struct slice *text)
{
    struct slice field;
    enum message_fill result = MESSAGE_OK;

    message->has_leading_space = true;
    while (result == MESSAGE_OK && next_field(text, &field)) {
        size_t colon = slice_find(field, ':');
        struct slice name = slice_part(field, 0, colon);
        struct slice value = colon == SIZE_MAX ? SLICE("") : slice_skip(field, colon + 1);
        result = message_add_header(message, name, value);
    }
    return result;
}
