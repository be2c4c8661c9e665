/* common/dkim/tags.c - see tags.h. */
#include "common/dkim/tags.h"

/* ALPHA *(ALPHA / DIGIT / "_") */
static bool is_tag_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_alpha(name.ptr[i]) &&
            (i == 0 || (!ascii_is_digit(name.ptr[i]) && name.ptr[i] != '_')))
            return false;
    return name.len > 0;
}

/* VALCHAR (all that prints but `;`), white space and folds. Bytes over 0x7f are let through: RFC 8616 has UTF-8 in some
 * values. */
static bool is_tag_value(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!ascii_is_print(value.ptr[i]) && !ascii_is_space(value.ptr[i]) &&
            (unsigned char)value.ptr[i] < 0x80)
            return false;
    return true;
}

static const char *add(struct dkim_tags *tags, struct slice item)
{
    struct slice rest = item, name;

    if (!slice_cut(&rest, '=', &name))
        return "a tag without `=`";
    name = slice_trim(name);
    rest = slice_trim(rest);
    if (!is_tag_name(name))
        return "a tag without a proper name";
    if (!is_tag_value(rest))
        return "a tag whose value has control characters";
    for (size_t i = 0; i < tags->count; i++)
        if (slice_equal(tags->items[i].name, name))
            return "a tag that is there twice";
    if (tags->count == DKIM_TAGS_MAX)
        return "too many tags";
    tags->items[tags->count++] = (struct dkim_tag){ name, rest };
    return NULL;
}

bool dkim_tags_parse(struct slice text, struct dkim_tags *out, const char **error)
{
    struct slice rest = slice_trim(text), item;

    out->count = 0;
    while (rest.len > 0) {
        bool is_last = !slice_cut(&rest, ';', &item);
        if (is_last)
            item = rest;
        *error = add(out, item);
        if (*error != NULL)
            return false;
        if (is_last)
            break;
        rest = slice_trim(rest); /* one `;` may stand at the end */
    }
    *error = out->count == 0 ? "no tags at all" : NULL;
    return out->count > 0;
}

struct slice dkim_tag_value(const struct dkim_tags *tags, const char *name)
{
    for (size_t i = 0; i < tags->count; i++)
        if (slice_equal(tags->items[i].name, slice_of(name)))
            return tags->items[i].value;
    return (struct slice){ NULL, 0 };
}

bool dkim_list_has(struct slice list, struct slice word)
{
    struct slice item;

    while (slice_next(&list, ':', &item))
        if (slice_equal_nocase(slice_trim(item), word))
            return true;
    return false;
}
