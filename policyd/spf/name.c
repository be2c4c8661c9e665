/* policyd/spf/name.c - see name.h. */
#include "policyd/spf/name.h"

struct slice spf_name_without_dot(struct slice name)
{
    if (name.len > 0 && name.ptr[name.len - 1] == '.')
        name.len--;
    return name;
}

bool spf_name_is_valid(struct slice name)
{
    size_t label = 0;

    if (name.len == 0 || name.len > SPF_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '.') {
            if (label == 0)
                return false;
            label = 0;
        } else if (!ascii_is_print(name.ptr[i]) || ++label > SPF_LABEL_MAX) {
            return false;
        }
    }
    return label > 0;
}

bool spf_name_is_checkable(struct slice name)
{
    return spf_name_is_valid(name) && name.ptr[0] != '[' && slice_find(name, '.') != SIZE_MAX;
}

bool spf_name_is_within(struct slice name, struct slice domain)
{
    if (domain.len == 0 || name.len < domain.len)
        return false;
    size_t before = name.len - domain.len;
    return slice_equal_nocase(slice_skip(name, before), domain) &&
           (before == 0 || name.ptr[before - 1] == '.');
}

struct slice spf_name_cut(struct slice name, bool is_end)
{
    if (!is_end && name.len <= SPF_NAME_MAX)
        return name;
    if (name.len > SPF_NAME_MAX + 1)
        name = slice_skip(name, name.len - SPF_NAME_MAX - 1);
    size_t dot = slice_find(name, '.');
    return slice_skip(name, dot == SIZE_MAX ? name.len : dot + 1);
}
