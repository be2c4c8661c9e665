/* contentd/mixed_envelope.c - see mixed_envelope.h. Functions that return bool are false when memory is out. */
#include "contentd/mixed_envelope.h"

#include "common/mail/address.h"

bool envelope_init(struct envelope *envelope, const struct message *message, struct arena *arena)
{
    *envelope = (struct envelope){ .message = message, .arena = arena };
    slice_set_init(&envelope->added, arena);
    edits_init(&envelope->additions);
    envelope->is_removed =
        arena_alloc_array(arena, message->recipient_count + 1, sizeof *envelope->is_removed);
    return envelope->is_removed != NULL;
}

void envelope_remove(struct envelope *envelope, size_t recipient)
{
    envelope->removed += !envelope->is_removed[recipient];
    envelope->is_removed[recipient] = true;
}

bool envelope_add(struct envelope *envelope, struct slice address)
{
    const struct edit edit = { .kind = EDIT_ADD_RECIPIENT, .text = address };
    struct slice normal;
    bool is_new;

    if (address_normalise_mailbox(address, envelope->arena, &normal) == ADDRESS_NO_MEMORY ||
        !slice_set_add(&envelope->added, normal, &is_new))
        return false;
    return !is_new || edits_add(&envelope->additions, envelope->arena, &edit);
}

bool envelope_adds(const struct envelope *envelope, struct slice address)
{
    struct slice normal;

    return address_normalise_mailbox(address, envelope->arena, &normal) != ADDRESS_NO_MEMORY &&
           slice_set_has(&envelope->added, normal);
}

/* ---- bringing both into line ---- */

static bool print_removals(const struct envelope *envelope, const struct slice_set *staying,
                           struct edits *edits)
{
    const struct message *message = envelope->message;

    for (size_t n = 0; n < message->recipient_count; n++) {
        const struct message_recipient *recipient = &message->recipients[n];
        const struct edit edit = { .kind = EDIT_REMOVE_RECIPIENT, .text = recipient->address };
        if (envelope->is_removed[n] && !slice_set_has(staying, recipient->normal) &&
            !edits_add(edits, envelope->arena, &edit))
            return false;
    }
    return true;
}

static bool print_additions(const struct envelope *envelope, const struct slice_set *present,
                            struct edits *edits)
{
    for (const struct edit *edit = envelope->additions.first; edit != NULL; edit = edit->next) {
        struct slice normal;
        if (address_normalise_mailbox(edit->text, envelope->arena, &normal) == ADDRESS_NO_MEMORY)
            return false;
        if (!slice_set_has(present, normal) && !edits_add(edits, envelope->arena, edit))
            return false;
    }
    return true;
}

bool envelope_print(const struct envelope *envelope, struct edits *edits)
{
    const struct message *message = envelope->message;
    struct slice_set present, staying; /* recipients; those that nothing may remove */

    if (envelope->removed + envelope->additions.count == 0)
        return true;
    slice_set_init(&present, envelope->arena);
    slice_set_init(&staying, envelope->arena);
    for (size_t n = 0; n < message->recipient_count; n++) {
        struct slice normal = message->recipients[n].normal;
        bool stays = !envelope->is_removed[n] || slice_set_has(&envelope->added, normal);
        if (!slice_set_add(&present, normal, NULL) ||
            (stays && !slice_set_add(&staying, normal, NULL)))
            return false;
    }
    return print_removals(envelope, &staying, edits) && print_additions(envelope, &present, edits);
}

/* ---- whom scanners do not want ---- */

struct owner {
    const struct recipient_verdict *verdict;
    size_t recipient;
};

static int by_verdict(const void *a, const void *b)
{
    const struct owner *x = a, *y = b;
    uintptr_t left = (uintptr_t)x->verdict, right = (uintptr_t)y->verdict;

    return (left > right) - (left < right);
}

static bool removed_by(const struct recipient_verdict *verdict, struct arena *arena,
                       struct slice_set *out)
{
    slice_set_init(out, arena);
    for (const struct edit *edit = verdict->edits.first; edit != NULL; edit = edit->next)
        if (edit->kind == EDIT_REMOVE_RECIPIENT && !slice_set_add(out, edit->text, NULL))
            return false;
    return true;
}

bool envelope_find_unwanted(const struct message *message,
                            const struct recipient_verdict *const *verdicts, struct arena *arena,
                            bool **is_unwanted)
{
    size_t count = message->recipient_count;
    struct owner *owners = arena_alloc_array(arena, count + 1, sizeof *owners);
    bool *unwanted = arena_alloc_array(arena, count + 1, sizeof *unwanted);
    struct slice_set removed;

    if (owners == NULL || unwanted == NULL)
        return false;
    for (size_t n = 0; n < count; n++)
        owners[n] = (struct owner){ verdicts[n], n };
    qsort(owners, count, sizeof *owners, by_verdict);
    for (size_t i = 0; i < count; i++) {
        const struct owner *owner = &owners[i];
        if ((i == 0 || owner->verdict != owners[i - 1].verdict) &&
            !removed_by(owner->verdict, arena, &removed))
            return false;
        unwanted[owner->recipient] =
            slice_set_has(&removed, message->recipients[owner->recipient].address);
    }
    *is_unwanted = unwanted;
    return true;
}
