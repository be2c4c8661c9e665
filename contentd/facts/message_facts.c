/* contentd/facts/message_facts.c - see message_facts.h. */
#include "contentd/facts/message_facts.h"

#include "common/base/clock.h"
#include "common/policy/values.h"
#include "common/mime/mime_decode.h"

/* Values being put one after the other. */
struct several {
    struct value *out; /* the first, which is empty until there is one */
    struct value *last;
    struct arena *arena;
    bool failed;
};

static struct several several_begin(struct value *out, enum value_type type, struct arena *arena)
{
    value_of_text(out, type, SLICE(""));
    return (struct several){ .out = out, .arena = arena };
}

static void several_add(struct several *several, const struct value *value)
{
    struct value *own =
        several->last == NULL ? several->out : arena_alloc(several->arena, sizeof *own);

    if (own == NULL) {
        several->failed = true;
        return;
    }
    *own = *value;
    own->next = NULL;
    if (several->last != NULL)
        several->last->next = own;
    several->last = own;
}

static void several_add_text(struct several *several, enum value_type type, struct slice text)
{
    struct value value;

    if (text.len == 0)
        return;
    value_of_text(&value, type, text);
    several_add(several, &value);
}

bool value_of_items(struct value *out, struct slice text, struct arena *arena)
{
    struct several several = several_begin(out, VALUE_TEXT, arena);
    struct slice item;

    while (text.len > 0 && slice_next(&text, ',', &item))
        several_add_text(&several, VALUE_TEXT, item);
    return !several.failed;
}

static bool header_fact(const struct message *message, struct slice name, struct arena *arena,
                        struct value *out)
{
    struct several several = several_begin(out, VALUE_TEXT, arena);
    size_t found = 0;

    for (size_t i = 0; i < message->header_count && found < HEADER_VALUES_MAX; i++) {
        if (!slice_equal_nocase(message->headers[i].name, name))
            continue;
        several_add_text(&several, VALUE_TEXT, mime_decode_text(arena, message->headers[i].value));
        found++;
    }
    return !several.failed;
}

static bool attachment_fact(const struct mime_facts *mime, int id, struct arena *arena,
                            struct value *out)
{
    struct several several =
        several_begin(out, id == FACT_ATTACHMENT_SIZE ? VALUE_NUMBER : VALUE_TEXT, arena);
    struct value size;

    for (const struct mime_attachment *one = mime->attachments; one != NULL; one = one->next) {
        switch (id) {
        case FACT_ATTACHMENT_SIZE:
            value_of_number(&size, (double)one->size);
            several_add(&several, &size);
            break;
        case FACT_ATTACHMENT_TYPE:
            several_add_text(&several, VALUE_TEXT, one->type);
            break;
        default:
            for (size_t i = 0; i < COUNT(one->name); i++)
                several_add_text(&several, VALUE_TEXT,
                                 id == FACT_ATTACHMENT_NAME ? one->name[i] : one->extension[i]);
            break;
        }
    }
    return !several.failed;
}

static bool date_fact(const struct mime_facts *mime, uint64_t wall_ms, struct value *out)
{
    value_of_number(out, (double)wall_ms / SECOND - (double)mime->date_s);
    out->is_empty = mime->date_s == 0;
    return true;
}

/* A text, or nothing. */
static bool is(struct value *out, enum value_type type, struct slice text)
{
    value_of_text(out, type, text);
    return true;
}

static bool counts(struct value *out, size_t count)
{
    value_of_number(out, (double)count);
    return true;
}

static bool mime_fact(const struct mime_facts *mime, int id, uint64_t wall_ms, struct arena *arena,
                      struct value *out)
{
    switch (id) {
    case FACT_FROM:
        return is(out, VALUE_MAILBOX, mime->from);
    case FACT_FROM_DOMAIN:
        return is(out, VALUE_DOMAIN, mime->from_domain);
    case FACT_FROM_NAME:
        return is(out, VALUE_TEXT, mime->from_name);
    case FACT_FROM_NAME_ADDRESS:
        return is(out, VALUE_MAILBOX, mime->from_name_address);
    case FACT_FROM_COUNT:
        return counts(out, mime->from_count);
    case FACT_REPLY_TO:
        return is(out, VALUE_MAILBOX, mime->reply_to);
    case FACT_SUBJECT:
        return is(out, VALUE_TEXT, mime->subject);
    case FACT_MESSAGE_ID:
        return is(out, VALUE_TEXT, mime->message_id);
    case FACT_DATE_AGE:
        return date_fact(mime, wall_ms, out);
    case FACT_RECEIVED_COUNT:
        return counts(out, mime->received_count);
    case FACT_ATTACHMENT_COUNT:
        return counts(out, mime->attachment_count);
    case FACT_MIME_PARTS:
        return counts(out, mime->part_count);
    case FACT_MIME_DEPTH:
        return counts(out, mime->depth);
    case FACT_MIME_BROKEN:
        value_of_boolean(out, mime->is_broken);
        return true;
    case FACT_MIME_LIMITED:
        value_of_boolean(out, mime->is_limited);
        return true;
    default:
        return attachment_fact(mime, id, arena, out);
    }
}

bool message_fact(const struct message *message, const struct mime_facts *mime,
                  const struct fact_ref *ref, uint64_t wall_ms, struct arena *arena,
                  struct value *out)
{
    if (ref->type->id == FACT_HEADER_COUNT)
        return counts(out, message->header_count);
    if (ref->type->id == FACT_HEADER)
        return header_fact(message, ref->arg, arena, out);
    return mime != NULL && mime_fact(mime, ref->type->id, wall_ms, arena, out);
}
