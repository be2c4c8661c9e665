/* gatectl/decisions.c - see decisions.h. */
#include "gatectl/decisions.h"

int decisions_read(struct gatectl *ctl, struct slice after, struct slice find, unsigned count,
                   json_t **lines)
{
    struct ask ask = { .method = CONTROL_GET, .segments = { "log" } };
    char number[16];
    size_t params = 0;
    json_t *answer = NULL;

    snprintf(number, sizeof(number), "%u", count);
    ask.params[params++] = (struct control_param){ "count", slice_of(number) };
    if (after.len > 0)
        ask.params[params++] = (struct control_param){ "after", after };
    if (find.len > 0)
        ask.params[params++] = (struct control_param){ "find", find };
    int code = gatectl_ask(ctl, &ask, &answer);
    if (code != EXIT_DONE)
        return code;
    *lines = json_incref(json_object_get(answer, "lines"));
    json_decref(answer);
    return EXIT_DONE;
}

/* Length of the value that `text` begins with. */
static size_t value_len(struct slice text)
{
    char end = text.len == 0 ? ' ' : text.ptr[0] == '"' ? '"' : text.ptr[0] == '<' ? '>' : ' ';
    size_t i = end == ' ' ? 0 : 1;

    for (; i < text.len && text.ptr[i] != end; i++)
        if (end == '"' && text.ptr[i] == '\\' && i + 1 < text.len)
            i++;
    return end == ' ' || i == text.len ? i : i + 1;
}

bool decision_next_field(struct slice *line, struct slice *name, struct slice *value)
{
    struct slice rest = slice_trim(*line);
    size_t end = 0;

    if (rest.len == 0)
        return false;
    while (end < rest.len && rest.ptr[end] != '=' && rest.ptr[end] != ' ')
        end++;
    *name = slice_part(rest, 0, end);
    *value = (struct slice){ NULL, 0 };
    if (end < rest.len && rest.ptr[end] == '=') {
        rest = slice_skip(rest, end + 1);
        end = value_len(rest);
        *value = slice_part(rest, 0, end);
    }
    *line = slice_skip(rest, end);
    return true;
}
