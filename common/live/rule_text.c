/* common/live/rule_text.c - see rule_text.h. */
#include "common/live/rule_text.h"

#include <stddef.h>

#include "common/base/clock.h"

/* What may stand in a rule's text, in the order it is printed. */
static const struct word {
    const char *name;
    size_t member; /* offset of a struct slice in struct live_rule; SIZE_MAX: until_s */
} words[] = {
    { "order", offsetof(struct live_rule, source.order) },
    { "stage", offsetof(struct live_rule, source.stage) },
    { "mode", offsetof(struct live_rule, source.mode) },
    { "trouble", offsetof(struct live_rule, source.trouble) },
    { "until", SIZE_MAX },
    { "by", offsetof(struct live_rule, by) },
    { "note", offsetof(struct live_rule, note) },
    { "when", offsetof(struct live_rule, source.when) },
    { "then", offsetof(struct live_rule, source.then) },
};

static struct slice *word_slot(struct live_rule *rule, const struct word *word)
{
    return (struct slice *)(void *)((char *)rule + word->member);
}

static struct slice word_value(const struct live_rule *rule, const struct word *word)
{
    return *(const struct slice *)(const void *)((const char *)rule + word->member);
}

bool live_name_is_valid(struct slice name)
{
    if (name.len == 0 || name.len > LIVE_RULE_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_alnum(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '_' &&
            name.ptr[i] != '.')
            return false;
    return true;
}

/* The quoted value at the front of *rest (after its opening quote): the length up to the closing one. */
static bool quoted_len(struct slice rest, size_t *len, bool *has_escapes)
{
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] == '"') {
            *len = i;
            return true;
        }
        if (rest.ptr[i] == '\\' && i + 1 < rest.len &&
            (rest.ptr[i + 1] == '"' || rest.ptr[i + 1] == '\\')) {
            *has_escapes = true;
            i++;
        }
    }
    return false;
}

static struct slice unescape(struct slice raw, struct arena *arena)
{
    char *out = arena_alloc(arena, raw.len + 1);
    size_t len = 0;

    if (out == NULL)
        return (struct slice){ NULL, 0 };
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == '\\' && i + 1 < raw.len &&
            (raw.ptr[i + 1] == '"' || raw.ptr[i + 1] == '\\'))
            i++;
        out[len++] = raw.ptr[i];
    }
    return (struct slice){ out, len };
}

/* Takes the value at the front of *rest. NULL, or what is wrong with it. */
static const char *take_value(struct slice *rest, struct arena *arena, struct slice *value)
{
    bool has_escapes = false;
    size_t len;

    if (rest->len == 0 || rest->ptr[0] != '"') {
        len = slice_find(*rest, ' ');
        *value = slice_part(*rest, 0, len);
        *rest = slice_skip(*rest, value->len);
        return slice_find(*value, '"') == SIZE_MAX ? NULL
                                                   : "a quote inside a value: put it all in quotes";
    }
    *rest = slice_skip(*rest, 1);
    if (!quoted_len(*rest, &len, &has_escapes))
        return "the closing quote is missing";
    *value = slice_part(*rest, 0, len);
    *rest = slice_skip(*rest, len + 1);
    if (has_escapes)
        *value = unescape(*value, arena);
    if (value->ptr == NULL)
        return "out of memory";
    return rest->len == 0 || rest->ptr[0] == ' ' ? NULL : "a blank must follow the closing quote";
}

static const char *set_word(struct live_rule *rule, struct slice name, struct slice value)
{
    for (size_t i = 0; i < COUNT(words); i++) {
        if (!slice_equal(name, slice_of(words[i].name)))
            continue;
        if (words[i].member == SIZE_MAX) {
            if (rule->until_s != 0)
                return "until= is given twice";
            return slice_to_u64(value, &rule->until_s) && rule->until_s > 0
                       ? NULL
                       : "until= takes Unix seconds";
        }
        struct slice *slot = word_slot(rule, &words[i]);
        if (slot->ptr != NULL)
            return "this name is given twice";
        *slot = value;
        return NULL;
    }
    return "not one of order, stage, mode, trouble, until, by, note, when, then";
}

static const char *missing_word(const struct live_rule *rule)
{
    if (rule->source.order.len == 0)
        return "order= is missing: a live rule has no place in a file";
    return rule->source.then.len == 0 ? "then= is missing" : NULL;
}

static size_t find_control_byte(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return i;
    return SIZE_MAX;
}

static const char *parse_words(struct slice text, struct arena *arena, struct live_rule *rule,
                               size_t *offset)
{
    struct slice rest = text;

    for (;;) {
        while (rest.len > 0 && rest.ptr[0] == ' ')
            rest = slice_skip(rest, 1);
        *offset = text.len - rest.len;
        if (rest.len == 0)
            return missing_word(rule);
        size_t equals = slice_find(rest, '=');
        size_t blank = slice_find(rest, ' ');
        if (equals == SIZE_MAX || blank < equals)
            return "NAME=VALUE is expected here";
        struct slice name = slice_part(rest, 0, equals), value;
        rest = slice_skip(rest, equals + 1);
        const char *wrong = take_value(&rest, arena, &value);
        if (wrong == NULL)
            wrong = set_word(rule, name, value);
        if (wrong != NULL)
            return wrong;
    }
}

bool live_rule_parse(struct slice name, struct slice text, struct arena *arena,
                     struct live_rule *out, struct live_rule_error *error)
{
    struct live_rule rule = { .source = { .name = name, .is_live = true } };
    size_t offset = find_control_byte(text);
    const char *wrong = offset == SIZE_MAX ? NULL : "control bytes are not allowed";

    if (text.len > LIVE_RULE_TEXT_MAX) {
        offset = LIVE_RULE_TEXT_MAX;
        wrong = "a rule's text has at most 8192 bytes";
    }
    if (wrong == NULL)
        wrong = parse_words(text, arena, &rule, &offset);
    if (wrong != NULL) {
        *error = (struct live_rule_error){ offset, wrong };
        return false;
    }
    *out = rule;
    return true;
}

bool live_rule_is_expired(const struct live_rule *rule, uint64_t wall_ms)
{
    return rule->until_s != 0 && rule->until_s <= wall_ms / SECOND;
}

static int print_value(struct buf *out, struct slice value)
{
    bool is_plain = value.len > 0;

    for (size_t i = 0; i < value.len; i++)
        is_plain = is_plain && value.ptr[i] != ' ' && value.ptr[i] != '"' && value.ptr[i] != '\\';
    if (is_plain)
        return buf_add(out, value);
    if (buf_put_char(out, '"'))
        return -1;
    for (size_t i = 0; i < value.len; i++) {
        if ((value.ptr[i] == '"' || value.ptr[i] == '\\') && buf_put_char(out, '\\'))
            return -1;
        if (buf_put_char(out, value.ptr[i]))
            return -1;
    }
    return buf_put_char(out, '"');
}

int live_rule_print(struct buf *out, const struct live_rule *rule)
{
    const char *gap = "";

    for (size_t i = 0; i < COUNT(words); i++) {
        if (words[i].member == SIZE_MAX) {
            if (rule->until_s == 0)
                continue;
            if (buf_printf(out, "%suntil=%llu", gap, (unsigned long long)rule->until_s))
                return -1;
        } else {
            struct slice value = word_value(rule, &words[i]);
            if (value.ptr == NULL)
                continue;
            if (buf_printf(out, "%s%s=", gap, words[i].name) || print_value(out, value))
                return -1;
        }
        gap = " ";
    }
    return 0;
}
