/* contentd/scanners/wanted.c - see wanted.h. */
#include "contentd/scanners/wanted.h"

static const char no_memory[] = "wants more changes than there is room for";

/* One change more, up to what a scanner may have. */
static const char *want(struct edits *edits, struct arena *arena, const struct edit *edit)
{
    if (edits->count >= WANTED_EDITS_MAX)
        return "wants more changes than a scanner may have";
    return edits_add(edits, arena, edit) ? NULL : no_memory;
}

/* RFC 5322 3.6.8: printable ASCII without the colon. */
static bool is_field_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] <= 0x20 || name.ptr[i] > 0x7e || name.ptr[i] == ':')
            return false;
    }
    return name.len > 0 && name.len <= WANTED_NAME_MAX;
}

/* Line ends as "\n", only before a blank. In `arena`. NULL, or what is wrong. */
static const char *tidy_value(struct arena *arena, struct slice value, struct slice *out)
{
    while (value.len > 0 && (value.ptr[value.len - 1] == '\n' || value.ptr[value.len - 1] == '\r'))
        value.len--;
    if (value.len > 0 && (value.ptr[0] == ' ' || value.ptr[0] == '\t'))
        value = slice_skip(value, 1);
    if (value.len > WANTED_VALUE_MAX)
        return "wants a header field that is too long";
    char *text = arena_alloc(arena, value.len + 1);
    if (text == NULL)
        return no_memory;
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i], next = i + 1 < value.len ? value.ptr[i + 1] : '\0';
        if (c == '\r' && next == '\n')
            continue;
        if (c == '\0' || c == '\r' || (c == '\n' && next != ' ' && next != '\t'))
            return "wants a header field with a NUL or a line end that is no fold";
        text[len++] = c;
    }
    *out = (struct slice){ text, len };
    return NULL;
}

const char *wanted_header(struct edits *edits, struct arena *arena, enum edit_kind kind,
                          struct slice name, struct slice value, size_t index)
{
    struct edit edit = { .kind = kind, .name = name, .index = index };

    if (!is_field_name(name))
        return "wants a header field whose name is none";
    if (value.ptr != NULL) {
        const char *error = tidy_value(arena, value, &edit.text);
        if (error != NULL)
            return error;
    }
    return want(edits, arena, &edit);
}

const char *wanted_address(struct edits *edits, struct arena *arena, enum edit_kind kind,
                           struct slice address)
{
    if (address.len >= 2 && address.ptr[0] == '<' && address.ptr[address.len - 1] == '>')
        address = slice_part(address, 1, address.len - 2);
    bool may_be_empty = kind == EDIT_CHANGE_SENDER;
    if ((address.len == 0 && !may_be_empty) || address.len > WANTED_ADDRESS_MAX)
        return "wants an address that is empty or too long";
    for (size_t i = 0; i < address.len; i++) {
        unsigned char c = (unsigned char)address.ptr[i];
        if (c < 0x20 || c == 0x7f || c == '<' || c == '>')
            return "wants an address with bytes that none has";
    }
    struct edit edit = { .kind = kind, .text = address };
    return want(edits, arena, &edit);
}

struct slice wanted_line(struct arena *arena, struct slice text, size_t max)
{
    text = slice_trim(text);
    if (text.len > max) {
        text.len = max;
        while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80)
            text.len--; /* it stands in the middle of a character */
    }
    if (text.ptr == NULL)
        return text;
    char *line = arena_alloc(arena, text.len + 1);
    if (line == NULL)
        return (struct slice){ NULL, 0 };
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        line[i] = c < 0x20 || c == 0x7f ? ' ' : text.ptr[i];
    }
    return slice_trim((struct slice){ line, text.len });
}

struct reply wanted_reply(struct arena *arena, struct slice text, unsigned code,
                          const char *enhanced)
{
    struct slice line = wanted_line(arena, text, REPLY_MAX);
    struct reply reply;
    const char *error;

    if (!reply_parse(line, code < 500 ? "4" : "5", &reply, &error))
        reply = (struct reply){ .text = line };
    if (reply.code == 0)
        reply.code = code;
    if (reply.enhanced.ptr == NULL)
        reply.enhanced = slice_of(enhanced);
    return reply;
}
