/* common/policy/lookup.c - see lookup.h. */
#include "common/policy/lookup.h"

void lookups_abandon(struct lookups *lookups)
{
    for (struct lookup *lookup = lookups->first; lookup != NULL; lookup = lookup->next)
        if (lookup->store.call.pending != NULL)
            store_abandon(lookups->store, &lookup->store.call);
    for (struct lookup_cancel *self = lookups->cancels; self != NULL; self = self->next)
        self->cancel(self);
}

void lookups_time_up(struct lookups *lookups)
{
    for (struct lookup_cancel *self = lookups->cancels; self != NULL; self = self->next)
        if (self->time_up != NULL)
            self->time_up(self);
    lookups_abandon(lookups);
}

void lookups_on_abandon(struct lookups *lookups, struct lookup_cancel *self)
{
    self->next = lookups->cancels;
    lookups->cancels = self;
}

static void lookup_done(struct store_call *call)
{
    struct lookup *lookup = (struct lookup *)call;
    struct value value = { .type = VALUE_TEXT };
    bool is_known = call->result == STORE_OK && lookup->finish(lookup, &value);

    evaluation_provide(lookup->evaluation, lookup->slot, is_known ? &value : NULL);
}

struct lookup *lookup_new(struct lookups *lookups, struct evaluation *evaluation, size_t slot,
                          lookup_finish *finish, const void *arg)
{
    struct lookup *lookup = arena_alloc(lookups->arena, sizeof *lookup);

    if (lookup == NULL)
        return NULL;
    lookup->store.call.done = lookup_done;
    lookup->evaluation = evaluation;
    lookup->slot = slot;
    lookup->finish = finish;
    lookup->arg = arg;
    lookup->next = lookups->first;
    lookups->first = lookup;
    return lookup;
}

enum fetch_result lookup_started(struct lookup *lookup, bool is_done, struct value *out)
{
    if (!is_done)
        return FETCH_STARTED;
    return lookup->store.call.result == STORE_OK && lookup->finish(lookup, out) ? FETCH_KNOWN
                                                                                : FETCH_UNKNOWN;
}
