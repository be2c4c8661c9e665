/* common/milter/message.c - see message.h. */
#include "common/milter/message.h"

#include <assert.h>
#include <stdatomic.h>

#include "common/mail/address.h"

enum {
    ROOM_FIRST = 16, /* recipients, header fields; doubled when used up */
    /* The head is a second copy of all header fields; arrays that were doubled stay in the arena. */
    ARENA_MAX = 2 * MESSAGE_HEADER_BYTES_MAX + 2 * MESSAGE_ENVELOPE_BYTES_MAX + (16 << 20),
};

struct message *message_new(void)
{
    struct message *message = calloc(1, sizeof *message);

    if (message == NULL)
        return NULL;
    message->arena = arena_new(ARENA_MAX);
    if (message->arena == NULL) {
        free(message);
        return NULL;
    }
    atomic_init(&message->references, 1);
    return message;
}

struct message *message_ref(struct message *message)
{
    atomic_fetch_add_explicit(&message->references, 1, memory_order_relaxed);
    return message;
}

void message_unref(struct message **message)
{
    struct message *gone = *message;

    *message = NULL;
    if (gone == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    spool_free(&gone->body);
    arena_free(&gone->arena);
    free(gone);
}

/* ---- texts ---- */

/* False: out of memory. An absent text stays absent. */
static bool copy(struct message *message, struct slice text, struct slice *out)
{
    *out = arena_copy(message->arena, text);
    return text.ptr == NULL || out->ptr != NULL;
}

enum message_fill message_set_client(struct message *message, const struct message_client *client)
{
    struct message_client *own = &message->client;
    struct slice *texts[] = {
        &own->name,
        &own->helo,
        &own->daemon_name,
        &own->daemon_address,
        &own->daemon_port,
        &own->myhostname,
        &own->tls_version,
        &own->tls_cipher,
        &own->tls_cipher_bits,
        &own->tls_cert_subject,
    };

    *own = *client;
    for (size_t i = 0; i < COUNT(texts); i++)
        if (!copy(message, *texts[i], texts[i]))
            return MESSAGE_NO_ROOM;
    return MESSAGE_OK;
}

/* Without <>, blanks around it, and the route that RFC 5321 (4.1.1.3) wants ignored: "@a,@b:". MTAs go by what is left. */
static struct slice path_mailbox(struct slice path)
{
    struct slice mailbox = slice_trim(path), route;

    if (mailbox.len >= 2 && mailbox.ptr[0] == '<' && mailbox.ptr[mailbox.len - 1] == '>')
        mailbox = slice_trim(slice_part(mailbox, 1, mailbox.len - 2));
    if (slice_starts_with(mailbox, SLICE("@")) && slice_cut(&mailbox, ':', &route))
        mailbox = slice_trim(mailbox);
    return mailbox;
}

/* ---- the envelope ---- */

struct path { /* what MAIL and RCPT have alike */
    struct slice address, normal;
    struct slice *arguments;
};

static enum message_fill take_path(struct message *message, struct slice text,
                                   const struct slice *arguments, size_t count, struct path *out)
{
    if (count > MESSAGE_ARGUMENTS_MAX || text.len > MESSAGE_ENVELOPE_BYTES_MAX)
        return MESSAGE_TOO_MUCH;
    if (!copy(message, path_mailbox(text), &out->address) ||
        address_normalise_mailbox(out->address, message->arena, &out->normal) == ADDRESS_NO_MEMORY)
        return MESSAGE_NO_ROOM;
    out->arguments = arena_alloc_array(message->arena, count, sizeof *out->arguments);
    if (out->arguments == NULL)
        return MESSAGE_NO_ROOM;
    for (size_t i = 0; i < count; i++)
        if (!copy(message, arguments[i], &out->arguments[i]))
            return MESSAGE_NO_ROOM;
    return MESSAGE_OK;
}

enum message_fill message_set_sender(struct message *message, struct slice path,
                                     const struct slice *arguments, size_t count)
{
    struct path own;
    enum message_fill fill = take_path(message, path, arguments, count, &own);

    if (fill != MESSAGE_OK)
        return fill;
    message->sender = own.address;
    message->sender_normal = own.normal;
    message->sender_arguments = own.arguments;
    message->sender_argument_count = count;
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(own.arguments[i], SLICE("SMTPUTF8")))
            message->is_smtputf8 = true;
    return MESSAGE_OK;
}

/* Room for one more in an array of the arena. */
static bool make_room(struct message *message, void **items, size_t size, size_t count,
                      size_t *room)
{
    if (count < *room)
        return true;
    size_t more = *room == 0 ? ROOM_FIRST : *room * 2;
    void *larger = arena_alloc_array(message->arena, more, size);
    if (larger == NULL)
        return false;
    if (count > 0)
        memcpy(larger, *items, count * size);
    *items = larger;
    *room = more;
    return true;
}

enum message_fill message_add_recipient(struct message *message, struct slice path,
                                        const struct slice *arguments, size_t count)
{
    void *items = message->recipients;
    struct path own;

    if (message->recipient_count == MESSAGE_RECIPIENTS_MAX)
        return MESSAGE_TOO_MUCH;
    enum message_fill fill = take_path(message, path, arguments, count, &own);
    if (fill != MESSAGE_OK)
        return fill;
    if (!make_room(message, &items, sizeof *message->recipients, message->recipient_count,
                   &message->recipient_room))
        return MESSAGE_NO_ROOM;
    message->recipients = items;
    message->recipients[message->recipient_count++] =
        (struct message_recipient){ own.address, own.normal, own.arguments, count };
    return MESSAGE_OK;
}

