/* common/milter/macros.c - see macros.h. */
#include "common/milter/macros.h"

/* Commands that macros are told before, in the order of a session: places in `texts`. */
static const char order[] = {
    MILTER_CONNECT, MILTER_HELO,        MILTER_MAIL, MILTER_RCPT,
    MILTER_DATA,    MILTER_END_HEADERS, MILTER_END,
};

/* SIZE_MAX: none. */
static size_t place_of(char command)
{
    for (size_t i = 0; i < COUNT(order); i++)
        if (order[i] == command)
            return i;
    return SIZE_MAX;
}

void macros_init(struct macros *macros)
{
    for (size_t i = 0; i < COUNT(macros->texts); i++)
        macros->texts[i] = (struct buf)BUF_INIT(MACROS_MAX);
    memset(macros->is_new, 0, sizeof macros->is_new);
}

void macros_free(struct macros *macros)
{
    for (size_t i = 0; i < COUNT(macros->texts); i++)
        buf_free(&macros->texts[i]);
}

/* The part that consists of whole pairs. */
static struct slice whole_pairs(struct slice data)
{
    struct slice rest = data, name, value;
    size_t len = 0;

    while (slice_cut(&rest, '\0', &name) && slice_cut(&rest, '\0', &value))
        len = data.len - rest.len;
    return slice_part(data, 0, len);
}

int macros_take(struct macros *macros, struct slice data)
{
    size_t place = data.len == 0 ? SIZE_MAX : place_of(data.ptr[0]);

    if (place == SIZE_MAX)
        return 0;
    buf_free(&macros->texts[place]);
    macros->is_new[place] = true;
    return buf_add(&macros->texts[place], whole_pairs(slice_skip(data, 1)));
}

void macros_begin(struct macros *macros, char command)
{
    size_t place = place_of(command);

    if (place == SIZE_MAX)
        return;
    for (size_t i = place; i < COUNT(macros->texts); i++) {
        if (i > place || !macros->is_new[i])
            buf_free(&macros->texts[i]);
        macros->is_new[i] = false;
    }
}

static struct slice without_braces(struct slice name)
{
    if (name.len >= 2 && name.ptr[0] == '{' && name.ptr[name.len - 1] == '}')
        return slice_part(name, 1, name.len - 2);
    return name;
}

static struct slice find_in(const struct buf *texts, struct slice wanted)
{
    struct slice rest = buf_slice(texts), name, value;

    while (slice_cut(&rest, '\0', &name) && slice_cut(&rest, '\0', &value))
        if (slice_equal(without_braces(name), wanted))
            return value;
    return (struct slice){ NULL, 0 };
}

struct slice macros_find(const struct macros *macros, struct slice name)
{
    struct slice wanted = without_braces(name), found = { NULL, 0 };

    for (size_t i = COUNT(macros->texts); i-- > 0 && found.ptr == NULL;)
        found = find_in(&macros->texts[i], wanted);
    return found;
}
