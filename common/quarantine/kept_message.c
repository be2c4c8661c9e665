/* common/quarantine/kept_message.c - see kept_message.h. */
#include "common/quarantine/kept_message.h"

#include "common/base/buf.h"
#include "common/mime/mime.h"

enum { SCRATCH_MAX = 4 << 20 };

/* ESMTP parameters with blanks between. */
static bool join(struct arena *arena, const struct slice *arguments, size_t count,
                 struct slice *out)
{
    AUTO_BUF text = BUF_INIT(KEPT_JSON_MAX);

    for (size_t i = 0; i < count; i++)
        if ((i > 0 && buf_put_char(&text, ' ')) || buf_add(&text, arguments[i]))
            return false;
    *out = text.len == 0 ? SLICE("") : arena_copy(arena, buf_slice(&text));
    return out->ptr != NULL;
}

static bool take_recipients(struct arena *arena, const struct message *message,
                            const bool *is_wanted, struct kept *out)
{
    out->recipients =
        arena_alloc_array(arena, message->recipient_count + 1, sizeof *out->recipients);
    if (out->recipients == NULL)
        return false;
    for (size_t i = 0; i < message->recipient_count; i++) {
        const struct message_recipient *from = &message->recipients[i];
        struct kept_recipient *to = &out->recipients[out->recipient_count];
        if (is_wanted != NULL && !is_wanted[i])
            continue;
        to->address = arena_copy(arena, from->address);
        if (to->address.ptr == NULL ||
            !join(arena, from->arguments, from->argument_count, &to->arguments))
            return false;
        out->recipient_count++;
    }
    return true;
}

static bool take_client(struct arena *arena, const struct message *message, struct kept *out)
{
    const struct message_client *client = &message->client;
    char address[IP_ADDRESS_TEXT_MAX];

    if (client->has_address) {
        size_t len = ip_address_print(&client->address, address);
        if (!kept_text(arena, (struct slice){ address, len }, &out->client_address))
            return false;
    }
    return kept_text(arena, client->name, &out->client_name) &&
           kept_text(arena, client->helo, &out->helo_name);
}

bool kept_take_header(struct arena *arena, const struct message *message, struct kept *out)
{
    struct arena *scratch = arena_new(SCRATCH_MAX);
    struct mime_facts facts = { .from_count = 0 };
    bool ok = scratch != NULL;

    if (ok) {
        mime_read(message, MIME_HEADERS, scratch, &facts);
        ok = kept_text(arena, facts.subject, &out->subject) &&
             kept_text(arena, facts.from, &out->from) &&
             kept_text(arena, facts.message_id, &out->message_id);
    }
    arena_free(&scratch);
    return ok;
}

bool kept_of_message(struct arena *arena, const struct message *message, const bool *is_wanted,
                     struct kept *out)
{
    struct kept kept = { .is_smtputf8 = message->is_smtputf8 };

    if (!kept_take_header(arena, message, &kept) || !take_client(arena, message, &kept) ||
        !kept_text(arena, message->queue_id, &kept.queue_id) ||
        !kept_text(arena, message->sasl_username, &kept.sasl_username) ||
        !join(arena, message->sender_arguments, message->sender_argument_count,
              &kept.sender_arguments) ||
        !take_recipients(arena, message, is_wanted, &kept))
        return false;
    kept.sender = message->sender.ptr == NULL ? SLICE("") : arena_copy(arena, message->sender);
    if (kept.sender.ptr == NULL)
        return false;
    *out = kept;
    return true;
}