/* The normal form of what the MTA makes of an address. Names without a domain, and nothing, say less than the address itself. */
static enum message_fill resolve(struct message *message, struct slice resolved,
                                 struct slice *normal)
{
    struct slice text;

    if (slice_find(resolved, '@') == SIZE_MAX)
        return MESSAGE_OK;
    return copy(message, resolved, &text) &&
                   address_normalise_mailbox(text, message->arena, normal) != ADDRESS_NO_MEMORY
               ? MESSAGE_OK
               : MESSAGE_NO_ROOM;
}

enum message_fill message_resolve_sender(struct message *message, struct slice resolved)
{
    return resolve(message, resolved, &message->sender_normal);
}

enum message_fill message_resolve_recipient(struct message *message, struct slice resolved)
{
    return resolve(message, resolved, &message->recipients[message->recipient_count - 1].normal);
}

void message_drop_recipient(struct message *message)
{
    void *items = message->refused;

    if (message->recipient_count == 0)
        return;
    message->recipient_count--;
    if (message->refused_count == MESSAGE_REFUSED_MAX ||
        !make_room(message, &items, sizeof *message->refused, message->refused_count,
                   &message->refused_room))
        return;
    message->refused = items;
    message->refused[message->refused_count++] =
        message->recipients[message->recipient_count].address;
}

/* ---- the header ---- */

enum message_fill message_add_header(struct message *message, struct slice name, struct slice value)
{
    void *items = message->headers;
    struct message_header own;

    if (message->header_count == MESSAGE_HEADERS_MAX ||
        name.len > MESSAGE_HEADER_BYTES_MAX - message->header_bytes ||
        value.len > MESSAGE_HEADER_BYTES_MAX - message->header_bytes - name.len)
        return MESSAGE_TOO_MUCH;
    if (!make_room(message, &items, sizeof *message->headers, message->header_count,
                   &message->header_room))
        return MESSAGE_NO_ROOM;
    message->headers = items;
    if (!copy(message, name, &own.name) || !copy(message, value, &own.value))
        return MESSAGE_NO_ROOM;
    message->header_bytes += name.len + value.len;
    own.blanks = 0;
    while (own.name.len > 0 &&
           (own.name.ptr[own.name.len - 1] == ' ' || own.name.ptr[own.name.len - 1] == '\t')) {
        own.name.len--;
        own.blanks++;
    }
    message->headers[message->header_count++] = own;
    return MESSAGE_OK;
}

/* A "\n" that has no "\r" before it becomes "\r\n". Returns the end; counts only when `to` is NULL. */
static size_t put_value(char *to, struct slice value)
{
    size_t len = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\n' && (i == 0 || value.ptr[i - 1] != '\r')) {
            if (to != NULL)
                to[len] = '\r';
            len++;
        }
        if (to != NULL)
            to[len] = value.ptr[i];
        len++;
    }
    return len;
}

static size_t put_text(char *to, struct slice text)
{
    if (to != NULL && text.len > 0)
        memcpy(to, text.ptr, text.len);
    return text.len;
}

static size_t put_head(const struct message *message, char *to)
{
    struct slice colon = message->has_leading_space ? SLICE(":") : SLICE(": ");
    size_t len = 0;

    for (size_t i = 0; i < message->header_count; i++) {
        len += put_text(to == NULL ? NULL : to + len, message_header_label(&message->headers[i]));
        len += put_text(to == NULL ? NULL : to + len, colon);
        len += put_value(to == NULL ? NULL : to + len, message->headers[i].value);
        len += put_text(to == NULL ? NULL : to + len, SLICE("\r\n"));
    }
    return len + put_text(to == NULL ? NULL : to + len, SLICE("\r\n"));
}

enum message_fill message_end_headers(struct message *message, const struct spool_bounds *bounds)
{
    size_t len = put_head(message, NULL);
    char *head = arena_alloc(message->arena, len + 1);

    message->body = head == NULL ? NULL : spool_new(bounds);
    if (message->body == NULL)
        return MESSAGE_NO_ROOM;
    put_head(message, head);
    message->head = (struct slice){ head, len };
    return MESSAGE_OK;
}

/* ---- the body ---- */

enum message_fill message_add_body(struct message *message, struct slice bytes)
{
    if (spool_append(message->body, bytes) == 0)
        return MESSAGE_OK;
    return spool_is_too_large(message->body) ? MESSAGE_TOO_MUCH : MESSAGE_NO_ROOM;
}

void message_end(struct message *message)
{
    atomic_store_explicit(&message->is_whole, true, memory_order_release);
}

bool message_is_whole(const struct message *message)
{
    return atomic_load_explicit(&message->is_whole, memory_order_acquire);
}

uint64_t message_size(const struct message *message)
{
    return message->head.len + spool_size(message->body);
}

int message_read(const struct message *message, uint64_t offset, size_t max, char *space,
                 struct slice *out)
{
    if (offset >= message->head.len)
        return spool_read(message->body, offset - message->head.len, max, space, out);
    *out = slice_part(message->head, (size_t)offset, max);
    return 0;
}

struct slice message_header_label(const struct message_header *field)
{
    return (struct slice){ field->name.ptr, field->name.len + field->blanks };
}

bool message_header_is(const struct message_header *field, struct slice name)
{
    return slice_equal_nocase(field->name, name);
}

const struct message_header *message_header_find(const struct message *message, struct slice name,
                                                 size_t n)
{
    for (size_t i = 0; i < message->header_count; i++)
        if (message_header_is(&message->headers[i], name) && --n == 0)
            return &message->headers[i];
    return NULL;
}
