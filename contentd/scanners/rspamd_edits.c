/* contentd/scanners/rspamd_edits.c - see rspamd_edits.h. Counts and signs mean what rspamd's own milter makes of them. */
#include "contentd/scanners/rspamd_edits.h"

#include "contentd/scanners/wanted.h"

struct making {
    const struct message *message;
    struct arena *arena;
    struct edits *edits;
};

struct slice rspamd_text(const json_t *text)
{
    if (!json_is_string(text))
        return (struct slice){ NULL, 0 };
    return (struct slice){ json_string_value(text), json_string_length(text) };
}

/* A whole number, however it is written: Lua knows no difference. */
static bool to_integer(const json_t *number, int64_t *out)
{
    double value = json_number_value(number);

    if (!json_is_number(number) || !(value >= -1000000 && value <= 1000000) ||
        value != (double)(int64_t)value)
        return false;
    *out = (int64_t)value;
    return true;
}

static size_t fields_named(const struct message *message, struct slice name)
{
    size_t count = 0;

    while (message_header_find(message, name, count + 1) != NULL)
        count++;
    return count;
}

static const char *remove_field(const struct making *making, struct slice name, size_t n)
{
    struct slice absent = { NULL, 0 };

    return wanted_header(making->edits, making->arena, EDIT_CHANGE_HEADER, name, absent, n);
}

/* n > 0: the n-th field of this name; 0: all; -1: the last one. What is not there need not be removed. */
static const char *remove_fields(const struct making *making, struct slice name, int64_t n)
{
    size_t count = fields_named(making->message, name);
    const char *error = NULL;

    if (n < 0)
        n = n + (int64_t)count + 1 > 0 ? n + (int64_t)count + 1 : INT64_MAX;
    if (n > 0)
        return (uint64_t)n <= count ? remove_field(making, name, (size_t)n) : NULL;
    for (size_t i = count; i > 0 && error == NULL; i--) /* from the end, so that numbers stay */
        error = remove_field(making, name, i);
    return error;
}

static const char *add_field(const struct making *making, struct slice name, struct slice value)
{
    return wanted_header(making->edits, making->arena, EDIT_ADD_HEADER, name, value, 0);
}

static const char *insert_field(const struct making *making, struct slice name, struct slice value,
                                size_t index)
{
    return wanted_header(making->edits, making->arena, EDIT_INSERT_HEADER, name, value, index);
}

/* A string, or { "value": .., "order": n }: n >= 0 fields before it, n < 0 counts from the end, -1 is the end. */
static const char *add_one(const struct making *making, struct slice name, const json_t *how)
{
    const json_t *value = json_is_object(how) ? json_object_get(how, "value") : how;
    const json_t *order = json_object_get(how, "order");
    int64_t n = -1;

    if (order == NULL)
        order = json_object_get(how, "index");
    if (!json_is_string(value) || (order != NULL && !to_integer(order, &n)))
        return "a header field to add is neither text nor value and order";
    struct slice text = rspamd_text(value);
    if (n == -1)
        return add_field(making, name, text);
    if (n < 0)
        n = n + (int64_t)making->message->header_count + 1;
    return insert_field(making, name, text, n > 0 ? (size_t)n : 0);
}

/* All fields of this name become this one. */
static const char *replace_field(const struct making *making, struct slice name,
                                 const json_t *value)
{
    const char *error = remove_fields(making, name, 0);

    if (error == NULL && !json_is_string(value))
        error = "a header field for spam is no text";
    return error != NULL ? error : add_field(making, name, rspamd_text(value));
}

typedef const char *each_fn(const struct making *making, struct slice name, const json_t *value);

static const char *remove_one(const struct making *making, struct slice name, const json_t *value)
{
    int64_t n;

    if (!to_integer(value, &n))
        return "a header field to remove has no number";
    return remove_fields(making, name, n);
}

/* Calls `each` for every member of an object; a list as value is several members of the same name. */
static const char *each_member(const struct making *making, const json_t *object, each_fn *each)
{
    const char *error = NULL, *key;
    const json_t *value;

    if (object == NULL)
        return NULL;
    if (!json_is_object(object))
        return "a list of header fields is no object";
    for (void *at = json_object_iter((json_t *)(uintptr_t)object); at != NULL && error == NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        key = json_object_iter_key(at);
        value = json_object_iter_value(at);
        if (!json_is_array(value))
            error = each(making, slice_of(key), value);
        for (size_t i = 0; i < json_array_size(value) && error == NULL; i++)
            error = each(making, slice_of(key), json_array_get(value, i));
    }
    return error;
}

static const char *addresses(const struct making *making, const json_t *list, enum edit_kind kind)
{
    const char *error = NULL;

    if (list == NULL)
        return NULL;
    if (json_is_string(list))
        return wanted_address(making->edits, making->arena, kind, rspamd_text(list));
    if (!json_is_array(list))
        return "a list of addresses is none";
    for (size_t i = 0; i < json_array_size(list) && error == NULL; i++) {
        const json_t *address = json_array_get(list, i);
        error = json_is_string(address)
                    ? wanted_address(making->edits, making->arena, kind, rspamd_text(address))
                    : "an address is no text";
    }
    return error;
}

/* X-Spam, or the fields named; rspamd gives it only with the action `add header`. */
static const char *spam_header(const struct making *making, const json_t *wanted)
{
    if (json_is_string(wanted))
        return replace_field(making, SLICE("X-Spam"), wanted);
    return each_member(making, wanted, replace_field);
}

static const char *milter_object(const struct making *making, const json_t *milter, bool is_spam)
{
    const char *error;

    if (milter == NULL)
        return NULL;
    if (!json_is_object(milter))
        return "\"milter\" is no object";
    if ((error = each_member(making, json_object_get(milter, "remove_headers"), remove_one)) ||
        (error = each_member(making, json_object_get(milter, "add_headers"), add_one)) ||
        (error = addresses(making, json_object_get(milter, "change_from"), EDIT_CHANGE_SENDER)) ||
        (error = addresses(making, json_object_get(milter, "add_rcpt"), EDIT_ADD_RECIPIENT)) ||
        (error = addresses(making, json_object_get(milter, "del_rcpt"), EDIT_REMOVE_RECIPIENT)))
        return error;
    return is_spam ? spam_header(making, json_object_get(milter, "spam_header")) : NULL;
}

/* One signature or several; one field stands before them, as where rspamd's milter puts them. */
static const char *signatures(const struct making *making, const json_t *list)
{
    static const char wrong[] = "\"dkim-signature\" is no text";
    size_t count = json_is_array(list) ? json_array_size(list) : 1;
    const char *error = NULL;

    for (size_t i = 0; list != NULL && i < count && error == NULL; i++) {
        const json_t *text = json_is_array(list) ? json_array_get(list, i) : list;
        error = json_is_string(text)
                    ? insert_field(making, SLICE("DKIM-Signature"), rspamd_text(text), i + 1)
                    : wrong;
    }
    return error;
}

const char *rspamd_edits(const json_t *answer, const struct message *message, struct arena *arena,
                         struct edits *edits)
{
    const struct making making = { message, arena, edits };
    bool is_spam = slice_equal(rspamd_text(json_object_get(answer, "action")), SLICE("add header"));
    const char *error = milter_object(&making, json_object_get(answer, "milter"), is_spam);

    return error != NULL ? error : signatures(&making, json_object_get(answer, "dkim-signature"));
}
